//! `{# lint:allow CODE reason #}`: a writer takes a rule's objection on himself, in the file it is about, and says why.

use super::super::files::Files;
use super::report::Finding;
use super::rules::Code;
use super::tags::spans;

/// What is allowed where; and what was written that allows nothing.
#[derive(Debug, Default)]
pub(super) struct Allowed {
    allowed: Vec<(String, Code)>,
    pub faults: Vec<Finding>,
}

impl Allowed {
    /// Reads the comments of all files.
    pub fn of(files: &Files) -> Self {
        let mut found = Self::default();
        for (file, text) in files {
            for (at, comment) in comments(text) {
                let Some(said) = comment.strip_prefix("lint:allow") else { continue };
                match read(said) {
                    Ok(code) => found.allowed.push((file.clone(), code)),
                    Err(why) => found.faults.push(Finding::at(Code::L00, file, text, at, why)),
                }
            }
        }
        found
    }

    /// Whether the finding was taken on.
    pub fn allows(&self, finding: &Finding) -> bool {
        self.allowed.iter().any(|(file, code)| *file == finding.file && *code == finding.code)
    }
}

fn read(said: &str) -> Result<Code, String> {
    let (word, reason) = said.trim().split_once(char::is_whitespace).unwrap_or((said.trim(), ""));
    let code = Code::from_word(word)
        .ok_or_else(|| format!("lint:allow names no rule: {word:?}; write a code, as in L05"))?;
    if !code.rule().silenceable {
        return Err(format!("{word} cannot be silenced: {}", code.rule().says));
    }
    if reason.trim().is_empty() {
        return Err(format!("lint:allow {word} gives no reason; write one behind the code"));
    }
    Ok(code)
}

/// The comments of a template, without their signs, and where each begins.
fn comments(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let spans = spans(text).into_iter().filter(|(from, _)| text[..*from].ends_with("{#"));
    spans.map(|(from, to)| (from - 2, text[from..to].trim_matches('-').trim()))
}

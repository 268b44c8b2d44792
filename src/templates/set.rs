//! A set of templates that passed: parsed, every name known, every kind rendered with every sample.
//!
//! A set is all or nothing: one that fails is never seen outside of this file, so what can be rendered can be sent.

use std::io::{self, Write};
use std::path::Path;

use chrono::NaiveDate;
use sha2::{Digest, Sha256};
use tera::{Context, ErrorKind, Tera};

use super::context::{MailContext, Shop, context};
use super::error::TemplateError;
use super::files::{self, Files, has_html};
use super::filters;
use super::lint::check_folder;
use super::samples;
use crate::domain::notice::NoticeKind;

/// The longest part of a mail: 1 MiB. A template that loops without end stops there.
pub const MAX_RENDERED: usize = 1 << 20;

/// The longest subject, in characters.
pub const MAX_SUBJECT: usize = 150;

/// A mail's text, without headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// One line, not empty.
    pub subject: String,
    pub text: String,
    /// None for a kind that is plain text only.
    pub html: Option<String>,
}

/// A set of templates that can be rendered. Cheap to share behind an `Arc`, slow to make.
pub struct TemplateSet {
    tera: Tera,
    files: Files,
    hash: String,
}

impl std::fmt::Debug for TemplateSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TemplateSet").field("hash", &self.hash).finish_non_exhaustive()
    }
}

impl TemplateSet {
    /// The default set. It is tested to pass, so that an error here is a fault of the build.
    pub fn compiled_in() -> Result<Self, TemplateError> {
        Self::parse(files::compiled_in())
    }

    /// The set in `dir`, checked as a whole; the first fault if it cannot be used.
    pub fn load(dir: &Path) -> Result<Self, TemplateError> {
        check_folder(dir, None).into_set()
    }

    /// The set in `dir` as it stands, not checked: for looking at what is being edited.
    pub fn draft(dir: &Path) -> Result<Self, TemplateError> {
        let found = files::read(dir);
        match found.faults.into_iter().next() {
            Some(fault) => Err(fault),
            None => Self::parse(found.files),
        }
    }

    /// A set that was checked before: only its grammar is looked at again.
    pub fn of_checked(files: Files) -> Result<Self, TemplateError> {
        Self::parse(files)
    }

    /// Its files, by their paths below the folder.
    pub fn files(&self) -> &Files {
        &self.files
    }

    /// SHA-256 of all files, in hex: what tells one set from another.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// The mail for `mail`, by the templates of its kind.
    pub fn render(&self, mail: &MailContext) -> Result<Rendered, TemplateError> {
        let kind = NoticeKind::from_word(&mail.kind)
            .ok_or_else(|| TemplateError::whole(&mail.kind, "is not a kind of notice"))?;
        let variables = variables(mail)?;
        let subject = self.part(kind, "subject.txt", &variables)?;
        let subject = subject.split_whitespace().collect::<Vec<_>>().join(" ");
        if subject.is_empty() {
            return Err(TemplateError::whole(format!("{kind}/subject.txt"), "renders to nothing"));
        }
        let text = tidy(&self.part(kind, "body.txt", &variables)?);
        let html = if has_html(kind) { Some(tidy(&self.part(kind, "body.html", &variables)?)) } else { None };
        Ok(Rendered { subject, text, html })
    }

    /// One mail of every kind, as this set writes it to nobody.
    pub fn examples(&self, shop: &Shop) -> Vec<Rendered> {
        let (samples, policy) = (samples::samples(), samples::policy());
        let example = |kind: &NoticeKind| {
            let sample = samples.iter().find(|sample| sample.notice.kind == *kind)?;
            self.render(&context(&sample.order, &sample.notice, shop, &policy, sample.next_news, sample.now))
                .ok()
        };
        NoticeKind::ALL.iter().filter_map(example).collect()
    }

    fn part(&self, kind: NoticeKind, part: &str, variables: &Context) -> Result<String, TemplateError> {
        let name = format!("{kind}/{part}");
        let mut out = Capped(Vec::with_capacity(4096));
        self.tera.render_to(&name, variables, &mut out).map_err(|error| match error.kind() {
            ErrorKind::Io(_) => TemplateError::whole(&name, "renders to more than 1 MiB"),
            _ => TemplateError::of(&name, &error),
        })?;
        String::from_utf8(out.0).map_err(|_| TemplateError::whole(&name, "renders to what is not UTF-8"))
    }

    /// How the templates of this mail's language print `date`: in a body and in a subject.
    pub(super) fn printed(&self, mail: &MailContext, date: NaiveDate) -> Result<Vec<String>, TemplateError> {
        let mut variables = variables(mail)?;
        variables.insert("printed", &date);
        let print = |how: &str| self.tera.render_str(how, &variables, false);
        let both: Result<Vec<_>, _> =
            ["{{ printed | date }}", "{{ printed | short_date }}"].map(print).into_iter().collect();
        both.map_err(|error| TemplateError::of("date", &error))
    }

    /// Reads the files; nothing is rendered yet.
    pub(super) fn parse(files: Files) -> Result<Self, TemplateError> {
        if let Some(missing) = files::missing(&files).first() {
            return Err(TemplateError::whole(missing, "is missing"));
        }
        let mut tera = Tera::new();
        filters::register(&mut tera);
        tera.add_raw_templates(&files).map_err(|error| TemplateError::of("base.txt", &error))?;
        let hash = hash(&files);
        Ok(Self { tera, files, hash })
    }
}

/// A fault of the grammar of one file, whatever the others hold.
pub(super) fn syntax_fault(file: &str, text: &str) -> Option<TemplateError> {
    let mut tera = Tera::new();
    filters::register(&mut tera);
    let error = tera.add_raw_template(file, text).err()?;
    matches!(error.kind(), ErrorKind::SyntaxError(_)).then(|| TemplateError::of(file, &error))
}

/// As html templates escape it.
pub fn escape(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    match tera::escape_html(text, &mut out) {
        Ok(()) => String::from_utf8(out).unwrap_or_default(),
        Err(_) => String::new(),
    }
}

fn variables(mail: &MailContext) -> Result<Context, TemplateError> {
    Context::from_serialize(mail).map_err(|error| TemplateError::of(&mail.kind, &error))
}

/// Templates may be laid out for reading: trailing blanks go, runs of empty lines become one, the end is one newline.
fn tidy(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut blank = true;
    for line in text.lines().map(str::trim_end) {
        if line.is_empty() && blank {
            continue;
        }
        blank = line.is_empty();
        out.push_str(line);
        out.push('\n');
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

fn hash(files: &Files) -> String {
    let mut hasher = Sha256::new();
    for (name, text) in files {
        for part in [name, text] {
            hasher.update((part.len() as u64).to_be_bytes());
            hasher.update(part);
        }
    }
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Takes [`MAX_RENDERED`] octets and fails at the next.
struct Capped(Vec<u8>);

impl Write for Capped {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > MAX_RENDERED {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_laid_out_for_reading_is_tidied() {
        assert_eq!(tidy("\n\na  \n\n \n\nb\n  c\n\n"), "a\n\nb\n  c\n");
        assert_eq!(tidy(""), "\n");
    }

    #[test]
    fn the_hash_tells_sets_apart_even_where_texts_move_between_files() {
        let files = |pairs: &[(&str, &str)]| -> Files {
            pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
        };
        assert_ne!(hash(&files(&[("a", "bc")])), hash(&files(&[("ab", "c")])));
        assert_eq!(hash(&Files::new()).len(), 64);
    }
}

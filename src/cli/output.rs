//! What a command says: results on stdout, whole or not at all, and an end with a code of its own.

use std::fmt;
use std::io::{ErrorKind, IsTerminal, Write};

use serde::Serialize;

use super::Exit;
use crate::text::plain_lines;

/// An end that is nobody's fault but has a code of its own: not found, wrongly asked.
#[derive(Debug)]
pub(super) struct Stop {
    pub exit: Exit,
    pub words: String,
}

impl Stop {
    /// There is no such thing.
    pub fn not_found(words: impl Into<String>) -> anyhow::Error {
        Self { exit: Exit::NotFound, words: words.into() }.into()
    }

    /// The command was asked in a way that has no answer.
    pub fn usage(words: impl Into<String>) -> anyhow::Error {
        Self { exit: Exit::Usage, words: words.into() }.into()
    }

    /// It cannot be done now, and may be tried again.
    pub fn later(words: impl Into<String>) -> anyhow::Error {
        Self { exit: Exit::MailLater, words: words.into() }.into()
    }

    /// The order's or the supply's state does not take it.
    pub fn refused(words: impl Into<String>) -> anyhow::Error {
        Self { exit: Exit::Refused, words: words.into() }.into()
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

impl std::error::Error for Stop {}

/// Asks at a terminal, after showing what it is about; without one nobody can answer.
pub(super) fn confirmed(shown: &str, question: &str) -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() {
        return Err(Stop::usage(format!(
            "{shown}Nothing was done: nobody is there to be asked; add --yes to do it"
        )));
    }
    let mut terminal = std::io::stderr();
    write!(terminal, "{shown}{question} [y/N] ")?;
    terminal.flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// Says something beside the result, on stderr; whatever is quoted in it does a terminal no harm.
pub(super) fn message(text: &str) {
    eprintln!("{}", plain_lines(text));
}

/// Writes a result as it is.
pub(super) fn bytes(bytes: &[u8]) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        // Whoever reads has seen enough, as in `shipby history … | head`.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}

/// Writes a result for people.
pub(super) fn text(text: &str) -> anyhow::Result<()> {
    bytes(text.as_bytes())
}

/// Writes the one document of `--json`: `schema` first, then the fields of `body`.
pub(super) fn json(schema: &str, body: &impl Serialize) -> anyhow::Result<()> {
    #[derive(Serialize)]
    struct Document<'a, T: Serialize> {
        schema: &'a str,
        #[serde(flatten)]
        body: &'a T,
    }
    let mut document = serde_json::to_string_pretty(&Document { schema, body })?;
    document.push('\n');
    text(&document)
}

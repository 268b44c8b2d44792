//! How a refusal is worded: where, what was read, what is wrong with it and how to mend it.
//!
//! What was read is quoted short and harmless: no control character gets from a file to a terminal. It may hold
//! an address, so a refusal is for the one who sent the data, not for a log.

use std::fmt;

use crate::text::{either, excerpt, nearest};

/// The longest part of a text that a refusal quotes, in characters.
const QUOTED: usize = 40;

/// A field that cannot be taken as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// The path, as in `lines[0].quantity`; empty for the object as a whole.
    pub field: String,
    /// What was read, as it is printed; empty if nothing was there.
    pub read: String,
    /// The rest of the sentence: what is wrong and how to mend it.
    pub mend: String,
}

impl FieldError {
    /// A refusal of what was read; the reader of the object adds the field.
    pub(super) fn new(read: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { field: String::new(), read: read.into(), mend: mend.into() }
    }

    /// A refusal of a text.
    pub(super) fn text(read: &str, mend: impl Into<String>) -> Self {
        Self::new(quoted(read), mend)
    }

    /// The same refusal, of the field at this path.
    pub(super) fn at(self, prefix: &str, name: &str) -> Self {
        Self { field: format!("{prefix}{name}"), ..self }
    }

    /// What was read and the mend, without the field.
    pub(super) fn says(&self) -> String {
        if self.read.is_empty() { self.mend.clone() } else { format!("{} {}", self.read, self.mend) }
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.field.is_empty() {
            write!(f, "field {}: ", self.field)?;
        }
        f.write_str(&self.says())
    }
}

impl std::error::Error for FieldError {}

/// Where in a row something is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Spot {
    /// The row as a whole.
    Row,
    /// A byte of the line, counted from 1.
    Byte(usize),
    /// A column of a CSV.
    Column(String),
    /// A field of a JSON object, as in `lines[0].quantity`.
    Field(String),
}

/// A row that cannot be taken. Printed after the file's name and a colon it reads
/// `open.csv:412 column promised: "03/04/26" can be read two ways; write 2026-04-03`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowError {
    /// The line of the file, counted from 1, on which the row at fault begins.
    pub line: u64,
    pub spot: Spot,
    /// What was read, what is wrong with it and how to mend it.
    pub says: String,
}

impl RowError {
    pub(super) fn row(line: u64, says: impl Into<String>) -> Self {
        Self { line, spot: Spot::Row, says: says.into() }
    }

    pub(super) fn byte(line: u64, byte: usize, says: impl Into<String>) -> Self {
        Self { line, spot: Spot::Byte(byte), says: says.into() }
    }

    pub(super) fn column(line: u64, column: impl Into<String>, says: impl Into<String>) -> Self {
        Self { line, spot: Spot::Column(column.into()), says: says.into() }
    }

    /// A refused field of the object on this line.
    pub(super) fn field(line: u64, error: &FieldError) -> Self {
        let spot = if error.field.is_empty() { Spot::Row } else { Spot::Field(error.field.clone()) };
        Self { line, spot, says: error.says() }
    }
}

impl fmt::Display for RowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, spot, says } = self;
        match spot {
            Spot::Row => write!(f, "{line} {says}"),
            Spot::Byte(byte) => write!(f, "{line}:{byte} {says}"),
            Spot::Column(name) => write!(f, "{line} column {name}: {says}"),
            Spot::Field(path) => write!(f, "{line} field {path}: {says}"),
        }
    }
}

impl std::error::Error for RowError {}

/// A text as a refusal prints it: shortened, harmless, in quotes.
pub(super) fn quoted(text: &str) -> String {
    format!("\"{}\"", short(text))
}

/// A text shortened, with what a terminal would act upon escaped.
pub(super) fn short(text: &str) -> String {
    excerpt(text, QUOTED)
}

/// What to say of a name that is not known: the nearest one, else all of them.
pub(super) fn unknown(name: &str, known: &[&str]) -> String {
    match nearest(name, known.iter().copied()) {
        Some(near) => format!("is not known; did you mean {near}?"),
        None => format!("is not known; write {}", either(known)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_is_quoted_short_and_harmless() {
        assert_eq!(quoted("a\r\n\0\u{1b}[31m\u{202e}b"), r#""a\r\n\u{0}\u{1b}[31m\u{202e}b""#);
        assert_eq!(quoted(&"é".repeat(41)), format!("\"{}…\"", "é".repeat(40)));
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_nearest_or_all_of_them() {
        let known = ["quantity", "kind", "promised"];
        assert_eq!(unknown("quantaty", &known), "is not known; did you mean quantity?");
        assert_eq!(unknown("x", &known), "is not known; write quantity, kind or promised");
    }
}

//! What is wrong with a configuration: all of it at once, each fault with its place and its mend.
//!
//! No message holds a secret or a line of the file: a mistyped password must not reach the log. What is displayed does a
//! terminal no harm, whatever was read.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::text::{excerpt, plain};

/// Where a value was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A place in the file; line and column count from 1, columns in characters.
    File { path: PathBuf, line: usize, column: usize },
    /// The file as a whole.
    WholeFile { path: PathBuf },
    /// The environment variable of this name.
    Environment(String),
    /// Nowhere: the default applies.
    Default,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line, column } => {
                write!(f, "{}:{line}:{column}", plain(&path.to_string_lossy()))
            }
            Self::WholeFile { path } => f.write_str(&plain(&path.to_string_lossy())),
            Self::Environment(name) => f.write_str(&plain(name)),
            Self::Default => f.write_str("default"),
        }
    }
}

/// One fault or one warning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub place: Place,
    /// `section.key`; empty where the fault is about no single key.
    pub key: String,
    /// What was read, why it does not do, and the mend.
    pub message: String,
}

impl Problem {
    pub(super) fn new(place: Place, key: impl Into<String>, message: impl Into<String>) -> Self {
        Self { place, key: key.into(), message: message.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (key, message) = (plain(&self.key), plain(&self.message));
        let space = if key.is_empty() { "" } else { " " };
        write!(f, "{}{space}{key}: {message}", self.place)
    }
}

/// A configuration that cannot be used. Displays one line per problem, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// Never empty.
    pub problems: Vec<Problem>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            let newline = if index == 0 { "" } else { "\n" };
            write!(f, "{newline}{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

impl ConfigError {
    /// About the file as a whole.
    pub(super) fn of_file(path: &Path, message: String) -> Self {
        let place = Place::WholeFile { path: path.to_owned() };
        Self { problems: vec![Problem::new(place, "", message)] }
    }

    /// In the order of the file; what the environment says comes last.
    pub(super) fn of(mut problems: Vec<Problem>) -> Self {
        problems.sort_by_key(|problem| match problem.place {
            Place::WholeFile { .. } => (0, 0, 0),
            Place::File { line, column, .. } => (1, line, column),
            Place::Environment(_) => (2, 0, 0),
            Place::Default => (3, 0, 0),
        });
        problems.dedup();
        Self { problems }
    }
}

/// `text` in quotes, as it may be shown: harmless, long texts cut, what stands between
/// `://` and `@` (a user and perhaps a password) left out.
pub(super) fn quoted(text: &str) -> String {
    let shown = match text.split_once("://") {
        Some((scheme, rest)) if rest.contains('@') => {
            let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
            format!("{scheme}://…@{host}")
        }
        _ => text.to_owned(),
    };
    format!("\"{}\"", excerpt(&shown, 60))
}

/// `; did you mean "x"?`, or nothing.
pub(super) fn did_you_mean(candidate: Option<&str>) -> String {
    candidate.map_or_else(String::new, |candidate| format!("; did you mean \"{candidate}\"?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_one_line_and_holds_no_password() {
        assert_eq!(quoted("a\nb\u{1b}[31m"), r#""a\nb\u{1b}[31m""#);
        assert_eq!(quoted("smtps://shipby:hunter2@mail.example.com"), "\"smtps://…@mail.example.com\"");
        assert_eq!(quoted(&"x".repeat(100)).chars().count(), 63);
    }
}

//! What is wrong with a configuration: all of it at once, each fault with its place and its mend.
//!
//! No message holds a secret or a line of the file: a mistyped password must not reach the log.

use std::fmt;
use std::path::{Path, PathBuf};

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

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.key.as_str() {
            "" => write!(f, "{}: {}", self.place, self.message),
            key => write!(f, "{} {key}: {}", self.place, self.message),
        }
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
        Self { problems: vec![Problem { place, key: String::new(), message }] }
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

/// `text` in quotes, as it may be shown: control characters escaped, long texts cut, what stands between
/// `://` and `@` (a user and perhaps a password) left out.
pub(super) fn quoted(text: &str) -> String {
    let shown = match text.split_once("://") {
        Some((scheme, rest)) if rest.contains('@') => {
            let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
            format!("{scheme}://…@{host}")
        }
        _ => text.to_owned(),
    };
    let cut: String = shown.chars().take(60).collect();
    let more = if cut.len() < shown.len() { "…" } else { "" };
    format!("\"{}{more}\"", plain(&cut))
}

/// `text` on one line, whatever it holds.
pub(super) fn plain(text: &str) -> String {
    let escape = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    text.chars().map(escape).collect()
}

/// The candidate that `word` was most likely meant to be; None if none is near.
pub(super) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let limit = (word.chars().count() / 3).clamp(1, 4);
    candidates
        .into_iter()
        .map(|candidate| (distance(&word, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// `; did you mean "x"?`, or nothing.
pub(super) fn did_you_mean(candidate: Option<&str>) -> String {
    candidate.map_or_else(String::new, |candidate| format!("; did you mean \"{candidate}\"?"))
}

/// Edits between two words: letters put in, left out, changed, or two neighbours swapped.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().take(64).collect();
    let b: Vec<char> = b.chars().take(64).collect();
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let changed = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = changed.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_found_and_a_far_one_is_not() {
        let words = ["concurrency", "mode", "rate", "retry"];
        assert_eq!(nearest("concurency", words), Some("concurrency"));
        assert_eq!(nearest("mdoe", words), Some("mode"));
        assert_eq!(nearest("blast_limit", words), None);
        assert_eq!(nearest("", words), None);
    }

    #[test]
    fn what_is_shown_is_one_line_and_holds_no_password() {
        assert_eq!(quoted("a\nb\u{1b}[31m"), r#""a\nb\u{1b}[31m""#);
        assert_eq!(quoted("smtps://shipby:hunter2@mail.example.com"), "\"smtps://…@mail.example.com\"");
        assert_eq!(quoted(&"x".repeat(100)).chars().count(), 63);
    }
}

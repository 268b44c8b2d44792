//! What a file of a set is for: its language, its kind and its part, read from its name.
//!
//! `date_slip/body.txt` belongs to every language that has no folder of its own; `de/date_slip/body.txt` to German.

use std::collections::BTreeSet;

use super::files::Files;
use crate::domain::notice::NoticeKind;

/// The language of the files that stand in no language's folder.
pub(super) const DEFAULT_LANGUAGE: &str = "en";

/// What a file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place<'a> {
    pub language: &'a str,
    /// None for a shared part.
    pub kind: Option<NoticeKind>,
    /// `subject.txt`, `body.html`, `base.txt` …
    pub part: &'a str,
}

impl<'a> Place<'a> {
    /// What `file` is for.
    pub fn of(file: &'a str) -> Self {
        let (folder, part) = file.rsplit_once('/').unwrap_or(("", file));
        let (language, kind) = match folder.split_once('/') {
            Some((language, kind)) => (language, NoticeKind::from_word(kind)),
            None if folder.is_empty() => (DEFAULT_LANGUAGE, None),
            None => match NoticeKind::from_word(folder) {
                Some(kind) => (DEFAULT_LANGUAGE, Some(kind)),
                None => (folder, None),
            },
        };
        Self { language, kind, part }
    }
}

/// The file that a mail of `kind` in `language` takes its `part` from: the language's own, else the one for all.
pub(super) fn file_of(files: &Files, language: &str, kind: NoticeKind, part: &str) -> String {
    let own = format!("{language}/{kind}/{part}");
    if files.contains_key(&own) { own } else { format!("{kind}/{part}") }
}

/// The languages that a set has mails in.
pub(super) fn languages(files: &Files) -> Vec<String> {
    let mut found: BTreeSet<&str> = files.keys().map(|file| Place::of(file).language).collect();
    found.insert(DEFAULT_LANGUAGE);
    found.into_iter().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_language_kind_and_part() {
        let of = |file| {
            let Place { language, kind, part } = Place::of(file);
            (language, kind.map(NoticeKind::as_str), part)
        };
        assert_eq!(of("base.txt"), ("en", None, "base.txt"));
        assert_eq!(of("restock/body.html"), ("en", Some("restock"), "body.html"));
        assert_eq!(of("de/base.html"), ("de", None, "base.html"));
        assert_eq!(of("pt-BR/restock/subject.txt"), ("pt-BR", Some("restock"), "subject.txt"));
    }

    #[test]
    fn a_language_without_a_file_of_its_own_takes_the_one_for_all() {
        let files: Files = ["de/restock/body.txt", "restock/body.txt", "overdue/body.txt"]
            .map(|name| (name.to_owned(), String::new()))
            .into();
        assert_eq!(languages(&files), ["de", "en"]);
        assert_eq!(file_of(&files, "de", NoticeKind::Restock, "body.txt"), "de/restock/body.txt");
        assert_eq!(file_of(&files, "de", NoticeKind::Overdue, "body.txt"), "overdue/body.txt");
    }
}

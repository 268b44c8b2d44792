//! What a file of a set is for: its language, its kind and its part, read from its name.
//!
//! `date_slip/body.txt` belongs to every language that has no folder of its own; `de/date_slip/body.txt` to German.

use super::language::ROOT;
use crate::domain::notice::NoticeKind;

/// What a file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TemplatePath<'a> {
    pub language: &'a str,
    /// None for a shared part.
    pub kind: Option<NoticeKind>,
    /// `subject.txt`, `body.html`, `base.txt` …
    pub part: &'a str,
}

impl<'a> TemplatePath<'a> {
    /// What `file` is for.
    pub fn of(file: &'a str) -> Self {
        let (folder, part) = file.rsplit_once('/').unwrap_or(("", file));
        let (language, kind) = match folder.split_once('/') {
            Some((language, kind)) => (language, NoticeKind::from_word(kind)),
            None if folder.is_empty() => (ROOT, None),
            None => match NoticeKind::from_word(folder) {
                Some(kind) => (ROOT, Some(kind)),
                None => (folder, None),
            },
        };
        Self { language, kind, part }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_language_kind_and_part() {
        let of = |file| {
            let TemplatePath { language, kind, part } = TemplatePath::of(file);
            (language, kind.map(NoticeKind::as_str), part)
        };
        assert_eq!(of("base.txt"), ("en", None, "base.txt"));
        assert_eq!(of("restock/body.html"), ("en", Some("restock"), "body.html"));
        assert_eq!(of("de/base.html"), ("de", None, "base.html"));
        assert_eq!(of("pt-BR/restock/subject.txt"), ("pt-BR", Some("restock"), "subject.txt"));
    }
}

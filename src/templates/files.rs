//! The files of a set: those compiled in, and those of a folder. Names are confined to the folder.
//!
//! `base.txt`, `base.html`, and per kind `subject.txt`, `body.txt` and `body.html` (none for `update_48h`).

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use super::error::{TemplateError, unknown};
use crate::domain::notice::NoticeKind;

/// The longest file that is read: 1 MiB.
pub const MAX_FILE: u64 = 1 << 20;

/// Path below the folder (with `/`) and text.
pub type Files = BTreeMap<String, String>;

macro_rules! table {
    ($($name:literal),+ $(,)?) => {
        &[$(($name, include_str!(concat!("../../templates/", $name)))),+]
    };
}

/// The default set, one entry per file.
pub const COMPILED_IN: &[(&str, &str)] = table![
    "base.html",
    "base.txt",
    "cancelled/body.html",
    "cancelled/body.txt",
    "cancelled/subject.txt",
    "confirmation/body.html",
    "confirmation/body.txt",
    "confirmation/subject.txt",
    "date_improved/body.html",
    "date_improved/body.txt",
    "date_improved/subject.txt",
    "date_slip/body.html",
    "date_slip/body.txt",
    "date_slip/subject.txt",
    "overdue/body.html",
    "overdue/body.txt",
    "overdue/subject.txt",
    "refunded/body.html",
    "refunded/body.txt",
    "refunded/subject.txt",
    "restock/body.html",
    "restock/body.txt",
    "restock/subject.txt",
    "shipped/body.html",
    "shipped/body.txt",
    "shipped/subject.txt",
    "update_48h/body.txt",
    "update_48h/subject.txt",
    "weekly_status/body.html",
    "weekly_status/body.txt",
    "weekly_status/subject.txt",
];

/// The default set.
pub(super) fn compiled_in() -> Files {
    COMPILED_IN.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

/// Whether mails of `kind` have an html part: all but the short plain update.
pub fn has_html(kind: NoticeKind) -> bool {
    kind != NoticeKind::Update48h
}

/// The files a kind has.
fn parts_of(kind: NoticeKind) -> &'static [&'static str] {
    if has_html(kind) { &["subject.txt", "body.txt", "body.html"] } else { &["subject.txt", "body.txt"] }
}

/// The files that the set lacks: every kind has all its parts.
pub(super) fn missing(files: &Files) -> Vec<String> {
    let of_kind = |kind: &NoticeKind| {
        parts_of(*kind).iter().map(move |part| format!("{kind}/{part}")).collect::<Vec<_>>()
    };
    let required = NoticeKind::ALL.iter().flat_map(of_kind);
    required.filter(|name| !files.contains_key(name)).collect()
}

/// What stands in a folder: the files that can be read, and what is wrong with the others.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub files: Files,
    pub faults: Vec<TemplateError>,
}

/// Reads a set from `dir`. `README.md` and names that begin with a dot are passed over; anything else unknown is
/// a fault, told with the nearest known name.
pub(super) fn read(dir: &Path) -> Found {
    let mut found = Found::default();
    for name in found.names_in(dir, "") {
        let path = dir.join(&name);
        if name == "base.txt" || name == "base.html" {
            found.take(&path, name);
        } else if is_folder(&path) {
            found.take_folder(&path, &name);
        } else {
            let known = NoticeKind::ALL.iter().map(|kind| kind.as_str()).chain(["base.txt", "base.html"]);
            found.faults.push(TemplateError::whole(&name, unknown("is not a template", &name, known)));
        }
    }
    found
}

/// A link is no folder: it could lead elsewhere.
fn is_folder(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|meta| meta.is_dir())
}

impl Found {
    /// The parts of one kind.
    fn take_folder(&mut self, path: &Path, folder: &str) {
        let Some(kind) = NoticeKind::from_word(folder) else {
            let known = NoticeKind::ALL.iter().map(|kind| kind.as_str());
            let said = unknown("is not a kind of notice", folder, known);
            self.faults.push(TemplateError::whole(folder, said));
            return;
        };
        let known = parts_of(kind);
        for part in self.names_in(path, folder) {
            let file = format!("{folder}/{part}");
            if known.contains(&part.as_str()) {
                self.take(&path.join(&part), file);
                continue;
            }
            let said = if part == "body.html" { "this kind is plain text only" } else { "is not a template" };
            self.faults.push(TemplateError::whole(&file, unknown(said, &part, known.iter().copied())));
        }
    }

    fn take(&mut self, path: &Path, name: String) {
        match read_file(path, &name) {
            Ok(text) => {
                self.files.insert(name, text);
            }
            Err(fault) => self.faults.push(fault),
        }
    }

    /// The names in a folder, in order.
    fn names_in(&mut self, dir: &Path, shown: &str) -> Vec<String> {
        let shown = if shown.is_empty() { "." } else { shown };
        let mut names = Vec::new();
        let entries = std::fs::read_dir(dir).and_then(Iterator::collect::<std::io::Result<Vec<_>>>);
        for entry in entries.unwrap_or_else(|error| {
            self.faults.push(unreadable(shown, &error));
            Vec::new()
        }) {
            match entry.file_name().into_string() {
                Ok(name) if name.starts_with('.') || name == "README.md" => {}
                Ok(name) => names.push(name),
                Err(name) => {
                    let said = "the name is not valid UTF-8";
                    self.faults.push(TemplateError::whole(name.to_string_lossy(), said));
                }
            }
        }
        names.sort();
        names
    }
}

/// A plain file of at most [`MAX_FILE`] octets of UTF-8. A link is not followed: it could lead out of the folder.
fn read_file(path: &Path, name: &str) -> Result<String, TemplateError> {
    let meta = std::fs::symlink_metadata(path).map_err(|e| unreadable(name, &e))?;
    if !meta.is_file() {
        let what = if meta.is_symlink() { "is a link; put the file itself here" } else { "is not a file" };
        return Err(TemplateError::whole(name, what));
    }
    let file = std::fs::File::open(path).map_err(|e| unreadable(name, &e))?;
    let mut bytes = Vec::new();
    // One octet more than allowed, so that a file that grows meanwhile is noticed too.
    file.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(|e| unreadable(name, &e))?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(TemplateError::whole(name, "is longer than 1 MiB"));
    }
    let text = String::from_utf8(bytes).map_err(|fault| {
        let valid = &fault.as_bytes()[..fault.utf8_error().valid_up_to()];
        let line = valid.iter().filter(|byte| **byte == b'\n').count() + 1;
        let column = valid.iter().rev().take_while(|byte| **byte != b'\n').count() + 1;
        TemplateError { file: name.to_owned(), line, column, message: "is not valid UTF-8".to_owned() }
    })?;
    Ok(plain(&text))
}

/// Some editors begin a file with a mark and end lines with CRLF; neither belongs into a mail.
fn plain(text: &str) -> String {
    text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n")
}

fn unreadable(name: &str, error: &std::io::Error) -> TemplateError {
    TemplateError::whole(name, format!("cannot be read: {error}"))
}

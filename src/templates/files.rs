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
pub(super) type Files = BTreeMap<String, String>;

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

/// Whether mails of `kind` have an html part: all but the short plain update.
pub fn has_html(kind: NoticeKind) -> bool {
    kind != NoticeKind::Update48h
}

/// The files a kind has.
fn parts_of(kind: NoticeKind) -> &'static [&'static str] {
    if has_html(kind) { &["subject.txt", "body.txt", "body.html"] } else { &["subject.txt", "body.txt"] }
}

/// The files every set must have.
pub(super) fn required() -> impl Iterator<Item = String> {
    let of_kind = |kind: &NoticeKind| {
        parts_of(*kind).iter().map(move |part| format!("{kind}/{part}")).collect::<Vec<_>>()
    };
    NoticeKind::ALL.iter().flat_map(of_kind)
}

/// Reads a set from `dir`. `README.md` and names that begin with a dot are passed over; anything else unknown is
/// refused with the nearest known name.
pub(super) fn read(dir: &Path) -> Result<Files, TemplateError> {
    let mut files = Files::new();
    for name in names_in(dir, "")? {
        if name == "base.txt" || name == "base.html" {
            files.insert(name.clone(), read_file(&dir.join(&name), &name)?);
            continue;
        }
        let path = dir.join(&name);
        let is_folder = std::fs::symlink_metadata(&path).map_err(|e| unreadable(&name, &e))?.is_dir();
        let Some(kind) = NoticeKind::from_word(&name).filter(|_| is_folder) else {
            let known = NoticeKind::ALL.iter().map(|kind| kind.as_str()).chain(["base.txt", "base.html"]);
            let said = if is_folder { "is not a kind of notice" } else { "is not a template" };
            return Err(TemplateError::whole(&name, unknown(said, &name, known)));
        };
        for part in names_in(&path, &name)? {
            let file = format!("{name}/{part}");
            let known = parts_of(kind);
            if !known.contains(&part.as_str()) {
                let said =
                    if part == "body.html" { "this kind is plain text only" } else { "is not a template" };
                return Err(TemplateError::whole(&file, unknown(said, &part, known.iter().copied())));
            }
            files.insert(file.clone(), read_file(&path.join(&part), &file)?);
        }
    }
    Ok(files)
}

/// The names in a folder, in order.
fn names_in(dir: &Path, shown: &str) -> Result<Vec<String>, TemplateError> {
    let shown = if shown.is_empty() { "." } else { shown };
    let mut names = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(|e| unreadable(shown, &e))? {
        let name = entry.map_err(|e| unreadable(shown, &e))?.file_name();
        let name = name
            .into_string()
            .map_err(|name| TemplateError::whole(name.to_string_lossy(), "the name is not valid UTF-8"))?;
        if !name.starts_with('.') && name != "README.md" {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
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
    String::from_utf8(bytes).map_err(|fault| {
        let valid = &fault.as_bytes()[..fault.utf8_error().valid_up_to()];
        let line = valid.iter().filter(|byte| **byte == b'\n').count() + 1;
        let column = valid.iter().rev().take_while(|byte| **byte != b'\n').count() + 1;
        TemplateError { file: name.to_owned(), line, column, message: "is not valid UTF-8".to_owned() }
    })
}

fn unreadable(name: &str, error: &std::io::Error) -> TemplateError {
    TemplateError::whole(name, format!("cannot be read: {error}"))
}

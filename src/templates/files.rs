//! The files of a set: those compiled in, and those of a folder. Names are confined to the folder.
//!
//! At the top the frames `base.txt` and `base.html`, and English: `language.toml`, `say.txt`, and per kind
//! `subject.txt` and `body.txt`. Another language is a folder with the same files (`de/say.txt`,
//! `de/date_slip/body.txt`). The html part is the sentences of `body.txt` in the frame `base.html`; a `body.html`
//! beside it takes their place.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::Path;

use super::error::{TemplateError, unknown};
use super::language::{ROOT, is_tag};
use crate::domain::notice::NoticeKind;

/// The longest file that is read: 1 MiB.
pub const MAX_FILE: u64 = 1 << 20;

/// Path below the folder (with `/`) and text.
pub(super) type Files = BTreeMap<String, String>;

/// The files that all kinds share.
pub(super) const SHARED: &[&str] = &["base.html", "base.txt", "language.toml", "say.txt"];

/// Those of them that speak: a language must have its own.
pub(super) const SPOKEN: &[&str] = &["language.toml", "say.txt"];

/// A compiled-in file: its name and its text.
type File = (&'static str, &'static str);

macro_rules! files {
    ($folder:literal: $($name:literal),+ $(,)?) => {
        &[$((concat!($folder, $name), include_str!(concat!("../../templates/", $folder, $name)))),+]
    };
}

/// All that makes a language.
macro_rules! language {
    ($folder:literal) => {
        files![
            $folder:
            "language.toml",
            "say.txt",
            "cancelled/body.txt",
            "cancelled/subject.txt",
            "confirmation/body.txt",
            "confirmation/subject.txt",
            "date_improved/body.txt",
            "date_improved/subject.txt",
            "date_slip/body.txt",
            "date_slip/subject.txt",
            "overdue/body.txt",
            "overdue/subject.txt",
            "refunded/body.txt",
            "refunded/subject.txt",
            "restock/body.txt",
            "restock/subject.txt",
            "shipped/body.txt",
            "shipped/subject.txt",
            "update_48h/body.txt",
            "update_48h/subject.txt",
            "weekly_status/body.txt",
            "weekly_status/subject.txt",
        ]
    };
}

/// A line for each language that is compiled in.
const PARTS: &[&[File]] = &[
    files!["": "base.html", "base.txt"],
    language!(""),
    language!("de/"),
    language!("es/"),
    language!("fr/"),
];

/// The default set, one entry per file.
pub const COMPILED_IN: &[File] = &joined::<{ count(PARTS) }>(PARTS);

const fn count(parts: &[&[File]]) -> usize {
    let (mut part, mut sum) = (0, 0);
    while part < parts.len() {
        sum += parts[part].len();
        part += 1;
    }
    sum
}

const fn joined<const N: usize>(parts: &[&[File]]) -> [File; N] {
    let mut all = [("", ""); N];
    let (mut part, mut at, mut to) = (0, 0, 0);
    while part < parts.len() {
        if at == parts[part].len() {
            (part, at) = (part + 1, 0);
            continue;
        }
        all[to] = parts[part][at];
        (at, to) = (at + 1, to + 1);
    }
    all
}

/// Whether mails of `kind` have an html part: all but the short plain update.
pub fn has_html(kind: NoticeKind) -> bool {
    kind != NoticeKind::Update48h
}

/// The files a kind can have.
fn parts_of(kind: NoticeKind) -> &'static [&'static str] {
    if has_html(kind) { &["subject.txt", "body.txt", "body.html"] } else { &["subject.txt", "body.txt"] }
}

/// The names of a kind's files and the files of `folder` (empty or `de/`) behind them.
pub(super) fn of_kind(
    files: &Files,
    folder: &str,
    kind: NoticeKind,
) -> Result<Vec<(String, String)>, TemplateError> {
    let own = |part: &str| (format!("{kind}/{part}"), format!("{folder}{kind}/{part}"));
    let (body, html) = (own("body.txt"), own("body.html"));
    let mut found = vec![own("subject.txt"), body.clone()];
    if let Some((_, missing)) = found.iter().find(|(_, file)| !files.contains_key(file)) {
        return Err(TemplateError::whole(missing, "is missing"));
    }
    if files.contains_key(&html.1) {
        found.push(html);
    } else if has_html(kind) && files.get(&body.1).is_some_and(|text| text.contains(FRAMED)) {
        found.push((html.0, body.1));
    }
    Ok(found)
}

/// How a `body.txt` says that it stands in the frame; one that does not goes out as plain text alone.
const FRAMED: &str = "extends \"base.txt\"";

/// The sentences of a `body.txt` in the html frame.
pub(super) fn in_html(body: &str) -> String {
    body.replacen(FRAMED, "extends \"base.html\"", 1)
}

/// The languages that `files` hold beside English.
pub(super) fn languages(files: &Files) -> BTreeSet<&str> {
    let folders = files.keys().filter_map(|file| file.split_once('/')).map(|(folder, _)| folder);
    folders.filter(|folder| is_tag(folder)).collect()
}

/// Reads a set from `dir`. `README.md` and names that begin with a dot are passed over; anything else unknown is
/// refused with the nearest known name.
pub(super) fn read(dir: &Path) -> Result<Files, TemplateError> {
    let mut files = Files::new();
    read_language(dir, "", &mut files)?;
    Ok(files)
}

/// Reads what stands at the top (`prefix` is empty) or in a language's folder (`de/`).
fn read_language(dir: &Path, prefix: &str, files: &mut Files) -> Result<(), TemplateError> {
    for name in names_in(dir, prefix.trim_end_matches('/'))? {
        let (path, file) = (dir.join(&name), format!("{prefix}{name}"));
        if SHARED.contains(&name.as_str()) {
            files.insert(file.clone(), read_file(&path, &file)?);
            continue;
        }
        let is_folder = std::fs::symlink_metadata(&path).map_err(|e| unreadable(&file, &e))?.is_dir();
        if is_folder && prefix.is_empty() && is_tag(&name) {
            if name == ROOT {
                return Err(TemplateError::whole(
                    &name,
                    "English stands at the top, not in a folder of its own",
                ));
            }
            read_language(&path, &format!("{name}/"), files)?;
            continue;
        }
        let Some(kind) = NoticeKind::from_word(&name).filter(|_| is_folder) else {
            let known = NoticeKind::ALL.iter().map(|kind| kind.as_str()).chain(SHARED.iter().copied());
            let said = if is_folder { "is not a kind of notice" } else { "is not a template" };
            return Err(TemplateError::whole(&file, unknown(said, &name, known)));
        };
        read_kind(&path, &file, kind, files)?;
    }
    Ok(())
}

fn read_kind(dir: &Path, name: &str, kind: NoticeKind, files: &mut Files) -> Result<(), TemplateError> {
    for part in names_in(dir, name)? {
        let file = format!("{name}/{part}");
        let known = parts_of(kind);
        if !known.contains(&part.as_str()) {
            let said = if part == "body.html" { "this kind is plain text only" } else { "is not a template" };
            return Err(TemplateError::whole(&file, unknown(said, &part, known.iter().copied())));
        }
        files.insert(file.clone(), read_file(&dir.join(&part), &file)?);
    }
    Ok(())
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

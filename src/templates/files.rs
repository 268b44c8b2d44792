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
use super::language::{ROOT, is_tag, lineage};
use crate::domain::notice::NoticeKind;

/// The longest file that is read: 1 MiB.
pub const MAX_FILE: u64 = 1 << 20;

/// Path below the folder (with `/`) and text.
pub type Files = BTreeMap<String, String>;

/// The files that all kinds share.
pub(super) const SHARED: &[&str] = &["base.html", "base.txt", "language.toml", "say.txt"];

/// Those of them that speak: a language must have its own.
pub(super) const SPOKEN: &[&str] = &["language.toml", "say.txt"];

/// The default set, one entry per file: name and text, listed from the folder by build.rs.
pub const COMPILED_IN: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/templates.rs"));

/// Whether mails of `kind` have an html part: all but the short plain update.
pub fn has_html(kind: NoticeKind) -> bool {
    !kind.rules().is_plain
}

/// The files a kind can have.
fn parts_of(kind: NoticeKind) -> &'static [&'static str] {
    if has_html(kind) { &["subject.txt", "body.txt", "body.html"] } else { &["subject.txt", "body.txt"] }
}

/// The default set.
pub(super) fn compiled_in() -> Files {
    COMPILED_IN.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

/// Where a language takes its files from: its own folder, then those of what it is a kind of (`de-AT/`, `de/`).
fn folders(tag: &str) -> Vec<String> {
    lineage(tag).map(|tag| if tag == ROOT { String::new() } else { format!("{tag}/") }).collect()
}

/// What a language is written with: the file behind each name, names being those of the root; and what it lacks.
pub(super) fn of_language(tag: &str, files: &Files) -> (BTreeMap<String, String>, Vec<String>) {
    let folders = folders(tag);
    let own = folders.first().map_or("", String::as_str);
    let (mut found, mut missing) = (BTreeMap::new(), Vec::new());
    for name in SHARED {
        // A frame holds no sentence: what has none of its own stands in that of the root.
        let root = (!SPOKEN.contains(name)).then_some("");
        let mut places =
            folders.iter().map(String::as_str).chain(root).map(|folder| format!("{folder}{name}"));
        match places.find(|file| files.contains_key(file)) {
            Some(file) => _ = found.insert((*name).to_owned(), file),
            None => missing.push(format!("{own}{name}")),
        }
    }
    for kind in NoticeKind::ALL {
        let has = |folder: &&String| files.keys().any(|file| file.starts_with(&format!("{folder}{kind}/")));
        let all_kinds = folders.first().filter(|_| tag == ROOT);
        let Some(folder) = folders.iter().find(has).or(all_kinds) else { continue };
        let part = |part: &str| (format!("{kind}/{part}"), format!("{folder}{kind}/{part}"));
        let (body, html) = (part("body.txt"), part("body.html"));
        if has_html(*kind) && files.contains_key(&html.1) {
            found.insert(html.0, html.1);
        } else if has_html(*kind) && files.get(&body.1).is_some_and(|text| is_framed(text)) {
            found.insert(html.0, body.1.clone());
        }
        for (name, file) in [part("subject.txt"), body] {
            if !files.contains_key(&file) {
                missing.push(file.clone());
            }
            found.insert(name, file);
        }
    }
    (found, missing)
}

/// The files that a set lacks: a language has all that is spoken, and a kind all its parts.
pub(super) fn missing(files: &Files) -> Vec<String> {
    let tags = std::iter::once(ROOT).chain(languages(files));
    tags.flat_map(|tag| of_language(tag, files).1).collect()
}

/// How a `body.txt` says that it stands in the frame; one that does not goes out as plain text alone.
const FRAMED: &str = "extends \"base.txt\"";

/// Whether a `body.txt` stands in the frame, and so in the html frame too.
pub(super) fn is_framed(body: &str) -> bool {
    body.contains(FRAMED)
}

/// The sentences of a `body.txt` in the html frame.
pub(super) fn in_html(body: &str) -> String {
    body.replacen(FRAMED, "extends \"base.html\"", 1)
}

/// The languages that `files` hold beside English.
pub(super) fn languages(files: &Files) -> BTreeSet<&str> {
    let folders = files.keys().filter_map(|file| file.split_once('/')).map(|(folder, _)| folder);
    folders.filter(|folder| is_tag(folder)).collect()
}

/// What stands in a folder: the files that can be read, and what is wrong with the others.
#[derive(Debug, Default)]
pub(super) struct FolderFiles {
    pub files: Files,
    pub faults: Vec<TemplateError>,
}

/// Reads a set from `dir`. `README.md` and names that begin with a dot are passed over; anything else unknown is
/// a fault, told with the nearest known name.
pub(super) fn read(dir: &Path) -> FolderFiles {
    let mut found = FolderFiles::default();
    found.take_language(dir, "");
    found
}

/// A link is no folder: it could lead elsewhere.
fn is_folder(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|meta| meta.is_dir())
}

impl FolderFiles {
    /// What stands at the top (`prefix` is empty) or in a language's folder (`de/`).
    fn take_language(&mut self, dir: &Path, prefix: &str) {
        for name in self.names_in(dir, prefix.trim_end_matches('/')) {
            let (path, file) = (dir.join(&name), format!("{prefix}{name}"));
            if SHARED.contains(&name.as_str()) {
                self.take(&path, file);
            } else if !is_folder(&path) {
                self.stranger(&file, "is not a template", &name);
            } else if let Some(kind) = NoticeKind::from_word(&name) {
                self.take_kind(&path, &file, kind);
            } else if !prefix.is_empty() || !is_tag(&name) {
                self.stranger(&file, "is not a kind of notice", &name);
            } else if name == ROOT {
                let said = "English stands at the top, not in a folder of its own";
                self.faults.push(TemplateError::whole(&file, said));
            } else {
                self.take_language(&path, &format!("{name}/"));
            }
        }
    }

    fn stranger(&mut self, file: &str, said: &str, name: &str) {
        let known = NoticeKind::ALL.iter().map(|kind| kind.as_str()).chain(SHARED.iter().copied());
        self.faults.push(TemplateError::whole(file, unknown(said, name, known)));
    }

    /// The parts of one kind.
    fn take_kind(&mut self, path: &Path, folder: &str, kind: NoticeKind) {
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
        let valid = String::from_utf8_lossy(&fault.as_bytes()[..fault.utf8_error().valid_up_to()]);
        TemplateError::at(name, &valid, valid.len(), "is not valid UTF-8")
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

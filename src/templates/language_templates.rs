//! One language's templates, ready to render: the frame and the sentences of the root, with what the language has of
//! its own laid over them.
//!
//! A kind is taken as a whole: either all of its files are the language's or the language does not have it. So a
//! German subject never tops an English body. Names inside a language are those of the root (`base.html`).

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::Arc;

use tera::{Context, ErrorKind, Tera};

use super::error::TemplateError;
use super::files::{self, Files};
use super::filters;
use super::language::Language;
use crate::domain::notice::NoticeKind;

/// The longest part of a mail: 1 MiB. A template that loops without end stops there.
pub const MAX_RENDERED: usize = 1 << 20;

/// What a part has room for before it must grow; few are longer.
const USUAL: usize = 16 << 10;

/// One language's templates.
pub(super) struct LanguageTemplates {
    pub language: Arc<Language>,
    tera: Tera,
    /// The file behind each name.
    sources: BTreeMap<String, String>,
}

impl LanguageTemplates {
    /// What `files` hold for the language `tag`, its own before that of what it is a kind of.
    pub fn of(tag: &str, files: &Files) -> Result<Self, TemplateError> {
        let (sources, missing) = files::of_language(tag, files);
        if let Some(missing) = missing.first() {
            return Err(TemplateError::whole(missing, "is missing"));
        }
        Self::parse(tag, files, sources)
    }

    fn parse(tag: &str, files: &Files, sources: BTreeMap<String, String>) -> Result<Self, TemplateError> {
        let text = |file: &str| files.get(file).map(String::as_str).unwrap_or_default();
        let words = sources.get("language.toml").map(String::as_str).unwrap_or_default();
        let language = Arc::new(Language::parse(tag, words, text(words))?);
        let mut tera = Tera::new();
        filters::register(&mut tera, &language);
        let templates = sources.iter().filter(|(name, _)| *name != "language.toml").map(|(name, file)| {
            let framed = name.ends_with(".html") && file.ends_with(".txt");
            (name.as_str(), if framed { files::in_html(text(file)) } else { text(file).to_owned() })
        });
        let added = tera.add_raw_templates(templates);
        added.map_err(|error| located(&sources, TemplateError::of("base.txt", &error)))?;
        Ok(Self { language, tera, sources })
    }

    /// Whether it has mails of `kind`.
    pub fn has(&self, kind: NoticeKind) -> bool {
        self.sources.contains_key(&format!("{kind}/subject.txt"))
    }

    /// The file behind a name: `date_slip/body.txt`, or `say.txt`.
    pub fn source(&self, name: &str) -> Option<&str> {
        self.sources.get(name).map(String::as_str)
    }

    /// Whether its mails of `kind` have an html part.
    pub fn has_html(&self, kind: NoticeKind) -> bool {
        self.sources.contains_key(&format!("{kind}/body.html"))
    }

    /// The file `name`, rendered; at most [`MAX_RENDERED`] octets.
    pub fn render(&self, name: &str, variables: &Context) -> Result<String, TemplateError> {
        let mut out = Capped(Vec::with_capacity(USUAL));
        self.tera.render_to(name, variables, &mut out).map_err(|error| {
            self.located(match error.kind() {
                ErrorKind::Io(_) => TemplateError::whole(name, "renders to more than 1 MiB"),
                _ => TemplateError::of(name, &error),
            })
        })?;
        String::from_utf8(out.0)
            .map_err(|_| self.located(TemplateError::whole(name, "renders to what is not UTF-8")))
    }

    /// `error` with the file that ops see in place of the name inside the language.
    pub fn located(&self, error: TemplateError) -> TemplateError {
        located(&self.sources, error)
    }
}

fn located(sources: &BTreeMap<String, String>, mut error: TemplateError) -> TemplateError {
    if let Some(file) = sources.get(&error.file) {
        error.file.clone_from(file);
    }
    error
}

/// A fault of the grammar of one file, whatever the others hold.
pub(super) fn syntax_fault(file: &str, text: &str) -> Option<TemplateError> {
    let error = Tera::new().add_raw_template(file, text).err()?;
    matches!(error.kind(), ErrorKind::SyntaxError(_)).then(|| TemplateError::of(file, &error))
}

/// Takes [`MAX_RENDERED`] octets and fails at the next.
struct Capped(Vec<u8>);

impl Write for Capped {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > MAX_RENDERED {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    // As each write takes all or fails.
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write(bytes).map(|_| ())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

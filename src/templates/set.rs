//! A set of templates: parsed as a whole or not at all, and rendered into mails.
//!
//! What goes out is written with a set that `lint` passed; a draft is only looked at.

use std::path::Path;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use tera::value::Key;
use tera::{Context, TeraResult, Value};

use super::context::{MailContext, Shop};
use super::error::TemplateError;
use super::files::{self, Files};
use super::language::{Language, ROOT, lineage};
use super::language_templates::LanguageTemplates;
use super::samples;
use crate::domain::notice::NoticeKind;

/// The longest subject, in characters.
pub const MAX_SUBJECT: usize = 150;

/// A mail's text, without headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// One line, not empty.
    pub subject: String,
    pub text: String,
    /// None for a kind that is plain text only.
    pub html: Option<String>,
}

/// A set of templates that can be rendered. Cheap to share behind an `Arc`, slow to make.
pub struct TemplateSet {
    /// English first of all: what another language does not have is said in it.
    root: LanguageTemplates,
    others: Vec<LanguageTemplates>,
    files: Files,
    hash: String,
}

impl std::fmt::Debug for TemplateSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TemplateSet").field("hash", &self.hash).finish_non_exhaustive()
    }
}

impl TemplateSet {
    /// The default set. It is tested to pass, so that an error here is a fault of the build.
    pub fn compiled_in() -> Result<Self, TemplateError> {
        Self::parse(files::compiled_in())
    }

    /// The set of these files. Only their grammar is looked at: whether they can be used is for `lint` to say.
    pub fn parse(files: Files) -> Result<Self, TemplateError> {
        let root = LanguageTemplates::of(ROOT, &files)?;
        let others = files::languages(&files).into_iter().map(|tag| LanguageTemplates::of(tag, &files));
        let others = others.collect::<Result<_, _>>()?;
        let hash = hash(&files);
        Ok(Self { root, others, files, hash })
    }

    /// The set in `dir` as it stands, not checked: for looking at what is being edited.
    pub fn draft(dir: &Path) -> Result<Self, TemplateError> {
        let found = files::read(dir);
        match found.faults.into_iter().next() {
            Some(fault) => Err(fault),
            None => Self::parse(found.files),
        }
    }

    /// Its files, by their paths below the folder.
    pub fn files(&self) -> &Files {
        &self.files
    }

    /// SHA-256 of all files, in hex: what tells one set from another.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// The languages that mails can be written in, English first.
    pub fn languages(&self) -> impl Iterator<Item = &Arc<Language>> {
        self.all().map(|templates| &templates.language)
    }

    /// The language for a mail of `kind`: the customer's (`de-AT`, else `de`), else the shop's, else English. One that
    /// has no mails of `kind` is passed over, so that a mail is of one piece.
    pub fn language(&self, kind: NoticeKind, customer: Option<&str>, shop: &str) -> &Arc<Language> {
        let mut wanted = customer.into_iter().chain([shop]).flat_map(lineage);
        let templates = wanted.find_map(|tag| self.templates_of(tag, kind));
        &templates.unwrap_or(&self.root).language
    }

    /// The mail for `mail`, by the templates of its kind in its language.
    pub fn render(&self, mail: &MailContext) -> Result<Rendered, TemplateError> {
        let kind = NoticeKind::from_word(&mail.kind)
            .ok_or_else(|| TemplateError::whole(&mail.kind, "is not a kind of notice"))?;
        let tag = &mail.language.tag;
        let templates = self
            .templates_of(tag, kind)
            .ok_or_else(|| TemplateError::whole(format!("{tag}/{kind}"), "is not among the templates"))?;
        let variables = variables(mail).map_err(|e| TemplateError::of(kind.as_str(), &e))?;
        let part = |part: &str| templates.render(&format!("{kind}/{part}"), &variables);
        let subject = part("subject.txt")?;
        let subject = one_line(&subject);
        if subject.is_empty() {
            let fault = TemplateError::whole(format!("{kind}/subject.txt"), "renders to nothing");
            return Err(templates.located(fault));
        }
        let text = tidy(&part("body.txt")?);
        let html = if templates.has_html(kind) { Some(tidy(&part("body.html")?)) } else { None };
        Ok(Rendered { subject, text, html })
    }

    /// One mail of every kind in the shop's language, as this set writes it to nobody.
    pub fn examples(&self, shop: &Shop) -> Vec<Rendered> {
        let samples = samples::samples();
        let example = |kind: &NoticeKind| {
            let sample = samples.iter().find(|sample| sample.notice.kind == *kind)?;
            self.render(&sample.mail(shop, self.language(*kind, None, &shop.locale))).ok()
        };
        NoticeKind::ALL.iter().filter_map(example).collect()
    }

    /// The templates for mails of `kind` in the language called `tag`, if there are any.
    pub(super) fn templates_of(&self, tag: &str, kind: NoticeKind) -> Option<&LanguageTemplates> {
        let templates = self.all().find(|templates| templates.language.tag.eq_ignore_ascii_case(tag));
        templates.filter(|templates| templates.has(kind))
    }

    fn all(&self) -> impl Iterator<Item = &LanguageTemplates> {
        std::iter::once(&self.root).chain(&self.others)
    }
}

/// What the templates see.
fn variables(mail: &MailContext) -> TeraResult<Context> {
    let mut variables = Context::new();
    for (name, value) in Value::try_from_serializable(mail)?.into_map().unwrap_or_default() {
        // As all fields of a struct are called; a copy of each name would cost more than the values.
        if let Key::Str(name) = name {
            variables.insert_value(name, value);
        }
    }
    Ok(variables)
}

/// The words of a text, a blank between them.
fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        line.push_str(if line.is_empty() { "" } else { " " });
        line.push_str(word);
    }
    line
}

/// Templates may be laid out for reading: trailing blanks go, runs of empty lines become one, the end is one newline.
fn tidy(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 1);
    let mut blank = true;
    let mut rest = text;
    while !rest.is_empty() {
        let (line, after) = rest.split_at(line_end(rest));
        rest = after.strip_prefix('\n').unwrap_or(after);
        let line = line.trim_end();
        if line.is_empty() && blank {
            continue;
        }
        blank = line.is_empty();
        out.push_str(line);
        out.push('\n');
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

/// Where the first line ends. In blocks, each looked at as a whole: a mail has hundreds of lines.
fn line_end(text: &str) -> usize {
    let (blocks, _) = text.as_bytes().as_chunks::<16>();
    let no_end = |block: &[u8; 16]| block.iter().fold(true, |none, byte| none & (*byte != b'\n'));
    let known = blocks.iter().take_while(|block| no_end(block)).count() * 16;
    text.as_bytes()[known..].iter().position(|byte| *byte == b'\n').map_or(text.len(), |at| known + at)
}

fn hash(files: &Files) -> String {
    let mut hasher = Sha256::new();
    for (name, text) in files {
        for part in [name, text] {
            hasher.update((part.len() as u64).to_be_bytes());
            hasher.update(part);
        }
    }
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_laid_out_for_reading_is_tidied() {
        assert_eq!(tidy("\n\na  \n\n \n\nb\n  c\n\n"), "a\n\nb\n  c\n");
        assert_eq!(tidy(""), "\n");
    }

    #[test]
    fn the_hash_tells_sets_apart_even_where_texts_move_between_files() {
        let files = |pairs: &[(&str, &str)]| -> Files {
            pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
        };
        assert_ne!(hash(&files(&[("a", "bc")])), hash(&files(&[("ab", "c")])));
        assert_eq!(hash(&Files::new()).len(), 64);
    }
}

//! A set of templates that passed: parsed, every name known, every kind rendered with every sample.
//!
//! A set is all or nothing: one that fails is never seen outside of this file, so what can be rendered can be sent.

use std::path::Path;
use std::sync::Arc;

use serde_json::Value;
use sha2::{Digest, Sha256};
use tera::Context;

use super::context::{MailContext, Shop, context};
use super::error::TemplateError;
use super::files::{self, Files};
use super::language::{Language, ROOT, lineage};
use super::names::Names;
use super::samples::{self, Sample};
use super::voice::Voice;
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
    root: Voice,
    others: Vec<Voice>,
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
        let owned = |(name, text): &(&str, &str)| ((*name).to_owned(), (*text).to_owned());
        Self::parse(&files::COMPILED_IN.iter().map(owned).collect())
    }

    /// The set in `dir`, checked as a whole.
    pub fn load(dir: &Path) -> Result<Self, TemplateError> {
        let files = files::read(dir)?;
        let set = Self::parse(&files)?;
        set.check(&files)?;
        Ok(set)
    }

    /// SHA-256 of all files, in hex: what tells one set from another.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// The languages that mails can be written in, English first.
    pub fn languages(&self) -> impl Iterator<Item = &Arc<Language>> {
        self.voices().map(|voice| &voice.language)
    }

    /// The language for a mail of `kind`: the customer's (`de-AT`, else `de`), else the shop's, else English. One that
    /// has no mails of `kind` is passed over, so that a mail is of one piece.
    pub fn language(&self, kind: NoticeKind, customer: Option<&str>, shop: &str) -> &Arc<Language> {
        let mut wanted = customer.into_iter().chain([shop]).flat_map(lineage);
        let voice = wanted.find_map(|tag| self.voice(tag).filter(|voice| voice.speaks_of(kind)));
        &voice.unwrap_or(&self.root).language
    }

    /// The mail for `mail`, by the templates of its kind in its language.
    pub fn render(&self, mail: &MailContext) -> Result<Rendered, TemplateError> {
        let kind = NoticeKind::from_word(&mail.kind)
            .ok_or_else(|| TemplateError::whole(&mail.kind, "is not a kind of notice"))?;
        let tag = &mail.language.tag;
        let voice = self
            .voice(tag)
            .filter(|voice| voice.speaks_of(kind))
            .ok_or_else(|| TemplateError::whole(format!("{tag}/{kind}"), "is not among the templates"))?;
        let variables = Context::from_serialize(mail).map_err(|e| TemplateError::of(kind.as_str(), &e))?;
        let part = |part: &str| voice.render(&format!("{kind}/{part}"), &variables);
        let subject = part("subject.txt")?;
        let subject = subject.split_whitespace().collect::<Vec<_>>().join(" ");
        if subject.is_empty() {
            let fault = TemplateError::whole(format!("{kind}/subject.txt"), "renders to nothing");
            return Err(voice.located(fault));
        }
        let text = tidy(&part("body.txt")?);
        let html = if voice.has_html(kind) { Some(tidy(&part("body.html")?)) } else { None };
        Ok(Rendered { subject, text, html })
    }

    fn voices(&self) -> impl Iterator<Item = &Voice> {
        std::iter::once(&self.root).chain(&self.others)
    }

    fn voice(&self, tag: &str) -> Option<&Voice> {
        self.voices().find(|voice| voice.language.tag.eq_ignore_ascii_case(tag))
    }

    fn parse(files: &Files) -> Result<Self, TemplateError> {
        let root = Voice::of(ROOT, files)?;
        let others = files::languages(files).into_iter().map(|tag| Voice::of(tag, files));
        let others = others.collect::<Result<_, _>>()?;
        Ok(Self { root, others, hash: hash(files) })
    }

    /// Every name known, also in branches not taken; every sample rendered, with a shop that has pages and one that
    /// has none; in every body the order's number and a way out.
    fn check(&self, files: &Files) -> Result<(), TemplateError> {
        let (samples, shops, policy) = (samples::samples(), samples::shops(), samples::policy());
        let mail = |sample: &Sample, shop: &Shop, voice: &Voice| {
            let Sample { order, notice, next_news, now, .. } = sample;
            context(order, notice, shop, &policy, *next_news, *now, &voice.language)
        };
        let mut mails = Vec::new();
        for voice in self.voices() {
            let spoken = samples.iter().filter(|sample| voice.speaks_of(sample.notice.kind));
            for (sample, shop) in spoken.flat_map(|sample| shops.iter().map(move |shop| (sample, shop))) {
                mails.push((sample.name, voice, mail(sample, shop, voice)));
            }
        }
        let mut names = Names::of(mails.iter().map(|(.., m)| serde_json::to_value(m).unwrap_or(Value::Null)));
        files.values().for_each(|text| names.define_locals(text));
        files.iter().try_for_each(|(file, text)| names.check(file, text))?;
        for (name, voice, mail) in &mails {
            let in_sample = |error: TemplateError| {
                let mut error = voice.located(error);
                error.message = format!("{} (in the sample `{name}`)", error.message);
                error
            };
            lint(mail, &self.render(mail).map_err(in_sample)?).map_err(in_sample)?;
        }
        Ok(())
    }
}

/// The rules no mail may break.
fn lint(mail: &MailContext, rendered: &Rendered) -> Result<(), TemplateError> {
    let fault =
        |part: &str, message: String| Err(TemplateError::whole(format!("{}/{part}", mail.kind), message));
    let length = rendered.subject.chars().count();
    if length > MAX_SUBJECT {
        return fault("subject.txt", format!("is {length} characters long; {MAX_SUBJECT} is the most"));
    }
    let links = &mail.links;
    let ways = [
        Some(&links.cancel_mail),
        Some(&links.contact_mail),
        Some(&mail.shop.support_email),
        links.cancel.as_ref(),
    ];
    let html = rendered.html.as_ref().map(|html| ("body.html", html, true));
    for (part, body, escaped) in std::iter::once(("body.txt", &rendered.text, false)).chain(html) {
        let says = |text: &str| body.contains(&if escaped { escape(text) } else { text.to_owned() });
        if !says(&mail.order.number) {
            return fault(part, "does not name the order; use {{ order.number }}".to_owned());
        }
        if !ways.iter().flatten().any(|way| says(way)) {
            let mend = "offers no way out; use {{ links.cancel }}, {{ links.cancel_mail }} or {{ shop.support_email }}";
            return fault(part, mend.to_owned());
        }
    }
    Ok(())
}

fn escape(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    match tera::escape_html(text, &mut out) {
        Ok(()) => String::from_utf8(out).unwrap_or_default(),
        Err(_) => String::new(),
    }
}

/// Templates may be laid out for reading: trailing blanks go, runs of empty lines become one, the end is one newline.
fn tidy(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut blank = true;
    for line in text.lines().map(str::trim_end) {
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

//! The file and the environment as one table of raw values, each with its place.
//!
//! A key that is not in [`KEYS`] does not exist: it is refused with the nearest one that does. What the
//! environment says wins over the file.

use std::collections::BTreeMap;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::error::{Place, Problem, did_you_mean, quoted};
use crate::text::nearest;

/// What a key holds; decides how the text of an environment variable is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Text,
    Number,
    Switch,
    /// In the environment: separated by commas.
    List,
}

/// Every key there is: section, key, what it holds.
pub const KEYS: &[(&str, &str, Kind)] = &[
    ("shop", "name", Kind::Text),
    ("shop", "from", Kind::Text),
    ("shop", "support_email", Kind::Text),
    ("shop", "timezone", Kind::Text),
    ("shop", "locale", Kind::Text),
    ("shop", "status_url", Kind::Text),
    ("shop", "cancel_url", Kind::Text),
    ("database", "url", Kind::Text),
    ("database", "keep_bodies", Kind::Text),
    ("delivery", "mode", Kind::Text),
    ("delivery", "redirect_to", Kind::Text),
    ("delivery", "allow_recipients", Kind::List),
    ("delivery", "concurrency", Kind::Number),
    ("delivery", "rate", Kind::Text),
    ("delivery", "blast_limit", Kind::Number),
    ("delivery", "breaker", Kind::Number),
    ("delivery", "grace", Kind::Text),
    ("delivery", "retry", Kind::List),
    ("smtp", "host", Kind::Text),
    ("smtp", "port", Kind::Number),
    ("smtp", "security", Kind::Text),
    ("smtp", "username", Kind::Text),
    ("smtp", "password_file", Kind::Text),
    ("smtp", "ca_file", Kind::Text),
    ("smtp", "timeout", Kind::Text),
    ("smtp", "hello_name", Kind::Text),
    ("bounces", "address", Kind::Text),
    ("bounces", "maildir", Kind::Text),
    ("promise", "handling_days", Kind::Number),
    ("promise", "buffer_days", Kind::Number),
    ("promise", "business_days", Kind::Switch),
    ("promise", "holidays", Kind::List),
    ("promise", "improve_min_days", Kind::Number),
    ("promise", "settle", Kind::Text),
    ("schedule", "update_after", Kind::Text),
    ("schedule", "status_every", Kind::Text),
    ("schedule", "status_at", Kind::Text),
    ("schedule", "send_window", Kind::Text),
    ("schedule", "send_days", Kind::Text),
    ("schedule", "at_risk", Kind::Text),
    ("schedule", "digest_at", Kind::Text),
    ("schedule", "housekeeping_at", Kind::Text),
    ("orders", "partial", Kind::Text),
    ("orders", "authorization_days", Kind::Number),
    ("templates", "dir", Kind::Text),
    ("alerts", "to", Kind::Text),
    ("alerts", "digest", Kind::Switch),
    ("log", "format", Kind::Text),
    ("log", "level", Kind::Text),
];

/// Environment variables that begin so are ours.
const PREFIX: &str = "SHIPBY__";
/// The environment's way to give the one secret there is.
pub(super) const PASSWORD: &str = "SHIPBY__SMTP__PASSWORD";

/// A value as it was written.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Text(String),
    Number(i64),
    Switch(bool),
    List(Vec<Raw>),
    /// A date without quotes, `2026-12-25`.
    Date(String),
    /// Something no key wants, in words.
    Other(&'static str),
}

impl Value {
    /// As it may be shown in a message.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Text(text) => quoted(text),
            Self::Number(number) => number.to_string(),
            Self::Switch(on) => on.to_string(),
            Self::List(_) => "a list".to_owned(),
            Self::Date(date) => date.clone(),
            Self::Other(what) => (*what).to_owned(),
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Raw {
    pub value: Value,
    pub place: Place,
}

/// What was configured, by section and key, and what is wrong with its shape.
#[derive(Debug, Default)]
pub(super) struct Document {
    pub values: BTreeMap<(&'static str, &'static str), Raw>,
    /// `SHIPBY__SMTP__PASSWORD`.
    pub password: Option<String>,
    pub problems: Vec<Problem>,
}

impl Document {
    /// Reads the text of the file at `path`. After a fault in the TOML itself nothing else is looked at.
    pub(super) fn read(path: &Path, text: &str) -> Self {
        let mut document = Self::default();
        let places = Places { path, text };
        let (table, faults) = DeTable::parse_recoverable(text);
        for fault in faults {
            // The message alone: the error's Display would print the line, and a password with it.
            let place = places.at(fault.span().map_or(0, |span| span.start));
            let message = format!("not TOML: {}", fault.message().lines().next().unwrap_or_default());
            document.problems.push(Problem { place, key: String::new(), message });
        }
        if document.problems.is_empty() {
            document.sections(table.get_ref(), &places);
        }
        document
    }

    fn sections(&mut self, table: &DeTable<'_>, places: &Places<'_>) {
        for (name, value) in table {
            let place = places.at(name.span().start);
            match value.get_ref() {
                DeValue::Table(keys) if KEYS.iter().any(|(section, ..)| *section == name.get_ref()) => {
                    self.keys(name.get_ref(), keys, places);
                }
                _ if KEYS.iter().any(|(section, ..)| *section == name.get_ref()) => {
                    let message = format!("is a section; write [{0}] on a line of its own", name.get_ref());
                    self.problems.push(Problem { place, key: name.get_ref().to_string(), message });
                }
                DeValue::Table(_) => self.unknown(place, name.get_ref(), None),
                _ => self.unknown(place, "", Some(name.get_ref())),
            }
        }
    }

    fn keys(&mut self, section: &str, table: &DeTable<'_>, places: &Places<'_>) {
        for (key, value) in table {
            match known(section, key.get_ref()) {
                Some((id, _)) => {
                    self.values.insert(id, places.raw(value));
                }
                None => self.unknown(places.at(key.span().start), section, Some(key.get_ref())),
            }
        }
    }

    /// Lets the environment have the last word.
    pub(super) fn environment(&mut self, env: impl Iterator<Item = (String, String)>) {
        for (name, text) in env.filter(|(name, _)| name.starts_with(PREFIX)) {
            if name == PASSWORD {
                self.password = Some(text).filter(|text| !text.is_empty());
                continue;
            }
            let words = name[PREFIX.len()..].to_lowercase();
            let (section, key) = words.split_once("__").unwrap_or((&words, ""));
            let place = Place::Environment(name.clone());
            if let Some((id, kind)) = known(section, key) {
                let value = from_environment(&text, kind, &place);
                self.values.insert(id, Raw { value, place });
            } else {
                let names: Vec<String> =
                    KEYS.iter().map(|(section, key, _)| variable(section, key)).collect();
                let near = nearest(&name, names.iter().map(String::as_str));
                let message = format!("is no key of the configuration{}", did_you_mean(near));
                self.problems.push(Problem { place, key: String::new(), message });
            }
        }
    }

    /// Refuses a section (`key` is None) or a key. Its value is not shown: it may be a secret.
    fn unknown(&mut self, place: Place, section: &str, key: Option<&str>) {
        let full = match key {
            Some(key) if section.is_empty() => key.to_owned(),
            Some(key) => format!("{section}.{key}"),
            None => section.to_owned(),
        };
        let message = unknown_message(section, key);
        self.problems.push(Problem { place, key: full, message });
    }
}

fn unknown_message(section: &str, key: Option<&str>) -> String {
    let Some(key) = key else {
        return format!("unknown section{}", did_you_mean(nearest(section, KEYS.iter().map(|(s, ..)| *s))));
    };
    let lowered = key.to_lowercase();
    if lowered.contains("passw") && lowered != "password_file" || lowered == "secret" || lowered == "token" {
        return "no secret stands in this file; write it to a file of its own (chmod 600) and use password_file"
            .to_owned();
    }
    let here = KEYS.iter().filter(|(s, ..)| *s == section).map(|(_, k, _)| *k);
    if let Some(near) = nearest(key, here) {
        return format!("unknown key{}", did_you_mean(Some(near)));
    }
    let elsewhere = nearest(key, KEYS.iter().map(|(_, k, _)| *k));
    match KEYS.iter().find(|(_, k, _)| Some(*k) == elsewhere) {
        Some((section, key, _)) => format!("unknown key here; {key} stands under [{section}]"),
        None => "unknown key".to_owned(),
    }
}

/// The environment variable that overrides a key.
pub fn variable(section: &str, key: &str) -> String {
    format!("{PREFIX}{}__{}", section.to_uppercase(), key.to_uppercase())
}

fn known(section: &str, key: &str) -> Option<((&'static str, &'static str), Kind)> {
    KEYS.iter().find(|(s, k, _)| *s == section && *k == key).map(|(s, k, kind)| ((*s, *k), *kind))
}

/// The text of a variable as the key wants it; left a text where it does not fit, for the key to refuse.
fn from_environment(text: &str, kind: Kind, place: &Place) -> Value {
    let as_text = || Value::Text(text.to_owned());
    match kind {
        Kind::Text => as_text(),
        Kind::Number => text.trim().parse().map_or_else(|_| as_text(), Value::Number),
        Kind::Switch => text.trim().parse().map_or_else(|_| as_text(), Value::Switch),
        Kind::List => {
            let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
            let raw = |part: &str| Raw { value: Value::Text(part.to_owned()), place: place.clone() };
            Value::List(parts.map(raw).collect())
        }
    }
}

/// Turns offsets into places.
struct Places<'a> {
    path: &'a Path,
    text: &'a str,
}

impl Places<'_> {
    fn at(&self, offset: usize) -> Place {
        let before = self.text.get(..offset).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let column = before[start..].trim_start_matches('\u{feff}').chars().count() + 1;
        Place::File { path: self.path.to_owned(), line, column }
    }

    fn raw(&self, value: &toml::Spanned<DeValue<'_>>) -> Raw {
        let place = self.at(value.span().start);
        let value = match value.get_ref() {
            DeValue::String(text) => Value::Text(text.to_string()),
            DeValue::Integer(number) => {
                i64::from_str_radix(&number.as_str().replace('_', ""), number.radix())
                    .map_or(Value::Other("a number far too large"), Value::Number)
            }
            DeValue::Float(_) => Value::Other("a decimal number"),
            DeValue::Boolean(on) => Value::Switch(*on),
            DeValue::Datetime(at) if at.time.is_none() => Value::Date(at.to_string()),
            DeValue::Datetime(_) => Value::Other("a time without quotes"),
            DeValue::Array(items) => Value::List(items.iter().map(|item| self.raw(item)).collect()),
            DeValue::Table(_) => Value::Other("a table"),
        };
        Raw { value, place }
    }
}

//! The file and the environment as one table of raw values, each with its place.
//!
//! A key that is not among the known ones does not exist: it is refused with the nearest one that does. What the
//! environment says wins over the file.

use std::collections::BTreeMap;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::error::{Place, Problem, did_you_mean};
use super::value::{Keys, Line, Raw, Value};
use crate::text::nearest;

/// Environment variables that begin so are ours.
const PREFIX: &str = "SHIPBY__";
/// The environment's way to give the one secret there is.
pub(super) const PASSWORD: &str = "SHIPBY__SMTP__PASSWORD";

/// What was configured, by key (`section.name`), and what is wrong with its shape.
#[derive(Debug, Default)]
pub(super) struct Document {
    /// The keys there are.
    known: Keys,
    pub values: BTreeMap<&'static str, Raw>,
    /// `SHIPBY__SMTP__PASSWORD`.
    pub password: Option<String>,
    pub problems: Vec<Problem>,
}

impl Document {
    /// Reads the text of the file at `path`. After a fault in the TOML itself nothing else is looked at.
    pub(super) fn read(path: &Path, text: &str, known: Keys) -> Self {
        let mut document = Self { known, ..Self::default() };
        let places = Places { path, text };
        let (table, faults) = DeTable::parse_recoverable(text);
        for fault in faults {
            // The message alone: the error's Display would print the line, and a password with it.
            let place = places.at(fault.span().map_or(0, |span| span.start));
            let message = format!("not TOML: {}", fault.message().lines().next().unwrap_or_default());
            document.problems.push(Problem::new(place, "", message));
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
                DeValue::Table(keys) if self.known.iter().any(|(section, ..)| *section == name.get_ref()) => {
                    self.keys(name.get_ref(), keys, places);
                }
                _ if self.known.iter().any(|(section, ..)| *section == name.get_ref()) => {
                    let message = format!("is a section; write [{0}] on a line of its own", name.get_ref());
                    self.problems.push(Problem::new(place, name.get_ref().as_ref(), message));
                }
                DeValue::Table(_) => self.unknown(place, name.get_ref(), None),
                _ => self.unknown(place, "", Some(name.get_ref())),
            }
        }
    }

    fn keys(&mut self, section: &str, table: &DeTable<'_>, places: &Places<'_>) {
        for (key, value) in table {
            match self.line(section, key.get_ref()) {
                Some(line) => {
                    self.values.insert(line.id, places.raw(value));
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
            if let Some(line) = self.line(section, key) {
                let value = from_environment(&text, line, &place);
                self.values.insert(line.id, Raw { value, place });
            } else {
                let names: Vec<String> =
                    self.known.iter().map(|(section, key, _)| variable(section, key)).collect();
                let near = nearest(&name, names.iter().map(String::as_str));
                let message = format!("is no key of the configuration{}", did_you_mean(near));
                self.problems.push(Problem::new(place, "", message));
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
        self.problems.push(Problem::new(place, full, self.unknown_message(section, key)));
    }

    fn unknown_message(&self, section: &str, key: Option<&str>) -> String {
        let Some(key) = key else {
            return format!(
                "unknown section{}",
                did_you_mean(nearest(section, self.known.iter().map(|(s, ..)| *s)))
            );
        };
        let lowered = key.to_lowercase();
        if lowered.contains("passw") && lowered != "password_file"
            || lowered == "secret"
            || lowered == "token"
        {
            return "no secret stands in this file; write it to a file of its own (chmod 600) and use password_file"
            .to_owned();
        }
        let here = self.known.iter().filter(|(s, ..)| *s == section).map(|(_, k, _)| *k);
        if let Some(near) = nearest(key, here) {
            return format!("unknown key{}", did_you_mean(Some(near)));
        }
        let elsewhere = nearest(key, self.known.iter().map(|(_, k, _)| *k));
        match self.known.iter().find(|(_, k, _)| Some(*k) == elsewhere) {
            Some((section, key, _)) => format!("unknown key here; {key} stands under [{section}]"),
            None => "unknown key".to_owned(),
        }
    }

    /// Whether there is such a key, `section.name`.
    pub(super) fn knows(&self, id: &str) -> bool {
        self.known.iter().any(|(.., line)| line.id == id)
    }

    fn line(&self, section: &str, key: &str) -> Option<&'static Line> {
        self.known.iter().find(|(s, k, _)| *s == section && *k == key).map(|(.., line)| line)
    }
}

/// The environment variable that overrides a key.
pub fn variable(section: &str, key: &str) -> String {
    format!("{PREFIX}{}__{}", section.to_uppercase(), key.to_uppercase())
}

/// The text of a variable as the key wants it; left a text where it does not fit, for the key to refuse. The entries of a
/// list are separated by commas.
fn from_environment(text: &str, key: &Line, place: &Place) -> Value {
    let as_text = || Value::Text(text.to_owned());
    match key.literal.as_bytes() {
        [b'[', ..] => {
            let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
            let raw = |part: &str| Raw { value: Value::Text(part.to_owned()), place: place.clone() };
            Value::List(parts.map(raw).collect())
        }
        [b'"', ..] => as_text(),
        [b't' | b'f', ..] => text.trim().parse().map_or_else(|_| as_text(), Value::Switch),
        _ => text.trim().parse().map_or_else(|_| as_text(), Value::Number),
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

//! Takes values out of the document, one key at a time, and collects what is wrong with them.
//!
//! A key that cannot be read counts as its default from then on, so that one run reports every fault.

use std::collections::BTreeSet;

use super::document::{Document, Raw, Value};
use super::error::{Place, Problem};

pub(super) type Read<T> = Result<T, String>;

pub(super) struct Reader {
    document: Document,
    pub problems: Vec<Problem>,
    /// What was asked for; a test holds it against the table of keys.
    pub asked: BTreeSet<(&'static str, &'static str)>,
}

impl Reader {
    pub(super) fn new(mut document: Document) -> Self {
        let problems = std::mem::take(&mut document.problems);
        Self { document, problems, asked: BTreeSet::new() }
    }

    /// The value of a key, or `default` if it is not given or cannot be read.
    pub(super) fn value<T>(
        &mut self,
        section: &'static str,
        key: &'static str,
        default: T,
        parse: impl FnOnce(&Value) -> Read<T>,
    ) -> T {
        self.asked.insert((section, key));
        let Some(raw) = self.document.values.get(&(section, key)) else { return default };
        match parse(&raw.value) {
            Ok(value) => value,
            Err(message) => {
                let place = raw.place.clone();
                self.problems.push(Problem { place, key: format!("{section}.{key}"), message });
                default
            }
        }
    }

    /// The value of a key that may be left out; an empty text is the same as leaving it out.
    pub(super) fn optional<T>(
        &mut self,
        section: &'static str,
        key: &'static str,
        parse: impl FnOnce(&Value) -> Read<T>,
    ) -> Option<T> {
        self.value(section, key, None, |value| match value {
            Value::Text(text) if text.trim().is_empty() => Ok(None),
            value => parse(value).map(Some),
        })
    }

    /// A list, each entry read on its own; None if the key is not given. Entries that cannot be read are left out.
    pub(super) fn list<T>(
        &mut self,
        section: &'static str,
        key: &'static str,
        parse: impl Fn(&Value) -> Read<T>,
    ) -> Option<Vec<T>> {
        self.asked.insert((section, key));
        let raw = self.document.values.get(&(section, key))?;
        let entries: &[Raw] = match &raw.value {
            Value::List(entries) => entries,
            _ => std::slice::from_ref(raw),
        };
        let mut values = Vec::new();
        for Raw { value, place } in entries {
            match parse(value) {
                Ok(value) => values.push(value),
                Err(message) => {
                    let key = format!("{section}.{key}");
                    self.problems.push(Problem { place: place.clone(), key, message });
                }
            }
        }
        Some(values)
    }

    /// Whether the key was given; an empty text is the same as leaving it out.
    pub(super) fn given(&self, section: &'static str, key: &'static str) -> bool {
        let empty = |raw: &Raw| matches!(&raw.value, Value::Text(text) if text.trim().is_empty());
        self.document.values.get(&(section, key)).is_some_and(|raw| !empty(raw))
    }

    /// Where the key was given.
    pub(super) fn place(&self, section: &'static str, key: &'static str) -> Place {
        self.document.values.get(&(section, key)).map_or(Place::Default, |raw| raw.place.clone())
    }

    /// The secret that the environment gave.
    pub(super) fn password(&mut self) -> Option<String> {
        self.document.password.take()
    }

    /// Refuses what only shows when several keys are seen together.
    pub(super) fn refuse(&mut self, section: &'static str, key: &'static str, message: impl Into<String>) {
        let problem = self.problem(section, key, message);
        self.problems.push(problem);
    }

    /// A problem with its place, for a warning.
    pub(super) fn problem(
        &self,
        section: &'static str,
        key: &'static str,
        message: impl Into<String>,
    ) -> Problem {
        let (place, key) = (self.place(section, key), format!("{section}.{key}"));
        Problem { place, key, message: message.into() }
    }
}

//! Takes values out of the document, one key at a time, and collects what is wrong with them.
//!
//! A key that cannot be read counts as its default from then on, so that one run reports every fault. What is read is
//! None only if a default cannot be read, which the table of keys rules out.

use std::collections::BTreeMap;

use super::document::Document;
use super::error::{Place, Problem};
use super::value::{Raw, Value};

pub(super) type Read<T> = Result<T, String>;

pub(super) struct Reader {
    document: Document,
    /// What config.toml has as it comes, by key.
    defaults: BTreeMap<&'static str, Raw>,
    pub problems: Vec<Problem>,
}

impl Reader {
    /// What was configured, and what config.toml has as it comes.
    pub(super) fn new(mut document: Document, defaults: Document) -> Self {
        let problems = std::mem::take(&mut document.problems);
        Self { document, defaults: defaults.values, problems }
    }

    /// The value of a key, or its default.
    pub(super) fn value<T>(&mut self, key: &'static str, parse: impl Fn(&Value) -> Read<T>) -> Option<T> {
        self.read(key, &parse).or_else(|| parse(&self.defaults.get(key)?.value).ok())
    }

    /// The entries of a key, each read on its own; those that cannot be read are left out.
    pub(super) fn list<T>(&mut self, key: &'static str, parse: impl Fn(&Value) -> Read<T>) -> Option<Vec<T>> {
        let raw = self.document.values.get(key).or_else(|| self.defaults.get(key))?;
        let entries: &[Raw] = match &raw.value {
            Value::List(entries) => entries,
            _ => std::slice::from_ref(raw),
        };
        let mut values = Vec::new();
        for Raw { value, place } in entries {
            match parse(value) {
                Ok(value) => values.push(value),
                Err(message) => self.problems.push(Problem::new(place.clone(), key, message)),
            }
        }
        Some(values)
    }

    /// The value of a key that has no default; an empty text is the same as leaving it out.
    pub(super) fn optional<T>(
        &mut self,
        key: &'static str,
        parse: impl Fn(&Value) -> Read<T>,
    ) -> Option<Option<T>> {
        if self.given(key) { self.unset(key, parse) } else { Some(None) }
    }

    /// The value of a key that has no default; an empty text is a value as any other.
    pub(super) fn unset<T>(
        &mut self,
        key: &'static str,
        parse: impl Fn(&Value) -> Read<T>,
    ) -> Option<Option<T>> {
        Some(self.read(key, &parse))
    }

    /// What was given, if it can be read.
    fn read<T>(&mut self, key: &str, parse: &impl Fn(&Value) -> Read<T>) -> Option<T> {
        let raw = self.document.values.get(key)?;
        match parse(&raw.value) {
            Ok(value) => Some(value),
            Err(message) => {
                self.problems.push(Problem::new(raw.place.clone(), key, message));
                None
            }
        }
    }

    /// Whether the key was given; an empty text is the same as leaving it out.
    pub(super) fn given(&self, key: &str) -> bool {
        let empty = |raw: &Raw| matches!(&raw.value, Value::Text(text) if text.trim().is_empty());
        self.document.values.get(key).is_some_and(|raw| !empty(raw))
    }

    /// Where the key was given.
    pub(super) fn place(&self, key: &str) -> Place {
        debug_assert!(self.document.knows(key), "{key} is no key");
        self.document.values.get(key).map_or(Place::Default, |raw| raw.place.clone())
    }

    /// The secret that the environment gave.
    pub(super) fn password(&mut self) -> Option<String> {
        self.document.password.take()
    }

    /// Refuses what only shows when several keys are seen together.
    pub(super) fn refuse(&mut self, key: &str, message: impl Into<String>) {
        let problem = self.problem(key, message);
        self.problems.push(problem);
    }

    /// A problem with its place, for a warning.
    pub(super) fn problem(&self, key: &str, message: impl Into<String>) -> Problem {
        Problem::new(self.place(key), key, message)
    }
}

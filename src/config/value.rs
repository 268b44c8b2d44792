//! A value as it was written, with its place, and a key as config.toml has it.

use super::error::{Place, quoted};

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

/// How a key stands in config.toml.
#[derive(Debug, Clone, Copy)]
pub struct Line {
    /// Its section and name, with a dot.
    pub(super) id: &'static str,
    /// A value as TOML writes it.
    pub(super) literal: &'static str,
    /// How it is read: as the name of the reader's method.
    pub(super) how: &'static str,
    pub(super) above: &'static [&'static str],
    pub(super) comment: &'static str,
}

/// Keys: section, name, and how each stands in config.toml.
pub type Keys = &'static [(&'static str, &'static str, Line)];

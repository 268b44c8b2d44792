//! What templates may use, listed from the very types that they are given: the fields and doc comments of `context.rs`,
//! with examples from the samples.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::language::Language;
use super::samples::{self, Sample};
use crate::domain::notice::NoticeKind;

const SOURCE: &str = include_str!("context.rs");
const ROOT: &str = "MailContext";

/// Something a template may use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Variable {
    /// `waiting.items[].title` is the `title` of each entry of `waiting.items`.
    pub name: String,
    /// `text`, `date`, `number`, `true or false`, `group`, or `list of` one of them.
    #[serde(rename = "type")]
    pub kind: String,
    /// When it is null; None for what always has a value.
    pub absent: Option<String>,
    pub meaning: String,
    /// As the first sample that has one gives it; None where no sample does.
    pub example: Option<String>,
}

/// All that a mail of `kind` may use; for None, of any kind. In the order of the types.
pub fn variables(kind: Option<NoticeKind>) -> Vec<Variable> {
    let mut all = without_examples();
    let mut examples = BTreeMap::new();
    let of_kind = |sample: &Sample| kind.is_none_or(|kind| sample.notice.kind == kind);
    let Ok(english) = Language::english() else { return all };
    for sample in samples::cases().iter().filter(|sample| of_kind(sample)) {
        let mail = sample.mail(&samples::shops()[0], &english);
        collect("", &serde_json::to_value(mail).unwrap_or(Value::Null), &mut examples);
    }
    for variable in &mut all {
        variable.example = examples.remove(&variable.name);
    }
    all
}

/// The names of all variables.
pub(super) fn names() -> impl Iterator<Item = String> {
    without_examples().into_iter().map(|variable| variable.name)
}

fn without_examples() -> Vec<Variable> {
    let mut all = Vec::new();
    list(&structs(), ROOT, "", &mut all);
    all
}

/// A field as the source has it.
struct Field<'a> {
    name: &'a str,
    kind: &'a str,
    doc: String,
}

/// The public structs of the source with their fields, by name.
fn structs() -> BTreeMap<&'static str, Vec<Field<'static>>> {
    let mut found: BTreeMap<&str, Vec<Field<'_>>> = BTreeMap::new();
    let (mut current, mut doc) = (None, String::new());
    for line in SOURCE.lines().map(str::trim) {
        if let Some(words) = line.strip_prefix("/// ") {
            doc.push_str(if doc.is_empty() { "" } else { " " });
            doc.push_str(words);
        } else if let Some(name) = line.strip_prefix("pub struct ") {
            current = name.split(['<', ' ']).next();
            doc.clear();
        } else if line == "}" {
            current = None;
        } else if let (Some(name), Some(field)) = (current, line.strip_prefix("pub ")) {
            if let Some((field, kind)) = field.trim_end_matches(',').split_once(": ") {
                found.entry(name).or_default().push(Field {
                    name: field,
                    kind,
                    doc: std::mem::take(&mut doc),
                });
            }
        } else if !line.starts_with("#[") {
            doc.clear();
        }
    }
    found
}

fn list(structs: &BTreeMap<&str, Vec<Field<'_>>>, of: &str, below: &str, all: &mut Vec<Variable>) {
    for field in structs.get(of).into_iter().flatten() {
        let name = if below.is_empty() { field.name.to_owned() } else { format!("{below}.{}", field.name) };
        let (kind, optional) = match inner(field.kind, "Option") {
            Some(kind) => (kind, true),
            None => (field.kind, false),
        };
        let absent = optional.then(|| when_null(&field.doc).unwrap_or_default());
        let (words, meaning) = (type_words(kind), field.doc.clone());
        all.push(Variable { name: name.clone(), kind: words, absent, meaning, example: None });
        if let Some(entry) = inner(kind, "Listed") {
            // The doc comments of `Listed` say the rest.
            for part in structs.get("Listed").into_iter().flatten() {
                let (name, kind) = (format!("{name}.{}", part.name), part.kind.replace('T', entry));
                let (words, meaning) = (type_words(&kind), part.doc.clone());
                all.push(Variable { name: name.clone(), kind: words, absent: None, meaning, example: None });
                if part.name == "items" {
                    list(structs, entry, &format!("{name}[]"), all);
                }
            }
        } else if let Some(entry) = inner(kind, "Vec") {
            list(structs, entry, &format!("{name}[]"), all);
        } else {
            list(structs, kind, &name, all);
        }
    }
}

/// `T` of `Outer<T>`.
fn inner<'a>(kind: &'a str, outer: &str) -> Option<&'a str> {
    kind.strip_prefix(outer)?.strip_prefix('<')?.strip_suffix('>')
}

fn type_words(kind: &str) -> String {
    if let Some(entry) = inner(kind, "Vec") {
        return format!("list of {}", type_words(entry));
    }
    let word = match kind {
        "String" => "text",
        "NaiveDate" => "date",
        "usize" | "u32" => "number",
        "bool" => "true or false",
        _ => "group",
    };
    word.to_owned()
}

/// The part of a doc comment that says when there is no value.
fn when_null(doc: &str) -> Option<String> {
    let parts = doc.split([';', ':']).flat_map(|part| part.split(". ")).map(str::trim);
    let said =
        parts.filter(|part| part.split(|c: char| !c.is_alphabetic()).any(|w| w.eq_ignore_ascii_case("null")));
    let words = said.map(|part| part.trim_end_matches('.')).collect::<Vec<_>>().join("; ");
    let lower = words.replacen("Null", "null", 1);
    let short =
        lower.strip_prefix("null ").or_else(|| lower.strip_prefix("else ").map(|_| "else")).unwrap_or(&lower);
    (!words.is_empty()).then(|| short.to_owned())
}

/// The first value of each name that has one.
fn collect(name: &str, value: &Value, found: &mut BTreeMap<String, String>) {
    let below = |part: &str| if name.is_empty() { part.to_owned() } else { format!("{name}.{part}") };
    match value {
        Value::Null => {}
        Value::Object(map) => map.iter().for_each(|(part, value)| collect(&below(part), value, found)),
        Value::Array(items) => items.iter().for_each(|item| collect(&format!("{name}[]"), item, found)),
        Value::String(text) if text.is_empty() => {}
        plain => {
            let text = plain.as_str().map_or_else(|| plain.to_string(), str::to_owned);
            // The entries of a list of texts are the example of the list.
            found.entry(name.trim_end_matches("[]").to_owned()).or_insert(text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_that_templates_are_given_is_listed_with_a_meaning_and_says_when_it_is_null() {
        let all = variables(None);
        let mut given = BTreeMap::new();
        let english = Language::english().unwrap();
        for sample in samples::cases() {
            let mail = sample.mail(&samples::shops()[0], &english);
            collect("", &serde_json::to_value(mail).unwrap(), &mut given);
        }
        for name in given.keys() {
            assert!(all.iter().any(|variable| variable.name == *name), "{name} is not listed");
        }
        for Variable { name, kind, absent, meaning, example } in &all {
            assert!(!meaning.is_empty(), "{name} has no doc comment");
            assert_ne!(absent.as_deref(), Some(""), "{name}: the doc comment does not say when it is null");
            assert!(
                example.is_some() || kind == "group" || kind == "list of group",
                "{name}: no sample has it"
            );
        }
    }

    #[test]
    fn a_variable_is_told_as_its_type_has_it() {
        let all = variables(Some(NoticeKind::WeeklyStatus));
        let of = |name: &str| all.iter().find(|variable| variable.name == name).unwrap().clone();
        let promise = of("promise");
        assert_eq!((promise.kind.as_str(), promise.example.as_deref()), ("date", Some("2026-03-20")));
        assert_eq!(promise.absent.as_deref(), Some("null as soon as one of them has none").map(|t| &t[5..]));
        assert_eq!(of("waiting.items").kind, "list of group");
        assert_eq!(of("waiting.items[].place.at").example.as_deref(), Some("37"));
        assert_eq!(of("shop.name").absent, None);
        assert_eq!(of("refunds.items[].amount").example, None, "no weekly status tells of a refund");
    }
}

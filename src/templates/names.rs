//! Finds names that no mail has, also in a branch that is never taken: tera takes an unknown name in an `if` for
//! false and says nothing.
//!
//! It reads the tags of a template word by word. What a template sets itself (`set`, `for`, component parameters) is
//! known; filters, tests, functions and components are tera's to check.

use std::collections::BTreeSet;

use serde_json::Value;

use super::error::{TemplateError, unknown};

/// The names a template may use.
#[derive(Debug, Default)]
pub(super) struct Names {
    top: BTreeSet<String>,
    fields: BTreeSet<String>,
}

impl Names {
    /// The names in `contexts`, each a whole mail's variables.
    pub fn of(contexts: impl IntoIterator<Item = Value>) -> Self {
        let mut names = Self::default();
        for context in contexts {
            if let Value::Object(map) = context {
                for (name, value) in map {
                    names.add_fields(&value);
                    names.top.insert(name);
                }
            }
        }
        names.fields.extend(["index", "index0", "first", "last", "length"].map(str::to_owned));
        names
    }

    fn add_fields(&mut self, value: &Value) {
        match value {
            Value::Object(map) => {
                for (name, value) in map {
                    self.fields.insert(name.clone());
                    self.add_fields(value);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.add_fields(item)),
            _ => {}
        }
    }

    /// Also allows the names that the templates define themselves.
    pub fn define_locals(&mut self, text: &str) {
        self.top.extend(["loop", "body", "rest"].map(str::to_owned));
        for tag in tags(text) {
            let words: Vec<&str> = tag.iter().map(|token| token.text).collect();
            match words.as_slice() {
                ["set" | "set_global", name, ..] => {
                    self.top.insert((*name).to_owned());
                }
                ["for", name, "in", ..] => {
                    self.top.insert((*name).to_owned());
                }
                ["for", key, ",", value, "in", ..] => {
                    self.top.extend([(*key).to_owned(), (*value).to_owned()]);
                }
                ["component", rest @ ..] => {
                    let from = rest.iter().position(|word| *word == "(").unwrap_or(rest.len());
                    let params = rest[from..].iter().filter(|word| is_name(word));
                    self.top.extend(params.map(|word| (*word).to_owned()));
                }
                _ => {}
            }
        }
    }

    /// Every unknown name in `text`.
    pub fn check(&self, file: &str, text: &str) -> Vec<TemplateError> {
        const NAMED: &[&str] =
            &["block", "endblock", "component", "endcomponent", "extends", "include", "raw", "endraw"];
        let mut unknown = Vec::new();
        for tag in tags(text) {
            if tag.first().is_some_and(|first| NAMED.contains(&first.text)) {
                continue;
            }
            for at in 0..tag.len() {
                if let Err(message) = self.check_word(&tag, at) {
                    let (line, column) = place(text, tag[at].at);
                    unknown.push(TemplateError { file: file.to_owned(), line, column, message });
                }
            }
        }
        unknown
    }

    fn check_word(&self, tag: &[Token<'_>], at: usize) -> Result<(), String> {
        const WORDS: &[&str] = &[
            "if",
            "elif",
            "else",
            "endif",
            "for",
            "endfor",
            "in",
            "not",
            "and",
            "or",
            "is",
            "set",
            "set_global",
            "endset",
            "filter",
            "endfilter",
            "break",
            "continue",
            "true",
            "false",
            "True",
            "False",
            "none",
            "None",
        ];
        let word = tag[at].text;
        let near = |offset: isize| {
            at.checked_add_signed(offset).and_then(|at| tag.get(at)).map_or("", |token| token.text)
        };
        let before = near(-1);
        if before == "." || before == "?." {
            let known = self.fields.contains(word) || !is_name(word) || is_component(tag, at);
            let said = || format!("Field `{word}` is not defined");
            return if known {
                Ok(())
            } else {
                Err(unknown(&said(), word, self.fields.iter().map(String::as_str)))
            };
        }
        let filter_or_test = before == "|" || before == "is" || (before == "not" && near(-2) == "is");
        let argument = near(1) == "=" || near(1) == "(" || before == "filter";
        if !is_name(word) || WORDS.contains(&word) || filter_or_test || argument || is_component(tag, at) {
            return Ok(());
        }
        if self.top.contains(word) {
            return Ok(());
        }
        let said = format!("Variable `{word}` is not defined");
        Err(unknown(&said, word, self.top.iter().map(String::as_str)))
    }
}

/// Whether the word is (a part of) a component's name, as in `<ui.button …/>` or `</card>`.
fn is_component(tag: &[Token<'_>], at: usize) -> bool {
    let text = |at: usize| tag.get(at).map_or("", |token| token.text);
    let mut first = at;
    while first >= 2 && text(first - 1) == "." {
        first -= 2;
    }
    let Some(before) = first.checked_sub(1) else { return false };
    let opens =
        |at: usize| text(at) == "<" && at.checked_sub(1).is_none_or(|at| matches!(text(at), "=" | "(" | "{"));
    opens(before) || (text(before) == "/" && before.checked_sub(1).is_some_and(opens))
}

/// A word or sign in a tag, and where in the file it begins.
struct Token<'a> {
    text: &'a str,
    at: usize,
}

fn is_name(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
}

/// Line and column of byte `at`, both from 1.
pub(super) fn place(text: &str, at: usize) -> (usize, usize) {
    let before = &text[..at];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

/// The words and signs of each `{{ }}` and `{% %}`, without strings; comments and raw text are passed over.
fn tags(text: &str) -> Vec<Vec<Token<'_>>> {
    let mut tags = Vec::new();
    let mut raw = false;
    for (from, to) in spans(text) {
        if text[..from].ends_with('#') {
            continue;
        }
        let tag = tokens(text, from, to);
        let is = |word| tag.first().is_some_and(|first: &Token<'_>| first.text == word);
        raw = (raw || is("raw")) && !is("endraw");
        if !raw {
            tags.push(tag);
        }
    }
    tags
}

/// What a template writes itself, and where it begins: the text around tags and comments, and the strings in tags
/// that print.
pub(super) fn literals(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut after = 0;
    for (from, to) in spans(text) {
        found.push((after, &text[after..from - 2]));
        after = to + 2;
        if text[..from].ends_with("{{") {
            found.extend(strings(text, from, to));
        }
    }
    found.push((after, &text[after..]));
    found
}

fn strings(text: &str, from: usize, to: usize) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut at = from;
    while let Some(open) = text[at..to].find(['"', '\'', '`']).map(|found| at + found) {
        let quote = &text[open..=open];
        let close = text[open + 1..to].find(quote).map_or(to, |found| open + 1 + found);
        found.push((open + 1, &text[open + 1..close]));
        at = (close + 1).min(to);
    }
    found
}

/// Where the inside of each tag and comment begins and ends.
pub(super) fn spans(text: &str) -> Vec<(usize, usize)> {
    let mut spans = Vec::new();
    let mut at = 0;
    while let Some(open) = text[at..].find('{').map(|found| at + found) {
        let end = match text.as_bytes().get(open + 1) {
            Some(b'{') => "}}",
            Some(b'%') => "%}",
            Some(b'#') => "#}",
            _ => {
                at = open + 1;
                continue;
            }
        };
        let Some(close) = close_of(text, open + 2, end) else { break };
        at = close + 2;
        spans.push((open + 2, close));
    }
    spans
}

/// Where `end` stands outside of a string.
fn close_of(text: &str, from: usize, end: &str) -> Option<usize> {
    let mut quote = None;
    for (at, c) in text[from..].char_indices() {
        match quote {
            None if text[from + at..].starts_with(end) => return Some(from + at),
            None if end != "#}" && matches!(c, '"' | '\'' | '`') => quote = Some(c),
            Some(open) if c == open => quote = None,
            _ => {}
        }
    }
    None
}

fn tokens(text: &str, from: usize, to: usize) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    let mut at = from;
    while let Some(c) = text[at..to].chars().next() {
        let rest = &text[at..to];
        let length = if matches!(c, '"' | '\'' | '`') {
            let closing = rest[1..].find(c).map_or(rest.len(), |end| end + 2);
            at += closing;
            // A string is a word of its own that is no name, so that what follows it is not taken for a field.
            found.push(Token { text: "\"", at });
            continue;
        } else if c.is_alphanumeric() || c == '_' {
            rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len())
        } else if ["?.", "==", "!=", "<=", ">="].iter().any(|sign| rest.starts_with(sign)) {
            2
        } else {
            c.len_utf8()
        };
        if !c.is_whitespace() && !(c == '-' && (at == from || at + 1 == to)) {
            found.push(Token { text: &rest[..length], at });
        }
        at += length;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<(), String> {
        let context =
            serde_json::json!({ "order": { "number": "1" }, "lines": [{ "title": "t" }], "promise": null });
        let mut names = Names::of([context]);
        names.define_locals(text);
        match names.check("f", text).as_slice() {
            [] => Ok(()),
            [first, ..] => Err(first.to_string()),
        }
    }

    #[test]
    fn what_is_known_or_defined_passes() {
        for text in [
            "{{ order.number | upper }} {% if promise and not lines %}x{% endif %}",
            "{% for l in lines %}{{ l.title ~ \" nonsense.here \" }}{{ loop.last }}{% endfor %}",
            "{%- set a = lines | length -%}{{ a }}{# typo #}{% raw %}{{ typo }}{% endraw %}",
            "{% component say.it(x, y=1) %}{{ x }}{% endcomponent say.it %}{{ <say.it x={order}/> }}",
            "{% if promise is not none %}{{ range(end=2) }}{% endif %} { {a} }",
            "{% extends \"base.txt\" %}{% block lead %}{% endblock lead %}",
        ] {
            assert_eq!(check(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn an_unknown_name_is_found_where_tera_would_not_look() {
        let variable = "f:2:7 Variable `promisd` is not defined; the nearest known is `promise`";
        assert_eq!(check("é\n{% if promisd %}x{% endif %}"), Err(variable.to_owned()));
        let field = "f:1:25 Field `titel` is not defined; the nearest known is `title`";
        assert_eq!(check("{% for l in lines %}{{l.titel}}{% endfor %}"), Err(field.to_owned()));
    }
}

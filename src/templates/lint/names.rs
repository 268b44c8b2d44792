//! Finds names that no mail has, also in a branch that is never taken: tera takes an unknown name in an `if` for
//! false and says nothing.
//!
//! What a template sets itself (`set`, `for`, component parameters) is known; filters, tests, functions and components
//! are tera's to check.

use std::collections::BTreeSet;

use super::super::error::{TemplateError, unknown};
use super::tags::{Token, tags};

/// The names a template may use.
#[derive(Debug, Default)]
pub(super) struct Names {
    top: BTreeSet<String>,
    fields: BTreeSet<String>,
}

impl Names {
    /// The names that every mail has, as `waiting.items[].title`.
    pub fn of(variables: impl IntoIterator<Item = String>) -> Self {
        let mut names = Self::default();
        for variable in variables {
            let mut parts = variable.split('.').map(|part| part.trim_end_matches("[]").to_owned());
            names.top.extend(parts.next());
            names.fields.extend(parts);
        }
        names.fields.extend(["index", "index0", "first", "last", "length"].map(str::to_owned));
        names
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
                    unknown.push(TemplateError::at(file, text, tag[at].at, message));
                }
            }
        }
        unknown
    }

    fn check_word(&self, tag: &[Token<'_>], at: usize) -> Result<(), String> {
        const WORDS: &str = "if elif else endif for endfor in not and or is set set_global endset filter endfilter \
            break continue true false True False none None";
        let word = tag[at].text;
        let near = |offset: isize| {
            at.checked_add_signed(offset).and_then(|at| tag.get(at)).map_or("", |token| token.text)
        };
        let before = near(-1);
        if !is_name(word) || is_component(tag, at) {
            return Ok(());
        }
        let (what, known) = match before {
            "." | "?." => ("Field", &self.fields),
            _ => ("Variable", &self.top),
        };
        let filter_or_test = before == "|" || before == "is" || (before == "not" && near(-2) == "is");
        let argument = near(1) == "=" || near(1) == "(" || before == "filter";
        let passed_over = filter_or_test || argument || WORDS.split(' ').any(|known| known == word);
        if known.contains(word) || (what == "Variable" && passed_over) {
            return Ok(());
        }
        Err(unknown(&format!("{what} `{word}` is not defined"), word, known.iter().map(String::as_str)))
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

fn is_name(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<(), String> {
        let known = ["order", "order.number", "lines", "lines[].title", "promise"];
        let mut names = Names::of(known.map(str::to_owned));
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

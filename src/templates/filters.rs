//! The filters of our own: dates, figures and amounts as a language writes them, titles cut to fit a subject, and
//! sentences made html.
//!
//! A date reads the same everywhere: with its weekday in a body, without in a subject. None prints as nothing.

use std::io::{self, Write};
use std::sync::Arc;

use chrono::NaiveDate;
use tera::{Kwargs, State, StringInput, Tera, TeraResult, Value};

use super::language::Language;
use crate::domain::calendar::date_of;

/// Registers them for `language`; must come before any template is added.
pub(super) fn register(tera: &mut Tera, language: &Arc<Language>) {
    tera.set_escape_fn(escape_html);
    let with = || Arc::clone(language);
    let words = with();
    tera.register_filter("date", move |value: &Value, _: Kwargs, _: &State| {
        print(value, |date| words.date(date))
    });
    let words = with();
    tera.register_filter("short_date", move |value: &Value, _: Kwargs, state: &State| {
        let today = state.get::<Value>("today").ok().flatten();
        print(value, |date| words.short_date(date, today.as_ref().and_then(day)))
    });
    let words = with();
    tera.register_filter("number", move |number: u64, _: Kwargs, _: &State| words.number(number));
    let words = with();
    tera.register_filter("money", move |amount: &str, _: Kwargs, _: &State| words.money(amount));
    tera.register_filter("clip", |text: &str, kwargs: Kwargs, _: &State| -> TeraResult<String> {
        Ok(clip(text, kwargs.must_get("length")?))
    });
    tera.register_filter("paragraphs", |text: StringInput, _: Kwargs, _: &State| {
        Value::safe_string(&paragraphs(text.as_str()))
    });
    tera.register_filter("link", |text: StringInput, kwargs: Kwargs, _: &State| -> TeraResult<Value> {
        Ok(Value::safe_string(&link(text.as_str(), kwargs.must_get("to")?)?))
    });
}

/// `text` as html templates show it.
pub fn escape(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len() + 16);
    match escape_html(text, &mut out) {
        Ok(()) => String::from_utf8(out).unwrap_or_default(),
        Err(_) => String::new(),
    }
}

/// As tera does it, but in runs and not byte for byte.
fn escape_html(text: &str, out: &mut dyn Write) -> io::Result<()> {
    let mut from = 0;
    for (at, byte) in text.bytes().enumerate() {
        let entity = match byte {
            b'&' => "&amp;",
            b'<' => "&lt;",
            b'>' => "&gt;",
            b'"' => "&quot;",
            b'\'' => "&#39;",
            _ => continue,
        };
        out.write_all(&text.as_bytes()[from..at])?;
        out.write_all(entity.as_bytes())?;
        from = at + 1;
    }
    out.write_all(&text.as_bytes()[from..])
}

fn print(value: &Value, how: impl Fn(NaiveDate) -> String) -> TeraResult<String> {
    if value.is_none() {
        return Ok(String::new());
    }
    day(value).map(how).ok_or_else(|| tera::Error::message(format!("`{value}` is no date")))
}

/// A date as variables hold it.
fn day(value: &Value) -> Option<NaiveDate> {
    date_of(value.as_str()?)
}

/// At most `length` characters of `text`, cut between words where one ends in the second half.
fn clip(text: &str, length: usize) -> String {
    let Some((end, _)) = text.char_indices().nth(length) else { return text.to_owned() };
    let room = text.char_indices().nth(length.saturating_sub(1)).map_or(end, |(at, _)| at);
    let cut = &text[..room];
    let word = cut.rfind(' ').filter(|at| *at > room / 2).unwrap_or(room);
    let closing = if cut.starts_with('\u{2068}') { "\u{2069}" } else { "" };
    format!("{}…{closing}", cut[..word].trim_end_matches([' ', ',', '-', '–', ':']))
}

/// Wraps what stands between empty lines in paragraphs; what begins with a tag is html already.
fn paragraphs(html: &str) -> String {
    let mut out = String::with_capacity(html.len() + 64);
    let lines: Vec<&str> = html.lines().map(str::trim).collect();
    for paragraph in lines.split(|line| line.is_empty()).filter(|lines| !lines.is_empty()) {
        let text = paragraph.join("\n");
        out.push('\n');
        if text.starts_with('<') {
            out.push_str(&text);
        } else {
            out.push_str(&format!("<p style=\"margin:0 0 12px\">{text}</p>"));
        }
    }
    out
}

/// Makes the words of `html` that stand in brackets a link.
fn link(html: &str, to: &str) -> TeraResult<String> {
    let parts = html.split_once('[').and_then(|(before, rest)| Some((before, rest.split_once(']')?)));
    let Some((before, (words, after))) = parts else {
        return Err(tera::Error::message("the sentence has no [words] to make a link of"));
    };
    let url = escape(to);
    Ok(format!("{before}<a href=\"{url}\" style=\"color:#1f5c4a\">{words}</a>{after}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_html_would_read_is_escaped_as_tera_does_it(text in "[a-zü&<>\"'\n]{0,60}") {
            let mut theirs = Vec::new();
            tera::escape_html(&text, &mut theirs).unwrap();
            prop_assert_eq!(escape(&text).into_bytes(), theirs);
        }
    }

    #[test]
    fn a_long_title_is_cut_between_words() {
        assert_eq!(clip("Kettle", 6), "Kettle");
        assert_eq!(clip("Kettle with a long spout", 16), "Kettle with a…");
        assert_eq!(clip("Donaudampfschifffahrt", 10), "Donaudamp…");
        assert_eq!(clip("ñandú ñandú", 0), "…");
        assert_eq!(
            clip("\u{2068}إبريق شاي\u{2069}", 8),
            "\u{2068}إبريق…\u{2069}",
            "what is opened is closed"
        );
    }

    #[test]
    fn what_stands_between_empty_lines_is_a_paragraph() {
        let p = "<p style=\"margin:0 0 12px\">";
        assert_eq!(paragraphs("\n  a\nb \n\n \nc"), format!("\n{p}a\nb</p>\n{p}c</p>"));
        assert_eq!(
            paragraphs("<ul>\n<li>a</li>\n</ul>\n\nb"),
            format!("\n<ul>\n<li>a</li>\n</ul>\n{p}b</p>")
        );
        assert_eq!(paragraphs(" \n"), "");
    }

    #[test]
    fn the_words_in_brackets_are_the_link() {
        let html = link("Or [write to us].", "mailto:a?subject=\"&").unwrap();
        assert_eq!(
            html,
            "Or <a href=\"mailto:a?subject=&quot;&amp;\" style=\"color:#1f5c4a\">write to us</a>."
        );
        assert!(link("Or write to us.", "x").is_err());
    }
}

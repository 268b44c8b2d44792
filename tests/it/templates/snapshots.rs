//! What is pinned word for word: what each sample hands to the templates, and one mail of each kind in each language.
//!
//! A mail is a function of its context and its templates. So a changed rule shows in the contexts, and a changed word in
//! one mail per kind and language.

use std::cmp::Reverse;

use serde_json::Value;

use super::*;

/// What the sample hands to the templates of a shop with pages, without what is null, false, 0 or empty: every field
/// is always there.
fn context_of(sample: &Sample) -> Value {
    let [shop, _] = samples::shops();
    let mut context = serde_json::to_value(mail(sample, &shop)).unwrap();
    keep_what_has_a_value(&mut context);
    context
}

fn keep_what_has_a_value(value: &mut Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(said) => *said,
        Value::Number(number) => number.as_u64() != Some(0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => {
            items.retain_mut(keep_what_has_a_value);
            !items.is_empty()
        }
        Value::Object(map) => {
            map.retain(|_, part| keep_what_has_a_value(part));
            !map.is_empty()
        }
    }
}

/// A line for each part of a context, and where that is long, for each entry or part of it.
fn lines_of(path: &str, value: &Value, lines: &mut Vec<String>) {
    const WIDTH: usize = 140;
    let text = value.to_string();
    match value {
        Value::Object(map) if text.len() > WIDTH => {
            map.iter().for_each(|(name, part)| lines_of(&format!("{path}.{name}"), part, lines));
        }
        Value::Array(items) if text.len() > WIDTH => {
            lines.extend(items.iter().map(|item| format!("{path}[] {item}")));
        }
        _ => lines.push(format!("{path} {text}")),
    }
}

/// The names of all that `value` holds; the entries of a list have one name.
fn names_of(path: &str, value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            map.iter().for_each(|(name, part)| names_of(&format!("{path}.{name}"), part, names));
        }
        Value::Array(items) => items.iter().for_each(|item| names_of(path, item, names)),
        _ => _ = names.insert(path.to_owned()),
    }
}

/// The sample that gives the most variables a value.
fn richest(samples: Vec<Sample>) -> Sample {
    let variables = |sample: &Sample| {
        let mut names = BTreeSet::new();
        names_of("", &context_of(sample), &mut names);
        names.len()
    };
    samples.into_iter().min_by_key(|sample| Reverse(variables(sample))).unwrap()
}

/// The samples of each kind, and the shop that they are shown for: the one with pages and the one without take turns.
fn by_kind() -> impl Iterator<Item = (NoticeKind, Vec<Sample>, Shop)> {
    NoticeKind::ALL.iter().zip(samples::shops().into_iter().cycle()).map(|(kind, shop)| {
        let samples = samples::samples().into_iter().filter(|sample| sample.notice.kind == *kind);
        (*kind, samples.collect(), shop)
    })
}

#[test]
fn what_each_sample_hands_to_the_templates_is_as_it_was() {
    for (kind, samples, _) in by_kind() {
        let lines = |sample: &Sample| {
            let mut lines = Vec::new();
            lines_of("", &context_of(sample), &mut lines);
            lines
        };
        let all: Vec<Vec<String>> = samples.iter().map(lines).collect();
        let shared = |line: &&String| all.iter().all(|lines| lines.contains(line));
        let mut text = String::from("==== what all of them share\n");
        all[0].iter().filter(shared).for_each(|line| text += &format!("{line}\n"));
        for (sample, lines) in samples.iter().zip(&all) {
            text += &format!("==== {}\n", sample.name);
            lines.iter().filter(|line| !shared(line)).for_each(|line| text += &format!("{line}\n"));
        }
        insta::assert_snapshot!(format!("context_{kind}"), text);
    }
}

#[test]
fn a_mail_of_each_kind_reads_as_it_was_written_in_each_language() {
    for (kind, samples, shop) in by_kind() {
        let sample = richest(samples);
        let (mut mails, mut whole) = (format!("{}\n", sample.name), String::new());
        for language in LANGUAGES {
            let Rendered { subject, text, html } = SET.render(&mail_in(language, &sample, &shop)).unwrap();
            mails += &format!("==== {language}\nSubject: {subject}\n\n{text}");
            // The html has the same sentences; one language shows the whole of it.
            if whole.is_empty() {
                whole = html.map(|html| format!("==== html ({language})\n{html}")).unwrap_or_default();
            }
        }
        insta::assert_snapshot!(format!("mail_{kind}"), mails + &whole);
    }
}

//! The rules that a rendered mail is held to, in any language: what it must say is looked for as its own templates
//! print it.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use chrono::{Days, NaiveDate};
use serde_json::Value;

use super::super::context::{MailContext, WaitingLine};
use super::super::error::TemplateError;
use super::super::files;
use super::super::filters::escape;
use super::super::language::Language;
use super::super::language_templates::LanguageTemplates;
use super::super::path::TemplatePath;
use super::super::set::{MAX_SUBJECT, Rendered, TemplateSet};
use super::phrases;
use super::report::Finding;
use super::rules::Code;
use crate::domain::notice::NoticeKind;

/// The files that one mail is made from.
#[derive(Debug)]
pub(super) struct MailFiles {
    pub subject: String,
    pub text: String,
    pub html: Option<String>,
    /// The frames and sentences it shares with other kinds.
    pub shared: Vec<String>,
}

impl MailFiles {
    /// None where `templates` has no mails of `kind`.
    pub fn of(templates: &LanguageTemplates, kind: NoticeKind) -> Option<Self> {
        let part = |part: &str| templates.source(&format!("{kind}/{part}")).map(str::to_owned);
        let shared = files::SHARED.iter().filter_map(|name| templates.source(name)).map(str::to_owned);
        Some(Self {
            subject: part("subject.txt")?,
            text: part("body.txt")?,
            html: part("body.html"),
            shared: shared.collect(),
        })
    }

    /// The files of its kind.
    pub fn own(&self) -> impl Iterator<Item = &String> {
        [&self.subject, &self.text].into_iter().chain(&self.html)
    }
}

/// One body, and how to look into it.
struct Body<'a> {
    file: &'a str,
    body: &'a str,
    is_html: bool,
    /// The dates it states, of those the mail may state.
    dates: BTreeSet<NaiveDate>,
}

impl<'a> Body<'a> {
    fn new(file: &'a str, body: &'a str, is_html: bool, stated: &PrintedDates) -> Self {
        let mut made = Self { file, body, is_html, dates: BTreeSet::new() };
        let said = stated.0.iter().filter(|(_, ways)| ways.iter().any(|way| made.says(way)));
        made.dates = said.map(|(date, _)| *date).collect();
        made
    }

    fn says(&self, text: &str) -> bool {
        let wanted = if self.is_html { escape(text) } else { text.to_owned() };
        // `2 March` does not stand in `12 March`.
        self.body.match_indices(&wanted).any(|(at, _)| {
            let beside = [self.body[..at].chars().next_back(), self.body[at + wanted.len()..].chars().next()];
            !beside.into_iter().flatten().any(char::is_alphanumeric)
        })
    }
}

/// Everything that is wrong with one mail.
pub(super) fn check(
    set: &TemplateSet,
    mail: &MailContext,
    files: &MailFiles,
    language: &Language,
) -> Vec<Finding> {
    let rendered = match set.render(mail) {
        Ok(rendered) => rendered,
        Err(error) => return vec![failed(error)],
    };
    let mut found = Vec::new();
    for (code, file, body) in [
        (Code::L03, Some(&files.text), Some(&rendered.text)),
        (Code::E03, files.html.as_ref(), rendered.html.as_ref()),
    ] {
        if let (Some(file), true) = (file, body.is_some_and(|body| body.trim().is_empty())) {
            found.push(Finding::whole(code, file, "renders to nothing"));
        }
    }
    if !found.is_empty() {
        return found;
    }
    let length = rendered.subject.chars().count();
    if length > MAX_SUBJECT {
        let said = format!("is {length} characters long; {MAX_SUBJECT} is the most");
        found.push(Finding::whole(Code::L09, &files.subject, said));
    }
    let stated = PrintedDates::of(mail, language);
    let text = Body::new(&files.text, &rendered.text, false, &stated);
    let html = files.html.as_ref().zip(rendered.html.as_ref());
    let html = html.map(|(file, body)| Body::new(file, body, true, &stated));
    let twin = dated_twin(mail).and_then(|twin| set.render(&twin).ok());
    for body in [Some(&text), html.as_ref()].into_iter().flatten() {
        must_say(mail, body, &mut found);
        promise(mail, body, &stated, &mut found);
        let dated = twin.as_ref().and_then(|t| if body.is_html { t.html.as_deref() } else { Some(&t.text) });
        found.extend(dated.and_then(|dated| no_promise(body, dated)));
    }
    if let Some(html) = &html {
        found.extend(same_dates(&text, html, &stated));
    }
    if NoticeKind::from_word(&mail.kind).is_some_and(|kind| kind.rules().is_plain) {
        found.extend(sells(set, &rendered, files, language));
    }
    found
}

fn failed(error: TemplateError) -> Finding {
    let code = if error.message.contains("more than 1 MiB") { Code::E04 } else { Code::E03 };
    Finding::of(code, error)
}

/// The order's number, and a way out.
fn must_say(mail: &MailContext, body: &Body<'_>, found: &mut Vec<Finding>) {
    if !body.says(&mail.order.number) {
        let said = "does not name the order; use {{ order.number }}";
        found.push(Finding::whole(Code::L10, body.file, said));
    }
    let links = &mail.links;
    let ways = [
        Some(&links.cancel_mail),
        Some(&links.contact_mail),
        Some(&mail.shop.support_email),
        links.cancel.as_ref(),
    ];
    if !ways.into_iter().flatten().any(|way| body.says(way)) {
        let said =
            "offers no way out; use {{ links.cancel }}, {{ links.cancel_mail }} or {{ shop.support_email }}";
        found.push(Finding::whole(Code::L01, body.file, said));
    }
}

/// The date by which each waiting line ships, however it is printed.
fn promise(mail: &MailContext, body: &Body<'_>, stated: &PrintedDates, found: &mut Vec<Finding>) {
    let lines = mail.waiting.items.iter().filter(|line| !line.in_house);
    let silent = lines.filter_map(|line| line.date).find(|date| !body.dates.contains(date));
    if let Some(date) = silent {
        let printed = stated.words(date);
        let said = format!(
            "does not state the date by which a line ships, {printed}; use {{{{ promise | date }}}} or \
             {{{{ line.date | date }}}}"
        );
        found.push(Finding::whole(Code::L02, body.file, said));
    }
}

/// The same mail as if every line that has no date had one.
fn dated_twin(mail: &MailContext) -> Option<MailContext> {
    let undated = |line: &WaitingLine| line.date.is_none() && !line.in_house;
    if !mail.waiting.items.iter().any(undated) {
        return None;
    }
    let mut twin = mail.clone();
    let date = mail.today.checked_add_days(Days::new(14));
    twin.waiting.items.iter_mut().filter(|line| undated(line)).for_each(|line| line.date = date);
    (twin.undated, twin.slip.withdrawn) = (0, 0);
    let mut dates: Vec<_> = twin.waiting.items.iter().map(|line| line.date).collect();
    dates.sort_unstable();
    dates.dedup();
    twin.promise = dates.last().copied().flatten();
    twin.same_date = dates.len() == 1;
    Some(twin)
}

/// A mail without a date must say something that it would not say with one.
fn no_promise(body: &Body<'_>, dated: &str) -> Option<Finding> {
    fn words(text: &str) -> HashSet<&str> {
        text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect()
    }
    let new = words(body.body).difference(&words(dated)).count();
    (new < 2).then(|| {
        let said = "says nothing where there is no date; write that there is none yet ({% if line.date %}…{% else %}…)";
        Finding::whole(Code::L02, body.file, said)
    })
}

/// The first date that one part states and the other does not.
fn same_dates(text: &Body<'_>, html: &Body<'_>, stated: &PrintedDates) -> Option<Finding> {
    let date = text.dates.symmetric_difference(&html.dates).next()?;
    let printed = stated.words(*date);
    let said = if html.dates.contains(date) {
        format!("the html states {printed}, the text does not")
    } else {
        format!("the html does not state {printed}, the text does")
    };
    Some(Finding::whole(Code::L07, html.file, said))
}

/// Marketing words that stand in a shared part and reach this mail. What stands in no file is data.
fn sells(set: &TemplateSet, rendered: &Rendered, files: &MailFiles, language: &Language) -> Vec<Finding> {
    let reach: BTreeSet<&str> =
        phrases::selling(&language.tag, &rendered.text).into_iter().map(|(_, w)| w).collect();
    let mut found = Vec::new();
    for file in &files.shared {
        let source = set.files().get(file).map(String::as_str).unwrap_or_default();
        let here = phrases::selling(TemplatePath::of(file).language, source).into_iter();
        let here = here.filter(|(_, word)| reach.contains(word));
        found.extend(here.map(|(at, word)| Finding::at(Code::L06, file, source, at, phrases::sells(word))));
    }
    found
}

/// The dates of one mail, each with the ways it may be printed.
struct PrintedDates(BTreeMap<NaiveDate, Vec<String>>);

impl PrintedDates {
    fn of(mail: &MailContext, language: &Language) -> Self {
        let mut dates = BTreeSet::new();
        collect(&serde_json::to_value(mail).unwrap_or(Value::Null), &mut dates);
        let ways = |date: NaiveDate| {
            vec![language.date(date), language.short_date(date, Some(mail.today)), date.to_string()]
        };
        Self(dates.into_iter().map(|date| (date, ways(date))).collect())
    }

    fn words(&self, date: NaiveDate) -> String {
        self.0.get(&date).and_then(|ways| ways.first()).cloned().unwrap_or_else(|| date.to_string())
    }
}

fn collect(value: &Value, dates: &mut BTreeSet<NaiveDate>) {
    match value {
        Value::String(text) if text.len() == 10 => dates.extend(text.parse::<NaiveDate>().ok()),
        Value::Array(items) => items.iter().for_each(|item| collect(item, dates)),
        Value::Object(map) => map.values().for_each(|value| collect(value, dates)),
        _ => {}
    }
}

/// What an html template loads from elsewhere, and the byte it begins at.
pub(super) fn remote(html: &str) -> Vec<(usize, String)> {
    let lower = html.to_ascii_lowercase();
    let mut found = Vec::new();
    for sign in ["<img", "<link", "<iframe", "<script", "<video", "<audio", "background=", "url(", "@import"]
    {
        for (at, _) in lower.match_indices(sign) {
            let inner = &lower[at + sign.len()..];
            let end = inner.find(if sign.starts_with('<') { '>' } else { ')' }).unwrap_or(inner.len());
            let source = match sign {
                "<img" => inner[..end].split_once("src=").map_or("", |(_, source)| source),
                _ => &inner[..end],
            };
            let source = source.trim_start_matches(['"', '\'', ' ', '(']);
            let within = ["cid:", "data:"].iter().any(|scheme| source.starts_with(scheme));
            let nothing = sign == "<img" && source.is_empty();
            if !within && !nothing {
                found.push((
                    at,
                    format!("`{sign}` loads something from elsewhere; leave it out, or use cid: or data:"),
                ));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_loaded_from_elsewhere_is_found_and_what_comes_along_is_not() {
        for remote_html in [
            "<img src=\"https://a.example/x.gif\">",
            "<IMG width=1 src='{{ shop.name }}'>",
            "<td background=\"https://a.example/x.gif\">",
            "<p style=\"background:url(https://a.example/x)\">",
            "<link rel=stylesheet href=x>",
        ] {
            assert_eq!(remote(remote_html).len(), 1, "{remote_html}");
        }
        for own in [
            "<img src=\"cid:logo\">",
            "<img src='data:image/png;base64,x'>",
            "<p style=\"background-color:red\">",
        ] {
            assert_eq!(remote(own), [], "{own}");
        }
    }
}

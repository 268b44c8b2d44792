//! One language of the mails: how it writes dates and numbers, and the few words that stand outside of the templates.
//!
//! It is read from the `language.toml` beside the templates, so that a language is a folder and nothing else.

use chrono::{Datelike, NaiveDate};
use serde::Deserialize;

use super::error::TemplateError;
use crate::text::is_language_tag;

/// The language of the templates at the top of the folder.
pub const ROOT: &str = "en";

/// How a language writes what templates cannot.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Language {
    /// BCP 47, as `de`: the name of its folder.
    #[serde(skip)]
    pub tag: String,
    pub direction: Direction,
    months: [String; 12],
    /// From Monday.
    weekdays: [String; 7],
    /// Text with `{weekday}`, `{day}`, `{month}` and `{year}` in it; what else stands in braces is text.
    date: String,
    short_date: String,
    short_date_with_year: String,
    /// How the first of a month is written; as the others unless said.
    first_day: Option<String>,
    decimal: String,
    thousands: String,
    pub(super) words: Words,
}

/// Where a line begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    Ltr,
    Rtl,
}

impl Direction {
    /// As html's `dir` has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ltr => "ltr",
            Self::Rtl => "rtl",
        }
    }
}

/// Words that a mail needs before its templates are asked. `{order}` stands for the order's number.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Words {
    /// In place of a title that says nothing.
    pub item: String,
    /// In place of a shop's name that says nothing.
    pub shop: String,
    pub cancel_subject: String,
    pub cancel_body: String,
    pub contact_subject: String,
}

impl Language {
    /// The built-in English: what mails can be tried in, whatever a set holds.
    pub(super) fn english() -> Result<Self, TemplateError> {
        Self::parse(ROOT, "language.toml", include_str!("../../templates/language.toml"))
    }

    /// Reads the `language.toml` called `file`.
    pub(super) fn parse(tag: &str, file: &str, text: &str) -> Result<Self, TemplateError> {
        let language: Self = toml::from_str(text).map_err(|error| {
            let message = error.message().lines().next().unwrap_or_default();
            TemplateError::at(file, text, error.span().map_or(0, |span| span.start), message)
        })?;
        Ok(Self { tag: tag.to_owned(), ..language })
    }

    /// As in a body: `Friday 20 March 2026`.
    pub(super) fn date(&self, date: NaiveDate) -> String {
        self.write(&self.date, date)
    }

    /// As in a subject: `20 March`, with its year where that is not the year of `today`.
    pub(super) fn short_date(&self, date: NaiveDate, today: Option<NaiveDate>) -> String {
        let same_year = today.is_some_and(|today| today.year() == date.year());
        self.write(if same_year { &self.short_date } else { &self.short_date_with_year }, date)
    }

    fn write(&self, pattern: &str, date: NaiveDate) -> String {
        fn name(names: &[String], at: u32) -> &str {
            names.get(at as usize).map_or("", String::as_str)
        }
        let mut out = String::with_capacity(40);
        let (day, year) = (date.day().to_string(), date.year().to_string());
        let day = self.first_day.as_ref().filter(|_| date.day() == 1).unwrap_or(&day);
        for part in pattern.split_inclusive('}') {
            let (text, field) = part.split_at(part.rfind('{').unwrap_or(part.len()));
            out.push_str(text);
            out.push_str(match field {
                "{weekday}" => name(&self.weekdays, date.weekday().num_days_from_monday()),
                "{day}" => day,
                "{month}" => name(&self.months, date.month0()),
                "{year}" => &year,
                _ => field,
            });
        }
        out
    }

    /// A count. Four digits stand together, as readers of years and order numbers are used to.
    pub(super) fn number(&self, number: u64) -> String {
        let digits = number.to_string();
        if digits.len() < 5 { digits } else { self.group(&digits) }
    }

    fn group(&self, digits: &str) -> String {
        let mut out = String::with_capacity(digits.len() * 2);
        for (at, digit) in digits.chars().enumerate() {
            if at > 0 && (digits.len() - at).is_multiple_of(3) {
                out.push_str(&self.thousands);
            }
            out.push(digit);
        }
        out
    }

    /// An amount as shops write it, `1049.90 EUR`, in this language's figures. What is no such amount stays as it is.
    pub(super) fn money(&self, amount: &str) -> String {
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let currency = |text: &str| text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase());
        let Some((figure, unit)) = amount.split_once(' ').filter(|(_, unit)| currency(unit)) else {
            return amount.to_owned();
        };
        let (whole, part) =
            figure.split_once('.').map_or((figure, None), |(whole, part)| (whole, Some(part)));
        if !digits(whole) || !part.is_none_or(digits) {
            return amount.to_owned();
        }
        let whole = if whole.len() < 5 { whole.to_owned() } else { self.group(whole) };
        let part = part.map(|part| format!("{}{part}", self.decimal)).unwrap_or_default();
        format!("{whole}{part}\u{a0}{unit}")
    }
}

/// Whether `name` can be a language's folder: a BCP 47 tag, as `de` or `de-AT`.
pub(super) fn is_tag(name: &str) -> bool {
    let language = name.split('-').next().unwrap_or_default();
    is_language_tag(name) && language.bytes().all(|byte| byte.is_ascii_lowercase())
}

/// `tag` and what it is a kind of, the closest first: `de-AT`, `de`.
pub(super) fn lineage(tag: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(tag), |tag| tag.rsplit_once('-').map(|(base, _)| base))
}

/// Whether `locale`, or what it is a kind of, is one of `languages`.
pub fn speaks(languages: &[String], locale: &str) -> bool {
    lineage(locale).any(|tag| languages.iter().any(|language| language.eq_ignore_ascii_case(tag)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn language(tag: &str) -> Language {
        let prefix = if tag == ROOT { String::new() } else { format!("{tag}/") };
        let name = format!("{prefix}language.toml");
        let (_, text) = crate::templates::COMPILED_IN.iter().find(|(file, _)| *file == name).unwrap();
        Language::parse(tag, &name, text).unwrap()
    }

    #[test]
    fn each_language_writes_dates_in_its_own_way() {
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        let long = |tag: &str, date: &str| language(tag).date(day(date));
        assert_eq!(long("en", "2026-03-20"), "Friday 20 March 2026");
        assert_eq!(long("de", "2026-03-20"), "Freitag, 20.\u{a0}März 2026");
        assert_eq!(long("fr", "2026-03-20"), "vendredi 20\u{a0}mars 2026");
        assert_eq!(long("fr", "2026-08-01"), "samedi 1er\u{a0}août 2026");
        assert_eq!(long("es", "2026-03-20"), "viernes 20 de marzo de 2026");
        let short =
            |tag: &str, date: &str, today: &str| language(tag).short_date(day(date), Some(day(today)));
        assert_eq!(short("en", "2026-03-02", "2026-01-01"), "2 March");
        assert_eq!(short("en", "2027-03-02", "2026-01-01"), "2 March 2027");
        assert_eq!(short("de", "2026-12-01", "2026-01-01"), "1.\u{a0}Dezember");
        assert_eq!(short("fr", "2027-01-01", "2026-12-01"), "1er\u{a0}janvier 2027");
        assert_eq!(short("es", "2027-01-01", "2026-12-01"), "1 de enero de 2027");
    }

    #[test]
    fn figures_are_written_as_the_language_does() {
        assert_eq!(language("de").money("10049.90 EUR"), "10.049,90\u{a0}EUR");
        assert_eq!(language("en").money("10049.90 EUR"), "10,049.90\u{a0}EUR");
        assert_eq!(language("fr").money("49.90 EUR"), "49,90\u{a0}EUR");
        for other in ["a voucher", "€49.90", "49.90", "4.9.9 EUR", " EUR", "49. EUR"] {
            assert_eq!(language("de").money(other), other);
        }
        assert_eq!(
            (language("de").number(9_980), language("de").number(12_345)),
            ("9980".into(), "12.345".into())
        );
    }

    #[test]
    fn a_region_is_a_kind_of_its_language() {
        assert_eq!(lineage("zh-Hant-TW").collect::<Vec<_>>(), ["zh-Hant-TW", "zh-Hant", "zh"]);
        let languages = ["en".to_owned(), "de".to_owned()];
        assert!(speaks(&languages, "DE-at") && !speaks(&languages, "nl"));
        assert!(is_tag("de") && is_tag("de-AT") && is_tag("zh-Hant"));
        assert!(
            !is_tag("date_slip") && !is_tag("overdue") && !is_tag("DE") && !is_tag("d") && !is_tag("de-")
        );
    }

    #[test]
    fn a_fault_of_the_file_is_told_with_its_place() {
        let error = |text: &str| Language::parse("de", "de/language.toml", text).unwrap_err().to_string();
        assert!(error("direction = \"up\"").starts_with("de/language.toml:1:13 unknown variant `up`"));
        assert!(error("\nmonth = []").starts_with("de/language.toml:2:1 unknown field `month`"));
    }
}

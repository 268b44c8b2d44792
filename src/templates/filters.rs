//! The filters of our own: dates as people write them, and titles cut to fit a subject.
//!
//! A date reads the same everywhere: with its weekday in a body, without in a subject. None prints as nothing.

use chrono::{Datelike, NaiveDate};
use tera::{Kwargs, State, Tera, TeraResult, Value};

/// Registers them; must come before any template is added.
pub(super) fn register(tera: &mut Tera) {
    tera.register_filter("date", |value: &Value, _: Kwargs, _: &State| print(value, long));
    tera.register_filter("short_date", |value: &Value, _: Kwargs, state: &State| {
        let today = state.get::<String>("today").ok().flatten().and_then(|text| text.parse().ok());
        print(value, |date| short(date, today))
    });
    tera.register_filter("clip", |text: &str, kwargs: Kwargs, _: &State| -> TeraResult<String> {
        Ok(clip(text, kwargs.must_get("length")?))
    });
}

fn print(value: &Value, how: impl Fn(NaiveDate) -> String) -> TeraResult<String> {
    if value.is_none() {
        return Ok(String::new());
    }
    let date = value.as_str().and_then(|text| text.parse().ok());
    date.map(how).ok_or_else(|| tera::Error::message(format!("`{value}` is no date")))
}

/// `Friday 20 March 2026`
fn long(date: NaiveDate) -> String {
    date.format("%A %-d %B %Y").to_string()
}

/// `20 March`, with its year where that is not the year of `today`.
fn short(date: NaiveDate, today: Option<NaiveDate>) -> String {
    let same_year = today.is_some_and(|today| today.year() == date.year());
    date.format(if same_year { "%-d %B" } else { "%-d %B %Y" }).to_string()
}

/// At most `length` characters of `text`, cut between words where one ends in the second half.
fn clip(text: &str, length: usize) -> String {
    let Some((end, _)) = text.char_indices().nth(length) else { return text.to_owned() };
    let room = text.char_indices().nth(length.saturating_sub(1)).map_or(end, |(at, _)| at);
    let cut = &text[..room];
    let word = cut.rfind(' ').filter(|at| *at > room / 2).unwrap_or(room);
    format!("{}…", cut[..word].trim_end_matches([' ', ',', '-', '–', ':']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_has_its_weekday_in_a_body_and_its_year_in_a_subject_only_where_it_is_another() {
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        assert_eq!(long(day("2026-03-20")), "Friday 20 March 2026");
        assert_eq!(short(day("2026-03-02"), Some(day("2026-01-01"))), "2 March");
        assert_eq!(short(day("2027-03-02"), Some(day("2026-01-01"))), "2 March 2027");
        assert_eq!(short(day("2027-03-02"), None), "2 March 2027");
    }

    #[test]
    fn a_long_title_is_cut_between_words() {
        assert_eq!(clip("Kettle", 6), "Kettle");
        assert_eq!(clip("Kettle with a long spout", 16), "Kettle with a…");
        assert_eq!(clip("Donaudampfschifffahrt", 10), "Donaudamp…");
        assert_eq!(clip("ñandú ñandú", 0), "…");
    }
}

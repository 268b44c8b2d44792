//! How the value of a key is read: numbers, durations, times of day, days, zones, words.
//!
//! Every refusal shows what was read and how to write what was probably meant.

use std::fmt::Display;

use chrono::{NaiveDate, NaiveTime, TimeDelta, Weekday};
use chrono_tz::Tz;

use crate::domain::calendar::SendDays;
use crate::domain::supply::iso_date;
use crate::text::{duration as spans, is_language_tag, nearest, zone as zones};

use super::error::{did_you_mean, quoted};
use super::reader::Read;
use super::value::Value;

const UNITS: &str = "a number and one of ms, s, m, h, d";

/// A text on one line.
pub(super) fn text(value: &Value) -> Read<&str> {
    match value {
        Value::Text(text) if text.chars().any(char::is_control) => {
            Err(format!("{} holds a line break or another control character", quoted(text)))
        }
        Value::Text(text) => Ok(text.trim()),
        Value::Number(number) => Err(format!("{number} is a number; put it in quotes: \"{number}\"")),
        other => Err(format!("{} will not do; a text in quotes is wanted", other.shown())),
    }
}

/// A text that is not empty.
pub(super) fn some_text(value: &Value) -> Read<String> {
    match text(value)? {
        "" => Err("is empty".to_owned()),
        text => Ok(text.to_owned()),
    }
}

pub(super) fn switch(value: &Value) -> Read<bool> {
    match value {
        Value::Switch(on) => Ok(*on),
        other => Err(format!("{} is neither true nor false", other.shown())),
    }
}

/// A whole number from `least` to `most`.
pub(super) fn number<T>(least: T, most: T) -> impl Fn(&Value) -> Read<T>
where
    T: TryFrom<i64> + PartialOrd + Display + Copy,
{
    move |value| {
        let Value::Number(number) = value else {
            return Err(format!("{} is no whole number; write one from {least} to {most}", value.shown()));
        };
        T::try_from(*number)
            .ok()
            .filter(|number| (least..=most).contains(number))
            .ok_or_else(|| format!("{number} will not do; write a number from {least} to {most}"))
    }
}

/// One of a few words.
pub(super) fn one_of<T: Copy>(
    choices: impl IntoIterator<Item = (&'static str, T)>,
) -> impl Fn(&Value) -> Read<T> {
    let (names, choices): (Vec<_>, Vec<_>) = choices.into_iter().unzip();
    move |value| {
        let word = text(value)?;
        let chosen = names.iter().position(|name| *name == word).and_then(|at| choices.get(at));
        chosen.copied().ok_or_else(|| {
            let near = nearest(word, names.iter().copied());
            format!("{} is none of {}{}", quoted(word), names.join(", "), did_you_mean(near))
        })
    }
}

/// A span of time from `least` to `most`, written as in `"48h"`.
pub(super) fn duration(least: TimeDelta, most: TimeDelta) -> impl Fn(&Value) -> Read<TimeDelta> {
    move |value| {
        if let Value::Number(number) = value {
            return Err(format!("{number} has no unit; write a text such as \"{number}s\" ({UNITS})"));
        }
        let word = text(value)?;
        let span = spans::parse(word).ok_or_else(|| {
            let mend = spans::meant(word)
                .map_or_else(|| "such as \"48h\" or \"15m\"".to_owned(), |meant| format!("\"{meant}\""));
            format!("{} is no duration; write {mend} ({UNITS})", quoted(word))
        })?;
        if span < least || span > most {
            let (least, most) = (spans::show(least), spans::show(most));
            return Err(format!("{} will not do; write a duration from {least} to {most}", quoted(word)));
        }
        Ok(span)
    }
}

/// A span of time in civil days, at most a year.
pub(super) fn whole_days(value: &Value) -> Read<u32> {
    let span = duration(TimeDelta::days(1), TimeDelta::days(365))(value)?;
    let days = span.num_days();
    if TimeDelta::days(days) != span {
        return Err(format!("{} is no whole number of days; write \"{days}d\"", value.shown()));
    }
    u32::try_from(days).map_err(|_| format!("{} will not do", value.shown()))
}

/// A time of day, `"10:00"`.
pub(super) fn time(value: &Value) -> Read<NaiveTime> {
    let word = text(value)?;
    parse_time(word).ok_or_else(|| {
        let mend = time_mend(word).unwrap_or_else(|| "\"10:00\" for ten in the morning".to_owned());
        format!("{} is no time of day; write {mend}", quoted(word))
    })
}

fn parse_time(word: &str) -> Option<NaiveTime> {
    let fits = |(i, b): (usize, u8)| if i == 2 { b == b':' } else { b.is_ascii_digit() };
    let plain = word.len() == 5 && word.bytes().enumerate().all(fits);
    plain.then(|| NaiveTime::parse_from_str(word, "%H:%M").ok()).flatten()
}

/// `"9:30"`, `"9"`, `"9am"`, `"9 pm"` → `"09:30"` and so on.
fn time_mend(word: &str) -> Option<String> {
    let lowered = word.to_lowercase();
    let (clock, later) = match (lowered.strip_suffix("am"), lowered.strip_suffix("pm")) {
        (Some(clock), _) => (clock.trim(), false),
        (_, Some(clock)) => (clock.trim(), true),
        _ => (lowered.as_str(), false),
    };
    let (hour, minute) = clock.split_once([':', '.', 'h']).unwrap_or((clock, "00"));
    let hour: u32 = hour.parse().ok()?;
    let hour = if later && hour < 12 { hour + 12 } else { hour };
    let time = NaiveTime::from_hms_opt(hour, minute.parse().ok()?, 0)?;
    Some(time.format("\"%H:%M\"").to_string())
}

/// The hours of a day, `"08:00-20:00"`. `24:00` is the last moment of the day.
pub(super) fn hours(value: &Value) -> Read<(NaiveTime, NaiveTime)> {
    let word = text(value)?;
    let dashed = word.replace(['–', '—'], "-");
    let parts = dashed.split_once('-').and_then(|(open, close)| {
        let end_of_day = || NaiveTime::from_hms_nano_opt(23, 59, 59, 999_999_999);
        let close = if close.trim() == "24:00" { end_of_day() } else { parse_time(close.trim()) };
        Some((parse_time(open.trim())?, close?))
    });
    let (open, close) =
        parts.ok_or_else(|| format!("{} is no pair of times; write \"08:00-20:00\"", quoted(word)))?;
    if close <= open {
        return Err(format!(
            "{} closes before it opens; a window lies within one day, as in \"08:00-20:00\"",
            quoted(word)
        ));
    }
    Ok((open, close))
}

const DAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Mon),
    ("tue", Weekday::Tue),
    ("wed", Weekday::Wed),
    ("thu", Weekday::Thu),
    ("fri", Weekday::Fri),
    ("sat", Weekday::Sat),
    ("sun", Weekday::Sun),
];

/// Days of the week: `"mon-fri"`, `"mon,wed,fri"`, or both mixed.
pub(super) fn days(value: &Value) -> Read<SendDays> {
    let mut days = Vec::new();
    for part in text(value)?.split(',').map(str::trim) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (mut day, last) = (weekday(first)?, weekday(last)?);
        days.push(day);
        while day != last {
            day = day.succ();
            days.push(day);
        }
    }
    SendDays::of(days).ok_or_else(|| "names no day".to_owned())
}

fn weekday(word: &str) -> Read<Weekday> {
    let word = word.trim().to_lowercase();
    if let Some((_, day)) = DAYS.iter().find(|(name, _)| *name == word) {
        return Ok(*day);
    }
    // "monday" and "Tues" begin with the word that is meant.
    let near = DAYS.iter().map(|(name, _)| *name).find(|name| word.starts_with(name));
    let near = near.or_else(|| nearest(&word, DAYS.iter().map(|(name, _)| *name)));
    let names = DAYS.map(|(name, _)| name).join(", ");
    Err(format!("{} is none of {names}{}", quoted(&word), did_you_mean(near)))
}

/// A day, `"2026-12-25"`, with or without quotes.
pub(super) fn date(value: &Value) -> Read<NaiveDate> {
    let word = match value {
        Value::Date(date) => date.as_str(),
        other => text(other)?,
    };
    iso_date(word)
        .ok_or_else(|| format!("{} is no day of the calendar; write it as in \"2026-12-25\"", quoted(word)))
}

/// A zone by its IANA name.
pub(super) fn zone(value: &Value) -> Read<Tz> {
    let word = text(value)?;
    zones::parse(word).map_err(|meant| {
        let mend = match meant {
            Some(_) => did_you_mean(meant),
            None => "; write one as in \"Europe/Berlin\"".to_owned(),
        };
        format!("{} is no IANA time zone{mend}", quoted(word))
    })
}

/// A language as in BCP 47: `en`, `de-AT`.
pub(super) fn locale(value: &Value) -> Read<String> {
    let word = text(value)?;
    if is_language_tag(word) {
        return Ok(word.to_owned());
    }
    Err(format!("{} is no language tag; write one as in \"en\" or \"de-AT\"", quoted(word)))
}

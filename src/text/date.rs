//! Calendar dates: written as `2026-03-20` and in no other way, for `03/04/26` is April to one and March to another.

use std::ops::RangeInclusive;

use chrono::{Datelike, NaiveDate};

use crate::domain::supply::iso_date;

/// A year outside is a typing error, or an "unknown" such as 9999-12-31.
pub const YEARS: RangeInclusive<i32> = 2000..=2199;

/// Reads a day.
///
/// # Errors
/// What is wrong with it and how to write it, as the rest of a sentence that begins with the text.
pub fn parse(text: &str) -> Result<NaiveDate, String> {
    match iso_date(text) {
        Some(day) if YEARS.contains(&day.year()) => Ok(day),
        Some(_) => Err("is far from now; check the year".into()),
        None => Err(mend(text)),
    }
}

fn mend(text: &str) -> String {
    // `2026-03-20T00:00:00Z`: an export that knows no dates, only instants.
    if let Some(day) = text.split_once(['T', ' ']).and_then(|(day, _)| iso_date(day)) {
        return format!("has a time; write {day}");
    }
    match readings(text).as_slice() {
        [] => "is not a date; write it as 2026-03-20".into(),
        [one] => format!("is not written as a date is here; write {one}"),
        [first, ..] => format!("can be read two ways; write {first}"),
    }
}

/// The days a text may mean, day before month first.
fn readings(text: &str) -> Vec<NaiveDate> {
    let parts: Vec<&str> = text.split(['/', '.', '-']).map(str::trim).collect();
    let number = |s: &str| {
        if s.len() <= 4 && s.bytes().all(|b| b.is_ascii_digit()) { s.parse::<u32>().ok() } else { None }
    };
    let [Some(a), Some(b), Some(c)] = parts.iter().map(|part| number(part)).collect::<Vec<_>>()[..] else {
        return Vec::new();
    };
    let full_year_first = parts.first().is_some_and(|year| year.len() == 4);
    let year = |y: u32| if y < 100 { y + 2000 } else { y };
    let orders = if full_year_first {
        vec![(a, b, c)]
    } else if text.contains('.') {
        // Nobody who writes dots puts the month first.
        vec![(year(c), b, a)]
    } else {
        vec![(year(c), b, a), (year(c), a, b)]
    };
    let mut days: Vec<_> = orders
        .into_iter()
        .filter_map(|(y, m, d)| NaiveDate::from_ymd_opt(i32::try_from(y).ok()?, m, d))
        .filter(|day| YEARS.contains(&day.year()))
        .collect();
    days.dedup();
    days
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_in_any_other_writing_is_refused_with_the_right_one() {
        let cases = [
            ("03/04/26", "can be read two ways; write 2026-04-03"),
            ("03-04-2026", "can be read two ways; write 2026-04-03"),
            ("03/03/26", "is not written as a date is here; write 2026-03-03"),
            ("20/03/2026", "is not written as a date is here; write 2026-03-20"),
            ("03/20/2026", "is not written as a date is here; write 2026-03-20"),
            ("3.4.26", "is not written as a date is here; write 2026-04-03"),
            ("2026-3-20", "is not written as a date is here; write 2026-03-20"),
            ("2026/03/20", "is not written as a date is here; write 2026-03-20"),
            ("2026-03-20T00:00:00Z", "has a time; write 2026-03-20"),
            ("2026-03-20 10:00", "has a time; write 2026-03-20"),
            ("2026-02-30", "is not a date; write it as 2026-03-20"),
            ("soon", "is not a date; write it as 2026-03-20"),
            ("46101", "is not a date; write it as 2026-03-20"),
            ("9999-12-31", "is far from now; check the year"),
        ];
        for (read, mend) in cases {
            assert_eq!(parse(read).unwrap_err(), mend, "{read}");
        }
    }
}

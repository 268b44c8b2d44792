//! Calendar dates: written as `2026-03-20` and in no other way, for `03/04/26` is April to one and March to another.

use chrono::{Datelike, NaiveDate};
use serde_json::Value;

use super::fault::FieldError;
use super::value::{Read, YEARS, id};
use crate::domain::supply::{Eta, iso_date};

/// A day.
pub(super) fn date(value: Value) -> Read<NaiveDate> {
    let read = id(value)?;
    day(&read).map_err(|mend| FieldError::text(&read, mend))
}

/// A day or, as `2026-03-20/2026-03-27`, a range; None for `unknown`, as `eta set` has it.
pub(super) fn eta(value: Value) -> Read<Option<Eta>> {
    let read = id(value)?;
    if read.eq_ignore_ascii_case("unknown") {
        return Ok(None);
    }
    let eta = match read.split_once('/') {
        // With more than one slash it is a date as people write it, not a range.
        Some((from, to)) if !to.contains('/') => day(from.trim())
            .and_then(|from| Ok(Eta { from, to: day(to.trim())? }))
            .and_then(|eta| if eta.from <= eta.to { Ok(eta) } else { Err(backwards(eta)) }),
        _ => day(&read).map(Eta::day),
    };
    eta.map(Some).map_err(|mend| FieldError::text(&read, mend))
}

fn backwards(eta: Eta) -> String {
    format!("ends before it begins; write {}/{}", eta.to, eta.from)
}

/// A day, or what is wrong with it and how to write it.
fn day(read: &str) -> Result<NaiveDate, String> {
    match iso_date(read) {
        Some(day) if YEARS.contains(&day.year()) => Ok(day),
        Some(_) => Err("is far from now; check the year".into()),
        None => Err(mend(read)),
    }
}

fn mend(read: &str) -> String {
    // `2026-03-20T00:00:00Z`: an export that knows no dates, only instants.
    if let Some(day) = read.split_once(['T', ' ']).and_then(|(day, _)| iso_date(day)) {
        return format!("has a time; write {day}");
    }
    match readings(read).as_slice() {
        [] => "is not a date; write it as 2026-03-20".into(),
        [one] => format!("is not written as a date is here; write {one}"),
        [first, ..] => format!("can be read two ways; write {first}"),
    }
}

/// The days a text may mean, day before month first.
fn readings(read: &str) -> Vec<NaiveDate> {
    let parts: Vec<&str> = read.split(['/', '.', '-']).map(str::trim).collect();
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
    } else if read.contains('.') {
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
            assert_eq!(date(read.into()).unwrap_err().says(), format!("\"{read}\" {mend}"));
        }
    }

    #[test]
    fn an_eta_is_a_day_or_a_range_that_runs_forward() {
        let cases = [
            ("2026-03-20", Ok("2026-03-20")),
            (" 2026-03-20 / 2026-03-27 ", Ok("2026-03-20/2026-03-27")),
            ("2026-03-27/2026-03-20", Err("ends before it begins; write 2026-03-20/2026-03-27")),
            ("2026-03-20/03.04.26", Err("is not written as a date is here; write 2026-04-03")),
            ("03/04/26", Err("can be read two ways; write 2026-04-03")),
            ("week 14", Err("is not a date; write it as 2026-03-20")),
        ];
        for (read, wanted) in cases {
            let got = eta(read.into()).map(|eta| eta.unwrap().to_string()).map_err(|e| e.mend);
            assert_eq!(got, wanted.map(str::to_owned).map_err(str::to_owned), "{read}");
        }
    }
}

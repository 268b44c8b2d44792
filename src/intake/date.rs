//! Dates of facts: a day, or for goods on their way a range of days.

use chrono::NaiveDate;
use serde_json::Value;

use super::fault::FieldError;
use super::value::{Read, id};
use crate::domain::supply::Eta;
use crate::text::date;

/// A day.
pub(super) fn day(value: Value) -> Read<NaiveDate> {
    let read = id(value)?;
    date::parse(&read).map_err(|mend| FieldError::text(&read, mend))
}

/// A day or, as `2026-03-20/2026-03-27`, a range; None for `unknown`, as `eta set` has it.
pub(super) fn eta(value: Value) -> Read<Option<Eta>> {
    let read = id(value)?;
    if read.eq_ignore_ascii_case("unknown") {
        return Ok(None);
    }
    let eta = match read.split_once('/') {
        // With more than one slash it is a date as people write it, not a range.
        Some((from, to)) if !to.contains('/') => date::parse(from.trim())
            .and_then(|from| Ok(Eta { from, to: date::parse(to.trim())? }))
            .and_then(|eta| if eta.from <= eta.to { Ok(eta) } else { Err(backwards(eta)) }),
        _ => date::parse(&read).map(Eta::day),
    };
    eta.map(Some).map_err(|mend| FieldError::text(&read, mend))
}

fn backwards(eta: Eta) -> String {
    format!("ends before it begins; write {}/{}", eta.to, eta.from)
}

#[cfg(test)]
mod tests {
    use super::*;

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

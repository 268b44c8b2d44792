//! How arguments that several verbs take are read: as of when, and until when.

use chrono::{NaiveDate, NaiveDateTime, TimeDelta};
use chrono_tz::Tz;
use clap::Args;

use crate::clock::Clock;
use crate::domain::calendar::{Instant, instant_of, start_of};
use crate::domain::supply::iso_date;
use crate::text::duration;

/// As of when a question is asked.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct AsOf {
    /// Answer as if it were then, as in 2026-03-02T08:14:00Z.
    #[arg(long, value_name = "INSTANT", value_parser = instant)]
    at: Option<Instant>,
}

impl AsOf {
    pub fn now(self) -> Instant {
        self.at.unwrap_or_else(|| Clock::System.now())
    }
}

fn instant(text: &str) -> Result<Instant, String> {
    text.parse().map_err(|_| "write an instant with its zone, as in 2026-03-02T08:14:00Z".to_owned())
}

/// An end of a span of time: `7d`, `48h`, `30m` from now on, a day, which is meant whole, or a moment by the shop's
/// clock or any other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Until {
    In(TimeDelta),
    Day(NaiveDate),
    Local(NaiveDateTime),
    At(Instant),
}

impl Until {
    /// Reads what a person wrote.
    pub fn read(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("{text:?} is no span; write it as in 7d, 48h or 2026-03-31, or 2026-03-31T18:00");
        if let Some(day) = iso_date(text) {
            return Ok(Self::Day(day));
        }
        if let Ok(at) = text.parse() {
            return Ok(Self::At(at));
        }
        if let Ok(local) = NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M") {
            return Ok(Self::Local(local));
        }
        let span = duration::parse(text.strip_prefix('+').unwrap_or(text)).ok_or_else(wrong)?;
        if span <= TimeDelta::zero() || span > TimeDelta::days(3660) {
            return Err(wrong());
        }
        Ok(Self::In(span))
    }

    pub fn instant(self, now: Instant, zone: Tz) -> Instant {
        match self {
            Self::In(span) => now + span,
            Self::Day(day) => start_of(day.succ_opt().unwrap_or(day), zone) - TimeDelta::milliseconds(1),
            Self::Local(local) => instant_of(local, zone),
            Self::At(at) => at,
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono_tz::Europe::Berlin;

    use super::*;

    #[test]
    fn a_span_is_read_in_one_way() {
        assert_eq!(Until::read("7d"), Ok(Until::In(TimeDelta::days(7))));
        assert_eq!(Until::read("+2w"), Ok(Until::In(TimeDelta::weeks(2))));
        let now = "2026-12-31T23:30:00Z".parse().unwrap();
        let day = Until::read("2026-12-31").unwrap();
        assert_eq!(day.instant(now, Berlin).to_string(), "2026-12-31 22:59:59.999 UTC");
        let evening = Until::read("2026-12-31T18:00").unwrap().instant(now, Berlin);
        assert_eq!(evening.to_string(), "2026-12-31 17:00:00 UTC", "by the shop's clock");
        assert_eq!(Until::read("2026-12-31T18:00:00+01:00"), Ok(Until::At(evening)));
        for wrong in ["", "7", "d", "-1d", "0h", "7 days", "9999999d", "9999999999999999d", "2026-3-1"] {
            assert!(Until::read(wrong).is_err(), "{wrong}");
        }
    }
}

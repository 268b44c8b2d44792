//! What a shop may decide, as one value. Read from `config.toml` by `config`, passed to every rule.

use std::collections::BTreeSet;

use chrono::{Datelike, NaiveDate, NaiveTime, TimeDelta, Weekday};
use chrono_tz::Tz;

use super::calendar::{SendDays, SendWindow, plus_days};
use super::fact::Partial;
use super::reply::Retry;

/// A date that goes on moving is told after so long at the latest.
pub const LONGEST_DEBOUNCE: TimeDelta = TimeDelta::hours(1);

/// After so many weekly statuses in a row that came to nothing a person is asked, and the next waits as long as ever.
pub const STATUS_FAILURES: u32 = 3;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// The shop's zone: promises, ETAs and told are dates in it.
    pub zone: Tz,
    /// Days from a supply's ETA until it can leave.
    pub handling_days: u32,
    /// Days added on top, so that we say 14 when we think 10.
    pub buffer_days: u32,
    /// Count handling and buffer in business days (Monday to Friday, without `holidays`).
    pub business_days: bool,
    pub holidays: BTreeSet<NaiveDate>,
    /// A date that much earlier than told is worth a notice.
    pub improve_min_days: u32,
    /// How long a date must stand before its change is told.
    pub debounce: TimeDelta,
    /// Age of an order at its short plain update.
    pub update_after: TimeDelta,
    /// Civil days of silence after which the weekly status is due.
    pub status_every: u32,
    /// Local time of routine notices.
    pub status_at: NaiveTime,
    pub window: SendWindow,
    pub partial: Partial,
    pub retry: Retry,
    /// One change that would make more notices due than this is held until a person releases it.
    pub blast_limit: usize,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            zone: Tz::UTC,
            handling_days: 0,
            buffer_days: 4,
            business_days: false,
            holidays: BTreeSet::new(),
            improve_min_days: 3,
            debounce: TimeDelta::minutes(15),
            update_after: TimeDelta::hours(48),
            status_every: 7,
            status_at: hour(10),
            window: SendWindow { open: hour(8), close: hour(20), days: SendDays::ALL },
            partial: Partial::Split,
            retry: Retry::default(),
            blast_limit: 200,
        }
    }
}

/// `h` o'clock; midnight if there is no such hour.
fn hour(h: u32) -> NaiveTime {
    NaiveTime::from_hms_opt(h, 0, 0).unwrap_or(NaiveTime::MIN)
}

impl Policy {
    /// `day` moved by `days`, in the days this shop counts in.
    pub fn after(&self, day: NaiveDate, days: u32) -> NaiveDate {
        if !self.business_days {
            return plus_days(day, days);
        }
        let mut day = day;
        for _ in 0..days {
            day = plus_days(day, 1);
            while self.is_holiday(day) && day < NaiveDate::MAX {
                day = plus_days(day, 1);
            }
        }
        day
    }

    fn is_holiday(&self, day: NaiveDate) -> bool {
        matches!(day.weekday(), Weekday::Sat | Weekday::Sun) || self.holidays.contains(&day)
    }
}

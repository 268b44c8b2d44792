//! Civil time: days, send windows, daylight saving. Instants are UTC; what people read is a date in a zone.
//!
//! A local time that does not exist moves to the first valid instant, one that exists twice takes the earlier.

use chrono::{
    DateTime, Datelike, Days, MappedLocalTime, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone, Utc,
    Weekday,
};
use chrono_tz::{GapInfo, Tz};

/// A moment, always UTC.
pub type Instant = DateTime<Utc>;

/// A date as it is written, `2026-03-20`. By hand: dates are read for every line of every order and mail, and the general
/// way takes ten times as long.
pub fn date_of(text: &str) -> Option<NaiveDate> {
    let number = |part: &[u8]| {
        let digit = |byte: &u8| byte.is_ascii_digit().then(|| u32::from(byte - b'0'));
        part.iter().try_fold(0, |number, byte| Some(number * 10 + digit(byte)?))
    };
    match text.as_bytes() {
        [year @ .., b'-', m, n, b'-', d, e] if year.len() == 4 => NaiveDate::from_ymd_opt(
            i32::try_from(number(year)?).ok()?,
            number(&[*m, *n])?,
            number(&[*d, *e])?,
        ),
        _ => text.parse().ok(),
    }
}

/// The instant at which the clocks in `zone` show `local`.
pub fn instant_of(local: NaiveDateTime, zone: Tz) -> Instant {
    match zone.from_local_datetime(&local) {
        MappedLocalTime::Single(at) | MappedLocalTime::Ambiguous(at, _) => at.to_utc(),
        MappedLocalTime::None => GapInfo::new(&local, &zone)
            .and_then(|gap| gap.end)
            .map_or_else(|| local.and_utc(), |end| end.to_utc()),
    }
}

/// The civil day in `zone` at `at`.
pub fn day_of(at: Instant, zone: Tz) -> NaiveDate {
    at.with_timezone(&zone).date_naive()
}

/// When the civil day `day` begins in `zone`.
pub fn start_of(day: NaiveDate, zone: Tz) -> Instant {
    instant_of(day.and_time(NaiveTime::MIN), zone)
}

/// `day` moved by `days` (calendar days); the end of time stays where it is.
pub fn plus_days(day: NaiveDate, days: u32) -> NaiveDate {
    day.checked_add_days(Days::new(u64::from(days))).unwrap_or(NaiveDate::MAX)
}

/// The weekdays on which routine notices may go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SendDays(u8);

impl SendDays {
    pub const ALL: Self = Self(0b111_1111);

    /// The given days; None if there are none.
    pub fn of(days: impl IntoIterator<Item = Weekday>) -> Option<Self> {
        let bits = days.into_iter().fold(0, |bits, day| bits | 1 << day.num_days_from_monday());
        (bits != 0).then_some(Self(bits))
    }

    pub fn contains(self, day: Weekday) -> bool {
        self.0 & (1 << day.num_days_from_monday()) != 0
    }
}

/// When routine notices may go out, in the customer's zone: from `open` to before `close`, on `days`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SendWindow {
    pub open: NaiveTime,
    /// Later than `open`.
    pub close: NaiveTime,
    pub days: SendDays,
}

impl SendWindow {
    pub fn is_open(&self, at: Instant, zone: Tz) -> bool {
        let local = at.with_timezone(&zone).naive_local();
        self.days.contains(local.weekday()) && self.open <= local.time() && local.time() < self.close
    }

    /// `at` itself if the window is open then, else the next moment it opens.
    pub fn next_open(&self, at: Instant, zone: Tz) -> Instant {
        if self.is_open(at, zone) {
            return at;
        }
        let today = day_of(at, zone);
        (0..=7)
            .map(|ahead| plus_days(today, ahead))
            .filter(|day| self.days.contains(day.weekday()))
            .map(|day| instant_of(day.and_time(self.open), zone))
            .find(|opens| *opens >= at)
            .unwrap_or(at)
    }

    /// `time` on `day`, moved into the window if it lies outside it on that day.
    pub fn clamp(&self, day: NaiveDate, time: NaiveTime, zone: Tz) -> Instant {
        let last = self.close - TimeDelta::minutes(1);
        instant_of(day.and_time(time.clamp(self.open, last.max(self.open))), zone)
    }

    /// The last day not after `day` on which the window opens at all.
    pub fn day_at_or_before(&self, day: NaiveDate) -> NaiveDate {
        let mut day = day;
        while !self.days.contains(day.weekday()) {
            day = day.pred_opt().unwrap_or(day);
        }
        day
    }

    /// The first day not before `day` on which the window opens at all.
    pub fn day_at_or_after(&self, day: NaiveDate) -> NaiveDate {
        let mut day = day;
        while !self.days.contains(day.weekday()) {
            day = plus_days(day, 1);
        }
        day
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono_tz::{America::New_York, Europe::Berlin};

    fn at(text: &str) -> Instant {
        text.parse().unwrap()
    }
    fn window() -> SendWindow {
        let hour = |h| NaiveTime::from_hms_opt(h, 0, 0).unwrap();
        SendWindow { open: hour(8), close: hour(20), days: SendDays::ALL }
    }
    fn local(text: &str) -> NaiveDateTime {
        NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M").unwrap()
    }

    #[test]
    fn a_date_is_read_as_it_is_written() {
        for date in ["2026-03-20", "1999-12-31", "2028-02-29", "0001-01-01", "+12026-03-20", "-0044-03-15"] {
            assert_eq!(date_of(date).map(|day| day.to_string()).as_deref(), Some(date));
        }
        for other in ["2026-02-29", "2026-13-01", "20 March", "2026-03-2x", ""] {
            assert_eq!(date_of(other), None, "{other}");
        }
    }

    #[test]
    fn a_time_in_the_gap_moves_to_the_first_valid_instant() {
        assert_eq!(instant_of(local("2026-03-08 02:30"), New_York), at("2026-03-08T07:00:00Z"));
        assert_eq!(instant_of(local("2026-03-29 02:30"), Berlin), at("2026-03-29T01:00:00Z"));
    }

    #[test]
    fn a_time_that_comes_twice_is_the_earlier_one() {
        assert_eq!(instant_of(local("2026-11-01 01:30"), New_York), at("2026-11-01T05:30:00Z"));
        assert_eq!(instant_of(local("2026-10-25 02:30"), Berlin), at("2026-10-25T00:30:00Z"));
    }

    #[test]
    fn ten_o_clock_in_berlin_moves_in_utc_when_the_clocks_change() {
        assert_eq!(instant_of(local("2026-03-28 10:00"), Berlin), at("2026-03-28T09:00:00Z"));
        assert_eq!(instant_of(local("2026-03-29 10:00"), Berlin), at("2026-03-29T08:00:00Z"));
    }

    #[test]
    fn outside_the_window_the_next_opening_counts() {
        assert_eq!(window().next_open(at("2026-03-09T03:30:00Z"), New_York), at("2026-03-09T12:00:00Z"));
        assert_eq!(window().next_open(at("2026-03-09T13:00:00Z"), New_York), at("2026-03-09T13:00:00Z"));
    }

    #[test]
    fn closed_days_are_passed_over_in_both_directions() {
        use Weekday::{Fri, Mon, Thu, Tue, Wed};
        let window = SendWindow { days: SendDays::of([Mon, Tue, Wed, Thu, Fri]).unwrap(), ..window() };
        let sunday = NaiveDate::from_ymd_opt(2026, 3, 8).unwrap();
        assert_eq!(window.day_at_or_before(sunday).to_string(), "2026-03-06");
        assert_eq!(window.day_at_or_after(sunday).to_string(), "2026-03-09");
        assert_eq!(window.next_open(at("2026-03-07T12:00:00Z"), Tz::UTC), at("2026-03-09T08:00:00Z"));
    }
}

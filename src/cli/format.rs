//! How things are said to people: local times, days, states, the mode. Used by every verb that reads.

use chrono::{Datelike, NaiveDate, TimeDelta};
use chrono_tz::Tz;

use crate::config::Config;
use crate::domain::calendar::{Instant, day_of};
use crate::domain::notice::{NoticeState, Reason};

/// The shop's clock and calendar, as people read them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Local {
    pub zone: Tz,
    pub now: Instant,
}

impl Local {
    /// `Mon 02 Mar 09:14`; with the year when it is not this one.
    pub fn time(self, at: Instant) -> String {
        let local = at.with_timezone(&self.zone);
        let year = if local.year() == self.today().year() { "" } else { " %Y" };
        local.format(&format!("%a %d %b{year} %H:%M")).to_string()
    }

    /// The same to the second, for what happens within one.
    pub fn exact(self, at: Instant) -> String {
        let local = at.with_timezone(&self.zone);
        local.format("%a %d %b %Y %H:%M:%S %Z").to_string()
    }

    /// `31 Mar`; with the year when it is not this one.
    pub fn day(self, day: NaiveDate) -> String {
        let year = if day.year() == self.today().year() { "" } else { " %Y" };
        day.format(&format!("%-d %b{year}")).to_string()
    }

    /// A day, or in so many words that there is none.
    pub fn day_or_none(self, day: Option<NaiveDate>) -> String {
        day.map_or_else(|| "no date".to_owned(), |day| self.day(day))
    }

    pub fn today(self) -> NaiveDate {
        day_of(self.now, self.zone)
    }
}

/// The first line of whatever speaks of mail; empty in live mode.
pub(super) fn mode_line(config: &Config) -> String {
    config.delivery.mode.sentence().map_or_else(String::new, |sentence| format!("mode {sentence}\n"))
}

/// Says that facts were recorded which no daemon has worked in yet (`Store::uncovered_since`); empty if there are none.
pub(super) fn uncovered(since: Option<Instant>, local: Local) -> String {
    since.map_or_else(String::new, |since| {
        format!(
            "What was recorded since {} is not planned yet, `shipby serve` does that: dates and what comes next are as before it.\n",
            local.time(since)
        )
    })
}

/// The state of a notice in a word or two. What was accepted in another mode than live is called what it was.
pub(super) fn state(state: &str, mode: Option<&str>) -> String {
    match (NoticeState::from_word(state), mode) {
        (Some(NoticeState::Accepted), Some("capture")) => "captured".to_owned(),
        (Some(NoticeState::Accepted), Some("redirect")) => "redirected".to_owned(),
        (Some(NoticeState::InDoubt), _) => "in doubt".to_owned(),
        _ => state.to_owned(),
    }
}

/// Why something was not mailed, in a sentence that can be read aloud.
pub(super) fn reason(reason: &str, by: Option<&str>) -> String {
    Reason::from_word(reason).map_or_else(|| reason.to_owned(), |known| known.sentence(by))
}

/// How long something took: `40 ms`, `1.2 s`, `10 min 3 s`.
pub(super) fn span(span: TimeDelta) -> String {
    match span.num_milliseconds() {
        short if short < 1_000 => format!("{} ms", short.max(0)),
        middle if middle < 60_000 => format!("{}.{} s", middle / 1_000, middle % 1_000 / 100),
        long => format!("{} min {} s", long / 60_000, long % 60_000 / 1_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local() -> Local {
        Local { zone: chrono_tz::Europe::Berlin, now: "2026-12-31T23:30:00Z".parse().unwrap() }
    }

    #[test]
    fn a_year_is_said_when_it_is_not_this_one() {
        let at: Instant = "2026-03-02T08:14:00Z".parse().unwrap();
        assert_eq!(local().time(at), "Mon 02 Mar 2026 09:14", "it is 2027 in Berlin already");
        let before = Local { now: at, ..local() };
        assert_eq!(before.time(at), "Mon 02 Mar 09:14");
        assert_eq!(before.day(NaiveDate::from_ymd_opt(2027, 1, 5).unwrap()), "5 Jan 2027");
    }

    #[test]
    fn a_span_is_as_long_as_it_needs_to_be() {
        for (millis, said) in [
            (0, "0 ms"),
            (-3, "0 ms"),
            (999, "999 ms"),
            (1_240, "1.2 s"),
            (59_999, "59.9 s"),
            (603_000, "10 min 3 s"),
        ] {
            assert_eq!(span(TimeDelta::milliseconds(millis)), said);
        }
    }
}

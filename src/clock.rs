//! What time it is: the only place that asks the system.
//!
//! Instants are cut to the millisecond, as the database keeps them. Work asks once and passes the answer on.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, Utc};

use crate::domain::calendar::Instant;

/// When this program was built: a system's clock before that is wrong (machines without a battery boot in 1970).
pub fn built() -> Instant {
    const SECONDS: i64 = match i64::from_str_radix(env!("SHIPBY_BUILT"), 10) {
        Ok(seconds) => seconds,
        Err(_) => panic!("the build date is no number"),
    };
    from_millis(SECONDS.saturating_mul(1000))
}

/// The system's clock, or one that the demo, `simulate` and the tests move.
#[derive(Debug, Clone)]
pub enum Clock {
    System,
    Simulated(Simulated),
}

impl Clock {
    /// A clock that stands at `start` until it is moved, and its hand.
    pub fn simulated(start: Instant) -> (Self, Simulated) {
        let hand = Simulated::at(start);
        (Self::Simulated(hand.clone()), hand)
    }

    /// Now, to the millisecond.
    pub fn now(&self) -> Instant {
        match self {
            Self::System => from_millis(system_now().timestamp_millis()),
            Self::Simulated(hand) => hand.now(),
        }
    }

    /// False while the system's clock cannot be right, for it is before this program was `built`; nothing may be sent
    /// then. A simulated clock is always right.
    pub fn is_right(&self, built: Instant) -> bool {
        matches!(self, Self::Simulated(_)) || self.now() >= built
    }
}

#[allow(clippy::disallowed_methods, reason = "the one place where the system's clock is read")]
fn system_now() -> Instant {
    Utc::now()
}

/// The hand of a simulated clock; clones move the same clock.
#[derive(Debug, Clone)]
pub struct Simulated(Arc<AtomicI64>);

impl Simulated {
    /// A clock that stands at `start`.
    pub fn at(start: Instant) -> Self {
        Self(Arc::new(AtomicI64::new(start.timestamp_millis())))
    }

    pub fn now(&self) -> Instant {
        from_millis(self.0.load(Ordering::SeqCst))
    }

    /// Moves on to `at`; an earlier instant changes nothing. Returns the time it is then.
    pub fn set(&self, at: Instant) -> Instant {
        self.0.fetch_max(at.timestamp_millis(), Ordering::SeqCst);
        self.now()
    }

    /// Jumps to `at`, also backwards: what a badly set machine does.
    pub fn jump(&self, at: Instant) {
        self.0.store(at.timestamp_millis(), Ordering::SeqCst);
    }
}

/// An instant that no calendar holds becomes the last one that it does.
fn from_millis(millis: i64) -> Instant {
    DateTime::from_timestamp_millis(millis).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;

    fn at(text: &str) -> Instant {
        text.parse().unwrap()
    }

    #[test]
    fn a_simulated_clock_moves_on_when_told_and_back_only_by_a_jump() {
        let (clock, hand) = Clock::simulated(at("2026-03-02T08:14:00.123456Z"));
        assert_eq!(clock.now(), at("2026-03-02T08:14:00.123Z"));
        assert_eq!(hand.set(at("2026-03-04T08:14:00.123Z")), clock.now());
        assert_eq!(hand.set(at("2026-03-03T00:00:00Z")), at("2026-03-04T08:14:00.123Z"));
        assert_eq!(hand.set(at("2026-03-05T00:00:00Z")), clock.now());
        hand.jump(at("2026-03-03T00:00:00Z"));
        assert_eq!(clock.now(), at("2026-03-03T00:00:00Z"));
    }

    #[test]
    fn the_system_is_asked_to_the_millisecond() {
        assert_eq!(Clock::System.now().timestamp_subsec_nanos() % 1_000_000, 0);
    }

    #[test]
    fn a_system_s_clock_before_the_build_is_wrong_and_a_simulated_one_never() {
        assert!(built() > at("2026-01-01T00:00:00Z"), "{}", built());
        assert!(Clock::System.is_right(built()));
        let later = Clock::System.now() + TimeDelta::days(1);
        assert!(!Clock::System.is_right(later));
        assert!(Clock::simulated(at("1999-01-01T00:00:00Z")).0.is_right(later));
    }
}

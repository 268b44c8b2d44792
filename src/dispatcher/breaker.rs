//! The breaker: while the relay cannot be used one mail probes it per backoff, and nothing is counted against any.

use chrono::TimeDelta;

use crate::domain::calendar::Instant;
use crate::domain::reply::{Reply, Retry};
use crate::mail::Failure;

/// The longest wait between two probes.
const LONGEST: TimeDelta = TimeDelta::minutes(30);

/// Why the relay cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Down {
    /// In its words or ours.
    pub words: String,
    /// It is about us: it does not mend itself.
    ours: bool,
}

impl Down {
    pub fn by(failure: &Failure) -> Self {
        Self { words: failure.without_customers(), ours: matches!(failure, Failure::Config { .. }) }
    }

    /// So many mails in a row were refused by policy, the last one like this.
    pub fn refused(in_a_row: u32, reply: &Reply) -> Self {
        // Without the server's words, which may hold a customer's address.
        let words = format!(
            "{in_a_row} mails in a row were refused by a rule, the last one with {}; see shipby queue list",
            reply.codes()
        );
        Self { words, ours: true }
    }

    /// So many envelopes in a row got no answer; `how` says of the last one what came instead.
    pub fn unanswered(in_a_row: u32, how: &str) -> Self {
        Self { words: format!("{in_a_row} mails in a row were not answered: {how}"), ours: true }
    }
}

/// How the relay fares.
#[derive(Debug)]
pub(super) struct CircuitBreaker {
    /// In a row.
    failures: u32,
    /// When it is probed next.
    pub probe_at: Option<Instant>,
    /// Nothing is known of it since the start.
    unknown: bool,
}

impl Default for CircuitBreaker {
    fn default() -> Self {
        Self { failures: 0, probe_at: None, unknown: true }
    }
}

impl CircuitBreaker {
    pub fn is_down(&self) -> bool {
        self.failures > 0
    }

    /// It could not be used. Says whether ops are to know: at once of what is about us; of anything else not before a
    /// probe has failed as well, for a relay that restarts is no incident.
    pub fn fails(&mut self, down: &Down, now: Instant, retry: &Retry) -> bool {
        self.failures += 1;
        let wait = retry.next(now, self.failures, "relay") - now;
        self.probe_at = Some(now + wait.min(LONGEST));
        down.ours || self.failures > 1
    }

    /// It could be used. Says whether that is news.
    pub fn works(&mut self) -> bool {
        let news = self.unknown || self.is_down();
        *self = Self { failures: 0, probe_at: None, unknown: false };
        news
    }
}

//! Notices: what one says and when it is of use, and the occasion that makes each unique.
//!
//! In reading order: the kinds and what holds for each (`kind`), how far delivery has come (`state`), and why something
//! was not mailed (`reason`).

mod kind;
mod reason;
mod state;

use chrono::{DateTime, NaiveDate};
use serde::{Deserialize, Serialize};

use crate::domain::calendar::Instant;
use crate::domain::customer::EmailAddress;
use crate::domain::reply::PATIENCE;

pub use kind::{KindRules, NoticeKind, Topic};
pub use reason::Reason;
pub use state::NoticeState;

/// As much of a notice's id as people need to name it: the half that its order shares with its neighbours (see
/// `Store::notice_id`), and as much again.
pub fn short_id(id: &str) -> &str {
    id.get(..10).unwrap_or(id)
}

/// The idempotency key of a notice in words of the domain, as `weekly_status/2026-03-10`.
pub type Occasion = String;

/// Names an occasion: the kind alone, or with what makes it one of several.
pub fn occasion(kind: NoticeKind, key: Option<&dyn std::fmt::Display>) -> Occasion {
    key.map_or_else(|| kind.to_string(), |key| format!("{kind}/{key}"))
}

/// What a notice says about one line that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatedLine {
    pub line: String,
    pub units: u32,
    /// The date stated; None: that there is none.
    pub date: Option<NaiveDate>,
    /// What counts as told once it is accepted.
    pub told: Option<NaiveDate>,
    /// What the customer had been told before: a notice may say both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<NaiveDate>,
    /// It says that the goods are in the house.
    pub in_house: bool,
    /// It says that the told date has passed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub missed: bool,
}

/// All that a notice states that may become untrue before it goes out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    pub email: EmailAddress,
    pub lines: Vec<StatedLine>,
    /// The shipments, cancellations and refunds it tells of.
    pub events: Vec<EventKey>,
}

/// Which of an order's news.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventKey {
    pub kind: NoticeKind,
    pub id: String,
}

/// One mail owed to one customer about one order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    pub kind: NoticeKind,
    pub occasion: Occasion,
    /// Kinds of lower rank that were due too and that it takes in.
    pub includes: Vec<NoticeKind>,
    pub content: Content,
    pub planned_at: Instant,
    /// After that it says nothing worth saying.
    pub useful_until: Instant,
    /// The weekly status the customer was led to expect, where this notice will restart the seven days.
    pub replaces_status: Option<NaiveDate>,
}

impl Notice {
    /// Its own kind and those that it takes in.
    pub fn kinds(&self) -> impl Iterator<Item = NoticeKind> {
        std::iter::once(self.kind).chain(self.includes.iter().copied())
    }

    /// Whether it is of this kind or takes one in.
    pub fn is_about(&self, kind: NoticeKind) -> bool {
        self.kinds().any(|its| its == kind)
    }
}

/// A notice that is not settled yet. An order has one at most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnderWay {
    pub id: String,
    pub state: NoticeState,
    /// A try of it ended in doubt, whatever the later ones came to: the server may have it.
    pub doubtful: bool,
    pub notice: Notice,
}

impl UnderWay {
    /// Delivery has come to `next`.
    pub fn comes_to(&mut self, next: NoticeState) {
        let legal = self.state == next || self.state.may_become(next);
        debug_assert!(legal, "{} of {} became {next}", self.notice.occasion, self.state);
        self.state = next;
    }
}

/// What became of an occasion that was not mailed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    pub kind: NoticeKind,
    pub occasion: Occasion,
    /// `skipped` or `superseded`.
    pub outcome: NoticeState,
    pub reason: Reason,
    /// The occasion that took its place, where there is one.
    pub by: Option<Occasion>,
}

/// Until when a notice is of use that is planned at `at`: as long as it is offered to a mail server.
pub fn useful_until(at: Instant) -> Instant {
    at.checked_add_signed(PATIENCE).unwrap_or(DateTime::<chrono::Utc>::MAX_UTC)
}

//! What a change would mail, before it is made: how many, of which kinds, when, and a few examples.

use std::collections::BTreeMap;

use chrono::{NaiveDate, TimeDelta};
use serde::Serialize;

use super::calendar::{Instant, day_of};
use super::forecast::{UpcomingNotice, forecast};
use super::notice::NoticeKind;
use super::order::{Line, Order};
use super::policy::Policy;

/// What a change would mail.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Impact {
    /// Orders that the change is about.
    pub orders: usize,
    /// Of those, who would hear nothing of it.
    pub unaffected: usize,
    /// Of those, who have no address.
    pub no_address: usize,
    pub mails: BTreeMap<NoticeKind, Mails>,
    /// Mails that the blast guard would hold.
    pub held: usize,
    /// The first orders that would be mailed.
    pub examples: Vec<Example>,
}

/// The mails of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Mails {
    pub count: usize,
    pub first_at: Instant,
    pub last_at: Instant,
}

/// What one customer would hear.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Example {
    pub order: String,
    pub kind: NoticeKind,
    pub at: Instant,
    /// The date the customer has in mind now, of the first line that moves, else of the first that waits.
    pub told: Option<NaiveDate>,
    pub would_be_told: Option<NaiveDate>,
}

/// Examples that are kept.
const EXAMPLES: usize = 5;

impl Impact {
    /// How many mails in all.
    pub fn count(&self) -> usize {
        self.mails.values().map(|mails| mails.count).sum()
    }

    /// Counts what the blast guard would hold if all of it came of one change of supply.
    pub fn guard(&mut self, policy: &Policy) {
        let held = self.mails.iter().filter(|(kind, _)| kind.rules().may_be_held);
        let held = held.map(|(_, mails)| mails.count).sum();
        self.held = if held > policy.blast_limit { held } else { 0 };
    }

    /// Takes in an order as it would stand after the change. Notices of the kinds that `tell` count as caused by it.
    pub fn add(&mut self, order: &Order, now: Instant, policy: &Policy, tells: fn(NoticeKind) -> bool) {
        self.orders += 1;
        if !order.is_mailable() {
            self.no_address += 1;
            return;
        }
        match caused(order, now, policy, tells) {
            Some(coming) => {
                self.note(coming.notice.kind, coming.at);
                self.show(order, coming.notice.kind, coming.at, policy);
            }
            None => self.unaffected += 1,
        }
    }

    /// Takes in what younger orders come to.
    pub fn absorb(&mut self, younger: Self) {
        self.orders += younger.orders;
        self.unaffected += younger.unaffected;
        self.no_address += younger.no_address;
        self.held += younger.held;
        for (kind, mails) in younger.mails {
            let all = self.mails.entry(kind).or_insert(Mails { count: 0, ..mails });
            all.count += mails.count;
            all.first_at = all.first_at.min(mails.first_at);
            all.last_at = all.last_at.max(mails.last_at);
        }
        self.examples.extend(younger.examples);
        self.examples.truncate(EXAMPLES);
    }

    /// Takes in a notice that is due at `at`.
    fn note(&mut self, kind: NoticeKind, at: Instant) {
        let mails = self.mails.entry(kind).or_insert(Mails { count: 0, first_at: at, last_at: at });
        mails.count += 1;
        mails.first_at = mails.first_at.min(at);
        mails.last_at = mails.last_at.max(at);
    }

    /// Keeps an order as an example, if there is room.
    fn show(&mut self, order: &Order, kind: NoticeKind, at: Instant, policy: &Policy) {
        if self.examples.len() >= EXAMPLES {
            return;
        }
        let (told, would_be_told) = news_of(order, at, policy);
        self.examples.push(Example { order: order.number.clone(), kind, at, told, would_be_told });
    }
}

/// What the customer was told and would be told at `at` of the first line that moves, else of the first that waits.
pub fn news_of(order: &Order, at: Instant, policy: &Policy) -> (Option<NaiveDate>, Option<NaiveDate>) {
    let promises = order.promises(day_of(at, policy.zone), policy);
    let moves = |line: &&Line| !promises.waits_for_others(line) && line.told != promises.date(line);
    let line = order.waiting().find(moves).or(order.waiting().next());
    line.map(|line| (line.told, promises.date(line))).unwrap_or_default()
}

/// The notice that would tell of a change made now. A change is debounced for an hour at most, and good news waits for the
/// send window, which is closed for a few days at most.
fn caused(
    order: &Order,
    now: Instant,
    policy: &Policy,
    tells: fn(NoticeKind) -> bool,
) -> Option<UpcomingNotice> {
    let until = now + TimeDelta::days(7);
    let caused = |coming: &UpcomingNotice| coming.notice.kinds().any(tells);
    forecast(order, now, policy, until, 2).into_iter().find(caused)
}

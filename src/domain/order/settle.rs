//! What a try to send came to, and what the order remembers of it.
//!
//! Told changes here and nowhere else after the checkout: only by a mail that the server accepted.

use chrono::{NaiveDate, TimeDelta};

use super::{Order, Tried};
use crate::domain::calendar::{Instant, day_of};
use crate::domain::due::next_status;
use crate::domain::notice::{
    Decision, Notice, NoticeKind, NoticeState, Occasion, Reason, UnderWay, occasion,
};
use crate::domain::policy::{Policy, STATUS_FAILURES};
use crate::domain::reply::APART;
use crate::domain::schedule::Schedule;
use crate::domain::suppression::Cause;

/// What a try came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Accepted,
    /// Put off; to be tried again. `attempt` counts from 1.
    Deferred {
        attempt: u32,
    },
    /// It may go well in a day.
    TomorrowAgain,
    /// Refused for what is not its fault: nothing is counted against it, and it is tried again once that is mended.
    Unharmed {
        attempt: u32,
    },
    Failed(Reason),
    /// The server may have it or not. `again`: it was in doubt before.
    Doubtful {
        again: bool,
    },
    /// It lost its use before it was accepted.
    Expired,
    /// Our own fault, as when it could not be rendered, or held by a person. A person releases it.
    Held(Reason),
    /// A person wants it not to be mailed.
    Dropped,
    /// We may not mail this recipient.
    NotAllowed,
    /// The address gets no mail any more.
    Suppressed,
}

/// What becomes of the notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    pub state: NoticeState,
    /// When it is tried again; None: never by itself.
    pub next_try: Option<Instant>,
    pub reason: Option<Reason>,
    pub decided: Vec<Decision>,
}

/// The wait before a doubtful notice that must be known is tried once more.
const DOUBT_WAIT: TimeDelta = TimeDelta::minutes(15);

impl Order {
    /// The notice under way is in the hands of a connection.
    pub fn begin_try(&mut self) {
        if let Some(under_way) = &mut self.under_way {
            under_way.comes_to(NoticeState::Sending);
        }
    }

    /// Settles the notice under way. `id` seeds the jitter of the next try.
    pub fn settle(
        &mut self,
        notice: &Notice,
        id: &str,
        outcome: Outcome,
        at: Instant,
        policy: &Policy,
    ) -> Settled {
        let settled = self.come_to(notice, id, outcome, at, policy);
        if let Some(under_way) = &mut self.under_way {
            under_way.comes_to(settled.state);
        }
        // Only what is tried again stays under way.
        self.under_way.take_if(|_| settled.next_try.is_none());
        settled
    }

    fn come_to(
        &mut self,
        notice: &Notice,
        id: &str,
        outcome: Outcome,
        at: Instant,
        policy: &Policy,
    ) -> Settled {
        let mut settled =
            Settled { state: NoticeState::Accepted, next_try: None, reason: None, decided: Vec::new() };
        match outcome {
            Outcome::Accepted => {
                self.apply_accepted(notice, at);
                settled.decided.extend(self.restarted_clock(notice, policy));
            }
            Outcome::Deferred { attempt } => {
                settled.state = NoticeState::Deferred;
                let next = policy.retry.next(at, attempt, id);
                settled.next_try = Some(self.may_go_at(notice.kind, next, policy));
            }
            Outcome::TomorrowAgain => {
                settled.state = NoticeState::Deferred;
                settled.next_try = Some(self.may_go_at(notice.kind, at + APART, policy));
            }
            Outcome::Unharmed { attempt } => {
                settled.state = NoticeState::Queued;
                let next = policy.retry.next(at, attempt, id);
                settled.next_try = Some(self.may_go_at(notice.kind, next, policy));
            }
            Outcome::Doubtful { again } => {
                settled.state = NoticeState::InDoubt;
                if let Some(under_way) = &mut self.under_way {
                    under_way.doubtful = true;
                }
                if notice.kind.rules().must_be_known && !again {
                    settled.next_try = Some(at + DOUBT_WAIT);
                } else {
                    self.give_up(notice, at, policy);
                }
            }
            Outcome::Failed(why) => {
                settled.state = NoticeState::Failed;
                settled.reason = Some(why);
                self.give_up(notice, at, policy);
            }
            Outcome::Held(why) => {
                settled.state = NoticeState::Held;
                settled.reason = Some(why);
                self.give_up(notice, at, policy);
            }
            Outcome::Dropped => {
                settled.state = NoticeState::Skipped;
                settled.reason = Some(Reason::Dropped);
                self.give_up(notice, at, policy);
            }
            Outcome::Expired => {
                settled.state = NoticeState::Skipped;
                settled.reason = Some(Reason::Expired);
                // A weekly status that expired makes room for the next one at once.
                if notice.kind != NoticeKind::WeeklyStatus {
                    self.give_up(notice, at, policy);
                }
            }
            Outcome::NotAllowed | Outcome::Suppressed => {
                let suppressed = outcome == Outcome::Suppressed;
                settled.state = NoticeState::Skipped;
                let complained = self.suppressed.as_ref().is_some_and(|s| s.cause == Cause::Complained);
                settled.reason = Some(match outcome {
                    Outcome::Suppressed if complained => Reason::Unwanted,
                    Outcome::Suppressed => Reason::Suppressed,
                    _ => Reason::NotAllowed,
                });
                self.give_up(notice, at, policy);
                if suppressed && notice.kind == NoticeKind::WeeklyStatus {
                    // A person is asked already: another try tomorrow would tell nobody anything.
                    self.contact.status_failures = self.contact.status_failures.max(STATUS_FAILURES);
                }
            }
        }
        settled
    }

    /// Takes over what the schedule says; a notice that is due is under way from here as `id`.
    pub fn adopt(&mut self, plan: &Schedule, id: impl FnOnce(&Notice) -> String) {
        self.contact = plan.contact.clone();
        self.blast_hold = plan.blast_hold;
        self.events.retain(|event| !plan.silent.contains(&event.key()));
        if plan.superseded.is_some()
            && let Some(mut old) = self.under_way.take()
        {
            old.comes_to(NoticeState::Superseded);
            if old.doubtful {
                // It may have been read.
                self.remember_tried(&old.notice, true);
            }
            self.use_up(&old.notice.occasion);
        }
        if let Some(notice) = plan.due.clone() {
            self.under_way =
                Some(UnderWay { id: id(&notice), state: NoticeState::Queued, doubtful: false, notice });
        }
    }

    /// Discards the mail that the blast guard holds back, not the fact: other mails state it when they come.
    pub fn drop_held(&mut self, now: Instant, policy: &Policy) -> Option<Decision> {
        let hold = self.blast_hold.take()?;
        let today = day_of(now, policy.zone);
        let promises = self.promises(today, policy);
        let promises: Vec<_> = self.lines.iter().map(|line| promises.date(line)).collect();
        for (line, date) in self.lines.iter_mut().zip(promises).filter(|(line, _)| line.waits()) {
            let doubtful = line.tried.is_some_and(|tried| tried.doubtful);
            line.tried = Some(Tried { date, doubtful });
            line.announced |= line.is_in_house();
        }
        self.contact.debounce = None;
        let kind = hold.kind?;
        let number = self.contact.count(kind);
        let occasion = occasion(kind, number.as_ref().map(|number| number as &dyn std::fmt::Display));
        let (outcome, reason) = (NoticeState::Skipped, Reason::Dropped);
        Some(Decision { kind, occasion, outcome, reason, by: None })
    }

    /// The customer has been told: this is the one place where told changes.
    fn apply_accepted(&mut self, notice: &Notice, at: Instant) {
        self.contact.last_at = Some(at);
        self.contact.status_tried_on = None;
        self.contact.status_failures = 0;
        for stated in &notice.content.lines {
            if let Some(line) = self.lines.iter_mut().find(|line| line.key == stated.line) {
                line.told = stated.told;
                line.tried = None;
                // Goods that were taken back are news again when they return.
                line.announced = stated.in_house;
            }
        }
        self.done_with(notice);
    }

    /// What is told on this occasion again needs a name of its own.
    pub(in crate::domain) fn use_up(&mut self, occasion: &Occasion) {
        if !self.superseded.contains(occasion) {
            self.superseded.push(occasion.clone());
        }
    }

    /// It will not be tried again by itself.
    fn give_up(&mut self, notice: &Notice, at: Instant, policy: &Policy) {
        let doubtful = self.under_way.as_ref().is_some_and(|under_way| under_way.doubtful);
        self.remember_tried(notice, doubtful);
        if notice.kind == NoticeKind::WeeklyStatus {
            self.contact.status_tried_on = Some(day_of(at, self.zone(policy)));
            self.contact.status_failures += 1;
        }
        self.done_with(notice);
        self.use_up(&notice.occasion);
    }

    /// What the notice was about is not news any more, whether it reached the customer or not.
    fn done_with(&mut self, notice: &Notice) {
        self.contact.written_to = Some(notice.content.email.clone());
        self.contact.confirmed |= notice.is_about(NoticeKind::Confirmation);
        self.contact.updated |= notice.is_about(NoticeKind::Update48h);
        let says_missed = notice.kinds().any(|kind| kind.rules().says_missed);
        for stated in &notice.content.lines {
            if let Some(line) = self.lines.iter_mut().find(|line| line.key == stated.line) {
                line.announced |= stated.in_house;
                if stated.missed && says_missed {
                    line.overdue_for = stated.told;
                }
            }
        }
        self.events.retain(|event| !notice.content.events.contains(&event.key()));
        if notice.kind.rules().may_repeat {
            self.use_up(&notice.occasion);
        }
        if self.contact.debounce.is_some_and(|debounce| debounce.last <= notice.planned_at) {
            self.contact.debounce = None;
        }
    }

    fn remember_tried(&mut self, notice: &Notice, doubtful: bool) {
        for stated in &notice.content.lines {
            if let Some(line) = self.lines.iter_mut().find(|line| line.key == stated.line) {
                let was_doubtful = line.tried.is_some_and(|tried| tried.doubtful);
                line.tried = Some(Tried { date: stated.date, doubtful: doubtful || was_doubtful });
            }
        }
    }

    /// The weekly status that the customer was led to expect and that this notice has put off.
    fn restarted_clock(&self, notice: &Notice, policy: &Policy) -> Option<Decision> {
        let put_off = |day: &NaiveDate| next_status(self, policy).day > *day;
        let day = notice.replaces_status.filter(put_off).filter(|_| self.waiting().next().is_some())?;
        Some(Decision {
            kind: NoticeKind::WeeklyStatus,
            occasion: occasion(NoticeKind::WeeklyStatus, Some(&day)),
            outcome: NoticeState::Superseded,
            reason: Reason::ClockRestarted,
            by: Some(notice.occasion.clone()),
        })
    }
}

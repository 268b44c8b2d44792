//! What comes back after a mail was accepted: that it could not be delivered, not yet, or that it was unwelcome.
//!
//! What always holds: a notice that came back counts as not heard. Told and the silence are what the other accepted
//! notices leave, as if the server had refused this one.

use super::calendar::{Instant, day_of};
use super::customer::EmailAddress;
use super::meaning::{Meaning, meaning};
use super::notice::{Notice, NoticeKind, NoticeState, Reason, StatedLine};
use super::order::{Order, Tried};
use super::policy::Policy;
use super::reply::{APART, Phase, Reply};
use super::suppression::Cause;
use super::words::words;
use crate::domain::order::settle::Outcome;

/// Octets that the token of a notice takes in an envelope sender, with the `+` before it: `bounce+<token>@shop.example`.
pub const TOKEN: usize = 37;

words! {
    /// What a report says of a mail.
    Fate { Failed = "failed", Delayed = "delayed", Complaint = "complaint" }
}

/// A report about one of our mails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// Given up, with the words of the server that did.
    Failed(Reply),
    /// Not delivered yet; somebody goes on trying.
    Delayed(Reply),
    /// The customer called it unwanted, in the word of RFC 5965 (`abuse`).
    Complaint(String),
}

impl Report {
    /// What it says.
    pub fn fate(&self) -> Fate {
        match self {
            Self::Failed(_) => Fate::Failed,
            Self::Delayed(_) => Fate::Delayed,
            Self::Complaint(_) => Fate::Complaint,
        }
    }

    /// What the server that gave up meant. Where its dialogue stood is not reported.
    pub fn meaning(&self) -> Option<Meaning> {
        match self {
            Self::Failed(reply) => Some(meaning(Phase::Body, reply)),
            Self::Delayed(_) | Self::Complaint(_) => None,
        }
    }

    /// Why a notice of which this is reported counts as not heard, where there is more to say than the words.
    pub fn reason(&self) -> Option<Reason> {
        let meaning = self.meaning()?;
        match meaning.outcome(1, Some(meaning)) {
            Outcome::Failed(reason) => Some(reason),
            _ => None,
        }
    }

    /// Why the address gets no mail from `now` on, or no routine news. `first` is when its domain was reported as dead
    /// before, for a domain may come back.
    pub fn suppresses(&self, first: Option<Instant>, now: Instant) -> Option<Cause> {
        match (self, self.meaning()) {
            (Self::Complaint(_), _) => Some(Cause::Complained),
            (_, Some(Meaning::DeadAddress)) => Some(Cause::Bounced),
            (_, Some(Meaning::DeadDomain)) if first.is_some_and(|first| now - first >= APART) => {
                Some(Cause::Bounced)
            }
            _ => None,
        }
    }

    /// The words of whoever reported it.
    pub fn words(&self) -> String {
        match self {
            Self::Failed(reply) | Self::Delayed(reply) => reply.to_string(),
            Self::Complaint(kind) => kind.clone(),
        }
    }
}

/// Another notice of the same order, as it was settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EarlierNotice {
    pub kind: NoticeKind,
    pub state: NoticeState,
    pub at: Instant,
    pub email: EmailAddress,
    pub lines: Vec<StatedLine>,
}

impl Order {
    /// A notice that was accepted at `accepted` came back at `now`. `others` are the order's other settled notices.
    pub fn apply_bounce(
        &mut self,
        notice: &Notice,
        accepted: Instant,
        others: &[EarlierNotice],
        now: Instant,
        policy: &Policy,
    ) {
        let was_accepted = |past: &&EarlierNotice| past.state == NoticeState::Accepted;
        let same_address = self.customer.email.as_ref() == Some(&notice.content.email);
        self.contact.last_at = others.iter().filter(was_accepted).map(|past| past.at).max();
        let is_newest = self.contact.last_at.is_none_or(|last| last <= accepted);
        if same_address && is_newest {
            let vain = |past: &&EarlierNotice| {
                past.kind == NoticeKind::WeeklyStatus
                    && past.came_to_nothing()
                    && past.email == notice.content.email
                    && self.contact.last_at.is_none_or(|last| past.at > last)
            };
            let this = u32::from(notice.kind == NoticeKind::WeeklyStatus);
            let vain = u32::try_from(others.iter().filter(vain).count()).unwrap_or(u32::MAX);
            self.contact.status_failures = self.contact.status_failures.max(vain.saturating_add(this));
            if notice.kind == NoticeKind::WeeklyStatus {
                self.contact.status_tried_on = Some(day_of(now, self.zone(policy)));
            }
        }
        self.use_up(&notice.occasion);
        for stated in &notice.content.lines {
            let states = |past: &&EarlierNotice| past.lines.iter().any(|line| line.line == stated.line);
            let newest = others.iter().filter(was_accepted).filter(states).max_by_key(|past| past.at);
            if newest.is_some_and(|past| past.at > accepted) {
                continue; // the customer has heard of it since
            }
            let Some(line) = self.lines.iter_mut().find(|line| line.key == stated.line) else { continue };
            let before = newest.and_then(|past| past.lines.iter().find(|line| line.line == stated.line));
            if line.told == stated.told {
                line.told = before.map_or(line.promised, |before| before.told);
            }
            // Another address has been told nothing in vain.
            if same_address && line.tried.is_none() {
                line.tried = Some(Tried { date: stated.date, doubtful: false });
            }
        }
    }
}

impl EarlierNotice {
    fn came_to_nothing(&self) -> bool {
        matches!(self.state, NoticeState::Failed | NoticeState::Bounced | NoticeState::InDoubt)
    }
}

//! What ops must know of an order: told dates that are near or missed, mails that came to nothing, and its money.
//!
//! Of one order at a time, from its facts alone. A line that waits is of one concern at most: its told date is either
//! near (`at_risk`), or missed (`overdue`), or was missed before we took the order over (`imported`).

use chrono::{NaiveDate, TimeDelta};
use chrono_tz::Tz;
use serde::Serialize;

use super::calendar::{Instant, day_of, plus_days, start_of};
use super::fact::Partial;
use super::notice::{NoticeKind, NoticeState};
use super::order::{Line, Order, Status};
use super::policy::STATUS_FAILURES;
use super::promise::Rest;
use super::supply::Cover;
use super::suppression::Cause;
use super::words::words;

words! {
    /// Why an order needs a person, the gravest first.
    DigestIssue {
        /// A told date has passed, and it has not shipped.
        Overdue = "overdue",
        /// A mail that waits until a person releases it.
        Held = "held",
        /// A mail that the customer must know was refused or came back, or nobody knows whether it was taken.
        Unheard = "unheard",
        /// Three weekly updates in a row came to nothing.
        Silent = "silent",
        NoAddress = "no_address",
        /// The customer's address gets no mail any more.
        Suppressed = "suppressed",
        /// The told date had passed before we took the order over: no mail of ours says so.
        Imported = "imported",
        /// A told date is near, and the goods are not here.
        AtRisk = "at_risk",
        /// The card's authorization ends, or has ended.
        Authorization = "authorization",
    }
}

/// From when on an order is brought to ops' attention.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watch {
    /// How many days before a told date, or before an authorization ends.
    pub at_risk_days: u32,
    /// How many days an authorization holds.
    pub authorization_days: u32,
    /// The shop's partial-shipment policy, for orders without their own.
    pub partial: Partial,
}

impl Default for Watch {
    fn default() -> Self {
        Self { at_risk_days: 3, authorization_days: 7, partial: Partial::Split }
    }
}

impl Watch {
    /// The last day that is near enough to be told of.
    pub fn horizon(&self, today: NaiveDate) -> NaiveDate {
        plus_days(today, self.at_risk_days)
    }

    /// What was authorized before this instant is due: the same as [`Authorization::is_due`], for an index.
    pub fn authorized_before(&self, today: NaiveDate, zone: Tz) -> Instant {
        let ahead = i64::from(self.at_risk_days) + 1 - i64::from(self.authorization_days);
        start_of(today.checked_add_signed(TimeDelta::days(ahead)).unwrap_or(today), zone)
    }
}

/// How long a mail that was refused, or is in doubt, is brought up. An order that still waits and hears nothing
/// has lost three weekly updates by then, which is a concern of its own.
pub const UNHEARD_FOR: TimeDelta = TimeDelta::days(14);

/// A notice that came to nothing by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailedNotice {
    pub kind: NoticeKind,
    pub state: NoticeState,
    /// When it came to that.
    pub at: Instant,
}

/// A line that waits, with the date its customer was told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stuck {
    pub line: String,
    pub sku: String,
    pub units: u32,
    pub told: Option<NaiveDate>,
    pub cover: Cover,
}

/// One thing that ops must know of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub concern: DigestIssue,
    pub order: String,
    /// The day it hangs on, the earlier the worse: the date told, the end of the authorization, the day a mail came to
    /// nothing, of the last mail accepted, or of the placing where there is no address.
    pub day: NaiveDate,
    /// The lines it is about, the earliest told date first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<Stuck>,
    /// The mail it is about, and what it came to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notice: Option<NoticeKind>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<NoticeState>,
    /// Whose word it is that the address gets no mail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// Since when the card is authorized.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorized: Option<NaiveDate>,
}

impl Finding {
    fn new(concern: DigestIssue, order: &Order, day: NaiveDate) -> Self {
        let order = order.number.clone();
        Self {
            concern,
            order,
            day,
            lines: Vec::new(),
            notice: None,
            state: None,
            cause: None,
            authorized: None,
        }
    }

    /// What is worse comes first. Money is asked for when it ships, so of that first what is in the house.
    pub fn rank(&self) -> impl Ord + use<> {
        let can_ship = self.lines.iter().any(|line| line.cover.is_received());
        (self.concern == DigestIssue::Authorization && !can_ship, self.day, self.order.clone())
    }
}

/// All that ops must know of an order but its authorization.
pub fn findings(
    order: &Order,
    troubles: &[FailedNotice],
    now: Instant,
    zone: Tz,
    watch: &Watch,
) -> Vec<Finding> {
    let mut found = dates(order, day_of(now, zone), zone, watch);
    if order.status() == Status::Waiting {
        if order.customer.email.is_none() {
            found.push(Finding::new(DigestIssue::NoAddress, order, day_of(order.placed_at, zone)));
        } else if let Some(suppressed) = &order.suppressed {
            let cause = Some(suppressed.cause);
            let day = day_of(suppressed.since, zone);
            found.push(Finding { cause, ..Finding::new(DigestIssue::Suppressed, order, day) });
        } else if order.contact.status_failures >= STATUS_FAILURES {
            found.push(Finding::new(DigestIssue::Silent, order, day_of(order.silent_since(), zone)));
        }
    }
    let mails = troubles.iter().filter_map(|trouble| {
        let concern = trouble.concern(order, now)?;
        let (notice, state) = (Some(trouble.kind), Some(trouble.state));
        Some(Finding { notice, state, ..Finding::new(concern, order, day_of(trouble.at, zone)) })
    });
    found.extend(mails);
    found
}

impl FailedNotice {
    fn concern(&self, order: &Order, now: Instant) -> Option<DigestIssue> {
        let heard_since = order.contact.last_at.is_some_and(|contact| contact > self.at);
        match self.state {
            NoticeState::Held => Some(DigestIssue::Held),
            // Of a dead address one concern says it all.
            NoticeState::Failed | NoticeState::InDoubt | NoticeState::Bounced
                if !order.is_mailable() && order.status() == Status::Waiting =>
            {
                None
            }
            NoticeState::Failed | NoticeState::InDoubt | NoticeState::Bounced
                if self.kind.rules().must_be_known && !heard_since && now - self.at < UNHEARD_FOR =>
            {
                Some(DigestIssue::Unheard)
            }
            _ => None,
        }
    }
}

/// One finding for each concern that dates give rise to, with the lines of it.
fn dates(order: &Order, today: NaiveDate, zone: Tz, watch: &Watch) -> Vec<Finding> {
    let taken_over = order.silent_before.map(|at| day_of(at, zone));
    let mut found: Vec<Finding> = Vec::new();
    let rest = Rest::of(order, || order.partial.unwrap_or(watch.partial));
    // What is ready leaves with the rest, and cannot be late by itself.
    let may_be_late = order.waiting().filter(|line| !rest.is_some_and(|rest| rest.keeps(line)));
    let mut waiting: Vec<(NaiveDate, &Line)> =
        may_be_late.filter_map(|line| Some((line.told?, line))).collect();
    waiting.sort_by_key(|(told, _)| *told);
    for (told, line) in waiting {
        let concern = if told < today && taken_over.is_some_and(|day| told < day) {
            DigestIssue::Imported
        } else if told < today {
            DigestIssue::Overdue
        } else if told <= watch.horizon(today) && !line.is_in_house() {
            DigestIssue::AtRisk
        } else {
            continue;
        };
        match found.iter_mut().find(|finding| finding.concern == concern) {
            Some(finding) => finding.lines.push(stuck(line)),
            None => {
                found.push(Finding { lines: vec![stuck(line)], ..Finding::new(concern, order, told) });
            }
        }
    }
    found
}

fn stuck(line: &Line) -> Stuck {
    Stuck {
        line: line.id.clone(),
        sku: line.sku.clone(),
        units: line.open(),
        told: line.told,
        cover: line.cover.clone(),
    }
}

/// How long a card's authorization holds. Most backorders outlive it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Authorization {
    pub since: NaiveDate,
    pub until: NaiveDate,
}

impl Authorization {
    /// That of an order of which anything is still to be shipped.
    pub fn of(order: &Order, zone: Tz, watch: &Watch) -> Option<Self> {
        let open = matches!(order.status(), Status::Waiting | Status::Open);
        let since = day_of(order.authorized_at.filter(|_| open)?, zone);
        Some(Self { since, until: plus_days(since, watch.authorization_days) })
    }

    /// Whether it ends within the days that ops want to know of, or has ended.
    pub fn is_due(&self, today: NaiveDate, watch: &Watch) -> bool {
        self.until <= watch.horizon(today)
    }

    /// The finding about it, if it is due.
    pub fn finding(order: &Order, now: Instant, zone: Tz, watch: &Watch) -> Option<Finding> {
        let held = Self::of(order, zone, watch).filter(|it| it.is_due(day_of(now, zone), watch))?;
        let lines = order.waiting().map(stuck).collect();
        let finding = Finding::new(DigestIssue::Authorization, order, held.until);
        Some(Finding { lines, authorized: Some(held.since), ..finding })
    }
}

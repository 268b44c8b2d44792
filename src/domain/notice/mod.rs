//! Notices: the kinds and their rank, the occasion that makes each unique, the states of delivery, and why not.

use chrono::{DateTime, Days, NaiveDate};
use serde::{Deserialize, Serialize};

use crate::domain::calendar::Instant;
use crate::domain::customer::EmailAddress;
use crate::domain::words::words;

/// As much of a notice's id as people need to name it: the half that its order shares with its neighbours (see
/// `Store::notice_id`), and as much again.
pub fn short_id(id: &str) -> &str {
    id.get(..10).unwrap_or(id)
}

words! {
    /// What a notice is about, highest rank first: of several due at one time the first is mailed
    /// and takes in the others.
    NoticeKind {
        Cancelled = "cancelled", Refunded = "refunded", Shipped = "shipped", Confirmation = "confirmation",
        Restock = "restock", DateSlip = "date_slip", Overdue = "overdue", DateImproved = "date_improved",
        Update48h = "update_48h", WeeklyStatus = "weekly_status",
    }
}

impl NoticeKind {
    /// Kinds that keep to the send window; the others go at once, at any hour.
    pub fn keeps_window(self) -> bool {
        use NoticeKind::{DateImproved, Overdue, Restock, Update48h, WeeklyStatus};
        matches!(self, Update48h | WeeklyStatus | Overdue | DateImproved | Restock)
    }

    /// What the customer must know is tried once more when in doubt; of routine news the next supersedes it.
    pub fn must_be_known(self) -> bool {
        use NoticeKind::{DateImproved, Restock, Update48h, WeeklyStatus};
        !matches!(self, Update48h | WeeklyStatus | DateImproved | Restock)
    }

    /// Kinds that one change of a supply can make due for very many orders at one time.
    pub fn may_be_held(self) -> bool {
        matches!(self, Self::DateSlip | Self::DateImproved | Self::Restock)
    }

    /// Kinds that something new makes due; the others come with time alone.
    pub fn is_event(self) -> bool {
        !matches!(self, Self::Overdue | Self::Update48h | Self::WeeklyStatus)
    }

    /// Kinds whose occasion may come a second time, which then needs a name of its own.
    pub fn may_come_again(self) -> bool {
        use NoticeKind::{Cancelled, Confirmation, Overdue, Refunded, Shipped};
        matches!(self, Cancelled | Refunded | Shipped | Confirmation | Overdue)
    }

    /// Kinds that wait while a date is still settling.
    pub fn waits_for_debounce(self) -> bool {
        matches!(self, Self::Update48h | Self::WeeklyStatus | Self::DateImproved | Self::Overdue)
    }
}

words! {
    /// How far delivery has come (never "sent" or "delivered": we do not know that).
    NoticeState {
        Queued = "queued", Sending = "sending", Deferred = "deferred", InDoubt = "in_doubt", Held = "held",
        Accepted = "accepted", Failed = "failed", Skipped = "skipped", Superseded = "superseded", Bounced = "bounced",
    }
}

impl NoticeState {
    /// What a support person can read aloud.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Queued => "waiting to be sent",
            Self::Sending => "being sent right now",
            Self::Deferred => "the mail server put it off, it will be tried again",
            Self::InDoubt => "the mail server may have it or not; the connection broke before it answered",
            Self::Held => "held until a person releases it",
            Self::Accepted => "accepted by the mail server",
            Self::Failed => "refused by the mail server for good",
            Self::Skipped => "not sent, it had lost its use",
            Self::Superseded => "replaced before it went out",
            Self::Bounced => "accepted by the mail server, but it came back: the customer has not read it",
        }
    }
}

words! {
    /// Why something was not mailed, or not as planned.
    Reason {
        /// A notice of a higher rank took it in.
        Merged = "merged",
        /// The customer had heard from us within the last 24 hours.
        RecentNotice = "recent_notice",
        TooLate = "too_late",
        AlreadyRestocked = "already_restocked",
        /// It lies before the import of the order.
        Imported = "imported",
        /// A date moved, but what the customer was told still holds.
        StillHolds = "still_holds",
        /// Another notice restarted the seven days.
        ClockRestarted = "clock_restarted",
        OrderClosed = "order_closed",
        AddressChanged = "address_changed",
        NoAddress = "no_address",
        /// What it stated was no longer true.
        FactsChanged = "facts_changed",
        Expired = "expired",
        /// Not on the list of recipients we may mail.
        NotAllowed = "not_allowed",
        /// The address gets no mail any more.
        Suppressed = "suppressed",
        /// Routine news to a customer who complained of our mail.
        Unwanted = "unwanted",
        /// A mail server says that there is no such address, or that its domain takes no mail.
        DeadAddress = "dead_address",
        /// A mail server refused the address in words that may mean anything.
        RefusedAddress = "refused_address",
        /// The mail server cannot carry an address that is not ASCII.
        CannotCarry = "smtputf8",
        /// Larger than the mail server takes.
        TooLarge = "size",
        Content = "content",
        Policy = "policy",
        /// The mail server does not understand us.
        Protocol = "protocol",
        /// Rendering or sending it failed on our side.
        Fault = "fault",
        /// A person holds it.
        ByPerson = "by_person",
        /// A person dropped it, or the batch it was one of.
        Dropped = "dropped",
        /// It came due in a time that a restored database knows nothing of.
        Restored = "restored",
    }
}

impl Reason {
    /// What a support person can read aloud.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Merged => "another notice took it in",
            Self::RecentNotice => "the customer had heard from us within 24 hours",
            Self::TooLate => "its time had passed",
            Self::AlreadyRestocked => "the customer knows that the goods are here",
            Self::Imported => "it lies before the order was taken over",
            Self::StillHolds => "the date moved, but what the customer was told still holds",
            Self::ClockRestarted => "another notice restarted the seven days",
            Self::OrderClosed => "nothing of the order waits any more",
            Self::AddressChanged => "the customer's address changed",
            Self::NoAddress => "there is no address to write to",
            Self::FactsChanged => "what it stated was no longer true",
            Self::Expired => "it had lost its use before the mail server took it",
            Self::NotAllowed => "the address is not in delivery.allow_recipients",
            Self::Suppressed => "the address gets no mail any more; ask the customer for another",
            Self::Unwanted => "the customer reported our mail as unwanted and gets no routine news",
            Self::DeadAddress => "the address is dead; ask the customer for another",
            Self::RefusedAddress => "the mail server refused the address; make sure of it with the customer",
            Self::CannotCarry => "the mail server cannot carry this address; ask the customer for another",
            Self::TooLarge => "it is larger than the mail server takes",
            Self::Content => "the mail server refused what it says or how it is made",
            Self::Policy => "a rule of the mail server or of the recipient's refused it",
            Self::Protocol => "the mail server did not understand us twice; a person must look",
            Self::Fault => "it could not be written; a person must look",
            Self::ByPerson => "a person holds it until it is released",
            Self::Dropped => "a person dropped it; the next mails state what holds then",
            Self::Restored => "the database was restored from a backup; it may have been sent since",
        }
    }

    /// The meaning, with the notice named that took its place.
    pub fn sentence(self, by: Option<&str>) -> String {
        let Some(by) = by else { return self.meaning().to_owned() };
        let kind = by.split('/').next().unwrap_or(by);
        match self {
            Self::Merged => format!("taken into the {kind}"),
            Self::ClockRestarted => format!("{kind} restarted the seven days"),
            _ => format!("{}; {kind} took its place", self.meaning()),
        }
    }
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

/// A notice that is not settled yet. An order has one at most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnderWay {
    pub id: String,
    pub state: NoticeState,
    /// A try of it ended in doubt, whatever the later ones came to: the server may have it.
    pub doubtful: bool,
    pub notice: Notice,
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

/// Until when a notice is of use that is planned at `at`: five days on, within which a mail server may still take a notice (RFC 5321, 4.5.4.1).
pub fn useful_until(at: Instant) -> Instant {
    at.checked_add_days(Days::new(5)).unwrap_or(DateTime::<chrono::Utc>::MAX_UTC)
}

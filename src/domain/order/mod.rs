//! An order as the rules see it: its lines, what its customer has heard, and what is still to be told.
//!
//! [`Order`] holds all that the rules may know. It is bounded: nothing in it grows with the order's history.

mod anew;
pub mod apply;
pub mod settle;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::domain::calendar::Instant;
use crate::domain::customer::{Correction, Customer, EmailAddress};
use crate::domain::fact::{By, ChangeReason, LineKind, LineUnits, Partial, Payment};
use crate::domain::notice::{EventKey, NoticeKind, Occasion, Topic, UnderWay};
use crate::domain::policy::Policy;
use crate::domain::supply::{Cover, CoverChange};
use crate::domain::suppression::Suppression;
use crate::domain::words::words;

words! {
    /// Where an order stands.
    Status {
        /// A backorder or preorder line is still owed.
        Waiting = "waiting",
        /// Only lines that are in stock are still owed.
        Open = "open",
        Shipped = "shipped",
        Cancelled = "cancelled",
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    pub number: String,
    /// The `at` of the order fact that made it what it is.
    pub at: Instant,
    pub placed_at: Instant,
    /// When we first heard of it.
    pub recorded_at: Instant,
    /// Imported with `--notify future` at this instant: nothing is mailed about what lies before.
    pub silent_before: Option<Instant>,
    pub customer: Customer,
    /// The address is one that a person gave.
    pub correction: Option<Correction>,
    /// The customer's address gets no mail.
    pub suppressed: Option<Suppression>,
    pub channel: Option<String>,
    pub payment: Option<Payment>,
    /// Since when the money is authorized: the placing, or the last time the shop told the order anew as authorized.
    pub authorized_at: Option<Instant>,
    pub currency: Option<String>,
    pub partial: Option<Partial>,
    pub lines: Vec<Line>,
    pub contact: ContactState,
    /// What happened and has not been told.
    pub events: Vec<OrderEvent>,
    pub under_way: Option<UnderWay>,
    /// A change that would mail too many at one time is held back from it.
    pub blast_hold: Option<BlastHold>,
    /// Occasions that are used up while their name may come again: of notices that came to nothing, and of what may come
    /// twice. What comes next needs a name of its own.
    pub superseded: Vec<Occasion>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// Its key within the order, ours and never another's: history and notices name it by this.
    pub key: String,
    /// What the shop calls it.
    pub id: String,
    pub sku: String,
    pub title: String,
    /// Units ordered in all; at least what has shipped and was cancelled.
    pub quantity: u32,
    pub cancelled: u32,
    pub shipped: u32,
    pub unit_price: Option<String>,
    pub kind: LineKind,
    /// What the customer was told at checkout.
    pub promised: Option<NaiveDate>,
    pub cover: Cover,
    /// Whether a supply ever covered it; without one the checkout's date stands.
    pub ever_covered: bool,
    /// Why its date moved last, where ops said so.
    pub reason: ChangeReason,
    /// Its place in the queue of its SKU.
    pub place: Option<QueuePosition>,
    /// The date stated in the last accepted notice, or promised at checkout.
    pub told: Option<NaiveDate>,
    /// What a notice stated that was not accepted, perhaps read, perhaps not.
    pub tried: Option<Tried>,
    /// The told date whose passing the customer knows of.
    pub overdue_for: Option<NaiveDate>,
    /// The customer knows that the goods are in the house.
    pub announced: bool,
}

/// Place `at` of `of` orders that wait for the same SKU, oldest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueuePosition {
    pub at: u32,
    pub of: u32,
}

/// What a notice stated that the server refused, or of which we do not know whether it was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tried {
    pub date: Option<NaiveDate>,
    pub doubtful: bool,
}

/// The blast guard's hold on an order: until a person releases its batch, mails state what was told before the change
/// and use nothing of it up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlastHold {
    /// All that one change would have caused.
    pub batch: i64,
    /// The notice that is held back; None while the change is still debounced.
    pub kind: Option<NoticeKind>,
}

/// What the customer has heard so far, as far as the rules need it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ContactState {
    /// The last accepted notice of any kind. Silence counts from here, else from the intake.
    pub last_at: Option<Instant>,
    /// Where the last notice went that was settled, one way or another.
    pub written_to: Option<EmailAddress>,
    /// The confirmation is settled, one way or another.
    pub confirmed: bool,
    /// The update after 48 hours is settled, one way or another.
    pub updated: bool,
    /// The civil day of the last weekly status that came to nothing.
    pub status_tried_on: Option<NaiveDate>,
    /// How many of them in a row; after [`STATUS_FAILURES`](crate::domain::policy::STATUS_FAILURES) a person is asked.
    pub status_failures: u32,
    /// Date changes counted so far: the number in `date_slip/3`.
    pub changes: u32,
    /// The number in `restock/1`.
    pub restocks: u32,
    /// A date moved and may move again.
    pub debounce: Option<Debounce>,
}

impl ContactState {
    /// Counts one more occasion of this kind; says which it is, where they are numbered.
    pub fn count(&mut self, kind: NoticeKind) -> Option<u32> {
        let number = match kind.rules().topic {
            Topic::Shift => &mut self.changes,
            Topic::Goods => &mut self.restocks,
            _ => return None,
        };
        *number += 1;
        Some(*number)
    }
}

/// A date that moved: first and last change that nobody was told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Debounce {
    pub first: Instant,
    pub last: Instant,
}

impl Debounce {
    /// A single change.
    pub fn at(now: Instant) -> Self {
        Self { first: now, last: now }
    }
}

/// Something that happened to an order and that its customer is to be told.
#[derive(Debug, Clone, PartialEq)]
pub struct OrderEvent {
    /// Unique within its kind.
    pub id: String,
    pub at: Instant,
    pub recorded_at: Instant,
    pub body: EventBody,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum EventBody {
    Shipped { lines: Vec<LineUnits>, carrier: Option<String>, tracking: Option<String>, url: Option<String> },
    Cancelled { lines: Vec<LineUnits>, by: By, reason: Option<String> },
    Refunded { amount: String, reference: Option<String> },
}

impl OrderEvent {
    /// The kind of notice that tells it.
    pub fn kind(&self) -> NoticeKind {
        match self.body {
            EventBody::Shipped { .. } => NoticeKind::Shipped,
            EventBody::Cancelled { .. } => NoticeKind::Cancelled,
            EventBody::Refunded { .. } => NoticeKind::Refunded,
        }
    }

    pub fn key(&self) -> EventKey {
        EventKey { kind: self.kind(), id: self.id.clone() }
    }
}

impl Line {
    /// Units still owed.
    pub fn open(&self) -> u32 {
        self.quantity.saturating_sub(self.cancelled).saturating_sub(self.shipped)
    }

    /// Whether it waits for goods: tracked for dates.
    pub fn waits(&self) -> bool {
        self.kind != LineKind::InStock && self.open() > 0
    }

    /// Once covered by a supply with a date, now by nothing or by one without.
    pub fn is_withdrawn(&self) -> bool {
        self.ever_covered && matches!(self.cover, Cover::Nothing | Cover::Supply { eta: None, .. })
    }

    pub fn is_in_house(&self) -> bool {
        self.cover.is_received()
    }
}

impl Order {
    pub fn status(&self) -> Status {
        if self.lines.iter().any(Line::waits) {
            Status::Waiting
        } else if self.lines.iter().any(|line| line.open() > 0) {
            Status::Open
        } else if self.lines.iter().any(|line| line.shipped > 0) {
            Status::Shipped
        } else {
            Status::Cancelled
        }
    }

    /// Whether anything of it ever waited. An order that was all in stock gets no mail at all.
    pub fn is_tracked(&self) -> bool {
        self.lines.iter().any(|line| line.kind != LineKind::InStock)
    }

    pub fn waiting(&self) -> impl Iterator<Item = &Line> {
        self.lines.iter().filter(|line| line.waits())
    }

    /// The line of a key.
    pub fn line(&self, key: &str) -> Option<&Line> {
        self.lines.iter().find(|line| line.key == key)
    }

    /// The line that the shop calls so.
    pub fn called(&self, id: &str) -> Option<&Line> {
        self.lines.iter().find(|line| line.id == id)
    }

    /// The zone of the customer's clock: `status_at`, civil days of the weekly status, send windows.
    pub fn zone(&self, policy: &Policy) -> chrono_tz::Tz {
        self.customer.timezone.unwrap_or(policy.zone)
    }

    /// When a notice of this kind may be tried, asked at `at`: then, or when the window opens. Asked before every
    /// try, for an outage may have carried it past the window it was planned in.
    pub fn may_go_at(&self, kind: NoticeKind, at: Instant, policy: &Policy) -> Instant {
        if kind.rules().keeps_window { policy.window.next_open(at, self.zone(policy)) } else { at }
    }

    /// Its own partial-shipment policy, else the shop's.
    pub fn partial(&self, policy: &Policy) -> Partial {
        self.partial.unwrap_or(policy.partial)
    }

    /// Whether goods of its waiting lines can leave: of all under `hold`, of any under `split`.
    pub fn can_leave(&self, policy: &Policy) -> bool {
        let mut waiting = self.waiting();
        match self.partial(policy) {
            Partial::Split => waiting.any(Line::is_in_house),
            Partial::ShipTogether => waiting.next().is_some() && self.waiting().all(Line::is_in_house),
        }
    }

    /// A line is served otherwise than before. Where its date moved, the reason ops gave is kept and the change is debounced:
    /// it came at `changed.first` first and at `changed.last` last.
    pub fn serve(&mut self, line: &str, by: &CoverChange, reason: ChangeReason, changed: Debounce) {
        let Some(line) = self.lines.iter_mut().find(|known| known.key == line) else { return };
        line.ever_covered |= by.cover != Cover::Nothing;
        line.cover.clone_from(&by.cover);
        if by.moved {
            line.reason = reason;
            self.debounce_from(changed);
        }
    }

    /// A change that may mail too many is held back from it until a person releases `batch`. Who has no confirmation yet
    /// is told what holds.
    pub fn hold_back(&mut self, batch: i64) {
        if self.contact.confirmed {
            self.blast_hold = Some(BlastHold { batch, kind: None });
        }
    }

    /// A date changed, and may change again before it is told.
    pub(super) fn debounce_from(&mut self, changed: Debounce) {
        let Debounce { first, last } = self.contact.debounce.unwrap_or(changed);
        self.contact.debounce =
            Some(Debounce { first: first.min(changed.first), last: last.max(changed.last) });
    }

    /// Whether we wrote to another address before, and not yet to the one that is there now.
    pub fn is_readdressed(&self) -> bool {
        let (now, before) = (&self.customer.email, &self.contact.written_to);
        now.is_some() && before.is_some() && now != before
    }

    /// Whether mail can reach the customer at all; else a person must.
    pub fn is_mailable(&self) -> bool {
        self.gets(NoticeKind::Confirmation)
    }

    /// Whether the customer is to be sent a notice of this kind.
    pub fn gets(&self, kind: NoticeKind) -> bool {
        let stopped = self.suppressed.as_ref().is_some_and(|suppressed| suppressed.cause.stops(kind));
        self.customer.email.is_some() && !stopped
    }

    /// Since when the customer has heard nothing.
    pub fn silent_since(&self) -> Instant {
        self.contact.last_at.or(self.silent_before).unwrap_or(self.recorded_at)
    }
}

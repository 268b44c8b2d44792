//! Facts applied to an order: each either changes it, changes nothing because it is known, or is refused.
//!
//! A refused fact changes nothing. Nothing here plans a notice; it only leaves [`OrderEvent`] to be told.

use std::collections::{HashMap, HashSet};

use chrono::SecondsFormat;

use super::{ContactState, Debounce, EventBody, Line, Order, OrderEvent};
use crate::domain::calendar::Instant;
use crate::domain::customer::Correction;
use crate::domain::fact::{
    By, CancelFact, LineFact, LineUnits, OrderFact, Payment, RefundFact, ShipmentFact,
};
use crate::domain::supply::Cover;

/// Whether customers hear about the past of an order that is new to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Notify {
    /// No mail about what lies before the import; its silence clock starts there.
    Future,
    #[default]
    All,
}

/// Why an order does not take a fact. Nothing has changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("there is no order {0}; record the order first")]
    UnknownOrder(String),
    #[error("order {order} has no line {line}; it has {known}")]
    UnknownLine { order: String, line: String, known: String },
    #[error("order {order} is already {status}; nothing of it is open")]
    Closed { order: String, status: &'static str },
    #[error("line {line} of order {order} has {open} open, not {asked}")]
    TooMany { order: String, line: String, open: u32, asked: u32 },
}

/// What applying a fact came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    Changed,
    /// It was known, or something later is.
    Unchanged,
}

/// A new order.
pub fn place(fact: &OrderFact, recorded_at: Instant, notify: Notify) -> Order {
    let silent_before = (notify == Notify::Future).then_some(recorded_at);
    let past =
        |after: chrono::TimeDelta| silent_before.is_some_and(|silent| fact.placed_at + after <= silent);
    Order {
        number: fact.order.clone(),
        at: fact.at,
        placed_at: fact.placed_at,
        recorded_at,
        silent_before,
        customer: fact.customer.clone(),
        correction: None,
        suppressed: None,
        channel: fact.channel.clone(),
        payment: fact.payment,
        authorized_at: (fact.payment == Some(Payment::Authorized)).then_some(fact.placed_at),
        currency: fact.currency.clone(),
        partial: fact.partial,
        lines: fact.lines.iter().map(line).collect(),
        contact: ContactState { confirmed: past(chrono::TimeDelta::zero()), ..ContactState::default() },
        events: Vec::new(),
        under_way: None,
        blast_hold: None,
        superseded: Vec::new(),
    }
}

fn line(fact: &LineFact) -> Line {
    Line {
        key: fact.id.clone(),
        id: fact.id.clone(),
        sku: fact.sku.clone(),
        title: fact.title.clone(),
        quantity: fact.quantity,
        cancelled: 0,
        shipped: 0,
        unit_price: fact.unit_price.clone(),
        kind: fact.kind,
        promised: fact.promised,
        cover: Cover::Nothing,
        ever_covered: false,
        reason: Default::default(),
        place: None,
        told: fact.promised,
        tried: None,
        overdue_for: None,
        announced: false,
    }
}

/// Whether a stated line is a known one of its SKU.
type Fits<'a> = dyn Fn(&LineFact, &Line) -> bool + 'a;

impl Order {
    /// The order as the shop knows it now. What it leaves out or lessens is cancelled for the shop's part.
    pub fn upsert(&mut self, fact: &OrderFact, recorded_at: Instant) -> Applied {
        self.restate(fact, recorded_at, false)
    }

    /// The same by a person. Another address than the shop's system knows holds from here on.
    pub fn upsert_by_hand(&mut self, fact: &OrderFact, recorded_at: Instant) -> Applied {
        self.restate(fact, recorded_at, true)
    }

    fn restate(&mut self, fact: &OrderFact, recorded_at: Instant, by_hand: bool) -> Applied {
        if fact.at <= self.at {
            return Applied::Unchanged;
        }
        let stated = self.as_known(&fact.lines);
        let mut lost = Vec::new();
        let mut told_anew = false;
        for known in &mut self.lines {
            let (open, promised) = (known.open(), known.promised);
            match stated.iter().find(|(key, _)| *key == known.key) {
                Some((_, line)) => known.update(line),
                None => known.quantity = known.cancelled.saturating_add(known.shipped),
            }
            if known.open() < open {
                lost.push(LineUnits { id: known.key.clone(), quantity: Some(open - known.open()) });
            }
            told_anew |= known.promised != promised && known.waits();
        }
        if told_anew {
            self.debounce_from(Debounce::at(recorded_at));
        }
        for (key, new) in stated {
            if self.line(&key).is_none() {
                self.lines.push(Line { id: key.clone(), key, ..line(new) });
            }
        }
        if !lost.is_empty() {
            let id = format!("order@{}", fact.at.to_rfc3339_opts(SecondsFormat::Millis, true));
            let body = EventBody::Cancelled { lines: lost, by: By::Shop, reason: None };
            self.events.push(OrderEvent { id, at: fact.at, recorded_at, body });
        }
        let mut customer = fact.customer.clone();
        (customer.email, self.correction) =
            Correction::restate(self.correction.take(), &self.customer.email, customer.email, by_hand);
        if self.customer.email != customer.email {
            self.forget_tries();
            // Of another address nothing of the kind is known.
            self.suppressed = None;
        }
        if !by_hand {
            // What the shop's system states of the lines stays as old as it is.
            self.at = fact.at;
        }
        self.placed_at = fact.placed_at;
        self.customer = customer;
        self.channel = fact.channel.clone();
        self.payment = fact.payment;
        self.authorized_at = (fact.payment == Some(Payment::Authorized)).then_some(fact.at);
        self.currency = fact.currency.clone();
        self.partial = fact.partial;
        Applied::Changed
    }

    /// The stated lines under the ids they are known by. Exports number their rows anew and leave out what has shipped:
    /// where an id is another SKU's now, a line is the one of its SKU; of several of one SKU it is that of its quantity;
    /// and what nobody knows is new.
    fn as_known<'a>(&self, stated: &'a [LineFact]) -> Vec<(String, &'a LineFact)> {
        let by_id: HashMap<&str, &Line> = self.lines.iter().map(|line| (line.id.as_str(), line)).collect();
        let same_sku =
            |line: &LineFact| by_id.get(line.id.as_str()).is_some_and(|known| known.sku == line.sku);
        let mut skus = HashSet::new();
        let plain = self.lines.iter().all(|known| skus.insert(known.sku.as_str()));
        if plain && stated.iter().all(same_sku) {
            return stated.iter().map(|line| (line.id.clone(), line)).collect();
        }
        // An id that is another SKU's now: the ids are numbers of rows, and say nothing of what has shipped either.
        let renumbered = stated.iter().any(|line| by_id.contains_key(line.id.as_str()) && !same_sku(line));
        let alone = |line: &LineFact| self.lines.iter().filter(|known| known.sku == line.sku).count() < 2;
        let mut free: Vec<&Line> = self.lines.iter().collect();
        let mut ids: Vec<Option<String>> = vec![None; stated.len()];
        let passes: [&Fits; 5] = [
            &|line, known| known.id == line.id && (known.quantity == line.quantity || alone(line)),
            &|line, known| {
                known.quantity == line.quantity && (renumbered || by_id.contains_key(line.id.as_str()))
            },
            &|line, known| known.id == line.id,
            &|_, known| renumbered && known.open() > 0,
            &|_, _| renumbered,
        ];
        for fits in passes {
            for (line, id) in stated.iter().zip(&mut ids).filter(|(_, id)| id.is_none()) {
                let found = free.iter().position(|known| known.sku == line.sku && fits(line, known));
                *id = found.map(|at| free.remove(at).id.clone());
            }
        }
        let moved = stated.iter().zip(&ids).any(|(line, id)| id.as_ref().is_some_and(|id| *id != line.id));
        let mut used: HashSet<String> = self.lines.iter().map(|known| known.id.clone()).collect();
        let named = stated.iter().zip(ids).map(|(line, id)| {
            // Where ids have kept their places a line may become another SKU's; what has left is not renamed.
            let becomes = |known: &&&Line| known.shipped == 0 && !moved;
            let id = id.or_else(|| by_id.get(line.id.as_str()).filter(becomes).map(|known| known.id.clone()));
            let id = id.unwrap_or_else(|| {
                let mut id = line.id.clone();
                while used.contains(&id) {
                    id.push('+');
                }
                id
            });
            used.insert(id.clone());
            (id, line)
        });
        named.collect()
    }

    /// The order as it is known, as a fact of `at`: recorded as it is it changes nothing.
    pub fn to_fact(&self, at: Instant) -> OrderFact {
        let line = |line: &Line| LineFact {
            id: line.id.clone(),
            sku: line.sku.clone(),
            title: line.title.clone(),
            quantity: line.quantity,
            unit_price: line.unit_price.clone(),
            kind: line.kind,
            promised: line.promised,
        };
        OrderFact {
            at: at.max(self.at + chrono::TimeDelta::milliseconds(1)),
            order: self.number.clone(),
            placed_at: self.placed_at,
            channel: self.channel.clone(),
            payment: self.payment,
            currency: self.currency.clone(),
            partial: self.partial,
            customer: self.customer.clone(),
            // One that the shop left out before anything of it shipped is left out again.
            lines: self.lines.iter().filter(|line| line.quantity > 0).map(line).collect(),
        }
    }

    /// Whom we write to has changed: what was tried in vain is still to be told.
    fn forget_tries(&mut self) {
        self.lines.iter_mut().for_each(|line| line.tried = None);
        self.contact.status_failures = 0;
    }

    /// Goods of it were handed to a carrier. A label alone changes nothing.
    pub fn ship(&mut self, fact: &ShipmentFact, recorded_at: Instant) -> Result<Applied, Refusal> {
        let asked = fact.lines.as_deref();
        let units = self.open_units(asked)?;
        if !fact.handed_over {
            return Ok(Applied::Unchanged);
        }
        for some in &units {
            if let Some(line) = self.lines.iter_mut().find(|line| line.key == some.id) {
                line.shipped += some.quantity.unwrap_or(0);
            }
        }
        let body = EventBody::Shipped {
            lines: units,
            carrier: fact.carrier.clone(),
            tracking: fact.tracking.clone(),
            url: fact.url.clone(),
        };
        self.events.push(OrderEvent { id: fact.id.clone(), at: fact.at, recorded_at, body });
        Ok(Applied::Changed)
    }

    /// It, or some of its lines, was called off.
    pub fn cancel(&mut self, fact: &CancelFact, recorded_at: Instant) -> Result<Applied, Refusal> {
        let whole = |ids: &Vec<String>| -> Vec<_> {
            ids.iter().map(|id| LineUnits { id: id.clone(), quantity: None }).collect()
        };
        let asked = fact.lines.as_ref().map(whole);
        let units = self.open_units(asked.as_deref())?;
        for some in &units {
            if let Some(line) = self.lines.iter_mut().find(|line| line.key == some.id) {
                line.cancelled += some.quantity.unwrap_or(0);
            }
        }
        let body = EventBody::Cancelled { lines: units, by: fact.by, reason: fact.reason.clone() };
        self.events.push(OrderEvent { id: fact.id.clone(), at: fact.at, recorded_at, body });
        Ok(Applied::Changed)
    }

    /// Money was given back; true of a closed order as well.
    pub fn refund(&mut self, fact: &RefundFact, recorded_at: Instant) -> Applied {
        let body = EventBody::Refunded { amount: fact.amount.clone(), reference: fact.reference.clone() };
        self.events.push(OrderEvent { id: fact.id.clone(), at: fact.at, recorded_at, body });
        Applied::Changed
    }

    /// The units asked for, by the lines' keys, if they are open; all open ones if none are named.
    fn open_units(&self, asked: Option<&[LineUnits]>) -> Result<Vec<LineUnits>, Refusal> {
        let closed = || Refusal::Closed { order: self.number.clone(), status: self.status().as_str() };
        let Some(asked) = asked else {
            let open = self.lines.iter().filter(|line| line.open() > 0);
            let units: Vec<_> =
                open.map(|line| LineUnits { id: line.key.clone(), quantity: Some(line.open()) }).collect();
            return if units.is_empty() { Err(closed()) } else { Ok(units) };
        };
        let mut units: Vec<LineUnits> = Vec::with_capacity(asked.len());
        for some in asked {
            let line = self.called(&some.id).ok_or_else(|| self.unknown_line(&some.id))?;
            if self.lines.iter().all(|line| line.open() == 0) {
                return Err(closed());
            }
            let already: u32 = units.iter().filter(|u| u.id == line.key).filter_map(|u| u.quantity).sum();
            let open = line.open() - already.min(line.open());
            let wanted = some.quantity.unwrap_or(open);
            if wanted > open || open == 0 {
                let (order, line) = (self.number.clone(), some.id.clone());
                return Err(Refusal::TooMany { order, line, open, asked: wanted.max(1) });
            }
            units.push(LineUnits { id: line.key.clone(), quantity: Some(wanted) });
        }
        Ok(units)
    }

    fn unknown_line(&self, line: &str) -> Refusal {
        let known = self.lines.iter().map(|line| line.id.as_str()).collect::<Vec<_>>().join(", ");
        Refusal::UnknownLine { order: self.number.clone(), line: line.to_owned(), known }
    }
}

impl Line {
    fn update(&mut self, fact: &LineFact) {
        let was_closed = self.open() == 0;
        self.quantity = fact.quantity;
        if was_closed && self.open() > 0 {
            // What was told was of goods that have shipped or were called off; the checkout says it of these as well.
            let told = fact.promised.filter(|_| !self.ever_covered);
            (self.told, self.tried, self.overdue_for, self.announced) = (told, None, None, false);
        }
        if fact.promised.is_some() && fact.promised != self.promised {
            // News from the checkout, and the customer read it there.
            self.promised = fact.promised;
            self.told = fact.promised;
            self.tried = None;
        }
        self.sku.clone_from(&fact.sku);
        self.title.clone_from(&fact.title);
        self.unit_price.clone_from(&fact.unit_price);
        self.kind = fact.kind;
    }
}

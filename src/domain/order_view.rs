//! An order at a moment: what every rule asks for, worked out once.
//!
//! It says what is true, never what is to be done about it: that is [`super::due`]'s and [`super::schedule`]'s.

use chrono::NaiveDate;

use super::calendar::{Instant, day_of};
use super::customer::EmailAddress;
use super::notice::{Content, EventKey, StatedLine};
use super::order::{Line, Order, OrderEvent, Status};
use super::policy::{LONGEST_DEBOUNCE, Policy};
use super::promise::{Promises, Shift, shift};

/// An order at a moment.
pub(super) struct View<'a> {
    pub order: &'a Order,
    pub now: Instant,
    pub policy: &'a Policy,
    /// The shop's civil day.
    pub today: NaiveDate,
    pub waiting: bool,
    promises: Promises<'a>,
    /// The most pressing shift among the waiting lines.
    pub shift: Shift,
    /// The same without goods that came in and are still to be told of: `restock` tells what date they bring.
    pub on_the_way: Shift,
    /// What changed is held back: what was told is what is said.
    pub held: bool,
}

impl<'a> View<'a> {
    pub fn new(order: &'a Order, now: Instant, policy: &'a Policy) -> Self {
        let today = day_of(now, policy.zone);
        let promises = order.promises(today, policy);
        let (mut found, mut on_the_way) = (Shift::None, Shift::None);
        for line in order.waiting().filter(|line| !promises.waits_for_others(line)) {
            match shift(line, promises.date(line), today) {
                Shift::Slip => found = Shift::Slip,
                // Goods in the house are what `restock` tells.
                Shift::Improvement if found == Shift::None && !line.is_in_house() => {
                    found = Shift::Improvement
                }
                _ => continue,
            }
            if !line.is_in_house() || line.announced {
                on_the_way = found;
            }
        }
        let waiting = order.status() == Status::Waiting;
        Self {
            order,
            now,
            policy,
            today,
            waiting,
            promises,
            shift: found,
            on_the_way,
            held: order.blast_hold.is_some(),
        }
    }

    /// The date we state for a waiting line.
    pub fn promise(&self, line: &Line) -> Option<NaiveDate> {
        if self.held {
            return line.told.filter(|told| *told >= self.today);
        }
        self.promises.date(line)
    }

    /// Waiting lines whose date can be missed.
    pub fn may_be_late(&self) -> impl Iterator<Item = &'a Line> {
        self.order.waiting().filter(|line| !self.promises.waits_for_others(line))
    }

    /// When a date that moved has stood long enough; None when none moved.
    pub fn debounced_at(&self) -> Option<Instant> {
        let debounce = self.order.contact.debounce?;
        Some((debounce.last + self.policy.debounce).min(debounce.first + LONGEST_DEBOUNCE))
    }

    /// Whether an earlier date was known when the order was imported: the weekly status will say it.
    pub fn improvement_is_past(&self) -> bool {
        let Some(silent) = self.order.silent_before else { return false };
        self.order.contact.last_at.is_none() && self.order.contact.debounce.is_none_or(|s| s.last <= silent)
    }

    pub fn window_open(&self) -> bool {
        self.policy.window.is_open(self.now, self.order.zone(self.policy))
    }

    /// What a notice of this moment states.
    pub fn content(&self, email: &EmailAddress) -> Content {
        let lines = self.order.waiting().map(|line| {
            let date = self.promise(line);
            let late = date.is_none() && line.told.is_some_and(|told| told < self.today);
            let missed = late && !self.promises.waits_for_others(line);
            let told = if missed { line.told } else { date };
            let (line_key, units, in_house) =
                (line.key.clone(), line.open(), line.is_in_house() && !self.held);
            StatedLine { line: line_key, units, date, told, before: line.told, in_house, missed }
        });
        let silent = silent_events(self.order);
        let events = self.order.events.iter().map(OrderEvent::key).filter(|key| !silent.contains(key));
        Content { email: email.clone(), lines: lines.collect(), events: events.collect() }
    }

    /// Told dates that have passed without a newer promise, and of which the customer has not heard.
    pub fn missed(&self) -> impl Iterator<Item = NaiveDate> {
        let missed = |line: &&Line| {
            line.told < Some(self.today) && line.told != line.overdue_for && self.promise(line).is_none()
        };
        self.may_be_late().filter(missed).filter_map(|line| line.told)
    }
}

/// News about what lies before the import, or of an order that never waited, is told to nobody.
pub(super) fn silent_events(order: &Order) -> Vec<EventKey> {
    let mute = !order.is_tracked();
    let silent =
        order.events.iter().filter(|event| mute || order.silent_before.is_some_and(|at| event.at <= at));
    silent.map(OrderEvent::key).collect()
}

//! A shop's own book, kept from the facts alone and beside the daemon: who waits for what since when, what has arrived and
//! left, and what each customer heard. What shipby does is held against it.
//!
//! What always holds: nothing in it is read from shipby's database but the mails it says it sent. Orders have one line.

use std::collections::{BTreeSet, HashMap, HashSet};

use shipby::domain::calendar::{Instant, day_of, instant_of, plus_days};
use shipby::domain::fact::Fact;
use shipby::domain::notice::{NoticeKind, StatedLine};
use shipby::domain::order::{Order, QueuePosition};
use shipby::domain::policy::Policy;
use shipby::store::{Recorded, Tried};

use NoticeKind::{Cancelled, Confirmation, Refunded, Shipped};

/// What tells the end of an order.
const CLOSING: [NoticeKind; 3] = [Shipped, Cancelled, Refunded];

#[derive(Default)]
pub struct Book {
    shelves: HashMap<String, Shelf>,
    orders: HashMap<String, Bought>,
    /// When the silence of an order that waits becomes too long, soonest first.
    too_long: BTreeSet<(Instant, String)>,
    /// Every notice that was mailed.
    mailed: HashSet<String>,
}

/// A SKU: what came, what left, and who waits for it, oldest order first.
#[derive(Default)]
struct Shelf {
    received: i64,
    gone: i64,
    queue: BTreeSet<(Instant, String)>,
}

struct Bought {
    placed: Instant,
    sku: String,
    units: i64,
    /// When shipby first heard of it.
    recorded: Instant,
    /// When it was shipped or cancelled.
    closed: Option<Instant>,
    /// Until when the customer must have heard from us again.
    too_long: Instant,
    kinds: Vec<NoticeKind>,
}

/// The instant at which a customer who was heard of at `heard` has waited too long: the close of the seventh civil day.
fn too_long_after(heard: Instant, policy: &Policy) -> Instant {
    let day = plus_days(day_of(heard, policy.zone), policy.status_every);
    instant_of(day.and_time(policy.window.close), policy.zone)
}

impl Book {
    /// Enters a fact that shipby has recorded at `now`; says which SKU it touches.
    pub fn enter(&mut self, fact: &Fact, recorded: &Recorded, now: Instant, policy: &Policy) -> String {
        assert!(!matches!(recorded, Recorded::Unchanged), "{fact:?} changed nothing");
        if let Recorded::Refused(why) = recorded {
            panic!("{fact:?} was refused: {why}");
        }
        match fact {
            Fact::Order(order) => {
                let line = &order.lines[0];
                let (sku, number, too_long) = (&line.sku, &order.order, too_long_after(now, policy));
                let (placed, units) = (order.placed_at, i64::from(line.quantity));
                let (sku_of, recorded, closed, kinds) = (sku.clone(), now, None, Vec::new());
                let bought = Bought { placed, sku: sku_of, units, recorded, closed, too_long, kinds };
                self.too_long.insert((too_long, number.clone()));
                self.shelves.entry(sku.clone()).or_default().queue.insert((placed, number.clone()));
                assert!(self.orders.insert(number.clone(), bought).is_none());
                sku.clone()
            }
            Fact::Supply(supply) => {
                self.shelves.entry(supply.sku.clone()).or_default();
                supply.sku.clone()
            }
            Fact::Receipt(receipt) => {
                self.shelves.entry(receipt.sku.clone()).or_default().received += receipt.quantity;
                receipt.sku.clone()
            }
            Fact::Shipment(shipment) => self.close(&shipment.order, now, true),
            Fact::Cancel(cancel) => self.close(&cancel.order, now, false),
            Fact::Refund(refund) => panic!("nobody keeps a book of money: {refund:?}"),
        }
    }

    fn close(&mut self, number: &str, now: Instant, shipped: bool) -> String {
        let bought = self.orders.get_mut(number).expect("only what was bought can be closed");
        assert!(bought.closed.replace(now).is_none());
        let shelf = self.shelves.get_mut(&bought.sku).expect("it has a shelf");
        shelf.gone += if shipped { bought.units } else { 0 };
        assert!(shelf.queue.remove(&(bought.placed, number.to_owned())));
        self.too_long.remove(&(bought.too_long, number.to_owned()));
        bought.sku.clone()
    }

    /// Enters a mail of `now`, with what it stated. Holds it against all that was promised of mails.
    pub fn mailed(&mut self, mail: &Tried, stated: &[StatedLine], now: Instant, policy: &Policy) {
        let name = format!("{} of order {} at {now}", mail.kind, mail.order_number);
        assert_eq!(mail.outcome, "accepted", "{name}");
        assert!(self.mailed.insert(mail.notice.clone()), "{name} was mailed before");
        let bought = self.orders.get_mut(&mail.order_number).expect("who is mailed has bought something");
        let kind = NoticeKind::from_word(&mail.kind).expect("a kind");
        assert_eq!(bought.closed.is_some(), CLOSING.contains(&kind), "{name}: closed {:?}", bought.closed);
        assert!(bought.closed.is_none_or(|closed| closed == now), "{name}: after its end");
        assert!(bought.kinds.is_empty() || kind != Confirmation, "{name}: confirmed twice");
        let today = day_of(now, policy.zone);
        for line in stated {
            assert!(line.date.is_none_or(|date| date >= today), "{name}: {line:?} has passed");
        }
        assert!(!kind.rules().keeps_window || policy.window.is_open(now, policy.zone), "{name}: at night");
        bought.kinds.push(kind);
        if bought.closed.is_none() {
            self.too_long.remove(&(bought.too_long, mail.order_number.clone()));
            bought.too_long = too_long_after(now, policy);
            self.too_long.insert((bought.too_long, mail.order_number.clone()));
        }
    }

    /// Nobody who waits has heard nothing for too long.
    pub fn nobody_is_forgotten(&self, now: Instant) {
        let first = self.too_long.first();
        assert!(first.is_none_or(|(end, _)| *end >= now), "{first:?} has waited too long at {now}");
    }

    /// While shipby was down nobody could be heard from: until the close of this day all are.
    pub fn was_down_until(&mut self, now: Instant, policy: &Policy) {
        let close = instant_of(day_of(now, policy.zone).and_time(policy.window.close), policy.zone);
        while self.too_long.first().is_some_and(|(end, _)| *end < now) {
            let (_, number) = self.too_long.pop_first().expect("there is one");
            self.orders.get_mut(&number).expect("it was bought").too_long = close;
            self.too_long.insert((close, number));
        }
    }

    pub fn sku_of(&self, order: &str) -> &str {
        &self.orders[order].sku
    }

    pub fn skus(&self) -> impl Iterator<Item = &str> {
        self.shelves.keys().map(String::as_str)
    }

    /// Who waits for a SKU, oldest order first.
    pub fn queue(&self, sku: &str) -> impl Iterator<Item = &str> {
        self.shelves
            .get(sku)
            .into_iter()
            .flat_map(|shelf| shelf.queue.iter().map(|(_, number)| number.as_str()))
    }

    /// Holds shipby's queue of a SKU against ours: the goods that are here go to the oldest orders, each unit once, and the
    /// places are 1, 2, 3 … of as many as wait.
    pub fn is_fair(&self, sku: &str, waiting: &[Order]) {
        let shelf = &self.shelves[sku];
        let mut here = (shelf.received - shelf.gone).max(0);
        assert_eq!(waiting.len(), shelf.queue.len());
        for (i, order) in waiting.iter().enumerate() {
            let (number, line) = (&order.number, &order.lines[0]);
            let units = self.orders[number].units;
            assert_eq!(i64::from(line.open()), units, "order {number}");
            assert_eq!(line.is_in_house(), units <= here, "order {number}: {here} of {sku} are left for it");
            here -= units.min(here);
            let place = QueuePosition { at: i as u32 + 1, of: waiting.len() as u32 };
            assert_eq!(line.place, Some(place), "order {number}");
        }
    }

    /// What must hold in the end: everybody was confirmed first but those of whom shipby heard too late, and everybody whose order is closed was told so last.
    pub fn is_complete(&self) {
        for (number, bought) in &self.orders {
            let kinds = &bought.kinds;
            let came_to_nothing = bought.closed == Some(bought.recorded);
            let confirmed_first = kinds.first() == Some(&Confirmation);
            assert_ne!(came_to_nothing, confirmed_first, "order {number}: {kinds:?}");
            let told_last = kinds.last().is_some_and(|kind| CLOSING.contains(kind));
            assert_eq!(told_last, bought.closed.is_some(), "order {number}: {kinds:?}");
        }
    }

    pub fn mails(&self) -> usize {
        self.mailed.len()
    }
}

//! Who is served from what: the queue of a SKU, oldest order first, over what has arrived and what is coming.
//!
//! A unit is given out once; no younger line is served while an older one of the SKU waits and could be.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::words::words;

words! {
    /// How far a supply has come.
    SupplyState {
        Planned = "planned", InProduction = "in_production", InTransit = "in_transit",
        Received = "received", Cancelled = "cancelled",
    }
}

/// When goods are expected: a day, or a range whose last day counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Eta {
    pub from: NaiveDate,
    /// Not before `from`.
    pub to: NaiveDate,
}

impl Eta {
    pub fn day(day: NaiveDate) -> Self {
        Self { from: day, to: day }
    }

    /// Reads `2026-03-20` or `2026-03-20/2026-03-27`.
    pub fn parse(text: &str) -> Option<Self> {
        let (from, to) = text.split_once('/').unwrap_or((text, text));
        let eta = Self { from: iso_date(from)?, to: iso_date(to)? };
        (eta.from <= eta.to).then_some(eta)
    }
}

impl std::fmt::Display for Eta {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.from == self.to { write!(f, "{}", self.to) } else { write!(f, "{}/{}", self.from, self.to) }
    }
}

/// Reads a date written as `2026-03-20` and nothing else.
pub fn iso_date(text: &str) -> Option<NaiveDate> {
    let shape = text.len() == 10
        && text.bytes().enumerate().all(|(i, b)| matches!((i, b), (4 | 7, b'-')) || b.is_ascii_digit());
    if shape { text.parse().ok() } else { None }
}

/// What a waiting line will be served from.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(tag = "from", rename_all = "snake_case")]
pub enum Cover {
    #[default]
    Nothing,
    /// Goods on their way.
    Supply {
        supply: String,
        /// None: unknown, or nobody has given their word on it.
        eta: Option<Eta>,
        state: SupplyState,
    },
    /// Goods in the house, allocated to the whole line; the last of them arrived on `on`.
    Received { on: NaiveDate },
}

impl Cover {
    pub fn is_received(&self) -> bool {
        matches!(self, Self::Received { .. })
    }

    /// The day it leads to: the last one of an ETA, or that of the arrival.
    pub fn date(&self) -> Option<NaiveDate> {
        match self {
            Self::Nothing => None,
            Self::Supply { eta, .. } => eta.map(|eta| eta.to),
            Self::Received { on } => Some(*on),
        }
    }

    /// How it changes where `new` is worked out; None: it does not.
    pub fn change_to(&self, new: &Self) -> Option<CoverChange> {
        let cover = self.becomes(new);
        let moved = self.date_moves_to(&cover);
        let wakes = moved
            || self.is_received() != cover.is_received()
            || (*self == Self::Nothing) != (cover == Self::Nothing);
        (cover != *self).then_some(CoverChange { cover, moved, wakes })
    }

    /// What it becomes where `new` is worked out: goods that are here do not arrive again because others left.
    fn becomes(&self, new: &Self) -> Self {
        match (self, new) {
            (Self::Received { on: before }, Self::Received { on }) => Self::Received { on: *before.min(on) },
            _ => new.clone(),
        }
    }

    /// Whether what is expected moves to another day with `new`; goods that came are expected no more. The first supply
    /// that has no date withdraws that of the checkout.
    fn date_moves_to(&self, new: &Self) -> bool {
        let first = *self == Self::Nothing && *new != Self::Nothing;
        !new.is_received() && (first || self.date() != new.date())
    }
}

/// How the cover of a line changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoverChange {
    pub cover: Cover,
    /// The date it leads to is another, and may move again: it is debounced before it is told.
    pub moved: bool,
    /// Its order is to be looked at.
    pub wakes: bool,
}

/// A supply as [`Serving`] sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incoming {
    pub supply: String,
    pub quantity: Option<u32>,
    pub eta: Option<Eta>,
    pub state: SupplyState,
    pub confirmed: bool,
}

impl Incoming {
    /// Whether anything can still come of it.
    pub fn is_open(&self) -> bool {
        !matches!(self.state, SupplyState::Received | SupplyState::Cancelled)
    }

    /// The date it gives: none without the supplier's word.
    pub fn given_eta(&self) -> Option<Eta> {
        self.eta.filter(|_| self.confirmed)
    }
}

/// Units that arrived on a day (negative: taken back by a correction).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    pub on: NaiveDate,
    pub quantity: i64,
    /// The supply they came with; None: nobody said, so they count against the supply that was due first.
    pub supply: Option<String>,
}

/// A SKU's queue on the way from its oldest waiting line to its youngest: each is served from what those before it left.
///
/// Its memory does not grow with the queue, and a line costs the same however long that is.
#[derive(Debug)]
pub struct Serving {
    stock: Stock,
    /// Open supplies with the units still to come of each; None: nobody knows how many.
    coming: Vec<(Incoming, Option<i64>)>,
    /// The first of them that may have some left.
    next: usize,
}

impl Serving {
    /// Before the oldest line. `shipped` counts all units of the SKU that have left from waiting lines; they are taken from
    /// the oldest arrivals.
    pub fn new(arrivals: &[Arrival], shipped: i64, supplies: Vec<Incoming>) -> Self {
        Self { stock: Stock::new(arrivals, shipped), coming: coming(supplies, arrivals), next: 0 }
    }

    /// What the next line, with so many open units, is served from.
    pub fn serve(&mut self, units: u32) -> Cover {
        let mut missing = i64::from(units);
        let (taken, on) = self.stock.take(missing);
        missing -= taken;
        if missing == 0 {
            return on.map_or(Cover::Nothing, |on| Cover::Received { on });
        }
        while let Some((supply, left)) = self.coming.get_mut(self.next) {
            let taken = left.map_or(missing, |left| left.min(missing));
            missing -= taken;
            *left = left.map(|left| left - taken);
            if missing == 0 {
                return Cover::Supply {
                    supply: supply.supply.clone(),
                    eta: supply.given_eta(),
                    state: supply.state,
                };
            }
            self.next += 1;
        }
        Cover::Nothing
    }
}

/// The open supplies with the units still to come, earliest ETA first, unknown ones last.
fn coming(supplies: Vec<Incoming>, arrivals: &[Arrival]) -> Vec<(Incoming, Option<i64>)> {
    let mut open: Vec<_> = supplies.into_iter().filter(Incoming::is_open).collect();
    open.sort_by_key(|s| {
        let eta = s.given_eta();
        (eta.is_none(), eta.map(|e| (e.to, e.from)), s.supply.clone())
    });
    let units = |supply: Option<&str>| -> i64 {
        arrivals.iter().filter(|a| a.supply.as_deref() == supply).map(|a| a.quantity).sum()
    };
    let mut unnamed = units(None).max(0);
    let mut left = |supply: &Incoming| {
        let due = (i64::from(supply.quantity?) - units(Some(&supply.supply))).max(0);
        let came = unnamed.min(due);
        unnamed -= came;
        Some(due - came)
    };
    open.into_iter()
        .map(|supply| {
            let left = left(&supply);
            (supply, left)
        })
        .collect()
}

/// Units in the house, oldest arrival first.
#[derive(Debug)]
struct Stock {
    arrivals: Vec<Arrival>,
    next: usize,
}

impl Stock {
    fn new(arrivals: &[Arrival], shipped: i64) -> Self {
        let mut sorted: Vec<_> = arrivals.iter().filter(|a| a.quantity > 0).cloned().collect();
        sorted.sort_by_key(|a| a.on);
        // A correction takes back what came last, so that the youngest lines lose it.
        let mut back: i64 = arrivals.iter().map(|a| (-a.quantity).max(0)).sum();
        for arrival in sorted.iter_mut().rev() {
            let taken = back.min(arrival.quantity);
            arrival.quantity -= taken;
            back -= taken;
        }
        let mut stock = Self { arrivals: sorted, next: 0 };
        stock.take(shipped);
        stock
    }

    /// Takes up to `units`; says how many, and when the last of them had arrived.
    fn take(&mut self, units: i64) -> (i64, Option<NaiveDate>) {
        let (mut taken, mut on) = (0, None);
        while let Some(arrival) = self.arrivals.get_mut(self.next) {
            let some = arrival.quantity.min(units - taken);
            if some > 0 {
                arrival.quantity -= some;
                taken += some;
                on = Some(arrival.on);
            }
            if arrival.quantity > 0 || taken == units {
                break;
            }
            self.next += 1;
        }
        (taken, on)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What each line of a queue is served from, by its open units.
    fn cover(queue: &[u32], arrivals: &[Arrival], shipped: i64, supplies: &[Incoming]) -> Vec<Cover> {
        let mut serving = Serving::new(arrivals, shipped, supplies.to_vec());
        queue.iter().map(|units| serving.serve(*units)).collect()
    }

    fn day(n: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 3, n).unwrap()
    }
    fn arrival(on: NaiveDate, quantity: i64) -> Arrival {
        Arrival { on, quantity, supply: None }
    }
    fn incoming(supply: &str, quantity: Option<u32>, eta: u32) -> Incoming {
        Incoming {
            supply: supply.into(),
            quantity,
            eta: Some(Eta::day(day(eta))),
            state: SupplyState::InTransit,
            confirmed: true,
        }
    }
    fn names(covers: &[Cover]) -> Vec<String> {
        covers
            .iter()
            .map(|c| match c {
                Cover::Nothing => "-".into(),
                Cover::Supply { supply, .. } => supply.clone(),
                Cover::Received { on } => format!("in house since {}", on.format("%d")),
            })
            .collect()
    }

    #[test]
    fn the_oldest_lines_are_served_from_the_earliest_supply() {
        let supplies = [incoming("april", Some(2), 30), incoming("march", Some(3), 10)];
        let covers = cover(&[1, 1, 2, 1], &[], 0, &supplies);
        assert_eq!(
            names(&covers),
            ["march", "march", "april", "april"],
            "a line split over two supplies waits for the later"
        );
    }

    #[test]
    fn goods_in_the_house_go_to_the_oldest_and_each_unit_once() {
        let arrivals = [arrival(day(1), 2), arrival(day(5), 1)];
        let covers = cover(&[1, 2, 1], &arrivals, 0, &[incoming("next", None, 20)]);
        assert_eq!(names(&covers), ["in house since 01", "in house since 05", "next"]);
    }

    #[test]
    fn what_has_shipped_is_netted_against_what_arrived_or_will_arrive() {
        let arrivals = [arrival(day(5), 2)];
        assert_eq!(names(&cover(&[1, 1], &arrivals, 1, &[])), ["in house since 05", "-"]);
        assert_eq!(names(&cover(&[1], &arrivals, 3, &[])), ["-"]);
    }

    #[test]
    fn a_correction_takes_units_back_from_the_youngest() {
        let arrivals = [arrival(day(5), 2), arrival(day(6), -1)];
        assert_eq!(names(&cover(&[1, 1], &arrivals, 0, &[])), ["in house since 05", "-"]);
    }

    #[test]
    fn what_has_arrived_of_a_supply_does_not_come_again() {
        let supplies = [incoming("first", Some(2), 10), incoming("second", Some(2), 20)];
        let named = [Arrival { supply: Some("second".into()), ..arrival(day(5), 2) }];
        assert_eq!(
            names(&cover(&[1, 1, 1], &named, 0, &supplies)),
            ["in house since 05", "in house since 05", "first"]
        );
        assert_eq!(names(&cover(&[1, 2, 1, 1], &named, 2, &supplies)), ["first", "-", "-", "-"]);
        let unnamed = [arrival(day(5), 2)];
        assert_eq!(names(&cover(&[1, 2], &unnamed, 2, &supplies)), ["second", "-"]);
    }

    #[test]
    fn cancelled_and_received_supplies_cover_nobody_and_an_unconfirmed_one_gives_no_date() {
        let closed = [SupplyState::Cancelled, SupplyState::Received]
            .map(|state| Incoming { state, ..incoming("x", None, 9) });
        assert_eq!(cover(&[1], &[], 0, &closed), [Cover::Nothing]);
        let unsure = Incoming { confirmed: false, ..incoming("maybe", None, 9) };
        let expected = Cover::Supply { supply: "maybe".into(), eta: None, state: SupplyState::InTransit };
        assert_eq!(cover(&[1], &[], 0, &[unsure]), [expected]);
    }

    #[test]
    fn a_date_is_read_in_one_way_only() {
        assert_eq!(Eta::parse("2026-03-20").unwrap().to, day(20));
        assert_eq!(Eta::parse("2026-03-10/2026-03-20").unwrap(), Eta { from: day(10), to: day(20) });
        for bad in
            ["2026-3-20", "20-03-2026", "2026-02-30", "2026-03-20/2026-03-10", "", "soon", "+026-03-20"]
        {
            assert_eq!(Eta::parse(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_unit_is_given_twice_and_nobody_is_passed_over(
            queue in prop::collection::vec(1u32..5, 0..30),
            got in prop::collection::vec(-3i64..10, 0..6),
            shipped in 0i64..8,
            quantities in prop::collection::vec(0u32..12, 0..4),
        ) {
            let arrivals: Vec<_> = got.iter().zip(1..).map(|(q, d)| arrival(day(d), *q)).collect();
            let supplies: Vec<_> = quantities.iter().zip(10..).map(|(q, d)| incoming(&d.to_string(), Some(*q), d)).collect();
            let covers = cover(&queue, &arrivals, shipped, &supplies);
            let served = |wanted: fn(&Cover) -> bool| -> i64 {
                queue.iter().zip(&covers).filter(|(_, c)| wanted(c)).map(|(q, _)| i64::from(*q)).sum()
            };
            let in_house = (got.iter().filter(|q| **q > 0).sum::<i64>() + got.iter().filter(|q| **q < 0).sum::<i64>()).max(0);
            let from_house = served(Cover::is_received);
            prop_assert!(from_house <= (in_house - shipped).max(0));
            let all: i64 = quantities.iter().map(|q| i64::from(*q)).sum();
            let from_anything = served(|c| *c != Cover::Nothing);
            prop_assert!(from_anything <= (in_house - shipped).max(0) + all);
            let rank = |c: &Cover| match c {
                Cover::Received { on } => (0, Some(*on)),
                Cover::Supply { eta, .. } => (1, eta.map(|e| e.to)),
                Cover::Nothing => (2, None),
            };
            prop_assert!(covers.windows(2).all(|w| rank(&w[0]) <= rank(&w[1])), "a younger line is served first: {covers:?}");
        }
    }
}

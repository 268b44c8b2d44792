//! Two years of a made-up shop, as facts: supplies slip, deliveries fall short or come late, customers cancel, goods are
//! handed over. The same numbers give the same facts in every run.

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::Rng;
use proptest::test_runner::{RngAlgorithm, TestRng};
use serde_json::{Value, json};
use shipby::domain::fact::Fact;
use shipby::intake;

/// What decides.
struct Dice(TestRng);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0.next_u64() % n
    }

    /// Between two numbers of days, to the minute.
    fn days(&mut self, from: u64, to: u64) -> TimeDelta {
        TimeDelta::minutes((1_440 * from + self.below(1_440 * (to - from))) as i64)
    }
}

/// The facts of so many orders, in the order of their time: one SKU for 25 orders, each with a purchase order every one or
/// two months.
pub fn facts(orders: u64, seed: u8) -> Vec<Fact> {
    let mut dice = Dice(TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]));
    let start: DateTime<Utc> = "2024-01-01T00:00:00Z".parse().unwrap();
    let skus = (orders / 25).max(1);
    let mut facts = Vec::new();
    for sku in 0..skus {
        supplies(&mut dice, sku, start, &mut facts);
    }
    for number in 0..orders {
        order(&mut dice, number, skus, start, &mut facts);
    }
    facts.sort_by_key(|(at, _)| *at);
    facts.into_iter().map(|(at, fact)| intake::fact(fact, at).unwrap()).collect()
}

fn supplies(dice: &mut Dice, sku: u64, start: DateTime<Utc>, facts: &mut Vec<(DateTime<Utc>, Value)>) {
    let mut at = start + dice.days(0, 30);
    for number in 0.. {
        if at > start + TimeDelta::days(700) {
            return;
        }
        let (sku, supply) = (format!("SKU-{sku}"), format!("PO-{number}"));
        let quantity = 3 + dice.below(28);
        let mut eta = at + dice.days(15, 50);
        let says = |at: DateTime<Utc>, eta: DateTime<Utc>| {
            json!({"fact": "supply", "at": at, "sku": sku, "supply": supply, "quantity": quantity,
                "eta": eta.date_naive(), "state": "in_transit", "reason": "factory delay"})
        };
        facts.push((at, says(at, eta)));
        if dice.below(3) == 0 {
            let slips = at + dice.days(3, 12);
            eta += dice.days(4, 20);
            facts.push((slips, says(slips, eta)));
        }
        let comes = eta + dice.days(0, 3);
        let receipt = json!({"fact": "receipt", "at": comes, "id": format!("{sku}-{number}"), "sku": sku,
            "supply": supply, "quantity": quantity});
        facts.push((comes, receipt));
        at += dice.days(25, 60);
    }
}

fn order(
    dice: &mut Dice,
    number: u64,
    skus: u64,
    start: DateTime<Utc>,
    facts: &mut Vec<(DateTime<Utc>, Value)>,
) {
    let at = start + dice.days(5, 690);
    let order = format!("O{number:06}");
    let placed = json!({"fact": "order", "at": at, "order": order, "placed_at": at,
        "customer": {"email": format!("c{number}@example.com"), "name": "Ana"},
        "lines": [{"id": "1", "sku": format!("SKU-{}", dice.below(skus)), "title": "Copper kettle",
            "quantity": 1 + dice.below(4) / 3, "kind": "backorder"}]});
    facts.push((at, placed));
    if dice.below(10) == 0 {
        let at = at + dice.days(1, 15);
        let cancel = json!({"fact": "cancel", "at": at, "id": format!("C{number}"), "order": order,
            "by": "customer"});
        facts.push((at, cancel));
    } else {
        let at = at + dice.days(20, 75);
        facts.push((at, json!({"fact": "shipment", "at": at, "id": format!("S{number}"), "order": order})));
    }
}

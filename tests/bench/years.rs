//! Two years of a made-up shop through the real planner and dispatcher on a simulated clock, as `shipby simulate` does it.
//!
//! `cargo bench --bench years`; ORDERS (default 10,000) sets the size. Supplies slip, deliveries differ from what was
//! ordered, customers cancel, and everything is the same in every run.

use std::time::Instant as Wall;

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::Rng;
use proptest::test_runner::{RngAlgorithm, TestRng};
use serde_json::{Value, json};
use shipby::clock::Clock;
use shipby::config::Config;
use shipby::domain::fact::Fact;
use shipby::simulation::Simulation;
use shipby::store::{Durability, Store};
use shipby::{intake, parts};

fn main() {
    let orders = std::env::var("ORDERS").ok().and_then(|text| text.parse().ok()).unwrap_or(10_000);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(years(orders));
}

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

/// The facts, in order. One SKU for 25 orders, each with a purchase order every one or two months.
fn facts(orders: u64) -> Vec<Fact> {
    let mut dice = Dice(TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]));
    let start: DateTime<Utc> = "2024-01-01T00:00:00Z".parse().unwrap();
    let skus = (orders / 25).max(1);
    let mut facts: Vec<(DateTime<Utc>, Value)> = Vec::new();
    for sku in 0..skus {
        let mut at = start + dice.days(0, 30);
        for number in 0.. {
            if at > start + TimeDelta::days(700) {
                break;
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
            facts.push((
                comes,
                json!({"fact": "receipt", "at": comes, "id": format!("{sku}-{number}"), "sku": sku,
                "supply": supply, "quantity": quantity}),
            ));
            at += dice.days(25, 60);
        }
    }
    for number in 0..orders {
        let at = start + dice.days(5, 690);
        let order = format!("O{number:06}");
        facts.push((
            at,
            json!({"fact": "order", "at": at, "order": order, "placed_at": at,
            "customer": {"email": format!("c{number}@example.com"), "name": "Ana"},
            "lines": [{"id": "1", "sku": format!("SKU-{}", dice.below(skus)), "title": "Copper kettle",
                "quantity": 1 + dice.below(4) / 3, "kind": "backorder"}]}),
        ));
        if dice.below(10) == 0 {
            let at = at + dice.days(1, 15);
            facts.push((
                at,
                json!({"fact": "cancel", "at": at, "id": format!("C{number}"), "order": order,
                "by": "customer"}),
            ));
        } else {
            let at = at + dice.days(20, 75);
            facts.push((
                at,
                json!({"fact": "shipment", "at": at, "id": format!("S{number}"), "order": order}),
            ));
        }
    }
    facts.sort_by_key(|(at, _)| *at);
    facts.into_iter().map(|(at, fact)| intake::fact(fact, at).unwrap()).collect()
}

async fn years(orders: u64) {
    let folder = tempfile::tempdir().unwrap();
    let text = "[shop]\nname = \"Kettle & Co\"\nfrom = \"a@shop.example\"\n";
    let config = Config::parse(&folder.path().join("config.toml"), text, std::iter::empty()).unwrap();
    let facts = facts(orders);
    let store = Store::open(&folder.path().join("years.db"), Durability::None).await.unwrap();
    let (clock, hand) = Clock::simulated(facts[0].at());
    let dispatcher = parts::dispatcher(&config, store.clone(), clock, "years".to_owned()).unwrap();
    let mut simulation = Simulation { store, dispatcher, policy: config.policy(), hand };

    let wall = Wall::now();
    let (mut moments, mut mails) = (0, 0);
    let mut coming = facts.iter().peekable();
    loop {
        let due = simulation.next_due().await.unwrap();
        let Some(at) = due.into_iter().chain(coming.peek().map(|fact| fact.at())).min() else { break };
        let mut now = Vec::new();
        while let Some(fact) = coming.next_if(|fact| fact.at() <= at) {
            now.push(fact.clone());
        }
        if now.is_empty() && coming.peek().is_none() {
            break;
        }
        mails += simulation.step(at, &now).await.unwrap().settled;
        moments += 1;
    }
    let took = wall.elapsed();
    println!("{} facts, {moments} moments, {mails} mails in {took:.2?}", facts.len());
    println!(
        "{:.0} µs a moment, {:.0} mails a second",
        took.as_secs_f64() * 1e6 / f64::from(moments),
        mails as f64 / took.as_secs_f64()
    );
    simulation.store.close().await;
}

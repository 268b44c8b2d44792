//! Months of a made-up shop, replayed: orders, purchase orders that slip, deliveries that fall short, cancellations and
//! shipments, with what must always hold asked of the database after every fact.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::Rng;
use proptest::test_runner::{RngAlgorithm, TestRng};
use serde_json::{Value, json};
use shipby::domain::order::Order;

use crate::support::app::{TestApp, at};

const SKUS: usize = 4;
const ORDERS: usize = 120;

/// Numbers that are the same in every run.
struct Dice(TestRng);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0.next_u64() % n
    }

    fn hours(&mut self, from: u64, to: u64) -> TimeDelta {
        TimeDelta::minutes(i64::try_from(60 * from + self.below(60 * (to - from))).unwrap())
    }
}

/// What has become of a SKU in the facts so far.
#[derive(Default)]
struct Booked {
    received: i64,
}

/// Five months of facts with the time of each, in order.
fn facts(dice: &mut Dice) -> Vec<(DateTime<Utc>, Value)> {
    let start = at("2026-01-05T08:00:00Z");
    let mut facts = Vec::new();
    for sku in 0..SKUS {
        let name = format!("SKU-{sku}");
        let mut begins = start;
        for run in 0..5 {
            begins += dice.hours(24, 600);
            let (quantity, supply) = (5 + dice.below(12), format!("PO-{run}"));
            let mut eta = begins + dice.hours(300, 900);
            let says = |at: DateTime<Utc>, eta: DateTime<Utc>| {
                json!({"fact": "supply", "at": at, "sku": name, "supply": supply, "quantity": quantity,
                    "eta": eta.date_naive(), "state": "in_transit"})
            };
            facts.push((begins, says(begins, eta)));
            if dice.below(2) == 0 {
                let slips = begins + dice.hours(24, 200);
                eta += dice.hours(100, 500);
                facts.push((slips, says(slips, eta)));
            }
            // Short, over, as ordered; some of it damaged later.
            let came = quantity + dice.below(5) - 2;
            let arrives = eta + dice.hours(0, 72);
            let receipt = |id: &str, at: DateTime<Utc>, quantity: i64| {
                json!({"fact": "receipt", "at": at, "id": format!("{name}-{run}{id}"), "sku": name, "supply": supply,
                    "quantity": quantity})
            };
            facts.push((arrives, receipt("", arrives, i64::try_from(came).unwrap())));
            if dice.below(3) == 0 {
                let counted = arrives + dice.hours(1, 30);
                facts.push((counted, receipt("-damaged", counted, -1)));
            }
        }
    }
    for number in 0..ORDERS {
        let (placed, sku) = (start + dice.hours(0, 3_000), dice.below(SKUS as u64));
        let order = format!("{number:03}");
        facts.push((
            placed,
            json!({"fact": "order", "at": placed, "order": order, "placed_at": placed,
                "customer": {"email": format!("c{number}@example.com")},
                "lines": [{"id": "1", "sku": format!("SKU-{sku}"), "title": "Kettle", "quantity": 1 + dice.below(2),
                    "kind": "backorder"}]}),
        ));
        if dice.below(8) == 0 {
            let changed_mind = placed + dice.hours(10, 900);
            let cancel = json!({"fact": "cancel", "at": changed_mind, "id": format!("C-{order}"), "order": order,
                "by": "customer"});
            facts.push((changed_mind, cancel));
        }
    }
    facts.sort_by_key(|(at, _)| *at);
    facts
}

/// What holds at any time, whatever was recorded.
fn holds(orders: &[Order], booked: &HashMap<String, Booked>) {
    let mut queues: BTreeMap<&str, Vec<(&Order, &shipby::domain::order::Line)>> = BTreeMap::new();
    for order in orders {
        for line in &order.lines {
            queues.entry(&line.sku).or_default().push((order, line));
        }
    }
    for (sku, queue) in &mut queues {
        queue.sort_by_key(|(order, _)| (order.placed_at, order.number.clone()));
        let gone: i64 = queue.iter().map(|(_, line)| i64::from(line.shipped)).sum();
        let waiting: Vec<_> = queue.iter().filter(|(_, line)| line.waits()).collect();
        let served = waiting.iter().take_while(|(_, line)| line.is_in_house()).count();
        assert!(
            waiting[served..].iter().all(|(_, line)| !line.is_in_house()),
            "{sku}: a younger order has goods while an older one waits"
        );
        let given: i64 = waiting[..served].iter().map(|(_, line)| i64::from(line.open())).sum();
        let received = booked.get(*sku).map_or(0, |booked| booked.received);
        assert!(
            gone + given <= received.max(gone),
            "{sku}: {gone} shipped and {given} given of {received} received"
        );
    }
}

#[tokio::test]
async fn in_months_of_a_shops_life_no_unit_is_given_twice_and_nobody_waits_unheard() {
    let mut dice = Dice(TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]));
    let facts = facts(&mut dice);
    let mut shop = TestApp::start("2026-01-05T07:00:00Z").await;
    let mut booked: HashMap<String, Booked> = HashMap::new();
    let mut numbers = Vec::new();
    for (step, (at, fact)) in facts.iter().enumerate() {
        shop.travel_to(&at.to_rfc3339()).await;
        if let (Some(sku), Some(quantity)) = (fact["sku"].as_str(), fact["quantity"].as_i64())
            && fact["fact"] == "receipt"
        {
            booked.entry(sku.to_owned()).or_default().received += quantity;
        }
        if fact["fact"] == "order" {
            numbers.push(fact["order"].as_str().unwrap().to_owned());
        }
        shop.fact(fact.clone()).await;
        let mut orders = shop.store().orders(&numbers).await.unwrap();
        holds(&orders, &booked);
        if step % 25 == 0 {
            places(&shop, &orders).await;
        }
        // What lies ready is handed over now and then.
        if step % 10 == 0 {
            orders
                .retain(|order| order.waiting().next().is_some_and(shipby::domain::order::Line::is_in_house));
            for order in orders {
                let id = format!("S-{}", order.number);
                shop.fact(json!({"fact": "shipment", "id": id, "order": order.number, "at": shop.now()}))
                    .await;
            }
        }
    }
    shop.travel(TimeDelta::days(30)).await;
    let silence = shop.store().longest_silence(shop.now()).await.unwrap().unwrap();
    assert!(
        silence.seconds <= 8 * 24 * 60 * 60,
        "order {} heard nothing for {} s",
        silence.order,
        silence.seconds
    );
    let mails = shop.mails();
    for number in &numbers {
        let kinds: Vec<_> =
            mails.iter().filter(|mail| mail.order == *number).map(|mail| mail.kind.as_str()).collect();
        assert_eq!(kinds.first(), Some(&"confirmation"), "order {number}: {kinds:?}");
        let closing = kinds.iter().position(|kind| ["shipped", "cancelled"].contains(kind));
        assert!(closing.is_none_or(|at| at + 1 == kinds.len()), "order {number} after its end: {kinds:?}");
    }
    let shipped = mails.iter().filter(|mail| mail.kind == "shipped").count();
    assert!(shipped > ORDERS / 3 && mails.len() > 3 * ORDERS, "{shipped} shipped, {} mails", mails.len());
}

/// The places of those who wait for a SKU are 1, 2, 3 … of as many as there are.
async fn places(shop: &TestApp, orders: &[Order]) {
    let mut places: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    let mut of: BTreeMap<String, u32> = BTreeMap::new();
    for order in orders.iter().filter(|order| order.waiting().next().is_some()) {
        let line = shop.store().order(&order.number).await.unwrap().unwrap().lines.remove(0);
        let place = line.place.unwrap();
        places.entry(line.sku.clone()).or_default().push(place.at);
        of.insert(line.sku, place.of);
    }
    for (sku, mut at) in places {
        at.sort_unstable();
        assert_eq!(at, (1..=of[&sku]).collect::<Vec<_>>(), "{sku}");
    }
}

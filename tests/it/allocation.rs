//! Queues are covered by statements of their own, for a change may move a hundred thousand orders: what they write is
//! what the domain's own methods make of the same orders.

use std::collections::BTreeMap;

use chrono::{NaiveDate, TimeDelta};
use proptest::prelude::*;
use serde_json::{Value, json};
use shipby::domain::calendar::day_of;
use shipby::domain::fact::ChangeReason;
use shipby::domain::order::apply::Notify;
use shipby::domain::order::{BlastHold, Debounce, Order};
use shipby::domain::policy::Policy;
use shipby::domain::supply::{Arrival, Eta, Incoming, Serving, SupplyState};

use crate::support::app::{TestApp, at};
use crate::support::facts::{cancel, line, order_of, shipment};

const SKUS: [&str; 2] = ["KETTLE", "LAMP"];
const ORDERS: usize = 6;

/// Something that moves a queue; numbers are taken modulo what there is.
#[derive(Debug, Clone)]
enum Step {
    Supply { sku: usize, name: usize, quantity: Option<u32>, eta: Option<u32> },
    Receipt { sku: usize, quantity: i64 },
    Ship { order: usize },
    Cancel { order: usize },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..2usize, 0..3usize, prop::option::of(0..6u32), prop::option::of(0..25u32))
            .prop_map(|(sku, name, quantity, eta)| Step::Supply { sku, name, quantity, eta }),
        2 => (0..2usize, prop_oneof![1..5i64, -2..0i64]).prop_map(|(sku, quantity)| Step::Receipt { sku, quantity }),
        1 => (0..ORDERS).prop_map(|order| Step::Ship { order }),
        1 => (0..ORDERS).prop_map(|order| Step::Cancel { order }),
    ]
}

/// What the test knows of the SKUs besides the orders.
#[derive(Default)]
struct Known {
    supplies: BTreeMap<(usize, usize), Incoming>,
    arrivals: BTreeMap<usize, Vec<Arrival>>,
    facts: usize,
}

impl Known {
    fn fact(&mut self, step: &Step, today: NaiveDate) -> Value {
        self.facts += 1;
        let id = self.facts.to_string();
        match *step {
            Step::Supply { sku, name, quantity, eta } => {
                let day = eta.map(|days| today + TimeDelta::days(i64::from(days)));
                let (supply, state) = (format!("PO-{name}"), SupplyState::InTransit);
                let eta = day.map(Eta::day);
                let incoming = Incoming { supply: supply.clone(), quantity, eta, state, confirmed: true };
                self.supplies.insert((sku, name), incoming);
                // Of two of one moment the first stays.
                let at = at("2026-03-02T08:00:00Z") + TimeDelta::seconds(i64::try_from(self.facts).unwrap());
                json!({"fact": "supply", "at": at, "sku": SKUS[sku], "supply": supply, "quantity": quantity,
                    "eta": day.map_or("unknown".to_owned(), |day| day.to_string()), "state": "in_transit"})
            }
            Step::Receipt { sku, quantity } => {
                let arrival = Arrival { on: today, quantity, supply: None };
                self.arrivals.entry(sku).or_default().push(arrival);
                json!({"fact": "receipt", "id": id, "sku": SKUS[sku], "quantity": quantity})
            }
            Step::Ship { order } => shipment(&id, &number(order)),
            Step::Cancel { order } => cancel(&id, &number(order)),
        }
    }

    /// The orders as the domain serves them, oldest first. What the blast guard holds is in a batch without a number.
    fn serve(&self, orders: &mut [Order], now: shipby::domain::calendar::Instant, policy: &Policy) {
        for (at, sku) in SKUS.iter().enumerate() {
            let lines = || orders.iter().flat_map(|order| &order.lines).filter(|line| line.sku == *sku);
            let shipped: u32 = lines().map(|line| line.shipped).sum();
            let supplies = self.supplies.iter().filter(|((sku, _), _)| *sku == at);
            let supplies = supplies.map(|(_, supply)| supply.clone()).collect();
            let arrivals = self.arrivals.get(&at).cloned().unwrap_or_default();
            let mut serving = Serving::new(&arrivals, i64::from(shipped), supplies);
            let mut woken = Vec::new();
            for (index, order) in orders.iter_mut().enumerate() {
                let waiting = order.waiting().filter(|line| line.sku == *sku);
                let changes: Vec<_> = waiting
                    .filter_map(|line| {
                        Some((line.key.clone(), line.cover.change_to(&serving.serve(line.open()))?))
                    })
                    .collect();
                for (line, by) in &changes {
                    order.serve(line, by, ChangeReason::default(), Debounce::at(now));
                }
                woken.extend(changes.iter().any(|(_, by)| by.wakes).then_some(index));
            }
            if woken.len() > policy.blast_limit {
                woken.into_iter().for_each(|index| orders[index].hold_back(0));
            }
        }
    }
}

fn number(order: usize) -> String {
    (order + 1).to_string()
}

/// One to three lines of both SKUs, the same for the same number.
fn an_order(order: usize) -> Value {
    let mut fact = order_of(&number(order), &format!("{order}@example.com"));
    let lines = (0..=order % 3).map(|at| {
        let mut line = line(&(at + 1).to_string(), SKUS[(order + at) % 2]);
        line["quantity"] = json!(1 + (order + at) % 2);
        line
    });
    fact["lines"] = lines.collect();
    fact["placed_at"] = json!(format!("2026-03-01T0{order}:00:00Z"));
    fact
}

async fn orders(shop: &TestApp) -> Vec<Order> {
    let numbers: Vec<String> = (0..ORDERS).map(number).collect();
    let mut orders = shop.store().orders(&numbers).await.unwrap();
    orders.sort_by_key(|order| order.placed_at);
    for order in &mut orders {
        order.blast_hold = order.blast_hold.map(|hold| BlastHold { batch: 0, ..hold });
    }
    orders
}

async fn a_queue_is_covered_as_the_domain_serves_it(passes: Vec<Vec<Step>>) {
    let mut shop = TestApp::start("2026-03-02T08:00:00Z").await;
    shop.facts((0..ORDERS).map(an_order)).await;
    let policy = Policy { blast_limit: 3, ..shop.sim.policy.clone() };
    let mut known = Known::default();
    for (pass, steps) in passes.iter().enumerate() {
        let now = at("2026-03-02T09:00:00Z") + TimeDelta::hours(7 * i64::try_from(pass).unwrap());
        shop.sim.hand.set(now);
        for step in steps {
            let fact = known.fact(step, day_of(now, policy.zone));
            shop.only_record(fact, Notify::All).await;
        }
        let mut expected = orders(&shop).await;
        known.serve(&mut expected, now, &policy);
        shop.store().cover_dirty(now, &policy).await.unwrap();
        assert_eq!(orders(&shop).await, expected, "after pass {pass} of {passes:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_covering_writes_is_what_the_orders_own_methods_come_to(
        passes in prop::collection::vec(prop::collection::vec(step(), 1..4), 1..6),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(a_queue_is_covered_as_the_domain_serves_it(passes));
    }
}

//! One change that very many orders wait for: it is worked through in pieces, and nobody can tell.

use std::collections::HashSet;

use chrono::TimeDelta;
use serde_json::json;
use shipby::domain::fact::Source;
use shipby::domain::notice::NoticeKind;
use shipby::domain::order::apply::Notify;
use shipby::intake::{self, Options};
use shipby::planner;

use crate::support::app::{Differs, TestApp};
use crate::support::facts::{line, order, supply};

/// More than are scheduled and saved together; and of their lines more than are read together, with the last order read
/// cut in two.
const MANY: usize = 1_700;

fn numbers() -> Vec<String> {
    (0..MANY).map(|number| format!("{number:04}")).collect()
}

/// Orders of three lines each that were promised kettles for 20 March, an hour after they were taken over.
async fn shop() -> TestApp {
    let keys = [("DELIVERY__BLAST_LIMIT", "10000")];
    let mut shop = TestApp::with("2026-03-02T08:00:00Z", Differs { keys: &keys, ..Differs::default() }).await;
    shop.fact(supply("2026-03-16")).await;
    let facts = numbers().into_iter().map(|number| {
        let mut order = order(&number);
        order["lines"] = json!([line("1", "KETTLE"), line("2", "KETTLE"), line("3", "KETTLE")]);
        for line in order["lines"].as_array_mut().unwrap() {
            line["promised"] = json!("2026-03-20");
        }
        intake::fact(order, shop.now()).unwrap()
    });
    let facts: Vec<_> = facts.collect();
    let silently = Options { notify: Notify::Future, ..Options::at(shop.now()) };
    intake::submit(shop.store(), Source::Import, &facts, silently).await.unwrap();
    shop.travel(TimeDelta::hours(1)).await;
    shop
}

#[tokio::test]
async fn a_slip_of_very_many_orders_is_planned_for_each_of_them_once() {
    let shop = shop().await;
    shop.only_record(supply("2026-03-27"), Notify::All).await;
    let (store, policy) = (shop.store(), &shop.sim.policy);
    assert_eq!(planner::turn(store, policy, shop.now()).await.unwrap().queued, 0, "it settles first");
    let settled = shop.now() + policy.debounce;
    let planned = store.plan_due(settled, policy, 10_000).await.unwrap();
    assert_eq!((planned.orders, planned.queued.len()), (MANY, MANY));
    let orders = store.orders(&numbers()).await.unwrap();
    for line in orders.iter().flat_map(|order| &order.lines) {
        assert_eq!(line.cover, orders[0].lines[0].cover, "every line is covered anew");
    }
    let under_way = orders.into_iter().filter_map(|order| Some(order.under_way?.id));
    let under_way: HashSet<String> = under_way.collect();
    assert_eq!(under_way.len(), MANY);
    assert_eq!(under_way, planned.queued.into_iter().map(|planned| planned.id).collect());
    assert_eq!(planner::turn(store, policy, settled).await.unwrap().queued, 0);
}

#[tokio::test]
async fn a_dry_run_of_it_counts_every_order_once_and_shows_the_oldest() {
    let shop = shop().await;
    let fact = intake::fact(supply("2026-03-27"), shop.now()).unwrap();
    let (_, impact) = intake::impact(shop.store(), &fact, shop.now(), &shop.sim.policy).await.unwrap();
    assert_eq!((impact.orders, impact.unaffected), (MANY, 0));
    let slips = impact.mails[&NoticeKind::DateSlip];
    let settled = shop.now() + shop.sim.policy.debounce;
    assert_eq!((slips.count, slips.first_at, slips.last_at), (MANY, settled, settled));
    assert_eq!(impact.mails.len(), 1);
    let shown: Vec<&str> = impact.examples.iter().map(|example| example.order.as_str()).collect();
    assert_eq!(shown, ["0000", "0001", "0002", "0003", "0004"]);
}

//! What is recorded, who waits for what and for how long: orders, supplies and the queues between them.

use chrono::TimeDelta;
use serde_json::json;
use shipby::domain::fact::{Fact, Source};
use shipby::domain::order::Status;
use shipby::domain::order::apply::Notify as Tell;
use shipby::domain::policy::Policy;
use shipby::intake::{self, Options};
use shipby::planner;
use shipby::store::{Recorded, Store};

use super::driver::Driver;
use super::{START, entry, planned};
use crate::support::app::TestApp;
use crate::support::facts::{cancel, line, order, receipt, shipment, supply};

#[tokio::test]
async fn facts_are_new_changed_known_or_refused_and_a_dry_run_is_none() {
    let mut shop = TestApp::start(START).await;
    let dry = [entry(&shop, order("1"))];
    let said = shop.store().record(&dry, Source::Import, shop.now(), Tell::All, true).await.unwrap();
    assert_eq!((said, shop.store().order("1").await.unwrap().is_none()), (vec![Recorded::New], true));
    let said =
        shop.facts([supply("2026-03-16"), order("1"), order("1"), receipt("R", 2), receipt("R", 2)]).await;
    use Recorded::{Changed, New, Unchanged};
    assert_eq!(said, [Changed, New, Unchanged, Changed, Unchanged]);
    assert_eq!(Recorded::count(&said), [1, 2, 2, 0]);
    let label = json!({"fact": "shipment", "id": "S", "order": "1", "handed_over": false});
    let said =
        shop.facts([label, shipment("S", "1"), shipment("S", "1"), cancel("C", "1"), cancel("D", "2")]).await;
    assert_eq!(said[..3], [Unchanged, Changed, Unchanged]);
    assert!(said[3..].iter().all(|said| matches!(said, Recorded::Refused(_))), "{said:?}");
    assert_eq!(shop.order("1").await.status(), Status::Shipped);
}

#[tokio::test]
async fn the_queues_of_very_many_skus_are_all_covered_by_one_call() {
    const SKUS: usize = 1_234;
    let shop = TestApp::start(START).await;
    let (store, policy, now) = (shop.store(), &shop.sim.policy, shop.now());
    let facts = |sku: usize| {
        let sku = format!("KETTLE-{sku}");
        let (mut order, mut supply) = (order(&sku), supply("2026-03-16"));
        order["lines"][0]["sku"] = json!(sku);
        supply["sku"] = json!(sku);
        [order, supply].map(|fact| intake::fact(fact, now).unwrap())
    };
    let facts: Vec<Fact> = (0..SKUS).flat_map(facts).collect();
    intake::submit(store, Source::Import, &facts, Options::at(now)).await.unwrap();
    assert_eq!(store.cover_dirty(now, policy).await.unwrap(), SKUS);
    let numbers: Vec<String> = (0..SKUS).map(|sku| format!("KETTLE-{sku}")).collect();
    let orders = store.orders(&numbers).await.unwrap();
    let eta = Some("2026-03-16".parse().unwrap());
    assert_eq!(orders.iter().filter(|order| order.lines[0].cover.date() == eta).count(), SKUS);
    assert_eq!(store.cover_dirty(now, policy).await.unwrap(), 0);
}

#[tokio::test]
async fn a_place_in_the_queue_is_exact_whoever_changed_the_queue() {
    let shop = planned(&["1", "2", "3"]).await;
    let other = Driver::TESTED.open(shop.database()).await.unwrap();
    let place = async |store: &Store, number: &str| {
        let order = store.order(number).await.unwrap().unwrap();
        order.lines[0].place.map(|place| (place.at, place.of))
    };
    assert_eq!((place(shop.store(), "3").await, place(&other, "3").await), (Some((3, 3)), Some((3, 3))));
    shop.only_record(shipment("S", "1"), Tell::All).await;
    assert_eq!((place(shop.store(), "3").await, place(&other, "3").await), (Some((2, 2)), Some((2, 2))));
    assert_eq!(place(&other, "1").await, None);
    let mut older = order("4");
    older["placed_at"] = "2026-03-01T08:00:00Z".into();
    shop.only_record(older, Tell::All).await;
    assert_eq!((place(&other, "4").await, place(&other, "3").await), (Some((1, 3)), Some((3, 3))));
    other.close().await;
}

#[tokio::test]
async fn a_changed_policy_wakes_every_open_order_once() {
    let mut shop = TestApp::start(START).await;
    shop.facts([order("1"), order("2"), order("3"), order("4")]).await;
    shop.fact(cancel("C", "4")).await;
    let store = shop.store();
    let old = shop.sim.policy.clone();
    let wake = async |policy: &Policy| planner::wake_after_change(store, policy, shop.now()).await.unwrap();
    let woken = async || store.plan_due(shop.now(), &old, 100).await.unwrap().orders;
    assert!(!wake(&old).await);
    assert_eq!(woken().await, 0, "a new database knows no other policy");
    let new = Policy { buffer_days: 9, ..old.clone() };
    assert!(wake(&new).await, "there may be more");
    assert_eq!(woken().await, 3);
    assert!(!wake(&new).await);
    assert!(!wake(&new).await);
    assert_eq!(woken().await, 0);
    // A start that finds the work half done goes on where the last one stopped.
    store.set_meta("policy_cursor", "1").await.unwrap();
    assert!(wake(&new).await);
    assert_eq!(woken().await, 2);
    assert_eq!(store.wake_open("", shop.now(), 2).await.unwrap().as_deref(), Some("2"));
    assert_eq!(woken().await, 2);
    assert_eq!(store.wake_open("3", shop.now(), 2).await.unwrap(), None);
}

#[tokio::test]
async fn it_is_known_since_when_facts_wait_to_be_worked_into_the_queues() {
    let shop = TestApp::start(START).await;
    let store = shop.store();
    assert_eq!(store.uncovered_since(None).await.unwrap(), None);
    let since = shop.now();
    shop.only_record(order("1"), Tell::All).await;
    store.cover_dirty(shop.now(), &shop.sim.policy).await.unwrap();
    assert_eq!(store.uncovered_since(None).await.unwrap(), None);
    let mut cup = order("2");
    cup["lines"] = json!([line("1", "CUP")]);
    shop.only_record(cup, Tell::All).await;
    shop.pass(TimeDelta::minutes(1));
    shop.only_record(order("3"), Tell::All).await;
    assert_eq!(store.uncovered_since(None).await.unwrap(), Some(since));
    assert_eq!(store.uncovered_since(Some("1")).await.unwrap(), Some(shop.now()), "its queue is longer now");
    assert_eq!(store.uncovered_since(Some("2")).await.unwrap(), Some(since));
    store.cover_dirty(shop.now(), &shop.sim.policy).await.unwrap();
    assert_eq!(store.uncovered_since(Some("2")).await.unwrap(), None);
}

#[tokio::test]
async fn of_a_sku_all_supplies_are_known_and_who_waits_for_it() {
    let mut shop = planned(&["1", "2", "3"]).await;
    let mut early = supply("2026-03-09");
    (early["supply"], early["state"]) = (json!("PO-12"), json!("cancelled"));
    let mut many = order("4");
    many["lines"][0]["quantity"] = json!(5);
    shop.facts([early, many, shipment("S", "1"), cancel("C", "2")]).await;
    let store = shop.store();
    let supplies = store.supplies("KETTLE").await.unwrap();
    let known: Vec<_> = supplies.iter().map(|s| (s.supply.as_str(), s.state.as_str())).collect();
    assert_eq!(known, [("PO-12", "cancelled"), ("PO-77", "in_transit")]);
    assert_eq!(store.waiting_for("KETTLE").await.unwrap(), (2, 6));
    assert_eq!(
        (store.supplies("CUP").await.unwrap().len(), store.waiting_for("CUP").await.unwrap()),
        (0, (0, 0))
    );
    assert!(store.knows_sku("KETTLE").await.unwrap() && !store.knows_sku("CUP").await.unwrap());
}

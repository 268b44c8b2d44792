//! Mail that is held back by a person: what waits, what does not, and what goes out when it is over.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use serde_json::{Value, json};
use shipby::domain::order::apply::Notify as Tell;
use shipby::domain::pause::{Pause, Scope, Setter, holding};

use crate::support::app::{TestApp, at};
use crate::support::facts::{line, order, shipment, supply};

const START: &str = "2026-03-02T08:00:00Z";

fn sku(sku: &str) -> Scope {
    Scope::Sku(sku.to_owned())
}

async fn pause(shop: &TestApp, scope: Scope, until: Option<&str>) {
    let pause = Pause {
        scope,
        reason: "a recall".to_owned(),
        by: Setter::Person,
        since: shop.now(),
        until: until.map(at),
    };
    shop.store().pause(&pause).await.unwrap();
}

async fn resume(shop: &mut TestApp, scope: &Scope) {
    assert!(shop.store().resume(scope, shop.now()).await.unwrap().is_some());
    shop.settle().await;
}

fn of_sku(number: &str, sku: &str) -> Value {
    let mut order = order(number);
    order["lines"][0] = line("1", sku);
    order
}

fn coming(sku: &str, eta: &str) -> Value {
    let mut supply = supply(eta);
    supply["sku"] = json!(sku);
    supply
}

/// Order `k` waits for a kettle, `p` for a pot, `both` for one of each; all confirmed and updated.
async fn three_orders() -> TestApp {
    let mut shop = TestApp::start(START).await;
    shop.facts([coming("KETTLE", "2026-04-16"), coming("POT", "2026-04-16")]).await;
    let mut both = order("both");
    both["lines"] = json!([line("1", "KETTLE"), line("2", "POT")]);
    shop.facts([of_sku("k", "KETTLE"), of_sku("p", "POT"), both]).await;
    shop.travel_to("2026-03-05T12:00:00Z").await;
    assert_eq!(shop.mails().len(), 6);
    shop
}

#[tokio::test]
async fn what_speaks_of_a_paused_sku_waits_and_the_newest_truth_goes_out_when_it_is_over() {
    let mut shop = three_orders().await;
    pause(&shop, sku("KETTLE"), None).await;
    for eta in ["2026-04-30", "2026-05-10"] {
        shop.facts([coming("KETTLE", eta), coming("POT", eta)]).await;
        shop.travel(TimeDelta::hours(30)).await;
    }
    assert_eq!(shop.kinds()[6..], ["p date_slip", "p date_slip"]);
    assert_eq!(shop.state("k", "date_slip/2").await, "queued", "planning goes on");
    assert_eq!(shop.told("k").await, "2026-04-20");
    // What is recorded beside it, and not planned yet, is in the mail.
    shop.only_record(coming("KETTLE", "2026-05-20"), Tell::All).await;
    resume(&mut shop, &sku("KETTLE")).await;
    shop.travel(TimeDelta::hours(2)).await;
    let mut subjects: Vec<_> = shop.mails().split_off(8).into_iter().map(|mail| mail.subject).collect();
    subjects.sort();
    assert_eq!(subjects, ["New date for your order k: 24 May", "New dates for your order both"]);
}

#[tokio::test]
async fn an_order_that_waits_for_a_paused_sku_no_more_is_not_held_back() {
    let mut shop = three_orders().await;
    pause(&shop, sku("KETTLE"), None).await;
    let mut partly = shipment("S-1", "both");
    partly["lines"] = json!([{"id": "2"}]);
    shop.fact(partly).await;
    assert_eq!(shop.mails().len(), 6, "it states the date of the kettle");
    shop.fact(shipment("S-2", "k")).await;
    assert_eq!(shop.kinds()[6..], ["k shipped"]);
    let mut rest = shipment("S-3", "both");
    rest["lines"] = json!([{"id": "1"}]);
    shop.fact(rest).await;
    assert_eq!(shop.kinds()[7..], ["both shipped"]);
}

#[tokio::test]
async fn what_is_asked_of_the_rows_is_asked_of_the_order_too() {
    let mut shop = three_orders().await;
    for scope in [sku("KETTLE"), sku("POT"), sku("CUP"), Scope::Order("p".to_owned()), Scope::All] {
        pause(&shop, scope.clone(), None).await;
        shop.facts([shipment("S-1", "p"), coming("KETTLE", "2026-05-10"), coming("POT", "2026-05-10")]).await;
        let pauses = shop.store().pauses(shop.now()).await.unwrap();
        let mut held = BTreeSet::new();
        for number in ["k", "p", "both"] {
            let order = shop.order(number).await;
            if order.under_way.is_some() && !holding(&pauses, &order).is_empty() {
                held.insert(number.to_owned());
            }
        }
        let rows = shop.store().held_back(shop.now()).await.unwrap();
        assert_eq!(rows.into_iter().collect::<BTreeSet<_>>(), held, "{scope:?}");
        shop.travel(TimeDelta::hours(1)).await;
        resume(&mut shop, &scope).await;
    }
}

#[tokio::test]
async fn a_pause_ends_by_itself_and_routine_news_still_keeps_to_the_window() {
    let mut shop = three_orders().await;
    pause(&shop, Scope::Order("k".to_owned()), Some("2026-03-12T22:00:00Z")).await;
    shop.travel_to("2026-03-14T12:00:00Z").await;
    assert_eq!(shop.accepted("p").await[2..], ["Wed 11 Mar 10:00 weekly_status"]);
    assert_eq!(shop.accepted("k").await[2..], ["Fri 13 Mar 08:00 weekly_status"]);
    assert_eq!(shop.store().pauses(shop.now()).await.unwrap(), []);
    // What goes at once goes in the very moment.
    pause(&shop, Scope::All, Some("2026-03-14T23:30:00Z")).await;
    shop.facts([shipment("S-1", "k")]).await;
    shop.travel_to("2026-03-15T03:00:00Z").await;
    assert_eq!(shop.accepted("k").await[3..], ["Sun 15 Mar 00:30 shipped"]);
}

#[tokio::test]
async fn three_weeks_of_a_pause_are_caught_up_with_one_notice_and_what_lost_its_use_is_dropped() {
    let mut shop = TestApp::start(START).await;
    shop.fact(supply("2026-05-16")).await;
    shop.fact(order("1")).await;
    pause(&shop, Scope::All, None).await;
    shop.fact(order("2")).await;
    shop.travel_to("2026-03-26T09:00:00Z").await;
    assert_eq!(shop.kinds(), ["1 confirmation"]);
    resume(&mut shop, &Scope::All).await;
    shop.travel(TimeDelta::hours(24)).await;
    let mut kinds = shop.kinds().split_off(1);
    kinds.sort();
    assert_eq!(kinds, ["1 weekly_status", "2 confirmation"]);
    let update = shop.otherwise("1").await.into_iter().find(|told| told.contains("update_48h")).unwrap();
    assert!(update.ends_with("skipped expired"), "{update}");
}

#[tokio::test]
async fn while_everything_is_paused_nothing_is_due_and_the_relay_is_left_alone() {
    let mut shop = TestApp::start(START).await;
    pause(&shop, Scope::All, None).await;
    shop.fact(order("1")).await;
    assert_eq!(shop.state("1", "confirmation").await, "queued");
    assert_eq!(shop.sim.dispatcher.next_due().await.unwrap(), None);
    assert_eq!(shop.catcher.connections(), 0);
    // A retry waits as well, and its bytes are those of the first try.
    let end = "2026-03-03T08:00:00Z";
    pause(&shop, Scope::All, Some(end)).await;
    assert_eq!(shop.sim.dispatcher.next_due().await.unwrap(), Some(at(end)));
}

#[tokio::test]
async fn what_is_paused_between_reading_and_taking_is_not_taken() {
    use shipby::store::{Claim, Owner};
    let shop = TestApp::start(START).await;
    shop.only_record(order("1"), Tell::All).await;
    shipby::planner::turn(shop.store(), &shop.sim.policy, shop.now()).await.unwrap();
    let ready = shop.store().ready(shop.now(), 10).await.unwrap();
    let notices = vec![(ready[0].id.clone(), ready[0].revision)];
    pause(&shop, Scope::Order("1".to_owned()), None).await;
    let claim = Claim { notices, ..Claim::default() };
    let owner = Owner { name: "test", mode: "live" };
    assert!(shop.store().claim(owner, shop.now(), claim).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_thousand_paused_notices_keep_nobody_waiting() {
    let mut shop = TestApp::start(START).await;
    pause(&shop, sku("KETTLE"), None).await;
    let many: Vec<Value> = (0..1_000).map(|n| order(&format!("{n:04}"))).collect();
    shop.facts(many).await;
    shop.travel(TimeDelta::minutes(2)).await;
    shop.fact(of_sku("p", "POT")).await;
    assert_eq!(shop.kinds(), ["p confirmation"]);
    // The shop finds another way to serve one of them, which its mail need not say.
    shop.fact(of_sku("0007", "PAN")).await;
    shop.travel(TimeDelta::minutes(2)).await;
    assert_eq!(shop.kinds()[1..], ["0007 confirmation"]);
    resume(&mut shop, &sku("KETTLE")).await;
    assert_eq!(shop.mails().len(), 1_001);
}

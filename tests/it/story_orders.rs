//! Whole lives of orders that are cancelled, that share goods, or that were placed before we knew of them.

use chrono::TimeDelta;
use serde_json::json;
use shipby::catcher::{Answer, Script};
use shipby::domain::order::apply::{Notify, Refusal};
use shipby::domain::reply::Phase;
use shipby::store::Recorded;

use crate::support::app::{Differs, TestApp};
use crate::support::facts::{cancel, line, order, order_of, receipt, shipment, supply};

const START: &str = "2026-03-02T08:00:00Z";

#[tokio::test]
async fn a_cancelled_order_hears_that_and_nothing_after() {
    let mut shop = TestApp::start(START).await;
    shop.fact(supply("2026-03-16")).await;
    shop.fact(order("1")).await;
    shop.travel_to("2026-03-11T23:00:00Z").await;
    shop.fact(cancel("C-1", "1")).await;
    assert_eq!(shop.last_mail().subject, "Your order 1 is cancelled");
    shop.fact(supply("2026-06-01")).await;
    shop.fact(receipt("R-1", 5)).await;
    assert!(matches!(shop.fact(shipment("S-1", "1")).await, Recorded::Refused(Refusal::Closed { .. })));
    shop.travel(TimeDelta::days(60)).await;
    assert_eq!(
        shop.accepted("1").await,
        [
            "Mon 02 Mar 09:00 confirmation",
            "Wed 04 Mar 09:00 update_48h",
            "Wed 11 Mar 10:00 weekly_status",
            "Thu 12 Mar 00:00 cancelled",
        ]
    );
    assert_eq!(shop.sim.next_due().await.unwrap(), None);
}

#[tokio::test]
async fn what_was_queued_goes_with_the_order() {
    let script = Script::new(|dialogue| match (dialogue.phase, dialogue.attempt) {
        (Phase::Body, 1..=3) => Answer::reply("451 4.3.0 later"),
        _ => Answer::Usual,
    });
    let mut shop = TestApp::with(START, Differs { script, ..Differs::default() }).await;
    shop.fact(order("1")).await;
    shop.travel(TimeDelta::minutes(7)).await;
    shop.fact(cancel("C-1", "1")).await;
    shop.travel(TimeDelta::days(10)).await;
    assert_eq!(shop.kinds(), ["1 cancelled"]);
    assert_eq!(shop.otherwise("1").await, ["Mon 02 Mar 09:07 confirmation superseded order_closed"]);
}

#[tokio::test]
async fn a_cancelled_line_leaves_the_others_their_dates() {
    let mut shop = TestApp::start(START).await;
    let mut cups = supply("2026-03-20");
    cups["sku"] = json!("CUP");
    shop.facts([supply("2026-03-16"), cups]).await;
    let mut both = order("1");
    both["lines"] = json!([line("1", "KETTLE"), line("2", "CUP")]);
    shop.fact(both).await;
    shop.travel_to("2026-03-03T10:00:00Z").await;
    let mut one = cancel("C-1", "1");
    one["lines"] = json!(["1"]);
    shop.fact(one).await;
    let mail = shop.last_mail();
    assert_eq!(mail.subject, "Cancelled from your order 1: Kettle");
    assert!(mail.text.contains("1 × Cup Ships by Tuesday 24 March 2026."), "{}", mail.text);
    shop.fact(receipt("R-1", 60)).await;
    shop.travel_to("2026-03-12T12:00:00Z").await;
    assert_eq!(
        shop.accepted("1").await,
        ["Mon 02 Mar 09:00 confirmation", "Tue 03 Mar 11:00 cancelled", "Tue 10 Mar 10:00 weekly_status"]
    );
    assert!(!shop.last_mail().text.contains("Kettle"));
}

#[tokio::test]
async fn the_oldest_orders_are_served_first_and_each_hears_its_own_date() {
    let mut shop = TestApp::start(START).await;
    let supply_of = |name: &str, quantity: u32, eta: &str| {
        let mut some = supply(eta);
        some["supply"] = json!(name);
        some["quantity"] = json!(quantity);
        some
    };
    shop.facts([supply_of("PO-77", 2, "2026-03-16"), supply_of("PO-78", 1, "2026-03-30")]).await;
    for (number, minutes) in [("c", 0), ("a", 1), ("b", 2)] {
        shop.fact(order_of(number, &format!("{number}@example.com"))).await;
        assert_eq!(shop.last_mail().order, number);
        shop.travel(TimeDelta::minutes(minutes + 1)).await;
    }
    let subjects: Vec<_> = shop.mails().into_iter().map(|mail| mail.subject).collect();
    assert_eq!(
        subjects,
        [
            "Order c confirmed: ships by 20 March",
            "Order a confirmed: ships by 20 March",
            "Order b confirmed: ships by 3 April",
        ]
    );
    shop.travel_to("2026-03-13T10:00:00Z").await;
    let before = shop.mails().len();
    shop.fact(receipt("R-1", 2)).await;
    shop.travel(TimeDelta::hours(6)).await;
    assert_eq!(shop.kinds()[before..], ["a restock", "c restock"]);
    assert_eq!(shop.told("b").await, "2026-04-03");
}

#[tokio::test]
async fn an_import_of_old_orders_says_nothing_about_the_past() {
    let mut shop = TestApp::start("2026-03-10T10:30:00Z").await;
    let mut old = order("1");
    old["placed_at"] = json!("2026-02-20T10:00:00Z");
    old["lines"][0]["promised"] = json!("2026-03-30");
    let mut late = old.clone();
    late["order"] = json!("2");
    // Nothing of these is on its way, and the date has passed: the digest's affair.
    late["lines"][0]["sku"] = json!("CUP");
    late["lines"][0]["promised"] = json!("2026-03-06");
    shop.only_record(supply("2026-03-26"), Notify::Future).await;
    shop.only_record(old, Notify::Future).await;
    shop.only_record(late, Notify::Future).await;
    shop.travel_to("2026-03-17T08:59:00Z").await;
    assert!(shop.mails().is_empty(), "{:?}", shop.kinds());
    shop.travel_to("2026-03-17T12:00:00Z").await;
    assert_eq!(shop.accepted("1").await, ["Tue 17 Mar 10:00 weekly_status"]);
    assert_eq!(shop.mails()[0].subject, "Update on your backorder: Kettle, still 30 March");
}

#[tokio::test]
async fn silence_counts_while_an_order_waits_and_at_no_other_time() {
    let longest = async |shop: &TestApp| {
        let silence = shop.store().longest_silence(shop.now()).await.unwrap().unwrap();
        (silence.order, TimeDelta::seconds(silence.seconds))
    };
    let mut shop = TestApp::start(START).await;
    let mut cups = line("2", "CUP");
    cups["kind"] = json!("in_stock");
    let mut both = order("1");
    both["lines"] = json!([line("1", "KETTLE"), cups]);
    shop.fact(both.clone()).await;
    let mut kettle = shipment("S-1", "1");
    kettle["lines"] = json!([{"id": "1"}]);
    shop.travel(TimeDelta::days(1)).await;
    shop.fact(kettle).await;
    shop.travel(TimeDelta::days(30)).await;
    let mut cups = shipment("S-2", "1");
    cups["lines"] = json!([{"id": "2"}]);
    shop.fact(cups).await;
    assert_eq!(longest(&shop).await, ("1".into(), TimeDelta::days(1)), "only cups were open for a month");
    // It waits again from here.
    both["lines"][0]["quantity"] = json!(2);
    shop.fact(both).await;
    shop.travel(TimeDelta::hours(47)).await;
    assert_eq!(longest(&shop).await, ("1".into(), TimeDelta::hours(47)));
    shop.fact(cancel("C-1", "1")).await;
    shop.travel(TimeDelta::days(40)).await;
    assert_eq!(longest(&shop).await, ("1".into(), TimeDelta::hours(47)));
}

#[tokio::test]
async fn silence_does_not_count_while_there_is_no_address() {
    let mut shop = TestApp::start(START).await;
    let mut nobody = order("1");
    nobody["customer"]["email"] = json!(null);
    shop.fact(nobody.clone()).await;
    shop.travel(TimeDelta::days(20)).await;
    shop.fact(order("1")).await;
    shop.travel(TimeDelta::hours(30)).await;
    shop.fact(nobody).await;
    shop.travel(TimeDelta::days(20)).await;
    let silence = shop.store().longest_silence(shop.now()).await.unwrap().unwrap();
    assert_eq!(TimeDelta::seconds(silence.seconds), TimeDelta::hours(30));
}

#[tokio::test]
async fn goods_that_lie_ready_for_a_line_that_is_raised_after_it_shipped_are_announced_anew() {
    let mut shop = TestApp::start(START).await;
    shop.fact(supply("2026-03-05")).await;
    let mut one = order("1");
    shop.fact(one.clone()).await;
    shop.travel_to("2026-03-06T09:00:00Z").await;
    shop.fact(receipt("R-1", 5)).await;
    shop.travel(TimeDelta::days(1)).await;
    shop.fact(shipment("S-1", "1")).await;
    shop.travel(TimeDelta::hours(3)).await;
    one["lines"][0]["quantity"] = json!(3);
    shop.fact(one).await;
    shop.travel(TimeDelta::hours(1)).await;
    assert_eq!(
        shop.accepted("1").await[2..],
        ["Fri 06 Mar 10:00 restock", "Sat 07 Mar 10:00 shipped", "Sat 07 Mar 13:00 restock"]
    );
}

#[tokio::test]
async fn goods_that_are_here_do_not_arrive_again_when_a_younger_order_ships() {
    let keys = [("PROMISE__HANDLING_DAYS", "3"), ("PROMISE__BUFFER_DAYS", "0")];
    let mut shop = TestApp::with(START, Differs { keys: &keys, ..Differs::default() }).await;
    shop.fact(supply("2026-03-06")).await;
    shop.fact(order("1")).await;
    shop.travel(TimeDelta::hours(1)).await;
    shop.fact(order("2")).await;
    shop.travel_to("2026-03-06T09:00:00Z").await;
    shop.fact(receipt("R-1", 1)).await;
    shop.travel_to("2026-03-08T09:00:00Z").await;
    shop.fact(receipt("R-2", 1)).await;
    shop.fact(shipment("S-2", "2")).await;
    shop.travel_to("2026-03-11T00:00:00Z").await;
    assert_eq!(shop.accepted("1").await[2..], ["Fri 06 Mar 10:00 restock", "Tue 10 Mar 10:00 overdue"]);
}

#[tokio::test]
async fn what_has_left_is_not_there_again_when_its_line_becomes_another() {
    for (change, value) in [("sku", "CUP"), ("kind", "in_stock")] {
        let mut shop = TestApp::start(START).await;
        shop.fact(supply("2026-04-20")).await;
        let mut first = order("1");
        shop.facts([first.clone(), order("2")]).await;
        shop.travel_to("2026-03-06T09:00:00Z").await;
        shop.fact(receipt("R-1", 1)).await;
        shop.fact(shipment("S-1", "1")).await;
        shop.travel(TimeDelta::days(1)).await;
        first["lines"][0][change] = json!(value);
        shop.fact(first).await;
        shop.travel(TimeDelta::days(1)).await;
        assert!(!shop.kinds().contains(&"2 restock".to_owned()), "{change}: {:?}", shop.kinds());
    }
}

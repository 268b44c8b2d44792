//! The blast guard: one change that would mail very many waits for a person, and nothing else does.

use chrono::TimeDelta;
use serde_json::json;

use crate::support::app::{Differs, TestApp};
use crate::support::facts::{order, receipt, shipment, supply};

/// Three orders that were told 20 March, and a limit of two.
async fn shop() -> TestApp {
    let keys = [("DELIVERY__BLAST_LIMIT", "2")];
    let mut shop = TestApp::with("2026-03-02T08:00:00Z", Differs { keys: &keys, ..Differs::default() }).await;
    shop.fact(supply("2026-03-16")).await;
    for number in ["1", "2", "3"] {
        shop.fact(order(number)).await;
    }
    shop.travel(TimeDelta::hours(26)).await;
    assert_eq!(shop.mails().len(), 3, "their confirmations are no one's change");
    shop
}

async fn held(shop: &TestApp) -> Vec<(i64, bool, i64)> {
    let batches = shop.store().held_changes().await.unwrap();
    batches.iter().map(|batch| (batch.id, batch.counting, batch.notices)).collect()
}

#[tokio::test]
async fn a_slip_of_too_many_orders_is_held_and_other_mails_state_what_was_told() {
    let mut shop = shop().await;
    shop.fact(supply("2026-03-27")).await;
    assert_eq!(held(&shop).await, [(1, true, 3)], "counted once it has settled");
    shop.travel(TimeDelta::minutes(20)).await;
    assert_eq!(held(&shop).await, [(1, false, 3)]);
    let batch = shop.store().held_changes().await.unwrap().remove(0);
    assert_eq!((batch.sku.as_str(), batch.cause.as_str()), ("KETTLE", "supply PO-77"));
    let dates = (batch.expected_before.as_deref(), batch.expected_after.as_deref());
    assert_eq!(dates, (Some("2026-03-16"), Some("2026-03-27")));
    shop.travel(TimeDelta::days(3)).await;
    let said: Vec<_> = shop.mails()[3..].iter().map(|mail| mail.subject.clone()).collect();
    assert_eq!(said.len(), 3);
    assert!(said.iter().all(|subject| subject.contains("scheduled to ship by 20 March")), "{said:?}");
    assert_eq!(shop.told("1").await, "2026-03-20");

    let now = shop.now();
    assert_eq!(shop.store().release_batch(1, now).await.unwrap(), Some(3));
    shop.settle().await;
    let said: Vec<_> = shop.mails()[6..].iter().map(|mail| mail.subject.clone()).collect();
    assert_eq!(said.len(), 3);
    assert!(said.iter().all(|subject| subject.contains("31 March")), "{said:?}");
    assert_eq!(shop.told("1").await, "2026-03-31");
    assert_eq!(held(&shop).await, []);
    assert_eq!(shop.store().release_batch(1, now).await.unwrap(), None, "nobody is told twice");
}

#[tokio::test]
async fn a_batch_that_is_dropped_mails_nobody_and_the_next_regular_mail_states_the_date() {
    let mut shop = shop().await;
    shop.fact(supply("2026-03-27")).await;
    shop.travel(TimeDelta::minutes(20)).await;
    let (now, policy) = (shop.now(), shop.sim.policy.clone());
    assert_eq!(shop.store().drop_batch(1, now, &policy).await.unwrap(), Some(3));
    shop.travel_to("2026-03-12T00:00:00Z").await;
    assert_eq!(
        shop.accepted("2").await,
        ["Mon 02 Mar 09:00 confirmation", "Wed 04 Mar 09:00 update_48h", "Wed 11 Mar 10:00 weekly_status"]
    );
    assert_eq!(shop.told("2").await, "2026-03-31");
    assert!(shop.otherwise("2").await.iter().any(|line| line.ends_with("date_slip/1 skipped dropped")));
}

#[tokio::test]
async fn what_comes_back_in_time_or_stays_within_the_limit_is_not_held() {
    let mut shop = shop().await;
    shop.fact(supply("2026-03-27")).await;
    shop.travel(TimeDelta::minutes(5)).await;
    shop.fact(supply("2026-03-16")).await;
    shop.travel(TimeDelta::minutes(60)).await;
    assert_eq!(held(&shop).await, []);
    assert_eq!(shop.mails().len(), 3);
    // One of the three ships: what is left is within the limit.
    shop.fact(supply("2026-03-29")).await;
    shop.fact(shipment("S-1", "1")).await;
    shop.travel(TimeDelta::minutes(20)).await;
    assert_eq!(held(&shop).await, []);
    let slips = shop.kinds().into_iter().filter(|kind| kind.ends_with("date_slip")).count();
    assert_eq!(slips, 2);
}

#[tokio::test]
async fn a_receipt_for_too_many_is_held_while_shipments_and_cancellations_are_exempt() {
    let mut shop = shop().await;
    shop.fact(receipt("R-1", 60)).await;
    assert_eq!(held(&shop).await, [(1, false, 3)]);
    shop.fact(shipment("S-1", "1")).await;
    shop.fact(json!({"fact": "cancel", "id": "C-1", "order": "2", "by": "customer", "reason": "too late"}))
        .await;
    assert_eq!(shop.kinds()[3..], ["1 shipped", "2 cancelled"]);
    assert_eq!(held(&shop).await, [(1, false, 1)], "a closed order waits for nothing");
    let now = shop.now();
    shop.store().release_batch(1, now).await.unwrap();
    shop.settle().await;
    assert_eq!(shop.kinds()[5..], ["3 restock"]);
}

#[tokio::test]
async fn a_missed_date_is_told_although_a_new_one_is_held() {
    let mut shop = shop().await;
    shop.fact(supply("2026-03-27")).await;
    shop.travel_to("2026-03-22T00:00:00Z").await;
    assert_eq!(shop.accepted("3").await.last().unwrap(), "Sat 21 Mar 10:00 overdue");
    assert_eq!(held(&shop).await, [(1, false, 3)]);
    let now = shop.now();
    shop.store().release_batch(1, now).await.unwrap();
    shop.settle().await;
    assert_eq!(shop.told("3").await, "2026-03-31");
}

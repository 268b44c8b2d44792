//! What ends otherwise: patience that is over, owners that died, a first live start, a backup that was restored, and texts
//! that are old.

use chrono::TimeDelta;
use serde_json::json;
use shipby::domain::order::settle::Outcome;
use shipby::store::{Outcomes, Settlement};

use super::{OWNER, START, planned, settle, settlement, take};
use crate::support::app::TestApp;
use crate::support::facts::{order, supply};

#[tokio::test]
async fn what_was_tried_in_vain_for_five_days_is_settled_and_the_order_goes_on() {
    let shop = planned(&["1"]).await;
    let (store, policy) = (shop.store(), &shop.sim.policy);
    let later = shop.now() + TimeDelta::days(5);
    assert_eq!(store.expire(later, policy).await.unwrap(), 0, "it must be known, and was never tried");
    let tried = settlement(&take(&shop, b"news").await[0], Outcome::Deferred { attempt: 1 }, &shop);
    settle(&shop, vec![tried]).await;
    assert_eq!(store.expire(shop.now(), policy).await.unwrap(), 0);
    assert_eq!(store.expire(later, policy).await.unwrap(), 1);
    let entry = &shop.timeline("1").await[0];
    assert_eq!((entry.state.as_str(), entry.reason.as_deref()), ("skipped", Some("expired")));
    assert_eq!(store.agenda(later).await.unwrap().plan, Some(later));
}

#[tokio::test]
async fn going_live_takes_open_orders_as_they_stand() {
    let mut shop = TestApp::start(START).await;
    shop.fact(supply("2026-03-16")).await;
    let mut promised = order("1");
    promised["lines"][0]["promised"] = json!("2026-03-21");
    shop.facts([promised, order("2")]).await;
    assert_eq!((shop.told("1").await, shop.told("2").await), ("2026-03-21".into(), "2026-03-20".into()));
    shop.travel_to("2026-03-03T08:00:00Z").await;
    // They were live mails, and count as such.
    assert_eq!(shop.store().go_live(shop.now()).await.unwrap(), 2);
    assert_eq!((shop.told("1").await, shop.told("2").await), ("2026-03-21".into(), "2026-03-20".into()));
    shop.raw().await.set_past_mode("capture").await;
    assert_eq!(shop.store().go_live(shop.now()).await.unwrap(), 2);
    assert_eq!((shop.told("1").await, shop.told("2").await), ("2026-03-21".into(), "none".into()));
    let before = shop.mails().len();
    shop.travel_to("2026-03-10T12:00:00Z").await;
    let mut kinds = shop.kinds()[before..].to_vec();
    kinds.sort();
    // The seven days run from the change; the update was still to come then.
    assert_eq!(kinds, ["1 update_48h", "2 update_48h"]);
}

#[tokio::test]
async fn texts_of_old_mails_go_and_everything_else_stays() {
    let mut shop = TestApp::start(START).await;
    shop.fact(order("1")).await;
    assert_eq!(shop.store().forget_bodies(shop.now()).await.unwrap(), 0);
    let later = shop.now() + TimeDelta::seconds(1);
    assert_eq!(shop.store().forget_bodies(later).await.unwrap(), 1);
    let kept = shop.kept("1", "confirmation").await;
    assert_eq!((kept.bytes, kept.attempts.len()), (None, 1));
    assert_eq!(kept.entry.subject.as_deref(), Some("Order 1 confirmed: ships when restocked"));
}

#[tokio::test]
async fn an_acceptance_that_is_written_down_is_entered_after_a_crash_as_if_there_had_been_none() {
    let shop = planned(&["1", "2"]).await;
    let taken = take(&shop, b"news").await;
    let begin = taken.iter().map(|ready| (ready.id.clone(), ready.revision)).collect();
    let begin = Outcomes { begin, ..Outcomes::default() };
    assert_eq!(shop.store().commit(OWNER, shop.now(), &begin, &shop.sim.policy).await.unwrap().len(), 2);
    shop.sim.hand.set(shop.now() + TimeDelta::milliseconds(1_240));
    let accepted = |ready| Settlement {
        reply: Some("250 2.0.0 queued as 4F1A".to_owned()),
        phase: Some("body"),
        ..settlement(ready, Outcome::Accepted, &shop)
    };
    let written = Outcomes { accepted: vec![accepted(&taken[0])], ..Outcomes::default() };
    let entered = Outcomes { settled: vec![accepted(&taken[1])], ..Outcomes::default() };
    for outcomes in [written, entered] {
        shop.store().commit(OWNER, shop.now(), &outcomes, &shop.sim.policy).await.unwrap();
    }
    assert_eq!(shop.state("1", "confirmation").await, "sending");
    assert_eq!(shop.state("2", "confirmation").await, "accepted");
    shop.sim.hand.set(shop.now() + TimeDelta::minutes(3));
    assert_eq!(shop.store().recover(shop.now(), &shop.sim.policy).await.unwrap(), (0, 0));
    let of = async |number| {
        let kept = shop.kept(number, "confirmation").await;
        let order = shop.order(number).await;
        (kept.entry.state, kept.entry.at, kept.attempts, shop.told(number).await, order.contact.last_at)
    };
    assert_eq!(of("1").await, of("2").await);
    assert_eq!(of("1").await.0, "accepted");
    assert_eq!(shop.store().recover(shop.now(), &shop.sim.policy).await.unwrap(), (0, 0));
}

#[tokio::test]
async fn what_is_due_after_a_restore_is_held_until_a_person_releases_it() {
    let shop = TestApp::start(START).await;
    assert_eq!(shop.store().last_known().await.unwrap(), None);
    let shop = planned(&["1", "2"]).await;
    let (store, policy) = (shop.store(), &shop.sim.policy);
    assert_eq!(store.last_known().await.unwrap(), Some(shop.now()));
    assert!(store.due(shop.now() - TimeDelta::minutes(1)).await.unwrap().is_empty());
    let due = store.due(shop.now()).await.unwrap();
    let due: Vec<_> = due.iter().map(|due| (due.order.as_str(), due.kind.as_str())).collect();
    assert_eq!(due, [("1", "confirmation"), ("2", "confirmation")]);
    assert_eq!(store.hold_due(shop.now(), policy).await.unwrap(), 2);
    assert!(store.due(shop.now()).await.unwrap().is_empty());
    assert!(take(&shop, b"news").await.is_empty());
    let kept = shop.kept("1", "confirmation").await.entry;
    assert_eq!((kept.state.as_str(), kept.reason.as_deref()), ("held", Some("restored")));
}

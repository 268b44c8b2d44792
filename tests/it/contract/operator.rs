//! What holds mail back and lets it go: pauses, the blast guard, a person's word on notices, addresses that get no mail,
//! and what is reported of mails that left.

use chrono::TimeDelta;
use shipby::domain::bounce::{Fate, Report};
use shipby::domain::customer::EmailAddress;
use shipby::domain::notice::Reason;
use shipby::domain::order::settle::Outcome;
use shipby::domain::pause::{Pause, Scope, Setter};
use shipby::domain::reply::{Enhanced, Reply};
use shipby::domain::suppression::{Cause, Suppression};
use shipby::store::{Applied, Change, HeldChange, NoticeFilter};

use super::{START, plan, planned, settle, settlement, take};
use crate::support::app::{Differs, TestApp};
use crate::support::facts::{order, supply};

fn address(text: &str) -> EmailAddress {
    EmailAddress::parse(text).unwrap()
}

#[tokio::test]
async fn what_is_paused_is_not_ready_until_it_is_resumed_or_the_pause_ends() {
    let shop = planned(&["1", "2"]).await;
    let (store, now) = (shop.store(), shop.now());
    let of = |order: &str, reason: &str| Pause {
        scope: Scope::Order(order.to_owned()),
        reason: reason.to_owned(),
        by: Setter::Person,
        since: now,
        until: Some(now + TimeDelta::hours(1)),
    };
    assert_eq!(store.pause(&of("1", "a call")).await.unwrap(), now);
    let later = Pause { since: now + TimeDelta::minutes(1), ..of("1", "a letter") };
    assert_eq!(store.pause(&later).await.unwrap(), now, "it goes on");
    assert_eq!(store.pauses(now).await.unwrap(), [of("1", "a letter")]);
    assert_eq!(store.held_back(now).await.unwrap(), ["1".to_owned()].into());
    let ready = async |at| {
        let ready = store.ready(at, 10).await.unwrap();
        ready.into_iter().map(|ready| ready.order.number).collect::<Vec<_>>()
    };
    assert_eq!(ready(now).await, ["2"]);
    store.pause(&of("2", "a call")).await.unwrap();
    let end = now + TimeDelta::hours(1);
    assert_eq!(store.next_try(now).await.unwrap(), Some(end));
    assert_eq!(store.resume(&Scope::Order("2".to_owned()), now).await.unwrap(), Some(of("2", "a call")));
    assert_eq!(store.resume(&Scope::Order("2".to_owned()), now).await.unwrap(), None);
    assert_eq!(ready(now).await, ["2"]);
    assert_eq!((store.pauses(end).await.unwrap(), store.held_back(end).await.unwrap().len()), (vec![], 0));
}

/// A date that slips for everybody, once it is counted.
async fn slip(shop: &mut TestApp, eta: &str) -> HeldChange {
    shop.fact(supply(eta)).await;
    shop.travel(TimeDelta::hours(1)).await;
    shop.store().held_changes().await.unwrap().remove(0)
}

#[tokio::test]
async fn a_change_that_would_mail_too_many_waits_with_its_orders_until_it_is_released_or_dropped() {
    let keys = [("DELIVERY__BLAST_LIMIT", "1")];
    let mut shop = TestApp::with(START, Differs { keys: &keys, ..Differs::default() }).await;
    shop.facts([supply("2026-03-16"), order("1"), order("2")]).await;
    shop.travel(TimeDelta::hours(1)).await;
    let first = slip(&mut shop, "2026-03-27").await;
    assert_eq!((first.sku.as_str(), first.notices, first.counting), ("KETTLE", 2, false));
    assert_eq!(shop.store().held_orders(first.id, 10).await.unwrap(), ["1", "2"]);
    assert_eq!(shop.store().held_orders(first.id, 1).await.unwrap(), ["1"]);
    assert_eq!(shop.store().release_batch(first.id, shop.now()).await.unwrap(), Some(2));
    shop.settle().await;
    assert_eq!(shop.told("2").await, "2026-03-31");

    let second = slip(&mut shop, "2026-04-03").await;
    let (now, policy) = (shop.now(), shop.sim.policy.clone());
    assert_eq!(shop.store().drop_batch(second.id, now, &policy).await.unwrap(), Some(2));
    shop.settle().await;
    assert_eq!(shop.told("2").await, "2026-03-31", "of what was dropped nobody hears");
    assert!(shop.store().held_changes().await.unwrap().is_empty());
    for batch in [first, second] {
        assert_eq!(shop.store().release_batch(batch.id, now).await.unwrap(), None);
        assert_eq!(shop.store().drop_batch(batch.id, now, &policy).await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_person_has_notices_held_released_and_dropped_by_a_filter() {
    let shop = planned(&["1", "2"]).await;
    let (store, now, policy) = (shop.store(), shop.now(), &shop.sim.policy);
    let first = NoticeFilter { order: Some("1".to_owned()), ..NoticeFilter::default() };
    let chosen = store.choose(Change::Hold, &first, now).await.unwrap();
    assert_eq!((chosen.ids.len(), chosen.events, chosen.left.len()), (1, 0, 0));
    let found = store.found(&chosen.ids).await.unwrap().remove(0);
    assert_eq!(
        (found.entry.order_number.as_str(), found.email.as_str(), found.total),
        ("1", "1@example.com", 1)
    );
    let state = async || shop.state("1", "confirmation").await;
    for (change, after) in [(Change::Hold, "held"), (Change::Release, "queued"), (Change::Drop, "skipped")] {
        let chosen = store.choose(change, &first, now).await.unwrap();
        assert_eq!(store.change(change, &chosen.ids, now, policy).await.unwrap(), 1);
        assert_eq!(state().await, after);
        assert_eq!(store.change(change, &chosen.ids, now, policy).await.unwrap(), 0, "it is done");
    }
    assert_eq!(shop.state("2", "confirmation").await, "queued");
}

#[tokio::test]
async fn what_came_to_nothing_is_owed_again_when_a_person_says_so() {
    let shop = planned(&["1"]).await;
    let (store, now, policy) = (shop.store(), shop.now(), &shop.sim.policy);
    let tried = take(&shop, b"news").await.remove(0);
    settle(&shop, vec![settlement(&tried, Outcome::Failed(Reason::Content), &shop)]).await;
    assert_eq!(shop.state("1", "confirmation").await, "failed");
    let chosen = store.choose(Change::Retry, &NoticeFilter::default(), now).await.unwrap();
    assert_eq!(chosen.ids, std::slice::from_ref(&tried.id));
    assert_eq!(store.change(Change::Retry, &chosen.ids, now, policy).await.unwrap(), 1);
    plan(&shop).await;
    assert_eq!(take(&shop, b"news").await.remove(0).id, tried.id);
}

#[tokio::test]
async fn an_address_that_is_suppressed_gets_no_mail_until_it_is_let_have_it_again() {
    let shop = planned(&["1"]).await;
    let (store, now) = (shop.store(), shop.now());
    let to = address("1@example.com");
    let found = Suppression {
        address: to.clone(),
        cause: Cause::Person,
        reason: "asked by telephone".to_owned(),
        since: now,
        notice: None,
    };
    assert!(store.suppress(&found).await.unwrap());
    let other = Suppression { reason: "asked again".to_owned(), ..found.clone() };
    assert!(!store.suppress(&other).await.unwrap());
    assert_eq!(store.suppressions(None).await.unwrap(), std::slice::from_ref(&found));
    assert_eq!(store.suppressions(Some(&address("2@example.com"))).await.unwrap(), []);
    assert_eq!(shop.order("1").await.suppressed.map(|suppressed| suppressed.cause), Some(Cause::Person));
    assert_eq!(store.unsuppress(&to, now).await.unwrap(), Some(found));
    assert_eq!(store.unsuppress(&to, now).await.unwrap(), None);
    assert_eq!(shop.order("1").await.suppressed, None);
    assert_eq!(store.agenda(now).await.unwrap().plan, Some(now), "what it was not told it is told now");
}

#[tokio::test]
async fn a_mail_that_comes_back_was_not_heard_and_its_address_is_suppressed() {
    let shop = planned(&["1"]).await;
    let (store, now, policy) = (shop.store(), shop.now(), &shop.sim.policy);
    let dead = Reply { code: 550, enhanced: Some(Enhanced(5, 1, 1)), text: "no such mailbox".to_owned() };
    let report = Report::Failed(dead);
    let tried = take(&shop, b"news").await.remove(0);
    assert_eq!(store.report(&tried.id, &report, now, policy).await.unwrap(), Applied::Busy);
    settle(&shop, vec![settlement(&tried, Outcome::Accepted, &shop)]).await;
    assert_eq!(shop.told("1").await, "2026-03-20");
    assert_eq!(store.report("0123456789abcdef", &report, now, policy).await.unwrap(), Applied::Unknown);
    let done = Applied::Done { order: "1".to_owned(), fate: Fate::Failed, unheard: true, suppressed: true };
    assert_eq!(store.report(&tried.id, &report, now, policy).await.unwrap(), done);
    assert_eq!(store.report(&tried.id, &report, now, policy).await.unwrap(), Applied::Known);
    let kept = shop.kept("1", "confirmation").await;
    assert_eq!(
        (kept.entry.state.as_str(), kept.reports[0].words.as_str()),
        ("bounced", "550 5.1.1 no such mailbox")
    );
    assert_eq!(shop.told("1").await, "none");
    assert_eq!(store.suppressions(None).await.unwrap()[0].notice, Some(tried.id));
}

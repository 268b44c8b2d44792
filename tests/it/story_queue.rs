//! What a person does to notices: try again, hold, release, drop. Nobody who waits is forgotten by it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::TimeDelta;
use shipby::bounces::take;
use shipby::catcher::{Answer, Script};
use shipby::domain::order::apply::Notify;
use shipby::domain::reply::Phase;
use shipby::store::{Change, Chosen, Claim, NoticeFilter, Owner};

use crate::support::app::{Differs, TestApp};
use crate::support::facts::{order, order_of, shipment, supply};
use crate::support::mails::mail;

const START: &str = "2026-03-02T08:00:00Z";

/// A relay that gives this answer to whom it is at `phase`, as long as the switch is on.
fn moody(phase: Phase, reply: &'static str) -> (Script, Arc<AtomicBool>) {
    let on = Arc::new(AtomicBool::new(true));
    let switch = on.clone();
    let script =
        Script::new(move |dialogue| match dialogue.phase == phase && switch.load(Ordering::SeqCst) {
            true if reply.is_empty() => Answer::TakeAndClose,
            true => Answer::reply(reply),
            false => Answer::Usual,
        });
    (script, on)
}

const REFUSED: &str = "554 5.3.0 not today";

async fn shop(script: Script) -> TestApp {
    let mut shop = TestApp::with(START, Differs { script, ..Differs::default() }).await;
    shop.fact(supply("2026-03-16")).await;
    shop
}

/// A shop whose relay refused the confirmation of order 1, and is well again.
async fn refused() -> (TestApp, Arc<AtomicBool>) {
    let (script, on) = moody(Phase::Rcpt, REFUSED);
    let mut shop = shop(script).await;
    shop.fact(order("1")).await;
    assert_eq!(shop.state("1", "confirmation").await, "failed");
    on.store(false, Ordering::SeqCst);
    (shop, on)
}

fn state(state: &str) -> NoticeFilter {
    NoticeFilter { state: Some(state.to_owned()), ..NoticeFilter::default() }
}

async fn choose(shop: &TestApp, change: Change, filter: &NoticeFilter) -> Chosen {
    shop.store().choose(change, filter, shop.now()).await.unwrap()
}

/// Changes what the filter finds, and all that follows from it now. Says how many.
async fn change(shop: &mut TestApp, change: Change, filter: &NoticeFilter) -> usize {
    let chosen = choose(shop, change, filter).await;
    let policy = shop.sim.policy.clone();
    let done = shop.store().change(change, &chosen.ids, shop.now(), &policy).await.unwrap();
    assert_eq!(done, chosen.ids.len());
    shop.settle().await;
    done
}

fn left(chosen: &Chosen) -> Vec<(&str, usize)> {
    chosen.left.iter().map(|(why, number)| (why.as_str(), *number)).collect()
}

#[tokio::test]
async fn a_refused_mail_is_tried_again_as_it_was_and_told_moves_when_it_is_accepted() {
    let (mut shop, _) = refused().await;
    let before = shop.kept("1", "confirmation").await;
    shop.travel(TimeDelta::hours(2)).await;
    assert_eq!(shop.told("1").await, "none");
    assert_eq!(change(&mut shop, Change::Retry, &state("failed")).await, 1);
    let after = shop.kept("1", "confirmation").await;
    assert_eq!((after.entry.state.as_str(), after.attempts.len()), ("accepted", 2));
    assert_eq!((after.entry.notice, after.bytes.as_ref()), (before.entry.notice, before.bytes.as_ref()));
    assert_eq!(Some(shop.last_mail().bytes), before.bytes);
    assert_eq!((shop.told("1").await.as_str(), shop.order("1").await.lines[0].tried), ("2026-03-20", None));
    assert_eq!(choose(&shop, Change::Retry, &state("failed")).await, Chosen::default());
    shop.travel(TimeDelta::days(9)).await;
    assert_eq!(shop.kinds(), ["1 confirmation", "1 update_48h", "1 weekly_status"]);
}

#[tokio::test]
async fn on_another_day_it_is_written_anew_under_the_same_message_id() {
    let (mut shop, on) = refused().await;
    let before = shop.kept("1", "confirmation").await;
    on.store(true, Ordering::SeqCst);
    shop.travel(TimeDelta::days(5)).await;
    on.store(false, Ordering::SeqCst);
    let confirmation = NoticeFilter { kind: Some("confirmation".to_owned()), ..state("failed") };
    change(&mut shop, Change::Retry, &confirmation).await;
    let (mail, id) = (shop.last_mail(), before.entry.notice.unwrap());
    assert_eq!((mail.kind.as_str(), mail.message_id), ("confirmation", format!("{id}@tableware.example")));
    assert_ne!(Some(mail.bytes), before.bytes, "it says when the next one comes");
}

#[tokio::test]
async fn what_the_server_may_have_is_sent_again_to_the_byte() {
    let (script, on) = moody(Phase::Body, "");
    let mut shop = shop(script).await;
    shop.fact(order("1")).await;
    shop.travel(TimeDelta::hours(1)).await;
    assert_eq!(shop.kept("1", "confirmation").await.attempts.len(), 2);
    on.store(false, Ordering::SeqCst);
    shop.travel(TimeDelta::hours(20)).await;
    let bytes = shop.kept("1", "confirmation").await.bytes;
    assert_eq!(change(&mut shop, Change::Retry, &state("in_doubt")).await, 1);
    assert_eq!(
        (Some(shop.last_mail().bytes), shop.state("1", "confirmation").await.as_str()),
        (bytes, "accepted")
    );
}

#[tokio::test]
async fn what_is_not_true_any_more_is_replaced_by_what_is() {
    let (script, on) = moody(Phase::Rcpt, REFUSED);
    on.store(false, Ordering::SeqCst);
    let mut shop = shop(script).await;
    shop.fact(order("1")).await;
    shop.travel(TimeDelta::hours(1)).await;
    on.store(true, Ordering::SeqCst);
    shop.fact(supply("2026-03-27")).await;
    shop.travel(TimeDelta::hours(1)).await;
    assert_eq!(shop.state("1", "date_slip/1").await, "failed");
    on.store(false, Ordering::SeqCst);
    shop.only_record(supply("2026-04-10"), Notify::All).await;
    assert_eq!(change(&mut shop, Change::Retry, &state("failed")).await, 1);
    shop.travel(TimeDelta::hours(1)).await;
    assert_eq!(shop.otherwise("1").await, ["Mon 02 Mar 11:00 date_slip/1 superseded facts_changed"]);
    assert_eq!(
        (shop.kinds()[1..].to_vec(), shop.told("1").await),
        (vec!["1 date_slip".into()], "2026-04-14".into())
    );
}

#[tokio::test]
async fn each_kind_of_notice_that_was_refused_can_be_tried_again() {
    let (script, on) = moody(Phase::Rcpt, REFUSED);
    on.store(false, Ordering::SeqCst);
    let mut shop = shop(script).await;
    shop.fact(order("1")).await;
    shop.travel_to("2026-03-05T09:00:00Z").await;
    let mut expected = shop.kinds();
    let mut fails = async |shop: &mut TestApp, occasion: &str| {
        on.store(false, Ordering::SeqCst);
        assert_eq!(shop.state("1", occasion).await, "failed", "{occasion}");
        assert_eq!(change(shop, Change::Retry, &state("failed")).await, 1, "{occasion}");
        assert_eq!(shop.state("1", occasion).await, "accepted", "{occasion}");
        on.store(true, Ordering::SeqCst);
        expected.push(format!("1 {}", occasion.split('/').next().unwrap()));
        assert_eq!(shop.kinds(), expected);
    };
    on.store(true, Ordering::SeqCst);
    shop.travel_to("2026-03-11T12:00:00Z").await;
    fails(&mut shop, "weekly_status/2026-03-11").await;
    shop.fact(supply("2026-03-27")).await;
    shop.travel(TimeDelta::hours(1)).await;
    fails(&mut shop, "date_slip/1").await;
    shop.fact(supply("2026-03-12")).await;
    shop.travel(TimeDelta::hours(1)).await;
    fails(&mut shop, "date_improved/2").await;
    shop.travel_to("2026-03-17T12:00:00Z").await;
    fails(&mut shop, "overdue/2026-03-16").await;
    shop.fact(crate::support::facts::receipt("R-1", 5)).await;
    fails(&mut shop, "restock/1").await;
    shop.fact(shipment("S-1", "1")).await;
    fails(&mut shop, "shipped/S-1").await;
}

#[tokio::test]
async fn of_an_order_one_is_tried_again_and_nothing_that_was_overtaken() {
    let (mut shop, on) = refused().await;
    on.store(true, Ordering::SeqCst);
    shop.fact(order_of("2", "bo@example.net")).await;
    shop.fact(order_of("3", "cy@example.org")).await;
    shop.travel(TimeDelta::hours(50)).await;
    on.store(false, Ordering::SeqCst);
    // Order 3 has shipped, and that was told; order 2 has shipped, and that was refused.
    shop.fact(shipment("S-1", "3")).await;
    on.store(true, Ordering::SeqCst);
    shop.fact(shipment("S-2", "2")).await;
    on.store(false, Ordering::SeqCst);
    let chosen = choose(&shop, Change::Retry, &state("failed")).await;
    assert_eq!(
        (chosen.ids.len(), chosen.events),
        (2, 1),
        "the confirmation of order 1, the shipment of order 2"
    );
    assert_eq!(
        left(&chosen),
        [("another one of the same order comes first", 1), ("nothing of the order waits any more", 4)]
    );
    assert_eq!(change(&mut shop, Change::Retry, &state("failed")).await, 2);
    assert_eq!(shop.state("1", "confirmation").await, "accepted");
    let chosen = choose(&shop, Change::Retry, &state("failed")).await;
    assert_eq!((chosen.ids.len(), left(&chosen)[1]), (0, ("the customer has heard from us since", 1)));
}

#[tokio::test]
async fn what_was_refused_by_a_dead_address_is_left_alone_until_there_is_another() {
    let script = Script::new(|dialogue| match (dialogue.phase, dialogue.to) {
        (Phase::Rcpt, "ana@example.com") => Answer::reply("550 5.1.1 no such mailbox"),
        _ => Answer::Usual,
    });
    let mut shop = shop(script).await;
    shop.fact(order("1")).await;
    let chosen = choose(&shop, Change::Retry, &state("failed")).await;
    assert_eq!(
        (chosen.ids.len(), left(&chosen)),
        (0, vec![("the address gets no mail; ask for another", 1)])
    );
}

#[tokio::test]
async fn what_came_back_is_written_anew_as_a_notice_of_its_own() {
    let keys = [("BOUNCES__ADDRESS", "bounce@shop.example")];
    let mut shop = TestApp::with(START, Differs { keys: &keys, ..Differs::default() }).await;
    shop.facts([supply("2026-03-16"), order("1")]).await;
    shop.travel_to("2026-03-11T12:00:00Z").await;
    let status = shop.kept("1", "weekly_status/2026-03-11").await.entry.notice.unwrap();
    let full = mail("full", &status, "orders@tableware.example");
    take(shop.store(), None, &full, None, shop.now(), &shop.sim.policy).await.unwrap();
    assert_eq!(change(&mut shop, Change::Retry, &state("bounced")).await, 1);
    assert_eq!(shop.kinds()[2..], ["1 weekly_status", "1 weekly_status"]);
    assert_ne!(shop.last_mail().message_id, format!("{status}@tableware.example"));
    assert_eq!(shop.state("1", "weekly_status/2026-03-11").await, "bounced");
    assert_eq!(shop.state("1", "weekly_status/2026-03-11.2").await, "accepted");
    shop.travel(TimeDelta::days(8)).await;
    assert_eq!(shop.kinds()[4..], ["1 weekly_status"], "seven days later the next");
}

#[tokio::test]
async fn what_waits_for_its_next_try_goes_now() {
    let (script, on) = moody(Phase::Rcpt, "451 4.3.0 later");
    let mut shop = shop(script).await;
    shop.fact(order("1")).await;
    shop.travel(TimeDelta::minutes(10)).await;
    on.store(false, Ordering::SeqCst);
    assert_eq!(change(&mut shop, Change::Retry, &state("deferred")).await, 1);
    assert_eq!((shop.state("1", "confirmation").await.as_str(), shop.mails().len()), ("accepted", 1));
}

#[tokio::test]
async fn what_is_held_goes_out_when_it_is_released_and_the_order_goes_on_meanwhile() {
    let (script, on) = moody(Phase::Rcpt, "451 4.3.0 later");
    let mut shop = shop(script).await;
    shop.facts([order("1"), order_of("2", "bo@example.com")]).await;
    let of_ana = NoticeFilter {
        to: Some("@EXAMPLE.com".to_owned()),
        order: Some("1".to_owned()),
        ..NoticeFilter::default()
    };
    assert_eq!(change(&mut shop, Change::Hold, &of_ana).await, 1);
    on.store(false, Ordering::SeqCst);
    shop.travel(TimeDelta::hours(3)).await;
    assert_eq!(
        (shop.kinds(), shop.state("1", "confirmation").await.as_str()),
        (vec!["2 confirmation".into()], "held")
    );
    assert_eq!(shop.kept("1", "confirmation").await.entry.reason.as_deref(), Some("by_person"));
    assert_eq!(change(&mut shop, Change::Release, &NoticeFilter::default()).await, 1);
    assert_eq!(shop.kinds()[1..], ["1 confirmation"]);
    assert_eq!(shop.told("1").await, "2026-03-20");
}

#[tokio::test]
async fn nobody_is_left_in_silence_by_a_hold_or_a_drop() {
    for what in [Change::Hold, Change::Drop] {
        let (script, on) = moody(Phase::Rcpt, "451 4.3.0 later");
        let mut shop = shop(script).await;
        shop.fact(order("1")).await;
        assert_eq!(change(&mut shop, what, &state("deferred")).await, 1);
        on.store(false, Ordering::SeqCst);
        shop.travel_to("2026-03-09T12:00:00Z").await;
        assert_eq!(shop.kinds(), ["1 update_48h"], "{what:?}");
        // Then the weekly status itself.
        on.store(true, Ordering::SeqCst);
        shop.travel_to("2026-03-11T09:30:00Z").await;
        assert_eq!(change(&mut shop, what, &state("deferred")).await, 1);
        on.store(false, Ordering::SeqCst);
        shop.travel_to("2026-03-12T12:00:00Z").await;
        assert_eq!(shop.kinds()[1..], ["1 weekly_status"], "{what:?}: on the next day");
        let left = choose(&shop, Change::Release, &NoticeFilter::default()).await.left;
        let held = if what == Change::Hold { 2 } else { 0 };
        assert_eq!(left.values().sum::<usize>(), held, "they have heard from us since");
        assert_eq!(change(&mut shop, Change::Drop, &NoticeFilter::default()).await, held);
        let dropped = shop.otherwise("1").await;
        assert_eq!(dropped.iter().filter(|told| told.ends_with("skipped dropped")).count(), 2, "{dropped:?}");
    }
}

#[tokio::test]
async fn a_dropped_shipment_is_told_by_nobody_and_that_is_said_before() {
    let (script, _) = moody(Phase::Rcpt, "451 4.3.0 later");
    let mut shop = shop(script).await;
    shop.fact(order("1")).await;
    shop.fact(shipment("S-1", "1")).await;
    let chosen =
        choose(&shop, Change::Drop, &NoticeFilter { sku: Some("KETTLE".into()), ..state("queued") }).await;
    assert_eq!((chosen.ids.len(), chosen.events), (0, 0), "it was tried");
    let of_sku = NoticeFilter { sku: Some("KETTLE".to_owned()), ..NoticeFilter::default() };
    assert_eq!(choose(&shop, Change::Drop, &of_sku).await.events, 1);
    assert_eq!(change(&mut shop, Change::Drop, &of_sku).await, 1);
    assert!(shop.order("1").await.events.is_empty());
}

#[tokio::test]
async fn what_is_just_leaving_is_left_alone() {
    let shop = TestApp::start(START).await;
    shop.only_record(order("1"), Notify::All).await;
    shipby::planner::turn(shop.store(), &shop.sim.policy, shop.now()).await.unwrap();
    let ready = shop.store().ready(shop.now(), 10).await.unwrap();
    let ids = vec![ready[0].id.clone()];
    let claim = Claim { notices: vec![(ids[0].clone(), ready[0].revision)], ..Claim::default() };
    shop.store().claim(Owner { name: "test", mode: "live" }, shop.now(), claim).await.unwrap();
    for what in [Change::Retry, Change::Hold, Change::Release, Change::Drop] {
        assert_eq!(choose(&shop, what, &NoticeFilter::default()).await, Chosen::default(), "{what:?}");
        let done = shop.store().change(what, &ids, shop.now(), &shop.sim.policy).await.unwrap();
        assert_eq!((done, shop.state("1", "confirmation").await.as_str()), (0, "sending"), "{what:?}");
    }
}

#[tokio::test]
async fn very_many_are_tried_again_at_one_time_each_once() {
    let (script, on) = moody(Phase::Rcpt, "550 5.2.0 no such box");
    let mut shop = shop(script).await;
    let many: Vec<_> =
        (0..1_100).map(|n| order_of(&format!("{n:04}"), &format!("c{n}@d{n}.example"))).collect();
    shop.facts(many).await;
    on.store(false, Ordering::SeqCst);
    assert_eq!(change(&mut shop, Change::Retry, &state("failed")).await, 1_100);
    assert_eq!(shop.mails().len(), 1_100);
    assert_eq!(choose(&shop, Change::Retry, &NoticeFilter::default()).await, Chosen::default());
}

//! Whole lives where the relay has its moods: greylisting, refusals, weeks of silence, an address that changed.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use serde_json::{Value, json};
use shipby::catcher::{Answer, Script};
use shipby::domain::fact::Source;
use shipby::domain::order::apply::Notify;
use shipby::domain::reply::Phase;
use shipby::intake::{self, Options};

use crate::support::app::{Differs, TestApp, at};
use crate::support::facts::{line, order, order_of, shipment, supply};

const START: &str = "2026-03-02T08:00:00Z";

async fn shop_with(script: Script) -> TestApp {
    let mut shop = TestApp::with(START, Differs { script, ..Differs::default() }).await;
    shop.fact(supply("2026-03-16")).await;
    shop
}

#[tokio::test]
async fn a_greylisted_mail_is_tried_again_with_the_same_bytes() {
    let script = Script::first(1, Phase::Body, Answer::reply("451 4.7.1 greylisted"));
    let mut shop = shop_with(script).await;
    shop.fact(order("1")).await;
    let first = shop.kept("1", "confirmation").await;
    assert_eq!((first.entry.state.as_str(), first.attempts.len()), ("deferred", 1));
    assert_eq!(first.attempts[0].outcome.as_deref(), Some("deferred"));
    assert_eq!(first.attempts[0].reply.as_deref(), Some("451 4.7.1 greylisted"));
    let wait = first.entry.next_try().unwrap() - shop.now();
    assert!((54..=66).contains(&wait.num_seconds()), "{wait}");
    shop.travel(TimeDelta::minutes(5)).await;
    let kept = shop.kept("1", "confirmation").await;
    assert_eq!((kept.entry.state.as_str(), kept.attempts.len()), ("accepted", 2));
    let mails = shop.mails();
    assert_eq!(mails.len(), 1);
    assert_eq!(Some(&mails[0].bytes), first.bytes.as_ref());
    assert_eq!(mails[0].message_id, format!("{}@tableware.example", first.entry.notice.unwrap()));
}

#[tokio::test]
async fn a_refused_mail_has_failed_and_nothing_loops() {
    let script = Script::at(Phase::Rcpt, Answer::reply("550 5.7.1 no mail from you"));
    let mut shop = shop_with(script).await;
    shop.fact(order("1")).await;
    let failed = shop.kept("1", "confirmation").await;
    assert_eq!((failed.entry.state.as_str(), failed.entry.next_try_at), ("failed", None));
    assert_eq!(failed.entry.reply.as_deref(), Some("550 5.7.1 no mail from you"));
    assert_eq!(failed.attempts[0].phase.as_deref(), Some("rcpt"));
    shop.travel_to("2026-03-16T12:00:00Z").await;
    // Each occasion once; the weekly status anew on the next two days, then a person is asked.
    assert_eq!(
        shop.otherwise("1").await,
        [
            "Mon 02 Mar 09:00 confirmation failed policy",
            "Wed 04 Mar 09:00 update_48h failed policy",
            "Mon 09 Mar 10:00 weekly_status/2026-03-09 failed policy",
            "Tue 10 Mar 10:00 weekly_status/2026-03-10 failed policy",
            "Wed 11 Mar 10:00 weekly_status/2026-03-11 failed policy",
        ]
    );
    assert!(shop.mails().is_empty());
    assert_eq!(shop.told("1").await, "none");
}

#[tokio::test]
async fn after_a_jump_of_three_weeks_fifty_orders_get_one_notice_each_at_the_rate() {
    const RATE: usize = 20;
    let arrivals = Arc::new(Mutex::new(Vec::new()));
    let seen = arrivals.clone();
    let script = Script::new(move |dialogue| {
        if dialogue.phase == Phase::Body {
            seen.lock().unwrap().push(Instant::now());
        }
        Answer::Usual
    });
    let keys = [("DELIVERY__RATE", "20/s"), ("DELIVERY__CONCURRENCY", "4")];
    let mut shop = TestApp::with(START, Differs { script, keys: &keys }).await;
    let eta = |eta: &str| {
        let mut supply = supply(eta);
        supply["sku"] = json!("POT");
        supply
    };
    shop.facts([supply("2026-05-01"), eta("2026-05-01")]).await;
    // Imported: nobody is told of the past.
    for n in 0..50 {
        let mut order = order_of(&format!("{n:02}"), &format!("c{n}@example.com"));
        order["placed_at"] = json!("2026-02-20T08:00:00Z");
        order["lines"][0]["sku"] = json!(if n % 2 == 0 { "KETTLE" } else { "POT" });
        order["lines"][0]["promised"] = json!("2026-05-05");
        shop.only_record(order, Notify::Future).await;
    }
    shop.travel_to("2026-03-05T12:00:00Z").await;
    assert!(shop.mails().is_empty());
    for (day, slip) in [("2026-03-12T12:00:00Z", "2026-05-20"), ("2026-03-19T12:00:00Z", "2026-06-01")] {
        shop.sim.hand.set(at(day));
        shop.only_record(eta(slip), Notify::All).await;
    }
    shop.sim.hand.set(at("2026-03-26T09:00:00Z"));
    let start = Instant::now();
    shop.settle().await;
    shop.travel(TimeDelta::hours(1)).await;
    let mut told: Vec<_> =
        shop.mails().iter().map(|mail| format!("{} {}", mail.order, mail.subject)).collect();
    told.sort();
    let expected = |n| match n % 2 {
        0 => format!("{n:02} Update on your backorder: Kettle, still 5 May"),
        _ => format!("{n:02} New date for your order {n:02}: 5 June"),
    };
    assert_eq!(told, (0..50).map(expected).collect::<Vec<_>>());
    // A second's worth may go at once, then one at a time.
    for (nth, arrived) in arrivals.lock().unwrap().iter().enumerate().skip(RATE) {
        let earliest = Duration::from_millis(1000 / RATE as u64) * (nth + 1 - RATE) as u32;
        assert!(*arrived - start >= earliest, "mail {nth} came after {:?}", *arrived - start);
    }
}

/// A relay that turns everybody away while it is down.
fn moody() -> (Arc<AtomicBool>, Script) {
    let down = Arc::new(AtomicBool::new(false));
    let mood = down.clone();
    let script = Script::new(move |dialogue| match dialogue.phase {
        Phase::Greeting if mood.load(Ordering::SeqCst) => Answer::reply("421 4.3.2 down for repairs"),
        _ => Answer::Usual,
    });
    (down, script)
}

/// One order on track, one whose date slips, one whose date passes, and one placed in the meantime.
async fn three_weeks_away(shop: &mut TestApp, away: impl AsyncFn(&mut TestApp, &str)) {
    let eta = |sku: &str, eta: &str| {
        let mut supply = supply(eta);
        supply["sku"] = json!(sku);
        supply
    };
    let order = |number: &str, sku: &str| {
        let mut order = order(number);
        order["lines"][0]["sku"] = json!(sku);
        order
    };
    shop.facts([eta("ON-TIME", "2026-05-01"), eta("SLIPS", "2026-04-10"), eta("MISSED", "2026-03-06")]).await;
    shop.facts([order("on-time", "ON-TIME"), order("slips", "SLIPS"), order("missed", "MISSED")]).await;
    shop.travel_to("2026-03-05T12:00:00Z").await;
    assert_eq!(shop.mails().len(), 6);
    away(shop, "2026-03-15T12:00:00Z").await;
    shop.only_record(eta("SLIPS", "2026-04-30"), Notify::All).await;
    shop.only_record(order("new", "ON-TIME"), Notify::All).await;
    away(shop, "2026-03-26T09:00:00Z").await;
}

#[tokio::test]
async fn after_three_weeks_asleep_each_order_gets_one_notice_the_newest_true_one() {
    let mut shop = TestApp::start(START).await;
    three_weeks_away(&mut shop, async |shop: &mut TestApp, to: &str| {
        shop.sim.hand.set(at(to));
    })
    .await;
    shop.restart().await;
    shop.travel(TimeDelta::hours(1)).await;
    let mut kinds = shop.kinds()[6..].to_vec();
    kinds.sort();
    assert_eq!(kinds, ["missed overdue", "new confirmation", "on-time weekly_status", "slips date_slip"]);
}

#[tokio::test]
async fn after_three_weeks_without_a_relay_each_order_gets_one_notice_the_newest_true_one() {
    let (down, script) = moody();
    let mut shop = TestApp::with(START, Differs { script, ..Differs::default() }).await;
    let mood = down.clone();
    three_weeks_away(&mut shop, async |shop: &mut TestApp, to: &str| {
        // A connection of before would still be served.
        shop.sim.dispatcher.close().await;
        mood.store(true, Ordering::SeqCst);
        shop.settle().await;
        shop.travel_to(to).await;
    })
    .await;
    // One probe a backoff, at most half an hour apart, however many wait.
    let probes = shop.catcher.connections();
    assert!(probes < 1_100, "{probes}");
    down.store(false, Ordering::SeqCst);
    shop.travel(TimeDelta::hours(2)).await;
    let mut mails = shop.mails()[6..].to_vec();
    mails.sort_by_key(|mail| mail.order.clone());
    let subjects: Vec<_> = mails.iter().map(|mail| format!("{} {}", mail.order, mail.subject)).collect();
    assert_eq!(
        subjects,
        [
            "missed Your order missed is late: we missed 10 March",
            "new Order new confirmed: ships by 5 May",
            "on-time Update on your backorder: Kettle, still 5 May",
            "slips New date for your order slips: 4 May",
        ]
    );
    // No try was counted against anything while the relay was away.
    for mail in mails {
        let timeline = shop.timeline(&mail.order).await;
        let accepted = timeline.iter().rfind(|entry| entry.state == "accepted").unwrap();
        assert_eq!((&accepted.kind, accepted.attempts), (&mail.kind, 1), "{timeline:#?}");
    }
}

#[tokio::test]
async fn a_mail_that_missed_its_window_in_an_outage_waits_for_the_next() {
    let (down, script) = moody();
    let mut shop = shop_with(script).await;
    shop.fact(order("1")).await;
    shop.sim.dispatcher.close().await;
    down.store(true, Ordering::SeqCst);
    shop.travel_to("2026-03-04T22:00:00Z").await;
    down.store(false, Ordering::SeqCst);
    shop.travel_to("2026-03-05T12:00:00Z").await;
    assert_eq!(shop.accepted("1").await, ["Mon 02 Mar 09:00 confirmation", "Thu 05 Mar 08:00 update_48h"]);
    assert_eq!(shop.kept("1", "update_48h").await.entry.attempts, 1);
}

fn with_email(number: &str, email: &str) -> Value {
    let mut order = order_of(number, email);
    order["placed_at"] = json!(START);
    order
}

#[tokio::test]
async fn a_new_address_takes_over_what_the_old_one_never_got() {
    let script = Script::new(|dialogue| match dialogue.phase {
        Phase::Rcpt if dialogue.to == "old@example.com" => Answer::reply("452 4.2.2 mailbox full"),
        _ => Answer::Usual,
    });
    let mut shop = shop_with(script).await;
    shop.fact(with_email("1", "old@example.com")).await;
    assert_eq!(shop.state("1", "confirmation").await, "deferred");
    shop.travel(TimeDelta::seconds(20)).await;
    shop.fact(with_email("1", "new@example.com")).await;
    shop.travel(TimeDelta::hours(24)).await;
    let mails = shop.mails();
    let sent: Vec<_> = mails.iter().map(|mail| (mail.to.as_str(), mail.kind.as_str())).collect();
    assert_eq!(sent, [("new@example.com", "confirmation")]);
    assert_eq!(shop.otherwise("1").await, ["Mon 02 Mar 09:00 confirmation superseded address_changed"]);
}

/// A relay that knows no mailbox of old@example.com, once it is gone.
fn no_such_mailbox(gone: bool) -> (Arc<AtomicBool>, Script) {
    let gone = Arc::new(AtomicBool::new(gone));
    let is_gone = gone.clone();
    let script = Script::new(move |dialogue| match dialogue.phase {
        Phase::Rcpt if dialogue.to == "old@example.com" && is_gone.load(Ordering::SeqCst) => {
            Answer::reply("550 5.1.1 no such mailbox")
        }
        _ => Answer::Usual,
    });
    (gone, script)
}

#[tokio::test]
async fn what_an_address_refused_for_good_is_told_to_the_next_as_it_stands_by_then() {
    let mut shop = shop_with(no_such_mailbox(true).1).await;
    shop.fact(with_email("1", "old@example.com")).await;
    shop.travel_to("2026-03-05T12:00:00Z").await;
    shop.fact(supply("2026-04-10")).await;
    shop.travel(TimeDelta::hours(2)).await;
    shop.fact(with_email("1", "new@example.com")).await;
    shop.travel(TimeDelta::hours(24)).await;
    let mails = shop.mails();
    let sent: Vec<_> = mails.iter().map(|mail| (mail.to.as_str(), mail.subject.as_str())).collect();
    assert_eq!(sent, [("new@example.com", "Order 1 confirmed: ships by 14 April")]);
    assert_eq!(shop.state("1", "confirmation").await, "failed");
    assert_eq!(shop.told("1").await, "2026-04-14");
}

#[tokio::test]
async fn a_slip_that_an_address_refused_is_told_to_the_next() {
    let (gone, script) = no_such_mailbox(false);
    let mut shop = shop_with(script).await;
    shop.fact(with_email("1", "old@example.com")).await;
    gone.store(true, Ordering::SeqCst);
    shop.travel(TimeDelta::hours(1)).await;
    shop.fact(supply("2026-04-10")).await;
    shop.travel(TimeDelta::hours(2)).await;
    shop.fact(with_email("1", "new@example.com")).await;
    shop.travel(TimeDelta::hours(2)).await;
    let told = |mail: &crate::support::app::Mail| format!("{} {}", mail.to, mail.subject);
    assert_eq!(
        shop.mails().iter().map(told).collect::<Vec<_>>(),
        [
            "old@example.com Order 1 confirmed: ships by 20 March",
            "new@example.com New date for your order 1: 14 April",
        ]
    );
}

#[tokio::test]
async fn what_happened_and_an_address_refused_is_told_to_the_next_also_of_a_closed_order() {
    let (gone, script) = no_such_mailbox(false);
    let mut shop = shop_with(script).await;
    let two = |email: &str| {
        let mut order = with_email("1", email);
        order["lines"] = json!([line("1", "KETTLE"), line("2", "KETTLE")]);
        order
    };
    shop.fact(two("old@example.com")).await;
    let part = |id: &str, line: &str| {
        let mut part = shipment(id, "1");
        part["lines"] = json!([{"id": line}]);
        part
    };
    shop.fact(part("S-1", "1")).await;
    gone.store(true, Ordering::SeqCst);
    shop.travel(TimeDelta::hours(1)).await;
    shop.fact(part("S-2", "2")).await;
    assert_eq!(shop.state("1", "shipped/S-2").await, "failed");
    shop.travel(TimeDelta::hours(1)).await;
    shop.fact(two("new@example.com")).await;
    shop.travel(TimeDelta::days(9)).await;
    let told: Vec<_> =
        shop.timeline("1").await.into_iter().map(|e| format!("{} {}", e.occasion, e.state)).collect();
    assert_eq!(
        told,
        ["confirmation accepted", "shipped/S-1 accepted", "shipped/S-2 failed", "shipped/S-2.2 accepted"]
    );
    let last = shop.last_mail();
    assert_eq!((last.to.as_str(), shop.mails().len()), ("new@example.com", 3));
    // To come back to an address is no reason to tell it all again.
    shop.fact(two("old@example.com")).await;
    shop.travel(TimeDelta::days(9)).await;
    assert_eq!(shop.mails().len(), 3);
}

#[tokio::test]
async fn an_address_that_changes_while_the_old_one_takes_the_mail_hears_it_too() {
    let at_the_dot = Arc::new(tokio::sync::Notify::new());
    let reached = at_the_dot.clone();
    let script = Script::new(move |dialogue| match (dialogue.phase, dialogue.to) {
        (Phase::Body, "old@example.com") => {
            reached.notify_one();
            Answer::After(Duration::from_millis(100), Box::new(Answer::Usual))
        }
        _ => Answer::Usual,
    });
    let mut shop = shop_with(script).await;
    shop.only_record(with_email("1", "old@example.com"), Notify::All).await;
    let (store, now) = (shop.store().clone(), shop.now());
    let mut moved = with_email("1", "new@example.com");
    moved["at"] = json!("2026-03-02T08:00:01Z");
    let change = async {
        at_the_dot.notified().await;
        intake::submit(&store, Source::Import, [intake::fact(moved, now).unwrap()], Options::at(now))
            .await
            .unwrap();
    };
    tokio::join!(shop.settle(), change);
    shop.travel(TimeDelta::hours(1)).await;
    let sent: Vec<_> = shop.mails().into_iter().map(|mail| (mail.to, mail.kind)).collect();
    let confirmation = |to: &str| (to.to_owned(), "confirmation".to_owned());
    assert_eq!(sent, [confirmation("old@example.com"), confirmation("new@example.com")]);
}

#[tokio::test]
async fn what_waits_for_a_retry_is_replaced_when_it_is_no_longer_true() {
    let script = Script::first(2, Phase::Body, Answer::reply("451 4.3.0 later"));
    let mut shop = shop_with(script).await;
    shop.fact(order("1")).await;
    shop.travel(TimeDelta::seconds(10)).await;
    shop.fact(supply("2026-04-10")).await;
    shop.travel(TimeDelta::hours(2)).await;
    let mails = shop.mails();
    assert_eq!(shop.kinds(), ["1 confirmation"]);
    assert_eq!(mails[0].subject, "Order 1 confirmed: ships by 14 April");
    assert_eq!(shop.otherwise("1").await, ["Mon 02 Mar 09:00 confirmation superseded facts_changed"]);
}

#[tokio::test]
async fn what_was_to_be_tried_again_is_not_once_the_order_has_shipped() {
    let script = Script::first(1, Phase::Body, Answer::reply("451 4.3.0 later"));
    let mut shop = shop_with(script).await;
    shop.fact(order("1")).await;
    shop.fact(shipment("S-1", "1")).await;
    shop.travel(TimeDelta::days(30)).await;
    assert_eq!(shop.kinds(), ["1 shipped"]);
    assert_eq!(shop.state("1", "confirmation").await, "superseded");
}

//! Faults after the body: what is unclear is in doubt, tried once more after a quarter of an hour under the same
//! Message-ID, and others are not kept waiting.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use shipby::catcher::{Answer, Script};
use shipby::dispatcher::{Dispatcher, Settings, Transport};
use shipby::domain::reply::Phase;
use shipby::{clock, planner, wiring};
use tokio_util::sync::CancellationToken;

use super::{Trap, WAYS, came, shop, stands};
use crate::support::facts::{order, order_of};
use crate::support::smtp::hasty;

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_unclear_after_the_body_is_in_doubt_for_a_quarter_of_an_hour_and_then_tried_once() {
    for way in WAYS {
        let mut trap = Trap::of(way).await;
        for fault in [
            Answer::TakeAndClose,
            Answer::Close(Vec::new()),
            Answer::Close(b"25".to_vec()),
            Answer::Close(b"250-half\r\n".to_vec()),
            Answer::Raw(b"\x00\xff\x01\r\n".to_vec()),
            Answer::Raw(b"OK 250\r\n".to_vec()),
            Answer::Raw("250-and another thing\r\n".repeat(50_000).into_bytes()),
            Answer::Raw(b"250 yes\r\n550 no\r\n".to_vec()),
            Answer::reply("354 more"),
        ] {
            let case = format!("{way:?} {:.80}", format!("{fault:?}"));
            let came_to = trap.springs(Phase::Body, &fault, 1).await;
            assert_eq!(came_to, came("in_doubt", 1, "15 minutes to the second"), "{case}");
            let (doubt, order) = (trap.kept().await, trap.orders.to_string());
            assert_eq!(doubt.attempts[0].phase.as_deref(), Some("body"), "{case}");
            assert_eq!(trap.shop.told(&order).await, "none", "{case}");
            let before = trap.shop.mails().len();
            trap.shop.travel(TimeDelta::minutes(15) - TimeDelta::milliseconds(1)).await;
            assert_eq!(trap.shop.mails().len(), before, "{case}");
            trap.shop.travel(TimeDelta::milliseconds(1)).await;
            assert_eq!(trap.stands().await, came("accepted", 2, "never"), "{case}");
            let copies: Vec<_> = trap.shop.mails().into_iter().filter(|mail| mail.order == order).collect();
            assert_eq!(copies.len(), if fault == Answer::TakeAndClose { 2 } else { 1 }, "{case}");
            assert!(copies.iter().all(|mail| Some(&mail.bytes) == doubt.bytes.as_ref()), "{case}");
            assert_eq!(trap.shop.told(&order).await, "2026-03-20", "{case}");
        }
    }
}

#[tokio::test]
async fn a_mail_taken_without_a_word_and_one_never_taken_look_the_same() {
    let mut trap = Trap::of(None).await;
    let mut records = Vec::new();
    for fault in [Answer::TakeAndClose, Answer::Close(Vec::new())] {
        let came_to = trap.springs(Phase::Body, &fault, 1).await;
        records.push((came_to, trap.kept().await.entry.reply));
    }
    assert_eq!(records[0], records[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_thinks_long_over_one_mail_gets_it_once_and_the_others_go_on() {
    let slow = Script::new(|d| match (d.phase, d.to) {
        (Phase::Body, "slow@example.com") => {
            Answer::After(Duration::from_millis(800), Box::new(Answer::Usual))
        }
        _ => Answer::Usual,
    });
    let mut shop = shop(None, slow, &[("DELIVERY__CONCURRENCY", "2")]).await;
    let others = (0..40).map(|n| order_of(&format!("o{n}"), &format!("c{n}@example.com")));
    shop.facts([order_of("1", "slow@example.com")].into_iter().chain(others)).await;
    let mails = shop.mails();
    assert_eq!(mails.len(), 41);
    let place = mails.iter().position(|mail| mail.to == "slow@example.com");
    assert!(
        place >= Some(39),
        "behind it comes what was on its connection already, and nothing else: {place:?}"
    );
    assert_eq!(stands(&shop, "1").await, came("accepted", 1, "never"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_never_answers_leaves_a_doubt_in_time_and_the_line_is_free_again() {
    let silent = Script::new(|d| match (d.phase, d.to, d.attempt) {
        (Phase::Body, "mute@example.com", 1) => Answer::Silence,
        _ => Answer::Usual,
    });
    let mut shop = shop(None, silent, &[]).await;
    let settings = Settings {
        owner: "hasty".to_owned(),
        mode: shop.config.delivery.mode.clone(),
        allowed: shop.config.delivery.allowed.clone(),
        concurrency: 1,
        rate: None,
        policy: shop.sim.policy.clone(),
        breaker: 20,
        built: clock::built(),
    };
    let transport = Transport::Smtp(Arc::new(hasty(shop.catcher.addr())));
    let renderer = wiring::renderer(&shop.config).unwrap();
    shop.sim.dispatcher = Dispatcher::new(shop.store().clone(), shop.clock(), transport, renderer, settings);
    shop.facts([order_of("1", "mute@example.com"), order_of("2", "bo@example.com")]).await;
    assert_eq!(stands(&shop, "1").await, came("in_doubt", 1, "15 minutes to the second"));
    let words = shop.kept("1", "confirmation").await.entry.reply;
    assert_eq!(words.as_deref(), Some("no answer to the body in time"));
    assert_eq!(shop.kinds(), ["2 confirmation"]);
    shop.travel(TimeDelta::minutes(15)).await;
    assert_eq!(shop.kinds(), ["2 confirmation", "1 confirmation"]);
}

#[tokio::test]
async fn a_reply_of_many_lines_is_kept_with_its_code() {
    for way in WAYS {
        let mut trap = Trap::of(way).await;
        let many = Answer::reply("250-2.6.0 stored\r\n250-2.6.0 twice\r\n250 2.6.0 as 4F1A");
        assert_eq!(trap.springs(Phase::Body, &many, 1).await, came("accepted", 1, "never"));
        assert_eq!(trap.kept().await.entry.reply.as_deref(), Some("250 2.6.0 stored twice as 4F1A"));
    }
}

#[tokio::test]
async fn a_mail_that_was_stored_and_refused_all_the_same_comes_twice_under_one_message_id() {
    let trips = Answer::TakeAndSay("451 4.3.0 something tripped".to_owned());
    let mut trap = Trap::of(None).await;
    assert_eq!(trap.springs(Phase::Body, &trips, 1).await, came("deferred", 1, "a minute"));
    trap.shop.travel(TimeDelta::minutes(2)).await;
    assert_eq!(trap.stands().await, came("accepted", 2, "never"));
    let mails = trap.shop.mails();
    assert_eq!(mails.len(), 2);
    assert_eq!(mails[0], mails[1]);
}

#[tokio::test]
async fn a_relay_that_never_makes_up_its_mind_is_asked_for_five_days_and_no_longer() {
    let mut shop = shop(None, Script::at(Phase::Rcpt, Answer::reply("451 4.3.0 later")), &[]).await;
    shop.fact(order("1")).await;
    let mut next = Vec::new();
    let start = shop.now();
    while shop.state("1", "confirmation").await == "deferred" {
        let due = shop.kept("1", "confirmation").await.entry.next_try().unwrap();
        next.push((due - start).num_seconds());
        shop.travel(due - shop.now()).await;
    }
    let kept = shop.kept("1", "confirmation").await;
    let over = (kept.entry.state.as_str(), kept.entry.reason.as_deref(), kept.entry.next_try());
    assert_eq!(over, ("skipped", Some("expired"), None));
    let days = kept.entry.instant() - start;
    assert!(days >= TimeDelta::days(5) && days < TimeDelta::hours(5 * 24 + 4), "{days}");
    // 1, 6, 36, 96, 216 and 396 minutes after the first, each wait a tenth more or less, and every three hours from then on.
    for (due, about) in next.iter().zip([1, 6, 36, 96, 216, 396]) {
        assert!((due - about * 60).abs() <= about * 6, "{next:?}");
    }
    assert!((40..=50).contains(&next.len()), "{next:?}");
    planner::turn(shop.store(), &shop.sim.policy, shop.now()).await.unwrap();
    let stop = CancellationToken::new();
    assert_eq!(shop.sim.dispatcher.drain(&stop).await.unwrap().settled, 0);
}

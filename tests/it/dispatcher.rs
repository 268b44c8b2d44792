//! What several connections send at once: everything once, whatever the relay does in between.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::TimeDelta;
use shipby::catcher::{Answer, Dialogue, Script};
use shipby::clock::Clock;
use shipby::dispatcher::{Dispatcher, Settings, Transport};
use shipby::domain::fact::Source;
use shipby::domain::order::apply::Notify as Tell;
use shipby::domain::reply::Phase;
use shipby::intake::{self, Options};
use shipby::planner;
use shipby::store::Attempt;
use shipby::telemetry::Watchdog;
use shipby::templates::{CurrentTemplates, TemplateSet};
use shipby::wiring;
use tokio_util::sync::CancellationToken;

use crate::support::app::{Differs, TestApp};
use crate::support::facts::order_of;

const START: &str = "2026-03-02T08:00:00Z";

/// A shop with so many orders to be confirmed, `connections` at a time.
async fn busy(orders: usize, connections: &str, script: Script) -> TestApp {
    let keys = [("DELIVERY__CONCURRENCY", connections)];
    let shop = TestApp::with(START, Differs { script, keys: &keys }).await;
    let facts: Vec<_> = (0..orders)
        .map(|n| {
            intake::fact(order_of(&format!("{n:04}"), &format!("c{n}@example.com")), shop.now()).unwrap()
        })
        .collect();
    intake::submit(shop.store(), Source::Import, &facts, Options::at(shop.now())).await.unwrap();
    shop
}

/// How many confirmations are in which state.
async fn states(shop: &TestApp) -> BTreeMap<String, i64> {
    shop.store().counts().await.unwrap().notices.remove("confirmation").unwrap_or_default()
}

fn is(expected: &[(&str, i64)]) -> BTreeMap<String, i64> {
    expected.iter().map(|(state, count)| ((*state).to_owned(), *count)).collect()
}

/// The number in `c17@example.com`.
fn number(to: &str) -> usize {
    to.trim_start_matches('c').split('@').next().and_then(|n| n.parse().ok()).unwrap_or(usize::MAX)
}

#[tokio::test(flavor = "multi_thread")]
async fn two_thousand_mails_over_eight_connections_arrive_once_each() {
    let mut shop = busy(2_000, "8", Script::usual()).await;
    assert_eq!(shop.settle().await, 2_000);
    let ids: BTreeSet<_> = shop.mails().into_iter().map(|mail| mail.message_id).collect();
    assert_eq!((shop.catcher.count(), ids.len()), (2_000, 2_000));
    assert_eq!(states(&shop).await, is(&[("accepted", 2_000)]));
    assert!(shop.catcher.connections() <= 8, "{}", shop.catcher.connections());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_moody_relay_does_to_one_mail_is_that_mails_alone() {
    let first = |d: &Dialogue<'_>| d.attempt == 1;
    let moody = Script::new(move |d| match (d.phase, number(d.to) % 10) {
        (Phase::Rcpt, 1) => Answer::reply("550 5.1.1 no such mailbox"),
        (Phase::Rcpt, 2) if first(d) => Answer::reply("450 4.2.0 greylisted"),
        (Phase::Rcpt, 3) if first(d) => Answer::reply("421 4.3.2 too many mails here"),
        (Phase::Data, 4) if first(d) => Answer::Close(Vec::new()),
        (Phase::Body, 5) if first(d) => Answer::TakeAndClose,
        (Phase::Body, 6) if first(d) => Answer::Close(Vec::new()),
        (Phase::Body, 7) if first(d) => Answer::reply("421 4.3.2 closing down"),
        (Phase::Body, 8) => Answer::reply("554 5.6.0 not this content"),
        _ => Answer::Usual,
    });
    let mut shop = busy(500, "8", moody).await;
    shop.settle().await;
    // 421 and a drop before the body cost a kept connection, not the mail; on a fresh one they are a delay.
    let now = states(&shop).await;
    assert_eq!((now["failed"], now["in_doubt"]), (100, 100), "{now:?}");
    assert!(now["accepted"] >= 100 && now["deferred"] >= 100, "{now:?}");
    shop.travel(TimeDelta::minutes(20)).await;
    assert_eq!(states(&shop).await, is(&[("accepted", 400), ("failed", 100)]));
    let mut copies = BTreeMap::new();
    for mail in shop.catcher.mails() {
        *copies.entry((number(&mail.to[0]) % 10, mail.bytes)).or_insert(0) += 1;
    }
    assert_eq!(copies.len(), 400);
    for ((rest, _), copies) in copies {
        // Only what was taken without a word comes twice, under one Message-ID.
        assert_eq!(copies, if rest == 5 { 2 } else { 1 }, "{rest}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_takes_two_connections_gets_two_and_nothing_fails() {
    let open = Mutex::new(BTreeSet::new());
    let narrow = Script::new(move |d| match d.phase {
        Phase::Greeting if d.connection > 2 => Answer::reply("421 4.7.0 too many connections"),
        Phase::Body => {
            open.lock().unwrap().insert(d.connection);
            Answer::After(Duration::from_millis(1), Box::new(Answer::Usual))
        }
        _ => Answer::Usual,
    });
    let mut shop = busy(200, "8", narrow).await;
    shop.settle().await;
    assert_eq!(states(&shop).await, is(&[("accepted", 200)]));
    let tries = attempts(&shop, "0000").await;
    assert_eq!(tries.len(), 1, "{tries:?}");
}

#[tokio::test]
async fn a_relay_that_ends_each_connection_after_three_mails_is_no_failure() {
    let short = Script::new(|d| match d.phase {
        Phase::Mail if d.mail > 3 => Answer::Close(b"421 4.7.0 three are enough\r\n".to_vec()),
        _ => Answer::Usual,
    });
    let mut shop = busy(20, "1", short).await;
    shop.settle().await;
    assert_eq!(states(&shop).await, is(&[("accepted", 20)]));
    for order in ["0003", "0006", "0019"] {
        assert_eq!(attempts(&shop, order).await.len(), 1);
    }
    assert_eq!(shop.catcher.connections(), 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_begin_few_and_become_as_many_as_are_configured_while_the_relay_keeps_up() {
    let bodies = Arc::new(Mutex::new(Vec::new()));
    let seen = bodies.clone();
    let patient = Script::new(move |d| match d.phase {
        Phase::Body => {
            seen.lock().unwrap().push(d.connection);
            Answer::After(Duration::from_millis(5), Box::new(Answer::Usual))
        }
        _ => Answer::Usual,
    });
    let mut shop = busy(200, "8", patient).await;
    shop.settle().await;
    let bodies = bodies.lock().unwrap().clone();
    assert!(bodies[..2].iter().all(|connection| *connection <= 2), "{bodies:?}");
    assert_eq!((shop.catcher.connections(), states(&shop).await), (8, is(&[("accepted", 200)])));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_asks_for_less_gets_half_as_many_connections() {
    let bodies = Arc::new(Mutex::new(Vec::new()));
    let seen = bodies.clone();
    let limited = Script::new(move |d| match d.phase {
        Phase::Body => {
            let mut seen = seen.lock().unwrap();
            seen.push(d.connection);
            let usual = if seen.len() == 100 { Answer::reply("451 4.7.0 slow down") } else { Answer::Usual };
            Answer::After(Duration::from_millis(2), Box::new(usual))
        }
        _ => Answer::Usual,
    });
    let mut shop = busy(150, "8", limited).await;
    shop.settle().await;
    let bodies = bodies.lock().unwrap().clone();
    let distinct = |bodies: &[u64]| bodies.iter().collect::<BTreeSet<_>>().len();
    assert_eq!(distinct(&bodies[60..100]), 8, "{bodies:?}");
    // What was in hand when it was said still leaves, and what its envelopes had gone ahead of.
    assert_eq!(distinct(&bodies[124..150]), 4, "{bodies:?}");
    assert_eq!(states(&shop).await, is(&[("accepted", 149), ("deferred", 1)]));
}

#[tokio::test]
async fn a_relay_that_leaves_before_it_has_heard_to_whom_counts_against_no_mail() {
    let script = Script::new(|d| match d.phase {
        Phase::Mail if d.connection <= 2 => Answer::Close(b"421 4.3.2 going down\r\n".to_vec()),
        _ => Answer::Usual,
    });
    let mut shop = busy(5, "1", script).await;
    assert_eq!(shop.settle().await, 0);
    assert_eq!(states(&shop).await, is(&[("queued", 5)]));
    shop.travel(TimeDelta::minutes(2)).await;
    assert_eq!(states(&shop).await, is(&[("accepted", 5)]));
    assert_eq!(attempts(&shop, "0000").await.len(), 1);
}

#[tokio::test]
async fn a_relay_that_refuses_our_credentials_is_probed_and_nothing_is_counted() {
    let script = Script::new(|d| match d.phase {
        Phase::Mail if d.connection <= 2 => Answer::reply("530 5.7.0 authentication required"),
        _ => Answer::Usual,
    });
    let mut shop = busy(20, "1", script).await;
    assert_eq!(shop.settle().await, 0);
    assert_eq!(states(&shop).await, is(&[("queued", 20)]));
    let waiting = shop.kept("0000", "confirmation").await;
    let why = waiting.entry.reply.unwrap();
    assert!(why.contains("the relay cannot be used") && why.contains("530 5.7.0"), "{why}");
    shop.travel(TimeDelta::seconds(50)).await;
    assert_eq!(shop.catcher.connections(), 1, "one probe per backoff");
    shop.sim.dispatcher.close().await;
    shop.travel(TimeDelta::minutes(2)).await;
    assert_eq!((shop.catcher.connections(), shop.catcher.count()), (2, 0));
    shop.sim.dispatcher.close().await;
    shop.travel(TimeDelta::minutes(10)).await;
    assert_eq!(states(&shop).await, is(&[("accepted", 20)]));
    assert!(shop.kept("0007", "confirmation").await.attempts.iter().all(|a| a.number == 1));
}

#[tokio::test]
async fn what_cannot_be_mailed_by_our_own_rules_is_said_and_the_others_go() {
    let keys = [("DELIVERY__ALLOW_RECIPIENTS", "@example.com")];
    let mut shop = TestApp::with(START, Differs { keys: &keys, ..Differs::default() }).await;
    shop.facts([order_of("1", "ana@example.com"), order_of("2", "bo@elsewhere.example")]).await;
    assert_eq!(shop.kinds(), ["1 confirmation"]);
    assert_eq!(shop.otherwise("2").await, ["Mon 02 Mar 09:00 confirmation skipped not_allowed"]);
}

#[tokio::test]
async fn redirected_mail_goes_to_one_address_and_names_the_real_one() {
    let keys = [("DELIVERY__MODE", "redirect"), ("DELIVERY__REDIRECT_TO", "us@tableware.example")];
    let mut shop = TestApp::with(START, Differs { keys: &keys, ..Differs::default() }).await;
    shop.fact(order_of("1", "ana@example.com")).await;
    let mail = shop.last_mail();
    assert_eq!(mail.to, "us@tableware.example");
    assert!(mail.subject.starts_with("[for ana@example.com] "), "{}", mail.subject);
    assert_eq!(shop.timeline("1").await[0].mode.as_deref(), Some("redirect"));
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_slow_answer_is_waited_for_others_go_and_a_sign_of_life_is_given() {
    let slow = Script::new(|d| match (d.phase, number(d.to)) {
        (Phase::Body, 0) => Answer::After(Duration::from_secs(4), Box::new(Answer::Usual)),
        _ => Answer::Usual,
    });
    let mut shop = busy(1, "8", slow).await;
    planner::turn(shop.store(), &shop.sim.policy, shop.now()).await.unwrap();
    let mut watchdog = Watchdog::default();
    shop.sim.dispatcher.heartbeats(watchdog.watch("dispatcher", Duration::from_millis(2_500)));
    let (store, policy, now) = (shop.store().clone(), shop.sim.policy.clone(), shop.now());
    let stop = CancellationToken::new();
    let meanwhile = async {
        // The slow one has begun to leave.
        while store.agenda(now).await.unwrap().send.is_some() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let later = intake::fact(order_of("0001", "c1@example.com"), now).unwrap();
        intake::submit(&store, Source::Import, [later], Options::at(now)).await.unwrap();
        planner::turn(&store, &policy, now).await.unwrap();
        shop.catcher.wait_for(1).await;
        let first = shop.catcher.mails().remove(0).to;
        tokio::time::sleep(Duration::from_secs(3)).await;
        (first, watchdog.stalled())
    };
    let (sent, (first, stalled)) = tokio::join!(shop.sim.dispatcher.drain(&stop), meanwhile);
    assert_eq!(sent.unwrap().settled, 2);
    assert_eq!((first, stalled), (vec!["c1@example.com".to_owned()], None));
    assert_eq!(states(&shop).await, is(&[("accepted", 2)]));
}

#[tokio::test]
async fn a_slow_rate_takes_little_ahead_and_does_not_hold_up_a_stop() {
    let keys = [("DELIVERY__RATE", "6/m"), ("DELIVERY__CONCURRENCY", "8")];
    let mut shop = TestApp::with(START, Differs { keys: &keys, ..Differs::default() }).await;
    for n in 0..20 {
        shop.only_record(order_of(&format!("{n:02}"), &format!("c{n}@example.com")), Tell::All).await;
    }
    planner::turn(shop.store(), &shop.sim.policy, shop.now()).await.unwrap();
    let (store, stop) = (shop.store().clone(), CancellationToken::new());
    let watch = async {
        shop.catcher.wait_for(1).await;
        let sending = store.counts().await.unwrap().notices["confirmation"].get("sending").copied();
        stop.cancel();
        sending.unwrap_or(0)
    };
    let both = async { tokio::join!(shop.sim.dispatcher.drain(&stop), watch) };
    let (sent, sending) = tokio::time::timeout(Duration::from_secs(5), both).await.unwrap();
    assert_eq!(sent.unwrap().settled, 1);
    assert!(sending <= 4, "{sending}");
    assert_eq!(states(&shop).await, is(&[("accepted", 1), ("queued", 19)]));
}

#[tokio::test]
async fn nothing_leaves_whose_beginning_cannot_be_stored_and_all_goes_once_it_can() {
    let mut shop = busy(5, "2", Script::usual()).await;
    planner::turn(shop.store(), &shop.sim.policy, shop.now()).await.unwrap();
    let mut raw = shop.raw().await;
    raw.no_room_for_beginnings().await;
    let stop = CancellationToken::new();
    let error = shop.sim.dispatcher.drain(&stop).await.unwrap_err().to_string();
    assert!(error.contains("disk is full"), "{error}");
    assert_eq!(shop.catcher.count(), 0);
    raw.make_room().await;
    shop.settle().await;
    assert_eq!(states(&shop).await, is(&[("accepted", 5)]));
    assert_eq!(shop.catcher.count(), 5);
}

#[tokio::test]
async fn an_outcome_that_cannot_be_stored_is_a_doubt_and_no_other_body_leaves() {
    let mut shop = busy(5, "1", Script::usual()).await;
    planner::turn(shop.store(), &shop.sim.policy, shop.now()).await.unwrap();
    let mut raw = shop.raw().await;
    raw.no_room_for_acceptances().await;
    let stop = CancellationToken::new();
    shop.sim.dispatcher.drain(&stop).await.unwrap_err();
    assert_eq!(shop.catcher.count(), 1);
    raw.make_room().await;
    shop.settle().await;
    assert_eq!(states(&shop).await, is(&[("accepted", 4), ("in_doubt", 1)]));
    shop.travel(TimeDelta::minutes(15)).await;
    assert_eq!(states(&shop).await, is(&[("accepted", 5)]));
    let ids: BTreeSet<_> = shop.mails().into_iter().map(|mail| mail.message_id).collect();
    assert_eq!((ids.len(), shop.catcher.count()), (5, 6));
}

#[tokio::test]
async fn while_the_system_s_clock_is_before_the_build_nothing_is_sent_and_then_it_goes_on_by_itself() {
    let mut shop = TestApp::start(&Clock::System.now().to_rfc3339()).await;
    shop.only_record(order_of("1", "ana@example.com"), Tell::All).await;
    planner::turn(shop.store(), &shop.sim.policy, shop.now()).await.unwrap();
    let transport = Transport::Smtp(Arc::new(wiring::relay(&shop.config).unwrap()));
    let renderer = wiring::renderer(&shop.config).unwrap();
    let built = Clock::System.now() + TimeDelta::seconds(2);
    let settings = Settings {
        owner: "system".to_owned(),
        mode: shop.config.delivery.mode.clone(),
        allowed: shop.config.delivery.allowed.clone(),
        concurrency: 1,
        rate: None,
        breaker: 20,
        policy: shop.sim.policy.clone(),
        built,
    };
    let mut dispatcher = Dispatcher::new(shop.store().clone(), Clock::System, transport, renderer, settings);
    let stop = CancellationToken::new();
    let mut held = 0;
    let report = loop {
        let report = dispatcher.drain(&stop).await.unwrap();
        if !report.clock_wrong {
            break report;
        }
        held += 1;
        assert_eq!((report.settled, shop.catcher.connections()), (0, 0));
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert!(held > 0);
    assert_eq!((report.settled, shop.catcher.count()), (1, 1));
    assert!(shop.timeline("1").await[0].instant() >= built);
    // A simulated clock is nobody's fault, whatever it says.
    shop.sim.hand.jump("1999-01-01T00:00:00Z".parse().unwrap());
    assert!(!shop.sim.dispatcher.drain(&stop).await.unwrap().clock_wrong);
}

async fn attempts(shop: &TestApp, order: &str) -> Vec<Attempt> {
    shop.kept(order, "confirmation").await.attempts
}

/// A set whose confirmations say `letter` in the subject and in the text.
fn lettered(letter: &str) -> TemplateSet {
    let whole = TemplateSet::compiled_in().unwrap();
    let mut files = whole.files().clone();
    files.retain(|name, _| !["de/", "es/", "fr/"].iter().any(|language| name.starts_with(language)));
    files.insert("confirmation/subject.txt".into(), format!("{letter} {{{{ order.number }}}}"));
    files.insert("confirmation/body.txt".into(), format!("{letter}: {{{{ order.number }}}}, just reply"));
    TemplateSet::parse(files).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn templates_that_change_while_mails_leave_make_each_mail_of_one_piece() {
    let mut shop = busy(400, "8", Script::default()).await;
    let current = CurrentTemplates::new(lettered("A"));
    let (clock, owner) = (shop.clock(), "templates".to_owned());
    shop.sim.dispatcher =
        wiring::dispatcher_with(&shop.config, shop.store().clone(), clock, owner, current.clone()).unwrap();
    let over = Arc::new(AtomicBool::new(false));
    let editor = std::thread::spawn({
        let over = over.clone();
        // Made before: each mail is as likely to meet the one as the other.
        let sets = ["B", "A"].map(|letter| Arc::new(lettered(letter)));
        move || {
            for set in sets.iter().cycle() {
                if over.load(Ordering::SeqCst) {
                    return;
                }
                current.set(set.clone());
                std::thread::yield_now();
            }
        }
    });
    shop.settle().await;
    over.store(true, Ordering::SeqCst);
    editor.join().unwrap();
    let mails = shop.mails();
    assert_eq!(mails.len(), 400);
    let mut letters: Vec<&str> = Vec::new();
    for mail in &mails {
        let letter = &mail.subject[..1];
        assert_eq!(mail.text, format!("{letter}: {}, just reply", mail.order));
        letters.push(letter);
    }
    letters.sort_unstable();
    letters.dedup();
    assert_eq!(letters, ["A", "B"], "both sets were at work");
}

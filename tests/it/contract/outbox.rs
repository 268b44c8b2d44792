//! A notice on its way: planned, taken with its bytes, begun, and settled by what the server said.

use chrono::TimeDelta;
use serde_json::json;
use shipby::catcher::{Answer, Script};
use shipby::domain::fact::Source;
use shipby::domain::notice::Reason;
use shipby::domain::order::apply::Notify as Tell;
use shipby::domain::order::settle::Outcome;
use shipby::domain::reply::Phase;
use shipby::intake::{self, Options};
use shipby::planner;
use shipby::store::{Claim, Outcomes, Owner, Settlement};

use super::{OWNER, START, plan, planned, settle, settlement, staged, take, take_ready};
use crate::support::app::{Differs, TestApp, at};
use crate::support::facts::{cancel, order, supply};

#[tokio::test]
async fn an_occasion_that_was_mailed_is_never_mailed_again_and_the_order_goes_on() {
    let mut shop = TestApp::start(START).await;
    shop.fact(order("1")).await;
    // As if the rules had forgotten that this one went out.
    let differs = [("kind", Some("update_48h")), ("occasion", Some("update_48h")), ("may_repeat", Some("0"))];
    shop.raw().await.copy_notice(&differs).await.unwrap();
    shop.sim.hand.set(at("2026-03-04T08:00:00Z"));
    assert_eq!(plan(&shop).await, 0, "what was not put into the outbox is not counted as queued");
    shop.travel_to("2026-03-10T00:00:00Z").await;
    assert_eq!(shop.kinds(), ["1 confirmation", "1 weekly_status"]);
}

#[tokio::test]
async fn planning_covers_schedules_and_says_when_it_is_needed_next() {
    let shop = TestApp::start(START).await;
    let store = shop.store();
    let (policy, now) = (&shop.sim.policy, shop.now());
    assert_eq!(store.agenda(now).await.unwrap().plan, None);
    shop.only_record(supply("2026-03-16"), Tell::All).await;
    shop.only_record(order("1"), Tell::All).await;
    assert_eq!(store.agenda(now).await.unwrap().plan, Some(now));
    assert_eq!(store.plan_due(now, policy, 10).await.unwrap().orders, 0, "nothing of a dirty SKU is planned");
    assert_eq!(store.cover_dirty(now, policy).await.unwrap(), 1);
    assert_eq!(store.cover_dirty(now, policy).await.unwrap(), 0);
    assert_eq!(shop.order("1").await.lines[0].cover.date(), Some("2026-03-16".parse().unwrap()));
    assert_eq!(store.next_try(now).await.unwrap(), None);
    let counts = store.plan_due(now, policy, 10).await.unwrap();
    assert_eq!((counts.orders, counts.queued.len()), (1, 1));
    let planned = &counts.queued[0];
    let under_way = shop.order("1").await.under_way.unwrap();
    assert_eq!(planned.id, store.notice_id("1", &under_way.notice));
    assert_eq!((planned.order.as_str(), planned.kind), ("1", under_way.notice.kind));
    assert_eq!(store.plan_due(now, policy, 10).await.unwrap().orders, 0);
    assert_eq!(store.next_try(now).await.unwrap(), Some(now));
    // Its date came with the supply, and may still move.
    assert_eq!(store.agenda(now).await.unwrap().plan, Some(now + TimeDelta::minutes(15)));
}

#[tokio::test]
async fn an_occasion_that_is_used_up_is_not_planned_and_the_others_are() {
    let shop = planned(&["1"]).await;
    for number in ["2", "3"] {
        shop.only_record(order(number), Tell::All).await;
    }
    let now = shop.now().timestamp_millis().to_string();
    let used = [
        ("order_number", Some("2")),
        ("kind", Some("weekly_status")),
        ("may_repeat", Some("0")),
        ("state", Some("accepted")),
        ("next_try_at", None),
        ("settled_at", Some(now.as_str())),
    ];
    shop.raw().await.copy_notice(&used).await.unwrap();
    shop.store().cover_dirty(shop.now(), &shop.sim.policy).await.unwrap();
    let planning = shop.store().plan_due(shop.now(), &shop.sim.policy, 10).await.unwrap();
    let queued: Vec<&str> = planning.queued.iter().map(|planned| planned.order.as_str()).collect();
    assert_eq!((planning.orders, queued), (2, vec!["3"]));
}

#[tokio::test]
async fn an_order_is_taken_only_when_its_plan_is_up_to_date() {
    let shop = planned(&["1", "2"]).await;
    shop.only_record(cancel("C", "2"), Tell::All).await;
    // The SKU's queue changed with it, so not even the first is taken.
    assert!(take(&shop, b"news").await.is_empty());
    plan(&shop).await;
    let taken = take(&shop, b"news").await;
    let kinds: Vec<_> = taken.iter().map(|c| (c.order.number.as_str(), c.notice.kind.as_str())).collect();
    assert_eq!(kinds, [("1", "confirmation"), ("2", "cancelled")]);
    assert_eq!((taken[0].attempt, taken[0].again, &taken[0].message), (1, false, &None));
    assert!(take(&shop, b"news").await.is_empty(), "nothing is taken twice");
    assert_eq!(shop.store().next_try(shop.now()).await.unwrap(), None);
}

#[tokio::test]
async fn what_is_staged_is_kept_and_comes_with_the_next_try() {
    let shop = planned(&["1"]).await;
    let bytes = b"Subject: news\r\n\r\nnews\r\n".to_vec();
    let first = take(&shop, &bytes).await.remove(0);
    let later = settlement(&first, Outcome::Deferred { attempt: 1 }, &shop);
    let next = later.settled.next_try.unwrap();
    settle(&shop, vec![later]).await;
    shop.sim.hand.set(next);
    plan(&shop).await;
    let again = take(&shop, b"other").await.remove(0);
    assert_eq!((again.attempt, again.message), (2, Some(bytes.clone())));
    let kept = shop.store().kept(&first.id[..6]).await.unwrap().remove(0);
    assert_eq!(
        (kept.entry.subject.as_deref(), kept.bytes, kept.attempts.len()),
        (Some("news"), Some(bytes), 2)
    );
}

#[tokio::test]
async fn of_what_is_not_taken_no_bytes_are_kept() {
    let shop = planned(&["1"]).await;
    let ready = shop.store().ready(shop.now(), 100).await.unwrap();
    shop.only_record(order("2"), Tell::All).await;
    assert!(take_ready(&shop, ready, b"of before").await.is_empty());
    plan(&shop).await;
    let taken = take(&shop, b"of after").await;
    let kept = shop.store().kept(&taken[0].id).await.unwrap().remove(0);
    assert_eq!(kept.bytes.as_deref(), Some(b"of after".as_slice()));
}

#[tokio::test]
async fn one_commit_settles_many_and_lets_a_body_begin() {
    let shop = planned(&["1", "2", "3"]).await;
    let taken = take(&shop, b"news").await;
    let outcomes = Outcomes {
        settled: vec![
            settlement(&taken[0], Outcome::Accepted, &shop),
            settlement(&taken[1], Outcome::Failed(Reason::DeadAddress), &shop),
        ],
        begin: vec![(taken[2].id.clone(), taken[2].revision)],
        ..Outcomes::default()
    };
    let begun = shop.store().commit(OWNER, shop.now(), &outcomes, &shop.sim.policy).await.unwrap();
    assert_eq!(begun, [taken[2].id.clone()]);
    let mut states = Vec::new();
    for number in ["1", "2", "3"] {
        states.push((shop.state(number, "confirmation").await, shop.told(number).await));
    }
    let expected = [("accepted", "2026-03-20"), ("failed", "none"), ("sending", "none")];
    assert_eq!(states, expected.map(|(state, told)| (state.to_owned(), told.to_owned())));
    let (tries, decided) = shop.store().moment(shop.now()).await.unwrap();
    assert_eq!((tries.len(), decided.len()), (2, 0));
    assert_eq!(shop.store().recover(shop.now(), &shop.sim.policy).await.unwrap(), (0, 1));
}

#[tokio::test]
async fn a_try_is_on_record_with_the_parts_of_the_server_s_words_and_how_long_it_took() {
    let said = [
        ("250 ok", Some(250), None),
        ("250 2.0.0 queued as 4F1A", Some(250), Some("2.0.0")),
        ("550 5.1.1", Some(550), Some("5.1.1")),
        ("421", Some(421), None),
        ("452 4.2.2x full", Some(452), None),
        ("550 5.7.509 no", Some(550), Some("5.7.509")),
        ("550 10.0.0.1 is listed", Some(550), None),
        ("kept; nothing left this machine", None, None),
        ("25 octets", None, None),
        ("not 5.1.1 at all", None, None),
        ("2500 octets", None, None),
    ];
    let numbers: Vec<String> = (1..=said.len()).map(|number| number.to_string()).collect();
    let shop = planned(&numbers.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let taken = take(&shop, b"news").await;
    shop.sim.hand.set(shop.now() + TimeDelta::milliseconds(1_240));
    let accepted = taken.iter().map(|ready| {
        let (words, ..) = said[ready.order.number.parse::<usize>().unwrap() - 1];
        Settlement { reply: Some(words.to_owned()), ..settlement(ready, Outcome::Accepted, &shop) }
    });
    settle(&shop, accepted.collect()).await;
    for ((words, code, enhanced), number) in said.iter().zip(&numbers) {
        let tried = shop.kept(number, "confirmation").await.attempts.remove(0);
        assert_eq!((tried.code, tried.enhanced.as_deref()), (*code, *enhanced), "{words}");
        assert_eq!(tried.took(), Some(TimeDelta::milliseconds(1_240)));
    }
}

#[tokio::test]
async fn an_outcome_of_somebody_elses_notice_changes_nothing() {
    let shop = planned(&["1"]).await;
    let taken = take(&shop, b"news").await.remove(0);
    let before = (shop.timeline("1").await, shop.order("1").await);
    let outcomes = Outcomes {
        settled: vec![settlement(&taken, Outcome::Accepted, &shop)],
        accepted: vec![settlement(&taken, Outcome::Accepted, &shop)],
        begin: vec![(taken.id.clone(), taken.revision)],
    };
    assert!(
        shop.store().commit("another", shop.now(), &outcomes, &shop.sim.policy).await.unwrap().is_empty()
    );
    assert_eq!((shop.timeline("1").await, shop.order("1").await), before);
    let back = [(taken.id, shop.now())];
    shop.store().release("another", &back, None, shop.now()).await.unwrap();
    assert_eq!(shop.state("1", "confirmation").await, "sending");
    assert_eq!(shop.store().recover(shop.now(), &shop.sim.policy).await.unwrap(), (1, 0));
    assert_eq!(shop.state("1", "confirmation").await, "queued");
}

#[tokio::test]
async fn no_body_begins_once_the_order_has_changed_and_the_notice_is_replaced() {
    let mut shop = planned(&["1"]).await;
    let taken = take(&shop, b"old").await.remove(0);
    shop.pass(TimeDelta::seconds(1));
    shop.only_record(supply("2026-04-10"), Tell::All).await;
    assert_eq!(plan(&shop).await, 0, "it is on its way");
    let begin = vec![(taken.id.clone(), taken.revision)];
    let outcomes = Outcomes { begin, ..Outcomes::default() };
    assert!(shop.store().commit(OWNER, shop.now(), &outcomes, &shop.sim.policy).await.unwrap().is_empty());
    shop.store().release(OWNER, &[(taken.id.clone(), shop.now())], None, shop.now()).await.unwrap();
    assert!(take(&shop, b"news").await.is_empty(), "it is planned before it is taken again");
    let kept = shop.store().kept(&taken.id).await.unwrap().remove(0);
    assert_eq!((kept.bytes, kept.attempts.len()), (None, 0), "nothing of it was ever tried");
    shop.travel(TimeDelta::hours(1)).await;
    let subjects: Vec<_> = shop.mails().into_iter().map(|mail| mail.subject).collect();
    assert_eq!(subjects, ["Order 1 confirmed: ships by 14 April"]);
    assert_eq!(shop.state("1", "confirmation").await, "superseded");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_order_that_changes_before_the_body_gets_the_new_mail_only() {
    // The relay keeps its 354 back until the change is planned.
    let reached = std::sync::Arc::new(tokio::sync::Notify::new());
    let (open, gate) = std::sync::mpsc::channel();
    let (signal, gate) = (reached.clone(), std::sync::Mutex::new(gate));
    let script = Script::new(move |dialogue| {
        if (dialogue.phase, dialogue.attempt) == (Phase::Data, 1) {
            signal.notify_one();
            let _ = gate.lock().unwrap().recv_timeout(std::time::Duration::from_secs(20));
        }
        Answer::Usual
    });
    let mut shop = TestApp::with(START, Differs { script, ..Differs::default() }).await;
    shop.only_record(supply("2026-03-16"), Tell::All).await;
    shop.only_record(order("1"), Tell::All).await;
    plan(&shop).await;
    let (store, policy, now) = (shop.store().clone(), shop.sim.policy.clone(), shop.now());
    let change = async {
        reached.notified().await;
        let mut new = supply("2026-04-10");
        new["at"] = json!("2026-03-02T08:00:01Z");
        let fact = shipby::intake::fact(new, now).unwrap();
        intake::submit(&store, Source::Import, [fact], Options::at(now)).await.unwrap();
        planner::turn(&store, &policy, now).await.unwrap();
        open.send(()).unwrap();
    };
    let stop = tokio_util::sync::CancellationToken::new();
    let (sent, ()) = tokio::join!(shop.sim.dispatcher.drain(&stop), change);
    assert_eq!(sent.unwrap().settled, 0);
    assert!(shop.mails().is_empty());
    shop.travel(TimeDelta::hours(1)).await;
    let subjects: Vec<_> = shop.mails().into_iter().map(|mail| mail.subject).collect();
    assert_eq!(subjects, ["Order 1 confirmed: ships by 14 April"]);
}

#[tokio::test]
async fn a_try_without_a_dialogue_is_over_as_soon_as_it_is_taken() {
    let shop = planned(&["1"]).await;
    let ready = shop.store().ready(shop.now(), 1).await.unwrap().remove(0);
    let claim = Claim {
        notices: vec![(ready.id.clone(), ready.revision)],
        staged: vec![staged(&shop, &ready.id, b"news")],
        settled: vec![settlement(&ready, Outcome::Accepted, &shop)],
    };
    let owner = Owner { name: OWNER, mode: "capture" };
    assert_eq!(shop.store().claim(owner, shop.now(), claim).await.unwrap().len(), 1);
    let kept = shop.kept("1", "confirmation").await;
    assert_eq!((kept.entry.state.as_str(), kept.entry.mode.as_deref()), ("accepted", Some("capture")));
    assert_eq!((kept.bytes.as_deref(), kept.attempts.len()), (Some(b"news".as_slice()), 1));
    assert_eq!(shop.told("1").await, "2026-03-20");
}

#[tokio::test]
async fn mails_come_back_byte_for_byte_whatever_they_were_compressed_after() {
    let shop = planned(&["1"]).await;
    let mail = b"Subject: Order 1 confirmed\r\n\r\nDear Ana,\r\n".repeat(20);
    let without = shop.store().pack(&mail);
    shop.store().learn(&mail).await.unwrap();
    let after = shop.store().pack(&mail);
    assert_ne!(format!("{without:?}"), format!("{after:?}"));
    let first = take(&shop, &mail).await.remove(0);
    shop.store().learn(b"what other mails have in common").await.unwrap();
    shop.only_record(order("2"), Tell::All).await;
    plan(&shop).await;
    let second = take(&shop, &mail).await.remove(0);
    for id in [first.id, second.id] {
        assert_eq!(shop.store().kept(&id).await.unwrap().remove(0).bytes, Some(mail.clone()));
    }
}

#[tokio::test]
async fn what_is_put_off_is_ready_at_its_time_and_what_is_in_hand_is_left_alone() {
    let shop = planned(&["1"]).await;
    let store = shop.store();
    let id = store.ready(shop.now(), 1).await.unwrap().remove(0).id;
    let later = shop.now() + TimeDelta::hours(1);
    store.put_off(&[(id.clone(), later)]).await.unwrap();
    assert!(take(&shop, b"news").await.is_empty());
    assert_eq!(store.next_try(shop.now()).await.unwrap(), Some(later));
    shop.sim.hand.set(later);
    plan(&shop).await;
    assert_eq!(take(&shop, b"news").await.len(), 1);
    store.put_off(&[(id, later + TimeDelta::hours(1))]).await.unwrap();
    assert_eq!(store.next_try(shop.now()).await.unwrap(), None);
    assert_eq!(shop.state("1", "confirmation").await, "sending");
}

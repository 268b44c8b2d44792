//! The database: what it refuses by itself, and every method used in a way that would fail if it did nothing.

use std::collections::HashSet;

use chrono::TimeDelta;
use serde_json::json;
use shipby::catcher::{Answer, Script};
use shipby::domain::fact::{Fact, Source};
use shipby::domain::notice::{Notice, Reason, short_id};
use shipby::domain::order::Status;
use shipby::domain::order::apply::Notify as Tell;
use shipby::domain::order::settle::Outcome;
use shipby::domain::policy::Policy;
use shipby::domain::reply::Phase;
use shipby::intake::{self, Options};
use shipby::planner;
use shipby::store::{
    Claim, Durability, NoticeFilter, Outcomes, Owner, Ready, Recorded, Settlement, Staged, Store, StoreError,
    TriedNotice,
};
use sqlx::SqliteConnection;

use crate::support::app::{Differs, TestApp, at};
use crate::support::facts::{cancel, order, order_of, receipt, shipment, supply};

const START: &str = "2026-03-02T08:00:00Z";
const OWNER: &str = "me";

/// A shop whose orders are planned and not yet taken.
async fn planned(numbers: &[&str]) -> TestApp {
    let shop = TestApp::start(START).await;
    shop.only_record(supply("2026-03-16"), Tell::All).await;
    for number in numbers {
        shop.only_record(order_of(number, &format!("{number}@example.com")), Tell::All).await;
    }
    plan(&shop).await;
    shop
}

async fn plan(shop: &TestApp) -> usize {
    planner::turn(shop.store(), &shop.sim.policy, shop.now()).await.unwrap().queued
}

/// Takes what is ready; `bytes` are what a first try would send. Says what is in our hands then.
async fn take(shop: &TestApp, bytes: &[u8]) -> Vec<Ready> {
    take_ready(shop, shop.store().ready(shop.now(), 100).await.unwrap(), bytes).await
}

async fn take_ready(shop: &TestApp, ready: Vec<Ready>, bytes: &[u8]) -> Vec<Ready> {
    let stage = |ready: &Ready| Staged {
        id: ready.id.clone(),
        subject: "news".to_owned(),
        template_hash: "hash".to_owned(),
        body: shop.store().pack(bytes),
    };
    let claim = Claim {
        notices: ready.iter().map(|ready| (ready.id.clone(), ready.revision)).collect(),
        staged: ready.iter().filter(|ready| ready.message.is_none()).map(stage).collect(),
        settled: Vec::new(),
    };
    let owner = Owner { name: OWNER, mode: "live" };
    let taken = shop.store().claim(owner, shop.now(), claim).await.unwrap();
    let mut ready: Vec<Ready> = ready.into_iter().filter(|ready| taken.contains(&ready.id)).collect();
    ready.iter_mut().for_each(|ready| ready.order.begin_try());
    ready
}

fn settlement(ready: &Ready, outcome: Outcome, shop: &TestApp) -> Settlement {
    let Ready { id, order, notice, attempt, revision, .. } = ready.clone();
    let tried = TriedNotice { id, notice, order, revision, attempt };
    Settlement {
        phase: Some("body"),
        reply: Some("250 ok".to_owned()),
        look: Some(shop.now()),
        ..Settlement::of(tried, outcome, shop.now(), &shop.sim.policy)
    }
}

async fn refused(raw: &mut SqliteConnection, sql: &'static str) -> String {
    sqlx::query(sql).execute(raw).await.unwrap_err().to_string()
}

#[tokio::test]
async fn the_database_itself_refuses_what_must_never_be() {
    let shop = planned(&["1"]).await;
    let mut raw = shop.raw().await;
    sqlx::raw_sql("create temp table copy as select * from notices; update copy set id = 'copy'")
        .execute(&mut raw)
        .await
        .unwrap();
    let twice = refused(&mut raw, "insert into notices select * from copy").await;
    assert!(twice.contains("UNIQUE") && twice.contains("order_number"), "{twice}");
    sqlx::query("update copy set occasion = 'update_48h'").execute(&mut raw).await.unwrap();
    let two_under_way = refused(&mut raw, "insert into notices select * from copy").await;
    assert!(two_under_way.contains("UNIQUE"), "{two_under_way}");
    for sql in [
        "update notices set state = 'sending'",
        "update notices set owner = 'nobody'",
        "update notices set next_try_at = null",
        "update notices set state = 'accepted', next_try_at = null",
        "insert into ledger (notice_id, what, at) values ('x', 'accepted', 1)",
        "insert into ledger (notice_id, what, at) values ('x', 'sent', 1)",
        "update notices set state = 'sent'",
        "update lines set open_units = 5",
        "update orders set settling_first = null",
        "insert into attempts (notice_id, number, started_at) values ('nothing', 1, 1)",
        "delete from orders",
    ] {
        let error = refused(&mut raw, sql).await;
        assert!(error.contains("constraint failed"), "{sql}: {error}");
    }
    // Two that are settled stand side by side.
    sqlx::query("update copy set next_try_at = null, state = 'skipped'").execute(&mut raw).await.unwrap();
    sqlx::query("insert into notices select * from copy").execute(&mut raw).await.unwrap();
}

#[tokio::test]
async fn a_move_of_a_notice_that_is_not_legal_fails_wherever_a_story_makes_it() {
    let shop = planned(&["1"]).await;
    let bounced = "update notices set state = 'bounced', next_try_at = null";
    assert!(refused(&mut shop.raw().await, bounced).await.contains("a move that is not legal"));
}

#[tokio::test]
async fn an_occasion_that_was_mailed_is_never_mailed_again_and_the_order_goes_on() {
    let mut shop = TestApp::start(START).await;
    shop.fact(order("1")).await;
    // As if the rules had forgotten that this one went out.
    sqlx::raw_sql(
        "create temp table copy as select * from notices;
        update copy set id = 'copy', kind = 'update_48h', occasion = 'update_48h',
            may_repeat = 0;
        insert into notices select * from copy",
    )
    .execute(&mut shop.raw().await)
    .await
    .unwrap();
    shop.sim.hand.set(at("2026-03-04T08:00:00Z"));
    assert_eq!(plan(&shop).await, 0, "what was not put into the outbox is not counted as queued");
    shop.travel_to("2026-03-10T00:00:00Z").await;
    assert_eq!(shop.kinds(), ["1 confirmation", "1 weekly_status"]);
}

#[tokio::test]
async fn facts_are_new_changed_known_or_refused_and_a_dry_run_is_none() {
    let mut shop = TestApp::start(START).await;
    let fact = shipby::intake::fact(order("1"), shop.now()).unwrap();
    let dry = Options { dry_run: true, ..Options::at(shop.now()) };
    let said = intake::submit(shop.store(), Source::Import, [fact], dry).await.unwrap();
    assert_eq!((said, shop.store().order("1").await.unwrap().is_none()), (vec![Recorded::New], true));
    let said =
        shop.facts([supply("2026-03-16"), order("1"), order("1"), receipt("R", 2), receipt("R", 2)]).await;
    use Recorded::{Changed, New, Unchanged};
    assert_eq!(said, [Changed, New, Unchanged, Changed, Unchanged]);
    assert_eq!(Recorded::count(&said), [1, 2, 2, 0]);
    let label = json!({"fact": "shipment", "id": "S", "order": "1", "handed_over": false});
    let said =
        shop.facts([label, shipment("S", "1"), shipment("S", "1"), cancel("C", "1"), cancel("D", "2")]).await;
    assert_eq!(said[..3], [Unchanged, Changed, Unchanged]);
    assert!(said[3..].iter().all(|said| matches!(said, Recorded::Refused(_))), "{said:?}");
    assert_eq!(shop.order("1").await.status(), Status::Shipped);
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
async fn the_queues_of_very_many_skus_are_all_covered_by_one_call() {
    const SKUS: usize = 1_234;
    let shop = TestApp::start(START).await;
    let (store, policy, now) = (shop.store(), &shop.sim.policy, shop.now());
    let facts = |sku: usize| {
        let sku = format!("KETTLE-{sku}");
        let (mut order, mut supply) = (order(&sku), supply("2026-03-16"));
        order["lines"][0]["sku"] = json!(sku);
        supply["sku"] = json!(sku);
        [order, supply].map(|fact| intake::fact(fact, now).unwrap())
    };
    let facts: Vec<Fact> = (0..SKUS).flat_map(facts).collect();
    intake::submit(store, Source::Import, &facts, Options::at(now)).await.unwrap();
    assert_eq!(store.cover_dirty(now, policy).await.unwrap(), SKUS);
    let covered = "select count(*) from lines where cover ->> '$.eta.to' = '2026-03-16'";
    let covered: i64 = sqlx::query_scalar(covered).fetch_one(&mut shop.raw().await).await.unwrap();
    assert_eq!(usize::try_from(covered), Ok(SKUS));
    assert_eq!(store.cover_dirty(now, policy).await.unwrap(), 0);
}

#[tokio::test]
async fn an_occasion_that_is_used_up_is_not_planned_and_the_others_are() {
    let shop = planned(&["1"]).await;
    for number in ["2", "3"] {
        shop.only_record(order(number), Tell::All).await;
    }
    let used = "create temp table copy as select * from notices;
        update copy set id = 'other', order_number = '2', kind = 'weekly_status', may_repeat = 0,
            state = 'accepted', next_try_at = null, settled_at = planned_at;
        insert into notices select * from copy";
    sqlx::raw_sql(used).execute(&mut shop.raw().await).await.unwrap();
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
    let outcomes = Outcomes { settled: vec![later], ..Outcomes::default() };
    shop.store().commit(OWNER, shop.now(), &outcomes, &shop.sim.policy).await.unwrap();
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
    let shop = planned(&["1"]).await;
    let taken = take(&shop, b"news").await.remove(0);
    shop.sim.hand.set(shop.now() + TimeDelta::milliseconds(1_240));
    let outcomes =
        Outcomes { settled: vec![settlement(&taken, Outcome::Accepted, &shop)], ..Outcomes::default() };
    shop.store().commit(OWNER, shop.now(), &outcomes, &shop.sim.policy).await.unwrap();
    let mut raw = shop.raw().await;
    for (words, code, enhanced) in [
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
    ] {
        sqlx::query("update attempts set reply = $1").bind(words).execute(&mut raw).await.unwrap();
        let tried = shop.kept("1", "confirmation").await.attempts.remove(0);
        assert_eq!((tried.code, tried.enhanced.as_deref()), (code, enhanced), "{words}");
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

#[tokio::test]
async fn what_was_tried_in_vain_for_five_days_is_settled_and_the_order_goes_on() {
    let shop = planned(&["1"]).await;
    let (store, policy) = (shop.store(), &shop.sim.policy);
    let later = shop.now() + TimeDelta::days(5);
    assert_eq!(store.expire(later, policy).await.unwrap(), 0, "it must be known, and was never tried");
    let tried = settlement(&take(&shop, b"news").await[0], Outcome::Deferred { attempt: 1 }, &shop);
    store
        .commit(OWNER, shop.now(), &Outcomes { settled: vec![tried], ..Outcomes::default() }, policy)
        .await
        .unwrap();
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
    let mut raw = shop.raw().await;
    sqlx::query("update notices set mode = 'capture'").execute(&mut raw).await.unwrap();
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
async fn everything_can_be_read_back() {
    let mut shop = TestApp::start(START).await;
    shop.fact(supply("2026-03-16")).await;
    shop.facts([order("1"), order("2"), order_of("3", "bo@example.com")]).await;
    shop.travel_to("2026-03-05T08:00:00Z").await;
    shop.fact(supply("2026-04-10")).await;
    shop.travel(TimeDelta::minutes(5)).await;
    shop.fact(supply("2026-03-16")).await;
    shop.travel_to("2026-03-06T08:00:00Z").await;
    shop.fact(shipment("S", "2")).await;
    let store = shop.store();
    let numbers = |orders: &[shipby::domain::order::Order]| {
        orders.iter().map(|order| order.number.clone()).collect::<Vec<_>>()
    };
    assert_eq!(numbers(&store.orders(&["1".into(), "3".into(), "9".into()]).await.unwrap()), ["1", "3"]);
    assert_eq!(store.open_orders("1", 10).await.unwrap(), ["3"]);
    let place = shop.order("3").await.lines[0].place.unwrap();
    assert_eq!((place.at, place.of), (2, 2));
    assert_eq!(store.order("9").await.unwrap(), None);
    let listed = store.list_orders(Some("waiting"), Some("KETTLE"), 10).await.unwrap();
    let shown: Vec<_> = listed.iter().map(|l| (l.number.as_str(), l.waits_for.as_deref())).collect();
    assert_eq!(shown, [("1", Some("KETTLE")), ("3", Some("KETTLE"))]);
    assert_eq!((listed[0].placed(), listed[0].heard()), (at(START), Some(at("2026-03-04T08:00:00Z"))));
    assert_eq!(store.list_orders(Some("shipped"), None, 10).await.unwrap()[0].number, "2");
    let counts = store.counts().await.unwrap();
    assert_eq!((counts.orders["waiting"], counts.orders["shipped"]), (2, 1));
    assert_eq!(counts.notices["confirmation"]["accepted"], 3);
    assert_eq!(counts.decisions["date_slip"]["still_holds"], 3);
    assert!(store.find_notices(&NoticeFilter::default(), 10).await.unwrap().is_empty());
    let silence = store.longest_silence(shop.now()).await.unwrap().unwrap();
    assert_eq!(silence.seconds, 48 * 3600);
}

#[tokio::test]
async fn a_database_keeps_its_own_values_and_its_notices_their_ids() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shipby.db");
    let missing = Store::open_existing(&path).await.unwrap_err();
    assert!(matches!(missing, StoreError::Missing { .. }), "{missing}");
    let mut store = Store::open(&path, Durability::Full).await.unwrap();
    assert_eq!(store.path(), path);
    store.set_meta("key", "old").await.unwrap();
    store.set_meta("key", "value").await.unwrap();
    let shop = planned(&["1"]).await;
    let notice = take(&shop, b"news").await.remove(0).notice;
    let first = store.notice_id("1", &notice);
    assert_ne!(first, store.notice_id("2", &notice));
    store.set_instance("another").await.unwrap();
    let id = store.notice_id("1", &notice);
    assert_ne!(id, first);
    store.close().await;
    assert!(!folder.path().join("shipby.db-wal").exists());
    let store = Store::open_existing(&path).await.unwrap();
    assert_eq!(store.meta("key").await.unwrap().as_deref(), Some("value"));
    assert_eq!(store.meta("none").await.unwrap(), None);
    assert_eq!(store.notice_id("1", &notice), id);
}

#[tokio::test]
async fn notices_of_neighbouring_orders_lie_together_and_no_two_share_an_id() {
    let shop = planned(&["1"]).await;
    let notice = take(&shop, b"news").await.remove(0).notice;
    let store = shop.store();
    let ids: Vec<_> = (0..2_000).map(|n| store.notice_id(&format!("#{}", 98_500 + n), &notice)).collect();
    assert!(ids.is_sorted(), "across one digit more too");
    let others = ["A-98500", "B-98500", "98500", "098500", "x", "y", "ÿ", ""];
    let all: HashSet<_> =
        others.into_iter().map(|order| store.notice_id(order, &notice)).chain(ids).collect();
    assert_eq!(all.len(), 2_000 + others.len());
    assert!(all.iter().all(|id| id.len() == 16 && id.bytes().all(|byte| byte.is_ascii_hexdigit())));
    let other = Notice { occasion: "another".to_owned(), ..notice.clone() };
    assert_ne!(short_id(&store.notice_id("1", &other)), short_id(&store.notice_id("1", &notice)));
}

#[tokio::test]
async fn a_newer_schema_is_refused_with_both_versions_and_left_alone() {
    let shop = planned(&[]).await;
    let mut raw = shop.raw().await;
    sqlx::query(
        "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
        values (9999, 'later', true, x'00', 0)",
    )
    .execute(&mut raw)
    .await
    .unwrap();
    let error = Store::open(shop.database(), Durability::Full).await.unwrap_err();
    let StoreError::Newer { found: 9999, known, .. } = error else { panic!("{error:?}") };
    let path = shop.database().display();
    assert_eq!(
        error.to_string(),
        format!(
            "{path} was written by a newer shipby (schema 9999, this one knows {known}); nothing was touched"
        )
    );
}

#[tokio::test]
async fn a_database_that_cannot_be_written_is_refused_by_its_path() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shipby.db");
    Store::open(&path, Durability::Full).await.unwrap().close().await;
    // What a read-only file is to others, this is to root as well: a version that may be read only.
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[18] = 3;
    std::fs::write(&path, bytes).unwrap();
    let error = Store::open(&path, Durability::Full).await.unwrap_err();
    assert!(matches!(error, StoreError::Open { .. }), "{error:?}");
    assert_eq!(error.to_string(), format!("{}: attempt to write a readonly database", path.display()));
    let nowhere = folder.path().join("no/such/folder/shipby.db");
    let error = Store::open(&nowhere, Durability::Full).await.unwrap_err();
    assert_eq!(error.to_string(), format!("{}: unable to open database file", nowhere.display()));
}

#[tokio::test]
async fn a_changed_policy_wakes_every_open_order_once() {
    let mut shop = TestApp::start(START).await;
    shop.facts([order("1"), order("2"), order("3"), order("4")]).await;
    shop.fact(cancel("C", "4")).await;
    let store = shop.store();
    let old = shop.sim.policy.clone();
    let wake = async |policy: &Policy| planner::wake_after_change(store, policy, shop.now()).await.unwrap();
    let woken = async || store.plan_due(shop.now(), &old, 100).await.unwrap().orders;
    assert!(!wake(&old).await);
    assert_eq!(woken().await, 0, "a new database knows no other policy");
    let new = Policy { buffer_days: 9, ..old.clone() };
    assert!(wake(&new).await, "there may be more");
    assert_eq!(woken().await, 3);
    assert!(!wake(&new).await);
    assert!(!wake(&new).await);
    assert_eq!(woken().await, 0);
    // A start that finds the work half done goes on where the last one stopped.
    store.set_meta("policy_cursor", "1").await.unwrap();
    assert!(wake(&new).await);
    assert_eq!(woken().await, 2);
    assert_eq!(store.wake_open("", shop.now(), 2).await.unwrap().as_deref(), Some("2"));
    assert_eq!(woken().await, 2);
    assert_eq!(store.wake_open("3", shop.now(), 2).await.unwrap(), None);
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
async fn a_place_in_the_queue_is_exact_whoever_changed_the_queue() {
    let shop = planned(&["1", "2", "3"]).await;
    let other = Store::open(shop.database(), Durability::Full).await.unwrap();
    let place = async |store: &Store, number: &str| {
        let order = store.order(number).await.unwrap().unwrap();
        order.lines[0].place.map(|place| (place.at, place.of))
    };
    assert_eq!((place(shop.store(), "3").await, place(&other, "3").await), (Some((3, 3)), Some((3, 3))));
    shop.only_record(shipment("S", "1"), Tell::All).await;
    assert_eq!((place(shop.store(), "3").await, place(&other, "3").await), (Some((2, 2)), Some((2, 2))));
    assert_eq!(place(&other, "1").await, None);
    let mut older = order("4");
    older["placed_at"] = "2026-03-01T08:00:00Z".into();
    shop.only_record(older, Tell::All).await;
    assert_eq!((place(&other, "4").await, place(&other, "3").await), (Some((1, 3)), Some((3, 3))));
    other.close().await;
}

#[tokio::test]
async fn of_the_template_sets_that_passed_the_last_one_is_kept() {
    let shop = TestApp::start(START).await;
    let store = shop.store();
    assert_eq!(store.last_template_set().await.unwrap(), None);
    let files = |text: &str| [("base.txt".to_owned(), text.to_owned())].into();
    store.keep_template_set("one", &files("1"), shop.now()).await.unwrap();
    let later = shop.now() + TimeDelta::hours(1);
    store.keep_template_set("two", &files("2 ñ"), later).await.unwrap();
    // The same set again: it passed when it passed.
    store.keep_template_set("two", &files("2 ñ"), later + TimeDelta::hours(1)).await.unwrap();
    let kept = store.last_template_set().await.unwrap().unwrap();
    assert_eq!((kept.hash.as_str(), kept.kept_at, kept.files), ("two", later, files("2 ñ")));
    let sets: i64 = sqlx::query_scalar("select count(*) from template_sets")
        .fetch_one(&mut shop.raw().await)
        .await
        .unwrap();
    assert_eq!(sets, 1);
}

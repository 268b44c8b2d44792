//! A crash at each step of the dispatcher, and what the next start makes of it.
//!
//! Before the body has begun nothing is in doubt and one copy is sent; after it the kind decides.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::TimeDelta;
use shipby::catcher::{Answer, Script};
use shipby::domain::order::apply::Notify as Tell;
use shipby::domain::reply::Phase;
use shipby::planner;
use shipby::store::{Claim, NoticeFilter, Owner, Ready};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::support::app::{Differs, TestApp};
use crate::support::facts::{order, supply};

const START: &str = "2026-03-02T08:00:00Z";

/// Where the daemon will die: the relay reaches this phase and gives this answer to nobody.
#[derive(Clone)]
struct Trap {
    armed: Arc<AtomicBool>,
    reached: Arc<Notify>,
}

impl Trap {
    async fn shop(phase: Phase, answer: Answer) -> (Self, TestApp) {
        let trap = Self { armed: Arc::default(), reached: Arc::default() };
        let set = trap.clone();
        let script = Script::new(move |dialogue| {
            if dialogue.phase == phase && set.armed.swap(false, Ordering::SeqCst) {
                set.reached.notify_one();
                return answer.clone();
            }
            Answer::Usual
        });
        let mut shop = TestApp::with(START, Differs { script, ..Differs::default() }).await;
        shop.fact(supply("2026-03-16")).await;
        (trap, shop)
    }

    /// Plans and sends what is due until the trap is reached, and dies there.
    async fn dies(&self, shop: &mut TestApp) -> (usize, usize) {
        self.armed.store(true, Ordering::SeqCst);
        planner::turn(&shop.sim.store, &shop.sim.policy, shop.now()).await.unwrap();
        let stop = CancellationToken::new();
        tokio::select! {
            sent = shop.sim.dispatcher.drain(&stop) => panic!("it lived: {sent:?}"),
            () = self.reached.notified() => {}
        }
        shop.restart().await
    }
}

/// Takes all that is ready, as a dispatcher of that name that dies before it sends.
async fn take(shop: &TestApp, name: &str) -> Vec<Ready> {
    let ready = shop.store().ready(shop.now(), 10).await.unwrap();
    let notices = ready.iter().map(|ready| (ready.id.clone(), ready.revision)).collect();
    let claim = Claim { notices, ..Claim::default() };
    let taken = shop.store().claim(Owner { name, mode: "live" }, shop.now(), claim).await.unwrap();
    assert_eq!(taken.len(), ready.len());
    ready
}

fn silence() -> Answer {
    Answer::Silence
}

/// Takes the mail, but the answer comes when nobody listens any more.
fn too_late() -> Answer {
    Answer::After(Duration::from_millis(50), Box::new(Answer::Usual))
}

#[tokio::test]
async fn a_crash_after_taking_a_notice_costs_nothing() {
    let mut shop = TestApp::start(START).await;
    shop.only_record(order("1"), Tell::All).await;
    planner::turn(shop.store(), &shop.sim.policy, shop.now()).await.unwrap();
    assert_eq!(take(&shop, "start-1").await.len(), 1);
    assert_eq!(shop.restart().await, (1, 0));
    assert_eq!(shop.state("1", "confirmation").await, "queued");
    shop.settle().await;
    assert_eq!(shop.kinds(), ["1 confirmation"]);
    let tries = shop.kept("1", "confirmation").await.attempts;
    let outcomes: Vec<_> = tries.iter().filter_map(|attempt| attempt.outcome.as_deref()).collect();
    assert_eq!(outcomes, ["interrupted", "accepted"]);
}

#[tokio::test]
async fn tries_that_were_cut_short_before_anything_was_offered_wear_no_patience_out() {
    let later = Script::new(|dialogue| match (dialogue.phase, dialogue.attempt) {
        (Phase::Body, 1) => Answer::reply("451 4.3.0 later"),
        _ => Answer::Usual,
    });
    let mut shop = TestApp::with(START, Differs { script: later, ..Differs::default() }).await;
    shop.only_record(order("1"), Tell::All).await;
    planner::turn(shop.store(), &shop.sim.policy, shop.now()).await.unwrap();
    for life in 1..=6 {
        assert_eq!(take(&shop, &format!("start-{life}")).await.len(), 1);
        assert_eq!(shop.restart().await, (1, 0));
        planner::turn(shop.store(), &shop.sim.policy, shop.now()).await.unwrap();
    }
    shop.settle().await;
    assert_eq!(shop.state("1", "confirmation").await, "deferred");
    shop.travel(TimeDelta::minutes(2)).await;
    assert_eq!(shop.kinds(), ["1 confirmation"], "the first refusal is tried again after a minute");
    assert_eq!(shop.kept("1", "confirmation").await.attempts.len(), 8, "and each try is kept");
}

#[tokio::test]
async fn a_crash_before_the_354_sends_one_copy_with_the_bytes_that_were_kept() {
    let (trap, mut shop) = Trap::shop(Phase::Data, silence()).await;
    shop.only_record(order("1"), Tell::All).await;
    assert_eq!(trap.dies(&mut shop).await, (1, 0));
    let kept = shop.kept("1", "confirmation").await;
    assert_eq!(kept.entry.state, "queued");
    shop.travel(TimeDelta::minutes(1)).await;
    let mails = shop.mails();
    assert_eq!(mails.len(), 1);
    assert_eq!(Some(&mails[0].bytes), kept.bytes.as_ref());
    assert_eq!(mails[0].message_id, format!("{}@tableware.example", kept.entry.notice.unwrap()));
}

#[tokio::test]
async fn a_crash_after_the_body_had_begun_leaves_a_doubt_that_is_tried_once_more() {
    let (trap, mut shop) = Trap::shop(Phase::Body, too_late()).await;
    shop.only_record(order("1"), Tell::All).await;
    assert_eq!(trap.dies(&mut shop).await, (0, 1));
    let doubt = shop.kept("1", "confirmation").await;
    assert_eq!(doubt.entry.state, "in_doubt");
    assert_eq!(doubt.entry.next_try(), Some(shop.now() + TimeDelta::minutes(15)));
    assert_eq!(doubt.attempts[0].outcome.as_deref(), Some("in_doubt"));
    tokio::time::timeout(Duration::from_secs(10), shop.catcher.wait_for(1)).await.unwrap();
    shop.travel(TimeDelta::minutes(14)).await;
    assert_eq!(shop.mails().len(), 1);
    shop.travel(TimeDelta::minutes(1)).await;
    let mails = shop.mails();
    assert_eq!(mails.len(), 2);
    assert_eq!(mails[0], mails[1], "the second copy is the first, byte for byte");
    assert_eq!(shop.state("1", "confirmation").await, "accepted");
    shop.travel(TimeDelta::hours(24)).await;
    assert_eq!(shop.mails().len(), 2);
}

#[tokio::test]
async fn doubtful_twice_goes_to_a_person_and_is_never_tried_again() {
    let (trap, mut shop) = Trap::shop(Phase::Body, silence()).await;
    shop.only_record(order("1"), Tell::All).await;
    assert_eq!(trap.dies(&mut shop).await, (0, 1));
    shop.travel(TimeDelta::minutes(14)).await;
    shop.pass(TimeDelta::minutes(1));
    assert_eq!(trap.dies(&mut shop).await, (0, 1));
    let doubt = shop.kept("1", "confirmation").await;
    assert_eq!((doubt.entry.state.as_str(), doubt.entry.next_try()), ("in_doubt", None));
    assert_eq!(doubt.attempts.len(), 2);
    let asks = shop.store().find_notices(&NoticeFilter::default(), 10).await.unwrap();
    assert_eq!(asks.iter().map(|found| found.entry.occasion.as_str()).collect::<Vec<_>>(), ["confirmation"]);
    shop.travel(TimeDelta::days(8)).await;
    assert_eq!(shop.kinds(), ["1 update_48h"]);
    assert_eq!(shop.state("1", "confirmation").await, "in_doubt");
}

#[tokio::test]
async fn routine_news_in_doubt_is_left_there_and_the_next_takes_its_place() {
    let (trap, mut shop) = Trap::shop(Phase::Body, silence()).await;
    shop.fact(order("1")).await;
    shop.travel_to("2026-03-11T08:59:00Z").await;
    shop.pass(TimeDelta::minutes(1));
    assert_eq!(trap.dies(&mut shop).await, (0, 1));
    let doubt = shop.kept("1", "weekly_status/2026-03-11").await;
    assert_eq!((doubt.entry.state.as_str(), doubt.entry.next_try()), ("in_doubt", None));
    shop.travel(TimeDelta::days(2)).await;
    assert_eq!(
        shop.accepted("1").await[2..],
        ["Thu 12 Mar 10:00 weekly_status"],
        "due anew at the next status_at, as that day's occasion"
    );
    assert_eq!(shop.state("1", "weekly_status/2026-03-11").await, "in_doubt");
}

#[tokio::test]
async fn a_doubt_stays_one_while_the_relay_puts_the_second_try_off() {
    let (trap, mut shop) = Trap::shop(Phase::Body, silence()).await;
    shop.only_record(order("1"), Tell::All).await;
    trap.dies(&mut shop).await;
    // The third time is one too many, whatever the second came to: the relay dies before the body.
    shop.pass(TimeDelta::minutes(15));
    planner::turn(shop.store(), &shop.sim.policy, shop.now()).await.unwrap();
    let taken = take(&shop, "start-2").await;
    assert!(taken[0].again);
    let back = [(taken[0].id.clone(), shop.now())];
    shop.store().release("start-2", &back, Some("the relay is down"), shop.now()).await.unwrap();
    let kept = shop.kept("1", "confirmation").await;
    assert_eq!((kept.entry.state.as_str(), kept.attempts.len()), ("in_doubt", 1));
    assert!(kept.bytes.is_some(), "the bytes that may have been read are kept");
    assert_eq!(kept.entry.reply.as_deref(), Some("the relay is down"));
    assert_eq!(trap.dies(&mut shop).await, (0, 1));
    assert_eq!(shop.kept("1", "confirmation").await.entry.next_try(), None);
}

#[tokio::test]
async fn a_crash_after_the_settlement_repeats_nothing() {
    let mut shop = TestApp::start(START).await;
    shop.fact(order("1")).await;
    assert_eq!(shop.restart().await, (0, 0));
    shop.travel(TimeDelta::hours(24)).await;
    assert_eq!(shop.kinds(), ["1 confirmation"]);
}

#[tokio::test]
async fn what_changed_while_a_dead_daemon_held_a_notice_is_in_the_mail() {
    let (trap, mut shop) = Trap::shop(Phase::Data, silence()).await;
    shop.only_record(order("1"), Tell::All).await;
    trap.armed.store(true, Ordering::SeqCst);
    planner::turn(&shop.sim.store, &shop.sim.policy, shop.now()).await.unwrap();
    let stop = CancellationToken::new();
    tokio::select! {
        sent = shop.sim.dispatcher.drain(&stop) => panic!("it lived: {sent:?}"),
        () = trap.reached.notified() => {}
    }
    // Recorded and planned while the notice was on its way, as the planner's loop would.
    shop.pass(TimeDelta::seconds(1));
    shop.only_record(supply("2026-04-10"), Tell::All).await;
    planner::turn(&shop.sim.store, &shop.sim.policy, shop.now()).await.unwrap();
    assert_eq!(shop.restart().await, (1, 0));
    shop.travel(TimeDelta::hours(1)).await;
    let subjects: Vec<_> = shop.mails().into_iter().map(|mail| mail.subject).collect();
    assert_eq!(subjects, ["Order 1 confirmed: ships by 14 April"]);
}

#[tokio::test]
async fn a_clock_set_back_repeats_nothing() {
    let mut shop = TestApp::start(START).await;
    shop.fact(order("1")).await;
    shop.travel_to("2026-03-11T12:00:00Z").await;
    let before = shop.kinds();
    shop.sim.hand.jump("2026-03-11T08:30:00Z".parse().unwrap());
    shop.restart().await;
    shop.travel_to("2026-03-17T12:00:00Z").await;
    assert_eq!(shop.kinds(), before);
    shop.travel_to("2026-03-18T12:00:00Z").await;
    assert_eq!(shop.kinds().len(), before.len() + 1);
}

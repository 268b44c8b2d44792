//! What refusals lead to: addresses that get no mail any more, mail that is held back, and what goes on all the same.

use chrono::TimeDelta;
use shipby::catcher::{Answer, Script};
use shipby::domain::customer::EmailAddress;
use shipby::domain::notice::{NoticeKind, short_id};
use shipby::domain::pause::{Scope, Setter};
use shipby::domain::reply::Phase;
use shipby::domain::suppression::Cause;
use shipby::store::{Claim, Owner};

use crate::support::app::{Differs, TestApp};
use crate::support::facts::{order_of, supply};

const START: &str = "2026-03-02T08:00:00Z";

/// A shop behind a relay that answers RCPT for some addresses like this.
async fn refusing(phase: Phase, whose: &'static str, answer: &'static str) -> TestApp {
    let refuses = move |to: &str| to.contains(whose);
    let script = Script::new(move |d| match d.phase == phase && refuses(d.to) {
        true => Answer::reply(answer),
        false => Answer::Usual,
    });
    TestApp::with(START, Differs { script, ..Differs::default() }).await
}

async fn suppressed(shop: &TestApp) -> Vec<String> {
    let all = shop.store().suppressions(None).await.unwrap();
    all.iter().map(|one| one.address.as_str().to_owned()).collect()
}

/// What shipby itself holds back.
async fn held(shop: &TestApp) -> Vec<Scope> {
    let pauses = shop.store().pauses(shop.now()).await.unwrap();
    assert!(pauses.iter().all(|pause| pause.by == Setter::Shipby && pause.until.is_none()), "{pauses:?}");
    pauses.into_iter().map(|pause| pause.scope).collect()
}

async fn resume(shop: &mut TestApp, scope: &Scope) {
    assert!(shop.store().resume(scope, shop.now()).await.unwrap().is_some());
    shop.travel(TimeDelta::hours(4)).await;
}

fn domain(name: &str) -> Scope {
    Scope::Domain(name.to_owned())
}

#[tokio::test]
async fn a_dead_address_fails_once_and_is_never_tried_again() {
    let mut shop = refusing(Phase::Rcpt, "ana@", "550 5.1.1 no such user").await;
    shop.facts([order_of("1", "ana@example.com"), order_of("2", "bo@example.com")]).await;
    assert_eq!(shop.otherwise("1").await, ["Mon 02 Mar 09:00 confirmation failed dead_address"]);
    let one = shop.store().suppressions(None).await.unwrap().remove(0);
    assert_eq!((one.cause, one.reason.as_str()), (Cause::Refused, "550 5.1.1 no such user"));
    assert_eq!(one.notice, shop.kept("1", "confirmation").await.entry.notice);
    shop.travel(TimeDelta::days(8)).await;
    assert_eq!(shop.kept("1", "weekly_status/2026-03-09").await.entry.reason.as_deref(), Some("suppressed"));
    assert_eq!(shop.kinds(), ["2 confirmation", "2 update_48h"]);
    let (attempt, all) = (&shop.kept("1", "confirmation").await.attempts[0], suppressed(&shop).await);
    assert_eq!(
        (attempt.code, attempt.enhanced.as_deref(), attempt.meaning.as_deref()),
        (Some(550), Some("5.1.1"), Some("dead_address"))
    );
    assert_eq!(all, ["ana@example.com"]);
}

#[tokio::test]
async fn a_dead_domain_is_tried_once_more_after_a_day() {
    let mut shop = refusing(Phase::Rcpt, "@gone.example", "550 5.1.2 no such domain").await;
    shop.fact(order_of("1", "ana@gone.example")).await;
    shop.travel(TimeDelta::hours(23)).await;
    let waits = shop.kept("1", "confirmation").await;
    assert_eq!((waits.entry.state.as_str(), waits.attempts.len()), ("deferred", 1));
    assert_eq!(suppressed(&shop).await, Vec::<String>::new());
    shop.travel(TimeDelta::hours(1)).await;
    assert_eq!(shop.otherwise("1").await, ["Tue 03 Mar 09:00 confirmation failed dead_address"]);
    assert_eq!(suppressed(&shop).await, ["ana@gone.example"]);
}

#[tokio::test]
async fn an_address_refused_in_vague_words_is_suppressed_after_two_a_day_apart_unless_one_was_taken_between()
{
    let script = Script::new(|d| match (d.phase, d.to, d.attempt) {
        (Phase::Rcpt, "ana@example.com", _) | (Phase::Rcpt, "bo@example.com", 1 | 3) => {
            Answer::reply("550 mailbox unavailable")
        }
        _ => Answer::Usual,
    });
    let mut shop = TestApp::with(START, Differs { script, ..Differs::default() }).await;
    shop.facts([order_of("1", "ana@example.com"), order_of("2", "bo@example.com")]).await;
    // On the same day it proves nothing.
    shop.travel(TimeDelta::hours(20)).await;
    shop.fact(order_of("3", "ana@example.com")).await;
    assert_eq!(shop.otherwise("3").await, ["Tue 03 Mar 05:00 confirmation failed refused_address"]);
    assert_eq!(suppressed(&shop).await, Vec::<String>::new());
    shop.travel_to("2026-03-20T12:00:00Z").await;
    assert_eq!(suppressed(&shop).await, ["ana@example.com"]);
    assert_eq!(shop.otherwise("2").await.len(), 2, "{:?}", shop.otherwise("2").await);
}

#[tokio::test]
async fn a_full_mailbox_is_tried_to_the_end_and_not_suppressed() {
    let mut shop = refusing(Phase::Rcpt, "ana@", "552 5.2.2 mailbox full").await;
    shop.fact(order_of("1", "ana@example.com")).await;
    shop.travel(TimeDelta::days(4)).await;
    let waits = shop.kept("1", "confirmation").await;
    assert_eq!(waits.entry.state, "deferred");
    assert!(waits.attempts.len() > 20, "{}", waits.attempts.len());
    shop.travel(TimeDelta::days(2)).await;
    assert_eq!(shop.kept("1", "confirmation").await.entry.reason.as_deref(), Some("expired"));
    assert_eq!(suppressed(&shop).await, Vec::<String>::new());
}

#[tokio::test]
async fn three_recipients_of_a_domain_refused_by_policy_within_the_hour_hold_the_domain_and_no_other() {
    let mut shop = refusing(Phase::Body, "@gmx.example", "550 5.7.1 blocked").await;
    let gmx = |n: u32| order_of(&format!("g{n}"), &format!("c{n}@gmx.example"));
    shop.facts([gmx(1), gmx(2)]).await;
    shop.travel(TimeDelta::minutes(61)).await;
    shop.facts([gmx(3)]).await;
    assert_eq!(held(&shop).await, []);
    shop.facts([gmx(4)]).await;
    assert_eq!(held(&shop).await, []);
    // The same recipient again is no third one.
    shop.facts([order_of("g4b", "c4@gmx.example")]).await;
    assert_eq!(held(&shop).await, []);
    shop.facts([gmx(5)]).await;
    assert_eq!(held(&shop).await, [domain("gmx.example")]);
    assert_eq!(shop.otherwise("g5").await, ["Mon 02 Mar 10:01 confirmation failed policy"]);
    shop.facts([gmx(6), order_of("1", "ana@example.com")]).await;
    assert_eq!(shop.kinds(), ["1 confirmation"]);
    assert_eq!(shop.state("g6", "confirmation").await, "queued");
    assert_eq!(suppressed(&shop).await, Vec::<String>::new());
    let why = shop.store().pauses(shop.now()).await.unwrap().remove(0).reason;
    let notice = shop.kept("g5", "confirmation").await.entry.notice.unwrap();
    let expected =
        "its mail server refuses our mail to several customers by a rule: 550 5.7.1, see shipby show";
    assert_eq!(why, format!("{expected} {}", short_id(&notice)));
}

#[tokio::test]
async fn what_all_domains_refuse_alike_is_about_none_of_them() {
    let mut shop = refusing(Phase::Body, "@", "554 5.7.1 relaying denied").await;
    let order = |n: u32, domain: &str| order_of(&format!("{n}{domain}"), &format!("c{n}@{domain}.example"));
    for n in 1..=4 {
        shop.facts([order(n, "gmx"), order(n, "web")]).await;
    }
    assert_eq!(held(&shop).await, []);
    assert_eq!(shop.otherwise("4web").await, ["Mon 02 Mar 09:00 confirmation failed policy"]);
}

#[tokio::test]
async fn a_bad_reputation_holds_the_domain_and_what_it_refused_goes_once_that_is_mended() {
    let script = Script::new(|d| match (d.phase, d.to.ends_with("@gmx.example"), d.attempt) {
        (Phase::Body, true, 1) => Answer::reply("550 5.7.26 unauthenticated"),
        _ => Answer::Usual,
    });
    let mut shop = TestApp::with(START, Differs { script, ..Differs::default() }).await;
    shop.facts([order_of("1", "ana@gmx.example"), order_of("2", "bo@gmx.example")]).await;
    assert_eq!(held(&shop).await, [domain("gmx.example")]);
    // Longer than a deferred mail would live.
    shop.travel(TimeDelta::days(6)).await;
    assert_eq!(shop.state("1", "confirmation").await, "queued");
    assert_eq!(shop.kept("1", "confirmation").await.attempts.len(), 1);
    // Nor does a try that came to nothing make it one.
    shop.store().resume(&domain("gmx.example"), shop.now()).await.unwrap();
    let ready = shop.store().ready(shop.now(), 10).await.unwrap();
    let notices: Vec<_> = ready.into_iter().map(|ready| (ready.id, ready.revision)).collect();
    let (owner, claim) = (Owner { name: "died", mode: "live" }, Claim { notices, ..Claim::default() });
    assert_eq!(shop.store().claim(owner, shop.now(), claim).await.unwrap().len(), 2);
    assert_eq!(shop.store().recover(shop.now(), &shop.sim.policy).await.unwrap(), (2, 0));
    assert_eq!(shop.state("1", "confirmation").await, "queued");
    shop.travel(TimeDelta::hours(4)).await;
    let mut kinds = shop.kinds();
    kinds.sort();
    assert_eq!(kinds, ["1 confirmation", "2 confirmation"]);
}

#[tokio::test]
async fn a_domain_that_goes_on_putting_off_is_held_and_greylisting_is_not() {
    let mut shop = refusing(Phase::Rcpt, "@slow.example", "451 4.7.1 try again later").await;
    shop.facts((1..=3).map(|n| order_of(&n.to_string(), &format!("c{n}@slow.example")))).await;
    shop.travel(TimeDelta::minutes(3)).await;
    assert_eq!(held(&shop).await, [], "the second try is greylisting's");
    shop.travel(TimeDelta::minutes(10)).await;
    assert_eq!(held(&shop).await, [domain("slow.example")]);
    assert_eq!(shop.state("1", "confirmation").await, "deferred");
}

#[tokio::test]
async fn content_refused_three_times_in_a_row_holds_the_kind_and_other_kinds_go_on() {
    let script = Script::new(|d| match (d.phase, d.to.starts_with("bad")) {
        (Phase::Body, true) => Answer::reply("554 5.6.0 not this content"),
        _ => Answer::Usual,
    });
    let mut shop = TestApp::with(START, Differs { script, ..Differs::default() }).await;
    shop.fact(order_of("0", "ana@example.com")).await;
    for n in 1..=2 {
        shop.fact(order_of(&n.to_string(), &format!("bad{n}@d{n}.example"))).await;
    }
    // One that is taken shows that it is not the kind.
    shop.fact(order_of("3", "bo@example.com")).await;
    for n in 4..=5 {
        shop.fact(order_of(&n.to_string(), &format!("bad{n}@d{n}.example"))).await;
    }
    assert_eq!(held(&shop).await, []);
    shop.fact(order_of("6", "bad6@d6.example")).await;
    let kind = Scope::Kind(NoticeKind::Confirmation);
    assert_eq!(held(&shop).await, std::slice::from_ref(&kind));
    assert_eq!(shop.otherwise("6").await, ["Mon 02 Mar 09:00 confirmation failed content"]);
    shop.fact(order_of("7", "cy@example.com")).await;
    shop.travel_to("2026-03-04T12:00:00Z").await;
    assert_eq!(shop.kinds()[2..], ["0 update_48h", "3 update_48h"]);
    resume(&mut shop, &kind).await;
    assert_eq!(shop.kinds()[4..], ["7 confirmation"]);
}

#[tokio::test]
async fn our_own_address_refused_holds_everything_and_nothing_is_lost() {
    let script = Script::new(|d| match (d.phase, d.connection) {
        (Phase::Mail, 1) => Answer::reply("553 5.1.8 your domain does not exist"),
        _ => Answer::Usual,
    });
    let mut shop = TestApp::with(START, Differs { script, ..Differs::default() }).await;
    shop.facts([order_of("1", "ana@example.com"), order_of("2", "bo@other.example")]).await;
    assert_eq!(held(&shop).await, [Scope::All]);
    shop.travel(TimeDelta::days(6)).await;
    assert_eq!((shop.catcher.count(), shop.state("1", "confirmation").await.as_str()), (0, "queued"));
    shop.sim.dispatcher.close().await;
    resume(&mut shop, &Scope::All).await;
    let mut kinds = shop.kinds();
    kinds.sort();
    assert_eq!(kinds, ["1 confirmation", "2 confirmation"]);
}

#[tokio::test]
async fn a_mail_no_server_understands_holds_everything_once_and_then_itself_alone() {
    let mut shop = refusing(Phase::Rcpt, "odd", "501 what is that").await;
    shop.facts([order_of("1", "odd@example.com"), order_of("2", "bo@example.com")]).await;
    assert_eq!(held(&shop).await, [Scope::All]);
    assert_eq!(shop.state("1", "confirmation").await, "queued");
    resume(&mut shop, &Scope::All).await;
    assert_eq!(held(&shop).await, []);
    let odd = shop.kept("1", "confirmation").await;
    assert_eq!((odd.entry.state.as_str(), odd.entry.reason.as_deref()), ("held", Some("protocol")));
    assert!(shop.kinds().contains(&"2 confirmation".to_owned()));
}

#[tokio::test]
async fn a_redirected_shop_learns_nothing_of_its_customers_from_our_own_mailbox() {
    let keys = [("DELIVERY__MODE", "redirect"), ("DELIVERY__REDIRECT_TO", "us@tableware.example")];
    let script = Script::at(Phase::Rcpt, Answer::reply("550 5.1.1 no such user"));
    let mut shop = TestApp::with(START, Differs { script, keys: &keys }).await;
    shop.fact(supply("2026-03-27")).await;
    shop.fact(order_of("1", "ana@example.com")).await;
    assert_eq!(shop.state("1", "confirmation").await, "failed");
    assert_eq!(suppressed(&shop).await, Vec::<String>::new());
}

#[tokio::test]
async fn an_address_with_an_accent_in_its_domain_is_held_and_suppressed_as_it_is_kept() {
    let mut shop = refusing(Phase::Rcpt, "@xn--", "550 5.1.1 no such user").await;
    shop.fact(order_of("1", "ana@bücher.example")).await;
    assert_eq!(suppressed(&shop).await, ["ana@bücher.example"]);
    let address = EmailAddress::parse("ana@BÜCHER.example").unwrap();
    assert!(shop.store().unsuppress(&address, shop.now()).await.unwrap().is_some());
}

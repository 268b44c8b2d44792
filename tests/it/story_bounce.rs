//! Mails that were accepted and came back: what is told, who is asked, and what changes nothing.

use chrono::TimeDelta;
use serde_json::json;
use shipby::bounces::{Ignored, Outcome, take};
use shipby::catcher::{Answer, Script};
use shipby::digest::{Asked, gather};
use shipby::domain::bounce::Fate;
use shipby::domain::risk::{DigestIssue, Watch};
use shipby::domain::suppression::Cause;
use shipby::mail::Verp;
use shipby::store::{Claim, Owner};
use shipby::wiring;

use crate::support::app::{Differs, TestApp};
use crate::support::facts::{order, order_of, shipment, supply};
use crate::support::mails::mail;

const START: &str = "2026-03-02T08:00:00Z";

async fn shop_with(script: Script, keys: &[(&str, &str)]) -> TestApp {
    let keys: Vec<_> = [("BOUNCES__ADDRESS", "bounce@shop.example")].iter().chain(keys).copied().collect();
    let mut shop = TestApp::with(START, Differs { script, keys: &keys }).await;
    shop.fact(supply("2026-03-16")).await;
    shop.fact(order("1")).await;
    shop
}

async fn shop() -> TestApp {
    shop_with(Script::default(), &[]).await
}

fn verp(shop: &TestApp) -> Verp {
    wiring::verp(&shop.config, shop.store()).unwrap().unwrap()
}

/// The sample of that name about a notice, handed in now.
async fn comes(shop: &TestApp, name: &str, order: &str, occasion: &str) -> Outcome {
    let notice = shop.kept(order, occasion).await.entry.notice.unwrap();
    let sender = verp(shop).sender(&notice);
    hand_in(shop, &mail(name, &notice, &sender)).await
}

async fn hand_in(shop: &TestApp, mail: &[u8]) -> Outcome {
    let verp = wiring::verp(&shop.config, shop.store()).unwrap();
    take(shop.store(), verp.as_ref(), mail, None, shop.now(), &shop.sim.policy).await.unwrap()
}

/// What it came to: fate, whether it counts as not heard, whether the address is suppressed.
fn came(outcome: &Outcome) -> (Fate, bool, bool) {
    match outcome {
        Outcome::Applied { fate, unheard, suppressed, .. } => (*fate, *unheard, *suppressed),
        other => panic!("{other:?}"),
    }
}

/// Everything but what time changes.
async fn database(shop: &TestApp) -> Vec<String> {
    let mut raw = shop.raw().await;
    let mut all = Vec::new();
    for table in ["orders", "lines", "notices", "suppressions", "bounces", "decisions", "news"] {
        all.extend(raw.rows(table).await);
    }
    all
}

async fn concerns(shop: &TestApp) -> Vec<(String, DigestIssue)> {
    let asked = Asked { zone: chrono_tz::Europe::Berlin, watch: Watch::default(), most: None };
    let digest = gather(shop.store(), shop.now(), asked).await.unwrap();
    let of_mail = digest.findings.into_iter().filter(|finding| finding.concern != DigestIssue::Authorization);
    of_mail.map(|finding| (finding.order, finding.concern)).collect()
}

async fn cause(shop: &TestApp) -> Option<Cause> {
    shop.order("1").await.suppressed.map(|suppressed| suppressed.cause)
}

#[tokio::test]
async fn each_notice_leaves_under_a_sender_of_its_own_and_a_retry_under_the_same() {
    let script = Script::first(1, shipby::domain::reply::Phase::Body, Answer::reply("451 4.7.1 later"));
    let mut shop = shop_with(script, &[]).await;
    shop.travel(TimeDelta::hours(50)).await;
    let from: Vec<String> = shop.catcher.mails().into_iter().map(|mail| mail.from).collect();
    let mut expected = Vec::new();
    for occasion in ["confirmation", "update_48h"] {
        expected.push(verp(&shop).sender(&shop.kept("1", occasion).await.entry.notice.unwrap()));
    }
    assert_eq!(from, expected);
    assert!(from[0].starts_with("bounce+") && from[0].ends_with("@shop.example"), "{from:?}");
    assert!(shop.last_mail().text.contains("Hello"), "the header's sender is the shop");
}

#[tokio::test]
async fn without_an_address_for_bounces_mails_leave_as_from_the_shop_and_headers_name_the_notice() {
    let mut shop = shop_with(Script::default(), &[("BOUNCES__ADDRESS", "")]).await;
    assert_eq!(shop.catcher.mails()[0].from, "orders@tableware.example");
    let notice = shop.kept("1", "confirmation").await.entry.notice.unwrap();
    shop.settle().await;
    let outcome = hand_in(&shop, &mail("postfix", &notice, "orders@tableware.example")).await;
    assert_eq!(came(&outcome), (Fate::Failed, true, true));
}

#[tokio::test]
async fn a_dead_address_that_shows_only_later_is_suppressed_and_what_it_was_not_told_is_told_to_the_next() {
    let mut shop = shop().await;
    shop.travel(TimeDelta::hours(26)).await;
    shop.fact(supply("2026-03-27")).await;
    shop.travel(TimeDelta::hours(1)).await;
    assert_eq!(
        (shop.kinds(), shop.told("1").await),
        (vec!["1 confirmation".into(), "1 date_slip".into()], "2026-03-31".into())
    );
    let outcome = comes(&shop, "postfix", "1", "date_slip/1").await;
    assert_eq!(came(&outcome), (Fate::Failed, true, true));
    assert_eq!((shop.told("1").await.as_str(), cause(&shop).await), ("2026-03-20", Some(Cause::Bounced)));
    let bounced = shop.kept("1", "date_slip/1").await.entry;
    assert_eq!((bounced.state.as_str(), bounced.reason.as_deref()), ("bounced", Some("dead_address")));
    assert!(bounced.reply.unwrap().starts_with("550 5.1.1 <ana@example.com>: Recipient"));
    assert_eq!(concerns(&shop).await, [("1".to_owned(), DigestIssue::Suppressed)]);

    shop.travel(TimeDelta::days(8)).await;
    assert_eq!(shop.mails().len(), 2, "nothing more goes there");
    let mut moved = order_of("1", "ana@other.example");
    moved["at"] = json!(shop.now());
    shop.fact(moved).await;
    assert_eq!(shop.kinds()[2..], ["1 date_slip"]);
    assert_eq!(
        (shop.last_mail().to.as_str(), shop.told("1").await.as_str()),
        ("ana@other.example", "2026-03-31")
    );
    assert_eq!(concerns(&shop).await, []);
}

#[tokio::test]
async fn a_shipment_told_to_a_dead_address_is_told_to_the_next_one_also_after_the_order_is_closed() {
    let mut shop = shop().await;
    shop.fact(shipment("S-1", "1")).await;
    comes(&shop, "exim", "1", "shipped/S-1").await;
    let mut moved = order_of("1", "ana@other.example");
    moved["at"] = json!(shop.now() + TimeDelta::seconds(1));
    shop.travel(TimeDelta::minutes(1)).await;
    assert_eq!(shop.mails().len(), 2);
    shop.fact(moved).await;
    assert_eq!(shop.kinds(), ["1 confirmation", "1 shipped", "1 shipped"]);
}

#[tokio::test]
async fn a_bounce_that_comes_back_only_after_the_address_changed_has_its_news_told_to_the_new_one() {
    let mut shop = shop().await;
    shop.fact(shipment("S-1", "1")).await;
    let mut moved = order_of("1", "ana@other.example");
    moved["at"] = json!(shop.now() + TimeDelta::seconds(1));
    shop.travel(TimeDelta::minutes(1)).await;
    shop.fact(moved).await;
    assert_eq!(shop.mails().len(), 2);
    comes(&shop, "gmail", "1", "shipped/S-1").await;
    shop.settle().await;
    assert_eq!((shop.kinds().len(), shop.last_mail().to.as_str()), (3, "ana@other.example"));
    assert_eq!(cause(&shop).await, None, "it is the old address that is dead");
}

#[tokio::test]
async fn the_same_report_again_changes_nothing() {
    let shop = shop().await;
    for (name, fate) in [("delayed", Fate::Delayed), ("postfix", Fate::Failed), ("aol", Fate::Complaint)] {
        assert_eq!(came(&comes(&shop, name, "1", "confirmation").await).0, fate);
        let before = database(&shop).await;
        assert_eq!(comes(&shop, name, "1", "confirmation").await, Outcome::Ignored(Ignored::Known));
        assert_eq!(database(&shop).await, before, "{name}");
    }
    assert_eq!(comes(&shop, "gmail", "1", "confirmation").await, Outcome::Ignored(Ignored::Known));
    let reports = shop.kept("1", "confirmation").await.reports;
    let fates: Vec<&str> = reports.iter().map(|report| report.fate.as_str()).collect();
    assert_eq!(fates, ["complaint", "delayed", "failed"]);
}

#[tokio::test]
async fn a_delay_is_noted_and_the_failure_after_it_counts() {
    let shop = shop().await;
    let (order, state) = (shop.order("1").await, shop.state("1", "confirmation").await);
    assert_eq!(came(&comes(&shop, "delayed", "1", "confirmation").await), (Fate::Delayed, false, false));
    assert_eq!((shop.order("1").await, shop.state("1", "confirmation").await), (order, state));
    assert_eq!(came(&comes(&shop, "exchange", "1", "confirmation").await), (Fate::Failed, true, true));
    assert_eq!(shop.state("1", "confirmation").await, "bounced");
}

#[tokio::test]
async fn a_full_mailbox_was_not_told_and_is_written_to_again() {
    let mut shop = shop().await;
    assert_eq!(came(&comes(&shop, "full", "1", "confirmation").await), (Fate::Failed, true, false));
    assert_eq!(
        (shop.state("1", "confirmation").await.as_str(), shop.told("1").await.as_str()),
        ("bounced", "none")
    );
    assert_eq!(cause(&shop).await, None);
    assert_eq!(concerns(&shop).await, [("1".to_owned(), DigestIssue::Unheard)]);
    shop.travel(TimeDelta::hours(50)).await;
    assert_eq!(shop.kinds()[1..], ["1 update_48h"]);
    assert_eq!((shop.told("1").await.as_str(), concerns(&shop).await), ("2026-03-20", vec![]));
}

#[tokio::test]
async fn a_domain_may_come_back_once_but_not_a_day_later() {
    let mut shop = shop().await;
    let dead = async |shop: &TestApp, occasion: &str| {
        let notice = shop.kept("1", occasion).await.entry.notice.unwrap();
        let text = String::from_utf8(mail("exim", &notice, &verp(shop).sender(&notice))).unwrap();
        came(&hand_in(shop, text.replace("550 5.1.1", "550 5.1.2").as_bytes()).await)
    };
    assert_eq!(dead(&shop, "confirmation").await, (Fate::Failed, true, false));
    shop.travel(TimeDelta::hours(49)).await;
    assert_eq!(shop.kinds()[1..], ["1 update_48h"]);
    assert_eq!(dead(&shop, "update_48h").await, (Fate::Failed, true, true));
    assert_eq!(cause(&shop).await, Some(Cause::Bounced));
}

#[tokio::test]
async fn who_complains_gets_no_routine_news_but_what_they_must_know() {
    let mut shop = shop().await;
    assert_eq!(came(&comes(&shop, "yahoo", "1", "confirmation").await), (Fate::Complaint, false, true));
    assert_eq!(
        (shop.state("1", "confirmation").await.as_str(), cause(&shop).await),
        ("accepted", Some(Cause::Complained))
    );
    shop.travel(TimeDelta::days(10)).await;
    assert_eq!(shop.kinds(), ["1 confirmation"]);
    assert_eq!(
        shop.otherwise("1").await,
        [
            "Wed 04 Mar 09:00 update_48h skipped unwanted",
            "Mon 09 Mar 10:00 weekly_status/2026-03-09 skipped unwanted"
        ]
    );
    assert_eq!(concerns(&shop).await, [("1".to_owned(), DigestIssue::Suppressed)]);
    shop.fact(supply("2026-03-27")).await;
    shop.travel(TimeDelta::hours(1)).await;
    shop.fact(shipment("S-1", "1")).await;
    assert_eq!(shop.kinds()[1..], ["1 date_slip", "1 shipped"]);
    // An address that turns out to be dead gets nothing at all.
    assert_eq!(came(&comes(&shop, "gmail", "1", "shipped/S-1").await), (Fate::Failed, true, true));
    assert_eq!(cause(&shop).await, Some(Cause::Bounced));
}

#[tokio::test]
async fn a_token_that_somebody_made_up_or_of_another_notice_changes_nothing() {
    let mut shop = shop().await;
    shop.fact(order_of("2", "bo@example.com")).await;
    let mine = shop.kept("1", "confirmation").await.entry.notice.unwrap();
    let theirs = shop.kept("2", "confirmation").await.entry.notice.unwrap();
    let good = verp(&shop).sender(&mine);
    let forged = good.replace(&mine, &theirs);
    let before = database(&shop).await;
    for (name, mail) in [
        ("forged", mail("postfix", &theirs, &forged)),
        ("mine about theirs", mail("postfix", &theirs, &good)),
        ("nobody's", mail("postfix", "0123456789abcdef", &verp(&shop).sender("0123456789abcdef"))),
        ("no notice", mail("yahoo", &mine, "bounce@shop.example")),
        ("a reply", mail("reply_with_bounce", &mine, &good)),
        ("an auto-reply", mail("vacation", &mine, &good)),
    ] {
        let outcome = hand_in(&shop, &mail).await;
        assert!(matches!(outcome, Outcome::Ignored(_)), "{name}: {outcome:?}");
        assert_eq!(database(&shop).await, before, "{name}");
    }
}

#[tokio::test]
async fn what_comes_back_of_redirected_mail_says_nothing_about_the_customer() {
    let keys = [("DELIVERY__MODE", "redirect"), ("DELIVERY__REDIRECT_TO", "us@tableware.example")];
    let shop = shop_with(Script::default(), &keys).await;
    assert_eq!(shop.last_mail().to, "us@tableware.example");
    let before = database(&shop).await;
    assert_eq!(comes(&shop, "postfix", "1", "confirmation").await, Outcome::Ignored(Ignored::Unknown));
    assert_eq!(database(&shop).await, before);
}

#[tokio::test]
async fn a_mail_that_was_in_doubt_and_comes_back_was_not_read() {
    let script = Script::at(shipby::domain::reply::Phase::Body, Answer::TakeAndClose);
    let mut shop = shop_with(script, &[]).await;
    assert_eq!(shop.state("1", "confirmation").await, "in_doubt");
    let outcome = comes(&shop, "full", "1", "confirmation").await;
    assert_eq!(outcome, Outcome::Later, "it is to be tried once more");
    shop.travel(TimeDelta::hours(1)).await;
    assert_eq!(came(&comes(&shop, "full", "1", "confirmation").await), (Fate::Failed, true, false));
    assert_eq!(shop.state("1", "confirmation").await, "bounced");
    assert_eq!(shop.told("1").await, "none");
}

#[tokio::test]
async fn nothing_is_changed_under_a_mail_that_is_just_leaving() {
    let mut shop = shop().await;
    shop.travel(TimeDelta::hours(26)).await;
    shop.only_record(supply("2026-03-27"), shipby::domain::order::apply::Notify::All).await;
    let later = shop.now() + TimeDelta::hours(1);
    for _ in 0..3 {
        shipby::planner::turn(shop.store(), &shop.sim.policy, later).await.unwrap();
    }
    let ready = shop.store().ready(later, 10).await.unwrap();
    let claim = Claim { notices: vec![(ready[0].id.clone(), ready[0].revision)], ..Claim::default() };
    shop.store().claim(Owner { name: "test", mode: "live" }, later, claim).await.unwrap();
    let before = database(&shop).await;
    assert_eq!(comes(&shop, "postfix", "1", "confirmation").await, Outcome::Later);
    assert_eq!(database(&shop).await, before);
}

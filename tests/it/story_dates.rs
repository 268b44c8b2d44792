//! Whole lives: an order on time, one whose date slips, one without a date.

use chrono::TimeDelta;
use serde_json::json;
use shipby::catcher::{Answer, Script};
use shipby::domain::reply::Phase;

use crate::support::app::{Differs, TestApp};
use crate::support::facts::{line, order, receipt, shipment, supply};

#[tokio::test]
async fn a_backorder_that_comes_on_time_hears_from_us_five_times_and_never_again() {
    let mut shop = TestApp::start("2026-03-02T08:00:00Z").await;
    shop.fact(supply("2026-03-16")).await;
    shop.travel(TimeDelta::minutes(14)).await;
    shop.fact(order("1042")).await;
    assert_eq!(shop.last_mail().subject, "Order 1042 confirmed: ships by 20 March");
    assert_eq!(shop.told("1042").await, "2026-03-20");
    shop.travel_to("2026-03-16T13:30:00Z").await;
    shop.fact(receipt("R-1", 60)).await;
    shop.travel_to("2026-03-17T21:05:00Z").await;
    shop.fact(shipment("S-1", "1042")).await;
    shop.travel(TimeDelta::days(60)).await;
    assert_eq!(
        shop.accepted("1042").await,
        [
            "Mon 02 Mar 09:14 confirmation",
            "Wed 04 Mar 09:14 update_48h",
            "Wed 11 Mar 10:00 weekly_status",
            "Mon 16 Mar 14:30 restock",
            "Tue 17 Mar 22:05 shipped",
        ]
    );
    let subjects: Vec<_> = shop.mails().into_iter().map(|mail| mail.subject).collect();
    assert_eq!(
        subjects[1..],
        [
            "Your order 1042: scheduled to ship by 20 March",
            "Update on your backorder: Kettle, still 20 March",
            "Your order 1042 is being prepared for shipment",
            "Your order 1042 is on its way",
        ]
    );
    assert_eq!(
        shop.otherwise("1042").await,
        ["Mon 16 Mar 14:30 weekly_status/2026-03-18 superseded clock_restarted"]
    );
}

#[tokio::test]
async fn the_update_after_48_hours_waits_for_the_window_and_the_clock_change_for_nobody() {
    let mut shop = TestApp::start("2026-03-20T02:30:00Z").await;
    shop.fact(supply("2026-05-01")).await;
    shop.fact(order("1")).await;
    shop.travel_to("2026-03-31T00:00:00Z").await;
    // Summer time begins on 29 March.
    assert_eq!(
        shop.accepted("1").await,
        ["Fri 20 Mar 03:30 confirmation", "Sun 22 Mar 08:00 update_48h", "Sun 29 Mar 10:00 weekly_status"]
    );
}

#[tokio::test]
async fn a_slip_says_both_dates_and_why_and_restarts_the_seven_days() {
    let mut shop = TestApp::start("2026-03-02T08:14:00Z").await;
    shop.fact(supply("2026-03-16")).await;
    shop.fact(order("1042")).await;
    shop.travel_to("2026-03-12T14:16:00Z").await;
    let mut late = supply("2026-03-27");
    late["reason"] = json!("The factory needs two more weeks.");
    shop.fact(late).await;
    shop.travel_to("2026-03-20T00:00:00Z").await;
    let mail = &shop.mails()[3];
    assert_eq!(mail.subject, "New date for your order 1042: 31 March");
    for words in [
        "would ship by Friday 20 March 2026",
        "The new date is Tuesday 31 March 2026",
        "The factory needs two more weeks.",
        "We're sorry",
        "Our next update comes on Thursday 19 March 2026",
    ] {
        assert!(mail.text.contains(words), "{words:?} is not in {}", mail.text);
    }
    assert_eq!(
        shop.accepted("1042").await[2..],
        ["Wed 11 Mar 10:00 weekly_status", "Thu 12 Mar 15:31 date_slip", "Thu 19 Mar 10:00 weekly_status"]
    );
    assert_eq!(
        shop.otherwise("1042").await,
        ["Thu 12 Mar 15:31 weekly_status/2026-03-18 superseded clock_restarted"]
    );
}

#[tokio::test]
async fn told_changes_only_when_the_relay_has_taken_the_mail() {
    let slow = |d: &shipby::catcher::Dialogue<'_>| match (d.phase, d.attempt) {
        (Phase::Rcpt, 2 | 3) => Answer::reply("451 4.3.0 come back later"),
        _ => Answer::Usual,
    };
    let mut shop =
        TestApp::with("2026-03-02T08:14:00Z", Differs { script: Script::new(slow), ..Differs::default() })
            .await;
    shop.fact(supply("2026-03-16")).await;
    shop.fact(order("1042")).await;
    shop.fact(supply_at("2026-03-27", "2026-03-02T08:14:01Z")).await;
    shop.travel(TimeDelta::minutes(15)).await;
    assert_eq!(shop.state("1042", "date_slip/1").await, "deferred");
    assert_eq!(shop.told("1042").await, "2026-03-20");
    shop.travel(TimeDelta::minutes(10)).await;
    assert_eq!(shop.state("1042", "date_slip/1").await, "accepted");
    assert_eq!(shop.told("1042").await, "2026-03-31");
    assert_eq!(shop.kept("1042", "date_slip/1").await.entry.attempts, 3);
}

fn supply_at(eta: &str, at: &str) -> serde_json::Value {
    let mut supply = supply(eta);
    supply["at"] = json!(at);
    supply
}

#[tokio::test]
async fn a_preorder_without_a_date_is_told_so_every_week_until_there_is_one() {
    let mut shop = TestApp::start("2026-03-02T08:14:00Z").await;
    let mut preorder = order("7");
    preorder["lines"] = json!([line("1", "KETTLE")]);
    preorder["lines"][0]["kind"] = json!("preorder");
    shop.fact(preorder).await;
    let first = shop.last_mail();
    assert_eq!(first.subject, "Preorder 7 confirmed: ships when released");
    assert!(first.text.contains("there is no date yet"), "{}", first.text);
    assert!(
        first.text.contains("Ships when released. We'll email you when it's on the way."),
        "{}",
        first.text
    );
    shop.travel_to("2026-03-19T12:00:00Z").await;
    let weekly = shop.last_mail();
    assert_eq!(weekly.subject, "Update on your preorder: Kettle, no date yet");
    assert!(weekly.text.contains("there is still no date"), "{}", weekly.text);
    shop.fact(supply("2026-04-10")).await;
    shop.travel_to("2026-03-20T00:00:00Z").await;
    assert_eq!(shop.last_mail().subject, "Good news: your preorder 7 ships by 14 April");
    assert_eq!(
        shop.accepted("7").await,
        [
            "Mon 02 Mar 09:14 confirmation",
            "Wed 04 Mar 09:14 update_48h",
            "Wed 11 Mar 10:00 weekly_status",
            "Wed 18 Mar 10:00 weekly_status",
            "Thu 19 Mar 13:15 date_improved",
        ]
    );
}

#[tokio::test]
async fn twenty_changes_in_an_hour_make_one_notice_with_the_last_date() {
    let mut shop = TestApp::start("2026-03-02T08:00:00Z").await;
    shop.fact(supply("2026-03-16")).await;
    shop.fact(order("1")).await;
    shop.travel_to("2026-03-05T09:00:00Z").await;
    for minute in 0..20 {
        shop.fact(supply(&format!("2026-04-{:02}", minute + 1))).await;
        shop.travel(TimeDelta::minutes(3)).await;
    }
    shop.travel_to("2026-03-06T00:00:00Z").await;
    assert_eq!(shop.last_mail().subject, "New date for your order 1: 24 April");
    assert_eq!(
        shop.accepted("1").await,
        ["Mon 02 Mar 09:00 confirmation", "Wed 04 Mar 09:00 update_48h", "Thu 05 Mar 11:00 date_slip"]
    );
}

#[tokio::test]
async fn a_date_that_comes_back_to_what_was_told_is_no_news() {
    let mut shop = TestApp::start("2026-03-02T08:00:00Z").await;
    shop.fact(supply("2026-03-16")).await;
    shop.fact(order("1")).await;
    shop.travel_to("2026-03-05T09:00:00Z").await;
    shop.fact(supply("2026-04-10")).await;
    shop.travel(TimeDelta::minutes(10)).await;
    shop.fact(supply("2026-03-16")).await;
    shop.travel_to("2026-03-06T00:00:00Z").await;
    assert_eq!(shop.accepted("1").await, ["Mon 02 Mar 09:00 confirmation", "Wed 04 Mar 09:00 update_48h"]);
    assert_eq!(shop.otherwise("1").await, ["Thu 05 Mar 10:25 date_slip/1 skipped still_holds"]);
}

#[tokio::test]
async fn a_first_supply_without_a_date_settles_before_it_withdraws_the_checkout_s() {
    let mut shop = TestApp::start("2026-03-02T08:14:00Z").await;
    let mut promised = order("1042");
    promised["lines"][0]["promised"] = json!("2026-03-30");
    shop.fact(promised).await;
    shop.travel_to("2026-03-05T12:00:00Z").await;
    let mut dateless = supply("2026-03-16");
    dateless["eta"] = json!(null);
    shop.fact(dateless).await;
    shop.travel(TimeDelta::minutes(5)).await;
    shop.fact(supply("2026-03-26")).await;
    shop.travel(TimeDelta::hours(2)).await;
    let told = ["Mon 02 Mar 09:14 confirmation", "Wed 04 Mar 09:14 update_48h"];
    assert_eq!(shop.accepted("1042").await, told, "30 March holds: nobody was told otherwise meanwhile");
    let mut dateless = supply("2026-03-16");
    dateless["eta"] = json!(null);
    shop.fact(dateless).await;
    shop.travel(TimeDelta::hours(2)).await;
    assert_eq!(shop.accepted("1042").await[2..], ["Thu 05 Mar 15:20 date_slip"]);
}

#[tokio::test]
async fn a_date_that_is_withdrawn_after_it_passed_is_told_as_what_it_is() {
    let mut shop = TestApp::start("2026-03-02T08:14:00Z").await;
    shop.fact(supply("2026-03-16")).await;
    shop.fact(order("1042")).await;
    shop.travel_to("2026-03-21T05:00:00Z").await;
    let mut dateless = supply("2026-03-16");
    dateless["eta"] = json!(null);
    shop.fact(dateless).await;
    shop.travel_to("2026-03-22T00:00:00Z").await;
    let mail = shop.last_mail();
    assert_eq!(
        (mail.kind.as_str(), mail.subject.as_str()),
        ("date_slip", "Your order 1042: 20 March no longer holds")
    );
    let news =
        "would ship by Friday 20 March 2026. We did not keep that date, and we do not have a new one yet.";
    assert!(mail.text.contains(news), "{}", mail.text);
    assert_eq!(mail.text.matches("sorry").count(), 1, "{}", mail.text);
}

#[tokio::test]
async fn while_one_of_two_dates_is_missed_no_mail_says_that_all_is_on_track() {
    let mut shop = TestApp::start("2026-03-02T08:14:00Z").await;
    let mut pot = supply("2026-04-20");
    pot["sku"] = json!("POT");
    shop.facts([supply("2026-03-16"), pot]).await;
    let mut both = order("1042");
    both["lines"] = json!([line("1", "KETTLE"), line("2", "POT")]);
    shop.fact(both).await;
    shop.travel_to("2026-03-16T09:00:00Z").await;
    shop.fact(receipt("R-1", 60)).await;
    shop.travel_to("2026-03-29T00:00:00Z").await;
    assert_eq!(
        shop.accepted("1042").await[3..],
        ["Mon 16 Mar 10:00 restock", "Sat 21 Mar 10:00 overdue", "Sat 28 Mar 10:00 weekly_status",]
    );
    let mail = shop.last_mail();
    assert_eq!(mail.subject, "Update on your backorder: Kettle and 1 more, 1 of 2 late");
    assert!(mail.text.contains("We missed a date"), "{}", mail.text);
    for untrue in ["on track", "still hold"] {
        assert!(!mail.text.contains(untrue), "{}", mail.text);
    }
}

#[tokio::test]
async fn the_next_news_is_named_where_the_customer_s_calendar_is_a_day_behind_the_shop_s() {
    let keys = [("SHOP__TIMEZONE", "Asia/Tokyo"), ("SCHEDULE__STATUS_EVERY", "1d")];
    let mut shop = TestApp::with("2026-03-02T22:00:00Z", Differs { keys: &keys, ..Differs::default() }).await;
    shop.fact(supply("2026-04-16")).await;
    let mut far = order("1042");
    far["customer"]["timezone"] = json!("Pacific/Pago_Pago");
    shop.fact(far).await;
    let mail = shop.last_mail();
    assert!(mail.text.contains("Our next update comes on Tuesday 3 March 2026"), "{}", mail.text);
}

#[tokio::test]
async fn of_many_lines_all_dates_are_stated_and_of_very_many_those_that_moved_come_first() {
    for many in [25, 120] {
        let mut shop = TestApp::start("2026-03-02T08:14:00Z").await;
        let late = |eta: &str| {
            let mut late = supply(eta);
            late["sku"] = json!("LATE");
            late
        };
        shop.facts([supply("2026-03-16"), late("2026-04-10")]).await;
        let mut all: Vec<_> = (1..many).map(|id| line(&id.to_string(), "KETTLE")).collect();
        all.push(line("last", "LATE"));
        let mut long = order("1042");
        long["lines"] = json!(all);
        shop.fact(long).await;
        if many < 100 {
            assert!(shop.last_mail().text.contains("1 × Late Ships by Tuesday 14 April 2026."));
        }
        shop.travel(TimeDelta::hours(1)).await;
        shop.fact(late("2026-05-10")).await;
        shop.travel(TimeDelta::hours(1)).await;
        let mail = shop.last_mail();
        assert_eq!(mail.kind, "date_slip");
        let moved = "1 × Late Now ships by Thursday 14 May 2026 (we had told you Tuesday 14 April 2026).";
        assert!(mail.text.contains(moved), "{}", mail.text);
        assert_eq!(mail.text.contains("and 20 more"), many > 100, "{}", mail.text);
    }
}

#[tokio::test]
async fn a_slip_under_way_is_replaced_when_the_checkout_tells_another_date_meanwhile() {
    let script = Script::new(|dialogue| match (dialogue.phase, dialogue.mail) {
        (Phase::Body, 2..=4) => Answer::reply("451 4.3.0 later"),
        _ => Answer::Usual,
    });
    let mut shop = TestApp::with("2026-03-02T08:14:00Z", Differs { script, ..Differs::default() }).await;
    shop.fact(supply("2026-03-16")).await;
    let mut promised = order("1042");
    promised["lines"][0]["promised"] = json!("2026-03-30");
    shop.fact(promised.clone()).await;
    shop.travel(TimeDelta::hours(1)).await;
    let mut dateless = supply("2026-03-16");
    dateless["eta"] = json!(null);
    shop.fact(dateless).await;
    shop.travel(TimeDelta::minutes(16)).await;
    promised["lines"][0]["promised"] = json!("2026-05-15");
    shop.fact(promised).await;
    shop.travel(TimeDelta::hours(3)).await;
    let mail = shop.last_mail();
    assert_eq!(
        (mail.kind.as_str(), mail.subject.as_str()),
        ("date_slip", "Your order 1042: 15 May no longer holds")
    );
    assert_eq!(shop.kinds().iter().filter(|kind| kind.contains("date_slip")).count(), 1);
}

#[tokio::test]
async fn a_restock_that_tells_of_a_slip_states_the_old_date_beside_the_new_one() {
    let keys = [("PROMISE__HANDLING_DAYS", "2")];
    let mut shop = TestApp::with("2026-03-02T08:14:00Z", Differs { keys: &keys, ..Differs::default() }).await;
    let mut promised = order("1042");
    promised["lines"][0]["promised"] = json!("2026-03-10");
    shop.fact(supply("2026-03-06")).await;
    shop.fact(promised).await;
    shop.travel_to("2026-03-09T12:00:00Z").await;
    shop.fact(receipt("R-1", 60)).await;
    let mail = shop.last_mail();
    assert_eq!(mail.kind, "restock");
    let both = "ships by Sunday 15 March 2026 (we had told you Tuesday 10 March 2026).";
    assert!(mail.text.contains(both), "{}", mail.text);
}

#[tokio::test]
async fn a_date_that_the_checkout_tells_anew_settles_as_the_supplier_s_does() {
    let mut shop = TestApp::start("2026-03-02T08:14:00Z").await;
    shop.fact(supply("2026-03-16")).await;
    let mut promised = order("1042");
    promised["lines"][0]["promised"] = json!("2026-03-20");
    shop.fact(promised.clone()).await;
    shop.travel_to("2026-03-05T12:00:00Z").await;
    // The shop moves both, one after the other: nobody is told what held in between.
    promised["lines"][0]["promised"] = json!("2026-03-06");
    shop.fact(promised.clone()).await;
    shop.travel(TimeDelta::minutes(5)).await;
    shop.fact(supply("2026-03-05")).await;
    shop.travel(TimeDelta::hours(2)).await;
    let before = ["Mon 02 Mar 09:14 confirmation", "Wed 04 Mar 09:14 update_48h"];
    assert_eq!(shop.accepted("1042").await, before);
    promised["lines"][0]["promised"] = json!("2026-03-01");
    shop.fact(promised).await;
    shop.travel(TimeDelta::hours(2)).await;
    assert_eq!(shop.accepted("1042").await[2..], ["Thu 05 Mar 15:20 date_slip"]);
}

#[tokio::test]
async fn under_hold_the_next_news_is_a_day_on_which_it_comes_whatever_came_in_by_then() {
    let keys = [("ORDERS__PARTIAL", "hold")];
    let mut shop = TestApp::with("2026-03-02T08:14:00Z", Differs { keys: &keys, ..Differs::default() }).await;
    let mut pot = supply("2026-04-20");
    pot["sku"] = json!("POT");
    shop.facts([supply("2026-03-10"), pot]).await;
    let mut both = order("1042");
    both["lines"] = json!([line("1", "KETTLE"), line("2", "POT")]);
    shop.fact(both).await;
    shop.travel_to("2026-03-11T12:00:00Z").await;
    let promised = "Our next update comes on Wednesday 18 March 2026";
    assert!(shop.last_mail().text.contains(promised), "{}", shop.last_mail().text);
    shop.fact(receipt("R-1", 5)).await;
    shop.travel_to("2026-03-19T00:00:00Z").await;
    assert_eq!(*shop.accepted("1042").await.last().unwrap(), "Wed 18 Mar 10:00 weekly_status");
}

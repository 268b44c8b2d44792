//! The daily digest over a real SMTP dialogue: what is in it, that it comes once a day, and what stands in its way.

use chrono::{NaiveDate, TimeDelta};
use serde_json::{Value, json};
use shipby::catcher::{Answer, Script};
use shipby::clock::Clock;
use shipby::digest::Courier;
use shipby::domain::notice::NoticeState;
use shipby::domain::order::apply::Notify;
use shipby::domain::reply::Phase;
use shipby::store::digest_id;
use shipby::wiring;
use tokio_util::sync::CancellationToken;

use crate::support::app::{Differs, Mail, TestApp};
use crate::support::facts::{cancel, line, order, receipt, supply};

const OPS: &str = "ops@tableware.example";

async fn shop(start: &str, script: Script, keys: &[(&str, &str)]) -> TestApp {
    let mut all = vec![("ALERTS__TO", OPS)];
    all.extend_from_slice(keys);
    TestApp::with(start, Differs { script, keys: &all }).await
}

/// The courier as a start makes it.
fn courier(shop: &TestApp) -> Courier {
    let clock = Clock::Simulated(shop.sim.hand.clone());
    wiring::courier(&shop.config, shop.store().clone(), clock).unwrap().unwrap()
}

/// What the courier does at a moment: the state of a try, or `idle`.
async fn turn_at(shop: &TestApp, courier: &Courier, at: &str) -> String {
    shop.sim.hand.set(crate::support::app::at(at));
    let tried = courier.turn(&CancellationToken::new()).await.unwrap();
    tried.map_or_else(|| "idle".to_owned(), |state| state.to_string())
}

fn digests(shop: &TestApp) -> Vec<Mail> {
    shop.mails().into_iter().filter(|mail| mail.kind == "digest").collect()
}

fn text_of(mail: &Mail) -> String {
    let message = mail_parser::MessageParser::default().parse(&mail.bytes).unwrap();
    message.body_text(0).unwrap().replace("\r\n", "\n")
}

fn promised(number: &str, sku: &str, day: &str) -> Value {
    let mut order = order(number);
    order["lines"] = json!([line("1", sku)]);
    order["lines"][0]["promised"] = json!(day);
    order
}

fn without_address(mut order: Value) -> Value {
    order["customer"] = json!({"name": "Eve"});
    order["payment"] = json!("pending");
    order
}

#[tokio::test]
async fn a_digest_names_what_needs_a_person_and_what_to_do_about_it() {
    let refuses = Script::new(|dialogue| match (dialogue.phase, dialogue.to) {
        (Phase::Rcpt, "dan@gone.example") => Answer::reply("550 5.7.1 no mail from you"),
        _ => Answer::Usual,
    });
    let mut shop = shop("2026-03-02T08:00:00Z", refuses, &[]).await;
    let mut old = promised("0990", "LAMP", "2026-02-20");
    old["placed_at"] = json!("2026-02-01T08:00:00Z");
    old["payment"] = json!("paid");
    shop.only_record(old, Notify::Future).await;
    shop.fact(supply("2026-03-16")).await;
    let mut pots = supply("2026-03-21");
    (pots["sku"], pots["supply"]) = (json!("POT"), json!("PO-78"));
    shop.fact(pots).await;
    let mut dan = promised("1005", "PAN", "2026-05-01");
    dan["customer"] = json!({"email": "dan@gone.example"});
    dan["payment"] = json!("paid");
    let mut both = promised("1002", "JUG", "2026-03-19");
    both["lines"] = json!([both["lines"][0], line("2", "JUG")]);
    both["lines"][1]["promised"] = json!("2026-03-18");
    both["payment"] = json!("paid");
    shop.facts([
        promised("1001", "KETTLE", "2026-03-17"),
        both,
        promised("1003", "CUP", "2026-03-22"),
        without_address(promised("1004", "PAN", "2026-05-01")),
        dan,
        promised("1006", "KETTLE", "2026-03-23"),
        promised("1007", "KETTLE", "2026-04-23"),
        promised("1008", "KETTLE", "2026-03-18"),
        promised("1009", "POT", "2026-03-23"),
    ])
    .await;
    shop.travel_to("2026-03-16T08:00:00Z").await;
    shop.fact(receipt("R-1", 2)).await;
    shop.fact(cancel("C-1", "1008")).await;
    let mut late = promised("1010", "PAN", "2026-05-01");
    late["customer"] = json!({"email": "dan@gone.example"});
    shop.fact(late).await;
    shop.travel_to("2026-03-19T12:00:00Z").await;
    // A mail that was accepted is never held: put down as if it were.
    shop.raw().await.hold_accepted("1003", "update_48h").await;

    let courier = courier(&shop);
    assert_eq!(turn_at(&shop, &courier, "2026-03-20T07:29:59Z").await, "idle");
    assert_eq!(turn_at(&shop, &courier, "2026-03-20T07:30:00Z").await, "accepted");
    let mail = digests(&shop).pop().unwrap();
    assert_eq!(mail.to, OPS);
    assert!(!String::from_utf8_lossy(&mail.bytes).contains("X-Shipby-Order"));
    insta::assert_snapshot!("digest", format!("Subject: {}\n\n{}", mail.subject, text_of(&mail)));
    for private in ["@example.com", "gone.example", "Ana", "Eve"] {
        assert!(!text_of(&mail).contains(private), "{private}");
    }
}

#[tokio::test]
async fn of_each_concern_the_worst_ten_are_listed_and_all_are_counted() {
    let mut shop = shop("2026-03-02T08:00:00Z", Script::usual(), &[]).await;
    let day = |n: u32| format!("2026-03-{:02}", 27 - n);
    shop.facts((0..23).map(|n| promised(&format!("{}", 1000 + n), "CUP", &day(n)))).await;
    shop.fact(cancel("C-1", "1022")).await;
    let courier = courier(&shop);
    turn_at(&shop, &courier, "2026-03-28T12:00:00Z").await;
    let mail = digests(&shop).pop().unwrap();
    assert_eq!(mail.subject, "Fine Tableware: 22 overdue, 22 to re-authorize on 28 March");
    let text = text_of(&mail);
    let overdue: Vec<&str> = text
        .lines()
        .skip_while(|line| *line != "OVERDUE")
        .skip(1)
        .take_while(|line| line.starts_with("- "))
        .collect();
    assert_eq!(overdue.len(), 11, "{text}");
    assert_eq!(overdue[0], "- 1021: 1 × CUP, told 6 March, 22 days late; no supply covers it");
    assert_eq!(overdue[9], "- 1012: 1 × CUP, told 15 March, 13 days late; no supply covers it");
    assert_eq!(overdue[10], "- and 12 more: shipby digest --json lists them all");
}

#[tokio::test]
async fn a_change_that_the_blast_guard_holds_is_named_with_what_to_decide() {
    let mut shop = shop("2026-03-02T08:00:00Z", Script::usual(), &[("DELIVERY__BLAST_LIMIT", "1")]).await;
    shop.fact(supply("2026-03-27")).await;
    let paid = |number: &str| {
        let mut order = order(number);
        order["payment"] = json!("paid");
        order
    };
    shop.facts([paid("1"), paid("2")]).await;
    shop.travel(TimeDelta::hours(1)).await;
    shop.fact(supply("2026-04-27")).await;
    shop.travel(TimeDelta::hours(1)).await;
    let courier = courier(&shop);
    turn_at(&shop, &courier, "2026-03-03T12:00:00Z").await;
    let mail = digests(&shop).pop().unwrap();
    assert_eq!(mail.subject, "Fine Tableware: 1 change held on 3 March");
    let text = text_of(&mail);
    assert!(text.contains("\n1  on hold: changes that would mail too many at one time\n"), "{text}");
    assert!(text.contains("\n- batch 2: 2 mails because of supply PO-77 of KETTLE\n"), "{text}");
    let released = shop.store().release_batch(2, shop.now()).await.unwrap();
    assert_eq!(released, Some(2));
    turn_at(&shop, &courier, "2026-03-04T12:00:00Z").await;
    assert_eq!(digests(&shop).pop().unwrap().subject, "Fine Tableware: nothing needs you on 4 March");
}

#[tokio::test]
async fn what_a_shop_writes_cannot_turn_a_line_of_the_digest_around() {
    let mut shop = shop("2026-03-02T08:00:00Z", Script::usual(), &[]).await;
    shop.fact(promised("1\u{202e}2", "CUP\u{202e}", "2026-03-20")).await;
    turn_at(&shop, &courier(&shop), "2026-03-21T12:00:00Z").await;
    let text = text_of(&digests(&shop).pop().unwrap());
    assert!(text.contains("- 1\\u{202e}2: 1 × CUP\\u{202e}, told 20 March, 1 day late"), "{text}");
}

#[tokio::test]
async fn a_quiet_day_has_its_digest_too_and_each_civil_day_one_whatever_restarts() {
    let mut shop = shop("2026-03-27T12:00:00Z", Script::usual(), &[]).await;
    let first = courier(&shop);
    // A daemon that first starts after the hour tells at once that it is there.
    assert_eq!(turn_at(&shop, &first, "2026-03-27T12:00:00Z").await, "accepted");
    assert_eq!(turn_at(&shop, &first, "2026-03-27T12:01:00Z").await, "idle");
    shop.restart().await;
    let second = courier(&shop);
    assert_eq!(turn_at(&shop, &second, "2026-03-27T22:59:00Z").await, "idle");
    assert_eq!(turn_at(&shop, &second, "2026-03-28T07:29:00Z").await, "idle");
    assert_eq!(turn_at(&shop, &second, "2026-03-28T07:30:00Z").await, "accepted");
    // Half past eight is an hour earlier once the clocks have changed.
    assert_eq!(turn_at(&shop, &second, "2026-03-29T06:30:00Z").await, "accepted");
    let mails = digests(&shop);
    let subjects: Vec<_> = mails.iter().map(|mail| mail.subject.as_str()).collect();
    assert_eq!(subjects, [27, 28, 29].map(|day| format!("Fine Tableware: nothing needs you on {day} March")));
    insta::assert_snapshot!("digest_of_a_quiet_day", text_of(&mails[2]));
    let ids: std::collections::BTreeSet<_> = mails.iter().map(|mail| &mail.message_id).collect();
    assert_eq!(ids.len(), 3);
}

#[tokio::test]
async fn a_digest_put_off_is_tried_again_with_the_same_bytes_while_customers_hear_as_ever() {
    let busy = Script::new(|dialogue| match (dialogue.phase, dialogue.to, dialogue.attempt) {
        (Phase::Rcpt, OPS, 1) => Answer::reply("451 4.7.1 greylisted"),
        (Phase::Body, OPS, 1) => Answer::reply("452 4.3.1 no room"),
        _ => Answer::Usual,
    });
    let mut shop = shop("2026-03-20T07:30:00Z", busy, &[]).await;
    let courier = courier(&shop);
    assert_eq!(turn_at(&shop, &courier, "2026-03-20T07:30:00Z").await, "deferred");
    assert_eq!(turn_at(&shop, &courier, "2026-03-20T07:30:30Z").await, "idle");
    shop.fact(order("1")).await;
    assert_eq!(shop.kinds(), ["1 confirmation"]);
    assert_eq!(turn_at(&shop, &courier, "2026-03-20T07:32:00Z").await, "deferred");
    shop.restart().await;
    let next =
        shop.store().last_digest("2099-01-01".parse().unwrap()).await.unwrap().unwrap().next_try.unwrap();
    assert!((next - shop.now() - TimeDelta::minutes(5)).abs() <= TimeDelta::seconds(30), "{next}");
    assert_eq!(turn_at(&shop, &courier, "2026-03-20T09:00:00Z").await, "accepted");
    let mail = digests(&shop).pop().unwrap();
    assert!(
        text_of(&mail).starts_with("Fine Tableware, Friday 20 March 2026, 08:30\n"),
        "of when it was written"
    );
}

#[tokio::test]
async fn a_digest_that_never_got_there_gives_way_to_the_next_days() {
    let shop =
        shop("2026-03-20T07:30:00Z", Script::at(Phase::Rcpt, Answer::reply("450 4.2.0 later")), &[]).await;
    let courier = courier(&shop);
    assert_eq!(turn_at(&shop, &courier, "2026-03-20T07:30:00Z").await, "deferred");
    assert_eq!(turn_at(&shop, &courier, "2026-03-21T02:00:00Z").await, "deferred", "it goes on over night");
    assert_eq!(turn_at(&shop, &courier, "2026-03-21T07:30:00Z").await, "deferred");
    let last = shop.store().last_digest("2099-01-01".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!((last.day.unwrap().to_string().as_str(), last.attempts), ("2026-03-21", 1));
}

#[tokio::test]
async fn a_clock_that_was_wrong_for_a_while_silences_no_digest() {
    let shop = shop("2026-03-20T07:30:00Z", Script::usual(), &[]).await;
    let far = "2027-03-20".parse().unwrap();
    shop.store().keep_digest(far, shop.now(), "live", "A digest", "Of another year.\n").await.unwrap();
    shop.store()
        .settle_ops_mail(&digest_id(far), "live", (NoticeState::Accepted, None), "250 ok", shop.now())
        .await
        .unwrap();
    let courier = courier(&shop);
    assert_eq!(turn_at(&shop, &courier, "2026-03-20T07:30:00Z").await, "accepted");
    assert_eq!(turn_at(&shop, &courier, "2026-03-20T07:31:00Z").await, "idle");
    assert_eq!(turn_at(&shop, &courier, "2026-03-21T07:30:00Z").await, "accepted");
}

#[tokio::test]
async fn a_digest_that_was_refused_is_over_for_the_day() {
    let refuses = Script::new(|dialogue| match (dialogue.phase, dialogue.attempt) {
        (Phase::Rcpt, 1) => Answer::reply("550 5.1.1 no such mailbox"),
        _ => Answer::Usual,
    });
    let shop = shop("2026-03-20T07:30:00Z", refuses, &[]).await;
    let courier = courier(&shop);
    assert_eq!(turn_at(&shop, &courier, "2026-03-20T07:30:00Z").await, "failed");
    assert_eq!(turn_at(&shop, &courier, "2026-03-20T20:00:00Z").await, "idle");
    assert_eq!(turn_at(&shop, &courier, "2026-03-21T08:00:00Z").await, "accepted");
}

#[tokio::test]
async fn a_digest_in_doubt_is_not_sent_twice() {
    let breaks = Script::new(|dialogue| match (dialogue.phase, dialogue.attempt) {
        (Phase::Body, 1) => Answer::TakeAndClose,
        _ => Answer::Usual,
    });
    let shop = shop("2026-03-20T07:30:00Z", breaks, &[]).await;
    let courier = courier(&shop);
    assert_eq!(turn_at(&shop, &courier, "2026-03-20T07:30:00Z").await, "in_doubt");
    assert_eq!(turn_at(&shop, &courier, "2026-03-20T20:00:00Z").await, "idle");
    assert_eq!(shop.catcher.count(), 1);
    assert_eq!(turn_at(&shop, &courier, "2026-03-21T08:00:00Z").await, "accepted");
}

#[tokio::test]
async fn a_crash_while_the_body_leaves_is_a_doubt_and_one_before_it_is_none() {
    let mut shop = shop("2026-03-20T07:30:00Z", Script::usual(), &[]).await;
    let day = "2026-03-20".parse().unwrap();
    let store = shop.store();
    store.keep_digest(day, shop.now(), "live", "A digest", "Written before the crash.\n").await.unwrap();
    shop.restart().await;
    assert_eq!(turn_at(&shop, &courier(&shop), "2026-03-20T07:31:00Z").await, "accepted");
    assert_eq!(text_of(&digests(&shop)[0]).trim(), "Written before the crash.");

    let next = "2026-03-21".parse().unwrap();
    shop.store().keep_digest(next, shop.now(), "live", "A digest", "Half sent.\n").await.unwrap();
    shop.store().begin_ops_mail(&digest_id(next)).await.unwrap();
    shop.restart().await;
    assert_eq!(turn_at(&shop, &courier(&shop), "2026-03-21T08:00:00Z").await, "in_doubt");
    assert_eq!(turn_at(&shop, &courier(&shop), "2026-03-21T09:00:00Z").await, "idle");
    assert_eq!(digests(&shop).len(), 1);
}

#[tokio::test]
async fn a_digest_keeps_to_the_mode() {
    let redirect = [("DELIVERY__MODE", "redirect"), ("DELIVERY__REDIRECT_TO", "me@tableware.example")];
    let redirected = shop("2026-03-20T07:30:00Z", Script::usual(), &redirect).await;
    assert_eq!(turn_at(&redirected, &courier(&redirected), "2026-03-20T07:30:00Z").await, "accepted");
    let mail = digests(&redirected).pop().unwrap();
    assert_eq!(mail.to, "me@tableware.example");
    assert_eq!(mail.subject, "[for ops@tableware.example] Fine Tableware: nothing needs you on 20 March");
    let mode = "mode redirect: customers get no mail, all of it goes to me@tableware.example";
    assert!(mail.text.contains(mode), "{}", mail.text);

    // Written before the shop was told to capture: what its try is worth counts.
    let captured = shop("2026-03-20T07:00:00Z", Script::usual(), &[("DELIVERY__MODE", "capture")]).await;
    let yesterday = "2026-03-19".parse().unwrap();
    captured.store().keep_digest(yesterday, captured.now(), "live", "A digest", "…").await.unwrap();
    assert_eq!(turn_at(&captured, &courier(&captured), "2026-03-20T07:00:00Z").await, "accepted");
    let kept = captured.store().last_digest(yesterday).await.unwrap().unwrap();
    assert_eq!((kept.mode.as_str(), kept.state), ("capture", NoticeState::Accepted));
    assert_eq!(turn_at(&captured, &courier(&captured), "2026-03-20T07:30:00Z").await, "accepted");
    assert_eq!(captured.catcher.count(), 0);
    let kept = captured.store().last_digest("2099-01-01".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!((kept.mode.as_str(), kept.state), ("capture", NoticeState::Accepted));
    assert!(kept.body.starts_with("mode capture: customers get no mail\n"), "{}", kept.body);
}

#[tokio::test]
async fn a_card_told_anew_as_authorized_is_left_alone_until_that_ends_too() {
    let mut shop = shop("2026-03-02T08:00:00Z", Script::usual(), &[]).await;
    let mut anew = order("1");
    anew["placed_at"] = json!("2026-03-02T08:00:00Z");
    shop.facts([anew.clone(), order("2")]).await;
    shop.travel_to("2026-03-08T08:00:00Z").await;
    shop.fact(anew).await;
    let courier = courier(&shop);
    for (at, listed) in [
        ("2026-03-10T08:00:00Z", &["- 2: the authorization of 2 March ended on 9 March"][..]),
        (
            "2026-03-12T08:00:00Z",
            &[
                "- 2: the authorization of 2 March ended on 9 March",
                "- 1: the authorization of 8 March ends on 15 March",
            ],
        ),
    ] {
        turn_at(&shop, &courier, at).await;
        let text = text_of(&digests(&shop).pop().unwrap());
        let lines: Vec<_> = text.lines().filter(|line| line.starts_with("- ")).collect();
        assert_eq!(lines, listed);
    }
}

#[tokio::test]
async fn told_to_stop_the_courier_begins_no_body() {
    let shop = shop("2026-03-20T07:30:00Z", Script::at(Phase::Greeting, Answer::Silence), &[]).await;
    let stop = CancellationToken::new();
    stop.cancel();
    assert_eq!(courier(&shop).turn(&stop).await.unwrap(), None);
    assert_eq!(
        shop.store().last_digest("2099-01-01".parse().unwrap()).await.unwrap().unwrap().state,
        NoticeState::Queued
    );
}

#[tokio::test]
async fn whom_nobody_named_nobody_writes_to_and_a_digest_can_be_done_without() {
    let shop = TestApp::with("2026-03-20T07:30:00Z", Differs::default()).await;
    let clock = Clock::Simulated(shop.sim.hand.clone());
    assert!(wiring::courier(&shop.config, shop.store().clone(), clock).unwrap().is_none());
    let keys = [("ALERTS__TO", OPS), ("ALERTS__DIGEST", "false")];
    let shop = TestApp::with("2026-03-20T07:30:00Z", Differs { keys: &keys, ..Differs::default() }).await;
    let courier = courier(&shop);
    assert_eq!(turn_at(&shop, &courier, "2026-03-20T07:30:00Z").await, "idle");
    shop.store().relay_fails("connect: nobody there", shop.now()).await.unwrap();
    assert_eq!(turn_at(&shop, &courier, "2026-03-20T07:31:00Z").await, "accepted");
}

#[tokio::test]
async fn digests_of_long_ago_are_forgotten() {
    let shop = shop("2026-03-20T07:30:00Z", Script::usual(), &[]).await;
    for day in ["2026-03-20", "2026-03-21", "2026-06-19"] {
        shop.store().keep_digest(day.parse().unwrap(), shop.now(), "live", "A digest", "…").await.unwrap();
    }
    let (mut left, mut until): (_, NaiveDate) = (Vec::new(), "2099-01-01".parse().unwrap());
    while let Some(digest) = shop.store().last_digest(until).await.unwrap() {
        until = digest.day.unwrap().pred_opt().unwrap();
        left.insert(0, digest.day.unwrap().to_string());
    }
    assert_eq!(left, ["2026-03-21", "2026-06-19"]);
}

#[tokio::test]
async fn broken_templates_are_in_it_until_they_are_mended() {
    let shop = shop("2026-03-03T07:00:00Z", Script::default(), &[]).await;
    let courier = courier(&shop);
    let fault = "confirmation/subject.txt:1:17 Field `numbr` is not defined";
    shop.store().note_template_fault(Some(fault)).await.unwrap();
    assert_eq!(turn_at(&shop, &courier, "2026-03-03T07:30:00Z").await, "accepted");
    let mail = digests(&shop).remove(0);
    assert_eq!(mail.subject, "Fine Tableware: the templates are broken on 3 March");
    let text = text_of(&mail);
    assert!(text.contains(&format!("THE TEMPLATES ARE BROKEN\n{fault}\nUntil that is mended")), "{text}");
    assert!(!text.contains("Nothing needs you"), "{text}");
    shop.store().note_template_fault(None).await.unwrap();
    assert_eq!(turn_at(&shop, &courier, "2026-03-04T07:30:00Z").await, "accepted");
    assert!(text_of(&digests(&shop)[1]).contains("Nothing needs you today"));
}

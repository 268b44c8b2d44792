//! `pause` and `resume`: what they answer, what they refuse, and what is in force afterwards.

use chrono::{TimeDelta, Utc};
use shipby::clock::Clock;
use shipby::domain::notice::NoticeKind;
use shipby::domain::pause::{Pause, Scope, Setter};

use super::{ORDER, Shop};

fn in_force(shop: &Shop) -> Vec<Pause> {
    shop.ask(async |store| store.pauses(Clock::System.now()).await.unwrap())
}

#[test]
fn a_pause_is_answered_with_its_end_and_resumed_once() {
    let shop = Shop::with(&[ORDER]);
    let (exit, says, _) = shop.run(&["pause", "--sku", " KETTLE-01", "--reason", " a recall "]);
    assert_eq!(exit, 0);
    assert!(says.contains("Mail about KETTLE-01 is paused since "), "{says}");
    assert!(says.ends_with(": a recall\nIt has no end: shipby resume --sku KETTLE-01\n"), "{says}");
    let first = in_force(&shop).remove(0);
    assert_eq!((first.scope.parts(), first.until), (("sku", "KETTLE-01"), None));

    let again = ["pause", "--sku", "KETTLE-01", "--reason", "a lawsuit", "--until", "9999-12-31"];
    let (exit, says, _) = shop.run(&again);
    assert_eq!(exit, 0);
    assert!(says.contains(", until Fri 31 Dec 9999 23:59: a lawsuit\n"), "{says}");
    assert!(says.ends_with("It was paused already; reason and end are now these.\n"), "{says}");
    let second = in_force(&shop);
    assert_eq!((second.len(), second[0].since, second[0].reason.as_str()), (1, first.since, "a lawsuit"));

    let number = shop.ask(async |store| store.open_orders("", 1).await.unwrap().remove(0));
    let document = shop.json(&["pause", "--order", &number, "--reason", "a call", "--until", "90m"]);
    assert_eq!(document["schema"], "shipby.pause/1");
    assert_eq!(
        (&document["pause"]["scope"], &document["pause"]["subject"]),
        (&"order".into(), &number.clone().into())
    );
    let until: chrono::DateTime<Utc> = serde_json::from_value(document["pause"]["until"].clone()).unwrap();
    let since: chrono::DateTime<Utc> = serde_json::from_value(document["pause"]["since"].clone()).unwrap();
    assert_eq!(until - since, TimeDelta::minutes(90));

    let (exit, says, _) = shop.run(&["resume", "--sku", "KETTLE-01"]);
    assert_eq!(exit, 0);
    assert!(
        says.contains("Mail about KETTLE-01 is resumed; what waited goes out now if it is still true.\n"),
        "{says}"
    );
    assert!(
        says.contains(&format!("Paused all the same:\nMail about order {number} is paused since")),
        "{says}"
    );
    let document = shop.json(&["resume", "--order", &number]);
    assert_eq!(document["resumed"]["reason"], "a call");
    let (exit, says, _) = shop.run(&["resume", "--all"]);
    assert_eq!(exit, 0, "it is as it was asked to be");
    assert!(says.ends_with("All mail is not paused; nothing changed.\n"), "{says}");
    assert_eq!(in_force(&shop), []);
}

#[test]
fn a_pause_of_nothing_known_or_without_a_reason_is_refused_with_the_mend() {
    let shop = Shop::with(&[ORDER]);
    for (args, exit, says) in [
        (
            &["pause", "--sku", "KETTLE-1", "--reason", "x"][..],
            4,
            "no order and no supply is of the SKU \"KETTLE-1\"",
        ),
        (&["pause", "--order", "7", "--reason", "x"], 4, "there is no order \"7\""),
        (&["resume", "--order", "7"], 4, "there is no order \"7\""),
        (&["pause", "--reason", "x"], 2, "<WHAT|--all|--sku <SKU>|--order <ORDER>>"),
        (&["pause", "--all", "--sku", "KETTLE-01", "--reason", "x"], 2, "cannot be used with"),
        (&["pause", "--all"], 2, "--reason <TEXT>"),
        (&["pause", "--all", "--reason", " "], 2, "--reason: say why"),
        (&["pause", "--all", "--reason", "x", "--until", "soon"], 2, "write it as in 7d, 48h or 2026-03-31"),
        (&["pause", "--all", "--reason", "x", "--until", "2026-03-31"], 2, "has passed; name an end to come"),
    ] {
        let (code, out, err) = shop.run(args);
        assert_eq!((code, out.as_str()), (exit, ""), "{args:?}: {err}");
        assert!(err.contains(says), "{args:?}: {err}");
    }
    assert_eq!(in_force(&shop), []);
}

#[test]
fn an_end_is_by_the_shop_s_clock() {
    let shop = Shop::with(&[ORDER]);
    shop.run(&["pause", "--all", "--reason", "x", "--until", "2099-07-01T18:00"]);
    assert_eq!(in_force(&shop)[0].until, Some("2099-07-01T16:00:00Z".parse().unwrap()));
    assert_eq!(in_force(&shop)[0].scope, Scope::All);
}

#[test]
fn a_domain_and_a_kind_are_paused_and_resumed_by_name() {
    let shop = Shop::with(&[ORDER]);
    let (exit, says, _) = shop.run(&["pause", "domain:@GMX.de", "--reason", "they block us"]);
    assert_eq!(exit, 0);
    assert!(says.contains("Mail to gmx.de is paused since "), "{says}");
    assert!(says.ends_with(": they block us\nIt has no end: shipby resume domain:gmx.de\n"), "{says}");
    let (exit, says, _) = shop.run(&["pause", "kind:weekly_status", "--reason", "a bad text"]);
    assert_eq!(exit, 0);
    assert!(says.ends_with("It has no end: shipby resume kind:weekly_status\n"), "{says}");
    let scopes: Vec<_> = in_force(&shop).into_iter().map(|pause| pause.scope).collect();
    assert_eq!(scopes, [Scope::Domain("gmx.de".to_owned()), Scope::Kind(NoticeKind::WeeklyStatus)]);
    let document = shop.json(&["resume", "domain:gmx.DE"]);
    assert_eq!(
        (&document["resumed"]["subject"], &document["resumed"]["by"]),
        (&"gmx.de".into(), &"person".into())
    );
    let (_, says, _) = shop.run(&["resume", "kind:weekly_status"]);
    assert!(says.contains("Mail of the kind weekly_status is resumed"), "{says}");
    assert_eq!(in_force(&shop), []);
    for (what, says) in [
        ("kind:newsletter", "kinds are cancelled, refunded"),
        ("domain:gmx", "the domain is not one that mail can be sent to"),
        ("domain:", "no domain stands after the @"),
        ("all:of", "write domain:gmx.de"),
        ("gmx.de", "write domain:gmx.de"),
        ("order:7", "there is no order \"7\""),
    ] {
        let (exit, out, err) = shop.run(&["pause", what, "--reason", "x"]);
        assert!(exit > 0 && out.is_empty() && err.contains(says), "{what}: {exit} {err}");
    }
}

#[test]
fn what_shipby_holds_back_itself_is_said_with_what_ends_it() {
    let shop = Shop::with(&[ORDER]);
    let held = Pause {
        scope: Scope::Domain("gmx.de".to_owned()),
        reason: "its mail server does not trust us: 550 5.7.26 no".to_owned(),
        by: Setter::Shipby,
        since: "2026-03-02T08:00:00Z".parse().unwrap(),
        until: None,
    };
    shop.ask(async |store| store.pause(&held).await.unwrap());
    let (_, says, _) = shop.run(&["queue", "list"]);
    assert!(
        says.contains(
            "Mail to gmx.de is held back by shipby since Mon 02 Mar 09:00: its mail server does not trust us: \
             550 5.7.26 no (shipby resume domain:gmx.de)\n"
        ),
        "{says}"
    );
    assert_eq!(shop.json(&["queue", "list"])["pauses"][0]["by"], "shipby");
}

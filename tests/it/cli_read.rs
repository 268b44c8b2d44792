//! The reading verbs, run as support runs them: what they print and how they end.

mod check;
pub mod house;
mod queue;
mod simulate;
mod template;
mod terminal;

use std::sync::Arc;

use serde_json::{Value, json};
use shipby::catcher::{Answer, Catcher, Script};
use shipby::dispatcher::Transport;
use shipby::domain::notice::NoticeState;
use shipby::domain::pause::{Pause, Scope, Setter};
use shipby::domain::reply::Phase;
use shipby::store::{Durability, Store, digest_id};
use shipby::wiring;

use house::{AT, CONFIG, House, instant, order, slip, story, supply};

#[tokio::test(flavor = "multi_thread")]
async fn a_slip_is_told_by_every_verb_in_words_that_can_be_read_aloud() {
    let house = slip().await;
    for (name, args) in [
        ("why_a_slip", &["why", "1042"][..]),
        ("why_without_an_address", &["why", "1041"]),
        ("why_cancelled", &["why", "1043"]),
        ("why_put_off", &["why", "1044"]),
        ("why_two_lines", &["why", "1045"]),
        ("why_json", &["why", "1042", "--json"]),
        ("history_address", &["history", "ANA@example.com"]),
        ("history_verbose", &["history", "ana@example.com", "-v"]),
        ("history_order", &["history", "1044"]),
        ("history_silent", &["history", "1041"]),
        ("history_json", &["history", "1043", "--json"]),
        ("upcoming", &["upcoming"]),
        ("upcoming_day", &["upcoming", "--until", "2026-03-18"]),
        ("upcoming_json", &["upcoming", "--until", "24h", "--json"]),
        ("digest", &["digest"]),
        ("digest_json", &["digest", "--json"]),
        ("queue", &["queue", "list"]),
        ("queue_json", &["queue", "list", "--json"]),
        ("queue_filtered", &["queue", "list", "state:accepted", "to:@EXAMPLE.com", "kind:weekly_status"]),
        ("queue_before", &["queue", "list", "state:accepted", "to:ana@example.com", "before:2026-03-05"]),
        ("order_show", &["order", "show", "1045"]),
        ("order_show_json", &["order", "show", "1045", "--json"]),
        ("order_list", &["order", "list"]),
        ("order_list_filtered", &["order", "list", "--status", "waiting", "--sku", "POT-02"]),
        ("order_list_json", &["order", "list", "--status", "cancelled", "--json"]),
    ] {
        let args: Vec<&str> = args.iter().copied().chain(["--at", AT]).collect();
        insta::assert_snapshot!(name, house.prints(&args));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_is_shown_as_it_was_sent_and_in_its_parts() {
    let house = slip().await;
    let history = house.json(&["history", "1042", "--at", AT]);
    let id = history["entries"][1]["notice"].as_str().unwrap().to_owned();
    let slip = history["entries"][3]["notice"].as_str().unwrap().to_owned();
    let put_off = house.json(&["history", "1044"])["entries"][0]["notice"].as_str().unwrap().to_owned();

    // What the mail says is its template's; here it is about what stands before and after.
    let frame = |out: String| {
        let (head, rest) = out.split_once("\n\n").unwrap();
        let (body, tail) = rest.rsplit_once("\n\n").unwrap();
        assert!(
            body.starts_with("Hello Ana,\n") && body.contains("Ships by") | body.contains("ships by"),
            "{body}"
        );
        format!("{head}\n\n(the text)\n\n{tail}")
    };
    insta::assert_snapshot!("show", frame(house.prints(&["show", &id[..6]])));
    insta::assert_snapshot!("show_put_off", frame(house.prints(&["show", &put_off, "--at", AT])));
    let raw = house.prints(&["show", &slip, "--raw"]);
    assert!(raw.contains(&format!("Message-ID: <{slip}@tableware.example>\r\n")), "{raw}");
    assert!(raw.ends_with("\r\n") && !raw.replace("\r\n", "").contains('\n'));
    let text = house.prints(&["show", &slip, "--text"]);
    assert!(text.contains("31 March") && !text.contains('\r') && !text.contains("=C3"), "{text}");
    let html = house.prints(&["show", &format!("<{slip}@tableware.example>"), "--html"]);
    assert!(html.contains("<html") && html.contains("31 March"), "{html}");

    let shown = house.json(&["show", &slip]);
    assert_eq!(shown["schema"], "shipby.show/1");
    assert_eq!((&shown["text"], &shown["html"], &shown["raw"]), (&json!(text), &json!(html), &json!(raw)));
    assert_eq!(shown["headers"]["to"], "Ana <ana@example.com>");
    assert_eq!(shown["attempts"][0]["reply"], "250 2.0.0 queued as 00000008");

    let plain_only = house.run(&["show", &id, "--html"]);
    assert_eq!(plain_only, (4, String::new(), "shipby: this update_48h has no HTML part\n".to_owned()));
    let unknown = house.run(&["show", "0123456789abcdef"]);
    assert_eq!((unknown.0, unknown.1.as_str()), (4, ""));
    assert_eq!(house.run(&["show", "confirmation"]).0, 2);
    assert_eq!(house.run(&["show", &id, "--text", "--raw"]).0, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_beginning_of_an_id_must_name_one_notice() {
    let house = slip().await;
    let all = house.json(&["queue", "list", "state:accepted"]);
    let ids: Vec<&str> =
        all["notices"].as_array().unwrap().iter().map(|notice| notice["notice"].as_str().unwrap()).collect();
    let twice = |id: &&&str| ids.iter().filter(|other| other[..1] == id[..1]).count() > 1;
    let first = ids.iter().find(twice).expect("two ids that begin alike");
    let (code, out, err) = house.run(&["show", &first[..1]]);
    assert_eq!((code, out.as_str()), (2, ""));
    assert!(err.contains(first) && err.ends_with("write more of it\n"), "{err}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_speaks_of_mail_says_that_no_customer_gets_it() {
    let house = House::new("capture");
    house.play(Transport::Capture, &story()[..4], "2026-03-02T09:00:00Z").await;
    for args in [
        &["why", "1042"][..],
        &["history", "1042"],
        &["upcoming"],
        &["queue", "list"],
        &["order", "list"],
        &["order", "show", "1042"],
        &["digest"],
    ] {
        let out = house.prints(args);
        assert!(out.starts_with("mode capture: customers get no mail\n"), "{args:?}: {out}");
        assert_eq!(house.json(args)["mode"], "capture", "{args:?}");
    }
    let out = house.prints(&["history", "1042", "--at", "2026-03-02T09:00:00Z"]);
    assert!(out.contains("confirmation  captured  Order 1042 confirmed: ships by 20 March  kept;"), "{out}");
    assert!(!out.contains("accepted"), "{out}");

    let redirect = CONFIG.replace("MODE", "redirect");
    std::fs::write(house.path("config.toml"), redirect).unwrap();
    let out = house.prints(&["upcoming"]);
    assert!(
        out.starts_with("mode redirect: customers get no mail, all of it goes to us@tableware.example\n")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_said_with_its_own_exit_code() {
    let house = House::new("live");
    for args in [
        &["why", "1042"][..],
        &["history", "ana@example.com"],
        &["upcoming"],
        &["queue", "list"],
        &["digest"],
    ] {
        let (code, out, err) = house.run(args);
        assert_eq!((code, out.as_str()), (69, ""), "{args:?}");
        assert!(err.contains("shipby.db: there is no database yet"), "{err}");
    }
    assert!(!house.path("shipby.db").exists());

    house.play(Transport::Capture, &[supply("2026-03-01T08:00:00Z", "2026-03-16")], AT).await;
    for (args, said) in [
        (&["why", "7"][..], "there is no order \"7\""),
        (&["order", "show", "7"], "there is no order \"7\""),
        (&["history", "7"], "there is no order \"7\"; give its number or a customer's address"),
        (&["history", "ana@example.com"], "nothing is known of ana@example.com: no order, no mail"),
        (&["show", "7"], "there is no notice \"7\"; `shipby history` lists them"),
        (&["digest", "--last"], "no digest was written yet; the daemon does, at [schedule] digest_at"),
    ] {
        assert_eq!(house.run(args), (4, String::new(), format!("shipby: {said}\n")));
        let (code, _, err) = house.run(&[args, &["--json"][..]].concat());
        let error: Value = serde_json::from_str(&err).unwrap();
        assert_eq!((code, error), (4, json!({"error": said, "exit": 4})));
    }
    assert_eq!(house.prints(&["upcoming", "--at", AT]), "Nothing until Wed 25 Mar 12:00.\n");
    assert_eq!(house.prints(&["order", "list"]), "No order matches.\n");
    let nothing = "Nothing waits: no notice is under way, held or in doubt.\n";
    assert_eq!(house.prints(&["queue", "list"]), nothing);
}

#[test]
fn a_question_that_cannot_be_read_is_a_matter_of_usage() {
    let house = House::new("live");
    for (args, mend) in [
        (
            &["queue", "list", "colour:red"][..],
            "filters are state:, kind:, to:, order:, sku:, before: and notice:",
        ),
        (&["queue", "list", "state:sent"], "states are queued, sending, deferred, in_doubt, held, accepted"),
        (&["queue", "list", "kind:weekly"], "kinds are cancelled, refunded, shipped"),
        (&["queue", "list", "to:gmx.de"], "write an address, or to:@example.com"),
        (&["queue", "list", "before:march"], "write a day, as in before:2026-03-01"),
        (&["queue", "list", "order:1", "order:2"], "order: is given twice"),
        (&["order", "list", "--status", "late"], "statuses are waiting, open, shipped and cancelled"),
        (&["upcoming", "--until", "soon"], "write it as in 7d, 48h or 2026-03-31"),
        (&["why", "1", "--at", "noon"], "write an instant with its zone"),
    ] {
        let (code, out, err) = house.run(args);
        assert_eq!((code, out.as_str()), (2, ""), "{args:?}: {err}");
        assert!(err.contains(mend), "{args:?}: {err}");
    }
}

#[test]
fn the_unit_names_absolute_paths() {
    let house = House::new("live");
    let out = house.prints(&["unit", "--binary", "bin/shipby"]);
    assert!(out.contains("\nExecStart=/shop/bin/shipby serve --config /shop/config.toml\n"), "{out}");
    assert!(out.contains("\nReadWritePaths=/shop\n"), "{out}");
    let document = house.json(&["unit"]);
    assert_eq!(document["schema"], "shipby.unit/1");
    assert!(document["unit"].as_str().unwrap().contains("ExecStart=/"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_digest_is_shown_as_it_was_written_with_what_became_of_it() {
    let house = House::new("live");
    house.play(Transport::Capture, &story()[..4], "2026-03-02T09:00:00Z").await;
    let config = house.config();
    let store = Store::open(&config.database.path, Durability::Full).await.unwrap();
    let (day, at) = ("2020-01-01".parse().unwrap(), house::instant(AT));
    store.keep_digest(day, at, "live", "All is well", "Nothing.\n").await.unwrap();
    let next = at + chrono::TimeDelta::minutes(1);
    store
        .settle_ops_mail(&digest_id(day), "live", (NoticeState::Deferred, Some(next)), "451 4.3.0 later", at)
        .await
        .unwrap();
    let last = house.json(&["digest", "--last"]);
    assert_eq!(
        (&last["text"], &last["state"], &last["attempts"]),
        (&json!("Nothing.\n"), &json!("deferred"), &json!(1))
    );
    store
        .settle_ops_mail(&digest_id(day), "live", (NoticeState::Accepted, None), "250 2.0.0 ok", at)
        .await
        .unwrap();
    store.close().await;
    assert_eq!(
        house.prints(&["digest", "--last"]),
        "Digest of 2020-01-01, accepted: 250 2.0.0 ok\nSubject: All is well\n\nNothing.\n"
    );
    assert_eq!(house.run(&["digest", "--last", "--at", AT]).0, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_digest_lists_ten_of_each_concern_to_people_and_all_to_programs() {
    let house = House::new("live");
    let many: Vec<Value> = (0..23)
        .map(|n| order(&format!("{}", 2000 + n), "2026-03-02T08:00:00Z", Some("ana@example.com"), 1))
        .collect();
    house.play(Transport::Capture, &many, "2026-03-02T09:00:00Z").await;
    let at = "2026-03-21T09:00:00Z";
    let out = house.prints(&["digest", "--at", at]);
    assert_eq!(out.lines().filter(|line| line.starts_with("- 2")).count(), 20, "{out}");
    let all = house.json(&["digest", "--at", at]);
    assert_eq!(all["counts"], json!({"overdue": 23, "authorization": 23}));
    assert_eq!(all["findings"].as_array().unwrap().len(), 46);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_forecast_is_counted_first_and_cut() {
    let house = House::new("live");
    let many: Vec<Value> = (0..120)
        .map(|n| order(&format!("{}", 2000 + n), "2026-03-02T08:00:00Z", Some("ana@example.com"), 1))
        .collect();
    house.play(Transport::Capture, &many, "2026-03-02T09:00:00Z").await;
    let at = "2026-03-02T09:00:00Z";
    let out = house.prints(&["upcoming", "--until", "10d", "--at", at]);
    assert!(
        out.starts_with(
            "240 notices until Thu 12 Mar 10:00, if nothing changes\n\n\
             Wed 04 Mar  120  update_48h\nWed 11 Mar  120  weekly_status\n\nThe first 50\n\
             Wed 04 Mar 09:00  2000  update_48h\n"
        ),
        "{out}"
    );
    assert!(out.ends_with("and 190 more; all of them with --json, fewer with --until\n"));
    let document = house.json(&["upcoming", "--until", "10d", "--at", at]);
    assert_eq!((document["total"].as_u64(), document["notices"].as_array().unwrap().len()), (Some(240), 240));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_can_know_or_what_was_refused_is_said_in_so_many_words() {
    let house = House::new("live");
    let script = Script::new(|dialogue| match (dialogue.phase, dialogue.to) {
        (Phase::Body, "ana@example.com") => Answer::TakeAndClose,
        (Phase::Rcpt, "ben@example.com") => Answer::reply("550 5.1.1 no such user"),
        _ => Answer::Usual,
    });
    let catcher = Catcher::start(script).await.unwrap();
    let relay = wiring::local_relay("127.0.0.1", catcher.addr().port()).unwrap();
    house.play(Transport::Smtp(Arc::new(relay)), &story()[..4], "2026-03-02T09:00:00Z").await;
    let at = "2026-03-02T09:00:00Z";
    insta::assert_snapshot!("doubt_history", house.prints(&["history", "1042", "--at", at]));
    insta::assert_snapshot!("doubt_queue", house.prints(&["queue", "list", "--at", at]));
    insta::assert_snapshot!("failed_history", house.prints(&["history", "1040", "--at", at]));
    let failed = house.json(&["queue", "list", "state:failed"]);
    assert_eq!(failed["notices"][0]["reply"], "550 5.1.1 no such user");
    let checked = house.prints(&["check"]);
    assert!(checked.contains("1 notice needs a person: shipby queue list"), "{checked}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_paused_is_said_by_every_verb_that_speaks_of_mail() {
    let house = slip().await;
    let store = house.store().await;
    let pause = |scope, reason: &str, until: Option<&str>| Pause {
        by: Setter::Person,
        scope,
        reason: reason.to_owned(),
        since: instant("2026-03-18T08:00:00Z"),
        until: until.map(instant),
    };
    let sku = Scope::Sku("KETTLE-01".to_owned());
    store.pause(&pause(sku, "a recall", Some("2026-03-20T17:00:00Z"))).await.unwrap();
    store.pause(&pause(Scope::Order("1045".to_owned()), "a lawsuit\u{1b}[31m", None)).await.unwrap();
    store.close().await;
    for (name, args) in [
        ("paused_why", &["why", "1042"][..]),
        ("paused_why_twice", &["why", "1045"]),
        ("paused_queue", &["queue", "list"]),
        ("paused_upcoming", &["upcoming"]),
    ] {
        let args: Vec<&str> = args.iter().copied().chain(["--at", AT]).collect();
        insta::assert_snapshot!(name, house.prints(&args));
    }
    let kettles = json!({"scope": "sku", "subject": "KETTLE-01", "reason": "a recall",
        "by": "person", "since": "2026-03-18T08:00:00Z", "until": "2026-03-20T17:00:00Z"});
    assert_eq!(house.json(&["why", "1042", "--at", AT])["pauses"], json!([kettles]));
    assert_eq!(house.json(&["queue", "list", "--at", AT])["pauses"][1], kettles);
    let upcoming = house.json(&["upcoming", "--at", AT]);
    let paused = |notice: &&Value| notice["paused"] == json!(true);
    let count = upcoming["notices"].as_array().unwrap().iter().filter(paused).count();
    assert!(count > 0 && upcoming["pauses"].as_array().unwrap().len() == 2, "{upcoming}");
    // Once it has ended by itself nothing is said of it.
    let later = house.prints(&["why", "1042", "--at", "2026-03-20T17:00:00Z"]);
    assert!(!later.contains("paused"), "{later}");
    let checked = house.prints(&["check"]);
    assert!(checked.contains("Mail about order 1045 is paused since"), "{checked}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_that_is_held_back_is_not_said_to_go_out_now() {
    let house = House::new("live");
    let store = house.store().await;
    let since = instant("2026-03-02T08:00:00Z");
    let by = Setter::Person;
    let pause = Pause { scope: Scope::All, reason: "a recall".to_owned(), by, since, until: None };
    store.pause(&pause).await.unwrap();
    store.close().await;
    house.play(Transport::Capture, &story()[..4], "2026-03-02T09:00:00Z").await;
    let at = "2026-03-02T09:00:00Z";
    insta::assert_snapshot!("held_back_queue", house.prints(&["queue", "list", "--at", at]));
    insta::assert_snapshot!("held_back_why", house.prints(&["why", "1042", "--at", at]));
    let history = house.prints(&["history", "1042", "--at", at]);
    assert!(history.contains("queued  -  held back by a pause\n"), "{history}");
    let document = house.json(&["queue", "list", "--at", at]);
    assert!(document["notices"].as_array().unwrap().iter().all(|notice| notice["paused"] == json!(true)));
}

//! The verbs of `queue` that change something: what is shown before, what is refused, what is said after.

use std::sync::Arc;

use serde_json::json;
use shipby::catcher::{Answer, Catcher, Script};
use shipby::dispatcher::Transport;
use shipby::domain::reply::Phase;
use shipby::wiring;

use super::house::{House, order};

/// Seven orders whose confirmations were refused.
async fn refused() -> House {
    let house = House::new("live");
    let script = Script::at(Phase::Rcpt, Answer::reply("550 5.2.0 not today"));
    let catcher = Catcher::start(script).await.unwrap();
    let relay = wiring::local_relay("127.0.0.1", catcher.addr().port()).unwrap();
    let numbers: Vec<String> = (1..=7).map(|n| format!("104{n}")).collect();
    let facts: Vec<_> = numbers
        .iter()
        .map(|number| order(number, "2026-03-02T08:14:00Z", Some(&format!("a{number}@example.com")), 1))
        .collect();
    house.play(Transport::Smtp(Arc::new(relay)), &facts, "2026-03-02T09:00:00Z").await;
    house
}

async fn states(house: &House) -> Vec<String> {
    let store = house.store().await;
    let mut states = Vec::new();
    for n in 1..=7 {
        states.push(store.timeline(&format!("104{n}")).await.unwrap().remove(0).state);
    }
    store.close().await;
    states
}

#[tokio::test(flavor = "multi_thread")]
async fn before_a_change_there_is_a_count_and_five_samples_and_without_a_yes_nothing_is_done() {
    let house = refused().await;
    let (code, out, err) = house.run(&["queue", "retry", "state:failed", "to:@example.com"]);
    assert_eq!((code, out.as_str()), (2, ""));
    let lines: Vec<&str> = err.lines().collect();
    assert_eq!(lines[0], "shipby: 7 notices would be tried again:");
    assert!(lines[1].starts_with("  Mon 02 Mar 09:14  1041  "), "{err}");
    assert!(lines[1].ends_with("confirmation  failed  a1041@example.com  550 5.2.0 not today"), "{err}");
    assert_eq!(
        lines[6..],
        [
            "  and 2 more",
            "Then: what is not true any more is replaced by what is",
            "Nothing was done: nobody is there to be asked; add --yes to do it"
        ]
    );
    assert_eq!(states(&house).await, ["failed"; 7]);

    let (code, out, err) = house.run(&["queue", "retry", "state:failed", "order:1043", "--yes"]);
    let done = "1 notice is tried again: what is not true any more is replaced by what is\n";
    assert_eq!((code, out.as_str(), err.as_str()), (0, done, ""));
    assert_eq!(states(&house).await[2], "queued");
    let held = house.json(&["queue", "hold", "sku:KETTLE-01", "--yes"]);
    assert_eq!(
        held,
        json!({"schema": "shipby.queue_change/1", "change": "hold", "notices": 1, "left_alone": {}})
    );
    let list = house.prints(&["queue", "list", "sku:KETTLE-01", "state:held"]);
    assert!(list.contains("1043") && list.contains("a person holds it until it is released"), "{list}");
    let released = house.prints(&["queue", "release", "state:held", "--yes"]);
    assert!(released.starts_with("1 notice is released: "), "{released}");
    let dropped = house.json(&["queue", "drop", "kind:confirmation", "--yes"]);
    assert_eq!((&dropped["change"], &dropped["notices"]), (&json!("drop"), &json!(1)));
    assert_eq!(states(&house).await[2], "skipped");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_match_or_cannot_be_read_is_said_and_changes_nothing() {
    let house = refused().await;
    for (args, exit, says) in [
        (&["queue", "retry"][..], 2, "<FILTER>"),
        (&["queue", "retry", "state:gone", "--yes"], 2, "states are queued"),
        (&["queue", "hold", "sku:", "--yes"], 2, "write a SKU"),
        (&["queue", "drop", "notice:xyz", "--yes"], 2, "write an id"),
        (&["queue", "retry", "batch:1", "--yes"], 2, "a batch is held already"),
        (&["queue", "drop", "batch:1", "sku:X", "--yes"], 2, "name it alone"),
        (&["queue", "drop", "batch:1", "--yes"], 4, "no batch 1 is held"),
        (&["queue", "release", "1", "--yes"], 4, "no batch 1 is held"),
        (&["queue", "hold", "state:failed", "--yes"], 4, "no notice matches that could be held"),
        (&["queue", "release", "sku:POT-02", "--yes"], 4, "no notice matches that could be released"),
    ] {
        let (code, out, err) = house.run(args);
        assert_eq!((code, out.as_str()), (exit, ""), "{args:?}: {err}");
        assert!(err.contains(says), "{args:?}: {err}");
    }
    assert_eq!(states(&house).await, ["failed"; 7]);
    house.prints(&["suppress", "add", "a1041@example.com"]);
    let (code, _, err) = house.run(&["queue", "retry", "order:1041", "--yes"]);
    assert_eq!(code, 4);
    assert!(err.contains("1 notice is left alone: the address gets no mail; ask for another"), "{err}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_captured_is_found_by_the_word_it_is_shown_with_and_who_finds_nothing_is_told_where_to_look()
{
    let house = House::new("capture");
    let facts = [order("1042", "2026-03-02T08:14:00Z", Some("ana@example.com"), 1)];
    house.play(Transport::Capture, &facts, "2026-03-02T09:00:00Z").await;
    let listed = house.json(&["queue", "list", "state:captured", "kind:confirmation"]);
    assert_eq!((&listed["total"], &listed["notices"][0]["order"]), (&json!(1), &json!("1042")), "{listed}");
    assert_eq!(house.json(&["queue", "list", "state:redirected"])["total"], 0);
    let (_, open, _) = house.run(&["queue", "list", "kind:confirmation"]);
    assert!(open.contains("for others name the state, as in state:accepted"), "{open}");
}

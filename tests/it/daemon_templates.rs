//! The built binary and its template folder: what is saved is used, what is broken changes nothing and is told of.

use std::path::PathBuf;
use std::time::Duration;

use shipby::clock::Clock;
use shipby::store::Store;

use crate::support::daemon::{House, record, until};
use crate::support::facts::order;
use crate::template_check::{files_of, put};

const LONG: Duration = Duration::from_secs(30);
const SUBJECT: &str = "confirmation/subject.txt";

fn folder(house: &House) -> PathBuf {
    let dir = house.config().with_file_name("templates");
    files_of(&[]).for_each(|(name, text)| put(&dir, name, text));
    dir
}

/// The subject of the confirmation of a new order.
async fn subject(store: &Store, number: &str) -> String {
    record(store, [order(number)]).await;
    let accepted = async || store.timeline(number).await.unwrap().pop().filter(|e| e.state == "accepted");
    until(LONG, accepted).await.subject.unwrap()
}

async fn kept(store: &Store) -> String {
    store.last_template_set().await.unwrap().unwrap().hash
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_saved_is_used_and_what_is_broken_leaves_the_last_good_set_at_work_also_over_a_start() {
    let house = House::quiet();
    let dir = folder(&house);
    let mut daemon = house.serve();
    let store = house.store().await;
    let first = kept(&store).await;
    assert!(subject(&store, "1").await.starts_with("Order 1 confirmed"));

    put(&dir, SUBJECT, "Saved {{ order.number }}");
    until(LONG, async || (kept(&store).await != first).then_some(())).await;
    let saved = kept(&store).await;
    assert_eq!(subject(&store, "2").await, "Saved 2");

    put(&dir, SUBJECT, "Broken {{ order.numbr }}");
    daemon.signal("HUP");
    let broken = "templates broken, the last good set is used: confirmation/subject.txt:1:17 Field `numbr`";
    house.hear_status(broken);
    assert_eq!(subject(&store, "3").await, "Saved 3");
    let fault = until(LONG, async || store.template_fault().await.unwrap()).await;
    assert!(fault.starts_with("confirmation/subject.txt:1:17 Field `numbr`"), "{fault}");
    std::fs::remove_file(dir.join(SUBJECT)).unwrap();
    daemon.signal("HUP");
    house.hear_status("confirmation/subject.txt:1:1 is missing");
    assert_eq!(subject(&store, "4").await, "Saved 4");
    assert_eq!(kept(&store).await, saved);

    daemon.signal("TERM");
    assert_eq!(daemon.ended().code(), Some(0));
    let daemon = house.serve();
    assert!(house.log().contains("the templates are broken; the last set that passed is used"));
    assert_eq!(subject(&store, "5").await, "Saved 5");

    put(&dir, SUBJECT, "Mended {{ order.number }}");
    until(LONG, async || (kept(&store).await != saved).then_some(())).await;
    assert_eq!(subject(&store, "6").await, "Mended 6");
    until(LONG, async || store.template_fault().await.unwrap().is_none().then_some(())).await;
    daemon.signal("TERM");
}

#[tokio::test]
async fn a_folder_that_never_passed_ends_the_start_with_its_place() {
    let house = House::quiet();
    let dir = folder(&house);
    put(&dir, SUBJECT, "{% if %}");
    let refused = || {
        let refused = house.command().output().unwrap();
        assert_eq!(refused.status.code(), Some(78));
        let said = String::from_utf8(refused.stderr).unwrap();
        let error = said.lines().find(|line| line.starts_with("shipby: ")).unwrap();
        assert!(error.contains("confirmation/subject.txt:1:7 "), "{error}");
    };
    refused();
    // A set that passed with another shipby and does not with this one is no help.
    let store = house.store().await;
    let old = [("base.txt".to_owned(), "{{ gone }}".to_owned())].into();
    store.keep_template_set("old", &old, Clock::System.now()).await.unwrap();
    store.close().await;
    refused();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_that_takes_long_or_writes_without_end_does_not_hold_the_daemon_up() {
    let house = House::quiet();
    let dir = folder(&house);
    let daemon = house.serve();
    let store = house.store().await;
    let turns =
        "{% for a in range(end=500) %}{% for b in range(end=500) %}{% endfor %}{% endfor %}{{ order.numbr }}";
    put(&dir, SUBJECT, turns);
    daemon.signal("HUP");
    assert!(subject(&store, "1").await.starts_with("Order 1 confirmed"));
    house.hear_status("Field `numbr` is not defined");
    put(&dir, SUBJECT, "{% for a in range(end=90000) %}{{ a }} is a number {% endfor %}");
    house.hear_status("renders to more than 1 MiB");
    assert!(subject(&store, "2").await.starts_with("Order 2 confirmed"));
}

//! `shipby recover`: a backup of yesterday, and mails that went out since.

use std::time::Duration;

use shipby::catcher::{Answer, Catcher, Script};
use shipby::domain::reply::Phase;

use crate::support::daemon::{House, record, until};
use crate::support::facts::{order_of, shipment};

const LONG: Duration = Duration::from_secs(30);

fn recover(house: &House, args: &[&str]) -> (Option<i32>, String) {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_shipby"));
    let done = command.arg("--config").arg(house.config()).arg("recover").args(args).output().unwrap();
    let said = if done.stdout.is_empty() { done.stderr } else { done.stdout };
    (done.status.code(), String::from_utf8(said).unwrap())
}

/// A house that has gone live and stands still.
async fn gone_live(catcher: &Catcher) -> House {
    let house = House::live(catcher.addr().port());
    let mut daemon = house.serve();
    daemon.signal("TERM");
    assert_eq!(daemon.ended().code(), Some(0));
    house
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_backup_was_restored_nothing_that_came_due_since_is_sent_again_and_what_is_new_goes_out() {
    // One mail of before the backup is in doubt in it, and would be tried once more.
    let doubtful = Script::new(|dialogue| match (dialogue.phase, dialogue.to, dialogue.attempt) {
        (Phase::Body, "c0@example.com", 1) => Answer::TakeAndClose,
        _ => Answer::Usual,
    });
    let catcher = Catcher::start(doubtful).await.unwrap();
    let house = gone_live(&catcher).await;
    let mut daemon = house.serve();
    let store = house.store().await;
    record(&store, [order_of("0", "c0@example.com")]).await;
    let doubt = async || store.timeline("0").await.unwrap().pop().filter(|entry| entry.state == "in_doubt");
    until(LONG, doubt).await;
    daemon.signal("TERM");
    daemon.ended();
    record(&store, (1..=8).map(|n| order_of(&n.to_string(), &format!("c{n}@example.com")))).await;
    let backup = house.config().with_file_name("backup.db");
    store.copy_to(&backup).await.unwrap();

    // What the backup knows nothing of.
    let mut daemon = house.serve();
    let since = catcher.wait_for(9);
    tokio::time::timeout(LONG, since).await.unwrap();
    daemon.signal("TERM");
    daemon.ended();
    store.close().await;
    std::fs::copy(&backup, house.database()).unwrap();

    let (code, asked) = recover(&house, &[]);
    assert_eq!(code, Some(2), "{asked}");
    assert!(asked.contains("9 confirmation\n") && asked.contains("and 4 more"), "{asked}");
    assert!(asked.contains("add --yes"), "{asked}");
    let (code, said) = recover(&house, &["--yes"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.starts_with("9 mails are held that came due since "), "{said}");
    let (code, said) = recover(&house, &["--yes"]);
    assert!(code == Some(0) && said.starts_with("0 mails are held"), "{said}");

    let mut daemon = house.serve();
    let (code, refused) = recover(&house, &["--yes"]);
    assert!(code == Some(69) && refused.contains("stop that one first"), "{refused}");
    let store = house.store().await;
    // The orders go on: what happens from now on is told.
    record(&store, [order_of("new", "new@example.com"), shipment("S-1", "3")]).await;
    tokio::time::timeout(LONG, catcher.wait_for(11)).await.unwrap();
    let told = |n: &str| {
        let n = n.to_owned();
        let store = store.clone();
        async move {
            let entries = store.timeline(&n).await.unwrap();
            entries.iter().map(|e| format!("{} {}", e.occasion, e.state)).collect::<Vec<_>>()
        }
    };
    let accepted = async || (told("3").await == ["confirmation held", "shipped/S-1 accepted"]).then_some(());
    until(LONG, accepted).await;
    for n in 0..=8 {
        let held = store.timeline(&n.to_string()).await.unwrap().remove(0);
        assert_eq!((held.state.as_str(), held.reason.as_deref()), ("held", Some("restored")), "{n}");
    }
    assert_eq!(catcher.count(), 11, "only the new order and the shipment");

    // A person knows that this one never arrived.
    let mut release = std::process::Command::new(env!("CARGO_BIN_EXE_shipby"));
    release.arg("--config").arg(house.config()).args(["queue", "release", "order:5", "--yes"]);
    assert!(release.output().unwrap().status.success());
    tokio::time::timeout(LONG, catcher.wait_for(12)).await.unwrap();
    assert_eq!(catcher.mails().pop().unwrap().to, ["c5@example.com"]);
    daemon.signal("TERM");
    assert_eq!(daemon.ended().code(), Some(0));
}

//! The built binary: one owner per database, told to stop, killed, and a fact that another process recorded.

use std::sync::Arc;
use std::time::Duration;

use shipby::catcher::{Answer, Catcher, Script};
use shipby::domain::notice::NoticeState;
use shipby::domain::reply::Phase;
use shipby::store::{Lock, StoreError};
use tokio::sync::Notify;

use crate::support::daemon::{House, record, until};
use crate::support::facts::{order, order_of};

const LONG: Duration = Duration::from_secs(30);

#[test]
fn a_database_has_one_owner_until_it_dies() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shipby.db");
    let lock = Lock::take(&path).unwrap();
    let error = Lock::take(&path).unwrap_err();
    assert!(matches!(error, StoreError::Locked { .. }), "{error}");
    drop(lock);
    Lock::take(&path).unwrap();
}

#[test]
fn a_second_daemon_refuses_with_one_clear_line_and_the_first_goes_on() {
    let house = House::quiet();
    let mut first = house.serve();
    let second = house.command().output().unwrap();
    assert_eq!(second.status.code(), Some(69));
    let said = String::from_utf8(second.stderr).unwrap();
    let errors: Vec<_> = said.lines().filter(|line| line.starts_with("shipby: ")).collect();
    let path = house.database();
    assert_eq!(
        errors,
        [format!("shipby: {} is in use by another shipby daemon; stop that one first", path.display())]
    );
    first.signal("KILL");
    first.ended();
    // The lock went with the process.
    let mut third = house.serve();
    third.signal("TERM");
    assert_eq!(third.ended().code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_process_records_is_acted_on_within_two_seconds() {
    let house = House::quiet();
    let mut daemon = house.serve();
    let store = house.store().await;
    record(&store, [order("1")]).await;
    let confirmed = until(Duration::from_secs(2), async || store.timeline("1").await.unwrap().pop()).await;
    assert_eq!(confirmed.kind, "confirmation");
    let settled = async || store.timeline("1").await.unwrap().pop().filter(|e| e.state == "accepted");
    let accepted = until(Duration::from_secs(2), settled).await;
    assert_eq!(accepted.mode.as_deref(), Some("capture"));
    assert!(store.kept(&accepted.notice.unwrap()).await.unwrap()[0].bytes.is_some());
    daemon.signal("TERM");
    house.apply_accepted("STOPPING=1");
    assert_eq!(daemon.ended().code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn told_to_stop_it_finishes_the_mail_in_flight() {
    let at_the_dot = Arc::new(Notify::new());
    let reached = at_the_dot.clone();
    let script = Script::new(move |dialogue| match dialogue.phase {
        Phase::Body => {
            reached.notify_one();
            Answer::After(Duration::from_millis(700), Box::new(Answer::Usual))
        }
        _ => Answer::Usual,
    });
    let catcher = Catcher::start(script).await.unwrap();
    let house = House::live(catcher.addr().port());
    let mut daemon = house.serve();
    let store = house.store().await;
    record(&store, [order("1")]).await;
    tokio::time::timeout(LONG, at_the_dot.notified()).await.unwrap();
    daemon.signal("TERM");
    house.apply_accepted("STOPPING=1");
    assert_eq!(daemon.ended().code(), Some(0));
    let timeline = store.timeline("1").await.unwrap();
    assert_eq!((timeline[0].state.as_str(), timeline[0].attempts), ("accepted", 1));
    assert_eq!(catcher.count(), 1);
}

/// A relay that never answers after the dot, and what tells when it is there.
async fn hanging() -> (Arc<Notify>, Catcher) {
    let at_the_dot = Arc::new(Notify::new());
    let reached = at_the_dot.clone();
    let script = Script::new(move |dialogue| match dialogue.phase {
        Phase::Body => {
            reached.notify_one();
            Answer::Silence
        }
        _ => Answer::Usual,
    });
    (at_the_dot, Catcher::start(script).await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_mails_that_are_never_answered_keep_no_third_one_waiting() {
    let script = Script::new(|dialogue| match (dialogue.phase, dialogue.to) {
        (Phase::Body, "slow1@example.com" | "slow2@example.com") => Answer::Silence,
        _ => Answer::Usual,
    });
    let catcher = Catcher::start(script).await.unwrap();
    let house = House::live(catcher.addr().port());
    let mut daemon = house.serve();
    let store = house.store().await;
    record(&store, [order_of("1", "slow1@example.com"), order_of("2", "slow2@example.com")]).await;
    let sending = async || {
        let counts = store.counts().await.unwrap().notices.remove("confirmation")?;
        counts.get("sending").filter(|count| **count == 2).copied()
    };
    until(LONG, sending).await;
    record(&store, [order_of("3", "quick@example.com")]).await;
    until(LONG, async || store.timeline("3").await.unwrap().pop().filter(|e| e.state == "accepted")).await;
    daemon.signal("TERM");
    house.apply_accepted("STOPPING=1");
    daemon.signal("TERM");
    assert_eq!(daemon.ended().code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_imported_to_be_told_before_the_first_daemon_ran_is_told() {
    let catcher = Catcher::start(Script::usual()).await.unwrap();
    let house = House::live(catcher.addr().port());
    let store = house.store().await;
    record(&store, [order("1")]).await;
    let mut daemon = house.serve();
    until(LONG, async || store.timeline("1").await.unwrap().pop().filter(|e| e.state == "accepted")).await;
    assert_eq!(catcher.mails()[0].to, ["ana@example.com"]);
    daemon.signal("TERM");
    assert_eq!(daemon.ended().code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_holds_no_address_that_a_server_names_in_its_refusal() {
    let script = Script::new(|dialogue| match dialogue.phase {
        Phase::Rcpt => Answer::reply(format!("530 5.7.0 <{}>: authentication required", dialogue.to)),
        _ => Answer::Usual,
    });
    let catcher = Catcher::start(script).await.unwrap();
    let house = House::live(catcher.addr().port());
    let mut daemon = house.serve();
    record(&house.store().await, [order("1")]).await;
    house.hear_log("530 5.7.0");
    daemon.signal("TERM");
    assert_eq!(daemon.ended().code(), Some(0));
    assert!(!house.log().contains("ana@"), "{}", house.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn told_twice_it_leaves_a_hung_relay_and_the_mail_is_in_doubt() {
    let (at_the_dot, catcher) = hanging().await;
    let house = House::live(catcher.addr().port());
    let mut daemon = house.serve();
    let store = house.store().await;
    record(&store, [order("1")]).await;
    tokio::time::timeout(LONG, at_the_dot.notified()).await.unwrap();
    daemon.signal("TERM");
    house.apply_accepted("STOPPING=1");
    daemon.signal("TERM");
    assert_eq!(daemon.ended().code(), Some(0));
    let timeline = store.timeline("1").await.unwrap();
    assert_eq!(timeline[0].state, "in_doubt");
    assert!(timeline[0].next_try().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn told_once_it_leaves_a_hung_relay_when_its_grace_is_over_and_the_mail_is_in_doubt() {
    let (at_the_dot, catcher) = hanging().await;
    let house = House::live(catcher.addr().port());
    let mut daemon = house.start_with(&[("SHIPBY__DELIVERY__GRACE", "1s")]);
    house.apply_accepted("READY=1");
    let store = house.store().await;
    record(&store, [order("1")]).await;
    tokio::time::timeout(LONG, at_the_dot.notified()).await.unwrap();
    daemon.signal("TERM");
    house.apply_accepted("STOPPING=1");
    house.hear_log("the relay did not answer in time");
    assert_eq!(daemon.ended().code(), Some(0));
    let timeline = store.timeline("1").await.unwrap();
    assert_eq!((timeline[0].state.as_str(), timeline[0].attempts), ("in_doubt", 1));
    assert!(timeline[0].next_try().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn told_to_stop_amid_many_mails_it_leaves_nothing_in_doubt_and_the_next_start_sends_the_rest() {
    const ORDERS: u64 = 200;
    let slow = Script::at(Phase::Body, Answer::After(Duration::from_millis(20), Box::new(Answer::Usual)));
    let catcher = Catcher::start(slow).await.unwrap();
    let house = House::live(catcher.addr().port());
    let mut daemon = house.serve();
    let store = house.store().await;
    record(&store, (0..ORDERS).map(|n| order_of(&n.to_string(), &format!("c{n}@example.com")))).await;
    for (signal, sent) in [("TERM", 20), ("INT", 60)] {
        tokio::time::timeout(LONG, catcher.wait_for(sent)).await.unwrap();
        daemon.signal(signal);
        assert_eq!(daemon.ended().code(), Some(0));
        let states = store.counts().await.unwrap().notices.remove("confirmation").unwrap();
        let taken = i64::try_from(catcher.count()).unwrap();
        let queued = ORDERS as i64 - taken;
        let expected = [("accepted", taken), ("queued", queued)].map(|(state, n)| (state.to_owned(), n));
        assert_eq!(states.into_iter().collect::<Vec<_>>(), expected);
        assert!(queued > 0, "it was over before it was told to stop");
        daemon = house.serve();
    }
    tokio::time::timeout(LONG, catcher.wait_for(ORDERS)).await.unwrap();
    daemon.signal("TERM");
    assert_eq!(daemon.ended().code(), Some(0));
    assert_eq!(catcher.count(), ORDERS);
}

#[tokio::test]
async fn a_database_that_cannot_be_written_ends_the_start_with_one_line() {
    let house = House::quiet();
    house.store().await.close().await;
    let mut bytes = std::fs::read(house.database()).unwrap();
    // A file format that may be read only.
    bytes[18] = 3;
    std::fs::write(house.database(), bytes).unwrap();
    let refused = house.command().output().unwrap();
    assert_eq!(refused.status.code(), Some(69));
    let said = String::from_utf8(refused.stderr).unwrap();
    let errors: Vec<_> = said.lines().filter(|line| line.starts_with("shipby: ")).collect();
    let path = house.database();
    assert_eq!(errors, [format!("shipby: {}: attempt to write a readonly database", path.display())]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_digest_is_brought_once_and_a_mail_server_that_hangs_on_it_keeps_no_customer_waiting() {
    const OPS: &str = "ops@tableware.example";
    let hangs = Script::new(|dialogue| match (dialogue.phase, dialogue.to) {
        (Phase::Body, OPS) => Answer::Silence,
        _ => Answer::Usual,
    });
    let catcher = Catcher::start(hangs).await.unwrap();
    let house = House::live(catcher.addr().port());
    let config = std::fs::read_to_string(house.config()).unwrap();
    let alerts = format!("{config}[schedule]\ndigest_at = \"00:00\"\n[alerts]\nto = \"{OPS}\"\n");
    std::fs::write(house.config(), alerts).unwrap();
    let mut daemon = house.serve();
    let store = house.store().await;
    let digest = async || store.last_digest("2099-01-01".parse().unwrap()).await.unwrap();
    let sending = async || digest().await.filter(|digest| digest.state == NoticeState::Sending);
    until(LONG, sending).await;
    record(&store, [order("1")]).await;
    let settled = async || store.timeline("1").await.unwrap().pop().filter(|entry| entry.state == "accepted");
    until(LONG, settled).await;
    assert_eq!(digest().await.unwrap().state, NoticeState::Sending);
    daemon.signal("KILL");
    daemon.ended();
    let mut daemon = house.serve();
    let doubtful = async || digest().await.filter(|digest| digest.state == NoticeState::InDoubt);
    until(LONG, doubtful).await;
    daemon.signal("TERM");
    assert_eq!(daemon.ended().code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_holds_the_daemon_until_it_is_resumed_and_both_are_seen_within_two_seconds() {
    let house = House::quiet();
    let store = house.store().await;
    let says = |args: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_shipby"));
        assert!(command.arg("--config").arg(house.config()).args(args).output().unwrap().status.success());
    };
    says(&["pause", "--all", "--reason", "stock count"]);
    let mut daemon = house.serve();
    house.apply_accepted("STATUS=nothing tried yet; paused: all mail (stock count)");
    record(&store, [order("1")]).await;
    let queued = until(Duration::from_secs(2), async || store.timeline("1").await.unwrap().pop()).await;
    assert_eq!(queued.state, "queued");
    // A turn of the dispatcher after that.
    says(&["pause", "--all", "--reason", "still counting"]);
    house.apply_accepted("STATUS=nothing tried yet; paused: all mail (still counting)");
    assert_eq!(store.timeline("1").await.unwrap()[0].state, "queued");
    says(&["resume", "--all"]);
    let settled = async || store.timeline("1").await.unwrap().pop().filter(|e| e.state == "accepted");
    until(Duration::from_secs(2), settled).await;
    house.apply_accepted("STATUS=1 tries settled; relay ok");
    daemon.signal("TERM");
    assert_eq!(daemon.ended().code(), Some(0));
}

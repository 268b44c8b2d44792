//! The built binary without file descriptors to spare: what is open goes on working, and nothing is lost for it.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use shipby::catcher::{Answer, Catcher, Script};
use shipby::domain::reply::Phase;
use shipby::store::Store;

use crate::support::daemon::{Daemon, House, record, until};
use crate::support::facts::order_of;

const LONG: Duration = Duration::from_secs(30);

/// From now on the daemon may open nothing beyond the descriptors it has.
fn take_the_rest(daemon: &Daemon) {
    let is_free = |fd: &u64| !Path::new(&format!("/proc/{}/fd/{fd}", daemon.id())).exists();
    // The next one would get the lowest free number; looked for often, for some are taken for a moment only.
    let lowest = (0..30).map(|_| {
        std::thread::sleep(Duration::from_millis(5));
        (0..).find(is_free).unwrap()
    });
    limit(daemon, lowest.min().unwrap());
}

fn limit(daemon: &Daemon, descriptors: u64) {
    let mut prlimit = Command::new("prlimit");
    prlimit.arg(format!("--pid={}", daemon.id())).arg(format!("--nofile={descriptors}:1024"));
    assert!(prlimit.status().unwrap().success());
}

async fn accepted(store: &Store) -> u64 {
    let states = store.counts().await.unwrap().notices.remove("confirmation").unwrap_or_default();
    states.get("accepted").copied().unwrap_or(0).try_into().unwrap()
}

/// How often the log has these words.
fn logged(house: &House, words: &str) -> usize {
    house.log().matches(words).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn without_descriptors_for_more_connections_the_mail_goes_over_those_that_are_open() {
    const ORDERS: u64 = 200;
    let slow = Script::at(Phase::Body, Answer::After(Duration::from_millis(5), Box::new(Answer::Usual)));
    let catcher = Catcher::start(slow).await.unwrap();
    let house = House::live(catcher.addr().port());
    let mut daemon = house.serve();
    let store = house.store().await;
    record(&store, [order_of("first", "first@example.com")]).await;
    until(LONG, async || (accepted(&store).await == 1).then_some(())).await;
    let open = catcher.connections();
    take_the_rest(&daemon);
    record(&store, (0..ORDERS).map(|n| order_of(&n.to_string(), &format!("c{n}@example.com")))).await;
    until(LONG, async || (accepted(&store).await == ORDERS + 1).then_some(())).await;
    assert_eq!((catcher.count(), catcher.connections()), (ORDERS + 1, open), "each once, over what was open");
    // It asks for one more now and then, as mails are accepted, and never because time passes.
    let asked = logged(&house, "one connection less");
    assert!((1..20).contains(&asked), "asked {asked} times");
    daemon.signal("TERM");
    assert_eq!(daemon.ended().code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_descriptor_for_any_connection_the_mail_waits_and_goes_once_there_is_one() {
    const ORDERS: u64 = 20;
    let catcher = Catcher::start(Script::usual()).await.unwrap();
    let house = House::live(catcher.addr().port());
    let config = std::fs::read_to_string(house.config()).unwrap();
    std::fs::write(house.config(), config.replace("concurrency = 8", "retry = [\"1s\"]")).unwrap();
    let mut daemon = house.serve();
    take_the_rest(&daemon);
    let store = house.store().await;
    record(&store, (0..ORDERS).map(|n| order_of(&n.to_string(), &format!("c{n}@example.com")))).await;
    house.hear_log("Too many open files");
    assert_eq!(catcher.connections(), 0);
    limit(&daemon, 1_024);
    until(LONG, async || (accepted(&store).await == ORDERS).then_some(())).await;
    assert_eq!(catcher.count(), ORDERS, "each once");
    assert_eq!(store.timeline("0").await.unwrap()[0].attempts, 1, "what could not be tried was counted");
    daemon.signal("TERM");
    assert_eq!(daemon.ended().code(), Some(0));
}

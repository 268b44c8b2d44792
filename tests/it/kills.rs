//! The built binary killed without a warning, again and again, at random moments.
//!
//! Chance decides the moments, and what the scheduler makes of them.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::time::Duration;

use mail_parser::MessageParser;
use serde_json::json;
use shipby::catcher::{Answer, Catcher, Script};
use shipby::clock::{Clock, Simulated};
use shipby::config::Config;
use shipby::domain::reply::Phase;
use shipby::simulation::Simulation;
use shipby::store::{NoticeFilter, Store};
use shipby::wiring;

use crate::support::chance::Chance;
use crate::support::daemon::{House, record, until};
use crate::support::facts::{line, order_of};
use crate::support::raw::Raw;

const LONG: Duration = Duration::from_secs(30);
/// Connections of a live house.
const CONNECTIONS: usize = 8;

/// How many confirmations are in a state.
async fn count(store: &Store, state: &str) -> usize {
    let counts = store.counts().await.unwrap().notices;
    let count = counts.get("confirmation").and_then(|states| states.get(state)).copied();
    usize::try_from(count.unwrap_or(0)).unwrap()
}

/// What the relay took: Message-ID, and each copy's bytes.
fn copies(catcher: &Catcher) -> BTreeMap<String, Vec<Vec<u8>>> {
    let mut copies: BTreeMap<String, Vec<Vec<u8>>> = BTreeMap::new();
    for mail in catcher.mails() {
        let id = MessageParser::default().parse(&mail.bytes).unwrap().message_id().unwrap().to_owned();
        copies.entry(id).or_default().push(mail.bytes);
    }
    copies
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_twenty_times_under_load_it_loses_nothing_and_doubles_only_what_was_in_doubt() {
    const KILLS: usize = 20;
    const ORDERS_A_LIFE: usize = 40;
    let mut chance = Chance::new();
    let slow = Script::at(Phase::Body, Answer::After(Duration::from_millis(4), Box::new(Answer::Usual)));
    let catcher = Catcher::start(slow).await.unwrap();
    let house = House::live(catcher.addr().port());
    house.serve().signal("KILL");
    let store = house.store().await;
    let (mut orders, mut doubtful) = (0, 0);
    for life in 0..KILLS {
        let new =
            (orders..orders + ORDERS_A_LIFE).map(|n| order_of(&n.to_string(), &format!("c{n}@example.com")));
        record(&store, new).await;
        orders += ORDERS_A_LIFE;
        let mut daemon = house.start();
        // One in four dies while it starts, the others amid their mails.
        if chance.below(4) > 0 {
            let more = catcher.count() + 1 + chance.below(ORDERS_A_LIFE as u64 / 2);
            let sent = tokio::time::timeout(LONG, catcher.wait_for(more)).await;
            assert!(sent.is_ok(), "{}", house.log());
            tokio::time::sleep(chance.millis(0..5)).await;
        } else {
            tokio::time::sleep(chance.millis(0..250)).await;
        }
        daemon.signal("KILL");
        daemon.ended();
        // This life's doubts come to light with the next one's start.
        let now = count(&store, "in_doubt").await;
        assert!(now - doubtful <= CONNECTIONS, "{} doubts after kill {life}", now - doubtful);
        doubtful = now;
    }
    let mut daemon = house.serve();
    let settled =
        async || (count(&store, "accepted").await + count(&store, "in_doubt").await == orders).then_some(());
    until(LONG, settled).await;
    daemon.signal("TERM");
    assert_eq!(daemon.ended().code(), Some(0));
    let now = count(&store, "in_doubt").await;
    assert!(now - doubtful <= CONNECTIONS, "{} doubts after the last kill", now - doubtful);
    // Until a doubt has lasted its quarter of an hour, nothing came twice.
    assert!(copies(&catcher).values().all(|copies| copies.len() == 1));
    let in_doubt = ids_in_doubt(&store).await;

    later(&house, &store).await;
    assert_eq!(count(&store, "accepted").await, orders);
    let copies = copies(&catcher);
    assert_eq!(copies.len(), orders, "one Message-ID for each order");
    for (id, copies) in copies {
        assert!(copies.len() <= if in_doubt.contains(&id) { 2 } else { 1 }, "{id}: {}", copies.len());
        assert!(copies.iter().all(|copy| *copy == copies[0]), "{id}");
    }
}

/// The Message-IDs of what is in doubt.
async fn ids_in_doubt(store: &Store) -> Vec<String> {
    let in_doubt = NoticeFilter { state: Some("in_doubt".to_owned()), ..NoticeFilter::default() };
    let found = store.find_notices(&in_doubt, u32::MAX).await.unwrap();
    found
        .iter()
        .map(|found| format!("{}@tableware.example", found.entry.notice.as_deref().unwrap()))
        .collect()
}

/// A quarter of an hour after the last doubt.
async fn later(house: &House, store: &Store) {
    let text = std::fs::read_to_string(house.config()).unwrap();
    let config = Config::parse(&house.config(), &text, std::iter::empty()).unwrap();
    let hand = Simulated::at(Clock::System.now() + chrono::TimeDelta::minutes(16));
    let clock = Clock::Simulated(hand.clone());
    let dispatcher = wiring::dispatcher(&config, store.clone(), clock, "later".to_owned()).unwrap();
    let mut later =
        Simulation { store: store.clone(), dispatcher, policy: config.policy(), hand: hand.clone() };
    later.step(hand.now(), &[]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_killed_at_any_moment_leaves_whole_orders_and_the_next_brings_the_rest() {
    const ORDERS: usize = 3_000;
    let mut chance = Chance::new();
    let house = House::quiet();
    let mut file = String::new();
    for n in 0..ORDERS {
        let mut order = order_of(&format!("{n}"), &format!("c{n}@example.com"));
        order["lines"] = json!([line("1", "KETTLE"), line("2", "POT"), line("3", "PAN")]);
        file.push_str(&format!("{order}\n"));
    }
    let path = house.config().with_file_name("orders.jsonl");
    std::fs::write(&path, file).unwrap();
    let import = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_shipby"));
        command.arg("--config").arg(house.config()).arg("import").arg(&path);
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    };
    let mut before = 0;
    for _ in 0..5 {
        let mut importing = import();
        std::thread::sleep(chance.millis(0..700));
        importing.kill().unwrap();
        importing.wait().unwrap();
        if !house.database().exists() {
            continue;
        }
        // What is not there yet is made as the next command would make it.
        house.store().await.close().await;
        let (orders, lines) = orders_and_lines(&house).await;
        assert_eq!(lines, 3 * orders, "an order is there wholly or not at all");
        assert!(orders >= before, "what was there has gone");
        before = orders;
    }
    assert!(import().wait().unwrap().success());
    assert_eq!(orders_and_lines(&house).await, (ORDERS, 3 * ORDERS));
}

async fn orders_and_lines(house: &House) -> (usize, usize) {
    let mut raw = Raw::at(&house.database()).await;
    (raw.count("orders").await, raw.count("lines").await)
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_the_database_is_made_it_makes_it_whole_at_the_next_start() {
    let mut chance = Chance::new();
    for _ in 0..8 {
        let house = House::quiet();
        for _ in 0..3 {
            let mut daemon = house.start();
            std::thread::sleep(chance.millis(0..120));
            daemon.signal("KILL");
            daemon.ended();
        }
        let mut daemon = house.serve();
        let store = house.store().await;
        record(&store, [order_of("1", "ana@example.com")]).await;
        let settled = async || (count(&store, "accepted").await == 1).then_some(());
        until(LONG, settled).await;
        daemon.signal("KILL");
        daemon.ended();
    }
}

//! The whole way, measured: recording, planning, sending, and what an idle house costs.
//!
//! `cargo bench --bench house` runs all of it; `-- plan`, `-- send`, `-- queue` or `-- idle` a part. Sizes can be set
//! with ORDERS (default 20,000), QUEUE (default 100,000) and IDLE (default 1,000,000). Everything runs on a real SQLite file with full
//! synchronisation and, for sending, a real SMTP dialogue over loopback with a server that counts.

use std::path::Path;
use std::time::{Duration, Instant as Wall};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use shipby::catcher::Catcher;
use shipby::clock::Clock;
use shipby::domain::fact::{Fact, Source};
use shipby::domain::order::apply::Notify;
use shipby::domain::policy::Policy;
use shipby::intake::{self, Options, submit};
use shipby::store::{Durability, Store};
use shipby::{planner, wiring};
use tokio_util::sync::CancellationToken;

mod shop;
use shop::{config, dispatcher, figure, fill, order, peak_megabytes, start};

fn main() {
    let asked: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let wants = |part: &str| asked.is_empty() || asked.iter().any(|word| word == part);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        if wants("plan") || wants("send") {
            plan_and_send(size("ORDERS", 20_000), wants("send")).await;
        }
        if wants("queue") {
            one_queue(size("QUEUE", 100_000)).await;
        }
        if wants("idle") {
            idle(size("IDLE", 1_000_000)).await;
        }
    });
}

fn size(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Orders recorded, their confirmations planned, rendered, kept, sent and settled durably.
async fn plan_and_send(orders: usize, send: bool) {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    let policy = config.policy();
    let store = Store::open(&folder.path().join("bench.db"), Durability::Full).await.unwrap();
    let (clock, _hand) = Clock::simulated(start());
    let wall = Wall::now();
    fill(&store, orders, start(), Notify::All).await;
    figure("recorded", orders, wall.elapsed());
    let wall = Wall::now();
    store.cover_dirty(start(), &policy).await.unwrap();
    figure("queues covered (1,000 SKUs), lines", orders, wall.elapsed());
    let wall = Wall::now();
    let planned = planner::turn(&store, &policy, start()).await.unwrap().queued;
    figure("planned: facts loaded, notices saved", planned, wall.elapsed());
    if send {
        let catcher = Catcher::counting().await.unwrap();
        let relay = wiring::local_relay("127.0.0.1", catcher.addr().port()).unwrap();
        let mut dispatcher = dispatcher(&config, &store, clock, relay, 16);
        let wall = Wall::now();
        let report = dispatcher.drain(&CancellationToken::new()).await.unwrap();
        figure("sent: rendered, kept, accepted, settled", report.settled, wall.elapsed());
        assert_eq!(catcher.count(), planned as u64, "every mail once");
        dispatcher.close().await;
    }
    store.close().await;
}

/// One change of a supply, and one receipt, that very many orders wait for; each in a shop of its own, so that neither has
/// the other's notices to take back.
async fn one_queue(orders: usize) {
    let folder = tempfile::tempdir().unwrap();
    let mut policy = config(folder.path()).policy();
    policy.blast_limit = usize::MAX;
    let now = start() + TimeDelta::days(1);

    let store = queue_of(orders, &folder.path().join("change.db"), &policy).await;
    let changed = supply("2026-03-27", now);
    let wall = Wall::now();
    let (_, impact) = intake::impact(&store, &changed, now, &policy).await.unwrap();
    figure("one supply change, dry run", impact.count(), wall.elapsed());
    let wall = Wall::now();
    record_one(&store, changed, now).await;
    planner::turn(&store, &policy, now).await.unwrap();
    let planned = planner::turn(&store, &policy, now + policy.debounce).await.unwrap().queued;
    figure("one supply change, all notices planned", planned, wall.elapsed());
    store.close().await;

    let store = queue_of(orders, &folder.path().join("receipt.db"), &policy).await;
    let receipt = json!({"fact": "receipt", "at": now, "id": "R-1", "sku": "SKU-0", "quantity": orders});
    let receipt = intake::fact(receipt, now).unwrap();
    let wall = Wall::now();
    record_one(&store, receipt, now).await;
    let planned = planner::turn(&store, &policy, now).await.unwrap().queued;
    figure("one receipt, all notices planned", planned, wall.elapsed());
    println!("{:<44} {:>9} MB", "resident memory at its peak", peak_megabytes());
    store.close().await;
}

/// Orders that all wait for one supply, a day after they came in.
async fn queue_of(orders: usize, path: &Path, policy: &Policy) -> Store {
    let store = Store::open(path, Durability::Full).await.unwrap();
    let now = start();
    record_one(&store, supply("2026-03-16", now), now).await;
    for from in (0..orders).step_by(1_000) {
        let facts: Vec<Fact> = (from..orders.min(from + 1_000)).map(|number| order(number, 0, now)).collect();
        let silently = Options { notify: Notify::Future, ..Options::at(now) };
        submit(&store, Source::Import, &facts, silently).await.unwrap();
    }
    planner::turn(&store, policy, now).await.unwrap();
    planner::turn(&store, policy, now + TimeDelta::days(1)).await.unwrap();
    store
}

fn supply(eta: &str, at: DateTime<Utc>) -> Fact {
    let fact = json!({"fact": "supply", "at": at, "sku": "SKU-0", "supply": "PO-1", "eta": eta, "state": "in_transit"});
    intake::fact(fact, at).unwrap()
}

async fn record_one(store: &Store, fact: Fact, at: DateTime<Utc>) {
    submit(store, Source::Import, [fact], Options::at(at)).await.unwrap();
}

/// A million orders that wait and of which none is due.
async fn idle(orders: usize) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bench.db");
    let policy = config(folder.path()).policy();
    let store = Store::open(&path, Durability::None).await.unwrap();
    let wall = Wall::now();
    fill(&store, orders, start(), Notify::Future).await;
    figure("recorded, nobody mailed", orders, wall.elapsed());
    let wall = Wall::now();
    planner::turn(&store, &policy, start()).await.unwrap();
    figure("covered and scheduled", orders, wall.elapsed());
    planner::wake_after_change(&store, &policy, start()).await.unwrap();
    store.close().await;

    let wall = Wall::now();
    let store = Store::open(&path, Durability::Full).await.unwrap();
    let now = start() + TimeDelta::hours(1);
    store.recover(now, &policy).await.unwrap();
    assert!(!planner::wake_after_change(&store, &policy, now).await.unwrap());
    println!("{:<44} {:>9.2?}", "opened and recovered (start to ready)", wall.elapsed());
    let mut sweeps: Vec<Duration> = Vec::new();
    for _ in 0..200 {
        let wall = Wall::now();
        let counts = planner::turn(&store, &policy, now).await.unwrap();
        sweeps.push(wall.elapsed());
        assert_eq!(counts.orders, 0);
    }
    sweeps.sort();
    println!("{:<44} {:>9.2?} (median of 200)", format!("idle sweep over {orders} open orders"), sweeps[100]);
    println!("{:<44} {:>9} MB", "resident memory at its peak", peak_megabytes());
    store.close().await;
}

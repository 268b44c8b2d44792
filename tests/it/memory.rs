//! The built binary and very many notices due at one time: its memory does not grow with them.

use std::time::Duration;

use shipby::clock::Clock;
use shipby::store::Store;

use crate::support::daemon::{Daemon, House, record};
use crate::support::facts::{line, order_of};

/// The highest resident memory of the daemon so far, in KiB.
fn peak(daemon: &Daemon) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// What the daemon needs at most to plan and send this many notices that are due when it starts.
async fn peak_of(orders: usize) -> u64 {
    let house = House::quiet();
    let store = house.store().await;
    fill(&store, orders).await;
    let daemon = house.serve();
    while !all_are_confirmed(&store, orders).await {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    peak(&daemon)
}

async fn all_are_confirmed(store: &Store, orders: usize) -> bool {
    let now = Clock::System.now();
    // To count costs more than to ask whether there is more to do.
    if store.agenda(now).await.unwrap().at().is_some_and(|next| next <= now) {
        return false;
    }
    let confirmations = store.counts().await.unwrap().notices.remove("confirmation").unwrap_or_default();
    confirmations.get("accepted") == Some(&(orders as i64))
}

async fn fill(store: &Store, orders: usize) {
    for from in (0..orders).step_by(1_000) {
        let facts = (from..orders.min(from + 1_000)).map(|n| {
            let mut order = order_of(&n.to_string(), &format!("c{n}@example.com"));
            order["lines"] = serde_json::json!([line("1", &format!("SKU-{}", n % 1_000))]);
            order
        });
        record(store, facts).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_ten_times_as_many_notices_due_the_daemon_needs_no_more_memory() {
    let (few, many) = (peak_of(2_000).await, peak_of(20_000).await);
    assert!(many < few + 16 * 1024, "{few} KiB with 2,000 notices, {many} KiB with 20,000");
}

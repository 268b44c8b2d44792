//! The shop that is measured: its configuration, its orders, its way out, and how a figure is shown.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::json;
use shipby::clock::{self, Clock};
use shipby::config::{Config, Mode};
use shipby::dispatcher::{Dispatcher, Settings, Transport};
use shipby::domain::fact::{Fact, Source};
use shipby::domain::order::apply::Notify;
use shipby::intake::{self, Options, submit};
use shipby::mail::Relay;
use shipby::store::Store;
use shipby::wiring;

pub fn start() -> DateTime<Utc> {
    "2026-03-02T09:00:00Z".parse().unwrap()
}

pub fn order(number: usize, sku: usize, at: DateTime<Utc>) -> Fact {
    let fact = json!({"fact": "order", "at": at, "order": format!("B{number:07}"), "placed_at": at,
        "customer": {"email": format!("customer{number}@example.com"), "name": "Ana"},
        "lines": [{"id": "1", "sku": format!("SKU-{sku}"), "title": "Copper kettle", "quantity": 1,
            "kind": "backorder", "promised": "2026-03-20"}]});
    intake::fact(fact, at).unwrap()
}

pub async fn fill(store: &Store, orders: usize, at: DateTime<Utc>, notify: Notify) {
    for from in (0..orders).step_by(1_000) {
        let facts: Vec<Fact> =
            (from..orders.min(from + 1_000)).map(|number| order(number, number % 1_000, at)).collect();
        submit(store, Source::Import, &facts, Options { notify, ..Options::at(at) }).await.unwrap();
    }
}

pub fn config(folder: &Path) -> Config {
    Config::parse(
        &folder.join("config.toml"),
        "[shop]\nname = \"Kettle & Co\"\nfrom = \"a@shop.example\"\n",
        std::iter::empty(),
    )
    .unwrap()
}

/// A live dispatcher with so many connections at one time.
pub fn dispatcher(
    config: &Config,
    store: &Store,
    clock: Clock,
    relay: Relay,
    concurrency: usize,
) -> Dispatcher {
    let settings = Settings {
        owner: "bench".to_owned(),
        mode: Mode::Live,
        allowed: config.delivery.allowed.clone(),
        concurrency,
        rate: None,
        breaker: 20,
        policy: config.policy(),
        built: clock::built(),
    };
    let transport = Transport::Smtp(Arc::new(relay));
    Dispatcher::new(store.clone(), clock, transport, wiring::renderer(config).unwrap(), settings)
}

pub fn figure(what: &str, count: usize, took: Duration) {
    let rate = count as f64 / took.as_secs_f64();
    println!("{what:<44} {count:>9} in {took:>9.2?}  {rate:>10.0} a second");
}

/// The process's highest resident memory.
pub fn peak_megabytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0) / 1024
}

//! Two years of a made-up shop through the real planner and dispatcher on a simulated clock, as `shipby simulate` does it.
//!
//! `cargo bench --bench years`; ORDERS (default 10,000) sets the size. Everything is the same in every run; the facts are
//! those of the tests of the same name.

use std::time::Instant as Wall;

use shipby::clock::Clock;
use shipby::config::Config;
use shipby::dispatcher::Transport;
use shipby::simulation::Simulation;
use shipby::store::{Durability, Store};
use shipby::wiring;

#[path = "../it/support/years.rs"]
mod years;

const SEED: u8 = 7;

fn main() {
    let orders = std::env::var("ORDERS").ok().and_then(|text| text.parse().ok()).unwrap_or(10_000);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(measure(orders));
}

async fn measure(orders: u64) {
    let folder = tempfile::tempdir().unwrap();
    let text = "[shop]\nname = \"Kettle & Co\"\nfrom = \"a@shop.example\"\n";
    let config = Config::parse(&folder.path().join("config.toml"), text, std::iter::empty()).unwrap();
    let facts = years::facts(orders, SEED);
    let store = Store::open(&folder.path().join("years.db"), Durability::Simulated).await.unwrap();
    let (clock, hand) = Clock::simulated(facts[0].at());
    let dispatcher = wiring::simulated(&config, store.clone(), clock, "years", Transport::Capture).unwrap();
    let mut simulation = Simulation { store, dispatcher, policy: config.policy(), hand };

    let wall = Wall::now();
    let (mut moments, mut mails) = (0, 0);
    let mut coming = facts.iter().peekable();
    let mut due = simulation.next().await.unwrap();
    while let Some(at) = due.at().into_iter().chain(coming.peek().map(|fact| fact.at())).min() {
        let mut now = Vec::new();
        while let Some(fact) = coming.next_if(|fact| fact.at() <= at) {
            now.push(fact.clone());
        }
        if now.is_empty() && coming.peek().is_none() {
            break;
        }
        let moment = simulation.go_on(due, at, &now).await.unwrap();
        mails += moment.settled;
        due = moment.next;
        moments += 1;
    }
    let took = wall.elapsed();
    println!("{} facts, {moments} moments, {mails} mails in {took:.2?}", facts.len());
    println!(
        "{:.0} µs a moment, {:.0} mails a second",
        took.as_secs_f64() * 1e6 / f64::from(moments),
        mails as f64 / took.as_secs_f64()
    );
    simulation.store.close().await;
}

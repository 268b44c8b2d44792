//! What a store owes to those who use it, whatever database it is on: every public method of [`Store`], used in a way that
//! would fail if it did nothing. A file for each wing of the store, two more for the outbox: what goes wrong on the way
//! (`recovery`), and what a person does to it (`operator`).
//!
//! What always holds: nothing here knows which database it is; [`driver`] does.

pub mod driver;
mod operator;
mod ops;
mod orders;
mod outbox;
mod read;
mod recovery;
mod store;

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;
use shipby::domain::order::apply::Notify as Tell;
use shipby::domain::order::settle::Outcome;
use shipby::planner;
use shipby::store::{Claim, Entry, Outcomes, Owner, Ready, Settlement, Staged, TriedNotice};

use crate::layers::files;
use crate::support::app::TestApp;
use crate::support::facts::{order_of, supply};

const START: &str = "2026-03-02T08:00:00Z";
/// Who takes notices here.
const OWNER: &str = "me";

/// A shop whose orders are planned and not yet taken.
async fn planned(numbers: &[&str]) -> TestApp {
    let shop = TestApp::start(START).await;
    shop.only_record(supply("2026-03-16"), Tell::All).await;
    for number in numbers {
        shop.only_record(order_of(number, &format!("{number}@example.com")), Tell::All).await;
    }
    plan(&shop).await;
    shop
}

async fn plan(shop: &TestApp) -> usize {
    planner::turn(shop.store(), &shop.sim.policy, shop.now()).await.unwrap().queued
}

/// Takes what is ready; `bytes` are what a first try would send. Says what is in our hands then.
async fn take(shop: &TestApp, bytes: &[u8]) -> Vec<Ready> {
    take_ready(shop, shop.store().ready(shop.now(), 100).await.unwrap(), bytes).await
}

async fn take_ready(shop: &TestApp, ready: Vec<Ready>, bytes: &[u8]) -> Vec<Ready> {
    let stage = |ready: &Ready| staged(shop, &ready.id, bytes);
    let claim = Claim {
        notices: ready.iter().map(|ready| (ready.id.clone(), ready.revision)).collect(),
        staged: ready.iter().filter(|ready| ready.message.is_none()).map(stage).collect(),
        settled: Vec::new(),
    };
    let owner = Owner { name: OWNER, mode: "live" };
    let taken = shop.store().claim(owner, shop.now(), claim).await.unwrap();
    let mut ready: Vec<Ready> = ready.into_iter().filter(|ready| taken.contains(&ready.id)).collect();
    ready.iter_mut().for_each(|ready| ready.order.begin_try());
    ready
}

/// A mail of these bytes.
fn staged(shop: &TestApp, id: &str, bytes: &[u8]) -> Staged {
    let (subject, template_hash) = ("news".to_owned(), "hash".to_owned());
    Staged { id: id.to_owned(), subject, template_hash, body: shop.store().pack(bytes) }
}

fn settlement(ready: &Ready, outcome: Outcome, shop: &TestApp) -> Settlement {
    let Ready { id, order, notice, attempt, revision, .. } = ready.clone();
    let tried = TriedNotice { id, notice, order, revision, attempt };
    Settlement {
        phase: Some("body"),
        reply: Some("250 ok".to_owned()),
        look: Some(shop.now()),
        ..Settlement::of(tried, outcome, shop.now(), &shop.sim.policy)
    }
}

/// Settles tries that are in our hands.
async fn settle(shop: &TestApp, settled: Vec<Settlement>) {
    let outcomes = Outcomes { settled, ..Outcomes::default() };
    shop.store().commit(OWNER, shop.now(), &outcomes, &shop.sim.policy).await.unwrap();
}

/// A fact as it is recorded.
fn entry(shop: &TestApp, fact: Value) -> Entry {
    shipby::intake::fact(fact, shop.now()).unwrap().into()
}

/// The names of the public methods of `Store`.
fn methods(src: &Path) -> BTreeSet<String> {
    let mut found = Vec::new();
    files(src, &mut found);
    let mut methods = BTreeSet::new();
    for path in found {
        let text = std::fs::read_to_string(path).unwrap();
        for block in text.split("\nimpl Store {").skip(1) {
            let block = block.split("\n}").next().unwrap();
            let public = block.split("\n    pub ").skip(1).map(|rest| rest.trim_start_matches("async "));
            let names = public.filter_map(|rest| rest.strip_prefix("fn ")?.split(['(', '<']).next());
            methods.extend(names.map(str::to_owned));
        }
    }
    methods
}

#[test]
fn every_public_method_of_the_store_is_in_the_suite() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut here = Vec::new();
    files(&root.join("tests/it/contract"), &mut here);
    let here: String = here.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect();
    let methods = methods(&root.join("src/store"));
    assert!(methods.len() > 50, "the test reads the wrong folder");
    let is_missing =
        |name: &&String| !here.contains(&format!(".{name}(")) && !here.contains(&format!("::{name}("));
    let missing: Vec<&String> = methods.iter().filter(is_missing).collect();
    assert!(missing.is_empty(), "no test of the suite uses {missing:?}");
}

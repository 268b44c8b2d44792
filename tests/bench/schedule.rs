//! How many orders one core plans in a second: those with nothing due, which is nearly all of them at any
//! moment, and those that are owed a notice.

use chrono::{NaiveDate, TimeDelta};
use chrono_tz::{America, Asia, Europe, Tz};
use divan::counter::ItemsCount;
use shipby::domain::calendar::Instant;
use shipby::domain::customer::{Customer, EmailAddress};
use shipby::domain::fact::{LineFact, LineKind, OrderFact};
use shipby::domain::order::apply::{Notify, place};
use shipby::domain::order::{Debounce, Order};
use shipby::domain::policy::Policy;
use shipby::domain::schedule::schedule;
use shipby::domain::supply::{Cover, Eta, SupplyState};

fn main() {
    divan::main();
}

const ORDERS: usize = 10_000;

/// Thursday, 12 March, 15:00 in UTC.
fn now() -> Instant {
    Instant::from_timestamp(1_773_327_600, 0).expect("a moment in 2026")
}

fn day(ahead: u64) -> NaiveDate {
    now().date_naive() + chrono::Days::new(ahead)
}

fn policy() -> Policy {
    Policy { zone: Europe::Berlin, ..Policy::default() }
}

/// The `n`th of the waiting orders: one to three lines, customers all over the world, heard of up to five days ago.
fn waiting(n: usize) -> Order {
    let zones = [None, Some(Europe::Berlin), Some(America::New_York), Some(Asia::Tokyo), Some(Tz::UTC)];
    let days = TimeDelta::days(i64::try_from(n % 5).unwrap_or(0));
    let placed = now() - TimeDelta::days(6) - days;
    let line = |id: usize| LineFact {
        id: id.to_string(),
        sku: format!("SKU-{id}"),
        title: "Kettle".to_owned(),
        quantity: 1,
        unit_price: None,
        kind: if id == 2 { LineKind::InStock } else { LineKind::Backorder },
        promised: (!n.is_multiple_of(4)).then(|| day(20)),
    };
    let fact = OrderFact {
        at: placed,
        order: n.to_string(),
        placed_at: placed,
        channel: None,
        payment: None,
        currency: None,
        partial: None,
        customer: Customer {
            email: EmailAddress::parse("ana@example.com").ok(),
            timezone: zones[n % zones.len()],
            ..Customer::default()
        },
        lines: (0..n % 3 + 1).map(line).collect(),
    };
    let mut order = place(&fact, placed, Notify::All);
    (order.contact.confirmed, order.contact.updated) = (true, true);
    order.contact.last_at = Some(now() - days);
    for line in order.lines.iter_mut().filter(|line| line.kind != LineKind::InStock) {
        let eta = Some(Eta::day(day(14)));
        line.cover = Cover::Supply { supply: "PO-77".to_owned(), eta, state: SupplyState::InTransit };
        line.ever_covered = true;
        line.told = Some(day(18));
    }
    order
}

/// A third each: a weekly status, a slip, goods in the house.
fn owed(n: usize) -> Order {
    let mut order = waiting(n);
    match n % 3 {
        0 => order.contact.last_at = Some(now() - TimeDelta::days(8)),
        1 => {
            order.lines[0].told = Some(day(3));
            let moved = now() - TimeDelta::minutes(20);
            order.contact.debounce = Some(Debounce { first: moved, last: moved });
        }
        _ => order.lines[0].cover = Cover::Received { on: day(0) },
    }
    order
}

fn plan(bencher: divan::Bencher, order: fn(usize) -> Order) {
    let orders: Vec<_> = (0..ORDERS).map(order).collect();
    let (policy, now) = (policy(), now());
    bencher.counter(ItemsCount::new(ORDERS)).bench_local(|| {
        orders.iter().filter(|order| schedule(order, divan::black_box(now), &policy).due.is_some()).count()
    });
}

#[divan::bench]
fn nothing_due(bencher: divan::Bencher) {
    let due = (0..ORDERS).filter(|n| schedule(&waiting(*n), now(), &policy()).due.is_some()).count();
    assert_eq!(due, 0, "none of them is due");
    plan(bencher, waiting);
}

#[divan::bench]
fn something_due(bencher: divan::Bencher) {
    plan(bencher, owed);
}

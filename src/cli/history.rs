//! `shipby history`: everything we told a customer, and what comes next.

use clap::Args;
use serde_json::json;

use super::forecast::{coming, silence};
use super::format::{Local, mode_line};
use super::lookup::no_order;
use super::output::{self, Stop};
use super::parsers::AsOf;
use super::table::Table;
use super::timeline::{Timeline, Told, tried_row};
use super::{Answer, Call, Exit};
use crate::domain::customer::EmailAddress;
use crate::domain::notice::short_id;
use crate::domain::order::Order;
use crate::domain::policy::Policy;
use crate::store::Store;
use crate::text::{count, plain};

#[derive(Debug, Args)]
pub(super) struct History {
    /// A customer's address, or the number of an order.
    #[arg(value_name = "EMAIL|ORDER")]
    of: String,
    /// Also what was not sent, and why, and every try of what was.
    #[arg(short, long)]
    verbose: bool,
    #[command(flatten)]
    as_of: AsOf,
}

pub(super) async fn run(call: &Call, history: &History) -> Answer {
    let config = call.config()?;
    let store = call.store(&config).await?;
    let policy = config.policy();
    let local = Local { zone: policy.zone, now: history.as_of.now() };
    let orders = orders(&store, history.of.trim()).await?;
    let pauses = store.pauses(local.now).await?;
    let mut pasts = Vec::new();
    for order in &orders {
        pasts.push(Timeline::of(&store, order, &pauses).await?);
    }
    store.close().await;
    let mut told: Vec<_> = pasts.iter().flat_map(|past| &past.told).collect();
    // Stable: what happened in one instant stays in the order it happened in.
    told.sort_by_key(|told| told.entry.at);

    if call.json {
        let next: Vec<_> = orders.iter().flat_map(|order| coming(order, local, &policy, 1)).collect();
        let numbers: Vec<_> = orders.iter().map(|order| &order.number).collect();
        let entries: Vec<_> = told.iter().map(|told| told.json()).collect();
        let mode = config.delivery.mode.as_str();
        let body =
            json!({"mode": mode, "at": local.now, "orders": numbers, "entries": entries, "next": next});
        output::json("shipby.history/1", &body)?;
        return Ok(Exit::Done);
    }
    let mut text = mode_line(&config);
    text.push_str(&rows(&told, history, local));
    text.push_str(&next(&orders, local, &policy));
    let seen = told.iter().rev().find(|told| told.entry.subject.is_some());
    if let Some(id) = seen.and_then(|told| told.entry.notice.as_deref()) {
        text.push_str(&format!("A mail as sent: shipby show {}\n", short_id(id)));
    }
    output::text(&text)?;
    Ok(Exit::Done)
}

/// What was told, a row each, and how much is left out.
fn rows(told: &[&Told], history: &History, local: Local) -> String {
    let mut table = Table::new();
    let shown: Vec<_> = told.iter().filter(|told| history.verbose || told.is_mail()).collect();
    for told in &shown {
        let entry = &told.entry;
        table.row([
            local.time(entry.instant()),
            entry.order_number.clone(),
            entry.notice.as_deref().map_or("-", short_id).to_owned(),
            entry.kind.clone(),
            told.state(),
            entry.subject.clone().unwrap_or_else(|| "-".to_owned()),
            told.words(local),
        ]);
    }
    let mut text = String::new();
    for (told, row) in shown.iter().zip(table.text().lines()) {
        text.push_str(&format!("{row}\n"));
        let mut tries = Table::new();
        for tried in told.tries.iter().filter(|_| history.verbose) {
            let row = tried_row(tried, told.entry.mode.as_deref(), local);
            tries.row(std::iter::once(String::new()).chain(row));
        }
        text.push_str(&tries.text());
    }
    if shown.is_empty() {
        text.push_str("Nothing was told yet.\n");
    }
    let hidden = told.len() - shown.len();
    if hidden > 0 {
        let hidden = count(hidden, "more was", "more were");
        text.push_str(&format!("{hidden} not sent: shipby history -v {}\n", plain(&history.of)));
    }
    text
}

/// The next notice of each order, or why there is none.
fn next(orders: &[Order], local: Local, policy: &Policy) -> String {
    let mut table = Table::new();
    for order in orders {
        let number = order.number.clone();
        match coming(order, local, policy, 1).pop() {
            Some(next) => table.row([local.time(next.at), number, next.kind.to_string(), next.unless]),
            None => table.row(["-".to_owned(), number, "nothing".to_owned(), silence(order)]),
        }
    }
    format!("Next\n{}", table.text())
}

/// The order of that number, or all orders of that address.
async fn orders(store: &Store, of: &str) -> anyhow::Result<Vec<Order>> {
    if let Some(order) = store.order(of).await? {
        return Ok(vec![order]);
    }
    if !of.contains('@') {
        let none = no_order(store, of).await?;
        return Err(Stop::not_found(format!("{none}; give its number or a customer's address")));
    }
    let address =
        EmailAddress::parse(of).map_err(|fault| Stop::usage(format!("{of:?} is no address: {fault}")))?;
    let numbers = store.orders_about(address.as_str()).await?;
    if numbers.is_empty() {
        return Err(Stop::not_found(format!("nothing is known of {}: no order, no mail", address.as_str())));
    }
    let mut orders = Vec::new();
    for number in numbers {
        orders.extend(store.order(&number).await?);
    }
    Ok(orders)
}

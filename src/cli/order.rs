//! `shipby order`: one order as it stands, and orders by status.

use clap::{Args, Subcommand};
use serde_json::json;

use super::address;
use super::forecast::{coming, silence};
use super::format::{Local, mode_line, uncovered};
use super::lookup::the_order;
use super::output;
use super::parsers::AsOf;
use super::promise_breakdown::PromiseBreakdown;
use super::suppress;
use super::table::Table;
use super::{Answer, Call, Exit};
use crate::config::Config;
use crate::domain::fact::LineKind;
use crate::domain::order::{Line, Order, Status};
use crate::domain::policy::Policy;
use crate::domain::supply::Cover;
use crate::domain::suppression::Cause;
use crate::store::{AddressChange, Listed};
use crate::text::{count, list, plain};

#[derive(Debug, Subcommand)]
pub(super) enum Orders {
    /// One order with its lines, as it stands.
    Show(Show),
    /// Orders, oldest first.
    List(List),
    /// The customer has another address; what was not accepted yet goes there, as it stands now.
    Address(address::Args),
}

#[derive(Debug, Args)]
pub(super) struct Show {
    /// The number of an order.
    order: String,
    #[command(flatten)]
    as_of: AsOf,
}

#[derive(Debug, Args)]
pub(super) struct List {
    /// Only those that are waiting, open, shipped or cancelled.
    #[arg(long, value_parser = status)]
    status: Option<Status>,
    /// Only those with a line of this SKU.
    #[arg(long)]
    sku: Option<String>,
    #[command(flatten)]
    as_of: AsOf,
}

/// Rows that people are shown.
const SHOWN: u32 = 200;

fn status(word: &str) -> Result<Status, String> {
    Status::from_word(word).ok_or_else(|| {
        let known: Vec<_> = Status::ALL.iter().map(|status| (*status).to_string()).collect();
        format!("statuses are {}", list(&known))
    })
}

pub(super) async fn run(call: &Call, orders: &Orders) -> Answer {
    let config = call.config()?;
    match orders {
        Orders::Show(asked) => show(call, &config, asked).await,
        Orders::List(asked) => list_orders(call, &config, asked).await,
        Orders::Address(args) => address::run(call, &config, args).await,
    }
}

async fn show(call: &Call, config: &Config, asked: &Show) -> Answer {
    let store = call.store(config).await?;
    let policy = config.policy();
    let local = Local { zone: policy.zone, now: asked.as_of.now() };
    let number = asked.order.trim();
    let order = the_order(&store, number).await?;
    let moves = store.address_changes(number).await?;
    let uncovered_since = store.uncovered_since(Some(number)).await?;
    store.close().await;
    if call.json {
        let mut document = as_json(&order, &moves, config, local, &policy);
        document["uncovered_since"] = json!(uncovered_since);
        output::json("shipby.order/1", &document)?;
    } else {
        let head = mode_line(config) + &uncovered(uncovered_since, local);
        output::text(&(head + &for_people(&order, &moves, local, &policy)))?;
    }
    Ok(Exit::Done)
}

fn for_people(order: &Order, moves: &[AddressChange], local: Local, policy: &Policy) -> String {
    let customer = &order.customer;
    let mut facts = Table::new();
    let mut fact = |name: &str, value: String| facts.row([name.to_owned(), value]);
    fact("order", format!("{} · {}", order.number, order.status()));
    let name = customer.name.clone();
    let email = customer.email.as_ref().map_or("no address", |email| email.as_str()).to_owned();
    fact("customer", name.map_or_else(|| email.clone(), |name| format!("{name} <{email}>")));
    let place =
        [customer.locale.clone(), customer.timezone.map(|zone| zone.to_string()), customer.country.clone()];
    let place: Vec<String> = place.into_iter().flatten().collect();
    if !place.is_empty() {
        fact("", place.join(" · "));
    }
    fact("placed", local.time(order.placed_at));
    if let Some(suppressed) = &order.suppressed {
        let (since, why) = (local.time(suppressed.since), suppressed.words());
        if suppressed.cause == Cause::Complained {
            fact("no routine news", format!("since {since}: {why}"));
        } else {
            fact("no mail", format!("since {since}: {why}; ask for another address"));
        }
    }
    for moved in moves {
        fact("address", format!("{}  {}", local.time(moved.at), address::words(moved)));
    }
    if let Some(channel) = &order.channel {
        fact("channel", channel.clone());
    }
    if let Some(payment) = order.payment {
        fact("payment", payment.to_string());
    }
    fact("partial", order.partial(policy).to_string());
    let heard = order.contact.last_at.map_or_else(|| "nothing yet".to_owned(), |at| local.time(at));
    fact("last heard", heard);
    let next = coming(order, local, policy, 1);
    fact(
        "next",
        next.first().map_or_else(
            || format!("nothing: {}", silence(order)),
            |n| format!("{} {}", local.time(n.at), n.kind),
        ),
    );
    let mut table = Table::headed([
        "line",
        "sku",
        "title",
        "kind",
        "ordered",
        "open",
        "shipped",
        "cancelled",
        "place",
        "told",
    ])
    .right(4)
    .right(5)
    .right(6)
    .right(7);
    for line in &order.lines {
        table.row([
            line.id.clone(),
            line.sku.clone(),
            line.title.clone(),
            line.kind.to_string(),
            line.quantity.to_string(),
            line.open().to_string(),
            line.shipped.to_string(),
            line.cancelled.to_string(),
            line.place.map_or_else(|| "-".to_owned(), |place| format!("{} of {}", place.at, place.of)),
            line.told.map_or_else(|| "-".to_owned(), |told| local.day(told)),
        ]);
    }
    let mut text = format!("{}\n{}", facts.text(), table.text());
    for line in order.waiting() {
        let words = PromiseBreakdown::of(order, line, local, policy, None).words;
        let from = plain(&cover(line));
        text.push_str(&format!("\nline {}: {from}\n  promise {words}\n", plain(&line.id)));
    }
    text
}

/// From what a line will be served.
fn cover(line: &Line) -> String {
    match &line.cover {
        Cover::Nothing => "no supply covers it".to_owned(),
        Cover::Received { .. } => "its goods are in the house".to_owned(),
        Cover::Supply { supply, state, .. } if supply.is_empty() => format!("comes with the supply, {state}"),
        Cover::Supply { supply, state, .. } => format!("comes with {supply}, {state}"),
    }
}

fn as_json(
    order: &Order,
    moves: &[AddressChange],
    config: &Config,
    local: Local,
    policy: &Policy,
) -> serde_json::Value {
    let customer = &order.customer;
    let line = |line: &Line| {
        let sum = line.waits().then(|| PromiseBreakdown::of(order, line, local, policy, None));
        json!({
            "line": line.id, "sku": line.sku, "title": line.title, "kind": line.kind, "quantity": line.quantity,
            "open": line.open(), "shipped": line.shipped, "cancelled": line.cancelled,
            "unit_price": line.unit_price, "promised": line.promised, "told": line.told,
            "place": line.place, "cover": (line.kind != LineKind::InStock).then_some(&line.cover), "promise": sum,
        })
    };
    json!({
        "mode": config.delivery.mode.as_str(),
        "at": local.now,
        "order": order.number,
        "status": order.status(),
        "customer": {
            "email": customer.email.as_ref().map(|email| email.as_str()), "name": customer.name,
            "locale": customer.locale, "timezone": customer.timezone, "country": customer.country,
        },
        "suppressed": order.suppressed.as_ref().map(suppress::as_json),
        "address_changes": moves,
        "placed_at": order.placed_at,
        "channel": order.channel,
        "payment": order.payment,
        "currency": order.currency,
        "partial": order.partial(policy),
        "heard_at": order.contact.last_at,
        "lines": order.lines.iter().map(line).collect::<Vec<_>>(),
        "next": coming(order, local, policy, 1).first(),
    })
}

async fn list_orders(call: &Call, config: &Config, asked: &List) -> Answer {
    let store = call.store(config).await?;
    let local = Local { zone: config.policy().zone, now: asked.as_of.now() };
    // One more than is shown says whether there are more.
    let most = if call.json { u32::MAX } else { SHOWN + 1 };
    let mut found = store.list_orders(asked.status.map(Status::as_str), asked.sku.as_deref(), most).await?;
    store.close().await;
    if call.json {
        let orders: Vec<_> = found.iter().map(listed).collect();
        let body = json!({"mode": config.delivery.mode.as_str(), "at": local.now, "orders": orders});
        output::json("shipby.orders/1", &body)?;
        return Ok(Exit::Done);
    }
    let more = found.len() > SHOWN as usize;
    found.truncate(SHOWN as usize);
    let mut text = mode_line(config);
    if found.is_empty() {
        text.push_str("No order matches.\n");
    } else {
        let mut table = Table::headed(["order", "status", "placed", "last heard", "customer", "waits for"]);
        for order in &found {
            table.row([
                order.number.clone(),
                order.status.clone(),
                local.time(order.placed()),
                order.heard().map_or_else(|| "-".to_owned(), |at| local.time(at)),
                order.email.clone().unwrap_or_else(|| "no address".to_owned()),
                order.waits_for.clone().unwrap_or_else(|| "-".to_owned()),
            ]);
        }
        text.push_str(&table.text());
    }
    if more {
        let shown = count(found.len(), "order is", "orders are");
        text.push_str(&format!(
            "only the first {shown} shown; narrow it with --status and --sku, or use --json\n"
        ));
    }
    output::text(&text)?;
    Ok(Exit::Done)
}

fn listed(order: &Listed) -> serde_json::Value {
    let waits_for: Vec<&str> = order.waits_for.iter().flat_map(|skus| skus.split(',')).collect();
    json!({
        "order": order.number, "status": order.status, "placed_at": order.placed(), "heard_at": order.heard(),
        "email": order.email, "waits_for": waits_for,
    })
}

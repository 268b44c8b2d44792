//! `shipby order address`: the customer of an order has another address.

use serde_json::{Value, json};

use super::lookup::the_order;
use super::single::{answer, enter, read};
use super::{Answer, Call};
use crate::clock::Clock;
use crate::config::Config;
use crate::domain::fact::Fact;
use crate::domain::order::{Order, Status};
use crate::intake;
use crate::store::{AddressChange, Recorded};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The number of an order.
    order: String,
    /// Where its mails go from now on.
    #[arg(value_name = "ADDRESS")]
    email: String,
    /// The customer's name, where that changed as well.
    #[arg(long)]
    name: Option<String>,
}

/// Records the order as it is known, with the new address.
pub(super) async fn run(call: &Call, config: &Config, args: &Args) -> Answer {
    let now = Clock::System.now();
    let number = args.order.trim();
    let store = call.store(config).await?;
    let order = the_order(&store, number).await?;
    let mut stated = intake::to_json(&Fact::Order(order.to_fact(now)));
    stated["customer"]["email"] = Value::from(args.email.trim());
    if let Some(name) = &args.name {
        stated["customer"]["name"] = Value::from(name.trim());
    }
    let fact = read(stated, now, |field| match field {
        "customer.email" => "ADDRESS".to_owned(),
        "customer.name" => "--name".to_owned(),
        other => other.to_owned(),
    })?;
    let recorded = enter(&store, &fact).await?;
    let after = store.order(number).await?.unwrap_or_else(|| order.clone());
    store.close().await;
    let (before, now) = (email(&order), email(&after));
    let more = json!({ "before": order.customer.email.as_ref().map(|email| email.as_str()) });
    let says = match recorded {
        Recorded::Unchanged => format!("Order {number} has the address {now} already; nothing changed."),
        _ if before == now => format!("Order {number}: {now} as before, with the name given."),
        _ => format!("Order {number}: {now} in place of {before}. {}", what_comes(&after)),
    };
    answer(call, &fact, &recorded, &says, &more)
}

fn email(order: &Order) -> &str {
    order.customer.email.as_ref().map_or("no address", |email| email.as_str())
}

/// What the new address hears.
fn what_comes(order: &Order) -> &'static str {
    let owed = order.is_readdressed() || !order.contact.confirmed || order.under_way.is_some();
    match order.status() {
        Status::Waiting if owed => {
            "What was not accepted yet is replaced: one notice goes there, with all as it stands now."
        }
        Status::Waiting | Status::Open => "Its next notice goes there.",
        Status::Shipped | Status::Cancelled => "Nothing of it is open; what is still to be told goes there.",
    }
}

/// `new@example.com in place of old@example.com, by command`.
pub(super) fn words(moved: &AddressChange) -> String {
    let email = |email: &Option<String>| email.clone().unwrap_or_else(|| "no address".to_owned());
    format!("{} in place of {}, by {}", email(&moved.to), email(&moved.from), moved.source)
}

//! `shipby refund`: money of an order was given back.

use serde_json::json;

use super::ship::option;
use super::single::{Typed, answer, enter, id_or_new};
use super::{Answer, Call};
use crate::clock::Clock;
use crate::store::Recorded;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    order: String,
    /// What was given back, as the customer may read it: "49.90 EUR".
    #[arg(long, value_name = "TEXT")]
    amount: String,
    /// The bank's or the payment service's name for it.
    #[arg(long, value_name = "TEXT")]
    reference: Option<String>,
    /// A name for this refund: the same one again changes nothing.
    #[arg(long)]
    id: Option<String>,
}

pub(super) async fn run(call: &Call, args: &Args) -> Answer {
    let config = call.config()?;
    let now = Clock::System.now();
    let id = id_or_new(args.id.as_deref(), now);
    let typed = Typed::new("refund", now)
        .with("id", id.as_str())
        .with("order", args.order.as_str())
        .with("amount", args.amount.as_str())
        .with("reference", args.reference.clone());
    let fact = typed.read(now, option)?;
    let store = call.store(&config).await?;
    let recorded = enter(&store, &fact).await?;
    store.close().await;
    let says = match recorded {
        Recorded::Unchanged => format!("Refund {id} is known already; nothing changed."),
        _ => format!("Order {}: {} refunded (refund {id}).", args.order.trim(), args.amount.trim()),
    };
    answer(call, &fact, &recorded, &says, &json!({}))
}

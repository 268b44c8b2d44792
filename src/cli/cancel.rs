//! `shipby cancel`: an order, or lines of it, was called off.

use clap::builder::PossibleValuesParser;
use serde_json::{Value, json};

use super::ship::{named, open, option, still_open};
use super::single::{Typed, answer, enter, id_or_new};
use super::{Answer, Call};
use crate::clock::Clock;
use crate::domain::fact::By;
use crate::domain::order::Order;
use crate::store::Recorded;
use crate::text::count;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    order: String,
    /// What was called off, by SKU or line; all that is open if left out.
    #[arg(long = "line", value_name = "SKU")]
    lines: Vec<String>,
    /// Who called it off.
    #[arg(long, value_parser = PossibleValuesParser::new(By::ALL.iter().map(|by| by.as_str())))]
    by: String,
    /// Why, as the customer may read it.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// A name for this cancellation: the same one again changes nothing.
    #[arg(long)]
    id: Option<String>,
}

pub(super) async fn run(call: &Call, args: &Args) -> Answer {
    let config = call.config()?;
    let now = Clock::System.now();
    let id = id_or_new(args.id.as_deref(), now);
    let typed = |lines: Value| {
        Typed::new("cancel", now)
            .with("id", id.as_str())
            .with("order", args.order.as_str())
            .with("lines", lines)
            .with("by", args.by.as_str())
            .with("reason", args.reason.clone())
            .read(now, option)
    };
    typed(Value::Null)?;
    let store = call.store(&config).await?;
    let order = store.order(args.order.trim()).await?;
    let lines = if args.lines.is_empty() { Value::Null } else { ids(order.as_ref(), &args.lines) };
    let fact = typed(lines)?;
    let recorded = enter(&store, &fact).await?;
    let after = store.order(args.order.trim()).await?;
    store.close().await;
    let cancelled = cancelled(after.as_ref()).saturating_sub(cancelled(order.as_ref()));
    let open = open(after.as_ref());
    let says = match recorded {
        Recorded::Unchanged => format!("Cancellation {id} is known already; nothing changed."),
        _ => format!(
            "Order {}: {} cancelled, {} (cancellation {id}).",
            args.order.trim(),
            count(cancelled, "unit", "units"),
            still_open(open)
        ),
    };
    answer(call, &fact, &recorded, &says, &json!({ "cancelled_units": cancelled, "open_units": open }))
}

/// The ids of the lines that are meant: of a SKU those that are open.
fn ids(order: Option<&Order>, names: &[String]) -> Value {
    let mut ids: Vec<&str> = Vec::new();
    for name in names.iter().map(|name| name.trim()) {
        let lines = named(order, name);
        let mut meant: Vec<&str> =
            lines.iter().filter(|line| line.open() > 0).map(|line| line.id.as_str()).collect();
        if meant.is_empty() {
            // The order says why it does not take it.
            meant.push(lines.first().map_or(name, |line| line.id.as_str()));
        }
        for id in meant {
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
    }
    ids.into()
}

fn cancelled(order: Option<&Order>) -> u64 {
    order.iter().flat_map(|order| &order.lines).map(|line| u64::from(line.cancelled)).sum()
}

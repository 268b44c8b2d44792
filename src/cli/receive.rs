//! `shipby receive`: goods have arrived, or are taken back.

use serde_json::json;

use super::eta::{only_open, shown};
use super::output::Stop;
use super::single::{Typed, answer, dry_run, enter, id_or_new, number, waiting};
use super::{Answer, Call};
use crate::clock::Clock;
use crate::domain::fact::Fact;
use crate::store::{Recorded, Store};
use crate::text::count;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    sku: String,
    /// Units that arrived; a negative number takes units back, such as damaged ones.
    #[arg(value_name = "QTY", allow_negative_numbers = true)]
    quantity: String,
    /// The supply they came with; not needed where only one is open.
    #[arg(long, value_name = "REF")]
    supply: Option<String>,
    /// A name for this receipt: the same one again changes nothing.
    #[arg(long)]
    id: Option<String>,
    /// Say whom it would mail and change nothing.
    #[arg(long)]
    dry_run: bool,
}

pub(super) async fn run(call: &Call, args: &Args) -> Answer {
    let config = call.config()?;
    let id = id_or_new(args.id.as_deref(), Clock::System.now());
    fact(args, &id, None)?;
    let store = call.store(&config).await?;
    let supply = supply(&store, args).await?;
    let fact = fact(args, &id, supply.as_deref())?;
    if args.dry_run {
        let Fact::Receipt(receipt) = &fact else { anyhow::bail!("a receipt was read as {fact:?}") };
        let units = count(receipt.quantity.unsigned_abs(), "unit", "units");
        let does = if receipt.quantity > 0 { "received" } else { "taken back" };
        let says = format!("If {units} of {} were {does}:", receipt.sku);
        return dry_run(call, store, &fact, &says).await;
    }
    let recorded = enter(&store, &fact).await?;
    let queue = store.waiting_for(args.sku.trim()).await?;
    store.close().await;
    let Fact::Receipt(receipt) = &fact else { anyhow::bail!("a receipt was read as {fact:?}") };
    let units = count(receipt.quantity.unsigned_abs(), "unit", "units");
    let with = receipt.supply.as_ref().map_or(String::new(), |name| format!(" with {name}"));
    let done = match (&recorded, receipt.quantity > 0) {
        (Recorded::Unchanged, _) => format!("Receipt {id} is known already; nothing changed."),
        (_, true) => format!("{units} of {} received{with} (receipt {id}).", receipt.sku),
        (_, false) => format!("{units} of {} taken back{with} (receipt {id}).", receipt.sku),
    };
    let says = format!("{done}\n{}", waiting(&receipt.sku, queue));
    let more = json!({ "waiting": { "orders": queue.0, "units": queue.1 } });
    answer(call, &fact, &recorded, &says, &more)
}

/// The supply that is meant: the one named, else the only open one.
async fn supply(store: &Store, args: &Args) -> anyhow::Result<Option<String>> {
    let sku = args.sku.trim();
    let known = store.supplies(sku).await?;
    let Some(name) = args.supply.as_deref().map(str::trim) else { return only_open(sku, &known) };
    // A mistyped name would leave the right supply to come for ever.
    if !known.iter().any(|supply| supply.supply == name) {
        let names: Vec<String> = known.iter().map(|supply| shown(&supply.supply)).collect();
        let has =
            if names.is_empty() { "none is known".into() } else { format!("it has {}", names.join(", ")) };
        return Err(Stop::not_found(format!("{sku} has no supply {name}; {has}")));
    }
    Ok(Some(name.to_owned()))
}

fn fact(args: &Args, id: &str, supply: Option<&str>) -> anyhow::Result<Fact> {
    let now = Clock::System.now();
    let typed = Typed::new("receipt", now)
        .with("id", id)
        .with("sku", args.sku.as_str())
        .with("supply", supply)
        .with("quantity", number(&args.quantity));
    typed.read(now, |field| match field {
        "sku" => "SKU".into(),
        "quantity" => "QTY".into(),
        other => format!("--{other}"),
    })
}

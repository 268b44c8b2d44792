//! `shipby ship`: goods of an order were handed to a carrier.

use serde_json::{Value, json};

use super::output::Stop;
use super::single::{Typed, answer, enter, id_or_new};
use super::{Answer, Call};
use crate::clock::Clock;
use crate::domain::order::{Line, Order};
use crate::store::Recorded;
use crate::text::count;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    order: String,
    /// What was shipped, by SKU or line; all that is open if left out.
    #[arg(long = "line", value_name = "SKU[=QTY]")]
    lines: Vec<String>,
    #[arg(long, value_name = "NAME")]
    carrier: Option<String>,
    #[arg(long, value_name = "CODE")]
    tracking: Option<String>,
    /// Where the customer can follow the parcel.
    #[arg(long)]
    url: Option<String>,
    /// A name for this shipment: the same one again changes nothing.
    #[arg(long)]
    id: Option<String>,
}

pub(super) async fn run(call: &Call, args: &Args) -> Answer {
    let config = call.config()?;
    let now = Clock::System.now();
    let id = id_or_new(args.id.as_deref(), now);
    let typed = |lines: Value| {
        Typed::new("shipment", now)
            .with("id", id.as_str())
            .with("order", args.order.as_str())
            .with("lines", lines)
            .with("carrier", args.carrier.clone())
            .with("tracking", args.tracking.clone())
            .with("url", args.url.clone())
            .read(now, option)
    };
    typed(Value::Null)?;
    let asked = args.lines.iter().map(|text| Asked::read(text)).collect::<anyhow::Result<Vec<_>>>()?;
    let store = call.store(&config).await?;
    let order = store.order(args.order.trim()).await?;
    let lines = if asked.is_empty() { Value::Null } else { units(order.as_ref(), &asked) };
    let fact = typed(lines)?;
    let recorded = enter(&store, &fact).await?;
    let after = store.order(args.order.trim()).await?;
    store.close().await;
    let shipped = shipped(after.as_ref()).saturating_sub(shipped(order.as_ref()));
    let open = open(after.as_ref());
    let says = match recorded {
        Recorded::Unchanged => format!("Shipment {id} is known already; nothing changed."),
        _ => format!(
            "Order {}: {} shipped, {} (shipment {id}).",
            args.order.trim(),
            count(shipped, "unit", "units"),
            still_open(open)
        ),
    };
    answer(call, &fact, &recorded, &says, &json!({ "shipped_units": shipped, "open_units": open }))
}

/// `--line SKU[=QTY]`.
#[derive(Debug, PartialEq)]
struct Asked {
    name: String,
    units: Option<u32>,
}

impl Asked {
    fn read(text: &str) -> anyhow::Result<Self> {
        let Some((name, units)) = text.rsplit_once('=') else {
            return Ok(Self { name: text.trim().to_owned(), units: None });
        };
        match units.trim().parse() {
            Ok(units @ 1..) => Ok(Self { name: name.trim().to_owned(), units: Some(units) }),
            _ => Err(Stop::usage(format!(
                "--line: {units:?} is not a number of units; write SKU=2, or SKU alone for all that is open"
            ))),
        }
    }
}

/// What was asked for as lines of the order, the oldest line of a SKU first. Whether they are open the order decides.
fn units(order: Option<&Order>, asked: &[Asked]) -> Value {
    let mut lines: Vec<(String, u32)> = Vec::new();
    let mut add = |id: &str, units: u32| match lines.iter_mut().find(|(known, _)| known == id) {
        Some((_, sum)) => *sum = sum.saturating_add(units),
        None => lines.push((id.to_owned(), units)),
    };
    let mut left: Vec<(&Line, u32)> = Vec::new();
    left.extend(order.iter().flat_map(|order| &order.lines).map(|line| (line, line.open())));
    for some in asked {
        let named: Vec<String> = named(order, &some.name).into_iter().map(|line| line.id.clone()).collect();
        let open: u32 = left.iter().filter(|(line, _)| named.contains(&line.id)).map(|(_, open)| open).sum();
        // Of nothing open one unit is asked for, so that the order says why it does not take it.
        let mut wanted = some.units.unwrap_or(open.max(1));
        for (line, open) in left.iter_mut().filter(|(line, _)| named.contains(&line.id)) {
            let units = wanted.min(*open);
            if units > 0 {
                add(&line.id, units);
                *open -= units;
                wanted -= units;
            }
        }
        if wanted > 0 {
            add(named.last().unwrap_or(&some.name), wanted);
        }
    }
    lines.into_iter().map(|(id, quantity)| json!({ "id": id, "quantity": quantity })).collect()
}

/// The lines a name stands for: those of the SKU, else the one of that id.
pub(super) fn named<'a>(order: Option<&'a Order>, name: &str) -> Vec<&'a Line> {
    let Some(order) = order else { return Vec::new() };
    let of_sku: Vec<&Line> = order.lines.iter().filter(|line| line.sku == name).collect();
    if of_sku.is_empty() { order.line(name).into_iter().collect() } else { of_sku }
}

/// A field of a fact about an order, as it is named on the command line.
pub(super) fn option(field: &str) -> String {
    match field {
        "order" => "ORDER".into(),
        _ if field.starts_with("lines") => "--line".into(),
        other => format!("--{other}"),
    }
}

fn shipped(order: Option<&Order>) -> u64 {
    order.iter().flat_map(|order| &order.lines).map(|line| u64::from(line.shipped)).sum()
}

pub(super) fn open(order: Option<&Order>) -> u64 {
    order.iter().flat_map(|order| &order.lines).map(|line| u64::from(line.open())).sum()
}

pub(super) fn still_open(units: u64) -> String {
    if units == 0 {
        "nothing is open any more".into()
    } else {
        format!("{} still open", count(units, "unit", "units"))
    }
}

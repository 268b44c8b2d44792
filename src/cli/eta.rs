//! `shipby eta set`: when goods are expected. What is not named stays as it was known.

use chrono::TimeDelta;
use clap::builder::PossibleValuesParser;
use serde_json::{Value, json};

use super::output::Stop;
use super::single::{Typed, answer, dry_run, enter, number, waiting};
use super::{Answer, Call};
use crate::clock::Clock;
use crate::domain::fact::{Cause, Fact, SupplyFact};
use crate::domain::supply::{Eta, SupplyState};
use crate::store::{Recorded, Store};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Verb {
    /// Set the date on which a supply is expected, or that it is not known.
    Set(Args),
}

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    sku: String,
    /// 2026-03-20, a range 2026-03-20/2026-03-27, or unknown.
    date: String,
    /// The purchase order, production run or container; not needed where only one is open.
    #[arg(long, value_name = "REF")]
    supply: Option<String>,
    /// Why the date moved, as the customer may read it.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Why the date moved, for your own books.
    #[arg(long, value_name = "WORD", value_parser = PossibleValuesParser::new(Cause::ALL.iter().map(|c| c.as_str())))]
    cause: Option<String>,
    /// How many units are coming; without it as before, and of a new supply enough for everybody.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    quantity: Option<String>,
    /// How far the goods have come; without it as before, and of a new supply in_transit.
    #[arg(long, value_name = "WORD", value_parser = PossibleValuesParser::new(SupplyState::ALL.iter().map(|s| s.as_str())))]
    state: Option<String>,
    /// Whether the supplier has given their word; an unconfirmed date is told to nobody.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    confirmed: Option<bool>,
    /// What the customer may have instead.
    #[arg(long, value_name = "TEXT")]
    alternative: Option<String>,
    /// A code that makes up for the wait.
    #[arg(long, value_name = "CODE")]
    goodwill: Option<String>,
    /// Say whom it would mail and change nothing.
    #[arg(long)]
    dry_run: bool,
}

/// How often it is tried again because somebody else set the same supply in the same millisecond.
const TRIES: u32 = 5;

pub(super) async fn run(call: &Call, verb: &Verb) -> Answer {
    let Verb::Set(args) = verb;
    let config = call.config()?;
    // What was typed is judged before a database is asked for.
    fact(args, "", None)?;
    let store = call.store(&config).await?;
    if args.dry_run {
        let (before, fact) = change(&store, args).await?;
        let says = sentence(before.as_ref(), &fact, &Recorded::Changed);
        return dry_run(call, store, &Fact::Supply(fact), &says).await;
    }
    let mut tries = 0;
    let (before, fact, recorded) = loop {
        let (before, fact) = change(&store, args).await?;
        let entered = Fact::Supply(fact.clone());
        let recorded = enter(&store, &entered).await?;
        tries += 1;
        let known = before.as_ref().is_some_and(|before| same(before, &fact));
        if recorded != Recorded::Unchanged || known || tries == TRIES {
            break (before, fact, recorded);
        }
    };
    let queue = store.waiting_for(&fact.sku).await?;
    store.close().await;
    let says = format!("{}\n{}", sentence(before.as_ref(), &fact, &recorded), waiting(&fact.sku, queue));
    let before_eta = before.as_ref().and_then(|before| before.eta).map(|eta| eta.to_string());
    let more = json!({
        "new_supply": before.is_none(), "before": before_eta, "after": fact.eta.map(|eta| eta.to_string()),
        "waiting": { "orders": queue.0, "units": queue.1 },
    });
    answer(call, &Fact::Supply(fact), &recorded, &says, &more)
}

/// The supply as it is known, and as it shall be.
async fn change(store: &Store, args: &Args) -> anyhow::Result<(Option<SupplyFact>, SupplyFact)> {
    let sku = args.sku.trim();
    let mut known = store.supplies(sku).await?;
    let name = match &args.supply {
        Some(name) => name.trim().to_owned(),
        None => only_open(sku, &known)?.unwrap_or_default(),
    };
    let before = known.iter().position(|supply| supply.supply == name).map(|at| known.swap_remove(at));
    let closed = before.as_ref().filter(|before| !is_open(before.state) && args.state.is_none());
    if let Some(closed) = closed.filter(|_| args.supply.is_some()) {
        let says = format!(
            "supply {name} of {sku} is {}; --state in_transit opens it again, another --supply is a new one",
            closed.state
        );
        return Err(Stop::refused(says));
    }
    // A closed one without a name has made room for the next.
    let kept = if closed.is_some() { None } else { before.as_ref() };
    let mut fact = fact(args, &name, kept)?;
    if let Some(before) = &before {
        // A command is younger than all that is known, whatever a sender's clock said.
        fact.at = fact.at.max(before.at + TimeDelta::milliseconds(1));
    }
    Ok((before, fact))
}

/// What was typed, on top of what is known.
fn fact(args: &Args, name: &str, kept: Option<&SupplyFact>) -> anyhow::Result<SupplyFact> {
    let now = Clock::System.now();
    let unknown = args.date.trim().eq_ignore_ascii_case("unknown");
    if !unknown && args.date.trim().is_empty() {
        return Err(Stop::usage("DATE: it is empty; write 2026-03-20, or unknown"));
    }
    let date: Value = if unknown { Value::Null } else { args.date.as_str().into() };
    let quantity = match &args.quantity {
        Some(typed) => number(typed),
        None => kept.and_then(|kept| kept.quantity).into(),
    };
    let state = args.state.as_deref().or(kept.map(|kept| kept.state.as_str())).unwrap_or("in_transit");
    let typed = Typed::new("supply", now)
        .with("sku", args.sku.as_str())
        .with("supply", name)
        .with("eta", date)
        .with("quantity", quantity)
        .with("state", state)
        .with("supplier", kept.and_then(|kept| kept.supplier.clone()))
        .with("confirmed", args.confirmed.unwrap_or(kept.is_none_or(|kept| kept.confirmed)))
        .with("cause", args.cause.clone())
        .with("reason", args.reason.clone())
        .with("alternative", args.alternative.clone())
        .with("goodwill", args.goodwill.clone());
    let option = |field: &str| match field {
        "eta" => "DATE".into(),
        "sku" => "SKU".into(),
        other => format!("--{other}"),
    };
    match typed.read(now, option)? {
        Fact::Supply(fact) => Ok(fact),
        other => anyhow::bail!("a supply was read as {other:?}"),
    }
}

fn is_open(state: SupplyState) -> bool {
    !matches!(state, SupplyState::Received | SupplyState::Cancelled)
}

/// The name of the only open supply of a SKU; none if there is no open one.
pub(super) fn only_open(sku: &str, known: &[SupplyFact]) -> anyhow::Result<Option<String>> {
    let open: Vec<&str> =
        known.iter().filter(|supply| is_open(supply.state)).map(|supply| supply.supply.as_str()).collect();
    match open.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some((*one).to_owned())),
        several => {
            let names: Vec<String> = several.iter().map(|name| shown(name)).collect();
            let says = format!(
                "{sku} has {} open supplies: {}; say which with --supply",
                names.len(),
                names.join(", ")
            );
            Err(Stop::usage(says))
        }
    }
}

/// A supply's name; one without is written as it is typed.
pub(super) fn shown(name: &str) -> String {
    if name.is_empty() { "\"\" (without a name)".into() } else { name.into() }
}

fn same(a: &SupplyFact, b: &SupplyFact) -> bool {
    (a.quantity, a.eta, a.state, a.confirmed) == (b.quantity, b.eta, b.state, b.confirmed)
}

fn sentence(before: Option<&SupplyFact>, fact: &SupplyFact, recorded: &Recorded) -> String {
    let date = |eta: Option<Eta>| eta.map_or_else(|| "unknown".into(), |eta| eta.to_string());
    let what =
        if fact.supply.is_empty() { fact.sku.clone() } else { format!("{} {}", fact.sku, fact.supply) };
    let now = date(fact.eta);
    let moved = match (before, recorded) {
        (None, _) => format!("{what}: {now}, a new supply"),
        (Some(before), _) if before.eta != fact.eta => {
            format!("{what}: {now}, before that {}", date(before.eta))
        }
        (Some(_), Recorded::Unchanged) => format!("{what}: {now}, as before"),
        (Some(_), _) => format!("{what}: {now}, as before, but other things of it changed"),
    };
    if fact.confirmed {
        return format!("{moved}.");
    }
    format!(
        "{moved}. The supplier has not confirmed it, so the date is told to nobody; --confirmed changes that."
    )
}

//! `shipby suppress`: addresses that get no mail any more, which ones, and a person's word on one.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::format::{Local, mode_line};
use super::output::{self, Stop};
use super::table::Table;
use super::{Answer, Call, Exit};
use crate::clock::Clock;
use crate::domain::customer::EmailAddress;
use crate::domain::notice::short_id;
use crate::domain::suppression::{Cause, Suppression};
use crate::text::plain;

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// All of them with the reasons, the newest first.
    List(List),
    /// An address gets no mail any more.
    Add(Add),
    /// An address gets mail again; its orders are told how they stand when their next notice is due.
    Remove(Remove),
}

#[derive(Debug, Args)]
pub(super) struct List {
    /// Only this one.
    #[arg(value_parser = address)]
    address: Option<EmailAddress>,
}

#[derive(Debug, Args)]
pub(super) struct Add {
    #[arg(value_parser = address)]
    address: EmailAddress,
    /// Why, for whoever wonders.
    #[arg(long, value_name = "TEXT", default_value = "no reason given")]
    reason: String,
}

#[derive(Debug, Args)]
pub(super) struct Remove {
    #[arg(value_parser = address)]
    address: EmailAddress,
}

/// Case is the customer's before the @ and nobody's behind it.
fn address(text: &str) -> Result<EmailAddress, String> {
    EmailAddress::parse(text).map_err(|fault| fault.to_string())
}

pub(super) async fn run(call: &Call, verb: &Verb) -> Answer {
    match verb {
        Verb::List(list) => show(call, list).await,
        Verb::Add(args) => add(call, args).await,
        Verb::Remove(args) => remove(call, &args.address).await,
    }
}

async fn show(call: &Call, list: &List) -> Answer {
    let config = call.config()?;
    let store = call.store(&config).await?;
    let found = store.suppressions(list.address.as_ref()).await?;
    store.close().await;
    let local = Local { zone: config.policy().zone, now: Clock::System.now() };
    if call.json {
        let mode = config.delivery.mode.as_str();
        let all: Vec<Value> = found.iter().map(as_json).collect();
        output::json("shipby.suppressions/1", &json!({ "mode": mode, "suppressions": all }))?;
        return Ok(Exit::Done);
    }
    let mut text = mode_line(&config);
    let mut table = Table::new();
    for one in &found {
        let notice = one.notice.as_deref().map(|id| format!("; see shipby show {}", short_id(id)));
        let why = format!("{}{}", one.words(), notice.unwrap_or_default());
        table.row([local.time(one.since), one.address.as_str().to_owned(), why]);
    }
    text.push_str(&table.text());
    if found.is_empty() {
        text.push_str(match list.address {
            Some(_) => "This address is not suppressed.\n",
            None => "No address is suppressed.\n",
        });
    }
    output::text(&text)?;
    Ok(Exit::Done)
}

async fn add(call: &Call, args: &Add) -> Answer {
    let config = call.config()?;
    let reason = args.reason.trim().to_owned();
    if reason.is_empty() {
        return Err(Stop::usage("--reason: say why, for whoever wonders where the mails are"));
    }
    let now = Clock::System.now();
    let asked =
        Suppression { address: args.address.clone(), cause: Cause::Person, reason, since: now, notice: None };
    let store = call.store(&config).await?;
    let new = store.suppress(&asked).await?;
    let known = store.suppressions(Some(&args.address)).await?.pop().unwrap_or(asked);
    store.close().await;
    if call.json {
        let body = json!({ "suppression": as_json(&known), "suppressed_before": !new });
        output::json("shipby.suppress/1", &body)?;
        return Ok(Exit::Done);
    }
    let address = plain(known.address.as_str());
    let says = if new {
        format!("{address} gets no mail from now on. Its orders need a person: shipby digest lists them.\n")
    } else {
        let local = Local { zone: config.policy().zone, now };
        let (since, why) = (local.time(known.since), plain(&known.words()));
        format!("{address} gets no mail already, since {since}: {why}. Nothing changed.\n")
    };
    output::text(&(mode_line(&config) + &says))?;
    Ok(Exit::Done)
}

/// What is not suppressed is no error: it is as it was asked to be.
async fn remove(call: &Call, address: &EmailAddress) -> Answer {
    let config = call.config()?;
    let store = call.store(&config).await?;
    let removed = store.unsuppress(address, Clock::System.now()).await?;
    store.close().await;
    if call.json {
        output::json("shipby.unsuppress/1", &json!({ "removed": removed.as_ref().map(as_json) }))?;
        return Ok(Exit::Done);
    }
    let name = plain(address.as_str());
    let says = match removed {
        Some(_) => {
            format!("{name} gets mail again: its waiting orders are written to when a notice is due.\n")
        }
        None => format!("{name} is not suppressed; nothing changed.\n"),
    };
    output::text(&(mode_line(&config) + &says))?;
    Ok(Exit::Done)
}

/// As `--json` shows it.
pub(super) fn as_json(one: &Suppression) -> Value {
    json!({
        "address": one.address.as_str(), "cause": one.cause, "reason": one.reason, "since": one.since,
        "notice": one.notice,
    })
}

/// A line for whatever speaks of a customer whose address gets no mail; empty for any other.
pub(super) fn line(suppressed: Option<&Suppression>, local: Local) -> String {
    suppressed.map_or_else(String::new, |one| {
        let since = local.time(one.since);
        let (gets, why) = (one.cause.gets(), plain(&one.words()));
        let to_do = if one.cause == Cause::Complained { "" } else { " Ask the customer for another." };
        format!("The address {gets} since {since}: {why}.{to_do}\n")
    })
}

//! `shipby queue release|drop`: what the blast guard holds, and what a person decides about it.

use serde_json::json;

use super::format::Local;
use super::output::{self, Stop};
use super::table::{SAMPLES, Table};
use super::{Answer, Call, Exit};
use crate::clock::Clock;
use crate::domain::impact::news_of;
use crate::domain::order::Order;
use crate::domain::policy::Policy;
use crate::store::{HeldChange, Store};
use crate::text::count;

/// What a person decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decision {
    Release,
    Drop,
}

/// `yes`: nobody is asked.
pub(super) async fn run(call: &Call, number: i64, yes: bool, decision: Decision) -> Answer {
    let config = call.config()?;
    let policy = config.policy();
    let now = Clock::System.now();
    let local = Local { zone: policy.zone, now };
    let store = call.store(&config).await?;
    let batches = store.held_changes().await?;
    let Some(batch) = batches.iter().find(|batch| batch.id == number) else {
        return Err(Stop::not_found(format!("no batch {number} is held; `shipby queue list` shows what is")));
    };
    if !yes {
        let shown = described(&store, batch, local, &policy).await?;
        let what = if decision == Decision::Release { "Let them go out?" } else { "Discard these mails?" };
        if !output::confirmed(&shown, what)? {
            return Ok(Exit::Failed);
        }
    }
    let notices = match decision {
        Decision::Release => store.release_batch(batch.id, now).await?.map(|released| released as usize),
        Decision::Drop => store.drop_batch(batch.id, now, &policy).await?,
    };
    store.close().await;
    let Some(notices) = notices else {
        return Err(Stop::not_found(format!("batch {} is not held any more", batch.id)));
    };
    if call.json {
        let done = if decision == Decision::Release { "released" } else { "dropped" };
        output::json("shipby.batch/1", &json!({"batch": batch.id, "state": done, "notices": notices}))?;
        return Ok(Exit::Done);
    }
    let mails = count(notices, "mail", "mails");
    output::text(&match decision {
        Decision::Release => {
            format!("Batch {} is released: {mails} will go out, with what is true now.\n", batch.id)
        }
        Decision::Drop => format!(
            "Batch {} is dropped: {mails} will not be written. The dates stand; the next regular mails state them.\n",
            batch.id
        ),
    })?;
    Ok(Exit::Done)
}

/// The held batches for `queue list`, each with its oldest orders.
pub(super) async fn listed(store: &Store, local: Local, policy: &Policy) -> anyhow::Result<String> {
    let mut text = String::new();
    for batch in store.held_changes().await? {
        text.push_str(&described(store, &batch, local, policy).await?);
        text.push_str(&format!(
            "  `shipby queue release {0}` lets them go, `shipby queue drop {0}` discards them.\n\n",
            batch.id
        ));
    }
    Ok(text)
}

pub(super) fn as_json(batch: &HeldChange) -> serde_json::Value {
    json!({
        "batch": batch.id, "sku": batch.sku, "cause": batch.cause, "at": batch.instant(),
        "expected_before": batch.expected_before, "expected_after": batch.expected_after,
        "counting": batch.counting, "notices": batch.notices,
    })
}

/// A batch in a sentence, as in "batch 3 (340 mails: KETTLE-01, supply PO-77, …)".
pub(super) fn named(batch: &HeldChange) -> String {
    let date = |day: &Option<String>| day.clone().unwrap_or_else(|| "unknown".to_owned());
    let mails = count(usize::try_from(batch.notices).unwrap_or(0), "mail", "mails");
    let (before, after) = (date(&batch.expected_before), date(&batch.expected_after));
    format!(
        "batch {} ({mails}: {}, {}, expected {after}, before that {before})",
        batch.id, batch.sku, batch.cause
    )
}

async fn described(
    store: &Store,
    batch: &HeldChange,
    local: Local,
    policy: &Policy,
) -> anyhow::Result<String> {
    let since = local.time(batch.instant());
    let counting = if batch.counting { "; still being counted" } else { "" };
    let mut text = format!("Held since {since}: {}{counting}\n", named(batch));
    let mut table = Table::new();
    for number in store.held_orders(batch.id, SAMPLES.into()).await? {
        if let Some(order) = store.order(&number).await? {
            table.row(sample(&order, local, policy));
        }
    }
    text.push_str(&table.text_of(usize::try_from(batch.notices).unwrap_or(0)));
    Ok(text)
}

fn sample(order: &Order, local: Local, policy: &Policy) -> [String; 3] {
    let kind = order.blast_hold.and_then(|hold| hold.kind).map_or("still settling", |kind| kind.as_str());
    let (told, promise) = news_of(order, local.now, policy);
    let moved = format!("told {}, would be told {}", local.day_or_none(told), local.day_or_none(promise));
    [format!("  {}", order.number), kind.to_owned(), moved]
}

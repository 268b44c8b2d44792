//! `shipby recover`: the database was restored from a backup. What came due since the backup may have been sent by the
//! daemon that was lost, so a person releases it.
//!
//! What always holds: it works only while no daemon does, and nothing leaves by it.

use std::collections::BTreeMap;

use clap::Args as ClapArgs;
use serde_json::json;

use super::format::Local;
use super::output;
use super::table::{SAMPLES, Table};
use super::{Answer, Call, Exit};
use crate::clock::Clock;
use crate::planner;
use crate::store::{Due, Lock, Store, StoreError};
use crate::text::{count, grouped};

#[derive(Debug, ClapArgs)]
pub(super) struct Args {
    /// Do it without asking.
    #[arg(long)]
    yes: bool,
}

pub(super) async fn run(call: &Call, args: &Args) -> Answer {
    let config = call.config()?;
    let (path, policy, now) = (&config.database.path, config.policy(), Clock::System.now());
    if !path.exists() {
        return Err(StoreError::Missing { path: path.clone() }.into());
    }
    let lock = Lock::take(path)?;
    let store = Store::open_owned(&lock).await?;
    let last = store.last_known().await?;
    store.recover(now, &policy).await?;
    planner::turn(&store, &policy, now).await?;
    let local = Local { zone: policy.zone, now };
    let since = last.map_or_else(|| "never".to_owned(), |last| local.time(last));
    let due = store.due(now).await?;
    if !due.is_empty() && !args.yes && !output::confirmed(&described(&due, &since), "Hold them?")? {
        return Ok(Exit::Failed);
    }
    let mut held = 0;
    loop {
        let now_held = store.hold_due(now, &policy).await?;
        if now_held == 0 {
            break;
        }
        held += now_held;
        // What is held lets what stood behind it come due.
        planner::turn(&store, &policy, now).await?;
    }
    store.close().await;
    if call.json {
        output::json("shipby.recover/1", &json!({"last_known_at": last, "held": held}))?;
        return Ok(Exit::Done);
    }
    let mails = count(held, "mail is", "mails are");
    output::text(&format!(
        "{mails} held that came due since {since}, when this database last knew of anything. They may have been sent\n\
         already: `shipby queue list state:held` shows them, `shipby queue release state:held` lets them go.\n\
         Bring in again what was recorded since, with `shipby import --notify future`; then start the daemon.\n"
    ))?;
    Ok(Exit::Done)
}

fn described(due: &[Due], since: &str) -> String {
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for due in due {
        *kinds.entry(due.kind.as_str()).or_default() += 1;
    }
    let kinds: Vec<String> = kinds.into_iter().map(|(kind, n)| format!("{} {kind}", grouped(n))).collect();
    let mut text =
        format!("Came due since {since}, when this database last knew of anything: {}\n", kinds.join(", "));
    let mut table = Table::new();
    for due in due.iter().take(SAMPLES.into()) {
        table.row([format!("  {}", due.order), due.kind.clone()]);
    }
    text.push_str(&table.text_of(due.len()));
    text
}

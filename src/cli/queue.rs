//! `shipby queue list`: what is not settled, what is held, and any notices by filter.

use std::collections::HashSet;

use clap::{Args, Subcommand};
use serde_json::json;

use super::batches;
use super::change::{self, Asked};
use super::filter;
use super::format::{Local, mode_line};
use super::notice_row::row;
use super::output;
use super::parsers::AsOf;
use super::pause;
use super::table::Table;
use super::{Answer, Call, Exit};
use crate::store::{Change, Found};
use crate::text::count;

#[derive(Debug, Subcommand)]
pub(super) enum Queue {
    /// List what is under way, held, or in doubt for a person to look at.
    List(List),
    /// Try again what was refused, came back or is in doubt, if it is still true; what waits for its next try goes now.
    Retry(Asked),
    /// Keep what waits from going out until it is released. Its orders go on without it.
    Hold(Asked),
    /// Let what is held go out, with what is true then: by filter, or batch:3 for a change that would mail very many.
    Release(Asked),
    /// Do not mail what waits or is held, or batch:3; the facts stand, and later mails state them.
    Drop(Asked),
}

#[derive(Debug, Args)]
pub(super) struct List {
    /// All must match: state:failed kind:weekly_status to:@gmx.de order:1042 sku:KETTLE-01 before:2026-03-01
    #[arg(value_name = "FILTER")]
    filter: Vec<String>,
    #[command(flatten)]
    as_of: AsOf,
}

/// Rows that people are shown.
const SHOWN: u32 = 200;

pub(super) async fn run(call: &Call, queue: &Queue) -> Answer {
    let asked = match queue {
        Queue::List(asked) => asked,
        Queue::Retry(asked) => return change::run(call, asked, Change::Retry).await,
        Queue::Hold(asked) => return change::run(call, asked, Change::Hold).await,
        Queue::Release(asked) => return change::run(call, asked, Change::Release).await,
        Queue::Drop(asked) => return change::run(call, asked, Change::Drop).await,
    };
    let config = call.config()?;
    let policy = config.policy();
    let local = Local { zone: policy.zone, now: asked.as_of.now() };
    let filter = filter::read(&asked.filter, local)?;
    let store = call.store(&config).await?;
    let most = if call.json { u32::MAX } else { SHOWN };
    let found = store.find_notices(&filter, most).await?;
    let held = store.held_changes().await?;
    let held_words = batches::listed(&store, local, &policy).await?;
    let pauses = store.pauses(local.now).await?;
    let held_back = if pauses.is_empty() { HashSet::new() } else { store.held_back(local.now).await? };
    store.close().await;
    let held_back =
        |found: &Found| found.entry.next_try_at.is_some() && held_back.contains(&found.entry.order_number);
    if call.json {
        let notices: Vec<_> = found.iter().map(|found| as_json(found, held_back(found))).collect();
        let body = json!({
            "mode": config.delivery.mode.as_str(), "at": local.now, "pauses": pauses, "total": found.len(),
            "notices": notices, "held": held.iter().map(batches::as_json).collect::<Vec<_>>(),
        });
        output::json("shipby.queue/1", &body)?;
        return Ok(Exit::Done);
    }
    let mut text = mode_line(&config) + &pause::lines(&pauses, local) + &held_words;
    let total = found.first().map_or(0, |found| usize::try_from(found.total).unwrap_or(0));
    if total == 0 && held.is_empty() {
        text.push_str(if asked.filter.is_empty() {
            "Nothing waits: no notice is under way, held or in doubt.\n"
        } else if filter.state.is_none() {
            "No notice that is under way, held or in doubt matches; for others name the state, as in state:accepted or state:superseded.\n"
        } else {
            "No notice matches.\n"
        });
    }
    let mut table = Table::new();
    for found in &found {
        table.row(row(found, local, held_back(found)));
    }
    text.push_str(&table.text());
    if total > found.len() {
        let all = count(total, "notice", "notices");
        text.push_str(&format!("{all} in all; narrow it with a filter, or see all with --json\n"));
    }
    output::text(&text)?;
    Ok(Exit::Done)
}

fn as_json(found: &Found, held_back: bool) -> serde_json::Value {
    let entry = &found.entry;
    json!({
        "at": entry.instant(), "order": entry.order_number, "notice": entry.notice, "kind": entry.kind,
        "occasion": entry.occasion, "state": entry.state, "mode": entry.mode, "to": found.email,
        "subject": entry.subject, "attempts": entry.attempts, "reply": entry.reply, "reason": entry.reason,
        "by": entry.by_occasion, "next_try_at": entry.next_try(), "paused": held_back,
    })
}

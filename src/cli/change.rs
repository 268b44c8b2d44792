//! `shipby queue retry|hold|release|drop`: what a person does to notices by filter, after seeing how many and which.

use clap::Args;
use serde_json::json;

use super::batches::{self, Decision};
use super::format::{Local, mode_line};
use super::notice_row::row;
use super::output::{self, Stop};
use super::table::{SAMPLES, Table};
use super::{Answer, Call, Exit, filter};
use crate::clock::Clock;
use crate::store::{Change, Chosen, Found, Store};
use crate::text::count;

#[derive(Debug, Args)]
pub(super) struct Asked {
    /// All must match: state:failed kind:weekly_status to:@gmx.de order:1042 sku:KETTLE-01 before:2026-03-01
    /// notice:4f1a2b3c; `release` and `drop` also take the number of a batch.
    #[arg(value_name = "FILTER", required = true)]
    filter: Vec<String>,
    /// Do it without asking.
    #[arg(long)]
    yes: bool,
}

pub(super) async fn run(call: &Call, asked: &Asked, change: Change) -> Answer {
    if let Some((batch, decision)) = batch(&asked.filter, change)? {
        return batches::run(call, batch, asked.yes, decision).await;
    }
    let config = call.config()?;
    let policy = config.policy();
    let local = Local { zone: policy.zone, now: Clock::System.now() };
    let filter = filter::read(&asked.filter, local)?;
    let store = call.store(&config).await?;
    let chosen = store.choose(change, &filter, local.now).await?;
    if chosen.ids.is_empty() {
        let left = left_alone(&chosen);
        return Err(Stop::not_found(
            format!("no notice matches that could be {}\n{left}", words(change).done).trim_end().to_owned(),
        ));
    }
    if !asked.yes {
        let shown = mode_line(&config) + &described(&store, &chosen, change, local).await?;
        if !output::confirmed(&shown, words(change).question)? {
            return Ok(Exit::Failed);
        }
    }
    let done = store.change(change, &chosen.ids, local.now, &policy).await?;
    store.close().await;
    if call.json {
        let body = json!({ "change": words(change).name, "notices": done, "left_alone": chosen.left });
        output::json("shipby.queue_change/1", &body)?;
    } else {
        let (notices, words) = (count(done, "notice", "notices"), words(change));
        let were = if done == 1 { "is" } else { "are" };
        output::text(&format!("{notices} {were} {}: {}\n{}", words.done, words.then, left_alone(&chosen)))?;
    }
    Ok(Exit::Done)
}

/// The number of a batch, where one is named instead of notices.
fn batch(words: &[String], change: Change) -> anyhow::Result<Option<(i64, Decision)>> {
    let number = |word: &String| word.strip_prefix("batch:").unwrap_or(word).parse::<i64>().ok();
    let Some(number) = words.iter().find_map(number) else { return Ok(None) };
    let decision = match change {
        Change::Release => Decision::Release,
        Change::Drop => Decision::Drop,
        Change::Retry | Change::Hold => {
            return Err(Stop::usage(format!(
                "batch {number}: a batch is held already; it is for `shipby queue release` and `drop`"
            )));
        }
    };
    if words.len() > 1 {
        return Err(Stop::usage(format!(
            "batch {number}: a batch is released or dropped whole; name it alone"
        )));
    }
    Ok(Some((number, decision)))
}

/// How a change is worded.
struct Words {
    name: &'static str,
    /// After "5 notices are".
    done: &'static str,
    then: &'static str,
    question: &'static str,
}

fn words(change: Change) -> Words {
    match change {
        Change::Retry => Words {
            name: "retry",
            done: "tried again",
            then: "what is not true any more is replaced by what is",
            question: "Try them again?",
        },
        Change::Hold => Words {
            name: "hold",
            done: "held",
            then: "their orders go on without them, and the digest names them until they are released or dropped",
            question: "Hold them?",
        },
        Change::Release => Words {
            name: "release",
            done: "released",
            then: "what is not true any more is replaced by what is",
            question: "Let them go out?",
        },
        Change::Drop => Words {
            name: "drop",
            done: "dropped",
            then: "the facts stand, and the next regular mails state them",
            question: "Discard these mails?",
        },
    }
}

async fn described(store: &Store, chosen: &Chosen, change: Change, local: Local) -> anyhow::Result<String> {
    let samples: Vec<String> = chosen.ids.iter().take(SAMPLES.into()).cloned().collect();
    let mut table = Table::new();
    for found in &store.found(&samples).await? {
        table.row(sample(found, local));
    }
    let notices = count(chosen.ids.len(), "notice", "notices");
    let mut text = format!("{notices} would be {}:\n{}", words(change).done, table.text_of(chosen.ids.len()));
    if change == Change::Drop && chosen.events > 0 {
        let of_them = count(chosen.events, "of them tells", "of them tell");
        text.push_str(&format!(
            "{of_them} of a shipment, a cancellation or a refund: no other mail of ours will\n"
        ));
    }
    text.push_str(&left_alone(chosen));
    text.push_str(&format!("Then: {}\n", words(change).then));
    Ok(text)
}

fn sample(found: &Found, local: Local) -> Vec<String> {
    let mut cells = row(found, local, false).to_vec();
    cells[0].insert_str(0, "  ");
    cells
}

/// What matches and is left alone; empty if nothing is.
fn left_alone(chosen: &Chosen) -> String {
    let line = |(why, number): (&String, &usize)| {
        let notices = count(number, "notice is", "notices are");
        format!("{notices} left alone: {why}\n")
    };
    chosen.left.iter().map(line).collect()
}

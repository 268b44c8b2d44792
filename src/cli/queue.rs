//! `shipby queue`: what is not settled, what is held, and any notices by filter.

use clap::{Args, Subcommand};
use serde_json::json;

use super::batches::{self, Batch, Decision};
use super::output::{self, Stop};
use super::past::short;
use super::table::Table;
use super::words::{AsOf, Local, count, list, mode_line, reason, state};
use super::{Answer, Call, Exit};
use crate::domain::calendar::start_of;
use crate::domain::notice::{NoticeKind, NoticeState};
use crate::domain::supply::iso_date;
use crate::store::{Found, NoticeFilter};

#[derive(Debug, Subcommand)]
pub(super) enum Queue {
    /// List what is under way, held, or in doubt for a person to look at.
    List(List),
    /// Let the mails of a held batch go out, with what is true then.
    Release(Batch),
    /// Discard the mails of a held batch; the change itself stands.
    Drop(Batch),
}

#[derive(Debug, Args)]
pub(super) struct List {
    /// All must match: state:failed kind:weekly_status to:@gmx.de order:1042 before:2026-03-01
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
        Queue::Release(batch) => return batches::run(call, batch, Decision::Release).await,
        Queue::Drop(batch) => return batches::run(call, batch, Decision::Drop).await,
    };
    let config = call.config()?;
    let policy = config.policy();
    let local = Local { zone: policy.zone, now: asked.as_of.now() };
    let filter = filter(&asked.filter, local)?;
    let store = call.store(&config).await?;
    let most = if call.json { u32::MAX } else { SHOWN };
    let found = store.find_notices(&filter, most).await?;
    let held = store.held_batches().await?;
    let held_words = batches::listed(&store, local, &policy).await?;
    store.close().await;
    if call.json {
        let notices: Vec<_> = found.iter().map(as_json).collect();
        let body = json!({
            "mode": config.delivery.mode.as_str(), "at": local.now, "total": found.len(), "notices": notices,
            "held": held.iter().map(batches::as_json).collect::<Vec<_>>(),
        });
        output::json("shipby.queue/1", &body)?;
        return Ok(Exit::Done);
    }
    let mut text = mode_line(&config) + &held_words;
    let total = found.first().map_or(0, |found| usize::try_from(found.total).unwrap_or(0));
    if total == 0 && held.is_empty() {
        text.push_str(if asked.filter.is_empty() {
            "Nothing waits: no notice is under way, held or in doubt.\n"
        } else {
            "No notice matches.\n"
        });
    }
    let mut table = Table::new();
    for found in &found {
        table.row(row(found, local));
    }
    text.push_str(&table.text());
    if total > found.len() {
        let all = count(total, "notice", "notices");
        text.push_str(&format!("{all} in all; narrow it with a filter, or see all with --json\n"));
    }
    output::text(&text)?;
    Ok(Exit::Done)
}

fn row(found: &Found, local: Local) -> [String; 7] {
    let entry = &found.entry;
    let why = entry.reason.as_deref().map(|why| reason(why, entry.by_occasion.as_deref()));
    let words = match (entry.next_try(), &entry.reply, why) {
        (Some(next), None, _) if next <= local.now => "goes out now".to_owned(),
        (Some(next), None, _) => format!("goes out {}", local.time(next)),
        (Some(next), Some(reply), _) => format!("{reply}; next try {}", local.time(next)),
        (None, Some(reply), _) => reply.clone(),
        (None, None, Some(why)) => why,
        (None, None, None) => {
            NoticeState::from_word(&entry.state).map_or("", NoticeState::meaning).to_owned()
        }
    };
    [
        local.time(entry.instant()),
        entry.order_number.clone(),
        entry.notice.as_deref().map_or("-", short).to_owned(),
        entry.kind.clone(),
        state(&entry.state, entry.mode.as_deref()),
        found.email.clone(),
        words,
    ]
}

fn as_json(found: &Found) -> serde_json::Value {
    let entry = &found.entry;
    json!({
        "at": entry.instant(), "order": entry.order_number, "notice": entry.notice, "kind": entry.kind,
        "occasion": entry.occasion, "state": entry.state, "mode": entry.mode, "to": found.email,
        "subject": entry.subject, "attempts": entry.attempts, "reply": entry.reply, "reason": entry.reason,
        "by": entry.by_occasion, "next_try_at": entry.next_try(),
    })
}

/// Reads the words of a filter.
fn filter(words: &[String], local: Local) -> anyhow::Result<NoticeFilter> {
    let mut filter = NoticeFilter::default();
    for word in words {
        let (name, value) = word.split_once(':').unwrap_or((word, ""));
        let wrong = |mend: &str| Stop::usage(format!("filter {word:?}: {mend}"));
        let text = Some(value.to_owned()).filter(|value| !value.is_empty());
        let twice = match name {
            "state" => {
                let known: Vec<_> = NoticeState::ALL.iter().map(|state| (*state).to_string()).collect();
                if !known.iter().any(|known| known == value) {
                    return Err(wrong(&format!("states are {}", list(&known))));
                }
                std::mem::replace(&mut filter.state, text).is_some()
            }
            "kind" => {
                let known: Vec<_> = NoticeKind::ALL.iter().map(|kind| (*kind).to_string()).collect();
                if !known.iter().any(|known| known == value) {
                    return Err(wrong(&format!("kinds are {}", list(&known))));
                }
                std::mem::replace(&mut filter.kind, text).is_some()
            }
            "to" if value.len() > 1 && value.contains('@') => {
                std::mem::replace(&mut filter.to, text).is_some()
            }
            "to" => return Err(wrong("write an address, or to:@example.com for all of a domain")),
            "order" if text.is_some() => std::mem::replace(&mut filter.order, text).is_some(),
            "order" => return Err(wrong("write the number of an order, as in order:1042")),
            "before" => {
                let day = iso_date(value).ok_or_else(|| wrong("write a day, as in before:2026-03-01"))?;
                filter.before.replace(start_of(day, local.zone)).is_some()
            }
            _ => return Err(wrong("filters are state:, kind:, to:, order: and before:")),
        };
        if twice {
            return Err(wrong(&format!("{name}: is given twice; all filters must match")));
        }
    }
    Ok(filter)
}

//! `shipby digest`: what needs a person, as the daily mail to ops says it; nothing is sent.

use clap::Args;
use serde_json::json;

use super::format::{Local, state, uncovered};
use super::output::{self, Stop};
use super::parsers::AsOf;
use super::{Answer, Call, Exit};
use crate::config::Config;
use crate::digest::{Asked, LISTED, Masthead, gather, write};
use crate::store::{OpsMail, Store};
use crate::text::plain_lines;

#[derive(Debug, Args)]
pub(super) struct Digest {
    /// Show the last one that was written, and what became of it.
    #[arg(long, conflicts_with = "at")]
    last: bool,
    #[command(flatten)]
    as_of: AsOf,
}

pub(super) async fn run(call: &Call, digest: &Digest) -> Answer {
    let config = call.config()?;
    let store = call.store(&config).await?;
    let zone = config.policy().zone;
    let local = Local { zone, now: digest.as_of.now() };
    if digest.last {
        return last(call, &store, local).await;
    }
    let most = (!call.json).then_some(LISTED);
    let gathered = gather(&store, local.now, Asked { zone, watch: config.watch, most }).await?;
    let uncovered_since = store.uncovered_since(None).await?;
    store.close().await;
    if call.json {
        let body = json!({
            "mode": config.delivery.mode.as_str(), "at": gathered.at, "day": gathered.day,
            "to_be_mailed": is_mailed(&config), "batches": gathered.batches.iter().map(super::batches::as_json).collect::<Vec<_>>(),
            "uncovered_since": uncovered_since, "pauses": gathered.pauses, "counts": gathered.counts, "findings": gathered.findings,
        });
        output::json("shipby.digest/1", &body)?;
    } else {
        let head = Masthead {
            shop: &config.shop.name,
            mode: &config.delivery.mode,
            zone,
            digest_at: is_mailed(&config).then_some(config.alerts.digest_at),
        };
        output::text(&(uncovered(uncovered_since, local) + &plain_lines(&write(&gathered, head).1)))?;
    }
    Ok(Exit::Done)
}

fn is_mailed(config: &Config) -> bool {
    config.alerts.digest && config.alerts.to.is_some()
}

async fn last(call: &Call, store: &Store, local: Local) -> Answer {
    let Some(last) = store.last_digest(local.today()).await? else {
        return Err(Stop::not_found("no digest was written yet; the daemon does, at [schedule] digest_at"));
    };
    let OpsMail { day, at, subject, body, mode, attempts, reply, .. } = &last;
    if call.json {
        let body = json!({
            "mode": mode, "day": day, "at": at, "subject": subject, "text": body, "state": last.state,
            "attempts": attempts, "next_try_at": last.next_try, "reply": reply,
        });
        output::json("shipby.digest_last/1", &body)?;
        return Ok(Exit::Done);
    }
    let state = state(last.state.as_str(), Some(mode));
    let reply = reply.as_ref().map_or_else(String::new, |reply| format!(": {reply}"));
    let next = last.next_try.map_or_else(String::new, |next| format!("; next try {}", local.time(next)));
    let day = day.unwrap_or_default();
    let text = format!("Digest of {day}, {state}{reply}{next}\nSubject: {subject}\n\n{body}");
    output::text(&plain_lines(&text))?;
    Ok(Exit::Done)
}

//! `shipby bounce`: one mail that came back, from the mail server's pipe.
//!
//! What always holds: it ends with 0 once there is nothing more to do about the mail, and with 75 (`EX_TEMPFAIL` of
//! sysexits) for whatever may be mended, so that the mail server keeps the mail and hands it in again.

use std::io::Read;

use clap::Args;
use serde_json::json;

use super::output::{self, Stop};
use super::{Answer, Call, Exit};
use crate::bounces::{Outcome, take};
use crate::clock::Clock;
use crate::domain::bounce::Fate;
use crate::domain::notice::short_id;
use crate::mail::MAX_RETURNED;
use crate::text::plain;
use crate::wiring;

#[derive(Debug, Args)]
pub(super) struct Bounce {
    /// The address it came to, as the mail server knows it; without it the mail's headers are asked.
    recipient: Option<String>,
}

pub(super) async fn run(call: &Call, asked: &Bounce) -> Answer {
    match taken(call, asked).await {
        Ok(Outcome::Later) => Err(Stop::later(sentence(&Outcome::Later))),
        Ok(outcome) if call.json => {
            output::json("shipby.bounce/1", &as_json(&outcome))?;
            Ok(Exit::Done)
        }
        Ok(outcome) => {
            output::text(&sentence(&outcome))?;
            Ok(Exit::Done)
        }
        Err(error) => Err(Stop::later(format!("{error:#}; nothing was done, hand it in again"))),
    }
}

async fn taken(call: &Call, asked: &Bounce) -> anyhow::Result<Outcome> {
    let mail = mail()?;
    let config = call.config()?;
    let store = call.store(&config).await?;
    let verp = wiring::verp(&config, &store)?;
    let (recipient, now) = (asked.recipient.as_deref(), Clock::System.now());
    let outcome = take(&store, verp.as_ref(), &mail, recipient, now, &config.policy()).await?;
    store.close().await;
    Ok(outcome)
}

/// The beginning of the mail, which is all that is looked at; the rest is read and forgotten, for a mail server that
/// cannot write it all takes that for a failure.
fn mail() -> std::io::Result<Vec<u8>> {
    let mut input = std::io::stdin().lock();
    let mut mail = Vec::new();
    input.by_ref().take(MAX_RETURNED as u64).read_to_end(&mut mail)?;
    std::io::copy(&mut input, &mut std::io::sink())?;
    Ok(mail)
}

fn sentence(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Applied { notice, order, fate, unheard, suppressed } => {
            let what = match fate {
                Fate::Failed if *unheard => "came back: it counts as not heard",
                Fate::Failed => "came back",
                Fate::Delayed => "is delayed; nothing changes",
                Fate::Complaint => "was reported as unwanted",
            };
            let address = match fate {
                _ if !suppressed => "",
                Fate::Complaint => ", and the address gets no routine news from now on",
                _ => ", and the address gets no mail from now on; ask the customer for another",
            };
            format!("Notice {} of order {} {what}{address}.\n", short_id(notice), plain(order))
        }
        Outcome::Ignored(why) => format!("Ignored: {}.\n", why.words()),
        Outcome::Later => "a mail of the same order is leaving this very moment; hand it in again".to_owned(),
    }
}

fn as_json(outcome: &Outcome) -> serde_json::Value {
    match outcome {
        Outcome::Applied { notice, order, fate, unheard, suppressed } => json!({
            "result": "applied", "notice": notice, "order": order, "fate": fate, "unheard": unheard,
            "suppressed": suppressed,
        }),
        Outcome::Ignored(why) => json!({ "result": "ignored", "why": why.words() }),
        Outcome::Later => json!({ "result": "later" }),
    }
}

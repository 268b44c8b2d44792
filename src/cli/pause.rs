//! `shipby pause` and `shipby resume`: mail held back for a reason, and how that is worded everywhere.

use clap::Args;
use serde_json::json;

use super::format::{Local, mode_line};
use super::lookup::the_order;
use super::output::{self, Stop};
use super::parsers::Until;
use super::{Answer, Call, Exit};
use crate::clock::Clock;
use crate::domain::customer::EmailAddress;
use crate::domain::notice::NoticeKind;
use crate::domain::pause::{Pause, Scope, Setter};
use crate::store::Store;
use crate::text::{capital, list, plain};

#[derive(Debug, Args)]
pub(super) struct Pausing {
    #[command(flatten)]
    whose: Whose,
    /// When the pause ends by itself: 48h, 7d, a day such as 2026-03-31 (which is meant whole), or 2026-03-31T18:00 by
    /// the shop's clock. Left out: until `shipby resume`.
    #[arg(long, value_name = "TIME", value_parser = Until::read)]
    until: Option<Until>,
    /// Why, for whoever wonders.
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

#[derive(Debug, Args)]
pub(super) struct Resuming {
    #[command(flatten)]
    whose: Whose,
}

/// What is held back.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Whose {
    /// domain:gmx.de, all mail to a domain; kind:weekly_status, all mails of a kind. Also sku:S, order:O and all.
    #[arg(value_name = "WHAT", value_parser = scope)]
    what: Option<Scope>,
    /// All mail to customers.
    #[arg(long)]
    all: bool,
    /// All mail that speaks of this SKU: of every order that waits for it.
    #[arg(long)]
    sku: Option<String>,
    /// All mail about this order.
    #[arg(long)]
    order: Option<String>,
}

impl Whose {
    fn scope(&self) -> Scope {
        let text = |text: &String| text.trim().to_owned();
        match (&self.what, &self.sku, &self.order) {
            (Some(what), ..) => what.clone(),
            (None, Some(sku), _) => Scope::Sku(text(sku)),
            (None, None, Some(number)) => Scope::Order(text(number)),
            (None, None, None) => Scope::All,
        }
    }
}

/// Reads `all`, or a scope and what of it.
fn scope(text: &str) -> Result<Scope, String> {
    let (word, subject) = text.split_once(':').unwrap_or((text, ""));
    let subject = match word {
        "domain" => EmailAddress::parse(&format!("x@{}", subject.trim().trim_start_matches('@')))
            .map_err(|fault| fault.to_string())?
            .domain()
            .to_owned(),
        _ => subject.trim().to_owned(),
    };
    let complete = subject.is_empty() == (word == "all");
    Scope::from_parts(word, subject).filter(|_| complete).ok_or_else(|| {
        let kinds: Vec<String> = NoticeKind::ALL.iter().map(ToString::to_string).collect();
        let kinds = list(&kinds);
        format!(
            "write domain:gmx.de, kind:weekly_status, sku:KETTLE-01, order:1042 or all; kinds are {kinds}"
        )
    })
}

pub(super) async fn pause(call: &Call, args: &Pausing) -> Answer {
    let config = call.config()?;
    let now = Clock::System.now();
    let local = Local { zone: config.policy().zone, now };
    let until = args.until.map(|until| until.instant(now, local.zone));
    if let Some(until) = until.filter(|until| *until <= now) {
        return Err(Stop::usage(format!("--until: {} has passed; name an end to come", local.time(until))));
    }
    let reason = args.reason.trim().to_owned();
    if reason.is_empty() {
        return Err(Stop::usage("--reason: say why, for whoever wonders where the mails are"));
    }
    let mut pause = Pause { scope: args.whose.scope(), reason, by: Setter::Person, since: now, until };
    let store = call.store(&config).await?;
    known(&store, &pause.scope).await?;
    pause.since = store.pause(&pause).await?;
    store.close().await;
    let before = pause.since < now;
    if call.json {
        output::json("shipby.pause/1", &json!({ "pause": pause, "paused_before": before }))?;
    } else {
        let before = if before { "It was paused already; reason and end are now these.\n" } else { "" };
        let how = match until {
            Some(_) => String::new(),
            None => format!("It has no end: shipby resume {}\n", plain(&pause.scope.to_resume())),
        };
        output::text(&format!("{}{}\n{before}{how}", mode_line(&config), sentence(&pause, local)))?;
    }
    Ok(Exit::Done)
}

/// What is not paused is no error: it is as it was asked to be.
pub(super) async fn resume(call: &Call, args: &Resuming) -> Answer {
    let config = call.config()?;
    let now = Clock::System.now();
    let local = Local { zone: config.policy().zone, now };
    let scope = args.whose.scope();
    let store = call.store(&config).await?;
    known(&store, &scope).await?;
    let ended = store.resume(&scope, now).await?;
    let left = store.pauses(now).await?;
    store.close().await;
    if call.json {
        output::json("shipby.resume/1", &json!({ "resumed": ended, "pauses": left }))?;
        return Ok(Exit::Done);
    }
    let what = capital(&plain(&scope.mail()));
    let mut text = mode_line(&config);
    text.push_str(&match ended {
        Some(_) => format!("{what} is resumed; what waited goes out now if it is still true.\n"),
        None => format!("{what} is not paused; nothing changed.\n"),
    });
    if !left.is_empty() {
        text.push_str("Paused all the same:\n");
        text.push_str(&lines(&left, local));
    }
    output::text(&text)?;
    Ok(Exit::Done)
}

async fn known(store: &Store, scope: &Scope) -> anyhow::Result<()> {
    match scope {
        Scope::Order(number) => the_order(store, number).await.map(drop),
        Scope::Sku(sku) if !store.knows_sku(sku).await? => Err(Stop::not_found(format!(
            "no order and no supply is of the SKU {sku:?}; `shipby order list` shows what is waited for"
        ))),
        _ => Ok(()),
    }
}

/// What is said of a notice that waits for the end of a pause.
pub(super) const HELD_BACK: &str = "held back by a pause";

/// `Mail about KETTLE-01 is paused since Mon 02 Mar 09:14, until Tue 31 Mar 23:59: a recall`; of one that shipby set, what
/// ends it.
pub(super) fn sentence(pause: &Pause, local: Local) -> String {
    let what = capital(&plain(&pause.scope.mail()));
    let until = pause.until.map_or_else(String::new, |until| format!(", until {}", local.time(until)));
    let (since, reason) = (local.time(pause.since), plain(&pause.reason));
    match pause.by {
        Setter::Person => format!("{what} is paused since {since}{until}: {reason}"),
        Setter::Shipby => {
            let resume = plain(&pause.scope.to_resume());
            format!("{what} is held back by shipby since {since}: {reason} (shipby resume {resume})")
        }
    }
}

/// A line for each pause; empty without one.
pub(super) fn lines<'a>(pauses: impl IntoIterator<Item = &'a Pause>, local: Local) -> String {
    pauses.into_iter().map(|pause| sentence(pause, local) + "\n").collect()
}

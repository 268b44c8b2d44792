//! `shipby import`: facts from a file. All of it is checked before any of it is applied; then it goes in steps of a
//! thousand facts, each of them one transaction, so that whatever breaks it off, the same file again does the rest.
//!
//! Whether an order takes a fact is part of the check. What changes between check and step is a reject all the same.

use std::path::PathBuf;

use anyhow::Context;
use clap::ValueEnum;

use super::format::Local;
use super::impact;
use super::output::Stop;
use super::progress::Progress;
use super::rejects::Rejects;
use super::{Answer, Call, Exit};
use crate::clock::Clock;
use crate::config::Config;
use crate::domain::fact::Source;
use crate::domain::order::apply::Notify;
use crate::intake::{Options, RowSpan, Sorting, Spool, SpoolError, Spooled, submit};
use crate::store::{Durability, Recorded, Store};

mod input;
mod report;

use input::Input;
use report::Report;

/// Facts in one transaction: enough to be fast, few enough for a daemon to get its turn in between.
const STEP: usize = 1000;

#[derive(Debug, clap::Args)]
#[command(override_usage = "shipby import [orders|supply|receipts|shipments] FILE [OPTIONS]")]
pub(super) struct Args {
    /// What a CSV is about (orders, supply, receipts or shipments), and the file; - is standard input.
    #[arg(num_args = 1..=2, required = true, value_names = ["KIND", "FILE"])]
    what: Vec<PathBuf>,
    /// Say what would come of it and change nothing.
    #[arg(long)]
    dry_run: bool,
    /// Whether customers hear about what lies before the import.
    #[arg(long, value_enum, default_value_t)]
    notify: Whom,
    /// Leave out what cannot be taken and take the rest.
    #[arg(long)]
    skip_bad: bool,
    /// Where to put what was left out, to be mended and imported again.
    #[arg(long, value_name = "FILE", requires = "skip_bad")]
    rejects: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum Whom {
    /// No mail about the past.
    #[default]
    Future,
    /// New orders are confirmed as if they had come in now.
    All,
}

impl From<Whom> for Notify {
    fn from(whom: Whom) -> Self {
        match whom {
            Whom::Future => Self::Future,
            Whom::All => Self::All,
        }
    }
}

pub(super) async fn run(call: &Call, args: &Args) -> Answer {
    let config = call.config()?;
    let input = Input::of(&args.what)?;
    let taken = args.rejects.as_deref().filter(|path| std::fs::symlink_metadata(path).is_ok());
    if let Some(path) = taken {
        return Err(Stop::usage(format!("--rejects {} is there already; name a new file", path.display())));
    }
    let mut report = Report::new(args, &config, input.shown());
    let spool = match input.spool(Clock::System.now(), call.json) {
        Err(SpoolError::Header(refusal)) => {
            report.refuse(refusal);
            return report.refused_whole(call);
        }
        other => other.with_context(|| input.shown())?,
    };
    report.take_stock(&spool);
    if args.dry_run {
        rehearse(&config, &spool, args, &mut report, call.json).await?;
    }
    if report.refused() > 0 && !args.skip_bad {
        return report.refused_whole(call);
    }
    if args.dry_run {
        return report.end(call);
    }
    if !args.skip_bad && spool.asks_orders() {
        check(&config, &spool, args, &mut report, call.json).await?;
        if report.refused() > 0 {
            return report.refused_whole(call);
        }
        report.start_over();
    }
    apply(&config, &spool, args, &mut report, call.json).await?;
    report.end(call)
}

/// Asks what would come of every fact. Those about one order stand in one step, so that each step can be judged alone.
async fn check(
    config: &Config,
    spool: &Spool,
    args: &Args,
    report: &mut Report,
    quiet: bool,
) -> anyhow::Result<()> {
    let path = &config.database.path;
    // Where there is no database yet, none is made for a question.
    let empty = if path.exists() { None } else { Some(tempfile::tempdir()?) };
    let store = match &empty {
        Some(folder) => Store::open(&folder.path().join("empty.db"), Durability::None).await?,
        None => Store::open_existing(path).await?,
    };
    let mut progress = Progress::new("checked", quiet);
    for step in spool.steps(STEP, Sorting::Subject) {
        record(&store, step?, args.notify.into(), true, report, |_| Ok(())).await?;
        progress.at(report.recorded(), Some((report.recorded(), spool.len() as u64)));
    }
    store.close().await;
    Ok(())
}

/// Applies it all to a copy of the database, and sees what that would mail.
async fn rehearse(
    config: &Config,
    spool: &Spool,
    args: &Args,
    report: &mut Report,
    quiet: bool,
) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("copy.db");
    if config.database.path.exists() {
        let store = Store::open_existing(&config.database.path).await?;
        store.copy_to(&path).await?;
        store.close().await;
    }
    let copy = Store::open(&path, Durability::None).await?;
    let (policy, now) = (config.policy(), Clock::System.now());
    // What is due in any case is not the import's doing.
    copy.let_sleep(now, &policy).await?;
    let mut progress = Progress::new("checked", quiet);
    for step in spool.steps(STEP, Sorting::Time) {
        record(&copy, step?, args.notify.into(), false, report, |_| Ok(())).await?;
        progress.at(report.recorded(), Some((report.recorded(), spool.len() as u64)));
    }
    let now = Clock::System.now();
    let impact = copy.impact_of_woken(now, &policy).await?;
    let local = Local { zone: policy.zone, now };
    report.expect(impact::words(&impact, local, &policy), impact::as_json(&impact));
    copy.close().await;
    Ok(())
}

async fn apply(
    config: &Config,
    spool: &Spool,
    args: &Args,
    report: &mut Report,
    quiet: bool,
) -> anyhow::Result<()> {
    let mut rejects =
        args.rejects.as_deref().map(|path| Rejects::create(path, spool.header())).transpose()?;
    if let Some(rejects) = &mut rejects {
        for raw in spool.refused_rows() {
            rejects.add(&raw?)?;
        }
    }
    let store = Store::open(&config.database.path, Durability::Full).await?;
    let mut progress = Progress::new("applied", quiet);
    for step in spool.steps(STEP, Sorting::Time) {
        let reject = |place: &RowSpan| match &mut rejects {
            Some(rejects) => rejects.add(&spool.raw(place)?),
            None => Ok(()),
        };
        record(&store, step?, args.notify.into(), false, report, reject).await?;
        progress.at(report.recorded(), Some((report.recorded(), spool.len() as u64)));
    }
    store.close().await;
    rejects.map_or(Ok(()), Rejects::finish)
}

/// Records a step, or asks what would come of it; `reject` is called with each fact that is refused.
async fn record(
    store: &Store,
    step: Vec<Spooled>,
    notify: Notify,
    dry_run: bool,
    report: &mut Report,
    mut reject: impl FnMut(&RowSpan) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let places: Vec<RowSpan> = step.iter().map(|spooled| spooled.place).collect();
    let options = Options { at: Clock::System.now(), notify, dry_run };
    let recorded = submit(store, Source::Import, step, options).await?;
    report.count(&recorded);
    for (place, recorded) in places.iter().zip(recorded) {
        if let Recorded::Refused(refusal) = recorded {
            reject(place)?;
            report.refuse_state(place.line, &refusal);
        }
    }
    Ok(())
}

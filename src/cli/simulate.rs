//! `shipby simulate`: dated facts replayed through the real planner and dispatcher on a simulated clock, on a
//! database of its own. For rehearsing a policy or a template on last year's orders.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufReader, BufWriter, IsTerminal, Write, stdin};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use chrono::{NaiveDate, TimeDelta};
use serde_json::json;
use tempfile::TempDir;

use super::{Answer, Call, Exit, output};
use crate::clock::Clock;
use crate::config::Config;
use crate::dispatcher::Transport;
use crate::domain::calendar::{Instant, plus_days, start_of};
use crate::domain::fact::Fact;
use crate::intake::{Format, Spool, Spooled};
use crate::mail::Relay;
use crate::simulation::Simulation;
use crate::store::{Counts, Durability, HeldChange, Recorded, Silence, Store};
use crate::wiring;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Facts as JSON lines, each with its `at`; `-` reads standard input.
    file: PathBuf,
    /// Go on until the end of that day (default: the last fact).
    #[arg(long, value_name = "DATE")]
    until: Option<NaiveDate>,
    /// Send the mails to this server on this machine instead of keeping them only.
    #[arg(long, value_name = "HOST:PORT")]
    smtp: Option<String>,
    /// Write every notice and every decision as JSON lines.
    #[arg(long, value_name = "FILE")]
    decisions: Option<PathBuf>,
    /// Write every mail into this folder.
    #[arg(long, value_name = "DIR")]
    mails: Option<PathBuf>,
}

/// What a simulation came to.
#[derive(Debug)]
struct Outcome {
    facts: usize,
    /// What the orders did not take, with its line in the file.
    refused: Vec<(u64, String)>,
    end: Instant,
    counts: Counts,
    silence: Option<Silence>,
    held: Vec<HeldChange>,
}

/// A simulation that has come to its end.
struct Played {
    simulation: Simulation,
    outcome: Outcome,
    /// Where its database is.
    _place: TempDir,
}

pub(super) async fn run(call: &Call, args: Args) -> Answer {
    let config = call.config()?;
    let spool = match read(&args.file)? {
        Ok(spool) => spool,
        Err(refusals) => {
            refusals
                .iter()
                .for_each(|refusal| output::message(&format!("{}:{refusal}", args.file.display())));
            bail!("nothing was simulated; mend these rows first");
        }
    };
    let until =
        args.until.map(|day| start_of(plus_days(day, 1), config.policy().zone) - TimeDelta::milliseconds(1));
    let transport = match &args.smtp {
        None => Transport::Capture,
        Some(server) => Transport::Smtp(Arc::new(local(server)?)),
    };
    let Played { mut simulation, outcome, _place } = play(&config, &spool, until, transport).await?;
    simulation.dispatcher.close().await;
    if let Some(file) = &args.decisions {
        write_decisions(&simulation.store, file).await.with_context(|| format!("{}", file.display()))?;
    }
    if let Some(folder) = &args.mails {
        write_mails(&simulation.store, folder).await.with_context(|| format!("{}", folder.display()))?;
    }
    simulation.store.close().await;
    if call.json {
        output::text(&format!("{}\n", to_json(&outcome)))?;
    } else {
        refusals(&outcome, &args.file);
        output::text(&report(&outcome))?;
    }
    Ok(if outcome.refused.is_empty() { Exit::Done } else { Exit::Rejects })
}

/// The file's facts, or why its rows cannot be taken.
fn read(file: &Path) -> anyhow::Result<Result<Spool, Vec<String>>> {
    let (input, format): (Box<dyn std::io::Read>, _) = if file == Path::new("-") {
        (Box::new(stdin()), Format::Jsonl)
    } else {
        let open = File::open(file).with_context(|| format!("{} cannot be read", file.display()))?;
        (Box::new(open), Format::Jsonl)
    };
    // Facts of a simulation may lie in the future, but each must say when it happened.
    let spool = Spool::read(BufReader::new(input), format, Instant::MAX_UTC, || {})
        .with_context(|| format!("{}", file.display()))?;
    let mut refusals: Vec<String> = spool.refusals().iter().map(ToString::to_string).collect();
    if spool.refused() > refusals.len() {
        refusals.push(format!(" and {} more rows", spool.refused() - refusals.len()));
    }
    let dateless = spool.last_instant().is_some_and(|last| last.timestamp() > 10_000_000_000);
    if refusals.is_empty() && dateless {
        refusals.push(" a fact has no \"at\"; a simulation needs the time of each".to_owned());
    }
    Ok(if refusals.is_empty() { Ok(spool) } else { Err(refusals) })
}

fn local(server: &str) -> anyhow::Result<Relay> {
    let (host, port) = server.rsplit_once(':').context("--smtp wants HOST:PORT")?;
    let port = port.parse().context("--smtp wants HOST:PORT, the port a number")?;
    Ok(wiring::local_relay(host, port)?)
}

/// The facts replayed on a database of their own.
async fn play(
    config: &Config,
    spool: &Spool,
    until: Option<Instant>,
    transport: Transport,
) -> anyhow::Result<Played> {
    let place = tempfile::tempdir().context("no temporary folder for the simulation's database")?;
    let mut store = Store::open(&place.path().join("simulation.db"), Durability::Simulated).await?;
    store.set_instance("simulation").await?;
    let (clock, hand) = Clock::simulated(spool.first_instant().unwrap_or_default());
    let dispatcher = wiring::simulated(config, store.clone(), clock, "simulation", transport)?;
    let mut simulation = Simulation { store, dispatcher, policy: config.policy(), hand };
    let end = until.or(spool.last_instant()).unwrap_or_default();
    let mut facts = spool.facts_in_order().peekable();
    let (mut refused, mut held) = (Vec::new(), Vec::new());
    let mut progress = Progress::new(spool.len());
    let mut done = 0;
    let mut due = simulation.next().await?;
    loop {
        let next = facts.peek().and_then(|fact| fact.as_ref().ok()).map(|fact| fact.fact.at());
        let Some(at) = due.at().into_iter().chain(next).min().filter(|at| *at <= end) else { break };
        let mut now: Vec<Spooled> = Vec::new();
        while let Some(fact) = facts.next_if(|fact| fact.as_ref().is_ok_and(|f| f.fact.at() <= at)) {
            now.push(fact?);
        }
        let of_this_moment: Vec<Fact> = now.iter().map(|fact| fact.fact.clone()).collect();
        let moment = simulation.go_on(due, at, &of_this_moment).await?;
        due = moment.next;
        // Nobody is there to release them, and what they would say is what is asked for.
        for batch in moment.held {
            simulation.store.release_batch(batch.id, at).await?;
            due = simulation.step(at, &[]).await?.next;
            held.push(batch);
        }
        for (fact, recorded) in now.iter().zip(&moment.recorded) {
            if let Recorded::Refused(why) = recorded {
                refused.push((fact.place.line, why.to_string()));
            }
        }
        done += now.len();
        progress.show(done, at);
    }
    if let Some(Err(error)) = facts.next() {
        return Err(error.into());
    }
    simulation.hand.set(end);
    progress.clear();
    let counts = simulation.store.counts().await?;
    let silence = simulation.store.longest_silence(end).await?;
    let outcome = Outcome { facts: done, refused, end, counts, silence, held };
    Ok(Played { simulation, outcome, _place: place })
}

async fn write_decisions(store: &Store, file: &Path) -> anyhow::Result<()> {
    let mut out = BufWriter::new(File::create(file)?);
    let mut after = String::new();
    loop {
        let entries = store.entries_after(&after, 1_000).await?;
        let Some(last) = entries.last() else { break };
        after.clone_from(&last.order_number);
        for entry in &entries {
            serde_json::to_writer(&mut out, entry)?;
            out.write_all(b"\n")?;
        }
    }
    out.flush()?;
    Ok(())
}

/// All mails, in place of those of an earlier run.
async fn write_mails(store: &Store, folder: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder)?;
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == "eml") && path.file_stem().is_some_and(is_an_id) {
            std::fs::remove_file(path)?;
        }
    }
    let mut after = String::new();
    loop {
        let mails = store.messages_after(&after, 500).await?;
        let Some((last, _)) = mails.last() else { return Ok(()) };
        after.clone_from(last);
        for (id, bytes) in &mails {
            std::fs::write(folder.join(format!("{id}.eml")), bytes)?;
        }
    }
}

/// Whether a file is called as we call mails.
fn is_an_id(name: &OsStr) -> bool {
    name.len() == 16 && name.to_str().is_some_and(|name| name.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

fn to_json(outcome: &Outcome) -> serde_json::Value {
    json!({
        "schema": "shipby.simulation/1",
        "facts": outcome.facts,
        "refused": outcome.refused.iter()
            .map(|(line, why)| json!({"line": line, "reason": why})).collect::<Vec<_>>(),
        "end": outcome.end,
        "orders": outcome.counts.orders,
        "notices": outcome.counts.notices,
        "decisions": outcome.counts.decisions,
        "longest_silence": outcome.silence,
        "held_batches": outcome.held.iter().map(super::batches::as_json).collect::<Vec<_>>(),
    })
}

fn refusals(outcome: &Outcome, file: &Path) {
    for (line, why) in &outcome.refused {
        output::message(&format!("{}:{line} refused: {why}", file.display()));
    }
}

fn report(outcome: &Outcome) -> String {
    let Outcome { facts, refused, end, counts, silence, held } = outcome;
    let by_word = |counts: &BTreeMap<String, BTreeMap<String, i64>>| -> String {
        let row = |(kind, of): (&String, &BTreeMap<String, i64>)| {
            let of: Vec<_> = of.iter().map(|(word, count)| format!("{count} {word}")).collect();
            format!("  {kind:<14} {}\n", of.join(", "))
        };
        counts.iter().map(row).collect()
    };
    let orders: Vec<_> = counts.orders.iter().map(|(status, count)| format!("{count} {status}")).collect();
    let mut text =
        format!("{facts} facts up to {}, {} refused\n", end.format("%Y-%m-%d %H:%M UTC"), refused.len());
    text.push_str(&format!("Orders: {}\n", orders.join(", ")));
    text.push_str(&format!("\nNotices\n{}", by_word(&counts.notices)));
    text.push_str(&format!("\nDecided otherwise\n{}", by_word(&counts.decisions)));
    if !held.is_empty() {
        text.push_str("\nWould have waited for a release (delivery.blast_limit); released at once here\n");
    }
    for batch in held {
        text.push_str(&format!("  {}\n", super::batches::named(batch)));
    }
    if let Some(silence) = silence {
        let span = TimeDelta::seconds(silence.seconds);
        let (days, hours) = (span.num_days(), span.num_hours() - 24 * span.num_days());
        text.push_str(&format!("\nLongest silence: {days} days {hours} hours (order {})\n", silence.order));
    }
    text
}

/// A line that shows how far it is, at a terminal only.
struct Progress {
    all: usize,
    shown: Option<NaiveDate>,
    terminal: bool,
}

impl Progress {
    fn new(all: usize) -> Self {
        Self { all, shown: None, terminal: std::io::stderr().is_terminal() }
    }

    /// Redrawn once a simulated day.
    fn show(&mut self, done: usize, at: Instant) {
        let day = at.date_naive();
        if self.terminal && self.shown != Some(day) {
            self.shown = Some(day);
            let width = 30 * done / self.all.max(1);
            eprint!("\r[{:<30}] {day}  {done} of {} facts", "█".repeat(width), self.all);
        }
    }

    fn clear(&self) {
        if self.terminal {
            eprint!("\r{:80}\r", "");
        }
    }
}

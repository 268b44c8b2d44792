//! `shipby demo`: five weeks of a shop's life as a story one can follow. The real planner and dispatcher on a
//! simulated clock, a real SMTP dialogue with a catcher in the process; the same every time, to the byte.

mod story;

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use chrono::{NaiveDate, TimeDelta};

use super::{Answer, Exit, output};
use crate::catcher::{Answer as Reply, Catcher, Script};
use crate::clock::Clock;
use crate::config::Config;
use crate::dispatcher::Transport;
use crate::domain::calendar::{Instant, day_of};
use crate::domain::notice::NoticeKind;
use crate::domain::order::Status;
use crate::domain::policy::Policy;
use crate::domain::reply::Phase;
use crate::intake;
use crate::simulation::Simulation;
use crate::store::{Durability, HistoryEntry, Store, Tried};
use crate::wiring;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Do not pace the story; end when it is told.
    #[arg(long)]
    once: bool,
    /// Leave mails and database in this folder.
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
}

/// Real seconds a simulated day takes at a terminal: five weeks in about ten seconds.
const DAY: Duration = Duration::from_millis(280);

pub(super) async fn run(args: Args) -> Answer {
    let folder = args.keep.unwrap_or_else(|| std::env::temp_dir().join("shipby-demo"));
    make_folder(&folder).with_context(|| format!("{}: cannot be used for the demo", folder.display()))?;
    let config = Config::parse(&folder.join("config.toml"), story::CONFIG, std::iter::empty())?;
    std::fs::write(&config.path, story::CONFIG)?;
    let catcher = Catcher::start(script()).await?;
    let mut demo = Demo {
        simulation: simulation(&config, &catcher).await?,
        policy: config.policy(),
        paced: !args.once && std::io::stdout().is_terminal(),
        tries: 0,
    };
    demo.tell().await?;
    let Demo { mut simulation, tries, .. } = demo;
    let figures = figures(&simulation.store, &config.policy(), simulation.hand.now()).await?;
    simulation.dispatcher.close().await;
    simulation.store.close().await;
    let mails = catcher.stop().await;
    for (at, mail) in mails.iter().enumerate() {
        std::fs::write(folder.join(format!("{:03}.eml", at + 1)), &mail.bytes)?;
    }
    let (taken, read, config) = (mails.len(), folder.join("*.eml"), &config.path);
    output::text(&format!(
        "\n{figures}\n{tries} tries to send, {taken} mails taken by the mail server; none left this machine.\n\n\
        Read them:  {}\nAsk why:    shipby --config {} why 1042\nYours:      shipby init, then shipby check\n",
        read.display(),
        config.display()
    ))?;
    Ok(Exit::Done)
}

/// A folder of our own; what an earlier demo left in it goes.
fn make_folder(folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if name.ends_with(".eml") || name.starts_with("shipby.db") {
            std::fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// Takes every mail, but puts off the first try to Ana's server once: greylisting.
fn script() -> Script {
    let put_off = std::sync::atomic::AtomicBool::new(false);
    Script::new(move |dialogue| {
        let greylists =
            dialogue.phase == Phase::Rcpt && dialogue.to == story::GREYLISTED && dialogue.mail > 3;
        if greylists && !put_off.swap(true, std::sync::atomic::Ordering::SeqCst) {
            return Reply::reply("451 4.7.1 greylisted, come back in a minute");
        }
        Reply::Usual
    })
}

async fn simulation(config: &Config, catcher: &Catcher) -> anyhow::Result<Simulation> {
    let mut store = Store::open(&config.database.path, Durability::None).await?;
    store.set_instance("demo").await?;
    let start: Instant = story::START.parse()?;
    let (clock, hand) = Clock::simulated(start);
    let address = catcher.addr();
    let relay = wiring::local_relay(&address.ip().to_string(), address.port())?;
    let transport = Transport::Smtp(Arc::new(relay));
    let dispatcher = wiring::simulated(config, store.clone(), clock, "demo", transport)?;
    Ok(Simulation { store, dispatcher, policy: config.policy(), hand })
}

struct Demo {
    simulation: Simulation,
    policy: Policy,
    paced: bool,
    tries: usize,
}

impl Demo {
    async fn tell(&mut self) -> anyhow::Result<()> {
        output::text(&format!(
            "shipby {}: five weeks of a shop in Berlin. No mail leaves this machine.\n\n",
            env!("CARGO_PKG_VERSION")
        ))?;
        let mut heartbeats = story::heartbeats().into_iter().peekable();
        let end: Instant = story::END.parse()?;
        let mut day = None;
        loop {
            let due = self.simulation.next_due().await?;
            let heartbeat = heartbeats.peek().map(|heartbeat| heartbeat.at());
            let Some(at) = due.into_iter().chain(heartbeat).min().filter(|at| *at <= end) else {
                return Ok(());
            };
            self.pace(&mut day, at).await;
            let mut facts = Vec::new();
            while let Some(heartbeat) = heartbeats.next_if(|heartbeat| heartbeat.at() == at) {
                self.say(at, heartbeat.mark, heartbeat.words)?;
                facts.push(intake::fact(heartbeat.fact, at)?);
            }
            let moment = self.simulation.step(at, &facts).await?;
            self.tries += moment.settled;
            let (tries, decided) = self.simulation.store.moment(at.max(self.simulation.hand.now())).await?;
            for tried in &tries {
                self.say_tried(at, tried)?;
            }
            for entry in &decided {
                self.say_decided(at, entry)?;
            }
        }
    }

    fn say_tried(&self, at: Instant, tried: &Tried) -> anyhow::Result<()> {
        let Tried { order_number, kind, outcome, subject, reply, attempt, .. } = tried;
        let again = if *attempt > 1 { format!(" (on attempt {attempt})") } else { String::new() };
        if outcome == "accepted" {
            let subject = subject.as_deref().unwrap_or_default();
            return self.say(at, '✉', &format!("{order_number}  {kind:<14}\u{201c}{subject}\u{201d}{again}"));
        }
        let reply = reply.as_deref().unwrap_or_default();
        self.say(at, '!', &format!("{order_number}  {kind:<14}{outcome}: the mail server says {reply}"))
    }

    fn say_decided(&self, at: Instant, entry: &HistoryEntry) -> anyhow::Result<()> {
        let day = entry.occasion.rsplit_once('/').and_then(|(_, day)| day.parse::<NaiveDate>().ok());
        let (order, kind, by) =
            (&entry.order_number, &entry.kind, entry.by_occasion.as_deref().unwrap_or_default());
        if entry.reason.as_deref() == Some("clock_restarted")
            && let Some(day) = day
        {
            let words = format!(
                "{order}  {kind:<14}of {} superseded: {by} restarts the seven days",
                day.format("%a %d %b")
            );
            self.say(at, '·', &words)?;
        }
        Ok(())
    }

    fn say(&self, at: Instant, mark: char, words: &str) -> anyhow::Result<()> {
        let local = at.with_timezone(&self.policy.zone);
        output::text(&format!("{}  {mark} {words}\n", local.format("%a %d %b %H:%M")))
    }

    /// At a terminal a day takes its time.
    async fn pace(&self, day: &mut Option<NaiveDate>, at: Instant) {
        let today = day_of(at, self.policy.zone);
        let passed = day.map_or(0, |day| (today - day).num_days());
        *day = Some(today);
        if self.paced && passed > 0 {
            let _ = std::io::stdout().flush();
            tokio::time::sleep(DAY * u32::try_from(passed).unwrap_or(1)).await;
        }
    }
}

/// The closing figures, all of them counted.
async fn figures(store: &Store, policy: &Policy, now: Instant) -> anyhow::Result<String> {
    let (mut orders, mut in_time, mut cancelled, mut open) = (0, 0, 0, 0);
    for listed in store.list_orders(None, None, 1_000).await? {
        orders += 1;
        let Some(order) = store.order(&listed.number).await? else { continue };
        match order.status() {
            Status::Cancelled => cancelled += 1,
            Status::Waiting | Status::Open => open += 1,
            Status::Shipped => {
                let last = store.timeline(&order.number).await?;
                let shipped = |entry: &&HistoryEntry| entry.kind == NoticeKind::Shipped.as_str();
                let day = last.iter().rfind(shipped).map(|entry| day_of(entry.instant(), policy.zone));
                let told = order.lines.iter().filter_map(|line| line.told).max();
                in_time += u32::from(day.is_some() && day <= told);
            }
        }
    }
    let silence = store.longest_silence(now).await?.map(|silence| TimeDelta::seconds(silence.seconds));
    let silence = silence.unwrap_or_default();
    let hours = silence.num_hours() - 24 * silence.num_days();
    Ok(format!(
        "{orders} orders: {in_time} shipped by the date told last, {cancelled} cancelled, {open} still waiting.\n\
         Longest silence towards anybody who waited: {} days {hours} hours.",
        silence.num_days()
    ))
}

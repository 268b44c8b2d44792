//! A shop on a simulated clock: a database of its own, the real planner and dispatcher, a catcher for a relay.
//!
//! What always holds: time moves only when a test moves it, and then stops at every instant at which something
//! is due, in order; and no notice makes a move that is not legal. The shop is in Berlin and has the defaults otherwise.

use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};
use mail_parser::MessageParser;
use serde_json::Value;
use shipby::catcher::{Catcher, Caught, Script};
use shipby::clock::Simulated;
use shipby::config::Config;
use shipby::domain::fact::Source;
use shipby::domain::order::Order;
use shipby::domain::order::apply::Notify;
use shipby::intake::{self, Options};
use shipby::simulation::Simulation;
use shipby::store::{HistoryEntry, Kept, Recorded, Store};
use shipby::{clock::Clock, wiring};
use tempfile::TempDir;

use super::front::{Door, Front, Way};
use super::moves;
use super::raw::Raw;
use crate::contract::driver::Driver;

/// How the shop is configured.
pub const SHOP: &str = "[shop]\nname = \"Fine Tableware\"\nfrom = \"Fine Tableware <orders@tableware.example>\"\n\
    timezone = \"Europe/Berlin\"\n[delivery]\nmode = \"live\"\nrate = \"unlimited\"\nconcurrency = 1\n";

/// How a shop differs from the usual one.
#[derive(Default)]
pub struct Differs<'a> {
    pub script: Script,
    /// Configuration keys with their values, as in the environment: `("DELIVERY__CONCURRENCY", "8")`.
    pub keys: &'a [(&'a str, &'a str)],
}

pub struct TestApp {
    pub catcher: Catcher,
    pub front: Option<Front>,
    pub sim: Simulation,
    pub config: Config,
    starts: u32,
    _folder: TempDir,
}

/// A mail as the relay has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Mail {
    pub order: String,
    pub kind: String,
    pub to: String,
    pub message_id: String,
    pub subject: String,
    /// The text part on one line, for sentences that were wrapped.
    pub text: String,
    pub bytes: Vec<u8>,
}

pub fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// `Wed 04 Mar 09:14`, in the shop's zone.
pub fn local(at: DateTime<Utc>) -> String {
    at.with_timezone(&chrono_tz::Europe::Berlin).format("%a %d %b %H:%M").to_string()
}

impl TestApp {
    pub async fn start(start: &str) -> Self {
        Self::with(start, Differs::default()).await
    }

    pub async fn with(start: &str, differs: Differs<'_>) -> Self {
        Self::behind(None, start, differs).await
    }

    /// The same with a door before the relay; none where mail goes in clear.
    pub async fn behind(door: Option<Door>, start: &str, differs: Differs<'_>) -> Self {
        Self::inside(tempfile::tempdir().unwrap(), door, start, differs).await
    }

    /// On a database that another daemon left behind.
    pub async fn on(database: &[u8], start: &str, differs: Differs<'_>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("shipby.db"), database).unwrap();
        Self::inside(folder, None, start, differs).await
    }

    async fn inside(folder: TempDir, door: Option<Door>, start: &str, differs: Differs<'_>) -> Self {
        let catcher = Catcher::start(differs.script).await.unwrap();
        let front = match door {
            Some(door) => Some(Front::start(door, catcher.addr()).await),
            None => None,
        };
        let keys = relay_keys(&catcher, front.as_ref());
        let keys = keys.iter().map(|(key, value)| (*key, value.as_str())).chain(differs.keys.iter().copied());
        let env = keys.map(|(key, value)| (format!("SHIPBY__{key}"), value.to_owned()));
        let config = Config::parse(&folder.path().join("config.toml"), SHOP, env).unwrap();
        let sim = simulation(&config, Simulated::at(at(start)), 1).await;
        moves::watch(Driver::TESTED.raw(&config.database.path).await).await;
        Self { catcher, front, sim, config, starts: 1, _folder: folder }
    }

    /// Ends like a crash and starts again: nothing is settled in between. Says what was taken back, and in doubt.
    pub async fn restart(&mut self) -> (usize, usize) {
        self.starts += 1;
        self.sim = simulation(&self.config, self.sim.hand.clone(), self.starts).await;
        self.sim.store.recover(self.now(), &self.sim.policy).await.unwrap()
    }

    pub fn store(&self) -> &Store {
        &self.sim.store
    }

    pub fn database(&self) -> &Path {
        &self.config.database.path
    }

    /// The database by another way than the store, for what the store does not do.
    pub async fn raw(&self) -> Raw {
        Driver::TESTED.raw(self.database()).await
    }

    pub fn now(&self) -> DateTime<Utc> {
        self.sim.hand.now()
    }

    /// One fact now, and all that follows from it now.
    pub async fn fact(&mut self, fact: Value) -> Recorded {
        self.facts([fact]).await.remove(0)
    }

    pub async fn facts(&mut self, facts: impl IntoIterator<Item = Value>) -> Vec<Recorded> {
        let now = self.now();
        let facts: Vec<_> = facts.into_iter().map(|fact| intake::fact(fact, now).unwrap()).collect();
        self.sim.step(now, &facts).await.unwrap().recorded
    }

    /// The same without what follows: as if another process had recorded it.
    pub async fn only_record(&self, fact: Value, notify: Notify) -> Recorded {
        let fact = intake::fact(fact, self.now()).unwrap();
        let options = Options { notify, ..Options::at(self.now()) };
        intake::submit(self.store(), Source::Import, [fact], options).await.unwrap().remove(0)
    }

    /// All that is due now. Says how many tries were settled.
    pub async fn settle(&mut self) -> usize {
        let now = self.now();
        self.sim.step(now, &[]).await.unwrap().settled
    }

    pub fn clock(&self) -> Clock {
        Clock::Simulated(self.sim.hand.clone())
    }

    /// Time passes, and nobody does anything.
    pub fn pass(&self, span: TimeDelta) {
        self.sim.hand.set(self.now() + span);
    }

    pub async fn travel(&mut self, span: TimeDelta) {
        let end = self.now() + span;
        self.go(end).await;
    }

    pub async fn travel_to(&mut self, end: &str) {
        self.go(at(end)).await;
    }

    async fn go(&mut self, end: DateTime<Utc>) {
        let mut stuck = 0;
        while let Some(due) = self.sim.next_due().await.unwrap().filter(|due| *due <= end) {
            stuck = if due <= self.now() { stuck + 1 } else { 0 };
            assert!(stuck < 5, "due at {due}, and nothing is done about it");
            self.sim.step(due, &[]).await.unwrap();
        }
        self.sim.step(end, &[]).await.unwrap();
    }

    /// What the relay has taken, in its order.
    pub fn mails(&self) -> Vec<Mail> {
        self.catcher.mails().iter().map(read).collect()
    }

    /// Order and kind of each mail taken.
    pub fn kinds(&self) -> Vec<String> {
        self.mails().iter().map(|mail| format!("{} {}", mail.order, mail.kind)).collect()
    }

    /// The mail taken last.
    pub fn last_mail(&self) -> Mail {
        self.mails().pop().unwrap()
    }

    pub async fn order(&self, number: &str) -> Order {
        self.store().order(number).await.unwrap().unwrap()
    }

    /// The date the customer was told for the first line.
    pub async fn told(&self, number: &str) -> String {
        let order = self.order(number).await;
        order.lines[0].told.map_or_else(|| "none".to_owned(), |day| day.to_string())
    }

    pub async fn timeline(&self, number: &str) -> Vec<HistoryEntry> {
        self.store().timeline(number).await.unwrap()
    }

    /// What the relay took: `Wed 04 Mar 09:14 update_48h`.
    pub async fn accepted(&self, number: &str) -> Vec<String> {
        let timeline = self.timeline(number).await;
        let accepted = timeline.iter().filter(|entry| entry.state == "accepted");
        accepted.map(|entry| format!("{} {}", local(entry.instant()), entry.kind)).collect()
    }

    /// The rest of the timeline: `Wed 18 Mar 10:00 weekly_status/2026-03-18 superseded clock_restarted`.
    pub async fn otherwise(&self, number: &str) -> Vec<String> {
        let timeline = self.timeline(number).await;
        let others = timeline.iter().filter(|entry| entry.state != "accepted");
        let reason = |entry: &HistoryEntry| entry.reason.clone().unwrap_or_default();
        let told = |e: &HistoryEntry| {
            format!("{} {} {} {}", local(e.instant()), e.occasion, e.state, reason(e)).trim().to_owned()
        };
        others.map(told).collect()
    }

    /// The notice of an occasion, with its bytes and tries.
    pub async fn kept(&self, number: &str, occasion: &str) -> Kept {
        let timeline = self.timeline(number).await;
        let entry = timeline.iter().find(|entry| entry.occasion == occasion && entry.notice.is_some());
        let id = entry.unwrap_or_else(|| panic!("{occasion} is not in {timeline:#?}")).notice.clone();
        self.store().kept(&id.unwrap()).await.unwrap().remove(0)
    }

    pub async fn state(&self, number: &str, occasion: &str) -> String {
        self.kept(number, occasion).await.entry.state
    }
}

/// Where the relay is, and how it is come to.
fn relay_keys(catcher: &Catcher, front: Option<&Front>) -> Vec<(&'static str, String)> {
    let Some(front) = front else { return vec![("SMTP__PORT", catcher.addr().port().to_string())] };
    let security = if front.way == Way::Tls { "tls" } else { "starttls" };
    vec![
        ("SMTP__HOST", "localhost".to_owned()),
        ("SMTP__PORT", front.addr.port().to_string()),
        ("SMTP__SECURITY", security.to_owned()),
        ("SMTP__CA_FILE", front.ca_file().display().to_string()),
        ("SMTP__USERNAME", "clerk".to_owned()),
        ("SMTP__PASSWORD", "sesame".to_owned()),
    ]
}

async fn simulation(config: &Config, hand: Simulated, start: u32) -> Simulation {
    let store = Driver::TESTED.open(&config.database.path).await.unwrap();
    let clock = Clock::Simulated(hand.clone());
    let dispatcher = wiring::dispatcher(config, store.clone(), clock, format!("start-{start}")).unwrap();
    Simulation { store, dispatcher, policy: config.policy(), hand }
}

fn read(caught: &Caught) -> Mail {
    let message = MessageParser::default().parse(&caught.bytes).unwrap();
    let header = |name: &str| message.header(name).and_then(|v| v.as_text()).unwrap_or_default().to_owned();
    let text = message.body_text(0).unwrap_or_default();
    Mail {
        order: header("X-Shipby-Order"),
        kind: header("X-Shipby-Kind"),
        to: caught.to.join(", "),
        message_id: message.message_id().unwrap_or_default().to_owned(),
        subject: message.subject().unwrap_or_default().to_owned(),
        text: text.split_whitespace().collect::<Vec<_>>().join(" "),
        bytes: caught.bytes.clone(),
    }
}

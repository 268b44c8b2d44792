//! A shop's folder, its story, and the built binary run in it.

use std::path::PathBuf;
use std::sync::Arc;

use assert_cmd::Command;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use shipby::catcher::{Answer, Catcher, Script};
use shipby::clock::{self, Clock};
use shipby::config::Config;
use shipby::dispatcher::{Dispatcher, Settings, Transport};
use shipby::domain::fact::Fact;
use shipby::domain::reply::Phase;
use shipby::intake::fact;
use shipby::simulation::Simulation;
use shipby::store::{Durability, Store};
use shipby::wiring;

pub const CONFIG: &str = r#"
[shop]
name = "Fine Tableware"
from = "Fine Tableware <orders@tableware.example>"
timezone = "Europe/Berlin"
[delivery]
mode = "MODE"
redirect_to = "us@tableware.example"
rate = "unlimited"
concurrency = 1
[alerts]
to = "ops@tableware.example"
"#;

/// When the questions are asked, unless a test says otherwise.
pub const AT: &str = "2026-03-18T11:00:00Z";

pub fn instant(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

pub fn facts(lines: &[Value]) -> Vec<Fact> {
    lines.iter().map(|line| fact(line.clone(), instant("2027-01-01T00:00:00Z")).unwrap()).collect()
}

pub fn order(number: &str, at: &str, email: Option<&str>, units: u32) -> Value {
    json!({"fact": "order", "at": at, "order": number, "placed_at": at, "payment": "authorized",
        "customer": {"email": email, "name": "Ana", "locale": "en"},
        "lines": [{"id": "1", "sku": "KETTLE-01", "title": "Kettle", "quantity": units, "kind": "backorder",
            "promised": "2026-03-20"}]})
}

pub fn supply(at: &str, eta: &str) -> Value {
    json!({"fact": "supply", "at": at, "sku": "KETTLE-01", "supply": "PO-77", "quantity": 60, "eta": eta,
        "state": "in_transit", "reason": "The factory is late."})
}

/// A folder with a configuration and, once a story was played, a database.
pub struct House {
    pub folder: tempfile::TempDir,
}

impl House {
    pub fn new(mode: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("config.toml"), CONFIG.replace("MODE", mode)).unwrap();
        Self { folder }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn config(&self) -> Config {
        Config::load(&self.path("config.toml"), std::iter::empty()).unwrap()
    }

    pub async fn store(&self) -> Store {
        Store::open(&self.config().database.path, Durability::Full).await.unwrap()
    }

    /// Plays facts at their own times up to `until`, with the real planner and dispatcher.
    pub async fn play(&self, transport: Transport, lines: &[Value], until: &str) {
        let config = self.config();
        let facts = facts(lines);
        let mut store = Store::open(&config.database.path, Durability::None).await.unwrap();
        store.set_instance("test").await.unwrap();
        let (clock, hand) = Clock::simulated(facts[0].at());
        let settings = Settings {
            owner: "test".to_owned(),
            mode: config.delivery.mode.clone(),
            allowed: config.delivery.allowed.clone(),
            concurrency: 1,
            rate: None,
            breaker: 20,
            policy: config.policy(),
            built: clock::built(),
        };
        let renderer = wiring::renderer(&config).unwrap();
        let dispatcher = Dispatcher::new(store.clone(), clock, transport, renderer, settings);
        let mut story = Simulation { store, dispatcher, policy: config.policy(), hand };
        let until = instant(until);
        for fact in &facts {
            story.step_to(fact.at()).await;
            story.step(fact.at(), std::slice::from_ref(fact)).await.unwrap();
        }
        story.step_to(until).await;
        story.dispatcher.close().await;
        story.store.close().await;
    }

    /// What a command prints and how it ends.
    pub fn run(&self, args: &[&str]) -> (i32, String, String) {
        self.run_on(args, b"")
    }

    /// The same with something to read.
    pub fn run_on(&self, args: &[&str], stdin: &[u8]) -> (i32, String, String) {
        let mut command = Command::cargo_bin("shipby").unwrap();
        command.current_dir(self.folder.path()).env_clear().args(args).write_stdin(stdin);
        let output = command.output().unwrap();
        let text = |bytes: Vec<u8>| {
            let text = String::from_utf8(bytes).unwrap();
            // Templates may gain samples; that is no matter of these tests.
            let samples = format!("{} samples", shipby::templates::samples::cases().len());
            text.replace(&self.folder.path().display().to_string(), "/shop").replace(&samples, "all samples")
        };
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }

    /// What a command that went well prints.
    pub fn prints(&self, args: &[&str]) -> String {
        let (code, out, err) = self.run(args);
        assert_eq!((code, err.as_str()), (0, ""), "{args:?}: {out}");
        out
    }

    pub fn json(&self, args: &[&str]) -> Value {
        let args: Vec<&str> = args.iter().copied().chain(["--json"]).collect();
        serde_json::from_str(&self.prints(&args)).unwrap()
    }
}

trait Travel {
    async fn step_to(&mut self, until: DateTime<Utc>);
}

impl Travel for Simulation {
    /// Does all that is due before `until`, each at its own time.
    async fn step_to(&mut self, until: DateTime<Utc>) {
        while let Some(next) = self.next_due().await.unwrap().filter(|next| *next < until) {
            // What stays due at one instant is asked again a little later, as the daemon does.
            let now = self.hand.now();
            let at = if next <= now { now + TimeDelta::seconds(1) } else { next };
            self.step(at, &[]).await.unwrap();
        }
        self.hand.set(until);
    }
}

/// Ana's order slips once, and the weekly status before that was greylisted; two older orders wait before it. The
/// server of slow.example never takes a mail. Order 1045 waits for two things and is to ship at once.
pub async fn slip() -> House {
    let house = House::new("live");
    let script = Script::new(|dialogue| match (dialogue.phase, dialogue.to, dialogue.attempt) {
        (Phase::Rcpt, "ana@example.com", 3) => Answer::reply("451 4.7.1 greylisted"),
        (Phase::Rcpt, "eve@slow.example", _) => Answer::reply("452 4.2.2 mailbox full"),
        _ => Answer::Usual,
    });
    let catcher = Catcher::start(script).await.unwrap();
    let relay = wiring::local_relay("127.0.0.1", catcher.addr().port()).unwrap();
    house.play(Transport::Smtp(Arc::new(relay)), &story(), AT).await;
    house
}

pub fn story() -> Vec<Value> {
    let both = json!({"fact": "order", "at": "2026-03-17T07:00:00Z", "order": "1045", "partial": "hold",
        "customer": {"email": "dan@example.com", "timezone": "America/New_York"},
        "lines": [{"id": "1", "sku": "KETTLE-01", "title": "Kettle", "quantity": 2, "kind": "backorder"},
            {"id": "2", "sku": "POT-02", "title": "Teapot", "quantity": 1, "kind": "preorder"},
            {"id": "3", "sku": "CUP-03", "title": "Cup", "quantity": 4, "kind": "in_stock"}]});
    vec![
        supply("2026-03-01T08:00:00Z", "2026-03-16"),
        order("1040", "2026-03-01T09:00:00Z", Some("ben@example.com"), 2),
        order("1041", "2026-03-01T10:00:00Z", None, 1),
        order("1042", "2026-03-02T08:14:00Z", Some("ana@example.com"), 1),
        supply("2026-03-12T14:15:00Z", "2026-03-27"),
        both,
        order("1043", "2026-03-18T10:30:00Z", Some("ana@example.com"), 1),
        json!({"fact": "cancel", "at": "2026-03-18T10:40:00Z", "id": "C-1", "order": "1043", "by": "customer"}),
        order("1044", "2026-03-18T10:50:00Z", Some("eve@slow.example"), 1),
    ]
}

//! What the service manager is told (sd_notify), and whether the loops still turn.
//!
//! Nothing here ever blocks the work: sending to the manager's socket can hang, so a thread of its own
//! does it and messages beyond a short queue are dropped. Without a service manager nothing happens.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sd_notify::NotifyState;
use tokio_util::sync::CancellationToken;

use crate::text::plain;

/// The line to the service manager; clones speak over the same one.
#[derive(Debug, Clone, Default)]
pub struct Supervisor {
    line: Option<SyncSender<Message>>,
    /// What was said last of each topic: the manager shows one line for all.
    said: Arc<Mutex<BTreeMap<&'static str, String>>>,
}

#[derive(Debug)]
enum Message {
    Ready,
    Status(String),
    Stopping,
    Alive,
}

impl Supervisor {
    /// Opens the line if the environment names a service manager (`NOTIFY_SOCKET`).
    pub fn from_env() -> Self {
        if std::env::var_os("NOTIFY_SOCKET").is_none() {
            return Self::default();
        }
        let (sender, receiver) = sync_channel(16);
        // Detached on purpose: a manager that does not read must not keep us from ending.
        match std::thread::Builder::new().name("sd-notify".to_owned()).spawn(move || forward(&receiver)) {
            Ok(_) => Self { line: Some(sender), ..Self::default() },
            Err(error) => {
                tracing::warn!(%error, "the service manager will hear nothing");
                Self::default()
            }
        }
    }

    /// The daemon does its work: the database is open and the loops run.
    pub fn ready(&self) {
        self.send(Message::Ready);
    }

    /// What `systemctl status` shows of a topic, beside what was said of others; an empty text takes it away.
    pub fn status(&self, topic: &'static str, text: &str) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if text.is_empty() {
            said.remove(topic);
        } else {
            said.insert(topic, plain(text));
        }
        let all: Vec<&str> = said.values().map(String::as_str).collect();
        self.send(Message::Status(all.join("; ")));
    }

    /// The daemon drains and ends.
    pub fn stopping(&self) {
        self.send(Message::Stopping);
    }

    fn send(&self, message: Message) {
        if let Some(line) = &self.line {
            // Full: the manager does not read. What it misses is only news.
            let _ = line.try_send(message);
        }
    }
}

fn forward(messages: &Receiver<Message>) {
    for message in messages {
        let state = match &message {
            Message::Ready => NotifyState::Ready,
            Message::Status(text) => NotifyState::Status(text),
            Message::Stopping => NotifyState::Stopping,
            Message::Alive => NotifyState::Watchdog,
        };
        if let Err(error) = sd_notify::notify(&[state]) {
            tracing::debug!(%error, "the service manager did not take a message");
        }
    }
}

/// The sign of life of one loop. The loop beats once a turn.
#[derive(Debug, Clone)]
pub struct Heartbeat(Arc<Pulse>);

#[derive(Debug)]
struct Pulse {
    name: &'static str,
    limit: Duration,
    start: Instant,
    /// Milliseconds after `start`, on the monotonic clock.
    last: AtomicU64,
}

impl Heartbeat {
    fn new(name: &'static str, limit: Duration) -> Self {
        Self(Arc::new(Pulse { name, limit, start: Instant::now(), last: AtomicU64::new(0) }))
    }

    /// The loop turns.
    pub fn heartbeat(&self) {
        self.0.last.store(self.0.millis(), Ordering::Relaxed);
    }

    /// Whether the loop turned within its limit.
    pub fn is_fresh(&self) -> bool {
        let silent = self.0.millis().saturating_sub(self.0.last.load(Ordering::Relaxed));
        u128::from(silent) <= self.0.limit.as_millis()
    }
}

impl Pulse {
    fn millis(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// Tells the service manager that we live, as long as every loop turns.
#[derive(Debug, Default)]
pub struct Watchdog {
    heartbeats: Vec<Heartbeat>,
}

impl Watchdog {
    /// Watches one more loop, which must beat at least every `limit`.
    pub fn watch(&mut self, name: &'static str, limit: Duration) -> Heartbeat {
        let heartbeat = Heartbeat::new(name, limit);
        self.heartbeats.push(heartbeat.clone());
        heartbeat
    }

    /// The loop that stands still, if one does.
    pub fn stalled(&self) -> Option<&'static str> {
        self.heartbeats.iter().find(|heartbeat| !heartbeat.is_fresh()).map(|heartbeat| heartbeat.0.name)
    }

    /// Runs until `stop`; at once done where the manager wants no sign of life (`WATCHDOG_USEC`).
    // A task on purpose: a runtime that is blocked starves it, and the manager notices.
    pub async fn run(self, supervisor: Supervisor, stop: CancellationToken) {
        let Some(limit) = sd_notify::watchdog_enabled() else { return };
        let mut tick = tokio::time::interval((limit / 3).max(Duration::from_millis(10)));
        let mut reported = None;
        loop {
            tokio::select! {
                _ = tick.tick() => {}
                () = stop.cancelled() => return,
            }
            let stalled = self.stalled();
            match stalled {
                None => {
                    if reported.is_some() {
                        supervisor.status("stalled", "");
                    }
                    supervisor.send(Message::Alive);
                }
                Some(name) if reported != stalled => {
                    tracing::error!(task = name, "stalled; the service manager will restart us");
                    supervisor.status("stalled", &format!("stalled: {name}"));
                }
                Some(_) => {}
            }
            reported = stalled;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_that_stops_beating_is_named() {
        let mut watchdog = Watchdog::default();
        let planner = watchdog.watch("planner", Duration::from_secs(60));
        let _dispatcher = watchdog.watch("dispatcher", Duration::ZERO);
        std::thread::sleep(Duration::from_millis(5));
        planner.heartbeat();
        assert!(planner.is_fresh());
        assert_eq!(watchdog.stalled(), Some("dispatcher"));
    }

    #[test]
    fn without_a_service_manager_nothing_happens() {
        let supervisor = Supervisor::default();
        supervisor.ready();
        supervisor.status("mail", "54 open");
        supervisor.stopping();
    }

    #[test]
    fn a_manager_that_does_not_read_never_holds_us_up() {
        let (sender, _receiver) = sync_channel(1);
        let supervisor = Supervisor { line: Some(sender), ..Supervisor::default() };
        for _ in 0..100 {
            supervisor.status("mail", "54 open\nREADY=1");
        }
    }

    #[test]
    fn what_is_said_of_one_topic_stays_beside_the_others_until_it_is_over() {
        let (sender, receiver) = sync_channel(16);
        let supervisor = Supervisor { line: Some(sender), ..Supervisor::default() };
        supervisor.status("templates", "templates broken");
        supervisor.status("mail", "3 settled");
        supervisor.status("mail", "4 settled");
        supervisor.status("templates", "");
        let said: Vec<String> = receiver.try_iter().map(|message| format!("{message:?}")).collect();
        let expected =
            ["templates broken", "3 settled; templates broken", "4 settled; templates broken", "4 settled"];
        assert_eq!(said, expected.map(|text| format!("Status({text:?})")));
    }
}

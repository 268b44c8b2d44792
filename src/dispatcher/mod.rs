//! The dispatcher: outbox, mail, history. Claims what is due, renders it, keeps the bytes, sends, settles.
//!
//! What always holds: bytes and attempt are durable before the first octet leaves; a connection takes its next
//! body only when the outcome of its last message is durable; a try that came to nothing clear is in doubt.

mod ledger;
mod letter;
mod line;
mod throttle;

use std::sync::Arc;

use chrono::TimeDelta;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::{Allowed, Mode, Rate};
use crate::domain::calendar::Instant;
use crate::domain::policy::Policy;
use crate::domain::reply::Retry;
use crate::domain::settle::Outcome;
use crate::mail::{Connection, Relay};
use crate::store::{Claimed, Limits, Outcomes, Settlement, Staged, Store, StoreError};

use ledger::Ledger;
pub use letter::{Desk, LetterError};
use throttle::Throttle;

/// Where mails go.
#[derive(Debug, Clone)]
pub enum Transport {
    /// Nowhere: they are kept, and that is all.
    Capture,
    Smtp(Arc<Relay>),
}

/// All the dispatcher is told.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Names this daemon in every claim.
    pub owner: String,
    pub mode: Mode,
    pub allowed: Allowed,
    /// Connections at one time.
    pub concurrency: usize,
    pub rate: Option<Rate>,
    pub policy: Policy,
}

/// What a run of the dispatcher did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Tries settled, whatever their outcome.
    pub settled: usize,
    /// The relay cannot be used; nothing more was tried.
    pub relay_down: Option<String>,
}

/// Sends what the outbox holds. One per database; connections are kept from run to run.
pub struct Dispatcher {
    store: Store,
    clock: Clock,
    transport: Transport,
    desk: Arc<Desk>,
    settings: Arc<Settings>,
    lines: Vec<Arc<Mutex<Option<Connection>>>>,
    throttle: Arc<Throttle>,
    /// Failures of the relay in a row, and when it is probed next.
    relay: Relapse,
}

/// One probe per backoff while the relay cannot be used; nothing is counted against a notice meanwhile.
#[derive(Debug, Default)]
struct Relapse {
    failures: u32,
    probe_at: Option<Instant>,
}

/// A claimed notice with its bytes, on its way to a connection.
struct Parcel {
    claimed: Claimed,
    /// The envelope's recipient.
    to: String,
    bytes: Vec<u8>,
}

/// Notices claimed at one time: enough to keep the connections busy, few enough to stay small in memory.
const CLAIM: u32 = 256;
/// Parcels that wait for a connection.
const WAITING: usize = 64;

impl Dispatcher {
    /// A dispatcher that has claimed nothing yet.
    pub fn new(store: Store, clock: Clock, transport: Transport, desk: Desk, settings: Settings) -> Self {
        let lines = (0..settings.concurrency.max(1)).map(|_| Arc::default()).collect();
        let throttle = Arc::new(Throttle::new(settings.rate));
        let (desk, settings) = (Arc::new(desk), Arc::new(settings));
        Self { store, clock, transport, desk, settings, lines, throttle, relay: Relapse::default() }
    }

    /// When there is something to do next, as far as the outbox knows.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn next_due(&self) -> Result<Option<Instant>, StoreError> {
        let next = self.store.next_try().await?;
        Ok(next.map(|next| self.relay.probe_at.map_or(next, |probe| probe.max(next))))
    }

    /// Sends all that may be claimed now; returns when every try is settled durably. After `stop` nothing more is
    /// claimed, and what has not begun goes back.
    ///
    /// # Errors
    /// If the database cannot be used: nothing is sent whose outcome cannot be stored.
    pub async fn drain(&mut self, stop: &CancellationToken) -> Result<Report, StoreError> {
        let now = self.clock.now();
        if self.relay.probe_at.is_some_and(|probe| probe > now)
            || self.store.next_try().await?.is_none_or(|next| next > now)
        {
            return Ok(Report::default());
        }
        match self.transport.clone() {
            Transport::Capture => self.capture(stop).await,
            Transport::Smtp(relay) => self.send(relay, stop).await,
        }
    }

    /// Closes the connections politely.
    pub async fn close(&mut self) {
        for line in &self.lines {
            if let Some(connection) = line.lock().await.take() {
                connection.quit().await;
            }
        }
    }

    async fn capture(&mut self, stop: &CancellationToken) -> Result<Report, StoreError> {
        let mut report = Report::default();
        while !stop.is_cancelled() {
            let now = self.clock.now();
            let (parcels, mut settled) = self.prepare(now).await?;
            if parcels.is_empty() && settled.is_empty() {
                break;
            }
            let words = "kept; nothing left this machine (delivery.mode is capture)";
            settled.extend(parcels.into_iter().map(|parcel| {
                settlement(
                    parcel.claimed,
                    Outcome::Accepted,
                    now,
                    None,
                    Some(words.to_owned()),
                    &self.settings.policy,
                )
            }));
            report.settled += settled.len();
            let outcomes = Outcomes { settled, begin: Vec::new() };
            self.store.commit(&self.settings.owner, now, &outcomes).await?;
        }
        Ok(report)
    }

    async fn send(&mut self, relay: Arc<Relay>, stop: &CancellationToken) -> Result<Report, StoreError> {
        let (ledger, ledger_task) =
            Ledger::start(self.store.clone(), self.clock.clone(), self.settings.owner.clone());
        let (parcels, waiting) = mpsc::channel(WAITING);
        let waiting = Arc::new(Mutex::new(waiting));
        let halt = stop.child_token();
        let mut workers = JoinSet::new();
        for connection in &self.lines {
            let line = line::Line {
                relay: relay.clone(),
                connection: connection.clone(),
                clock: self.clock.clone(),
                ledger: ledger.clone(),
                desk: self.desk.clone(),
                settings: self.settings.clone(),
                throttle: self.throttle.clone(),
                halt: halt.clone(),
            };
            workers.spawn(line.run(waiting.clone()));
        }
        drop(ledger);
        let mut report = Report::default();
        let fed = self.feed(&parcels, &halt, &mut report).await;
        drop(parcels);
        let mut back = Vec::new();
        while let Some(done) = workers.join_next().await {
            match done {
                Ok(run) => {
                    report.settled += run.settled;
                    back.extend(run.untried);
                    report.relay_down = report.relay_down.or(run.relay_down);
                }
                Err(error) => tracing::error!(%error, "a connection's task died; what it had is taken back"),
            }
        }
        let kept = ledger_task.await;
        self.store.release(&self.settings.owner, &back, self.clock.now()).await?;
        fed?;
        kept.map_err(|_| StoreError::Halted)??;
        // Whatever is still in our name was lost by a task that died.
        self.store.recover(self.clock.now(), &self.settings.policy).await?;
        self.note_relay(report.relay_down.is_some());
        Ok(report)
    }

    /// Claims, renders and hands over until nothing is left or something calls a halt.
    async fn feed(
        &self,
        parcels: &mpsc::Sender<Parcel>,
        halt: &CancellationToken,
        report: &mut Report,
    ) -> Result<(), StoreError> {
        while !halt.is_cancelled() {
            let now = self.clock.now();
            let (ready, settled) = self.prepare(now).await?;
            if ready.is_empty() && settled.is_empty() {
                break;
            }
            report.settled += settled.len();
            let outcomes = Outcomes { settled, begin: Vec::new() };
            self.store.commit(&self.settings.owner, now, &outcomes).await?;
            for parcel in ready {
                if let Err(unsent) = parcels.send(parcel).await {
                    let back = [unsent.0.claimed.id];
                    self.store.release(&self.settings.owner, &back, now).await?;
                }
            }
        }
        Ok(())
    }

    /// Claims a batch, renders what has no bytes yet and keeps it; what cannot or may not be mailed is settled.
    async fn prepare(&self, now: Instant) -> Result<(Vec<Parcel>, Vec<Settlement>), StoreError> {
        let limits = Limits { owner: &self.settings.owner, most: CLAIM, mode: self.settings.mode.as_str() };
        let claims = self.store.claim(now, &limits).await?;
        let (mut parcels, mut settled, mut staged) = (Vec::new(), Vec::new(), Vec::new());
        let policy = &self.settings.policy;
        for mut claimed in claims {
            let to = match &self.settings.mode {
                Mode::Redirect(address) => address.as_str().to_owned(),
                _ => claimed.notice.content.email.as_str().to_owned(),
            };
            if !self.settings.allowed.allows(&claimed.notice.content.email) {
                let words = Some("the address is not in delivery.allow_recipients".to_owned());
                settled.push(settlement(claimed, Outcome::NotAllowed, now, None, words, policy));
                continue;
            }
            let bytes = match claimed.message.take() {
                Some(bytes) => bytes,
                None => match self.desk.write(&claimed, &self.settings, now) {
                    Ok((subject, bytes)) => {
                        staged.push(Staged { id: claimed.id.clone(), subject, bytes: bytes.clone() });
                        bytes
                    }
                    Err(error) => {
                        tracing::error!(order = claimed.order.number, notice = claimed.id, kind = %claimed.notice.kind,
                            %error, "this notice cannot be written and is held");
                        settled.push(settlement(
                            claimed,
                            Outcome::Held,
                            now,
                            None,
                            Some(error.to_string()),
                            policy,
                        ));
                        continue;
                    }
                },
            };
            parcels.push(Parcel { claimed, to, bytes });
        }
        self.store.stage(&staged, self.desk.template_hash()).await?;
        Ok((parcels, settled))
    }

    fn note_relay(&mut self, down: bool) {
        if !down {
            self.relay = Relapse::default();
            return;
        }
        self.relay.failures += 1;
        let now = self.clock.now();
        let wait = Retry::default().next(now, self.relay.failures, "relay") - now;
        self.relay.probe_at = Some(now + wait.min(TimeDelta::minutes(30)));
    }
}

/// What a try came to, as the domain sees it.
fn settlement(
    claimed: Claimed,
    outcome: Outcome,
    at: Instant,
    phase: Option<&'static str>,
    reply: Option<String>,
    policy: &Policy,
) -> Settlement {
    let Claimed { id, mut order, notice, attempt, .. } = claimed;
    let settled = order.settle(&notice, &id, outcome, at, policy);
    Settlement { id, order, notice, settled, attempt, at, phase, reply }
}

//! The dispatcher: outbox, mail, history. Reads what is due, renders it, claims it with its bytes, sends, settles.
//!
//! What always holds: bytes and attempt are durable before the first octet leaves; a connection takes its next
//! body only when the outcome of its last message is durable; a try that came to nothing clear is in doubt.

mod breaker;
mod concurrency;
mod group_commit;
mod prepare;
mod rate;
mod rejections;
mod render;
mod worker;

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::clock::Clock;
use crate::config::{Allowed, Mode, Rate};
use crate::domain::calendar::Instant;
use crate::domain::order::settle::Outcome;
use crate::domain::policy::Policy;
use crate::mail::{Connection, Envelope, Failure, Relay};
use crate::store::{Claim, Owner, Ready, Settlement, Store, StoreError, TriedNotice};
use crate::telemetry::Heartbeat;

use breaker::{CircuitBreaker, Down};
use concurrency::ConcurrencyLimit;
use group_commit::GroupCommit;
use rate::RateLimiter;
use rejections::RejectionCounters;
pub use render::{MailRenderer, RenderFailure, next_news};

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
    /// Names this daemon in all that it takes.
    pub owner: String,
    pub mode: Mode,
    pub allowed: Allowed,
    /// Connections at one time.
    pub concurrency: usize,
    pub rate: Option<Rate>,
    /// So many refusals by policy in a row stop the sending.
    pub breaker: u32,
    pub policy: Policy,
    /// When this program was built; while the system's clock is before that, nothing is sent.
    pub built: Instant,
}

/// What a run of the dispatcher did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Tries settled, whatever their outcome.
    pub settled: usize,
    /// The relay cannot be used; nothing more was tried.
    pub relay_down: Option<String>,
    /// The clock cannot be right; nothing was tried.
    pub clock_wrong: bool,
}

/// Sends what the outbox holds. One per database; connections are kept from run to run.
pub struct Dispatcher {
    store: Store,
    clock: Clock,
    transport: Transport,
    renderer: Arc<MailRenderer>,
    settings: Arc<Settings>,
    lines: Vec<Arc<Mutex<Option<Connection>>>>,
    throttle: Arc<RateLimiter>,
    concurrency: Arc<ConcurrencyLimit>,
    rejections: Arc<RejectionCounters>,
    relay: CircuitBreaker,
    /// Parcels that are neither settled nor given back.
    under_way: TaskTracker,
    /// The sign of life of a long run.
    heartbeat: Option<Heartbeat>,
    /// To ask for their number costs more than a mail may.
    processors: usize,
    /// The store knows what our mails look like.
    introduced: bool,
    /// Notices may have stayed in our name: a task of ours died, or the database failed.
    unsure: bool,
}

/// A notice with its bytes, on its way to a connection.
struct OutgoingMessage {
    ready: Ready,
    /// The envelope's sender and recipient.
    from: String,
    to: String,
    bytes: Vec<u8>,
    /// Until it is settled or goes back untried.
    _under_way: TaskTrackerToken,
}

impl OutgoingMessage {
    fn envelope(&self) -> Envelope<'_> {
        Envelope { from: Some(&self.from), to: &self.to, size: self.bytes.len() }
    }
}

/// Notices taken at one time: enough to keep the connections busy, few enough to stay small in memory.
const BATCH: u32 = 256;
/// So often it is looked for what else has come due, while an answer is waited for.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// No more is taken than leaves in so many seconds, for what is taken is not asked again whether it is still
/// true, nor whether the send window is still open.
const AHEAD: f64 = 10.0;

impl Dispatcher {
    /// A dispatcher with nothing in hand.
    pub fn new(
        store: Store,
        clock: Clock,
        transport: Transport,
        renderer: MailRenderer,
        settings: Settings,
    ) -> Self {
        let lines = (0..settings.concurrency.max(1)).map(|_| Arc::default()).collect();
        let throttle = Arc::new(RateLimiter::new(settings.rate));
        let concurrency = Arc::new(ConcurrencyLimit::new(settings.concurrency));
        let (renderer, settings) = (Arc::new(renderer), Arc::new(settings));
        let relay = CircuitBreaker::default();
        let under_way = TaskTracker::new();
        under_way.close();
        Self {
            store,
            clock,
            transport,
            renderer,
            settings,
            lines,
            throttle,
            concurrency,
            rejections: Arc::default(),
            relay,
            under_way,
            heartbeat: None,
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            introduced: false,
            unsure: false,
        }
    }

    /// When there is something to do next, as far as the outbox knows.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn next_due(&self) -> Result<Option<Instant>, StoreError> {
        Ok(self.when_it_may(self.store.next_try(self.clock.now()).await?))
    }

    /// When what is due at `next` may be tried: not before the relay is probed.
    pub fn when_it_may(&self, next: Option<Instant>) -> Option<Instant> {
        next.map(|next| self.relay.probe_at.map_or(next, |probe| probe.max(next)))
    }

    /// Sends all that may go now; returns when every try is settled durably. After `stop` nothing more is taken,
    /// and what has not begun goes back.
    ///
    /// # Errors
    /// If the database cannot be used: nothing is sent whose outcome cannot be stored.
    pub async fn drain(&mut self, stop: &CancellationToken) -> Result<Report, StoreError> {
        let now = self.clock.now();
        if !self.clock.is_right(self.settings.built) {
            return Ok(Report { clock_wrong: true, ..Report::default() });
        }
        if self.unsure {
            let (back, doubtful) = self.store.recover(now, &self.settings.policy).await?;
            if back + doubtful > 0 {
                tracing::warn!(back, doubtful, "what had stayed in our hands is taken back, or in doubt");
            }
            self.unsure = false;
        }
        if !self.introduced {
            self.store.learn(&self.renderer.example()).await?;
            self.introduced = true;
        }
        let done = match self.transport.clone() {
            Transport::Capture => self.capture(stop).await,
            Transport::Smtp(_) if self.next_due().await?.is_none_or(|next| next > now) => {
                Ok(Report::default())
            }
            Transport::Smtp(relay) => self.probe_and_send(relay, stop).await,
        };
        self.unsure |= done.is_err();
        done
    }

    /// Gives this sign of life while it sends: what waits may take hours.
    pub fn heartbeats(&mut self, heartbeat: Heartbeat) {
        self.heartbeat = Some(heartbeat);
    }

    /// Closes the connections politely.
    pub async fn close(&mut self) {
        for line in &self.lines {
            if let Some(connection) = line.lock().await.take() {
                connection.quit().await;
            }
        }
    }

    async fn capture(&self, stop: &CancellationToken) -> Result<Report, StoreError> {
        let mut report = Report::default();
        while !stop.is_cancelled() {
            let now = self.clock.now();
            let most = self.ahead() as usize;
            let Some((outgoing, mut claim)) = self.prepare(now).await? else { break };
            let all = claim.notices.len() < most;
            let words = "kept; nothing left this machine (delivery.mode is capture)";
            claim.settled.extend(outgoing.into_iter().map(|message| {
                let words = Some(words.to_owned());
                settlement(message.ready, Outcome::Accepted, now, None, words, &self.settings.policy)
            }));
            let taken = self.take(now, claim).await?;
            report.settled += taken.len();
            if taken.is_empty() || all {
                break;
            }
        }
        Ok(report)
    }

    /// Makes sure of one connection, so that nothing is taken for a relay that cannot be used.
    async fn reach(&self, relay: &Relay) -> Result<(), Failure> {
        let Some(line) = self.lines.first() else { return Ok(()) };
        let mut line = line.lock().await;
        if let Some(connection) = line.as_mut()
            && connection.still_open().await
        {
            return Ok(());
        }
        *line = None;
        *line = Some(Connection::open(relay).await?);
        Ok(())
    }

    /// After a failure one mail goes first, to see whether the relay can be used, and the others when it can.
    async fn probe_and_send(
        &mut self,
        relay: Arc<Relay>,
        stop: &CancellationToken,
    ) -> Result<Report, StoreError> {
        let probe =
            if self.relay.is_down() { self.send(relay.clone(), stop).await? } else { Report::default() };
        if probe.relay_down.is_some() || stop.is_cancelled() {
            return Ok(probe);
        }
        let rest = self.send(relay, stop).await?;
        Ok(Report { settled: probe.settled + rest.settled, ..rest })
    }

    async fn send(&mut self, relay: Arc<Relay>, stop: &CancellationToken) -> Result<Report, StoreError> {
        let reached = tokio::select! {
            reached = self.reach(&relay) => reached,
            () = stop.cancelled() => return Ok(Report::default()),
        };
        if let Err(failure) = reached {
            let down = Down::by(&failure);
            tracing::warn!(%relay, why = down.words, "the relay cannot be used");
            let relay_down = Some(down.words.clone());
            self.note_relay(Some(down)).await?;
            return Ok(Report { relay_down, ..Report::default() });
        }
        let (ledger, ledger_task) =
            GroupCommit::start(self.store.clone(), self.clock.clone(), self.settings.clone());
        let ahead = self.ahead() as usize;
        let (outgoing, waiting) = mpsc::channel(ahead);
        let waiting = Arc::new(Mutex::new(waiting));
        let halt = stop.child_token();
        let mut workers = self.lines_at_work(&relay, &ledger, &halt, &waiting).await;
        // The workers have them now: with the last of them the channel closes, and the group commit ends.
        drop((ledger, waiting));
        let (mut report, mut down) = (Report::default(), None);
        let fed = self.feed(&outgoing, &halt, &mut report).await;
        drop(outgoing);
        let mut back = Vec::new();
        while let Some(done) = workers.join_next().await {
            match done {
                Ok(run) => {
                    report.settled += run.settled;
                    back.extend(run.untried);
                    down = down.or(run.down);
                }
                Err(error) => {
                    tracing::error!(%error, "a connection's task died; what it had is taken back");
                    self.unsure = true;
                }
            }
        }
        let kept = ledger_task.await;
        report.relay_down = down.as_ref().map(|down| down.words.clone());
        self.give_back(back, report.relay_down.as_deref()).await?;
        fed?;
        kept.map_err(|_| StoreError::Halted)??;
        self.note_relay(down).await?;
        Ok(report)
    }

    /// Starts the lines, those with an open connection first. Some of them may have to wait for their turn.
    async fn lines_at_work(
        &self,
        relay: &Arc<Relay>,
        ledger: &GroupCommit,
        halt: &CancellationToken,
        waiting: &Arc<Mutex<mpsc::Receiver<OutgoingMessage>>>,
    ) -> JoinSet<worker::WorkerReport> {
        let mut lines = Vec::new();
        for line in self.lines.iter().take(self.ahead() as usize) {
            lines.push((line.lock().await.is_none(), line.clone()));
        }
        lines.sort_by_key(|(closed, _)| *closed);
        let reaching = Arc::new(AtomicUsize::new(lines.len()));
        let over = CancellationToken::new();
        let mut workers = JoinSet::new();
        for (_, connection) in lines {
            let line = worker::ConnectionWorker {
                relay: relay.clone(),
                connection,
                clock: self.clock.clone(),
                ledger: ledger.clone(),
                settings: self.settings.clone(),
                throttle: self.throttle.clone(),
                concurrency: self.concurrency.clone(),
                rejections: self.rejections.clone(),
                halt: halt.clone(),
                over: over.clone(),
                reaching: reaching.clone(),
            };
            // In their order, which the tasks' own would not be.
            let place = self.concurrency.place();
            workers.spawn(line.run(place, waiting.clone()));
        }
        workers
    }

    /// Gives notices back untried; why, where it is the relay's doing.
    async fn give_back(&self, ids: Vec<String>, relay_down: Option<&str>) -> Result<(), StoreError> {
        let now = self.clock.now();
        let words = relay_down.map(|why| format!("not tried, the relay cannot be used: {why}"));
        let back: Vec<_> = ids.into_iter().map(|id| (id, now)).collect();
        self.store.release(&self.settings.owner, &back, words.as_deref(), now).await
    }

    /// Renders, takes and hands over until nothing is left or something calls a halt.
    async fn feed(
        &self,
        outgoing: &mpsc::Sender<OutgoingMessage>,
        halt: &CancellationToken,
        report: &mut Report,
    ) -> Result<(), StoreError> {
        while !halt.is_cancelled() {
            if let Some(heartbeat) = &self.heartbeat {
                heartbeat.heartbeat();
            }
            let now = self.clock.now();
            let (ready, claim) = self.prepare(now).await?.unwrap_or_default();
            let over: Vec<String> = claim.settled.iter().map(|settlement| settlement.id.clone()).collect();
            // The bytes are kept here, before any line gets them.
            let taken = self.take(now, claim).await?;
            if taken.is_empty() {
                // What comes in meanwhile does not wait for a server that is slow to answer to another mail.
                tokio::select! {
                    () = self.under_way.wait() => break,
                    () = halt.cancelled() => break,
                    () = tokio::time::sleep(LOOK_AGAIN) => continue,
                }
            }
            report.settled += over.iter().filter(|id| taken.contains(*id)).count();
            let mut untried = Vec::new();
            for message in ready.into_iter().filter(|message| taken.contains(&message.ready.id)) {
                if let Err(unsent) = outgoing.send(message).await {
                    untried.push(unsent.0.ready.id);
                }
            }
            if !untried.is_empty() {
                // No line is left to take anything.
                return self.give_back(untried, None).await;
            }
            if self.relay.is_down() {
                break;
            }
        }
        Ok(())
    }

    async fn take(&self, now: Instant, claim: Claim) -> Result<HashSet<String>, StoreError> {
        let owner = Owner { name: &self.settings.owner, mode: self.settings.mode.as_str() };
        self.store.claim(owner, now, claim).await
    }

    /// How many notices to take at one time.
    fn ahead(&self) -> u32 {
        if self.relay.is_down() {
            return 1;
        }
        let Some(rate) = self.settings.rate else { return BATCH };
        // Between 1 and BATCH, which is what a float's cast cannot go wrong with.
        (rate.per_second() * AHEAD).ceil().clamp(1.0, f64::from(BATCH)) as u32
    }

    /// Takes in how the relay fared, and tells ops of what does not mend itself.
    async fn note_relay(&mut self, down: Option<Down>) -> Result<(), StoreError> {
        let now = self.clock.now();
        let Some(down) = down else {
            if self.relay.works() && self.store.relay_works(now).await? {
                tracing::info!("the relay can be used again");
            }
            return Ok(());
        };
        let is_incident = self.relay.fails(&down, now, &self.settings.policy.retry);
        if is_incident && self.store.relay_fails(&down.words, now).await? {
            tracing::error!(why = down.words, "no mail can be sent; it waits, and the relay is probed");
        }
        Ok(())
    }
}

/// What a try came to, as the domain sees it.
fn settlement(
    ready: Ready,
    outcome: Outcome,
    at: Instant,
    phase: Option<&'static str>,
    reply: Option<String>,
    policy: &Policy,
) -> Settlement {
    let Ready { id, order, notice, attempt, revision, .. } = ready;
    let tried = TriedNotice { id, notice, order, revision, attempt };
    Settlement { phase, reply, ..Settlement::of(tried, outcome, at, policy) }
}

//! One connection at work: takes messages, sends them step by step, settles each before the next body. The envelope of the
//! next one goes out with the end of a body, where one waits already.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Mutex, OwnedMutexGuard, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::breaker::Down;
use super::concurrency::{ConcurrencyLimit, Permit};
use super::group_commit::GroupCommit;
use super::rate::RateLimiter;
use super::rejections::RejectionCounters;
use super::{OutgoingMessage, Settings, settlement};
use crate::clock::Clock;
use crate::config::Mode;
use crate::domain::meaning::{Meaning, Refusal, meaning};
use crate::domain::order::settle::Outcome;
use crate::domain::reply::{Phase, Reply, Verdict};
use crate::mail::{Connection, Failure, Relay};
use crate::store::{Ready, Settlement};

/// An answer that takes longer leaves the others fewer connections than are meant to work.
const LATE: Duration = Duration::from_secs(5);

/// A line to the relay.
pub(super) struct ConnectionWorker {
    pub relay: Arc<Relay>,
    /// Kept from run to run.
    pub connection: Arc<Mutex<Option<Connection>>>,
    pub clock: Clock,
    pub ledger: GroupCommit,
    pub settings: Arc<Settings>,
    pub throttle: Arc<RateLimiter>,
    pub concurrency: Arc<ConcurrencyLimit>,
    pub rejections: Arc<RejectionCounters>,
    /// Nothing more is to be begun.
    pub halt: CancellationToken,
    /// Nothing more comes.
    pub over: CancellationToken,
    /// How many lines of this run reach the relay, as far as we know.
    pub reaching: Arc<AtomicUsize>,
}

/// What a line did.
#[derive(Default)]
pub(super) struct WorkerReport {
    pub settled: usize,
    /// Taken but not tried: to be given back.
    pub untried: Vec<String>,
    /// The relay cannot be used.
    pub down: Option<Down>,
}

/// How offering a message went.
enum Offered {
    Tried(Verdict),
    /// The order changed since it was taken: nothing was sent.
    Outdated,
    /// This line gets no connection; others may have one. A server takes only so many.
    Unreachable(Failure),
    /// The relay does not want us; not the message's fault.
    Unwelcome(Failure),
}

/// What a worker has in hand.
struct WorkerState {
    /// What the messages wait in, for all workers.
    waiting: Arc<Mutex<mpsc::Receiver<OutgoingMessage>>>,
    connection: OwnedMutexGuard<Option<Connection>>,
    /// The outcome of the message before, which is not durable yet.
    last: Option<oneshot::Receiver<()>>,
    /// Its turn is next: its envelope went out with the end of the message before, if the connection says so.
    next: Option<OutgoingMessage>,
    run: WorkerReport,
}

impl ConnectionWorker {
    /// Works while it has a place, and waits for one while it has none.
    pub async fn run(
        self,
        mut place: Option<Permit>,
        waiting: Arc<Mutex<mpsc::Receiver<OutgoingMessage>>>,
    ) -> WorkerReport {
        let connection = self.connection.clone().lock_owned().await;
        let mut state =
            WorkerState { waiting, connection, last: None, next: None, run: WorkerReport::default() };
        loop {
            if state.next.is_none() && place.as_mut().is_none_or(Permit::is_one_too_many) {
                if let Some(connection) = state.connection.take() {
                    connection.quit().await;
                }
                place = self.concurrency.enter(&self.over).await;
                if place.is_none() {
                    break;
                }
            }
            let message = match state.next.take() {
                Some(message) => message,
                None => {
                    let Some(message) = state.waiting.lock().await.recv().await else {
                        self.over.cancel();
                        break;
                    };
                    tokio::select! {
                        () = self.throttle.pass(self.concurrency.share()) => {}
                        () = self.halt.cancelled() => {}
                    }
                    message
                }
            };
            if self.halt.is_cancelled() {
                state.run.untried.push(message.ready.id);
                // After a 354 there is no other way out.
                state.connection.take_if(|connection| connection.is_ahead());
            } else if !self.send(message, &mut state).await {
                break;
            }
        }
        state.durable().await;
        state.run
    }

    /// Offers a message and takes in what it came to. False if this worker has no connection, while others have.
    async fn send(&self, message: OutgoingMessage, state: &mut WorkerState) -> bool {
        let moment = self.concurrency.moment();
        let offered = {
            let mut offering = pin!(self.offer(&message, state));
            tokio::select! {
                offered = &mut offering => offered,
                () = tokio::time::sleep(LATE) => {
                    self.concurrency.is_kept_waiting();
                    offering.await
                }
            }
        };
        match offered {
            Offered::Tried(verdict) => {
                self.widen_or_narrow(&message.ready, &verdict, moment);
                let (durable, down) = self.settle(message, verdict);
                state.last = Some(durable);
                state.run.settled += 1;
                if let Some(down) = down {
                    self.relay_is_down(&mut state.run, down);
                }
            }
            Offered::Outdated => state.run.untried.push(message.ready.id),
            Offered::Unreachable(failure) => {
                state.run.untried.push(message.ready.id);
                if self.reaching.fetch_sub(1, Ordering::SeqCst) > 1 {
                    let why = failure.without_customers();
                    tracing::info!(relay = %self.relay, why, "one connection less");
                    self.concurrency.is_full();
                    return false;
                }
                self.relay_is_down(&mut state.run, Down::by(&failure));
            }
            Offered::Unwelcome(failure) => {
                state.run.untried.push(message.ready.id);
                self.relay_is_down(&mut state.run, Down::by(&failure));
            }
        }
        true
    }

    /// A relay that closes on us or speaks of limits is sent less at one time, one that accepts more.
    fn widen_or_narrow(&self, ready: &Ready, verdict: &Verdict, moment: u32) {
        match verdict {
            Verdict::Accepted(_) => self.concurrency.keeps_up(),
            Verdict::Temporary { phase, reply: Some(reply), .. } => {
                // The first such answer to a recipient is how servers greet strangers, and not about the others.
                let greylisted = *phase == Phase::Rcpt && ready.offered == 1;
                let throttled = meaning(*phase, reply) == Meaning::Throttled && !greylisted;
                if reply.code == 421 || throttled {
                    self.concurrency.is_asked_for_less(moment);
                }
            }
            _ => {}
        }
    }

    /// What is taken goes back untried, and nothing is counted against it.
    fn relay_is_down(&self, run: &mut WorkerReport, down: Down) {
        self.halt.cancel();
        tracing::warn!(relay = %self.relay, why = down.words, "the relay cannot be used");
        run.down.get_or_insert(down);
    }

    /// Offers a message, or hears what became of its envelope that went ahead.
    async fn offer(&self, message: &OutgoingMessage, state: &mut WorkerState) -> Offered {
        if let Some(connection) = state.connection.as_mut()
            && !connection.is_ahead()
            && !connection.still_open().await
        {
            *state.connection = None;
        }
        loop {
            let kept = state.connection.take();
            let was_kept = kept.is_some();
            let mut connection = match kept {
                Some(connection) => connection,
                None => match Connection::open(&self.relay).await {
                    Ok(connection) => connection,
                    Err(failure) => return Offered::Unreachable(failure),
                },
            };
            let offered = if connection.is_ahead() {
                connection.envelope_ahead().await
            } else {
                connection.envelope(message.envelope()).await
            };
            let Err(failure) = offered else { return self.body(connection, message, state).await };
            *state.connection = Some(connection).filter(Connection::usable);
            // Servers end a connection after some mails or some time: nobody's failure, with a new one it goes well.
            // Nor is what is no answer to the envelope.
            let unclear = failure.reply().is_none_or(|reply| reply.code == 421 || reply.code < 400);
            match failure {
                Failure::Temporary { .. } if was_kept && unclear && state.connection.is_none() => {}
                Failure::Config { .. } => return Offered::Unwelcome(failure),
                // The server leaves before it has heard to whom: it is about the connection.
                Failure::Temporary { phase: Phase::Mail, reply: Some(_), .. } if unclear => {
                    return Offered::Unreachable(failure);
                }
                other => return Offered::Tried(other.into()),
            }
        }
    }

    /// After the server's 354. The outcome of the message before may share a commit with this body's begin.
    async fn body(
        &self,
        mut connection: Connection,
        message: &OutgoingMessage,
        state: &mut WorkerState,
    ) -> Offered {
        let ready = &message.ready;
        let (may_leave, ()) = tokio::join!(self.ledger.begin(&ready.id, ready.revision), state.durable());
        if !may_leave {
            // The only way out after a 354 without a body is to hang up.
            return Offered::Outdated;
        }
        state.next = self.next(&state.waiting);
        let verdict =
            connection.body_before(&message.bytes, state.next.as_ref().map(OutgoingMessage::envelope)).await;
        *state.connection =
            Some(connection).filter(|connection| connection.usable() || connection.is_ahead());
        match verdict {
            // A clear no, and about us: the mail goes back as if it had not been offered.
            Verdict::Temporary { phase, reply: Some(reply), .. }
                if meaning(phase, &reply) == Meaning::Credentials =>
            {
                Offered::Unwelcome(Failure::refused(phase, reply))
            }
            verdict => Offered::Tried(verdict),
        }
    }

    /// A message whose envelope may go ahead: one that waits already, where nothing asks us to be slower or to stop.
    fn next(&self, waiting: &Mutex<mpsc::Receiver<OutgoingMessage>>) -> Option<OutgoingMessage> {
        if self.throttle.limits() || self.concurrency.is_surpassed() || self.halt.is_cancelled() {
            return None;
        }
        waiting.try_lock().ok()?.try_recv().ok()
    }

    /// Hands in what a try came to; says whether it shows that the relay cannot be used.
    fn settle(&self, message: OutgoingMessage, verdict: Verdict) -> (oneshot::Receiver<()>, Option<Down>) {
        let ready = message.ready;
        let (mut refusal, mut down) = (None, None);
        let (outcome, phase, words) = match verdict {
            Verdict::Accepted(reply) => {
                self.rejections.accepted(ready.notice.kind);
                (Outcome::Accepted, Phase::Body, reply.to_string())
            }
            Verdict::Temporary { phase, reply: Some(reply), .. } | Verdict::Permanent { phase, reply } => {
                let refused = self.refusal(&ready, phase, &reply);
                if refused.meaning == Meaning::Policy && refused.in_a_row >= self.settings.breaker {
                    down = Some(Down::refused(refused.in_a_row, &reply));
                }
                let outcome = match down {
                    // That it is about all mail is proven: this one is not at fault.
                    Some(_) => Outcome::Unharmed { attempt: ready.offered },
                    None => refused.meaning.outcome(ready.offered, ready.last),
                };
                refusal = Some(refused);
                (outcome, phase, reply.to_string())
            }
            Verdict::Temporary { phase, reply: None, detail } => {
                // One may be at fault itself, so many in a row are not.
                let in_a_row = self.rejections.unanswered();
                let attempt = ready.offered;
                let outcome = if in_a_row >= self.settings.breaker {
                    down = Some(Down::unanswered(in_a_row, &detail));
                    Outcome::Unharmed { attempt }
                } else {
                    Outcome::Deferred { attempt }
                };
                (outcome, phase, detail)
            }
            Verdict::Doubtful { detail } => (Outcome::Doubtful { again: ready.again }, Phase::Body, detail),
        };
        let at = self.clock.now();
        let phase = Some(phase.as_str());
        let settlement = settlement(ready, outcome, at, phase, Some(words), &self.settings.policy);
        (self.ledger.settle(Settlement { refusal, ..settlement }), down)
    }

    fn refusal(&self, ready: &Ready, phase: Phase, reply: &Reply) -> Refusal {
        let meaning = meaning(phase, reply);
        let (in_a_row, mixed) = self.rejections.refused(&ready.notice, meaning);
        Refusal {
            meaning,
            codes: reply.codes(),
            in_a_row,
            mixed,
            of_customer: !matches!(self.settings.mode, Mode::Redirect(_)),
            attempt: ready.offered,
            last: ready.last,
        }
    }
}

impl WorkerState {
    /// Waits until the last outcome is durable. If it never will be, the group commit has ended, and no body may begin either.
    async fn durable(&mut self) {
        if let Some(last) = self.last.take() {
            let _ = last.await;
        }
    }
}

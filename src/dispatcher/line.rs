//! One connection at work: takes parcels, sends them step by step, settles each before the next body.

use std::sync::Arc;

use tokio::sync::{Mutex, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::ledger::Ledger;
use super::letter::Desk;
use super::throttle::Throttle;
use super::{Parcel, Settings, settlement};
use crate::clock::Clock;
use crate::domain::reply::{Phase, Verdict};
use crate::domain::settle::Outcome;
use crate::mail::{Connection, Failure, Relay};

/// A line to the relay.
pub(super) struct Line {
    pub relay: Arc<Relay>,
    /// Kept from run to run.
    pub connection: Arc<Mutex<Option<Connection>>>,
    pub clock: Clock,
    pub ledger: Ledger,
    pub desk: Arc<Desk>,
    pub settings: Arc<Settings>,
    pub throttle: Arc<Throttle>,
    /// Nothing more is to be begun.
    pub halt: CancellationToken,
}

/// What a line did.
#[derive(Default)]
pub(super) struct Run {
    pub settled: usize,
    /// Claimed but not tried: to be given back.
    pub untried: Vec<String>,
    /// The relay cannot be used, in its words or ours.
    pub relay_down: Option<String>,
}

/// How offering a message went.
enum Offered {
    Tried(Verdict),
    /// The order changed since the claim: nothing was sent.
    Outdated,
    /// The relay could not be reached or does not want us; not the message's fault.
    RelayDown(Failure),
}

impl Line {
    pub async fn run(self, waiting: Arc<Mutex<mpsc::Receiver<Parcel>>>) -> Run {
        let mut run = Run::default();
        let mut connection = self.connection.lock().await;
        let mut last: Option<oneshot::Receiver<()>> = None;
        loop {
            let parcel = waiting.lock().await.recv().await;
            let Some(parcel) = parcel else { break };
            if self.halt.is_cancelled() {
                run.untried.push(parcel.claimed.id);
                continue;
            }
            self.throttle.pass().await;
            let offered = self.offer(&mut connection, &parcel, last.take()).await;
            let verdict = match offered {
                Offered::Tried(verdict) => verdict,
                Offered::Outdated => {
                    run.untried.push(parcel.claimed.id);
                    continue;
                }
                Offered::RelayDown(failure) => {
                    // This one was the probe; the others go back untried.
                    self.halt.cancel();
                    tracing::warn!(relay = %self.relay, %failure, "the relay cannot be used");
                    run.relay_down = Some(failure.to_string());
                    failure.into()
                }
            };
            last = Some(self.settle(parcel, verdict));
            run.settled += 1;
        }
        if let Some(last) = last {
            let _ = last.await;
        }
        run
    }

    /// Offers a parcel. `last` is the outcome of the message before, which may share a commit with this body's begin.
    async fn offer(
        &self,
        slot: &mut Option<Connection>,
        parcel: &Parcel,
        last: Option<oneshot::Receiver<()>>,
    ) -> Offered {
        if let Some(connection) = slot.as_mut()
            && !connection.still_open().await
        {
            *slot = None;
        }
        let mut connection = match slot.take() {
            Some(connection) => connection,
            None => match Connection::open(&self.relay).await {
                Ok(connection) => connection,
                Err(failure) => {
                    wait(last).await;
                    return Offered::RelayDown(failure);
                }
            },
        };
        let from = Some(self.desk.sender());
        let to = self.desk.envelope_recipient(&parcel.to);
        if let Err(failure) = connection.envelope(from, &to, parcel.bytes.len()).await {
            *slot = Some(connection).filter(Connection::usable);
            wait(last).await;
            return match failure {
                Failure::Config { .. } => Offered::RelayDown(failure),
                other => Offered::Tried(other.into()),
            };
        }
        let claimed = &parcel.claimed;
        let (may_leave, ()) = tokio::join!(self.ledger.begin(&claimed.id, claimed.revision), wait(last));
        if !may_leave {
            // The only way out after a 354 without a body is to hang up.
            return Offered::Outdated;
        }
        let verdict = connection.body(&parcel.bytes).await;
        *slot = Some(connection).filter(Connection::usable);
        Offered::Tried(verdict)
    }

    fn settle(&self, parcel: Parcel, verdict: Verdict) -> oneshot::Receiver<()> {
        let claimed = parcel.claimed;
        let (outcome, phase, words) = match verdict {
            Verdict::Accepted(reply) => (Outcome::Accepted, Phase::Body, reply.to_string()),
            Verdict::Temporary { phase, reply, detail } => {
                let words = reply.map_or(detail, |reply| reply.to_string());
                (Outcome::Deferred { attempt: claimed.attempt }, phase, words)
            }
            Verdict::Permanent { phase, reply } => (Outcome::Failed, phase, reply.to_string()),
            Verdict::Doubtful { detail } => (Outcome::Doubtful { again: claimed.again }, Phase::Body, detail),
        };
        let at = self.clock.now();
        let phase = Some(phase.as_str());
        self.ledger.settle(settlement(claimed, outcome, at, phase, Some(words), &self.settings.policy))
    }
}

/// Waits until an outcome is durable. If it never will be, the ledger has ended, and no body may begin either.
async fn wait(last: Option<oneshot::Receiver<()>>) {
    if let Some(last) = last {
        let _ = last.await;
    }
}

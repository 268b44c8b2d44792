//! A simulation: dated facts at their own times, the real planner and dispatcher, a clock that jumps from one
//! thing to do to the next.

use tokio_util::sync::CancellationToken;

use crate::clock::{Clock, Simulated};
use crate::dispatcher::{Dispatcher, Report};
use crate::domain::apply::Notify;
use crate::domain::calendar::Instant;
use crate::domain::fact::Fact;
use crate::domain::policy::Policy;
use crate::intake::{Recording, record};
use crate::planner;
use crate::store::{HeldBatch, Recorded, Store, StoreError};

/// A shop's life on a simulated clock.
pub struct Simulation {
    pub store: Store,
    pub dispatcher: Dispatcher,
    pub policy: Policy,
    pub hand: Simulated,
}

/// What happened at one instant.
#[derive(Debug, Default)]
pub struct Moment {
    /// What became of the facts of this instant, in their order.
    pub recorded: Vec<Recorded>,
    /// Tries to send that were settled.
    pub settled: usize,
    /// Changes that would mail too many at one time, held until somebody releases them.
    pub held: Vec<HeldBatch>,
    /// The next instant at which something is due, without a new fact.
    pub next: Option<Instant>,
    /// A mail of this rehearsal cannot be written: nothing of it is to be believed.
    pub unwritten: bool,
}

impl Simulation {
    /// The clock everything in it reads.
    pub fn clock(&self) -> Clock {
        Clock::Simulated(self.hand.clone())
    }

    /// The next instant at which something is due, without a new fact.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn next_due(&self) -> Result<Option<Instant>, StoreError> {
        let agenda = self.store.agenda(self.hand.now()).await?;
        let send = self.dispatcher.when_it_may(agenda.send);
        Ok(agenda.plan.into_iter().chain(send).min())
    }

    /// Goes to `at`, applies the facts of that instant, and does all that is due then.
    ///
    /// # Errors
    /// If the database cannot be used.
    pub async fn step(&mut self, at: Instant, facts: &[Fact]) -> Result<Moment, StoreError> {
        let now = self.hand.set(at);
        let mut moment = Moment::default();
        if !facts.is_empty() {
            let how = Recording { at: now, source: "simulation", notify: Notify::All, dry_run: false };
            moment.recorded = record(&self.store, facts, how).await?;
        }
        let stop = CancellationToken::new();
        loop {
            let planned = planner::turn(&self.store, &self.policy, now).await?;
            moment.held.extend(planned.held);
            let Report { settled, unwritten, .. } = self.dispatcher.drain(&stop).await?;
            moment.settled += settled;
            moment.unwritten |= unwritten;
            // What was settled may have made something else due; what cannot be done now is not tried again.
            moment.next = self.next_due().await?;
            if moment.next.is_none_or(|next| next > now) || planned.orders + settled == 0 {
                return Ok(moment);
            }
        }
    }
}

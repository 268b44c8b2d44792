//! A simulation: dated facts at their own times, the real planner and dispatcher, a clock that jumps from one
//! thing to do to the next.

use tokio_util::sync::CancellationToken;

use crate::clock::Simulated;
use crate::dispatcher::Dispatcher;
use crate::domain::calendar::Instant;
use crate::domain::fact::{Fact, Source};
use crate::domain::policy::Policy;
use crate::intake::{Options, submit};
use crate::planner;
use crate::store::{Agenda, HeldChange, Recorded, Store, StoreError};

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
    pub held: Vec<HeldChange>,
    /// What is to be done next, without a new fact.
    pub next: Agenda,
}

impl Simulation {
    /// The next instant at which something is due, without a new fact.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn next_due(&self) -> Result<Option<Instant>, StoreError> {
        Ok(self.next().await?.at())
    }

    /// What is to be done next, without a new fact.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn next(&self) -> Result<Agenda, StoreError> {
        let agenda = self.store.agenda(self.hand.now()).await?;
        Ok(Agenda { send: self.dispatcher.when_it_may(agenda.send), ..agenda })
    }

    /// Goes to `at`, applies the facts of that instant, and does all that is due then.
    ///
    /// # Errors
    /// If the database cannot be used.
    pub async fn step(&mut self, at: Instant, facts: &[Fact]) -> Result<Moment, StoreError> {
        self.hand.set(at);
        let next = self.next().await?;
        self.go_on(next, at, facts).await
    }

    /// The same where it is known what was to be done next, and nobody else did anything since.
    ///
    /// # Errors
    /// If the database cannot be used.
    pub async fn go_on(
        &mut self,
        mut next: Agenda,
        at: Instant,
        facts: &[Fact],
    ) -> Result<Moment, StoreError> {
        let now = self.hand.set(at);
        let mut moment = Moment::default();
        if !facts.is_empty() {
            moment.recorded = submit(&self.store, Source::Simulation, facts, Options::at(now)).await?;
            (next.cover, next.plan) = (Some(now), Some(now));
        }
        let stop = CancellationToken::new();
        loop {
            let planned = planner::follow(&self.store, &self.policy, now, next).await?;
            moment.held.extend(planned.held);
            let settled = match planned.queued > 0 || next.send.is_some_and(|send| send <= now) {
                true => self.dispatcher.drain(&stop).await?.settled,
                false => 0,
            };
            moment.settled += settled;
            // What was settled may have made something else due; what cannot be done now is not tried again.
            moment.next = self.next().await?;
            if moment.next.at().is_none_or(|next| next > now) || planned.orders + settled == 0 {
                return Ok(moment);
            }
            next = moment.next;
        }
    }
}

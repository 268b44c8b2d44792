//! The outcome of a try, with the order it is an outcome for.

use crate::domain::calendar::Instant;
use crate::domain::meaning::Refusal;
use crate::domain::notice::Notice;
use crate::domain::order::Order;
use crate::domain::order::settle::{Outcome, Settled};
use crate::domain::policy::Policy;
use crate::domain::schedule::next_look;

/// The outcome of a try, to be made durable.
#[derive(Debug, Clone)]
pub struct Settlement {
    pub id: String,
    pub notice: Notice,
    pub outcome: Outcome,
    pub settled: Settled,
    /// The order as it was read, and with the outcome ([`Order::settle`]).
    pub before: Order,
    pub after: Order,
    /// The order's revision when it was read.
    pub revision: i64,
    /// When the planner looks at the order next, if it is still at that revision; else at once.
    pub look: Option<Instant>,
    pub attempt: u32,
    pub at: Instant,
    pub phase: Option<&'static str>,
    /// The server's words, or ours where it had none.
    pub reply: Option<String>,
    /// What the server's no meant.
    pub refusal: Option<Refusal>,
}

/// A try of a notice, of which the outcome is known.
#[derive(Debug, Clone)]
pub struct TriedNotice {
    pub id: String,
    pub notice: Notice,
    /// The order and its revision as they were read.
    pub order: Order,
    pub revision: i64,
    pub attempt: u32,
}

impl Settlement {
    /// What `outcome` makes of a notice and its order. Nothing is said of the dialogue.
    pub fn of(tried: TriedNotice, outcome: Outcome, at: Instant, policy: &Policy) -> Self {
        let TriedNotice { id, notice, order: before, revision, attempt } = tried;
        let mut after = before.clone();
        let settled = after.settle(&notice, &id, outcome, at, policy);
        let look = next_look(&after, at, policy);
        let (phase, reply, refusal) = (None, None, None);
        Self {
            id,
            notice,
            outcome,
            settled,
            before,
            after,
            revision,
            look,
            attempt,
            at,
            phase,
            reply,
            refusal,
        }
    }
}

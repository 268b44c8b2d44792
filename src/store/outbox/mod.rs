//! Notices on their way: planned, claimed, settled, held back, given back.

pub(in crate::store) mod blast;
pub(in crate::store) mod bodies;
pub(in crate::store) mod bounces;
pub(in crate::store) mod claim;
pub(in crate::store) mod decisions;
pub(in crate::store) mod go_live;
pub(in crate::store) mod journal;
pub(in crate::store) mod operator;
pub(in crate::store) mod outcome;
pub(in crate::store) mod pauses;
pub(in crate::store) mod plan;
pub(in crate::store) mod plan_writer;
pub(in crate::store) mod recovery;
pub(in crate::store) mod refusals;
pub(in crate::store) mod settlement;
pub(in crate::store) mod suppressions;

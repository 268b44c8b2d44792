//! Orders and what moves them: facts, supplies, and which line is served from what.

pub(in crate::store) mod allocation;
pub(in crate::store) mod facts;
pub(in crate::store) mod load;
pub(in crate::store) mod positions;
pub(in crate::store) mod record;
pub(in crate::store) mod save;
pub(in crate::store) mod supply;

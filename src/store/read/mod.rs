//! What happened, read back: for support, for ops, for a change that is about to be made.

pub(in crate::store) mod impact;
pub(in crate::store) mod risk;
pub(in crate::store) mod search;
pub(in crate::store) mod timeline;

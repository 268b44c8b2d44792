//! What ops are told, and what they made: alerts, digests, template sets.

pub(in crate::store) mod incidents;
pub(in crate::store) mod ops_mails;
pub(in crate::store) mod template_sets;

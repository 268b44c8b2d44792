//! shipby keeps customers informed while they wait for backordered and preordered goods.

pub mod domain;
pub mod templates;

//! shipby keeps customers informed while they wait for backordered and preordered goods.

pub mod bell;
pub mod clock;
pub mod config;
pub mod domain;
pub mod telemetry;
pub mod unit;

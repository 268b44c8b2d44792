//! shipby keeps customers informed while they wait for backordered and preordered goods.
//!
//! The house in reading order: facts come in (`intake`), pure rules say which notices are due (`domain`),
//! the planner puts them into the outbox (`planner`, `store`), the dispatcher renders and sends them
//! (`dispatcher`, `templates`, `mail`), what comes back is taken in (`bounces`), what needs a person is told once a day
//! (`digest`), and everything that happened can be read back (`cli`).

pub mod domain;

pub mod store;

pub mod intake;
pub mod mail;
pub mod templates;

pub mod bounces;
pub mod digest;
pub mod dispatcher;
pub mod planner;

pub mod cli;
pub mod daemon;
pub mod simulation;
pub mod wiring;

pub mod catcher;
pub mod clock;
pub mod config;
pub mod telemetry;
pub mod text;
pub mod unit;
pub mod wakeup;

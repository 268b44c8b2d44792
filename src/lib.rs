#![doc = include_str!("ARCHITECTURE.md")]

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

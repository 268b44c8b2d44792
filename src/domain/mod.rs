//! The rules: pure functions of facts, time and policy. No I/O, no clock, no async in here.

pub mod reply;

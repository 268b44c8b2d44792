//! The rules: pure functions of facts, time and policy. No I/O, no clock, no async in here.
//!
//! In reading order: what comes in (`fact`), what it is about (`customer`, `order`, `supply`), what it does
//! (`apply`, `supply::Serving`), what we would say (`promise`), what we owe (`notice`), and what a mail
//! server's answer means (`reply`, `meaning`), what comes back afterwards (`bounce`), and what ops must know (`risk`).

pub mod bounce;
pub mod calendar;
pub mod customer;
mod due;
pub mod fact;
pub mod forecast;
pub mod impact;
pub mod incident;
pub mod meaning;
pub mod notice;
pub mod order;
pub mod pause;
pub mod policy;
pub mod promise;
pub mod reply;
pub mod risk;
pub mod schedule;
pub mod supply;
pub mod suppression;

mod order_view;
mod words;

#[cfg(test)]
mod lives;
#[cfg(test)]
mod rules;
#[cfg(test)]
mod world;

//! What several tests share: a shop on a simulated clock, its facts, its database by another way than the store, and servers
//! that behave badly on purpose.

pub mod app;
pub mod book;
pub mod chance;
pub mod daemon;
pub mod disk;
pub mod facts;
pub mod front;
pub mod mails;
pub mod moves;
pub mod postfix;
pub mod power;
pub mod raw;
pub mod smtp;
pub mod years;

//! Mail, from text to a server's verdict; the only home of lettre.
//!
//! What always holds: nothing here knows orders, notices or the database. Reading order: [`mod@compose`] makes
//! the bytes; [`relay`] says where they go; [`smtp`] takes them there, over [`session`] (opening),
//! `commands` (what we say), `wire` (the stream, in time) and [`framing`] (replies); [`failure`] says
//! whose fault it was; [`verp`] names a notice in its envelope sender, and [`returned`] reads what comes back, made of
//! `parts` and `fields`.

mod commands;
pub mod compose;
pub mod failure;
mod fields;
pub mod framing;
mod parts;
mod quoted;
pub mod relay;
pub mod returned;
pub mod session;
pub mod smtp;
pub mod verp;
mod wire;

pub use commands::Envelope;
pub use compose::{ComposeError, Letter, Mailbox, compose, envelope_address};
pub use failure::Failure;
pub use lettre::transport::smtp::authentication::Credentials;
pub use relay::{Relay, RelayError, RelaySettings, Security, Timeouts};
pub use returned::{MAX_RETURNED, Returned};
pub use session::{Offers, Session};
pub use smtp::Connection;
pub use verp::{Forged, Verp};

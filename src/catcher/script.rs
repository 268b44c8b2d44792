//! What a catcher says: plain data for the common cases, any function for the others.

use std::sync::Arc;
use std::time::Duration;

use crate::domain::reply::Phase;

/// Where a dialogue stands when the script is asked for an answer.
#[derive(Debug)]
pub struct Dialogue<'a> {
    /// `Greeting` on connecting, `Hello` at EHLO and HELO, `Mail`, `Rcpt`, `Data`, and `Body` after the dot.
    pub phase: Phase,
    /// Counts connections from 1.
    pub connection: u64,
    /// Counts the mails begun on this connection from 1; 0 before the first MAIL.
    pub mail: u64,
    pub from: &'a str,
    /// The recipient just named, or the last one.
    pub to: &'a str,
    /// How often this phase was reached for this recipient, over all connections, from 1.
    pub attempt: u64,
}

/// What the catcher says at a phase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// What a well-behaved server says; the only one that takes a mail besides `Reply("2…")` at the dot.
    Usual,
    /// A reply in full, without its last line end: `"450 4.2.0 come back later"`.
    Reply(String),
    /// Any octets, then go on as if they had been a refusal.
    Raw(Vec<u8>),
    /// Any octets, then the end of the connection.
    Close(Vec<u8>),
    /// Wait, then answer. Other connections go on meanwhile.
    After(Duration, Box<Answer>),
    /// Nothing, ever, but the connection stays.
    Silence,
    /// Take the mail (at the dot), then close without a word: the case no client can decide.
    TakeAndClose,
    /// Take the mail (at the dot) and say otherwise, as a server does that stores first and trips then.
    TakeAndSay(String),
}

impl Answer {
    /// A reply in full, without its last line end.
    pub fn reply(text: impl Into<String>) -> Self {
        Self::Reply(text.into())
    }
}

type Decide = dyn Fn(&Dialogue<'_>) -> Answer + Send + Sync;

/// Decides the catcher's answers; plain data for the common cases, any function for the others.
#[derive(Clone, Default)]
pub struct Script(pub(super) Option<Arc<Decide>>);

impl Script {
    /// A well-behaved server.
    pub fn usual() -> Self {
        Self(None)
    }

    pub fn new(decide: impl Fn(&Dialogue<'_>) -> Answer + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(decide)))
    }

    /// Always the same answer at one phase.
    pub fn at(phase: Phase, answer: Answer) -> Self {
        Self::new(move |dialogue| if dialogue.phase == phase { answer.clone() } else { Answer::Usual })
    }

    /// Another answer the first `times` times one recipient reaches a phase, as greylisting servers do.
    pub fn first(times: u64, phase: Phase, answer: Answer) -> Self {
        Self::new(move |dialogue| {
            let early = dialogue.phase == phase && dialogue.attempt <= times;
            if early { answer.clone() } else { Answer::Usual }
        })
    }
}

//! What a refusal means, what becomes of the notice, and what else follows: the whole table of replies.
//!
//! What always holds: the enhanced code is asked first (RFC 3463), and where it says no more than the basic code does,
//! the basic code and the phase. An address suffers only for what was said of it; for what is about us nobody's does.

use chrono::TimeDelta;

use super::calendar::Instant;
use super::notice::{NoticeKind, Reason};
use super::pause::Scope;
use super::reply::{APART, Enhanced, Phase, Reply};
use super::words::words;
use crate::domain::order::settle::Outcome;

words! {
    /// What a server's 4yz or 5yz says.
    Meaning {
        /// Later.
        Temporary = "temporary",
        /// Later, and slower.
        Throttled = "throttled",
        MailboxFull = "mailbox_full",
        DeadAddress = "dead_address",
        DeadDomain = "dead_domain",
        /// The address seems to be at fault, in words that may mean anything.
        PerhapsDead = "perhaps_dead",
        /// The server cannot carry an address that is not ASCII.
        CannotCarry = "cannot_carry",
        TooLarge = "too_large",
        /// What the mail says or how it is made.
        Content = "content",
        /// Somebody's rule, about the mail, the recipient or us.
        Policy = "policy",
        /// What the recipient's domain thinks of us.
        Reputation = "reputation",
        /// Our own sender's address.
        Sender = "sender",
        /// Our credentials.
        Credentials = "credentials",
        /// The server does not understand us.
        Protocol = "protocol",
    }
}

/// What a refusal at `phase` means.
pub fn meaning(phase: Phase, reply: &Reply) -> Meaning {
    match (reply.code, reply.enhanced) {
        (530 | 534 | 535 | 538, _) => Meaning::Credentials,
        (400..=499, Some(Enhanced(_, 2, 2))) => Meaning::MailboxFull,
        (400..=499, Some(Enhanced(_, 7, _))) => Meaning::Throttled,
        (500..=599, Some(Enhanced(_, subject, detail))) => {
            named(subject, detail).unwrap_or_else(|| basic(phase, reply.code))
        }
        (500..=599, None) => basic(phase, reply.code),
        _ => Meaning::Temporary,
    }
}

/// What an enhanced code says; None where it says no more than "no".
fn named(subject: u16, detail: u16) -> Option<Meaning> {
    Some(match (subject, detail) {
        (1, 1 | 3 | 6 | 10) | (2, 1) => Meaning::DeadAddress,
        (1, 2) | (4, 4) => Meaning::DeadDomain,
        (1, 7 | 8) => Meaning::Sender,
        (2, 2) => Meaning::MailboxFull,
        (2, 3) | (3, 4) => Meaning::TooLarge,
        (6, 7) => Meaning::CannotCarry,
        (6, _) => Meaning::Content,
        (7, 8 | 9) => Meaning::Credentials,
        (7, 20..) => Meaning::Reputation,
        (7, _) => Meaning::Policy,
        // 5.5.0 is "something about the protocol", and what some servers answer to any unknown mailbox.
        (5, 1..) => Meaning::Protocol,
        _ => return None,
    })
}

fn basic(phase: Phase, code: u16) -> Meaning {
    match code {
        500..=504 | 555 => Meaning::Protocol,
        552 => Meaning::MailboxFull,
        556 => Meaning::DeadDomain,
        550 | 551 | 553 if phase == Phase::Rcpt => Meaning::PerhapsDead,
        _ => Meaning::Policy,
    }
}

impl Meaning {
    /// What a try that was refused like this comes to; `last` is what the try before came to.
    pub fn outcome(self, attempt: u32, last: Option<Self>) -> Outcome {
        match self {
            Self::Temporary | Self::Throttled | Self::MailboxFull => Outcome::Deferred { attempt },
            Self::DeadDomain if last != Some(Self::DeadDomain) => Outcome::TomorrowAgain,
            Self::DeadAddress | Self::DeadDomain => Outcome::Failed(Reason::DeadAddress),
            Self::PerhapsDead => Outcome::Failed(Reason::RefusedAddress),
            Self::CannotCarry => Outcome::Failed(Reason::CannotCarry),
            Self::TooLarge => Outcome::Failed(Reason::TooLarge),
            Self::Content => Outcome::Failed(Reason::Content),
            Self::Policy => Outcome::Failed(Reason::Policy),
            // What a person has looked at and resumed, and is not understood again, is this mail's own fault.
            Self::Protocol if last == Some(Self::Protocol) => Outcome::Held(Reason::Protocol),
            Self::Reputation | Self::Sender | Self::Credentials | Self::Protocol => {
                Outcome::Unharmed { attempt }
            }
        }
    }
}

impl Meaning {
    /// Why mail is held back for it.
    pub fn why_held(self) -> &'static str {
        match self {
            Self::Policy => "its mail server refuses our mail to several customers by a rule",
            Self::Throttled => "its mail server goes on putting us off",
            Self::Reputation => "its mail server does not trust us",
            Self::Content => "the mail server refuses what these mails say or how they are made",
            Self::TooLarge => "these mails are larger than the mail server takes",
            Self::Sender => "the mail server refuses our own address",
            Self::Protocol => "the mail server does not understand us",
            _ => "the mail server refuses it",
        }
    }
}

/// A refusal, with what its notice cannot know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub meaning: Meaning,
    /// The reply's codes, without words that may hold an address.
    pub codes: String,
    /// How many of this meaning came in a row, this one among them: of its kind where it is about what we say.
    pub in_a_row: u32,
    /// Mail to other domains is among these, so that it is not about one of them.
    pub mixed: bool,
    /// It is about the customer's own address, and not about one that all mail is redirected to.
    pub of_customer: bool,
    /// Which try it was, and what the one before came to.
    pub attempt: u32,
    pub last: Option<Meaning>,
}

/// What is on record beside a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Record {
    /// Recipients of its domain that were refused like it within [`WITHIN`], its own among them.
    pub recipients: u32,
    /// The first such refusal of its address, if nothing was accepted for it since.
    pub first_at: Option<Instant>,
}

/// What follows of a refusal beside its own outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Consequence {
    /// The address gets no mail any more.
    Suppress,
    /// Mail is held back until a person has looked, and nothing of it is lost.
    Hold(Scope),
}

/// Recipients of a domain, or mails of a kind in a row, that prove that it is not about one of them.
const PROOF: u32 = 3;
/// The span in which recipients of a domain are counted.
pub const WITHIN: TimeDelta = TimeDelta::hours(1);
/// Servers that ask unknown senders to come back let them in by now; one that still does not means more.
const PATIENCE: u32 = 3;

impl Refusal {
    /// What follows of it at `at`, for a notice of `kind` to somebody at `domain`.
    pub fn consequence(
        &self,
        kind: NoticeKind,
        domain: &str,
        at: Instant,
        record: Record,
    ) -> Option<Consequence> {
        let domain = || Some(Consequence::Hold(Scope::Domain(domain.to_owned())));
        let proven = record.recipients >= PROOF;
        match self.meaning {
            Meaning::Sender => Some(Consequence::Hold(Scope::All)),
            Meaning::Protocol if self.last != Some(Meaning::Protocol) => Some(Consequence::Hold(Scope::All)),
            Meaning::Content | Meaning::TooLarge if self.in_a_row >= PROOF => {
                Some(Consequence::Hold(Scope::Kind(kind)))
            }
            _ if !self.of_customer => None,
            Meaning::DeadAddress => Some(Consequence::Suppress),
            Meaning::DeadDomain if self.last == Some(Meaning::DeadDomain) => Some(Consequence::Suppress),
            Meaning::PerhapsDead if record.first_at.is_some_and(|first| at - first >= APART) => {
                Some(Consequence::Suppress)
            }
            Meaning::Reputation => domain(),
            Meaning::Policy if proven && !self.mixed => domain(),
            Meaning::Throttled if proven && self.attempt >= PATIENCE => domain(),
            _ => None,
        }
    }

    /// The try from which on refusals like it are counted by domain; None where they are not.
    pub fn counts_from_try(&self) -> Option<u32> {
        match self.meaning {
            Meaning::Policy => Some(1),
            Meaning::Throttled => Some(PATIENCE),
            _ => None,
        }
    }
}

//! Addresses that get no mail, and why.
//!
//! An address is suppressed as it is kept ([`EmailAddress`]): its domain in lower case, its local part as it was given.

use super::calendar::Instant;
use super::customer::EmailAddress;
use super::notice::NoticeKind;
use super::words::words;

words! {
    /// Whose word it was.
    Cause {
        /// A mail server refused the address.
        Refused = "refused",
        /// A mail came back.
        Bounced = "bounced",
        /// The customer reported our mail as unwanted.
        Complained = "complained",
        Person = "person",
    }
}

impl Cause {
    /// What a support person can read aloud, before the reason.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Refused => "the mail server says that it is dead",
            Self::Bounced => "mail to it came back",
            Self::Complained => "the customer reported our mail as unwanted",
            Self::Person => "suppressed by a person",
        }
    }

    /// Whether a notice of this kind is not sent. Who complains gets no routine news any more; a date that moved, a
    /// shipment, a cancellation they must know of all the same, and may cancel.
    pub fn stops(self, kind: NoticeKind) -> bool {
        self != Self::Complained || !kind.rules().must_be_known
    }

    /// What it comes to, as in "the address gets no mail".
    pub fn gets(self) -> &'static str {
        if self == Self::Complained { "gets no routine news" } else { "gets no mail" }
    }
}

/// An address that gets no mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suppression {
    pub address: EmailAddress,
    pub cause: Cause,
    /// The server's words, or the person's.
    pub reason: String,
    pub since: Instant,
    /// The notice that brought it to light.
    pub notice: Option<String>,
}

impl Suppression {
    /// Why, in one sentence: `the mail server says that it is dead (550 5.1.1 no such user)`.
    pub fn words(&self) -> String {
        format!("{} ({})", self.cause.meaning(), self.reason)
    }
}

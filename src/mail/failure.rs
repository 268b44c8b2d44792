//! What a dialogue that did not reach the body came to, and whose fault it was.
//!
//! What always holds: what is about us (certificate, credentials, what the relay does not offer) is told
//! apart from what is about the recipient, so that nobody's address suffers for our settings.

use std::io;

use thiserror::Error;

use super::framing::Malformed;
use crate::domain::meaning::{Meaning, meaning};
use crate::domain::reply::{Enhanced, Phase, Reply, Verdict};

/// Why a message was not taken, known to have happened before its body.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Failure {
    /// 4yz, or the connection failed: the same may go well later.
    #[error("{}: {}", phase.as_str(), words(.reply.as_ref(), .detail))]
    Temporary { phase: Phase, reply: Option<Reply>, detail: String },
    /// 5yz to MAIL, RCPT or DATA, or a message that this server is known to be unable to take; then the
    /// reply is our own and its text says that nothing was sent.
    #[error("{}: {reply}", phase.as_str())]
    Permanent { phase: Phase, reply: Reply },
    /// About us, not about the recipient: a person must look, and nothing counts against a notice.
    #[error("{}: {}", phase.as_str(), words(.reply.as_ref(), .detail))]
    Config { phase: Phase, reply: Option<Reply>, detail: String },
}

fn words(reply: Option<&Reply>, detail: &str) -> String {
    match reply {
        Some(reply) if detail.is_empty() => reply.to_string(),
        Some(reply) => format!("{detail}: {reply}"),
        None => detail.to_owned(),
    }
}

impl Failure {
    /// How far the dialogue had come.
    pub fn phase(&self) -> Phase {
        match self {
            Self::Temporary { phase, .. } | Self::Permanent { phase, .. } | Self::Config { phase, .. } => {
                *phase
            }
        }
    }

    /// The same for logs and ops: what a server says once it has heard to whom may hold an address, and of that only the
    /// codes are told.
    pub fn without_customers(&self) -> String {
        let mut told = self.clone();
        if told.phase() > Phase::Mail {
            match &mut told {
                Self::Temporary { reply: Some(reply), .. }
                | Self::Config { reply: Some(reply), .. }
                | Self::Permanent { reply, .. } => reply.text.clear(),
                _ => {}
            }
        }
        told.to_string()
    }

    /// The server's words, where it had any.
    pub fn reply(&self) -> Option<&Reply> {
        match self {
            Self::Temporary { reply, .. } | Self::Config { reply, .. } => reply.as_ref(),
            Self::Permanent { reply, .. } => Some(reply),
        }
    }

    pub(super) fn temporary(phase: Phase, detail: impl Into<String>) -> Self {
        Self::Temporary { phase, reply: None, detail: detail.into() }
    }

    pub(super) fn config(phase: Phase, detail: impl Into<String>) -> Self {
        Self::Config { phase, reply: None, detail: detail.into() }
    }

    /// A message this server is known to be unable to take, refused without a dialogue.
    pub(super) fn unsendable(phase: Phase, code: u16, enhanced: Enhanced, text: String) -> Self {
        Self::Permanent { phase, reply: Reply { code, enhanced: Some(enhanced), text } }
    }

    /// A refusal of a message: 4yz, 5yz, or a code that has no place here.
    pub fn refused(phase: Phase, reply: Reply) -> Self {
        if meaning(phase, &reply) == Meaning::Credentials {
            let detail = "the relay wants other credentials".to_owned();
            return Self::Config { phase, reply: Some(reply), detail };
        }
        match reply.code / 100 {
            5 => Self::Permanent { phase, reply },
            4 => Self::Temporary { phase, reply: Some(reply), detail: String::new() },
            _ => Self::Temporary { phase, reply: Some(reply), detail: "unexpected answer".to_owned() },
        }
    }

    /// A refusal of the session itself, before any message: its 5yz is about us.
    pub(super) fn turned_away(phase: Phase, reply: Reply, detail: &str) -> Self {
        let detail = detail.to_owned();
        if reply.is_permanent() {
            Self::Config { phase, reply: Some(reply), detail }
        } else {
            Self::Temporary { phase, reply: Some(reply), detail }
        }
    }
}

impl From<Failure> for Verdict {
    /// A fault of ours becomes temporary: the notice waits until somebody has mended it.
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Temporary { phase, reply, detail } | Failure::Config { phase, reply, detail } => {
                Self::Temporary { phase, reply, detail }
            }
            Failure::Permanent { phase, reply } => Self::Permanent { phase, reply },
        }
    }
}

/// What the stream itself can do to us.
#[derive(Debug, Error)]
pub(super) enum WireError {
    #[error("the server closed the connection")]
    Closed,
    #[error("no answer in time")]
    TimedOut,
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("{0}")]
    Malformed(#[from] Malformed),
}

impl WireError {
    /// The failure of a dialogue that had not reached the body.
    pub(super) fn at(self, phase: Phase) -> Failure {
        if let Self::Io(error) = &self
            && is_tls_fault(error)
        {
            return Failure::config(phase, format!("TLS: {error}"));
        }
        Failure::temporary(phase, self.to_string())
    }
}

/// Whether TLS itself refused, as with a certificate we do not trust, and not the network.
pub(super) fn is_tls_fault(error: &io::Error) -> bool {
    let mut source: Option<&(dyn std::error::Error + 'static)> = error.get_ref().map(|inner| inner as _);
    while let Some(inner) = source {
        if inner.is::<rustls::Error>() {
            return true;
        }
        source = inner.source();
    }
    false
}

//! Incidents: what stops the sending, of all mail or of some, until it is mended. Ops hear of each once, and once when it
//! is over.

use super::calendar::Instant;
use super::pause::Scope;

/// What does not work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IncidentSubject {
    /// The mail server cannot be used: out of reach, not to be trusted, or it does not want us.
    Relay,
    /// shipby itself holds mail back.
    Held(Scope),
}

impl IncidentSubject {
    /// Its word and its subject, which is empty where there is only one.
    pub fn parts(&self) -> (&'static str, &str) {
        match self {
            Self::Relay => ("relay", ""),
            Self::Held(scope) => scope.parts(),
        }
    }

    /// The matter of a word and a subject.
    pub fn from_parts(word: &str, subject: String) -> Option<Self> {
        match word {
            "relay" => Some(Self::Relay),
            _ => Scope::from_parts(word, subject).map(Self::Held),
        }
    }
}

/// One incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incident {
    pub id: i64,
    pub matter: IncidentSubject,
    /// The server's words, or ours.
    pub words: String,
    pub began: Instant,
    /// None: it goes on.
    pub ended: Option<Instant>,
}

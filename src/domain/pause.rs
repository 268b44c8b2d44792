//! Pauses: a person holds back all mail, or what is about one SKU or one order, for a reason and perhaps until an end.
//!
//! A pause changes no notice and no plan. It is asked before a try, and what it held goes out when it is over, if it
//! is still true then.

use serde::Serialize;

use super::calendar::Instant;
use super::order::Order;

/// What is held back.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(tag = "scope", content = "subject", rename_all = "snake_case")]
pub enum Scope {
    All,
    Sku(String),
    Order(String),
}

impl Scope {
    /// Its word and its subject, which is empty for all.
    pub fn parts(&self) -> (&'static str, &str) {
        match self {
            Self::All => ("all", ""),
            Self::Sku(sku) => ("sku", sku),
            Self::Order(number) => ("order", number),
        }
    }

    /// The scope of a word and a subject.
    pub fn from_parts(word: &str, subject: String) -> Option<Self> {
        match word {
            "all" => Some(Self::All),
            "sku" => Some(Self::Sku(subject)),
            "order" => Some(Self::Order(subject)),
            _ => None,
        }
    }

    /// Whether the mails of an order are held back: of a SKU those that speak of it, whatever else they are about,
    /// for every mail states the dates of all lines that wait.
    pub fn holds(&self, order: &Order) -> bool {
        match self {
            Self::All => true,
            Self::Sku(sku) => order.waiting().any(|line| line.sku == *sku),
            Self::Order(number) => order.number == *number,
        }
    }
}

/// Mail held back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pause {
    #[serde(flatten)]
    pub scope: Scope,
    /// Why, in the words of who paused.
    pub reason: String,
    pub since: Instant,
    /// When it ends by itself; None: when somebody ends it.
    pub until: Option<Instant>,
}

impl Pause {
    /// Whether it still holds at `now`.
    pub fn in_force(&self, now: Instant) -> bool {
        self.until.is_none_or(|until| until > now)
    }
}

/// The pauses among `pauses` that hold back an order's mail.
pub fn holding<'a>(pauses: &'a [Pause], order: &Order) -> Vec<&'a Pause> {
    pauses.iter().filter(|pause| pause.scope.holds(order)).collect()
}

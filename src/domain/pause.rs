//! Pauses: all mail is held back, or what is about one SKU or order, to one domain or of one kind, for a reason and
//! perhaps until an end: by a person, or by shipby where a mail server's answers say that more of it would do harm.
//!
//! A pause changes no notice and no plan. It is asked before a try, and what it held goes out when it is over, if it
//! is still true then.

use serde::Serialize;

use super::calendar::Instant;
use super::notice::NoticeKind;
use super::order::Order;
use super::words::words;

/// What is held back.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(tag = "scope", content = "subject", rename_all = "snake_case")]
pub enum Scope {
    All,
    Sku(String),
    Order(String),
    /// All addresses behind this `@`.
    Domain(String),
    Kind(NoticeKind),
}

words! {
    /// Who holds mail back.
    Setter { Person = "person", Shipby = "shipby" }
}

impl Scope {
    /// Its word and its subject, which is empty for all.
    pub fn parts(&self) -> (&'static str, &str) {
        match self {
            Self::All => ("all", ""),
            Self::Sku(sku) => ("sku", sku),
            Self::Order(number) => ("order", number),
            Self::Domain(domain) => ("domain", domain),
            Self::Kind(kind) => ("kind", kind.as_str()),
        }
    }

    /// The scope of a word and a subject.
    pub fn from_parts(word: &str, subject: String) -> Option<Self> {
        match word {
            "all" => Some(Self::All),
            "sku" => Some(Self::Sku(subject)),
            "order" => Some(Self::Order(subject)),
            "domain" => Some(Self::Domain(subject)),
            "kind" => NoticeKind::from_word(&subject).map(Self::Kind),
            _ => None,
        }
    }

    /// What is held back: `mail about KETTLE-01`.
    pub fn mail(&self) -> String {
        match self {
            Self::All => "all mail".to_owned(),
            Self::Sku(sku) => format!("mail about {sku}"),
            Self::Order(number) => format!("mail about order {number}"),
            Self::Domain(domain) => format!("mail to {domain}"),
            Self::Kind(kind) => format!("mail of the kind {kind}"),
        }
    }

    /// What `shipby resume` is given to end it.
    pub fn to_resume(&self) -> String {
        match self {
            Self::All => "--all".to_owned(),
            Self::Sku(sku) => format!("--sku {sku}"),
            Self::Order(number) => format!("--order {number}"),
            Self::Domain(domain) => format!("domain:{domain}"),
            Self::Kind(kind) => format!("kind:{kind}"),
        }
    }

    /// Whether an order's notice of `kind` is held back: of a SKU those that speak of it, whatever else they are about,
    /// for every mail states the dates of all lines that wait. Without a kind: what holds all of its mails.
    pub fn holds(&self, order: &Order, kind: Option<NoticeKind>) -> bool {
        match self {
            Self::All => true,
            Self::Sku(sku) => order.waiting().any(|line| line.sku == *sku),
            Self::Order(number) => order.number == *number,
            Self::Domain(domain) => {
                order.customer.email.as_ref().is_some_and(|email| email.domain() == domain)
            }
            Self::Kind(held) => kind == Some(*held),
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
    pub by: Setter,
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

/// The pauses among `pauses` that hold back an order's mail: the notice under way, and what comes of any kind.
pub fn holding<'a>(pauses: &'a [Pause], order: &Order) -> Vec<&'a Pause> {
    let kind = order.under_way.as_ref().map(|under_way| under_way.notice.kind);
    pauses.iter().filter(|pause| pause.scope.holds(order, kind)).collect()
}

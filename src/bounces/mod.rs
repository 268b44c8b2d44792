//! Mail that came back, on its way in: read, assigned to its notice, applied once.
//!
//! What always holds: a bounce is never answered; whatever is no report, is made up or is about nothing of ours changes
//! nothing; and no word of a mail gets into a log.

pub mod maildir;

use crate::domain::bounce::Fate;
use crate::domain::calendar::Instant;
use crate::domain::policy::Policy;
use crate::mail::{Forged, Returned, Verp, returned};
use crate::store::{Applied, Store, StoreError};

/// What became of a mail that was handed to us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Applied {
        notice: String,
        order: String,
        fate: Fate,
        /// The notice counts as not heard from now on.
        unheard: bool,
        /// The address gets no mail from now on, or no routine news after a complaint.
        suppressed: bool,
    },
    Ignored(Ignored),
    /// A mail of the same order is leaving this very moment: it is to be handed in again.
    Later,
}

/// Why a mail changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ignored {
    NoReport,
    Forged,
    NoNotice,
    Unknown,
    Known,
}

impl Ignored {
    /// For people.
    pub fn words(self) -> &'static str {
        match self {
            Self::NoReport => "it is no bounce and no complaint",
            Self::Forged => "its token is not one of ours",
            Self::NoNotice => "it does not say which mail it is about",
            Self::Unknown => "it is about no mail that we sent to a customer",
            Self::Known => "it was reported before",
        }
    }
}

/// Takes in a mail. `recipient` is the address it came to, where the mail server says so; its headers are asked as well.
///
/// # Errors
/// If the database cannot be used: the mail is to be handed in again.
pub async fn take(
    store: &Store,
    verp: Option<&Verp>,
    mail: &[u8],
    recipient: Option<&str>,
    now: Instant,
    policy: &Policy,
) -> Result<Outcome, StoreError> {
    let Some(returned) = returned::read(mail) else { return Ok(Outcome::Ignored(Ignored::NoReport)) };
    let notice = match notice_of(&returned, verp, recipient) {
        Ok(Some(notice)) => notice,
        Ok(None) => return Ok(Outcome::Ignored(Ignored::NoNotice)),
        Err(Forged) => return Ok(Outcome::Ignored(Ignored::Forged)),
    };
    Ok(match store.report(&notice, &returned.report, now, policy).await? {
        Applied::Unknown => Outcome::Ignored(Ignored::Unknown),
        Applied::Known => Outcome::Ignored(Ignored::Known),
        Applied::Busy => Outcome::Later,
        Applied::Done { order, fate, unheard, suppressed } => {
            Outcome::Applied { notice, order, fate, unheard, suppressed }
        }
    })
}

/// The notice that the token names, else the headers of the mail that came back. A token must not be about another
/// notice than they are.
fn notice_of(
    returned: &Returned,
    verp: Option<&Verp>,
    recipient: Option<&str>,
) -> Result<Option<String>, Forged> {
    let addresses = returned.addresses.iter().map(String::as_str).chain(recipient);
    let token = verp.map_or(Ok(None), |verp| verp.notice(addresses))?;
    match (token, &returned.notice) {
        (Some(token), Some(named)) if token != *named => Err(Forged),
        (Some(token), _) => Ok(Some(token)),
        (None, named) => Ok(named.clone()),
    }
}

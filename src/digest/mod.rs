//! The daily digest: what needs a person, in one mail a day to those who run the shop.
//!
//! What always holds: it comes every day, also when there is nothing to tell, for its absence is the alarm; at most one
//! is sent a civil day; and it never stands in the way of a customer's mail. Reading order: here what is in it,
//! `text` how it is said, `alert` what cannot wait until tomorrow, `courier` how both get there.

mod alert;
mod courier;
mod text;

use std::collections::BTreeMap;

use chrono::NaiveDate;
use chrono_tz::Tz;
use serde::Serialize;

use crate::domain::calendar::{Instant, day_of};
use crate::domain::pause::Pause;
use crate::domain::risk::{Authorization, DigestIssue, Finding, UNHEARD_FOR, Watch, findings};
use crate::store::{HeldChange, Store, StoreError};

pub use alert::write_alert;
pub use courier::{Carrier, Courier};
pub use text::{Masthead, write};

/// The worst of each concern that a mail lists; the others are counted.
pub const LISTED: usize = 10;

/// Orders read at one time.
const PAGE: usize = 500;

/// What ops must know at a moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Digest {
    pub at: Instant,
    /// The shop's civil day.
    pub day: NaiveDate,
    /// The template folder is broken, and the last good set is used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template_fault: Option<String>,
    /// Changes whose mails the blast guard holds until a person decides, oldest first.
    #[serde(skip)]
    pub batches: Vec<HeldChange>,
    /// Mail that is held back, by whomever.
    pub pauses: Vec<Pause>,
    /// How many findings there are of each concern; what there is none of is left out.
    pub counts: BTreeMap<DigestIssue, usize>,
    /// By issue, the worst first.
    pub findings: Vec<Finding>,
}

/// What is looked for, and how much of it is kept.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    pub zone: Tz,
    pub watch: Watch,
    /// Of each concern; None: all.
    pub most: Option<usize>,
}

/// Gathers the digest of `now`. Costs what it lists, not what is open.
///
/// # Errors
/// If the database cannot be read.
pub async fn gather(store: &Store, now: Instant, asked: Asked) -> Result<Digest, StoreError> {
    let Asked { zone, watch, most } = asked;
    let day = day_of(now, zone);
    let since = now - UNHEARD_FOR;
    let mut kept = Kept { most, found: BTreeMap::new(), counts: BTreeMap::new() };
    for page in store.concerning(watch.horizon(day), since).await?.chunks(PAGE) {
        let troubles = store.troubles(page, since).await?;
        for order in store.orders(page).await? {
            let troubles = troubles.get(&order.number).map_or(&[][..], Vec::as_slice);
            kept.add(findings(&order, troubles, now, zone, &watch));
        }
    }
    let first = most.map_or(u32::MAX, |most| u32::try_from(most).unwrap_or(u32::MAX));
    let (authorized, first) = store.authorized_before(watch.authorized_before(day, zone), first).await?;
    for page in first.chunks(PAGE) {
        let orders = store.orders(page).await?;
        kept.add(orders.iter().filter_map(|order| Authorization::finding(order, now, zone, &watch)));
    }
    if authorized > 0 {
        kept.counts.insert(DigestIssue::Authorization, authorized);
    }
    let mut batches = store.held_changes().await?;
    batches.retain(|batch| !batch.counting);
    let template_fault = store.template_fault().await?;
    let pauses = store.pauses(now).await?;
    let findings = kept.in_order();
    Ok(Digest { at: now, day, template_fault, batches, pauses, findings, counts: kept.counts })
}

/// What was found, of which no more is kept than is listed.
struct Kept {
    most: Option<usize>,
    found: BTreeMap<DigestIssue, Vec<Finding>>,
    counts: BTreeMap<DigestIssue, usize>,
}

impl Kept {
    fn add(&mut self, findings: impl IntoIterator<Item = Finding>) {
        for finding in findings {
            *self.counts.entry(finding.concern).or_default() += 1;
            let of_it = self.found.entry(finding.concern).or_default();
            of_it.push(finding);
            // Sorted now and then, not with each one.
            if let Some(most) = self.most
                && of_it.len() > most + 4 * PAGE
            {
                of_it.sort_by_cached_key(Finding::rank);
                of_it.truncate(most);
            }
        }
    }

    fn in_order(&mut self) -> Vec<Finding> {
        let mut all = Vec::new();
        for mut of_it in std::mem::take(&mut self.found).into_values() {
            of_it.sort_by_cached_key(Finding::rank);
            of_it.truncate(self.most.unwrap_or(usize::MAX));
            all.append(&mut of_it);
        }
        all
    }
}

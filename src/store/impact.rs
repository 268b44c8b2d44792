//! What a supply or a receipt would mail: the fact is recorded, its queue walked, its orders played forward, and all
//! of it taken back.

use std::collections::HashMap;

use super::cover::{CoverRow, walk};
use super::facts::{Book, Entry, Recorded};
use super::load::load;
use super::rows::json;
use super::{Result, Store};
use crate::domain::apply::Notify;
use crate::domain::calendar::Instant;
use crate::domain::impact::Impact;
use crate::domain::order::Order;
use crate::domain::policy::Policy;

/// Orders played forward at one time.
const STEP: usize = 1_000;

impl Store {
    /// What recording a fact about a supply would come to, and whom it would mail. Nothing is changed.
    pub async fn impact(&self, entry: &Entry, now: Instant, policy: &Policy) -> Result<(Recorded, Impact)> {
        let entries = std::slice::from_ref(entry);
        let mut impact = Impact::default();
        let mut tx = self.begin().await?;
        let mut book = Book::open(&mut tx, entries, now, Notify::All).await?;
        let recorded = book.enter(&entry.fact);
        book.save(&mut tx).await?;
        for sku in book.skus() {
            let walked = walk(&mut tx, sku, now, policy).await?;
            let mut by_order: HashMap<&str, Vec<&CoverRow>> = HashMap::new();
            let mut numbers = Vec::new();
            for row in walked.changed.iter().filter(|row| row.wake) {
                let rows = by_order.entry(row.order.as_str()).or_default();
                if rows.is_empty() {
                    numbers.push(row.order.clone());
                }
                rows.push(row);
            }
            for step in numbers.chunks(STEP) {
                let mut loaded: HashMap<String, Order> = load(&mut tx, step)
                    .await?
                    .into_iter()
                    .map(|l| (l.order.number.clone(), l.order))
                    .collect();
                for number in step {
                    let Some(mut order) = loaded.remove(number) else { continue };
                    for row in by_order.get(number.as_str()).into_iter().flatten() {
                        let reason =
                            row.reason.as_deref().map(|reason| json("a reason", reason)).transpose()?;
                        order.serve(&row.line, json("a cover", &row.cover)?, reason.unwrap_or_default(), now);
                    }
                    order.hold = None;
                    impact.add(&order, now, policy);
                }
            }
        }
        tx.rollback().await?;
        Ok((recorded, impact))
    }
}

//! Supplies, receipts, and the queues that are to be covered anew.

use std::collections::BTreeSet;

use serde::Serialize;
use sqlx::SqliteConnection;

use super::rows::{date, json, to_json, word};
use super::{Result, Store, instant, millis};
use crate::domain::calendar::Instant;
use crate::domain::fact::{ChangeReason, ReceiptFact, SupplyFact};
use crate::domain::supply::{Eta, Incoming, SupplyState};

/// A row of `supplies`.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow, Serialize)]
pub(super) struct SupplyRow {
    pub sku: String,
    pub supply: String,
    pub at: i64,
    pub recorded_at: i64,
    pub quantity: Option<u32>,
    pub eta_from: Option<String>,
    pub eta_to: Option<String>,
    pub state: String,
    pub supplier: Option<String>,
    pub confirmed: bool,
    pub reason: String,
}

impl SupplyRow {
    pub fn from_fact(fact: &SupplyFact, recorded_at: Instant) -> Self {
        Self {
            sku: fact.sku.clone(),
            supply: fact.supply.clone(),
            at: millis(fact.at),
            recorded_at: millis(recorded_at),
            quantity: fact.quantity,
            eta_from: fact.eta.map(|eta| eta.from.to_string()),
            eta_to: fact.eta.map(|eta| eta.to.to_string()),
            state: fact.state.to_string(),
            supplier: fact.supplier.clone(),
            confirmed: fact.confirmed,
            reason: to_json(&fact.change),
        }
    }

    fn into_fact(self) -> Result<SupplyFact> {
        let eta = date(self.eta_from.as_deref())?.zip(date(self.eta_to.as_deref())?);
        Ok(SupplyFact {
            at: instant(self.at),
            quantity: self.quantity,
            eta: eta.map(|(from, to)| Eta { from, to }),
            state: word("the state of a supply", &self.state, SupplyState::from_word)?,
            confirmed: self.confirmed,
            change: json::<ChangeReason>("the reason of a supply", &self.reason)?,
            sku: self.sku,
            supply: self.supply,
            supplier: self.supplier,
        })
    }

    /// Whether it changes nothing for anybody: a fact that repeats a date is no change.
    pub fn says_the_same(&self, other: &Self) -> bool {
        let says = |row: &Self| {
            (row.quantity, row.eta_from.clone(), row.eta_to.clone(), row.state.clone(), row.confirmed)
        };
        says(self) == says(other)
    }

    pub fn into_incoming(self) -> Result<Incoming> {
        let eta = date(self.eta_from.as_deref())?.zip(date(self.eta_to.as_deref())?);
        Ok(Incoming {
            quantity: self.quantity,
            eta: eta.map(|(from, to)| Eta { from, to }),
            state: word("the state of a supply", &self.state, SupplyState::from_word)?,
            confirmed: self.confirmed,
            supply: self.supply,
        })
    }
}

/// A row of `receipts`.
#[derive(Debug, sqlx::FromRow, Serialize)]
pub(super) struct ReceiptRow {
    pub id: String,
    pub sku: String,
    pub supply: Option<String>,
    pub quantity: i64,
    pub at: i64,
}

impl ReceiptRow {
    pub fn from_fact(fact: &ReceiptFact) -> Self {
        Self {
            id: fact.id.clone(),
            sku: fact.sku.clone(),
            supply: fact.supply.clone(),
            quantity: fact.quantity,
            at: millis(fact.at),
        }
    }
}

impl Store {
    /// What is known of a SKU's supplies, open or not, in the order of their names.
    pub async fn supplies(&self, sku: &str) -> Result<Vec<SupplyFact>> {
        let mut reader = self.readers.acquire().await?;
        let mut rows = supplies_of(&mut reader, &BTreeSet::from([sku])).await?;
        rows.sort_by(|a, b| a.supply.cmp(&b.supply));
        rows.into_iter().map(SupplyRow::into_fact).collect()
    }

    /// How many orders wait for a SKU, and for how many units of it.
    pub async fn waiting_for(&self, sku: &str) -> Result<(u32, u64)> {
        const WAITING: &str = "select count(distinct order_number), coalesce(sum(open_units), 0) from lines
            where sku = $1 and open_units > 0 and kind <> 'in_stock'";
        let (orders, units): (u32, i64) = sqlx::query_as(WAITING).bind(sku).fetch_one(&self.readers).await?;
        Ok((orders, u64::try_from(units).unwrap_or(0)))
    }
}

pub(super) async fn supplies_of(
    conn: &mut SqliteConnection,
    skus: &BTreeSet<&str>,
) -> Result<Vec<SupplyRow>> {
    const SUPPLIES: &str = "select sku, supply, at, recorded_at, quantity, eta_from, eta_to, state, supplier,
        confirmed, reason from supplies where sku in (select value from json_each($1))";
    Ok(sqlx::query_as(SUPPLIES).bind(to_json(skus)).fetch_all(conn).await?)
}

pub(super) async fn receipts_of(conn: &mut SqliteConnection, sku: &str) -> Result<Vec<ReceiptRow>> {
    const RECEIPTS: &str = "select id, sku, supply, quantity, at from receipts where sku = $1";
    Ok(sqlx::query_as(RECEIPTS).bind(sku).fetch_all(conn).await?)
}

pub(super) async fn save_supplies(conn: &mut SqliteConnection, rows: &[&SupplyRow]) -> Result<()> {
    const SAVE: &str = "insert into supplies (sku, supply, at, recorded_at, quantity, eta_from, eta_to, state,
            supplier, confirmed, reason)
        select value ->> 'sku', value ->> 'supply', value ->> 'at', value ->> 'recorded_at', value ->> 'quantity',
            value ->> 'eta_from', value ->> 'eta_to', value ->> 'state', value ->> 'supplier', value ->> 'confirmed',
            value ->> 'reason'
        from jsonb_each($1) where true
        on conflict (sku, supply) do update set at = excluded.at, recorded_at = excluded.recorded_at,
            quantity = excluded.quantity, eta_from = excluded.eta_from, eta_to = excluded.eta_to,
            state = excluded.state, supplier = excluded.supplier, confirmed = excluded.confirmed,
            reason = excluded.reason";
    if !rows.is_empty() {
        sqlx::query(SAVE).bind(to_json(rows)).execute(conn).await?;
    }
    Ok(())
}

pub(super) async fn save_receipts(conn: &mut SqliteConnection, rows: &[ReceiptRow]) -> Result<()> {
    const SAVE: &str = "insert into receipts (id, sku, supply, quantity, at)
        select value ->> 'id', value ->> 'sku', value ->> 'supply', value ->> 'quantity', value ->> 'at'
        from jsonb_each($1) where true on conflict do nothing";
    if !rows.is_empty() {
        sqlx::query(SAVE).bind(to_json(rows)).execute(conn).await?;
    }
    Ok(())
}

/// Nothing of these SKUs is planned or taken before their queues are walked again.
pub(super) async fn mark_dirty(
    conn: &mut SqliteConnection,
    skus: &BTreeSet<String>,
    at: Instant,
) -> Result<()> {
    const MARK: &str = "insert into dirty_skus (sku, first_at, last_at)
        select value, $2, $2 from json_each($1) where true
        on conflict (sku) do update set last_at = excluded.last_at";
    if !skus.is_empty() {
        sqlx::query(MARK).bind(to_json(skus)).bind(millis(at)).execute(conn).await?;
    }
    Ok(())
}

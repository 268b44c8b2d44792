//! Supplies, receipts, and the queues that are to be covered anew.

use std::sync::LazyLock;

use sqlx::SqliteConnection;

use crate::domain::calendar::Instant;
use crate::domain::fact::{ChangeReason, ReceiptFact, SupplyFact};
use crate::domain::supply::{Eta, Incoming, SupplyState};
use crate::store::orders::record::{date, json, to_json, word};
use crate::store::sqlite::dialect::{all_of, bit, columns, one_value};
use crate::store::{Result, Store, instant, millis};

/// The supplies for which `which` holds, as one value that makes [`SupplyRow`]s: a part of other statements.
pub(in crate::store) fn supplies_where(which: &str) -> String {
    format!("select {} from supplies where {which}", all_of(&one_value(SupplyRow::COLUMNS)))
}

columns! {
    /// A row of `supplies`.
    SupplyRow {
        sku: String,
        supply: String,
        at: i64,
        recorded_at: i64,
        quantity: Option<u32>,
        eta_from: Option<String>,
        eta_to: Option<String>,
        state: String,
        supplier: Option<String>,
        #[serde(deserialize_with = "bit")]
        confirmed: bool,
        reason: String,
    }
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

columns! {
    /// A row of `receipts`.
    ReceiptRow {
        id: String,
        sku: String,
        supply: Option<String>,
        quantity: i64,
        at: i64,
    }
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
    /// Since when facts wait to be worked into the queues: those of one order's SKUs, or any. None: nothing waits.
    pub async fn uncovered_since(&self, order: Option<&str>) -> Result<Option<Instant>> {
        const SINCE: &str = "select min(first_at) from dirty_skus
            where $1 is null or sku in (select sku from lines where order_number = $1)";
        let mut reader = self.readers.acquire().await?;
        let since: Option<i64> = sqlx::query_scalar(SINCE).bind(order).fetch_one(&mut *reader).await?;
        Ok(since.map(instant))
    }

    /// What is known of a SKU's supplies, open or not, in the order of their names.
    pub async fn supplies(&self, sku: &str) -> Result<Vec<SupplyFact>> {
        let mut reader = self.readers.acquire().await?;
        let mut rows = supplies_of(&mut reader, sku).await?;
        rows.sort_by(|a, b| a.supply.cmp(&b.supply));
        rows.into_iter().map(SupplyRow::into_fact).collect()
    }

    /// How many orders wait for a SKU, and for how many units of it.
    pub async fn waiting_for(&self, sku: &str) -> Result<(u32, u64)> {
        const WAITING: &str = "select count(distinct order_number), coalesce(sum(open_units), 0) from lines
            where sku = $1 and open_units > 0 and kind <> 'in_stock'";
        let (orders, units): (u32, i64) =
            sqlx::query_as(WAITING).bind(sku).fetch_one(&mut *self.readers.acquire().await?).await?;
        Ok((orders, u64::try_from(units).unwrap_or(0)))
    }
}

/// All that is known of a SKU's supplies.
async fn supplies_of(conn: &mut SqliteConnection, sku: &str) -> Result<Vec<SupplyRow>> {
    static OF_SKU: LazyLock<String> = LazyLock::new(|| supplies_where("sku = $1"));
    let rows: String = sqlx::query_scalar(OF_SKU.as_str()).bind(sku).fetch_one(conn).await?;
    json("supplies", &rows)
}

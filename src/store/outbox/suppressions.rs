//! Addresses that get no mail: asked when an order is loaded, so that whatever is planned or sent knows of it.

use std::sync::LazyLock;

use sqlx::SqliteConnection;

use crate::domain::calendar::Instant;
use crate::domain::customer::EmailAddress;
use crate::domain::order::Order;
use crate::domain::suppression::Suppression;
use crate::store::orders::load::load;
use crate::store::orders::record::{SuppressionRow, to_json};
use crate::store::orders::save::plan_anew;
use crate::store::sqlite::dialect::upsert;
use crate::store::{Result, Store};

/// Suppresses addresses within the caller's transaction; one that is suppressed already stays as it is, but for one that
/// only gets no routine news. Says which ones are new.
pub(in crate::store) async fn suppress(
    conn: &mut SqliteConnection,
    found: &[Suppression],
) -> Result<Vec<String>> {
    static SUPPRESS: LazyLock<String> = LazyLock::new(|| {
        let (keys, columns) = SuppressionRow::COLUMNS.split_at(1);
        let weaker =
            " where suppressions.cause = 'complained' and excluded.cause <> 'complained' returning address";
        upsert("suppressions", keys, columns, weaker)
    });
    if found.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<SuppressionRow> = found.iter().map(SuppressionRow::of).collect();
    Ok(sqlx::query_scalar(SUPPRESS.as_str()).bind(to_json(&rows)).fetch_all(conn).await?)
}

impl Store {
    /// Suppresses an address. False if it was already; then nothing changes.
    pub async fn suppress(&self, found: &Suppression) -> Result<bool> {
        let mut tx = self.begin("suppress").await?;
        let new = suppress(&mut tx, std::slice::from_ref(found)).await?;
        tx.commit().await?;
        Ok(!new.is_empty())
    }

    /// Lets an address have mail again. Its waiting orders are planned anew: what it was not told it is told by the next
    /// notice, a first one by the confirmation. None if it was not suppressed.
    pub async fn unsuppress(&self, address: &EmailAddress, now: Instant) -> Result<Option<Suppression>> {
        static REMOVE: LazyLock<String> = LazyLock::new(|| {
            format!(
                "delete from suppressions where address = $1 returning {}",
                SuppressionRow::COLUMNS.join(", ")
            )
        });
        const WAITING: &str = "select number from orders where email = $1 and status = 'waiting'";
        let mut tx = self.begin("unsuppress").await?;
        let removed: Option<SuppressionRow> =
            sqlx::query_as(REMOVE.as_str()).bind(address.as_str()).fetch_optional(&mut *tx).await?;
        if removed.is_some() {
            let waiting = sqlx::query_scalar(WAITING).bind(address.as_str());
            let waiting: Vec<String> = waiting.fetch_all(&mut *tx).await?;
            let orders = load(&mut tx, &waiting).await?;
            plan_anew(&mut tx, orders, Order::unsuppress, now).await?;
        }
        tx.commit().await?;
        removed.map(SuppressionRow::into_suppression).transpose()
    }

    /// All suppressed addresses, or the one asked for; the newest first.
    pub async fn suppressions(&self, address: Option<&EmailAddress>) -> Result<Vec<Suppression>> {
        static LIST: LazyLock<String> = LazyLock::new(|| {
            format!(
                "select {} from suppressions where $1 is null or address = $1 order by since desc, address",
                SuppressionRow::COLUMNS.join(", ")
            )
        });
        let rows: Vec<SuppressionRow> = sqlx::query_as(LIST.as_str())
            .bind(address.map(EmailAddress::as_str))
            .fetch_all(&mut *self.readers.acquire().await?)
            .await?;
        rows.into_iter().map(SuppressionRow::into_suppression).collect()
    }
}

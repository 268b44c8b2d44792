//! Addresses that get no mail: asked when an order is loaded, so that whatever is planned or sent knows of it.

use serde::Deserialize;
use sqlx::SqliteConnection;

use crate::domain::calendar::Instant;
use crate::domain::customer::EmailAddress;
use crate::domain::order::Order;
use crate::domain::suppression::{Cause, Suppression};
use crate::store::orders::load::load;
use crate::store::orders::record::{email, to_json, word};
use crate::store::orders::save::plan_anew;
use crate::store::{Result, Store, instant, millis};

/// The columns of `suppressions` that make a [`SuppressionRow`].
pub(in crate::store) const SUPPRESSION_COLUMNS: &str = "address, cause, reason, since, notice_id";

/// A row of `suppressions`.
#[derive(Debug, Deserialize, sqlx::FromRow)]
pub(in crate::store) struct SuppressionRow {
    pub address: String,
    pub cause: String,
    pub reason: String,
    pub since: i64,
    pub notice_id: Option<String>,
}

impl SuppressionRow {
    pub fn into_suppression(self) -> Result<Suppression> {
        Ok(Suppression {
            address: email(self.address)?,
            cause: word("the cause of a suppression", &self.cause, Cause::from_word)?,
            reason: self.reason,
            since: instant(self.since),
            notice: self.notice_id,
        })
    }
}

/// Suppresses addresses within the caller's transaction; one that is suppressed already stays as it is, but for one that
/// only gets no routine news. Says which ones are new.
pub(in crate::store) async fn suppress(
    conn: &mut SqliteConnection,
    found: &[Suppression],
) -> Result<Vec<String>> {
    const SUPPRESS: &str = "insert into suppressions (address, cause, reason, since, notice_id)
        select value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4 from jsonb_each($1) where true
        on conflict (address) do update set cause = excluded.cause, reason = excluded.reason, since = excluded.since,
            notice_id = excluded.notice_id
            where suppressions.cause = 'complained' and excluded.cause <> 'complained'
        returning address";
    if found.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<_> = found
        .iter()
        .map(|s| (s.address.as_str(), s.cause.as_str(), &s.reason, millis(s.since), &s.notice))
        .collect();
    Ok(sqlx::query_scalar(SUPPRESS).bind(to_json(&rows)).fetch_all(conn).await?)
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
        const REMOVE: &str = "delete from suppressions where address = $1
            returning address, cause, reason, since, notice_id";
        const WAITING: &str = "select number from orders where email = $1 and status = 'waiting'";
        let mut tx = self.begin("unsuppress").await?;
        let removed: Option<SuppressionRow> =
            sqlx::query_as(REMOVE).bind(address.as_str()).fetch_optional(&mut *tx).await?;
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
        const LIST: &str = "select address, cause, reason, since, notice_id from suppressions
            where $1 is null or address = $1 order by since desc, address";
        let rows: Vec<SuppressionRow> = sqlx::query_as(LIST)
            .bind(address.map(EmailAddress::as_str))
            .fetch_all(&mut *self.readers.acquire().await?)
            .await?;
        rows.into_iter().map(SuppressionRow::into_suppression).collect()
    }
}

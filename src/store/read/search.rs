//! What support asks: the tries behind a notice, what moved a date, what an order waits for, notices by filter.

use std::collections::HashMap;

use serde::Serialize;
use sqlx::query::QueryAs;
use sqlx::sqlite::SqliteArguments;
use sqlx::{AssertSqlSafe, Sqlite};

use crate::domain::calendar::Instant;
use crate::domain::customer::Correction;
use crate::domain::fact::Source;
use crate::store::orders::record::to_json;
use crate::store::read::timeline::{Attempt, ENTRY, Entry};
use crate::store::sqlite::dialect::{LISTED, sql};
use crate::store::{Result, Store, instant, millis};

/// The last supplier's word on some SKUs at a moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, sqlx::FromRow)]
pub struct Word {
    pub sku: String,
    /// The purchase order or container; empty where the SKU has only one.
    pub supply: String,
    /// Who recorded it.
    pub source: String,
    #[serde(skip)]
    recorded_at: i64,
}

impl Word {
    /// When we heard it.
    pub fn recorded(&self) -> Instant {
        instant(self.recorded_at)
    }
}

/// What a waiting line still needs until it is its turn.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Needed {
    pub line: String,
    pub sku: String,
    /// Units to be received for everyone up to and including this line; 0 when they are in the house.
    pub units: i64,
}

/// A customer's address that was changed by a fact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AddressChange {
    /// When it was recorded.
    pub at: Instant,
    pub from: Option<String>,
    pub to: Option<String>,
    /// Who recorded it.
    pub source: String,
}

/// Which notices; what is None is not asked. All that is asked must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NoticeFilter {
    pub state: Option<String>,
    pub kind: Option<String>,
    /// A whole address, or `@` and a domain.
    pub to: Option<String>,
    pub order: Option<String>,
    /// Planned before.
    pub before: Option<Instant>,
    /// Of orders with a line of this SKU.
    pub sku: Option<String>,
    /// The id or its beginning.
    pub notice: Option<String>,
    /// The mode it was last tried in.
    pub mode: Option<String>,
}

/// A notice that was found, and to whom it goes.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Found {
    #[sqlx(flatten)]
    pub entry: Entry,
    pub email: String,
    /// How many there are in all, however many were asked for.
    pub total: i64,
}

impl Store {
    /// The numbers of all orders of an address, or about which anything went to it; oldest first. Upper and lower
    /// case are the same.
    pub async fn orders_about(&self, email: &str) -> Result<Vec<String>> {
        const ABOUT: &str = "select number from orders
            where number in (select number from orders where lower(email) = lower($1)
                union select order_number from notices where lower(email) = lower($1))
            order by placed_at, number";
        Ok(sqlx::query_scalar(ABOUT).bind(email).fetch_all(&mut *self.readers.acquire().await?).await?)
    }

    /// The tries of all notices of an order, by notice, in their order.
    pub async fn tries_of(&self, order: &str) -> Result<HashMap<String, Vec<Attempt>>> {
        const TRIES: &str =
            "select a.notice_id, a.number, a.started_at, a.ended_at, a.phase, a.outcome, a.reply,
                a.code, a.enhanced, a.meaning
            from attempts a join notices n on n.id = a.notice_id
            where n.order_number = $1 order by a.notice_id, a.number";
        let rows: Vec<TryRow> =
            sqlx::query_as(TRIES).bind(order).fetch_all(&mut *self.readers.acquire().await?).await?;
        let mut tries: HashMap<String, Vec<Attempt>> = HashMap::new();
        for row in rows {
            tries.entry(row.notice_id).or_default().push(row.attempt);
        }
        Ok(tries)
    }

    /// When the notices under way of these orders are tried next, by order.
    pub async fn next_tries(&self, orders: &[String]) -> Result<HashMap<String, Instant>> {
        sql!(
            NEXT = "select order_number, next_try_at from notices
            where next_try_at is not null and order_number in {LISTED}"
        );
        let rows: Vec<(String, i64)> = sqlx::query_as(NEXT.as_str())
            .bind(to_json(orders))
            .fetch_all(&mut *self.readers.acquire().await?)
            .await?;
        Ok(rows.into_iter().map(|(order, at)| (order, instant(at))).collect())
    }

    /// How the address of an order's customer changed, oldest first.
    pub async fn address_changes(&self, order: &str) -> Result<Vec<AddressChange>> {
        const STATED: &str = "select recorded_at, source, body ->> '$.customer.email' from facts
            where order_number = $1 and kind = 'order' and refused is null order by seq";
        let stated: Vec<(i64, String, Option<String>)> =
            sqlx::query_as(STATED).bind(order).fetch_all(&mut *self.readers.acquire().await?).await?;
        let mut changes = Vec::new();
        let mut stated = stated.into_iter();
        let Some((.., mut now)) = stated.next() else { return Ok(changes) };
        let mut correction = None;
        for (at, source, to) in stated {
            let by_hand = Source::from_word(&source).is_some_and(Source::by_hand);
            let (to, corrected) = Correction::restate(correction, &now, to, by_hand);
            correction = corrected;
            if to != now {
                let from = std::mem::replace(&mut now, to.clone());
                changes.push(AddressChange { at: instant(at), from, to, source });
            }
        }
        Ok(changes)
    }

    /// The last word on any of these SKUs that was recorded no later than `at`.
    pub async fn last_word(&self, skus: &[&str], at: Instant) -> Result<Option<Word>> {
        sql!(
            WORD = "select sku, coalesce(body ->> 'supply', '') as supply, source, recorded_at
            from facts
            where kind = 'supply' and refused is null and recorded_at <= $2
                and sku in {LISTED}
            order by seq desc limit 1"
        );
        let word = sqlx::query_as(WORD.as_str()).bind(to_json(skus)).bind(millis(at));
        Ok(word.fetch_optional(&mut *self.readers.acquire().await?).await?)
    }

    /// What each waiting line of an order still needs to come: the queue up to it, less what is in the house; what has
    /// shipped without a receipt is taken from the next one.
    pub async fn needed(&self, order: &str) -> Result<Vec<Needed>> {
        const NEEDED: &str = "select l.id as line, l.sku as sku, max(0,
                (select sum(q.open_units) from lines q
                    where q.sku = l.sku and q.open_units > 0 and q.kind <> 'in_stock'
                        and (q.placed_at, q.order_number, q.position) <= (l.placed_at, l.order_number, l.position))
                - (select coalesce(sum(r.quantity), 0) from receipts r where r.sku = l.sku)
                + coalesce((select shipped from queues where queues.sku = l.sku), 0)) as units
            from lines l where l.order_number = $1 and l.open_units > 0 and l.kind <> 'in_stock'
            order by l.position";
        Ok(sqlx::query_as(NEEDED).bind(order).fetch_all(&mut *self.readers.acquire().await?).await?)
    }

    /// The notices of a filter, what is tried next first, `most` at most. Without a state: what is not settled, or is for
    /// a person to look at.
    pub async fn find_notices(&self, filter: &NoticeFilter, most: u32) -> Result<Vec<Found>> {
        let sql = format!(
            "select {ENTRY}, email, count(*) over () as total from notices n
            where ($2 is not null or next_try_at is not null or state in ('sending', 'held') or (state = 'in_doubt'
                    and must_be_known = 1))
                and {MATCHES}
            order by coalesce(next_try_at, planned_at), order_number, occasion limit $1"
        );
        let found = sqlx::query_as(AssertSqlSafe(sql)).bind(most);
        Ok(bind_filter(found, filter).fetch_all(&mut *self.readers.acquire().await?).await?)
    }
}

/// The notice `n` is one of a filter, in SQL; its values stand from $2 to $9, see [`bind_filter`].
pub(in crate::store) const MATCHES: &str = "($2 is null or n.state = $2)
    and ($3 is null or n.kind = $3)
    and ($4 is null or case when substr($4, 1, 1) = '@' then lower(substr(n.email, -length($4))) = lower($4)
        else lower(n.email) = lower($4) end)
    and ($5 is null or n.order_number = $5)
    and ($6 is null or n.planned_at < $6)
    and ($7 is null or exists (select 1 from lines l where l.order_number = n.order_number and l.sku = $7))
    and ($8 is null or n.id >= $8 and n.id < $8 || 'g')
    and ($9 is null or n.mode = $9)";

/// A question with its first value bound, and those of a filter for [`MATCHES`].
pub(in crate::store) fn bind_filter<'q, Row>(
    query: QueryAs<'q, Sqlite, Row, SqliteArguments>,
    filter: &'q NoticeFilter,
) -> QueryAs<'q, Sqlite, Row, SqliteArguments> {
    query
        .bind(&filter.state)
        .bind(&filter.kind)
        .bind(&filter.to)
        .bind(&filter.order)
        .bind(filter.before.map(millis))
        .bind(&filter.sku)
        .bind(&filter.notice)
        .bind(&filter.mode)
}

#[derive(sqlx::FromRow)]
struct TryRow {
    notice_id: String,
    #[sqlx(flatten)]
    attempt: Attempt,
}

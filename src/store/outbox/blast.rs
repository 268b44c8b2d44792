//! The blast guard's batches: opened when a queue is covered, counted when its orders are planned, released or dropped
//! by a person.
//!
//! An order is in one batch at most, that of the last change; a released one is planned anew with what is true then.

use chrono::NaiveDate;
use sqlx::SqliteConnection;

use crate::domain::calendar::Instant;
use crate::domain::order::Order;
use crate::domain::policy::Policy;
use crate::store::orders::load::load;
use crate::store::orders::save::plan_anew;
use crate::store::outbox::decisions::{SAVE_DECISIONS, decision_rows};
use crate::store::sqlite::statements::Statements;
use crate::store::{Result, Store, instant, millis};

/// A change that would mail more orders than `blast_limit` at one time.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct HeldChange {
    pub id: i64,
    pub sku: String,
    /// The supply or the receipt that moved the dates.
    pub cause: String,
    /// The day the goods were expected before the change, as ISO text; None: unknown.
    pub expected_before: Option<String>,
    pub expected_after: Option<String>,
    at: i64,
    /// A date of some of its orders may still move.
    pub counting: bool,
    /// Notices held back now.
    pub notices: i64,
}

/// What moved the dates of a queue.
#[derive(Default)]
pub(in crate::store) struct Cause {
    words: String,
    /// The days the goods of the oldest order that moved were expected, before and after.
    expected: Option<(Option<NaiveDate>, Option<NaiveDate>)>,
}

impl Cause {
    /// By the supply that changed last; None: no supply did.
    pub fn of(supply: Option<&str>) -> Self {
        let words = match supply {
            Some("") => "its supply".to_owned(),
            Some(supply) => format!("supply {supply}"),
            None => "receipts or orders".to_owned(),
        };
        Self { words, expected: None }
    }

    /// The first call counts.
    pub fn moves(&mut self, before: Option<NaiveDate>, after: Option<NaiveDate>) {
        self.expected.get_or_insert((before, after));
    }
}

impl HeldChange {
    /// When the change was covered.
    pub fn instant(&self) -> Instant {
        instant(self.at)
    }
}

const COLUMNS: &str = "id, sku, cause, expected_before, expected_after, at, state = 'counting' as counting,
    (select count(*) from orders where hold_batch = batches.id) as notices";

impl Store {
    /// The batches that wait for a person, oldest first.
    pub async fn held_changes(&self) -> Result<Vec<HeldChange>> {
        let sql = format!(
            "select * from (select {COLUMNS} from batches where state in ('counting', 'held')) where notices > 0 order by id"
        );
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(sql)).fetch_all(&mut *self.readers.acquire().await?).await?)
    }

    /// The numbers of orders in a batch, oldest order first, `most` at most.
    pub async fn held_orders(&self, batch: i64, most: u32) -> Result<Vec<String>> {
        const OLDEST: &str =
            "select number from orders where hold_batch = $1 order by placed_at, number limit $2";
        Ok(sqlx::query_scalar(OLDEST)
            .bind(batch)
            .bind(most)
            .fetch_all(&mut *self.readers.acquire().await?)
            .await?)
    }

    /// Lets the mails of a batch go: its orders are planned anew. Says how many; None if no such batch waits.
    pub async fn release_batch(&self, batch: i64, now: Instant) -> Result<Option<u64>> {
        let mut tx = self.begin("release_batch").await?;
        if !waits(&mut tx, batch).await? {
            return Ok(None);
        }
        let released = release(&mut tx, batch, now).await?;
        tx.commit().await?;
        Ok(Some(released))
    }

    /// Discards the mails of a batch, not the fact. Says how many; None if no such batch waits.
    pub async fn drop_batch(&self, batch: i64, now: Instant, policy: &Policy) -> Result<Option<usize>> {
        const DROPPED: &str = "update batches set state = 'dropped', notices = $2 where id = $1";
        let mut tx = self.begin("drop_batch").await?;
        if !waits(&mut tx, batch).await? {
            return Ok(None);
        }
        let mut dropped = 0;
        while let Some(orders) = next_held(&mut tx, batch).await? {
            dropped += orders.len();
            let mut decided = Vec::new();
            let drop = |order: &mut Order| {
                let number = order.number.clone();
                decided.extend(order.drop_held(now, policy).map(|decision| (number, decision)));
            };
            plan_anew(&mut tx, orders, drop, now).await?;
            let mut all = Statements::default();
            all.add(&SAVE_DECISIONS, decision_rows(&decided));
            all.run(&mut tx, now).await?;
        }
        let count = i64::try_from(dropped).unwrap_or(i64::MAX);
        sqlx::query(DROPPED).bind(batch).bind(count).execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(Some(dropped))
    }
}

/// Opens a batch for a change that is about to wake its orders.
pub(in crate::store) async fn open(
    conn: &mut SqliteConnection,
    sku: &str,
    cause: &Cause,
    now: Instant,
) -> Result<i64> {
    const OPEN: &str = "insert into batches (sku, cause, expected_before, expected_after, at, state)
        values ($1, $2, $3, $4, $5, 'counting') returning id";
    let (before, after) = cause.expected.unwrap_or_default();
    let text = |day: Option<NaiveDate>| day.map(|day| day.to_string());
    let open = sqlx::query_scalar(OPEN).bind(sku).bind(&cause.words).bind(text(before)).bind(text(after));
    Ok(open.bind(millis(now)).fetch_one(conn).await?)
}

/// Ends the counting of batches whose orders are all planned: held if they are too many, else released. Says which
/// are held.
pub(in crate::store) async fn close_counted(
    conn: &mut SqliteConnection,
    now: Instant,
    policy: &Policy,
) -> Result<Vec<HeldChange>> {
    const HOLD: &str = "update batches set state = 'held', notices = $2 where id = $1";
    let sql = format!(
        "select {COLUMNS} from batches where state = 'counting'
            and not exists (select 1 from orders where hold_batch = batches.id and hold_kind is null)"
    );
    let counted: Vec<HeldChange> = sqlx::query_as(sqlx::AssertSqlSafe(sql)).fetch_all(&mut *conn).await?;
    let mut held = Vec::new();
    for batch in counted {
        if usize::try_from(batch.notices).is_ok_and(|notices| notices > policy.blast_limit) {
            sqlx::query(HOLD).bind(batch.id).bind(batch.notices).execute(&mut *conn).await?;
            held.push(HeldChange { counting: false, ..batch });
        } else {
            release(conn, batch.id, now).await?;
        }
    }
    Ok(held)
}

async fn waits(conn: &mut SqliteConnection, batch: i64) -> Result<bool> {
    const WAITS: &str = "select exists (select 1 from orders where hold_batch = $1)";
    Ok(sqlx::query_scalar(WAITS).bind(batch).fetch_one(conn).await?)
}

async fn release(conn: &mut SqliteConnection, batch: i64, now: Instant) -> Result<u64> {
    const BATCH: &str = "update batches set state = 'released', notices = $2 where id = $1";
    let mut released = 0;
    while let Some(orders) = next_held(conn, batch).await? {
        released += orders.len() as u64;
        plan_anew(conn, orders, Order::release_held, now).await?;
    }
    sqlx::query(BATCH).bind(batch).bind(i64::try_from(released).unwrap_or(i64::MAX)).execute(conn).await?;
    Ok(released)
}

/// Some orders of a batch; None: it has no more.
async fn next_held(conn: &mut SqliteConnection, batch: i64) -> Result<Option<Vec<Order>>> {
    const NEXT: &str = "select number from orders where hold_batch = $1 limit 1000";
    let numbers: Vec<String> = sqlx::query_scalar(NEXT).bind(batch).fetch_all(&mut *conn).await?;
    Ok(if numbers.is_empty() { None } else { Some(load(conn, &numbers).await?) })
}

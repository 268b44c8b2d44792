//! Orders with all that the rules may know, a few statements per batch whatever its size.

use std::sync::LazyLock;

use sqlx::SqliteConnection;

use super::rows::{
    HEARD_COLUMNS, LINE_COLUMNS, NEWS_COLUMNS, NOTICE_COLUMNS, ORDER_COLUMNS, OrderRow, json, object, pairs,
    to_json,
};
use super::suppressions::SUPPRESSION_COLUMNS;
use super::{Result, Store};
use crate::domain::order::Order;

/// An order as loaded, and the revision it was loaded at.
#[derive(Debug, Clone)]
pub(super) struct Loaded {
    pub order: Order,
    pub revision: i64,
}

impl Store {
    /// One order with everything about it, its places in the queue among them.
    pub async fn order(&self, number: &str) -> Result<Option<Order>> {
        let mut reader = self.readers.acquire().await?;
        let mut orders = load(&mut reader, &[number.to_owned()]).await?;
        let Some(mut loaded) = orders.pop() else { return Ok(None) };
        let mut orders = [&mut loaded.order];
        self.place(&mut reader, &mut orders).await?;
        Ok(Some(loaded.order))
    }

    /// Several orders, without their places.
    pub async fn orders(&self, numbers: &[String]) -> Result<Vec<Order>> {
        let mut reader = self.readers.acquire().await?;
        Ok(load(&mut reader, numbers).await?.into_iter().map(|loaded| loaded.order).collect())
    }

    /// The numbers of open orders after `after`, in the order of their numbers, `most` at most.
    pub async fn open_orders(&self, after: &str, most: u32) -> Result<Vec<String>> {
        const PAGE: &str = "select number from orders where number > $1 and status in ('waiting', 'open')
            order by number limit $2";
        Ok(sqlx::query_scalar(PAGE).bind(after).bind(most).fetch_all(&self.readers).await?)
    }
}

/// The orders of a list with lines, untold news, the notice under way and names that are used up: one statement and
/// one value, for every row and column that crosses over from SQLite costs time.
static WHOLE: LazyLock<String> = LazyLock::new(|| {
    let news = format!(
        "select json_group_array({}) from news where order_number = orders.number and not told",
        object(NEWS_COLUMNS)
    );
    let under_way = format!(
        "select {} from notices where order_number = orders.number and (next_try_at is not null or state = 'sending')",
        object(NOTICE_COLUMNS)
    );
    let superseded = "select json_group_array(occasion) from notices where order_number = orders.number
        and (state in ('superseded', 'bounced', 'failed', 'in_doubt', 'held', 'skipped') or kind in ('overdue', 'confirmation', 'shipped', 'cancelled', 'refunded'))
        and next_try_at is null and state <> 'sending'";
    let suppressed =
        format!("select {} from suppressions where address = orders.email", object(SUPPRESSION_COLUMNS));
    orders(&format!(
        ", 'news', ({news}), 'under_way', ({under_way}), 'superseded', ({superseded}), 'suppressed', ({suppressed})"
    ))
});

/// The orders of a list with their lines only.
static PLAIN: LazyLock<String> = LazyLock::new(|| orders(""));

fn orders(hanging: &str) -> String {
    let (order, heard) = (pairs(ORDER_COLUMNS), object(HEARD_COLUMNS));
    let lines = format!(
        "select json_group_array({}) from lines where order_number = orders.number",
        object(LINE_COLUMNS)
    );
    format!(
        "select json_group_array(json_object({order}, 'heard', {heard}, 'lines', ({lines}){hanging}))
        from orders where number in (select value from json_each($1))"
    )
}

/// Loads orders with all that the rules may know.
pub(super) async fn load(conn: &mut SqliteConnection, numbers: &[String]) -> Result<Vec<Loaded>> {
    read(conn, &WHOLE, &to_json(numbers)).await
}

/// Loads orders with their lines only: all that a fact needs.
pub(super) async fn load_plain(conn: &mut SqliteConnection, wanted: &str) -> Result<Vec<Loaded>> {
    read(conn, &PLAIN, wanted).await
}

async fn read(conn: &mut SqliteConnection, sql: &'static str, wanted: &str) -> Result<Vec<Loaded>> {
    let found: String = sqlx::query_scalar(sql).bind(wanted).fetch_one(conn).await?;
    let rows: Vec<OrderRow> = json("orders", &found)?;
    rows.into_iter().map(|row| Ok(Loaded { revision: row.revision, order: row.into_order()? })).collect()
}

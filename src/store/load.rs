//! Orders with all that the rules may know, a few statements per batch whatever its size.

use std::collections::HashMap;

use sqlx::{AssertSqlSafe, SqliteConnection};

use super::rows::{
    LINE_COLUMNS, LineRow, NOTICE_COLUMNS, NewsRow, NoticeRow, ORDER_COLUMNS, OrderRow, by_order, to_json,
};
use super::{Result, Store};
use crate::domain::order::{Order, Place};

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
        place(&mut reader, &mut orders).await?;
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

/// Loads orders with lines, untold news, the notice under way and superseded occasions.
pub(super) async fn load(conn: &mut SqliteConnection, numbers: &[String]) -> Result<Vec<Loaded>> {
    const NEWS: &str = "select order_number, kind, id, at, recorded_at, body from news
        where not told and order_number in (select value from json_each($1)) order by at, id";
    const USED: &str = "select order_number, occasion from notices
        where (state = 'superseded' or kind in ('overdue', 'confirmation')) and next_try_at is null
            and state <> 'sending' and order_number in (select value from json_each($1))";
    let wanted = to_json(numbers);
    let mut loaded = load_plain(conn, &wanted).await?;
    let mut index: HashMap<String, usize> = HashMap::with_capacity(loaded.len());
    for (at, some) in loaded.iter().enumerate() {
        index.insert(some.order.number.clone(), at);
    }
    let news: Vec<NewsRow> = sqlx::query_as(NEWS).bind(&wanted).fetch_all(&mut *conn).await?;
    for row in news {
        if let Some(some) = index.get(&row.order_number).and_then(|at| loaded.get_mut(*at)) {
            some.order.news.push(row.into_news()?);
        }
    }
    let under_way = format!(
        "select {NOTICE_COLUMNS} from notices where (next_try_at is not null or state = 'sending')
            and order_number in (select value from json_each($1))"
    );
    let notices: Vec<NoticeRow> =
        sqlx::query_as(AssertSqlSafe(under_way)).bind(&wanted).fetch_all(&mut *conn).await?;
    for row in notices {
        if let Some(some) = index.get(&row.order_number).and_then(|at| loaded.get_mut(*at)) {
            some.order.under_way = Some(row.into_under_way()?);
        }
    }
    let superseded: Vec<(String, String)> = sqlx::query_as(USED).bind(&wanted).fetch_all(&mut *conn).await?;
    for (number, occasion) in superseded {
        if let Some(some) = index.get(&number).and_then(|at| loaded.get_mut(*at)) {
            some.order.superseded.push(occasion);
        }
    }
    Ok(loaded)
}

/// Loads orders with their lines only: all that a fact needs.
pub(super) async fn load_plain(conn: &mut SqliteConnection, wanted: &str) -> Result<Vec<Loaded>> {
    let orders =
        format!("select {ORDER_COLUMNS} from orders where number in (select value from json_each($1))");
    let lines = format!(
        "select {LINE_COLUMNS} from lines where order_number in (select value from json_each($1))
            order by order_number, position"
    );
    let orders: Vec<OrderRow> =
        sqlx::query_as(AssertSqlSafe(orders)).bind(wanted).fetch_all(&mut *conn).await?;
    let lines: Vec<LineRow> = sqlx::query_as(AssertSqlSafe(lines)).bind(wanted).fetch_all(&mut *conn).await?;
    let mut lines = by_order(lines, |row| &row.order_number);
    let mut loaded = Vec::with_capacity(orders.len());
    for row in orders {
        let revision = row.revision;
        let mut order = row.into_order()?;
        for line in lines.remove(&order.number).unwrap_or_default() {
            order.lines.push(line.into_line()?);
        }
        loaded.push(Loaded { order, revision });
    }
    Ok(loaded)
}

/// Fills in the place of every waiting line in the queue of its SKU.
pub(super) async fn place(conn: &mut SqliteConnection, orders: &mut [&mut Order]) -> Result<()> {
    const PLACES: &str = "with queue as (
            select sku, order_number, row_number() over (partition by sku order by placed_at, order_number) as at,
                count(*) over (partition by sku) as of
            from (select distinct sku, placed_at, order_number from lines
                where open_units > 0 and kind <> 'in_stock' and sku in (select value from json_each($1))))
        select sku, order_number, at, of from queue where order_number in (select value from json_each($2))";
    let mut skus: Vec<&str> =
        orders.iter().flat_map(|order| order.waiting().map(|line| line.sku.as_str())).collect();
    skus.sort_unstable();
    skus.dedup();
    if skus.is_empty() {
        return Ok(());
    }
    let numbers: Vec<&str> = orders.iter().map(|order| order.number.as_str()).collect();
    let rows: Vec<(String, String, u32, u32)> =
        sqlx::query_as(PLACES).bind(to_json(&skus)).bind(to_json(&numbers)).fetch_all(conn).await?;
    let places: HashMap<(String, String), Place> =
        rows.into_iter().map(|(sku, number, at, of)| ((number, sku), Place { at, of })).collect();
    for order in orders {
        let number = order.number.clone();
        for line in &mut order.lines {
            line.place = places.get(&(number.clone(), line.sku.clone())).copied().filter(|_| line.waits());
        }
    }
    Ok(())
}

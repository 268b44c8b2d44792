//! Orders with all that the rules may know, a few statements per batch whatever its size.

use std::collections::HashMap;

use sqlx::{AssertSqlSafe, SqliteConnection};

use super::rows::{
    LINE_COLUMNS, LineRow, NewsRow, NoticeRow, ORDER_COLUMNS, OrderRow, by_order, json, to_json,
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

/// What hangs on orders, each as JSON: untold news, the notice under way, names that are used up.
const HANGS_ON: &str = "with wanted as materialized (select value as number from json_each($1))
    select order_number, 1 as what, json_object('order_number', order_number, 'kind', kind, 'id', id, 'at', at,
            'recorded_at', recorded_at, 'body', body) as it
        from news where not told and order_number in (select number from wanted)
    union all select order_number, 2, json_object('id', id, 'order_number', order_number, 'kind', kind,
            'occasion', occasion, 'state', state, 'email', email, 'includes', includes, 'lines', lines, 'news', news,
            'planned_at', planned_at, 'useful_until', useful_until, 'replaces_status', replaces_status,
            'urgency', urgency, 'doubtful', json(iif(doubtful, 'true', 'false')))
        from notices where (next_try_at is not null or state = 'sending')
            and order_number in (select number from wanted)
    union all select order_number, 3, occasion
        from notices where (state = 'superseded' or kind in ('overdue', 'confirmation')) and next_try_at is null
            and state <> 'sending' and order_number in (select number from wanted)";

/// Loads orders with lines, untold news, the notice under way and superseded occasions.
pub(super) async fn load(conn: &mut SqliteConnection, numbers: &[String]) -> Result<Vec<Loaded>> {
    let wanted = to_json(numbers);
    let mut loaded = load_plain(conn, &wanted).await?;
    let index: HashMap<String, usize> =
        loaded.iter().enumerate().map(|(at, some)| (some.order.number.clone(), at)).collect();
    let hangs: Vec<(String, i64, String)> = sqlx::query_as(HANGS_ON).bind(&wanted).fetch_all(conn).await?;
    for (number, what, it) in hangs {
        let Some(some) = index.get(&number).and_then(|at| loaded.get_mut(*at)) else { continue };
        let order = &mut some.order;
        match what {
            1 => order.news.push(json::<NewsRow>("news", &it)?.into_news()?),
            2 => order.under_way = Some(json::<NoticeRow>("a notice", &it)?.into_under_way()?),
            _ => order.superseded.push(it),
        }
    }
    for some in &mut loaded {
        some.order.news.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
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

//! Queues covered anew: each dirty SKU is walked once, and only orders whose cover truly changed are woken.

use std::collections::{BTreeSet, HashSet};

use serde::Serialize;
use sqlx::SqliteConnection;

use super::hold;
use super::rows::{json, to_json};
use super::supply::{receipts_of, supplies_of};
use super::{Result, Store, instant, millis};
use crate::domain::calendar::{Instant, day_of};
use crate::domain::fact::ChangeReason;
use crate::domain::policy::Policy;
use crate::domain::supply::{Arrival, Cover, cover};

#[derive(sqlx::FromRow)]
struct QueueRow {
    order_number: String,
    id: String,
    open_units: u32,
    cover: String,
}

#[derive(Serialize)]
struct CoverRow<'a> {
    order: &'a str,
    line: &'a str,
    cover: String,
    covered: bool,
    reason: Option<&'a str>,
    /// The order is to be looked at.
    wake: bool,
    /// Its date moved and may move again.
    moved: bool,
}

impl Store {
    /// Walks the queue of every dirty SKU once; wakes the orders whose cover truly changed. Says how many SKUs.
    pub async fn cover_dirty(&self, now: Instant, policy: &Policy) -> Result<usize> {
        const DIRTY: &str = "select sku, first_at, last_at from dirty_skus order by sku limit 500";
        let mut count = 0;
        loop {
            let dirty: Vec<(String, i64, i64)> = sqlx::query_as(DIRTY).fetch_all(&self.readers).await?;
            if dirty.is_empty() {
                return Ok(count);
            }
            let mut tx = self.begin().await?;
            for (sku, first, last) in &dirty {
                cover_sku(&mut tx, sku, instant(*first), instant(*last), now, policy).await?;
                sqlx::query("delete from dirty_skus where sku = $1").bind(sku).execute(&mut *tx).await?;
            }
            tx.commit().await?;
            count += dirty.len();
        }
    }
}

/// One pass over a SKU's queue.
async fn cover_sku(
    conn: &mut SqliteConnection,
    sku: &str,
    first: Instant,
    last: Instant,
    now: Instant,
    policy: &Policy,
) -> Result<()> {
    const QUEUE: &str = "select order_number, id, open_units, cover from lines
        where sku = $1 and open_units > 0 and kind <> 'in_stock' order by placed_at, order_number, position";
    const SHIPPED: &str =
        "select coalesce(sum(shipped), 0) from lines where sku = $1 and shipped > 0 and kind <> 'in_stock'";
    let queue: Vec<QueueRow> = sqlx::query_as(QUEUE).bind(sku).fetch_all(&mut *conn).await?;
    if queue.is_empty() {
        return Ok(());
    }
    let shipped: i64 = sqlx::query_scalar(SHIPPED).bind(sku).fetch_one(&mut *conn).await?;
    let receipts = receipts_of(conn, sku).await?;
    let supplies = supplies_of(conn, &BTreeSet::from([sku])).await?;
    let newest = supplies.iter().max_by_key(|supply| supply.recorded_at);
    let reason = newest
        .filter(|supply| instant(supply.recorded_at) >= first)
        .map(|supply| supply.reason.clone())
        .filter(|reason| *reason != to_json(&ChangeReason::default()));
    // Nobody looks at it again unless very many orders wait.
    let cause = match newest.filter(|supply| instant(supply.recorded_at) >= first) {
        Some(supply) if supply.supply.is_empty() => "its supply".to_owned(),
        Some(supply) => format!("supply {}", supply.supply),
        None => "receipts or orders".to_owned(),
    };
    let arrivals: Vec<Arrival> = receipts
        .iter()
        .map(|r| Arrival {
            on: day_of(instant(r.at), policy.zone),
            quantity: r.quantity,
            supply: r.supply.clone(),
        })
        .collect();
    let incoming =
        supplies.into_iter().map(super::supply::SupplyRow::into_incoming).collect::<Result<Vec<_>>>()?;
    let units: Vec<u32> = queue.iter().map(|row| row.open_units).collect();
    let covers = cover(&units, &arrivals, shipped, &incoming);
    let mut changed = Vec::new();
    let mut dates = None;
    for (row, new) in queue.iter().zip(&covers) {
        let text = to_json(new);
        if text == row.cover {
            continue;
        }
        let old: Cover = json("a cover", &row.cover)?;
        let moved = !new.is_received() && old.date() != new.date();
        let wake = moved
            || old.is_received() != new.is_received()
            || (old == Cover::Nothing) != (*new == Cover::Nothing);
        if wake {
            let date = |cover: &Cover| cover.date().map(|day| day.to_string());
            dates.get_or_insert_with(|| (date(&old), date(new)));
        }
        changed.push(CoverRow {
            order: &row.order_number,
            line: &row.id,
            cover: text,
            covered: *new != Cover::Nothing,
            reason: reason.as_deref().filter(|_| moved),
            wake,
            moved,
        });
    }
    let woken: HashSet<&str> = changed.iter().filter(|row| row.wake).map(|row| row.order).collect();
    let batch = if woken.len() > policy.blast_limit {
        let (before, after) = dates.unwrap_or_default();
        let cause = hold::Cause { sku, words: cause, before, after };
        Some(hold::open(conn, &cause, now).await?)
    } else {
        None
    };
    for chunk in changed.chunks(5_000) {
        save_covers(conn, chunk, first, last, now, batch).await?;
    }
    Ok(())
}

async fn save_covers(
    conn: &mut SqliteConnection,
    rows: &[CoverRow<'_>],
    first: Instant,
    last: Instant,
    now: Instant,
    batch: Option<i64>,
) -> Result<()> {
    const LINES: &str = "update lines set cover = new.cover, ever_covered = ever_covered or new.covered,
            reason = case when new.moved then coalesce(new.reason, '{}') else lines.reason end
        from (select value ->> 'order' as number, value ->> 'line' as line, value ->> 'cover' as cover,
            value ->> 'covered' as covered, value ->> 'reason' as reason, value ->> 'moved' as moved
            from jsonb_each($1)) as new
        where lines.order_number = new.number and lines.id = new.line";
    const ORDERS: &str = "update orders set plan_at = min(coalesce(plan_at, $2), $2), revision = revision + 1,
            settling_first = case when new.moved then coalesce(settling_first, $3) else settling_first end,
            settling_last = case when new.moved then max(coalesce(settling_last, $4), $4) else settling_last end,
            hold_batch = case when $5 is not null and confirmed then $5 else hold_batch end,
            hold_kind = case when $5 is not null and confirmed then null else hold_kind end
        from (select value ->> 'order' as number, max(value ->> 'moved') as moved from jsonb_each($1)
            where value ->> 'wake' group by 1) as new
        where orders.number = new.number";
    let text = to_json(rows);
    sqlx::query(LINES).bind(&text).execute(&mut *conn).await?;
    let orders = sqlx::query(ORDERS).bind(&text).bind(millis(now)).bind(millis(first)).bind(millis(last));
    orders.bind(batch).execute(conn).await?;
    Ok(())
}

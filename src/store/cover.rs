//! Queues covered anew: each dirty SKU is walked once, and only orders whose cover truly changed are woken.

use std::collections::{BTreeSet, HashSet};

use chrono::TimeDelta;
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

/// A line whose cover is another than before.
#[derive(Serialize)]
pub(super) struct CoverRow {
    pub order: String,
    pub line: String,
    pub cover: String,
    pub covered: bool,
    /// What ops said about it, as JSON.
    pub reason: Option<String>,
    /// The order is to be looked at.
    pub wake: bool,
    /// Its date moved and may move again.
    pub moved: bool,
}

/// A queue walked once, nothing saved yet.
#[derive(Default)]
pub(super) struct Walk {
    pub changed: Vec<CoverRow>,
    cause: hold::Cause,
}

impl Store {
    /// Walks the queue of every dirty SKU once; wakes the orders whose cover truly changed. Says how many SKUs.
    pub async fn cover_dirty(&self, now: Instant, policy: &Policy) -> Result<usize> {
        const DIRTY: &str =
            "delete from dirty_skus where sku in (select sku from dirty_skus order by sku limit 500)
            returning sku, first_at, last_at";
        let mut count = 0;
        loop {
            let mut tx = self.begin().await?;
            let dirty: Vec<(String, i64, i64)> = sqlx::query_as(DIRTY).fetch_all(&mut *tx).await?;
            for (sku, first, last) in &dirty {
                cover_sku(&mut tx, sku, instant(*first), instant(*last), now, policy).await?;
            }
            tx.commit().await?;
            count += dirty.len();
            if dirty.len() < 500 {
                return Ok(count);
            }
        }
    }
}

async fn cover_sku(
    conn: &mut SqliteConnection,
    sku: &str,
    first: Instant,
    last: Instant,
    now: Instant,
    policy: &Policy,
) -> Result<()> {
    let Walk { changed, cause } = walk(conn, sku, first, policy).await?;
    let woken: HashSet<&str> = changed.iter().filter(|row| row.wake).map(|row| row.order.as_str()).collect();
    let batch =
        if woken.len() > policy.blast_limit { Some(hold::open(conn, sku, &cause, now).await?) } else { None };
    for chunk in changed.chunks(5_000) {
        let change = Change { first, last, now, batch, settle: policy.settle };
        save_covers(conn, chunk, &change).await?;
    }
    Ok(())
}

/// What changed a queue.
struct Change {
    /// When it changed first and last since it was walked.
    first: Instant,
    last: Instant,
    now: Instant,
    settle: TimeDelta,
    /// The blast guard holds what it would mail.
    batch: Option<i64>,
}

/// One pass over a SKU's queue, whose first change since the last pass was at `since`.
pub(super) async fn walk(
    conn: &mut SqliteConnection,
    sku: &str,
    since: Instant,
    policy: &Policy,
) -> Result<Walk> {
    const QUEUE: &str = "select order_number, id, open_units, cover from lines
        where sku = $1 and open_units > 0 and kind <> 'in_stock' order by placed_at, order_number, position";
    const SHIPPED: &str =
        "select coalesce(sum(shipped), 0) from lines where sku = $1 and shipped > 0 and kind <> 'in_stock'";
    let queue: Vec<QueueRow> = sqlx::query_as(QUEUE).bind(sku).fetch_all(&mut *conn).await?;
    if queue.is_empty() {
        return Ok(Walk::default());
    }
    let shipped: i64 = sqlx::query_scalar(SHIPPED).bind(sku).fetch_one(&mut *conn).await?;
    let receipts = receipts_of(conn, sku).await?;
    let supplies = supplies_of(conn, &BTreeSet::from([sku])).await?;
    let newest = supplies.iter().max_by_key(|supply| supply.recorded_at);
    let newest = newest.filter(|supply| instant(supply.recorded_at) >= since);
    let reason =
        newest.map(|supply| supply.reason.clone()).filter(|said| *said != to_json(&ChangeReason::default()));
    let mut cause = hold::Cause::of(newest.map(|supply| supply.supply.as_str()));
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
    for (row, new) in queue.into_iter().zip(&covers) {
        let text = to_json(new);
        if text == row.cover {
            continue;
        }
        let old: Cover = json("a cover", &row.cover)?;
        let moved = old.date_moves_to(new);
        let wake = moved
            || old.is_received() != new.is_received()
            || (old == Cover::Nothing) != (*new == Cover::Nothing);
        if wake {
            cause.moves(old.date(), new.date());
        }
        changed.push(CoverRow {
            order: row.order_number,
            line: row.id,
            cover: text,
            covered: *new != Cover::Nothing,
            reason: reason.clone().filter(|_| moved),
            wake,
            moved,
        });
    }
    Ok(Walk { changed, cause })
}

async fn save_covers(conn: &mut SqliteConnection, rows: &[CoverRow], change: &Change) -> Result<()> {
    const LINES: &str = "update lines set cover = new.cover, ever_covered = ever_covered or new.covered,
            reason = case when new.moved then coalesce(new.reason, '{}') else lines.reason end
        from (select value ->> 'order' as number, value ->> 'line' as line, value ->> 'cover' as cover,
            value ->> 'covered' as covered, value ->> 'reason' as reason, value ->> 'moved' as moved
            from jsonb_each($1)) as new
        where lines.order_number = new.number and lines.id = new.line";
    // A date that moved is looked at when it has settled (`View::settled_at`), and at once only where more changed
    // than dates, or something is under way that may state another.
    const ORDERS: &str = "update orders set revision = revision + 1,
            plan_at = case when new.at_once or exists (select 1 from notices where order_number = orders.number
                    and (next_try_at is not null or state = 'sending')) then min(coalesce(plan_at, $2), $2)
                else min(coalesce(plan_at, $6), max($2, min($6, coalesce(settling_first, $3) + 3600000))) end,
            settling_first = case when new.moved then coalesce(settling_first, $3) else settling_first end,
            settling_last = case when new.moved then max(coalesce(settling_last, $4), $4) else settling_last end,
            hold_batch = case when $5 is not null and confirmed then $5 else hold_batch end,
            hold_kind = case when $5 is not null and confirmed then null else hold_kind end
        from (select value ->> 'order' as number, max(value ->> 'moved') as moved,
            max(not value ->> 'moved') as at_once from jsonb_each($1) where value ->> 'wake' group by 1) as new
        where orders.number = new.number";
    let text = to_json(rows);
    sqlx::query(LINES).bind(&text).execute(&mut *conn).await?;
    let Change { first, last, now, settle, batch } = change;
    let orders = sqlx::query(ORDERS).bind(&text).bind(millis(*now)).bind(millis(*first)).bind(millis(*last));
    orders.bind(*batch).bind(millis(*last + *settle)).execute(conn).await?;
    Ok(())
}

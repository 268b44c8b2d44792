//! Queues covered anew: each dirty SKU is walked once, and only orders whose cover truly changed are woken.

use std::sync::Arc;

use chrono::{NaiveDate, TimeDelta};
use serde::{Deserialize, Serialize};
use sqlx::SqliteConnection;

use super::hold;
use super::rows::{json, to_json};
use super::supply::{SupplyRow, supply_columns};
use super::{Result, Store, instant, millis};
use crate::domain::calendar::{Instant, day_of};
use crate::domain::fact::ChangeReason;
use crate::domain::policy::Policy;
use crate::domain::supply::{Arrival, Cover, Serving};

/// The next lines of a queue, $4 at most, of orders behind that placed at $2 and called $3. One value: every row that
/// crosses over from SQLite costs time.
macro_rules! lines_of_queue {
    () => {
        "select json_group_array(json_array(order_number, id, cover, placed_at, open_units)) from
            (select order_number, id, cover, placed_at, open_units from lines where sku = $1 and open_units > 0
                and kind <> 'in_stock' and (placed_at, order_number) > ($2, $3)
                order by placed_at, order_number, position limit $4)"
    };
}

/// A line in its queue.
#[derive(Deserialize)]
struct QueueRow {
    order: String,
    line: String,
    cover: String,
    placed_at: i64,
    units: u32,
}

/// A line whose cover is another than before.
pub(super) struct Served {
    pub order: String,
    pub line: String,
    pub by: Arc<Change>,
}

/// From what to what the cover of some lines changed; neighbours in a queue mostly share it.
pub(super) struct Change {
    pub cover: Cover,
    text: String,
    /// The day that the cover before led to.
    was: Option<NaiveDate>,
    /// What ops said about it.
    pub reason: Option<String>,
    /// The order is to be looked at.
    pub wake: bool,
    /// Its date moved and may move again.
    moved: bool,
}

/// A queue on the way to be walked once, some orders at a time.
pub(super) struct Walk<'a> {
    sku: &'a str,
    serving: Serving,
    /// Where the next lines begin; None at the end.
    after: Option<(i64, String)>,
    /// The first lines, read with all that serves them.
    first: Option<(Vec<QueueRow>, bool)>,
    reason: Option<String>,
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
            let mut beside = self.readers.try_acquire();
            for (sku, first, last) in &dirty {
                let changed = (instant(*first), instant(*last));
                cover_sku(&mut tx, beside.as_deref_mut(), sku, changed, now, policy).await?;
            }
            tx.commit().await?;
            count += dirty.len();
            if dirty.len() < 500 {
                return Ok(count);
            }
        }
    }
}

/// Walks one queue, whose first and last change are given. The way is read on another connection where one is free: it sees
/// the lines as they were when our transaction began, and none is looked at twice.
async fn cover_sku(
    conn: &mut SqliteConnection,
    mut beside: Option<&mut SqliteConnection>,
    sku: &str,
    (first, last): (Instant, Instant),
    now: Instant,
    policy: &Policy,
) -> Result<()> {
    let mut walk = Walk::open(conn, sku, first, policy).await?;
    let (mut woken, mut count) = (Vec::new(), 0);
    let mut found = walk.next(conn).await?;
    while let Some(changed) = found {
        let (saved, next) = match &mut beside {
            Some(beside) => tokio::join!(save_covers(conn, &changed), walk.next(beside)),
            None => (save_covers(conn, &changed).await, walk.next(conn).await),
        };
        saved?;
        found = next?;
        let orders: Vec<Woken> = changed.chunk_by(|a, b| a.order == b.order).filter_map(Woken::by).collect();
        if !orders.is_empty() {
            count += orders.len();
            // As the text they are saved with, which is a third of their size: of a long queue there are very many.
            woken.push(to_json(&orders));
        }
    }
    let guarded = count > policy.blast_limit;
    let batch = if guarded { Some(hold::open(conn, sku, &walk.cause, now).await?) } else { None };
    let moment = Moment { first, last, now, batch, settle: policy.settle };
    for orders in &woken {
        wake(conn, orders, &moment).await?;
    }
    Ok(())
}

/// Rows that are read or written with one statement.
const CHUNK: usize = 5_000;

/// An order to be looked at, whether a date of it moved, and whether more than that changed.
#[derive(Serialize)]
struct Woken(String, bool, bool);

impl Woken {
    /// What the changed lines of one order come to, if it is to be looked at.
    fn by(lines: &[Served]) -> Option<Self> {
        let wake = || lines.iter().filter(|line| line.by.wake);
        let order = wake().next()?.order.clone();
        Some(Self(order, wake().any(|line| line.by.moved), wake().any(|line| !line.by.moved)))
    }
}

/// When a queue changed.
struct Moment {
    /// When it changed first and last since it was walked.
    first: Instant,
    last: Instant,
    now: Instant,
    settle: TimeDelta,
    /// The blast guard holds what it would mail.
    batch: Option<i64>,
}

impl<'a> Walk<'a> {
    /// The way along a SKU's queue, whose first change since the last walk was at `since`.
    pub async fn open(
        conn: &mut SqliteConnection,
        sku: &'a str,
        since: Instant,
        policy: &Policy,
    ) -> Result<Self> {
        // One statement: the way to SQLite's thread and back costs more than most of what it finds.
        const QUEUE: &str = concat!(
            "select (",
            lines_of_queue!(),
            "), (select coalesce(sum(shipped), 0) from lines
                    where sku = $1 and shipped > 0 and kind <> 'in_stock'),
                (select json_group_array(json_array(at, quantity, supply)) from receipts where sku = $1),
                (select json_group_array(json_array(",
            supply_columns!(),
            ")) from supplies where sku = $1)"
        );
        let begin = (i64::MIN, String::new());
        let queue = sqlx::query_as(QUEUE).bind(sku).bind(begin.0).bind(&begin.1).bind(CHUNK as i64);
        let queue: (String, i64, String, String) = queue.fetch_one(conn).await?;
        let (lines, shipped, receipts, supplies) = queue;
        let lines: Vec<QueueRow> = json("a queue", &lines)?;
        if lines.is_empty() {
            let (serving, cause) = (Serving::new(&[], 0, Vec::new()), hold::Cause::default());
            return Ok(Self { sku, serving, after: None, first: None, reason: None, cause });
        }
        let supplies: Vec<SupplyRow> = json("supplies", &supplies)?;
        let newest = supplies.iter().max_by_key(|supply| supply.recorded_at);
        let newest = newest.filter(|supply| instant(supply.recorded_at) >= since);
        let reason = newest.map(|supply| supply.reason.clone());
        let reason = reason.filter(|said| *said != to_json(&ChangeReason::default()));
        let cause = hold::Cause::of(newest.map(|supply| supply.supply.as_str()));
        let receipts: Vec<(i64, i64, Option<String>)> = json("receipts", &receipts)?;
        let arrivals: Vec<Arrival> = receipts
            .into_iter()
            .map(|(at, quantity, supply)| Arrival { on: day_of(instant(at), policy.zone), quantity, supply })
            .collect();
        let incoming = supplies.into_iter().map(SupplyRow::into_incoming).collect::<Result<Vec<_>>>()?;
        let serving = Serving::new(&arrivals, shipped, incoming);
        Ok(Self { sku, serving, after: Some(begin), first: complete_orders(lines, CHUNK), reason, cause })
    }

    /// The lines of the next orders that are served otherwise than before, all lines of an order together. None at the
    /// end of the queue.
    pub async fn next(&mut self, conn: &mut SqliteConnection) -> Result<Option<Vec<Served>>> {
        let Some(after) = self.after.take() else { return Ok(None) };
        let (rows, more) = match self.first.take() {
            Some(first) => first,
            None => self.rows(conn, after).await?,
        };
        let Some(last) = rows.last() else { return Ok(None) };
        self.after = more.then(|| (last.placed_at, last.order.clone()));
        let serving = &mut self.serving;
        Ok(Some(compare(rows, serving, self.reason.as_deref(), &mut self.cause)?))
    }

    /// The lines of the next orders, and whether there may be more behind them.
    async fn rows(
        &self,
        conn: &mut SqliteConnection,
        (placed_at, order): (i64, String),
    ) -> Result<(Vec<QueueRow>, bool)> {
        let mut most = CHUNK;
        loop {
            let rows = sqlx::query_scalar(lines_of_queue!()).bind(self.sku).bind(placed_at).bind(&order);
            let rows: String = rows.bind(most as i64).fetch_one(&mut *conn).await?;
            if let Some(rows) = complete_orders(json("a queue", &rows)?, most) {
                return Ok(rows);
            }
            most *= 2;
        }
    }
}

/// Of lines that were read, `most` at most, those of orders that are complete, and whether there may be more behind them.
/// None: not one is.
fn complete_orders(mut rows: Vec<QueueRow>, most: usize) -> Option<(Vec<QueueRow>, bool)> {
    if rows.len() < most {
        return Some((rows, false));
    }
    let last = rows.chunk_by(|a, b| a.order == b.order).next_back().map_or(0, <[_]>::len);
    rows.truncate(rows.len() - last);
    (!rows.is_empty()).then_some((rows, true))
}

/// The lines of a queue that are served otherwise than before.
fn compare(
    queue: Vec<QueueRow>,
    serving: &mut Serving,
    reason: Option<&str>,
    cause: &mut hold::Cause,
) -> Result<Vec<Served>> {
    let mut changed = Vec::new();
    // Of the line before: what it had, what it has, and what that comes to.
    let mut known: Option<(String, Cover, Option<Arc<Change>>)> = None;
    for row in queue {
        let new = serving.serve(row.units);
        let by = match &known {
            Some((had, has, by)) if *had == row.cover && *has == new => by.clone(),
            _ => {
                let by = Change::between(&row.cover, &new, reason)?.map(Arc::new);
                if let Some(by) = by.iter().find(|by| by.wake) {
                    cause.moves(by.was, new.date());
                }
                known = Some((row.cover, new, by.clone()));
                by
            }
        };
        changed.extend(by.map(|by| Served { order: row.order, line: row.line, by }));
    }
    Ok(changed)
}

impl Change {
    /// None: there is none.
    fn between(had: &str, new: &Cover, reason: Option<&str>) -> Result<Option<Self>> {
        let text = to_json(new);
        if text == had {
            return Ok(None);
        }
        let old: Cover = json("a cover", had)?;
        let moved = old.date_moves_to(new);
        let wake = moved
            || old.is_received() != new.is_received()
            || (old == Cover::Nothing) != (*new == Cover::Nothing);
        let reason = reason.filter(|_| moved).map(str::to_owned);
        Ok(Some(Self { cover: new.clone(), text, was: old.date(), reason, wake, moved }))
    }
}

async fn save_covers(conn: &mut SqliteConnection, changed: &[Served]) -> Result<()> {
    const LINES: &str = "update lines set cover = new.cover, ever_covered = ever_covered or new.covered,
            reason = case when new.moved then coalesce(new.reason, '{}') else lines.reason end
        from (select value ->> 0 as number, value ->> 1 as line, value ->> 2 as cover, value ->> 3 as covered,
            value ->> 4 as reason, value ->> 5 as moved from jsonb_each($1)) as new
        where lines.order_number = new.number and lines.id = new.line";
    let rows: Vec<_> = changed
        .iter()
        .map(|Served { order, line, by }| {
            (order, line, &by.text, by.cover != Cover::Nothing, &by.reason, by.moved)
        })
        .collect();
    sqlx::query(LINES).bind(to_json(&rows)).execute(conn).await?;
    Ok(())
}

async fn wake(conn: &mut SqliteConnection, woken: &str, moment: &Moment) -> Result<()> {
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
        from (select value ->> 0 as number, value ->> 1 as moved, value ->> 2 as at_once from jsonb_each($1)) as new
        where orders.number = new.number";
    let Moment { first, last, now, batch, settle } = moment;
    let orders = sqlx::query(ORDERS).bind(woken).bind(millis(*now));
    let orders = orders.bind(millis(*first)).bind(millis(*last)).bind(*batch).bind(millis(*last + *settle));
    orders.execute(conn).await?;
    Ok(())
}

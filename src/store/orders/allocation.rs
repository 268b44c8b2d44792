//! Queues covered anew: each dirty SKU is walked once, and only orders whose cover truly changed are woken.

use std::sync::{Arc, LazyLock};

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use sqlx::SqliteConnection;

use crate::domain::calendar::{Instant, day_of};
use crate::domain::fact::ChangeReason;
use crate::domain::policy::{LONGEST_DEBOUNCE, Policy};
use crate::domain::supply::{Arrival, Cover, CoverChange, Serving};
use crate::store::orders::record::{json, some_json, to_json};
use crate::store::orders::supply::{SupplyRow, supplies_where};
use crate::store::outbox::blast;
use crate::store::sqlite::dialect::{all_of, one_value, sql, tuples};
use crate::store::sqlite::statements::Statements;
use crate::store::{Result, Store, instant, millis};

/// The next lines of a SKU's queue, $3 at most, of orders behind that placed at $1 and called $2. One value: every row
/// that crosses over from SQLite costs time.
fn lines_of_queue(sku: &str) -> String {
    format!(
        "select {} from
            (select order_number, key, cover, placed_at, open_units from lines
            where sku = {sku} and open_units > 0 and kind <> 'in_stock' and (placed_at, order_number) > ($1, $2)
            order by placed_at, order_number, position limit $3)",
        all_of(&one_value(&["order_number", "key", "cover", "placed_at", "open_units"]))
    )
}

/// The columns of a [`Found`]: the way to SQLite's thread and back costs more than most of what they find.
fn queue(sku: &str) -> String {
    format!(
        "({}), coalesce((select shipped from queues where sku = {sku}), 0),
        (select {} from receipts where sku = {sku}), ({})",
        lines_of_queue(sku),
        all_of(&one_value(&["at", "quantity", "supply"])),
        supplies_where(&format!("sku = {sku}"))
    )
}

/// The first lines of a queue, units shipped, receipts and supplies.
type Found = (String, i64, String, String);

/// Before the first line of a queue.
const BEGIN: (i64, &str) = (i64::MIN, "");

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
pub(in crate::store) struct Served {
    pub order: String,
    pub line: String,
    pub by: Arc<Change>,
}

/// How the cover of some lines changed; neighbours in a queue mostly share it.
pub(in crate::store) struct Change {
    pub cover: CoverChange,
    text: String,
    /// The day that the cover before led to.
    was: Option<NaiveDate>,
    /// What ops said about it.
    pub reason: Option<String>,
}

/// A queue on the way to be walked once, some orders at a time.
pub(in crate::store) struct Walk {
    sku: String,
    serving: Serving,
    /// Where the next lines begin; None at the end.
    after: Option<(i64, String)>,
    /// The first lines, read with all that serves them.
    first: Option<(Vec<QueueRow>, bool)>,
    reason: Option<String>,
    cause: blast::Cause,
}

impl Store {
    /// Walks the queue of every dirty SKU once; wakes the orders whose cover truly changed. Says how many SKUs.
    pub async fn cover_dirty(&self, now: Instant, policy: &Policy) -> Result<usize> {
        let (mut count, mut more) = (0, true);
        while more {
            let mut tx = self.begin("cover_dirty").await?;
            let mut beside = self.readers.try_acquire();
            for _ in 0..TOGETHER {
                let dirty = Dirty::next(&mut tx).await?;
                more = dirty.as_ref().is_some_and(|dirty| dirty.more);
                if let Some(dirty) = dirty {
                    dirty.cover(&mut tx, beside.as_deref_mut(), now, policy).await?;
                    count += 1;
                }
                if !more {
                    break;
                }
            }
            tx.commit().await?;
        }
        Ok(count)
    }
}

/// SKUs whose queues are walked in one transaction.
const TOGETHER: usize = 500;

/// A SKU whose queue or supply changed.
struct Dirty {
    sku: String,
    /// When it changed first and last since its queue was walked.
    first: Instant,
    last: Instant,
    /// There are others.
    more: bool,
    found: Found,
}

impl Dirty {
    /// Takes the next SKU that is dirty off their list, and reads its queue.
    async fn next(conn: &mut SqliteConnection) -> Result<Option<Self>> {
        static NEXT: LazyLock<String> = LazyLock::new(|| {
            format!(
                "delete from dirty_skus where sku = (select min(sku) from dirty_skus)
                returning sku, first_at, last_at,
                    exists (select 1 from dirty_skus other where other.sku > dirty_skus.sku), {}",
                queue("dirty_skus.sku")
            )
        });
        type Row = (String, i64, i64, bool, String, i64, String, String);
        let next = sqlx::query_as(NEXT.as_str()).bind(BEGIN.0).bind(BEGIN.1).bind(CHUNK as i64);
        let next: Option<Row> = next.fetch_optional(conn).await?;
        Ok(next.map(|(sku, first, last, more, lines, shipped, receipts, supplies)| Self {
            sku,
            first: instant(first),
            last: instant(last),
            more,
            found: (lines, shipped, receipts, supplies),
        }))
    }

    /// Walks its queue. The way is read on another connection where one is free: it sees the lines as they were when our
    /// transaction began, and none is looked at twice.
    async fn cover(
        self,
        conn: &mut SqliteConnection,
        mut beside: Option<&mut SqliteConnection>,
        now: Instant,
        policy: &Policy,
    ) -> Result<()> {
        let Self { sku, first, last, found, .. } = self;
        let mut walk = Walk::along(sku, found, first, policy)?;
        let (mut woken, mut count) = (Vec::new(), 0);
        let mut saving = Statements::default();
        let mut next = walk.next(conn).await?;
        while let Some(changed) = next {
            saving.add(&SAVE_COVERS, cover_rows(&changed));
            let orders: Vec<Woken> =
                changed.chunk_by(|a, b| a.order == b.order).filter_map(Woken::by).collect();
            count += orders.len();
            // As the text they are saved with, which is a third of their size: of a long queue there are very many.
            woken.extend(some_json(&orders));
            if walk.is_over() {
                break;
            }
            let saved = std::mem::take(&mut saving).run(conn, now);
            next = match &mut beside {
                Some(beside) => {
                    let (saved, next) = tokio::join!(saved, walk.next(beside));
                    saved.and(next)?
                }
                None => {
                    saved.await?;
                    walk.next(conn).await?
                }
            };
        }
        let guarded = count > policy.blast_limit;
        let batch = if guarded { Some(blast::open(conn, &walk.sku, &walk.cause, now).await?) } else { None };
        let longest = Some(LONGEST_DEBOUNCE.num_milliseconds());
        let moment =
            [Some(millis(first)), Some(millis(last)), batch, Some(millis(last + policy.debounce)), longest];
        for orders in woken {
            saving.add_with(&WAKE, orders, &moment);
            std::mem::take(&mut saving).run(conn, now).await?;
        }
        saving.run(conn, now).await?;
        Ok(())
    }
}

/// Rows that are read or written with one statement.
const CHUNK: usize = 5_000;

/// An order to be looked at, whether a date of it moved, and whether more than that changed.
#[derive(Serialize)]
struct Woken(String, bool, bool);

impl Woken {
    /// What the changed lines of one order come to, if it is to be looked at.
    fn by(lines: &[Served]) -> Option<Self> {
        let wake = || lines.iter().filter(|line| line.by.cover.wakes);
        let order = wake().next()?.order.clone();
        Some(Self(order, wake().any(|line| line.by.cover.moved), wake().any(|line| !line.by.cover.moved)))
    }
}

impl Walk {
    /// The way along a SKU's queue, whose first change since the last walk was at `since`.
    pub async fn open(
        conn: &mut SqliteConnection,
        sku: &str,
        since: Instant,
        policy: &Policy,
    ) -> Result<Self> {
        static QUEUE: LazyLock<String> = LazyLock::new(|| format!("select {}", queue("$4")));
        let found = sqlx::query_as(QUEUE.as_str()).bind(BEGIN.0).bind(BEGIN.1).bind(CHUNK as i64).bind(sku);
        Self::along(sku.to_owned(), found.fetch_one(conn).await?, since, policy)
    }

    fn along(sku: String, found: Found, since: Instant, policy: &Policy) -> Result<Self> {
        let (lines, shipped, receipts, supplies) = found;
        let lines: Vec<QueueRow> = json("a queue", &lines)?;
        if lines.is_empty() {
            let (serving, cause) = (Serving::new(&[], 0, Vec::new()), blast::Cause::default());
            return Ok(Self { sku, serving, after: None, first: None, reason: None, cause });
        }
        let supplies: Vec<SupplyRow> = json("supplies", &supplies)?;
        let newest = supplies.iter().max_by_key(|supply| supply.recorded_at);
        let newest = newest.filter(|supply| instant(supply.recorded_at) >= since);
        let reason = newest.map(|supply| supply.reason.clone());
        let reason = reason.filter(|said| *said != to_json(&ChangeReason::default()));
        let cause = blast::Cause::of(newest.map(|supply| supply.supply.as_str()));
        let receipts: Vec<(i64, i64, Option<String>)> = json("receipts", &receipts)?;
        let arrivals: Vec<Arrival> = receipts
            .into_iter()
            .map(|(at, quantity, supply)| Arrival { on: day_of(instant(at), policy.zone), quantity, supply })
            .collect();
        let incoming = supplies.into_iter().map(SupplyRow::into_incoming).collect::<Result<Vec<_>>>()?;
        let serving = Serving::new(&arrivals, shipped, incoming);
        // Read again with more where one order alone has as many lines.
        let first = complete_orders(lines, CHUNK);
        let after = Some((BEGIN.0, BEGIN.1.to_owned()));
        Ok(Self { sku, serving, after, first, reason, cause })
    }

    /// Nothing is left of the queue.
    fn is_over(&self) -> bool {
        self.after.is_none()
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
        static LINES: LazyLock<String> = LazyLock::new(|| lines_of_queue("$4"));
        let mut most = CHUNK;
        loop {
            let rows = sqlx::query_scalar(LINES.as_str()).bind(placed_at).bind(&order);
            let rows: String = rows.bind(most as i64).bind(&self.sku).fetch_one(&mut *conn).await?;
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
    cause: &mut blast::Cause,
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
                if let Some(by) = by.iter().find(|by| by.cover.wakes) {
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
        if to_json(new) == had {
            return Ok(None);
        }
        let old: Cover = json("a cover", had)?;
        let Some(cover) = old.change_to(new) else { return Ok(None) };
        let reason = reason.filter(|_| cover.moved).map(str::to_owned);
        Ok(Some(Self { text: to_json(&cover.cover), was: old.date(), cover, reason }))
    }
}

/// Lines with what covers them now, as [`SAVE_COVERS`] reads it.
fn cover_rows(changed: &[Served]) -> Option<String> {
    let rows: Vec<_> = changed
        .iter()
        .map(|Served { order, line, by }| {
            (order, line, &by.text, by.cover.cover != Cover::Nothing, &by.reason, by.cover.moved)
        })
        .collect();
    some_json(&rows)
}

sql!(
    SAVE_COVERS = "update lines set cover = new.cover, ever_covered = ever_covered or new.covered,
        reason = case when new.moved then coalesce(new.reason, '{{}}') else lines.reason end
    from {} as new
    where lines.order_number = new.number and lines.key = new.line",
    tuples("$1", &["number", "line", "cover", "covered", "reason", "moved"])
);

sql!(
    /// The queue changed at $3 first, at $4 last, which has settled at $6, or $7 after the first change that nobody was told
    /// of; what the blast guard holds is in the batch $5. A date that moved is looked at when it has settled
    /// (`View::debounced_at`), and at once only where more changed than dates, or something is under way that may state another.
    WAKE = "update orders set revision = revision + 1,
        plan_at = case when new.at_once or exists (select 1 from notices where order_number = orders.number
                and (next_try_at is not null or state = 'sending')) then min(coalesce(plan_at, $2), $2)
            else min(coalesce(plan_at, $6), max($2, min($6, coalesce(settling_first, $3) + $7))) end,
        settling_first = case when new.moved then min(coalesce(settling_first, $3), $3) else settling_first end,
        settling_last = case when new.moved then max(coalesce(settling_last, $4), $4) else settling_last end,
        hold_batch = case when $5 is not null and confirmed then $5 else hold_batch end,
        hold_kind = case when $5 is not null and confirmed then null else hold_kind end
    from {} as new
    where orders.number = new.number", tuples("$1", &["number", "moved", "at_once"]));

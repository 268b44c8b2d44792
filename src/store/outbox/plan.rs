//! The planner's side: what there is to do, due orders scheduled, what is due put into the outbox.
//!
//! Each method works on facts nobody else can change meanwhile: load, decide, save are one transaction.

use std::slice::Chunks;
use std::sync::{Arc, LazyLock};

use sqlx::SqliteConnection;

use crate::domain::calendar::Instant;
use crate::domain::policy::Policy;
use crate::store::orders::load::{aside, load_text, whole_orders};
use crate::store::orders::record::json;
use crate::store::outbox::blast::{HeldChange, close_counted};
use crate::store::outbox::pauses::NEXT_IN_OUTBOX;
use crate::store::outbox::plan_writer::{PlanWriter, Planned};
use crate::store::outbox::recovery::MAY_EXPIRE;
use crate::store::sqlite::dialect::all_of;
use crate::store::{Result, Store, instant, millis};

/// Orders that are loaded, scheduled and saved together.
const PIECE: usize = 250;

/// When there is something to do next; None: nothing without a new fact.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Agenda {
    /// Notices lose their use.
    pub expire: Option<Instant>,
    /// Queues are to be walked again, at once.
    pub cover: Option<Instant>,
    /// Orders are due.
    pub plan: Option<Instant>,
    /// The dispatcher has to work.
    pub send: Option<Instant>,
}

impl Agenda {
    /// When the first of it is due.
    pub fn at(&self) -> Option<Instant> {
        [self.expire, self.cover, self.plan, self.send].into_iter().flatten().min()
    }
}

/// What planning a batch of orders did.
#[derive(Debug, Clone, Default)]
pub struct Planning {
    /// Orders looked at.
    pub orders: usize,
    pub queued: Vec<Planned>,
    /// Changes that would mail too many at one time, and now wait for a person.
    pub held: Vec<HeldChange>,
}

impl Store {
    /// When there is something to do next, asked at `now`.
    pub async fn agenda(&self, now: Instant) -> Result<Agenda> {
        static NEXT: LazyLock<String> = LazyLock::new(|| {
            format!(
                "select (select min(useful_until) from notices where {MAY_EXPIRE}),
                    (select min(first_at) from dirty_skus),
                    (select min(plan_at) from orders where plan_at is not null), {NEXT_IN_OUTBOX}"
            )
        });
        type Next = (Option<i64>, Option<i64>, Option<i64>, Option<i64>, bool);
        let next: Next = sqlx::query_as(NEXT.as_str()).fetch_one(&mut *self.readers.acquire().await?).await?;
        let (expire, cover, plan, send, paused) = next;
        let send = self.look_at(send, paused, now).await?.next;
        Ok(Agenda { expire: expire.map(instant), cover: cover.map(instant), plan: plan.map(instant), send })
    }

    /// Schedules up to `most` due orders and saves what follows. Of many, a piece is scheduled on another thread while
    /// SQLite saves the one before and loads the next, on another connection where one is free.
    pub async fn plan_due(&self, now: Instant, policy: &Policy, most: u32) -> Result<Planning> {
        let mut tx = self.begin("plan_due").await?;
        let due = due(&mut tx, now, most).await?;
        if due.numbers.is_empty() {
            return Ok(Planning::default());
        }
        let queued = match due.orders {
            Some(orders) => PlanWriter::of(&orders, self, now, policy)?.save(&mut tx, now).await?,
            None => self.plan_pieces(&mut tx, &mut due.numbers.chunks(PIECE), now, policy).await?,
        };
        let held = if due.counting { close_counted(&mut tx, now, policy).await? } else { Vec::new() };
        tx.commit().await?;
        Ok(Planning { orders: due.numbers.len(), queued, held })
    }

    async fn plan_pieces(
        &self,
        conn: &mut SqliteConnection,
        pieces: &mut Chunks<'_, String>,
        now: Instant,
        policy: &Policy,
    ) -> Result<Vec<Planned>> {
        let renderer = Arc::new((self.clone(), policy.clone()));
        let mut queued = Vec::new();
        let mut ready = PlanWriter::default();
        // It sees what was there when our transaction began, and no piece saves what another loads.
        let mut beside = self.readers.try_acquire();
        let mut found = next_piece(conn, pieces).await?;
        while let Some(text) = found {
            let renderer = renderer.clone();
            let thinking = aside(move || PlanWriter::of(&text, &renderer.0, now, &renderer.1));
            let (saved, next) = match &mut beside {
                Some(beside) => tokio::join!(ready.save(conn, now), next_piece(beside, pieces)),
                None => (ready.save(conn, now).await, next_piece(conn, pieces).await),
            };
            queued.extend(saved?);
            found = next?;
            ready = thinking.await?;
        }
        queued.extend(ready.save(conn, now).await?);
        Ok(queued)
    }

    /// Wakes open orders after `cursor`, `most` at most; says where to go on, None at the end.
    pub async fn wake_open(&self, cursor: &str, now: Instant, most: u32) -> Result<Option<String>> {
        const WAKE: &str = "update orders set plan_at = $2 where number in
            (select number from orders where number > $1 and status in ('waiting', 'open') order by number limit $3)
            returning number";
        let woken: Vec<String> = sqlx::query_scalar(WAKE)
            .bind(cursor)
            .bind(millis(now))
            .bind(most)
            .fetch_all(&mut *self.writer.acquire().await?)
            .await?;
        Ok(woken.into_iter().max())
    }
}

/// Orders that are due.
struct Due {
    numbers: Vec<String>,
    /// The orders whole, where they make no more than a piece.
    orders: Option<String>,
    /// The blast guard is counting.
    counting: bool,
}

/// Up to `most` orders that are due.
async fn due(conn: &mut SqliteConnection, now: Instant, most: u32) -> Result<Due> {
    // A fact may have come in since the queues were walked: its orders wait for the next walk. There nearly never is
    // one, and then no order is asked for its lines.
    static DUE: LazyLock<String> = LazyLock::new(|| {
        format!(
            "with due as materialized (select number from orders o where plan_at <= $1
                and (not exists (select 1 from dirty_skus) or not exists (select 1 from dirty_skus d
                    join lines l on l.sku = d.sku where l.order_number = o.number))
                order by plan_at, number limit $2)
            select (select {} from due),
                case when (select count(*) from due) <= {PIECE} then ({}) end,
                exists (select 1 from batches where state = 'counting')",
            all_of("number"),
            whole_orders("(select number from due)")
        )
    });
    let due = sqlx::query_as(DUE.as_str()).bind(millis(now)).bind(most);
    let (numbers, orders, counting): (String, _, _) = due.fetch_one(conn).await?;
    Ok(Due { numbers: json("the numbers of orders", &numbers)?, orders, counting })
}

/// The next orders of a list, loaded; None at the end.
async fn next_piece(conn: &mut SqliteConnection, pieces: &mut Chunks<'_, String>) -> Result<Option<String>> {
    match pieces.next() {
        Some(numbers) => Ok(Some(load_text(conn, numbers).await?)),
        None => Ok(None),
    }
}

//! The planner's side: what there is to do, due orders scheduled, what is due put into the outbox.
//!
//! Each method works on facts nobody else can change meanwhile: load, decide, save are one transaction.

use std::collections::HashSet;

use serde::Serialize;
use sqlx::SqliteConnection;

use super::hold::{HeldBatch, close_counted};
use super::load::{Loaded, load};
use super::rows::{HeardRow, NoticeRow, to_json};
use super::{Result, Store, instant, millis};
use crate::domain::calendar::Instant;
use crate::domain::notice::{Decision, NoticeKind, NoticeState};
use crate::domain::order::Order;
use crate::domain::policy::Policy;
use crate::domain::schedule::{Schedule, schedule};

/// A notice that was put into the outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    pub order: String,
    pub id: String,
    pub kind: NoticeKind,
}

/// What there is to do for a planner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct Work {
    /// Notices have lost their use.
    pub expire: bool,
    /// Queues are to be walked again.
    pub cover: bool,
    /// Orders are due.
    pub plan: bool,
}

/// What planning a batch of orders did.
#[derive(Debug, Clone, Default)]
pub struct Planning {
    /// Orders looked at.
    pub orders: usize,
    pub queued: Vec<Planned>,
    /// Changes that would mail too many at one time, and now wait for a person.
    pub held: Vec<HeldBatch>,
}

impl Store {
    /// When the planner has to work next: at once for a dirty SKU, else when the first order is due.
    pub async fn next_plan(&self) -> Result<Option<Instant>> {
        const NEXT: &str = concat!(
            "select min(at) from (select min(plan_at) as at from orders where plan_at is not null
            union all select min(first_at) from dirty_skus
            union all select min(useful_until) from notices where ",
            may_expire!(),
            ")"
        );
        let next: Option<i64> = sqlx::query_scalar(NEXT).fetch_one(&self.readers).await?;
        Ok(next.map(instant))
    }

    /// What a planner has to do now, in one question.
    pub async fn work(&self, now: Instant) -> Result<Work> {
        const WORK: &str = concat!(
            "select exists (select 1 from notices where ",
            may_expire!(),
            " and useful_until <= $1) as expire, exists (select 1 from dirty_skus) as cover,
                exists (select 1 from orders where plan_at <= $1) as plan"
        );
        Ok(sqlx::query_as(WORK).bind(millis(now)).fetch_one(&self.readers).await?)
    }

    /// Schedules up to `most` due orders and saves what follows.
    pub async fn plan_due(&self, now: Instant, policy: &Policy, most: u32) -> Result<Planning> {
        // A fact may have come in since the queues were walked: its orders wait for the next walk.
        const DUE: &str = "select number, exists (select 1 from batches where state = 'counting')
            from orders o where plan_at <= $1
                and not exists (select 1 from dirty_skus d join lines l on l.sku = d.sku where l.order_number = o.number)
            order by plan_at, number limit $2";
        let mut tx = self.begin().await?;
        let due: Vec<(String, bool)> =
            sqlx::query_as(DUE).bind(millis(now)).bind(most).fetch_all(&mut *tx).await?;
        let Some((_, counting)) = due.first() else { return Ok(Planning::default()) };
        let counting = *counting;
        let numbers: Vec<String> = due.into_iter().map(|(number, _)| number).collect();
        let loaded = load(&mut tx, &numbers).await?;
        let mut batch = Batch::default();
        for Loaded { mut order, .. } in loaded {
            let plan = schedule(&order, now, policy);
            batch.take(self, &mut order, plan);
        }
        batch.save(&mut tx, now).await?;
        let held = if counting { close_counted(&mut tx, now, policy).await? } else { Vec::new() };
        tx.commit().await?;
        Ok(Planning { orders: numbers.len(), queued: batch.planned, held })
    }

    /// Takes open orders as they stand, as if imported now: nothing about the past is mailed, and what was captured or
    /// redirected is not counted any more. Told is what the last live mail said, else what the checkout promised.
    /// Says how many orders.
    pub async fn go_live(&self, now: Instant) -> Result<u64> {
        const DROP: &str = "update notices set state = 'superseded', next_try_at = null, settled_at = $1,
            reason = 'imported' where next_try_at is not null";
        const NEWS: &str = "update news set told = true where not told";
        const LINES: &str =
            "update lines set tried = null, overdue_for = null, announced = false, told = coalesce(
                (select stated.value ->> 'told' from notices n, json_each(n.lines) stated
                    where n.order_number = lines.order_number and n.state = 'accepted' and n.mode = 'live'
                        and stated.value ->> 'line' = lines.id order by n.settled_at desc limit 1), promised)
            where order_number in (select number from orders where status in ('waiting', 'open'))";
        const ORDERS: &str = "update orders set silent_before = $1, confirmed = true, written_to = null,
            heard_at = (select max(settled_at) from notices
                where order_number = number and state = 'accepted' and mode = 'live'),
            status_tried_on = null, status_failures = 0, settling_first = null, settling_last = null, plan_at = $1,
            revision = revision + 1 where status in ('waiting', 'open')";
        let mut tx = self.begin().await?;
        sqlx::query(DROP).bind(millis(now)).execute(&mut *tx).await?;
        sqlx::query(NEWS).execute(&mut *tx).await?;
        sqlx::query(LINES).execute(&mut *tx).await?;
        let orders = sqlx::query(ORDERS).bind(millis(now)).execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(orders.rows_affected())
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
            .fetch_all(&self.writer)
            .await?;
        Ok(woken.into_iter().max())
    }
}

/// What a batch of schedules comes to, ready to be saved with one statement each.
#[derive(Default)]
struct Batch {
    planned: Vec<Planned>,
    decided: Vec<(String, Decision)>,
    notices: Vec<NoticeRow>,
    superseded: Vec<SupersededRow>,
    heard: Vec<PlanRow>,
    tried: Vec<TriedRow>,
    silent: Vec<SilentRow>,
}

#[derive(Serialize)]
struct SupersededRow {
    id: String,
    reason: &'static str,
    by: Option<String>,
}

#[derive(Serialize)]
struct PlanRow {
    number: String,
    plan_at: Option<i64>,
    hold_batch: Option<i64>,
    hold_kind: Option<&'static str>,
    #[serde(flatten)]
    heard: HeardRow,
}

#[derive(Serialize)]
struct TriedRow {
    order: String,
    line: String,
    tried: Option<String>,
}

#[derive(Serialize)]
pub(super) struct SilentRow {
    pub order: String,
    pub kind: NoticeKind,
    pub id: String,
}

#[derive(Serialize)]
pub(super) struct DecisionRow<'a> {
    pub order: &'a str,
    pub occasion: &'a str,
    pub kind: NoticeKind,
    pub outcome: NoticeState,
    pub reason: &'static str,
    pub by: Option<&'a str>,
}

impl Batch {
    fn take(&mut self, store: &Store, order: &mut Order, plan: Schedule) {
        let number = &order.number;
        if let (Some(reason), Some(old)) = (plan.superseded, &order.under_way) {
            let by = plan.due.as_ref().map(|notice| notice.occasion.clone());
            self.superseded.push(SupersededRow { id: old.id.clone(), reason: reason.as_str(), by });
            if old.doubtful {
                let mut after = order.clone();
                after.adopt(&plan, |_| String::new());
                self.tried.extend(after.lines.iter().map(|line| TriedRow {
                    order: number.clone(),
                    line: line.id.clone(),
                    tried: line.tried.as_ref().map(to_json),
                }));
            }
        }
        self.silent.extend(plan.silent.iter().map(|key| SilentRow {
            order: number.clone(),
            kind: key.kind,
            id: key.id.clone(),
        }));
        self.decided.extend(plan.dropped.iter().map(|decision| (number.clone(), decision.clone())));
        self.heard.push(PlanRow {
            number: number.clone(),
            plan_at: plan.plan_at.map(millis),
            hold_batch: plan.hold.map(|hold| hold.batch),
            hold_kind: plan.hold.and_then(|hold| hold.kind).map(NoticeKind::as_str),
            heard: HeardRow::from_heard(&plan.heard),
        });
        if let Some(notice) = plan.due {
            let id = store.notice_id(number, &notice);
            self.notices.push(NoticeRow::from_notice(id.clone(), number, &notice));
            self.planned.push(Planned { order: number.clone(), id, kind: notice.kind });
        }
    }

    async fn save(&mut self, conn: &mut SqliteConnection, now: Instant) -> Result<()> {
        if !self.superseded.is_empty() {
            let supersede = sqlx::query(SUPERSEDE).bind(to_json(&self.superseded)).bind(millis(now));
            supersede.execute(&mut *conn).await?;
        }
        if !self.notices.is_empty() {
            let insert = sqlx::query_scalar(INSERT_NOTICES).bind(to_json(&self.notices));
            let inserted: HashSet<String> = insert.fetch_all(&mut *conn).await?.into_iter().collect();
            self.planned.retain(|planned| {
                let is_new = inserted.contains(&planned.id);
                if !is_new {
                    // Once mailed is mailed; but a rule that names an occasion twice keeps somebody waiting.
                    tracing::error!(
                        order = planned.order,
                        notice = planned.id,
                        "this notice is due, and its occasion is used up: it will not be mailed"
                    );
                }
                is_new
            });
        }
        if !self.tried.is_empty() {
            sqlx::query(SAVE_TRIED).bind(to_json(&self.tried)).execute(&mut *conn).await?;
        }
        if !self.silent.is_empty() {
            sqlx::query(NEWS_TOLD).bind(to_json(&self.silent)).execute(&mut *conn).await?;
        }
        save_decisions(conn, &self.decided, now).await?;
        sqlx::query(SAVE_PLAN).bind(to_json(&self.heard)).execute(conn).await?;
        Ok(())
    }
}

/// Keeps what was decided otherwise; the first decision about an occasion stands.
pub(super) async fn save_decisions(
    conn: &mut SqliteConnection,
    decided: &[(String, Decision)],
    now: Instant,
) -> Result<()> {
    const SAVE: &str = "insert into decisions (order_number, occasion, kind, outcome, reason, by_occasion, at)
        select value ->> 'order', value ->> 'occasion', value ->> 'kind', value ->> 'outcome', value ->> 'reason',
            value ->> 'by', $2
        from jsonb_each($1) where true on conflict do nothing";
    if decided.is_empty() {
        return Ok(());
    }
    let rows: Vec<DecisionRow> = decided
        .iter()
        .map(|(order, decision)| DecisionRow {
            order,
            occasion: &decision.occasion,
            kind: decision.kind,
            outcome: decision.outcome,
            reason: decision.reason.as_str(),
            by: decision.by.as_deref(),
        })
        .collect();
    sqlx::query(SAVE).bind(to_json(&rows)).bind(millis(now)).execute(conn).await?;
    Ok(())
}

const SUPERSEDE: &str = "update notices set state = 'superseded', next_try_at = null, settled_at = $2,
        reason = old.reason, by_occasion = old.by
    from (select value ->> 'id' as id, value ->> 'reason' as reason, value ->> 'by' as by from jsonb_each($1)) as old
    where notices.id = old.id and notices.state <> 'sending'";

const INSERT_NOTICES: &str = "insert into notices (id, order_number, kind, occasion, state, email, includes, lines,
        news, planned_at, useful_until, replaces_status, urgency, next_try_at)
    select value ->> 'id', value ->> 'order_number', value ->> 'kind', value ->> 'occasion', value ->> 'state',
        value ->> 'email', value ->> 'includes', value ->> 'lines', value ->> 'news', value ->> 'planned_at',
        value ->> 'useful_until', value ->> 'replaces_status', value ->> 'urgency', value ->> 'planned_at'
    from jsonb_each($1) where true on conflict do nothing returning id";

const SAVE_TRIED: &str = "update lines set tried = new.tried
    from (select value ->> 'order' as number, value ->> 'line' as line, value ->> 'tried' as tried
        from jsonb_each($1)) as new
    where lines.order_number = new.number and lines.id = new.line";

/// These are not owed to the customer any more.
pub(super) const NEWS_TOLD: &str = "update news set told = true
    from (select value ->> 'order' as number, value ->> 'kind' as kind, value ->> 'id' as id from jsonb_each($1)) as done
    where news.order_number = done.number and news.kind = done.kind and news.id = done.id";

const SAVE_PLAN: &str = "update orders set plan_at = new.plan_at, heard_at = new.heard_at, confirmed = new.confirmed,
        updated = new.updated, status_tried_on = new.status_tried_on, status_failures = new.status_failures,
        changes = new.changes, restocks = new.restocks, settling_first = new.settling_first,
        settling_last = new.settling_last, hold_batch = new.hold_batch, hold_kind = new.hold_kind
    from (select value ->> 'number' as number, value ->> 'plan_at' as plan_at, value ->> 'heard_at' as heard_at,
        value ->> 'hold_batch' as hold_batch, value ->> 'hold_kind' as hold_kind,
        value ->> 'confirmed' as confirmed, value ->> 'updated' as updated,
        value ->> 'status_tried_on' as status_tried_on, value ->> 'status_failures' as status_failures,
        value ->> 'changes' as changes, value ->> 'restocks' as restocks,
        value ->> 'settling_first' as settling_first, value ->> 'settling_last' as settling_last
        from jsonb_each($1)) as new
    where orders.number = new.number";

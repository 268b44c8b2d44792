//! Outcomes made durable: the notice, the try, what the order and its lines remember, in a few statements whatever
//! their number.

use std::collections::HashSet;

use serde::Serialize;
use sqlx::SqliteConnection;

use crate::domain::calendar::Instant;
use crate::domain::customer::EmailAddress;
use crate::domain::meaning::Refusal;
use crate::domain::notice::{Decision, EventKey, Notice, NoticeState};
use crate::domain::order::settle::Settled;
use crate::domain::order::{Line, Order};
use crate::store::orders::record::{some_json, stamp, to_json};
use crate::store::outbox::plan::{NEWS_TOLD, SAVE_DECISIONS, SilentRow, decision_rows};
use crate::store::outbox::refusals;
use crate::store::sqlite::statements::Statements;
use crate::store::{Result, millis};

/// The outcome of a try, to be made durable.
#[derive(Debug, Clone)]
pub struct Settlement {
    pub id: String,
    /// The order as it was read, after [`Order::settle`].
    pub order: Order,
    pub notice: Notice,
    pub settled: Settled,
    pub attempt: u32,
    pub at: Instant,
    pub phase: Option<&'static str>,
    /// The server's words, or ours where it had none.
    pub reply: Option<String>,
    /// What the server's no meant.
    pub refusal: Option<Refusal>,
    /// When the planner looks at the order next, if it is still at this revision; else at once.
    pub look: (i64, Option<Instant>),
}

/// How a try ended, as [`END`] reads it.
#[derive(Serialize)]
struct EndRow<'a> {
    id: &'a str,
    state: NoticeState,
    next_try: Option<i64>,
    reason: Option<&'static str>,
    reply: Option<&'a str>,
    at: i64,
    /// When it was over, if nothing more happens to it by itself.
    over_at: Option<i64>,
    attempt: u32,
    phase: Option<&'static str>,
}

/// What an order remembers of it.
#[derive(Serialize)]
struct OrderRow<'a> {
    order: &'a str,
    at: i64,
    over: bool,
    planned_at: i64,
    revision: i64,
    look_at: Option<i64>,
    heard_at: Option<i64>,
    written_to: Option<&'a str>,
    confirmed: bool,
    updated: bool,
    status_tried_on: Option<String>,
    status_failures: u32,
}

#[derive(Serialize)]
struct LineRow<'a> {
    order: &'a str,
    line: &'a str,
    told: Option<String>,
    tried: Option<String>,
    overdue_for: Option<String>,
    announced: bool,
}

/// Saves outcomes, whatever their number, with a few statements in two goes; wakes the orders. What is not in the
/// owner's hands any more changes nothing.
pub(in crate::store) async fn settle(
    conn: &mut SqliteConnection,
    owner: &str,
    settled: &[Settlement],
) -> Result<()> {
    if settled.is_empty() {
        return Ok(());
    }
    let rows: Vec<EndRow> = settled.iter().map(end_row).collect();
    let end = sqlx::query_scalar(END).bind(to_json(&rows)).bind(owner);
    let ended: HashSet<String> = end.fetch_all(&mut *conn).await?.into_iter().collect();
    let (settled, lost): (Vec<&Settlement>, Vec<&Settlement>) =
        settled.iter().partition(|s| ended.contains(&s.id));
    for s in lost {
        tracing::error!(order = s.order.number, notice = s.id, state = %s.settled.state,
            "an outcome came too late: the notice is not in our hands any more");
    }
    remember(conn, &settled).await
}

/// Saves all that follows from tries that have ended: what orders and their lines remember, and what was refused.
pub(in crate::store) async fn remember(conn: &mut SqliteConnection, settled: &[&Settlement]) -> Result<()> {
    let Some(first) = settled.first() else { return Ok(()) };
    refusals::follow(conn, settled).await?;
    let over = || settled.iter().copied().filter(|s| s.is_over());
    let orders: Vec<OrderRow> = settled.iter().copied().map(order_row).collect();
    let lines: Vec<LineRow> = over().flat_map(line_rows).collect();
    let told: Vec<SilentRow> = over().flat_map(told_rows).collect();
    let decided: Vec<(String, Decision)> = settled
        .iter()
        .flat_map(|s| s.settled.decided.iter().map(|decision| (s.order.number.clone(), decision.clone())))
        .collect();
    let mut all = Statements::default();
    all.add(ORDERS, some_json(&orders));
    all.add(LINES, some_json(&lines));
    all.add(NEWS_TOLD, some_json(&told));
    all.add(SAVE_DECISIONS, decision_rows(&decided));
    all.run(conn, first.at).await?;
    Ok(())
}

impl Settlement {
    fn is_over(&self) -> bool {
        self.settled.next_try.is_none()
    }
}

fn end_row(s: &Settlement) -> EndRow<'_> {
    EndRow {
        id: &s.id,
        state: s.settled.state,
        next_try: stamp(s.settled.next_try),
        reason: s.settled.reason.map(|reason| reason.as_str()),
        reply: s.reply.as_deref(),
        at: millis(s.at),
        over_at: s.is_over().then(|| millis(s.at)),
        attempt: s.attempt,
        phase: s.phase,
    }
}

fn order_row(s: &Settlement) -> OrderRow<'_> {
    let contact = &s.order.contact;
    OrderRow {
        order: &s.order.number,
        at: millis(s.at),
        over: s.is_over(),
        planned_at: millis(s.notice.planned_at),
        revision: s.look.0,
        look_at: stamp(s.look.1),
        heard_at: stamp(contact.last_at),
        written_to: contact.written_to.as_ref().map(EmailAddress::as_str),
        confirmed: contact.confirmed,
        updated: contact.updated,
        status_tried_on: contact.status_tried_on.map(|day| day.to_string()),
        status_failures: contact.status_failures,
    }
}

fn line_rows(s: &Settlement) -> impl Iterator<Item = LineRow<'_>> {
    let stated = |line: &&Line| s.notice.content.lines.iter().any(|l| l.line == line.id);
    s.order.lines.iter().filter(stated).map(|line| LineRow {
        order: &s.order.number,
        line: &line.id,
        told: line.told.map(|day| day.to_string()),
        tried: line.tried.as_ref().map(to_json),
        overdue_for: line.overdue_for.map(|day| day.to_string()),
        announced: line.announced,
    })
}

/// News that is not owed any more.
fn told_rows(s: &Settlement) -> impl Iterator<Item = SilentRow> {
    let kept = |key: &&EventKey| !s.order.events.iter().any(|n| n.key() == **key);
    s.notice.content.events.iter().filter(kept).map(|key| SilentRow {
        order: s.order.number.clone(),
        kind: key.kind,
        id: key.id.clone(),
    })
}

/// $1: how tries ended; $2: the owner. Only what is in the owner's hands changes: the notices come last, for until then
/// they show whose they are.
const END: &str = "
    update attempts set ended_at = new.at, outcome = new.state, phase = new.phase, reply = new.reply
    from (select value ->> 'id' as id, value ->> 'attempt' as attempt, value ->> 'at' as at,
        value ->> 'state' as state, value ->> 'phase' as phase, value ->> 'reply' as reply from jsonb_each($1)) as new
    where attempts.notice_id = new.id and attempts.number = new.attempt and attempts.ended_at is null
        and exists (select 1 from notices n where n.id = new.id and coalesce(n.owner, '') = $2);

    delete from ledger where notice_id in (select value ->> 'id' from jsonb_each($1));

    update notices set state = new.state, next_try_at = new.next_try, owner = null,
        doubtful = doubtful or new.state = 'in_doubt', reply = new.reply, reason = new.reason, settled_at = new.over_at
    from (select value ->> 'id' as id, value ->> 'state' as state, value ->> 'next_try' as next_try,
        value ->> 'reply' as reply, value ->> 'reason' as reason, value ->> 'over_at' as over_at
        from jsonb_each($1)) as new
    where notices.id = new.id and coalesce(notices.owner, '') = $2
    returning notices.id";

/// A change that came in after the notice was planned goes on settling.
const ORDERS: &str = "update orders set
        plan_at = case when orders.revision = new.revision then new.look_at else new.at end,
        heard_at = new.heard_at, written_to = new.written_to, confirmed = new.confirmed, updated = new.updated,
        status_tried_on = new.status_tried_on, status_failures = new.status_failures,
        settling_first = case when new.over and settling_last <= new.planned_at then null else settling_first end,
        settling_last = case when new.over and settling_last <= new.planned_at then null else settling_last end
    from (select value ->> 'order' as number, value ->> 'at' as at, value ->> 'over' as over,
        value ->> 'revision' as revision, value ->> 'look_at' as look_at, value ->> 'planned_at' as planned_at,
        value ->> 'heard_at' as heard_at, value ->> 'written_to' as written_to,
        value ->> 'confirmed' as confirmed, value ->> 'updated' as updated,
        value ->> 'status_tried_on' as status_tried_on, value ->> 'status_failures' as status_failures
        from jsonb_each($1)) as new
    where orders.number = new.number";

const LINES: &str =
    "update lines set told = new.told, tried = new.tried, overdue_for = new.overdue_for, announced = new.announced
    from (select value ->> 'order' as number, value ->> 'line' as line, value ->> 'told' as told,
        value ->> 'tried' as tried, value ->> 'overdue_for' as overdue_for, value ->> 'announced' as announced
        from jsonb_each($1)) as new
    where lines.order_number = new.number and lines.id = new.line";

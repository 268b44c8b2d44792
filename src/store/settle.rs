//! Outcomes made durable: the notice, the try, what the order and its lines remember, in a few statements whatever
//! their number.

use std::collections::HashSet;

use serde::Serialize;
use sqlx::SqliteConnection;

use super::plan::{NEWS_TOLD, SAVE_DECISIONS, SilentRow, decision_rows};
use super::rows::{some_json, stamp, to_json};
use super::statements::Statements;
use super::{Result, millis, refusals};
use crate::domain::calendar::Instant;
use crate::domain::customer::EmailAddress;
use crate::domain::meaning::Refusal;
use crate::domain::notice::{Decision, NewsKey, Notice, NoticeState};
use crate::domain::order::{Line, Order};
use crate::domain::settle::Settled;

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

#[derive(Serialize)]
struct SettledRow<'a> {
    id: &'a str,
    order: &'a str,
    state: NoticeState,
    next_try: Option<i64>,
    reason: Option<&'static str>,
    reply: Option<&'a str>,
    at: i64,
    /// It is over: nothing more happens to it by itself.
    over: bool,
    attempt: u32,
    phase: Option<&'static str>,
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
    id: &'a str,
    order: &'a str,
    line: &'a str,
    told: Option<String>,
    tried: Option<String>,
    overdue_for: Option<String>,
    announced: bool,
}

/// Saves outcomes, whatever their number, with a few statements in one go; wakes the orders. What is not in the
/// owner's hands any more changes nothing.
pub(super) async fn settle(conn: &mut SqliteConnection, owner: &str, settled: &[Settlement]) -> Result<()> {
    if settled.is_empty() {
        return Ok(());
    }
    let rows: Vec<SettledRow> = settled.iter().map(settled_row).collect();
    let over = |s: &&Settlement| s.settled.next_try.is_none();
    let lines: Vec<LineRow> = settled.iter().filter(over).flat_map(line_rows).collect();
    let settle = sqlx::query_scalar(SETTLE).bind(to_json(&rows)).bind(owner).bind(to_json(&lines));
    let taken: HashSet<String> = settle.fetch_all(&mut *conn).await?.into_iter().collect();
    let (settled, lost): (Vec<&Settlement>, Vec<&Settlement>) =
        settled.iter().partition(|s| taken.contains(&s.id));
    for s in lost {
        tracing::error!(order = s.order.number, notice = s.id, state = %s.settled.state,
            "an outcome came too late: the notice is not in our hands any more");
    }
    refusals::follow(conn, &settled).await?;
    let told: Vec<SilentRow> = settled
        .iter()
        .copied()
        .filter(over)
        .flat_map(|s| {
            let kept = |key: &&NewsKey| !s.order.news.iter().any(|n| n.key() == **key);
            s.notice.content.news.iter().filter(kept).map(|key| SilentRow {
                order: s.order.number.clone(),
                kind: key.kind,
                id: key.id.clone(),
            })
        })
        .collect();
    let decided: Vec<(String, Decision)> = settled
        .iter()
        .flat_map(|s| s.settled.decided.iter().map(|decision| (s.order.number.clone(), decision.clone())))
        .collect();
    let at = settled.first().map(|s| s.at).unwrap_or_default();
    let mut all = Statements::default();
    all.add(NEWS_TOLD, some_json(&told));
    all.add(SAVE_DECISIONS, decision_rows(&decided));
    all.run(conn, at).await?;
    Ok(())
}

fn settled_row(s: &Settlement) -> SettledRow<'_> {
    let heard = &s.order.heard;
    SettledRow {
        id: &s.id,
        order: &s.order.number,
        state: s.settled.state,
        next_try: stamp(s.settled.next_try),
        reason: s.settled.reason.map(|reason| reason.as_str()),
        reply: s.reply.as_deref(),
        at: millis(s.at),
        over: s.settled.next_try.is_none(),
        attempt: s.attempt,
        phase: s.phase,
        planned_at: millis(s.notice.planned_at),
        revision: s.look.0,
        look_at: stamp(s.look.1),
        heard_at: stamp(heard.last_at),
        written_to: heard.written_to.as_ref().map(EmailAddress::as_str),
        confirmed: heard.confirmed,
        updated: heard.updated,
        status_tried_on: heard.status_tried_on.map(|day| day.to_string()),
        status_failures: heard.status_failures,
    }
}

fn line_rows(s: &Settlement) -> impl Iterator<Item = LineRow<'_>> {
    let stated = |line: &&Line| s.notice.content.lines.iter().any(|l| l.line == line.id);
    s.order.lines.iter().filter(stated).map(|line| LineRow {
        id: &s.id,
        order: &s.order.number,
        line: &line.id,
        told: line.told.map(|day| day.to_string()),
        tried: line.tried.as_ref().map(to_json),
        overdue_for: line.overdue_for.map(|day| day.to_string()),
        announced: line.announced,
    })
}

/// $1: outcomes; $2: the owner; $3: lines. Only what is in the owner's hands changes: the notices come last, for until
/// then they show whose they are. A change that came in after the notice was planned goes on settling.
const SETTLE: &str = "
    update orders set
        plan_at = case when orders.revision = new.revision then new.look_at else new.at end,
        heard_at = new.heard_at, written_to = new.written_to, confirmed = new.confirmed, updated = new.updated,
        status_tried_on = new.status_tried_on, status_failures = new.status_failures,
        settling_first = case when new.over and settling_last <= new.planned_at then null else settling_first end,
        settling_last = case when new.over and settling_last <= new.planned_at then null else settling_last end
    from (select value ->> 'id' as id, value ->> 'order' as number, value ->> 'at' as at, value ->> 'over' as over,
        value ->> 'revision' as revision, value ->> 'look_at' as look_at, value ->> 'planned_at' as planned_at,
        value ->> 'heard_at' as heard_at, value ->> 'written_to' as written_to,
        value ->> 'confirmed' as confirmed, value ->> 'updated' as updated,
        value ->> 'status_tried_on' as status_tried_on, value ->> 'status_failures' as status_failures
        from jsonb_each($1)) as new
    where orders.number = new.number
        and exists (select 1 from notices n where n.id = new.id and coalesce(n.owner, '') = $2);

    update lines set told = new.told, tried = new.tried, overdue_for = new.overdue_for, announced = new.announced
    from (select value ->> 'id' as id, value ->> 'order' as number, value ->> 'line' as line, value ->> 'told' as told,
        value ->> 'tried' as tried, value ->> 'overdue_for' as overdue_for, value ->> 'announced' as announced
        from jsonb_each($3)) as new
    where lines.order_number = new.number and lines.id = new.line
        and exists (select 1 from notices n where n.id = new.id and coalesce(n.owner, '') = $2);

    update attempts set ended_at = new.at, outcome = new.state, phase = new.phase, reply = new.reply
    from (select value ->> 'id' as id, value ->> 'attempt' as attempt, value ->> 'at' as at,
        value ->> 'state' as state, value ->> 'phase' as phase, value ->> 'reply' as reply from jsonb_each($1)) as new
    where attempts.notice_id = new.id and attempts.number = new.attempt and attempts.ended_at is null
        and exists (select 1 from notices n where n.id = new.id and coalesce(n.owner, '') = $2);

    delete from ledger where notice_id in (select value ->> 'id' from jsonb_each($1));

    update notices set state = new.state, next_try_at = new.next_try, owner = null,
        doubtful = doubtful or new.state = 'in_doubt', reply = new.reply, reason = new.reason,
        settled_at = case when new.over then new.at else null end
    from (select value ->> 'id' as id, value ->> 'state' as state, value ->> 'next_try' as next_try,
        value ->> 'reply' as reply, value ->> 'reason' as reason, value ->> 'over' as over, value ->> 'at' as at
        from jsonb_each($1)) as new
    where notices.id = new.id and coalesce(notices.owner, '') = $2
    returning notices.id";

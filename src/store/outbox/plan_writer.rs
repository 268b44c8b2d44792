//! What the schedules of some orders come to, saved with a statement for each kind of change.
//!
//! Rows cross over to SQLite as JSON arrays, and none crosses back that need not.

use std::collections::HashSet;

use serde::Serialize;
use sqlx::SqliteConnection;

use crate::domain::calendar::Instant;
use crate::domain::notice::{Decision, NoticeKind};
use crate::domain::order::Order;
use crate::domain::policy::Policy;
use crate::domain::schedule::{Schedule, schedule};
use crate::store::orders::load::parse;
use crate::store::orders::record::{NoticeRow, some_json, to_json};
use crate::store::orders::save::{Changed, Changes, Written};
use crate::store::outbox::decisions::{SAVE_DECISIONS, decision_rows};
use crate::store::sqlite::statements::Statements;
use crate::store::{Result, Store, millis};

/// A notice that was put into the outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    pub order: String,
    pub id: String,
    pub kind: NoticeKind,
}

/// What is to be saved. The rows are texts already: writing them takes long enough to be done before the database waits
/// for it.
#[derive(Default)]
pub(in crate::store) struct PlanWriter {
    planned: Vec<Planned>,
    decided: Option<String>,
    superseded: Option<String>,
    notices: Option<String>,
    orders: Written,
}

/// The same while it is gathered.
#[derive(Default)]
struct Rows {
    planned: Vec<Planned>,
    decided: Vec<(String, Decision)>,
    superseded: Vec<Superseded>,
    notices: Vec<NoticeRow>,
    orders: Changes,
}

/// Notice, reason, and the occasion that takes its place.
type Superseded = (String, &'static str, Option<String>);

impl PlanWriter {
    /// Schedules the orders of a text that [`load_text`](crate::store::orders::load::load_text) loaded.
    pub fn of(found: &str, store: &Store, now: Instant, policy: &Policy) -> Result<Self> {
        let mut rows = Rows::default();
        for order in parse(found)? {
            let plan = schedule(&order, now, policy);
            rows.take(store, order, plan);
        }
        Ok(rows.written())
    }

    /// Saves it within the caller's transaction; says what is in the outbox now.
    pub async fn save(self, conn: &mut SqliteConnection, now: Instant) -> Result<Vec<Planned>> {
        let mut all = Statements::default();
        all.add(SUPERSEDE, self.superseded);
        all.add(INSERT_NOTICES, self.notices);
        let mut planned = self.planned;
        if !planned.is_empty() {
            all.count();
        }
        self.orders.add_to(&mut all);
        all.add(SAVE_DECISIONS, self.decided);
        let inserted: i64 = all.run(conn, now).await?.into_iter().sum();
        if usize::try_from(inserted).ok() != Some(planned.len()) {
            drop_used_up(conn, &mut planned, now).await?;
        }
        Ok(planned)
    }
}

impl Rows {
    fn take(&mut self, store: &Store, order: Order, plan: Schedule) {
        let id = plan.due.as_ref().map(|notice| store.notice_id(&order.number, notice));
        if plan.changes_nothing_of(&order) {
            self.orders.take_look(&order, plan.plan_at);
        } else {
            let mut after = order.clone();
            after.adopt(&plan, |_| id.clone().unwrap_or_default());
            self.orders.take(&Changed { before: Some(&order), after: &after, look: plan.plan_at });
        }
        if let (Some(reason), Some(old)) = (plan.superseded, order.under_way) {
            let by = plan.due.as_ref().map(|notice| notice.occasion.clone());
            self.superseded.push((old.id, reason.as_str(), by));
        }
        self.decided.extend(plan.dropped.into_iter().map(|decision| (order.number.clone(), decision)));
        if let (Some(notice), Some(id)) = (plan.due, id) {
            self.notices.push(NoticeRow::from_notice(id.clone(), &order.number, &notice));
            self.planned.push(Planned { kind: notice.kind, order: order.number, id });
        }
    }

    fn written(self) -> PlanWriter {
        let notices: Vec<_> = self.notices.iter().map(values).collect();
        PlanWriter {
            superseded: some_json(&self.superseded),
            notices: some_json(&notices),
            orders: self.orders.written(),
            planned: self.planned,
            decided: decision_rows(&self.decided),
        }
    }
}

/// What is written of a new notice, as [`INSERT_NOTICES`] reads it.
fn values(row: &NoticeRow) -> impl Serialize + '_ {
    (
        &row.id,
        &row.order_number,
        &row.kind,
        &row.occasion,
        &row.state,
        &row.email,
        &row.includes,
        &row.lines,
        &row.news,
        row.planned_at,
        row.useful_until,
        &row.replaces_status,
        row.urgency,
        &row.rules,
    )
}

/// Takes out what was not inserted, for its occasion is used up.
async fn drop_used_up(conn: &mut SqliteConnection, planned: &mut Vec<Planned>, now: Instant) -> Result<()> {
    const INSERTED: &str = "select id from notices where id in (select value from json_each($1))
        and state = 'queued' and planned_at = $2";
    let ids: Vec<&str> = planned.iter().map(|planned| planned.id.as_str()).collect();
    let inserted: Vec<String> =
        sqlx::query_scalar(INSERTED).bind(to_json(&ids)).bind(millis(now)).fetch_all(conn).await?;
    let inserted: HashSet<String> = inserted.into_iter().collect();
    planned.retain(|planned| {
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
    Ok(())
}

const SUPERSEDE: &str = "update notices set state = 'superseded', next_try_at = null, settled_at = $2,
        reason = old.reason, by_occasion = old.by
    from (select value ->> 0 as id, value ->> 1 as reason, value ->> 2 as by from jsonb_each($1)) as old
    where notices.id = old.id and notices.state <> 'sending'";

/// The next try is when it was planned.
const INSERT_NOTICES: &str = "insert into notices (id, order_number, kind, occasion, state, email, includes, lines,
        news, planned_at, useful_until, replaces_status, urgency, next_try_at, must_be_known, tells_event, is_first,
        may_repeat, loses_use, is_renewable)
    select value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7,
        value ->> 8, value ->> 9, value ->> 10, value ->> 11, value ->> 12, value ->> 9,
        value ->> '$[13].must_be_known', value ->> '$[13].tells_event', value ->> '$[13].is_first',
        value ->> '$[13].may_repeat', value ->> '$[13].loses_use', value ->> '$[13].is_renewable'
    from jsonb_each($1) where true on conflict do nothing";

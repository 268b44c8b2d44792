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
use crate::store::orders::record::{ContactRow, NoticeRow, some_json, stamp, to_json};
use crate::store::outbox::plan::{NEWS_TOLD, Planned, SAVE_DECISIONS, SilentRow, decision_rows};
use crate::store::sqlite::statements::Statements;
use crate::store::{Result, Store, millis};

/// What is to be saved. The rows are texts already: writing them takes long enough to be done before the database waits
/// for it.
#[derive(Default)]
pub(in crate::store) struct PlanWriter {
    planned: Vec<Planned>,
    decided: Option<String>,
    superseded: Option<String>,
    notices: Option<String>,
    tried: Option<String>,
    silent: Option<String>,
    looks: Option<String>,
    contact: Option<String>,
}

/// The same while it is gathered.
#[derive(Default)]
struct Rows {
    planned: Vec<Planned>,
    decided: Vec<(String, Decision)>,
    superseded: Vec<Superseded>,
    notices: Vec<NoticeRow>,
    tried: Vec<Tried>,
    silent: Vec<SilentRow>,
    looks: Vec<Look>,
    contact: Vec<ContactState>,
}

/// Notice, reason, and the occasion that takes its place.
type Superseded = (String, &'static str, Option<String>);
/// Order, line, and what was tried.
type Tried = (String, String, Option<String>);
/// Order, and when to look at it again: mostly all there is to save.
type Look = (String, Option<i64>);
/// All that an order remembers and a schedule may change, as [`SAVE_HEARD`] reads it.
#[derive(Serialize)]
struct ContactState(
    String,
    Option<i64>,
    Option<i64>,
    Option<&'static str>,
    Option<i64>,
    bool,
    bool,
    Option<String>,
    u32,
    u32,
    u32,
    Option<i64>,
    Option<i64>,
);

impl PlanWriter {
    /// Schedules the orders of a text that [`load_text`](crate::store::orders::load::load_text) loaded.
    pub fn of(found: &str, store: &Store, now: Instant, policy: &Policy) -> Result<Self> {
        let mut rows = Rows::default();
        for order in parse(found)? {
            let plan = schedule(&order, now, policy);
            rows.take(store, &order, plan);
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
        all.add(SAVE_TRIED, self.tried);
        all.add(NEWS_TOLD, self.silent);
        all.add(SAVE_LOOKS, self.looks);
        all.add(SAVE_HEARD, self.contact);
        all.add(SAVE_DECISIONS, self.decided);
        let inserted: i64 = all.run(conn, now).await?.into_iter().sum();
        if usize::try_from(inserted).ok() != Some(planned.len()) {
            drop_used_up(conn, &mut planned, now).await?;
        }
        Ok(planned)
    }
}

impl Rows {
    fn take(&mut self, store: &Store, order: &Order, plan: Schedule) {
        let number = &order.number;
        if let (Some(reason), Some(old)) = (plan.superseded, &order.under_way) {
            let by = plan.due.as_ref().map(|notice| notice.occasion.clone());
            self.superseded.push((old.id.clone(), reason.as_str(), by));
            if old.doubtful {
                let mut after = order.clone();
                after.adopt(&plan, |_| String::new());
                let tried = |tried| to_json(&tried);
                self.tried.extend(
                    after.lines.into_iter().map(|line| (number.clone(), line.id, line.tried.map(tried))),
                );
            }
        }
        self.silent.extend(plan.silent.iter().map(|key| SilentRow {
            order: number.clone(),
            kind: key.kind,
            id: key.id.clone(),
        }));
        if plan.contact == order.contact && plan.blast_hold == order.blast_hold {
            self.looks.push((number.clone(), stamp(plan.plan_at)));
        } else {
            self.contact.push(ContactState::of(number.clone(), &plan));
        }
        self.decided.extend(plan.dropped.into_iter().map(|decision| (number.clone(), decision)));
        if let Some(notice) = plan.due {
            let id = store.notice_id(number, &notice);
            self.notices.push(NoticeRow::from_notice(id.clone(), number, &notice));
            self.planned.push(Planned { order: number.clone(), id, kind: notice.kind });
        }
    }

    fn written(self) -> PlanWriter {
        let notices: Vec<_> = self.notices.iter().map(values).collect();
        PlanWriter {
            superseded: some_json(&self.superseded),
            notices: some_json(&notices),
            tried: some_json(&self.tried),
            silent: some_json(&self.silent),
            looks: some_json(&self.looks),
            contact: some_json(&self.contact),
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

impl ContactState {
    fn of(number: String, plan: &Schedule) -> Self {
        let row = ContactRow::from_heard(&plan.contact);
        Self(
            number,
            stamp(plan.plan_at),
            plan.blast_hold.map(|hold| hold.batch),
            plan.blast_hold.and_then(|hold| hold.kind).map(NoticeKind::as_str),
            row.heard_at,
            row.confirmed,
            row.updated,
            row.status_tried_on,
            row.status_failures,
            row.changes,
            row.restocks,
            row.settling_first,
            row.settling_last,
        )
    }
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

const SAVE_TRIED: &str = "update lines set tried = new.tried
    from (select value ->> 0 as number, value ->> 1 as line, value ->> 2 as tried from jsonb_each($1)) as new
    where lines.order_number = new.number and lines.id = new.line";

const SAVE_LOOKS: &str = "update orders set plan_at = new.plan_at
    from (select value ->> 0 as number, value ->> 1 as plan_at from jsonb_each($1)) as new
    where orders.number = new.number";

const SAVE_HEARD: &str =
    "update orders set plan_at = new.plan_at, hold_batch = new.hold_batch, hold_kind = new.hold_kind,
        heard_at = new.heard_at, confirmed = new.confirmed, updated = new.updated,
        status_tried_on = new.status_tried_on, status_failures = new.status_failures, changes = new.changes,
        restocks = new.restocks, settling_first = new.settling_first, settling_last = new.settling_last
    from (select value ->> 0 as number, value ->> 1 as plan_at, value ->> 2 as hold_batch, value ->> 3 as hold_kind,
        value ->> 4 as heard_at, value ->> 5 as confirmed, value ->> 6 as updated, value ->> 7 as status_tried_on,
        value ->> 8 as status_failures, value ->> 9 as changes, value ->> 10 as restocks,
        value ->> 11 as settling_first, value ->> 12 as settling_last from jsonb_each($1)) as new
    where orders.number = new.number";

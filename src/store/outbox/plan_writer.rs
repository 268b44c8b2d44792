//! What the schedules of some orders come to, saved with a statement for each kind of change.
//!
//! None crosses back that need not.

use std::collections::HashSet;
use std::sync::LazyLock;

use serde::Serialize;
use sqlx::SqliteConnection;

use crate::domain::calendar::Instant;
use crate::domain::notice::{Decision, Notice, NoticeKind};
use crate::domain::order::Order;
use crate::domain::policy::Policy;
use crate::domain::schedule::{Schedule, schedule};
use crate::store::orders::load::parse;
use crate::store::orders::record::{KindRow, NoticeRow, some_json, to_json};
use crate::store::orders::save::{Changed, Changes, Written};
use crate::store::outbox::decisions::{SAVE_DECISIONS, decision_rows};
use crate::store::sqlite::dialect::{LISTED, insert_new, sql, tuples};
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
    notices: Vec<NewNotice>,
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
        all.add(&SUPERSEDE, self.superseded);
        all.add(&INSERT_NOTICES, self.notices);
        let mut planned = self.planned;
        if !planned.is_empty() {
            all.count();
        }
        self.orders.add_to(&mut all);
        all.add(&SAVE_DECISIONS, self.decided);
        let inserted: i64 = all.run(conn, now).await?.into_iter().sum();
        if usize::try_from(inserted).ok() != Some(planned.len()) {
            drop_used_up(conn, &mut planned, now).await?;
        }
        Ok(planned)
    }
}

/// A notice that is put into the outbox.
#[derive(Serialize)]
struct NewNotice {
    #[serde(flatten)]
    notice: NoticeRow,
    #[serde(flatten)]
    kind: KindRow,
    /// The first try is when it was planned.
    next_try_at: i64,
}

impl NewNotice {
    fn of(id: String, order: &str, notice: &Notice) -> Self {
        let row = NoticeRow::from_notice(id, order, notice);
        Self { next_try_at: row.planned_at, notice: row, kind: notice.kind.rules().into() }
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
            self.notices.push(NewNotice::of(id.clone(), &order.number, &notice));
            self.planned.push(Planned { kind: notice.kind, order: order.number, id });
        }
    }

    fn written(self) -> PlanWriter {
        PlanWriter {
            superseded: some_json(&self.superseded),
            notices: some_json(&self.notices),
            orders: self.orders.written(),
            planned: self.planned,
            decided: decision_rows(&self.decided),
        }
    }
}

/// Takes out what was not inserted, for its occasion is used up.
async fn drop_used_up(conn: &mut SqliteConnection, planned: &mut Vec<Planned>, now: Instant) -> Result<()> {
    sql!(
        INSERTED = "select id from notices where id in {LISTED}
        and state = 'queued' and planned_at = $2"
    );
    let ids: Vec<&str> = planned.iter().map(|planned| planned.id.as_str()).collect();
    let inserted: Vec<String> =
        sqlx::query_scalar(INSERTED.as_str()).bind(to_json(&ids)).bind(millis(now)).fetch_all(conn).await?;
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

sql!(
    SUPERSEDE = "update notices set state = 'superseded', next_try_at = null, settled_at = $2,
        reason = old.reason, by_occasion = old.by
    from {} as old
    where notices.id = old.id and notices.state <> 'sending'",
    tuples("$1", &["id", "reason", "by"])
);

static INSERT_NOTICES: LazyLock<String> = LazyLock::new(|| {
    insert_new("notices", &[NoticeRow::COLUMNS, KindRow::COLUMNS, &["next_try_at"]].concat())
});

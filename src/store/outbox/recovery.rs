//! What ends outside of a dialogue: what lost its use while it waited, and what a dead owner left behind.

use std::collections::HashMap;
use std::sync::LazyLock;

use sqlx::{AssertSqlSafe, SqliteConnection};

use crate::domain::calendar::Instant;
use crate::domain::notice::Reason;
use crate::domain::order::Order;
use crate::domain::order::settle::Outcome;
use crate::domain::policy::Policy;
use crate::domain::reply::Phase;
use crate::store::orders::load::load;
use crate::store::orders::record::{NoticeRow, to_json};
use crate::store::outbox::claim::{STATE_BEFORE, WAKE_ORDERS};
use crate::store::outbox::journal::{Left, left_in_hand};
use crate::store::outbox::outcome::{Settlement, TriedNotice};
use crate::store::outbox::settlement::settle;
use crate::store::sqlite::dialect::{LISTED, sql};
use crate::store::{Result, Store, instant, millis};

impl Store {
    /// Settles what has lost its use while it waited. Says how many.
    pub async fn expire(&self, now: Instant, policy: &Policy) -> Result<usize> {
        let may_be: Option<String> = sqlx::query_scalar(EXPIRED.as_str())
            .bind(millis(now))
            .fetch_optional(&mut *self.readers.acquire().await?)
            .await?;
        if may_be.is_none() {
            return Ok(0);
        }
        let mut tx = self.begin("expire").await?;
        // Asked again where nobody can take one meanwhile.
        let expired: Vec<String> =
            sqlx::query_scalar(EXPIRED.as_str()).bind(millis(now)).fetch_all(&mut *tx).await?;
        let words = Some("it had lost its use before it was accepted");
        let ending = Ending { words, ..Ending::of(Outcome::Expired, now) };
        self.settle_all(&mut tx, &expired, ending, policy).await?;
        tx.commit().await?;
        Ok(expired.len())
    }

    /// At a start: what a dead owner had taken goes back, what had begun to leave is in doubt, and what a server had
    /// accepted is entered. Says how many went back, and how many are in doubt.
    pub async fn recover(&self, now: Instant, policy: &Policy) -> Result<(usize, usize)> {
        static BACK: LazyLock<String> = LazyLock::new(|| {
            format!(
                "update notices set owner = null, next_try_at = $2, state = {STATE_BEFORE}
                where id in {LISTED}"
            )
        });
        sql!(
            CUT_SHORT = "update attempts set ended_at = $2, outcome = 'interrupted'
            where ended_at is null and notice_id in {LISTED}"
        );
        let mut tx = self.begin("recover").await?;
        let (mut taken, mut begun) = (Vec::new(), Vec::new());
        for (id, left) in left_in_hand(&mut tx).await? {
            match left {
                Left::Taken => taken.push(id),
                Left::Begun => begun.push(id),
                Left::Accepted(at, reply) => {
                    let (phase, words) = (Some(Phase::Body), Some(reply.as_str()));
                    let accepted = Ending { phase, words, ..Ending::of(Outcome::Accepted, instant(at)) };
                    self.settle_all(&mut tx, &[id], accepted, policy).await?;
                }
            }
        }
        if !taken.is_empty() {
            sqlx::query(BACK.as_str()).bind(to_json(&taken)).bind(millis(now)).execute(&mut *tx).await?;
            sqlx::query(CUT_SHORT.as_str()).bind(to_json(&taken)).bind(millis(now)).execute(&mut *tx).await?;
            sqlx::query(WAKE_ORDERS.as_str())
                .bind(to_json(&taken))
                .bind(millis(now))
                .execute(&mut *tx)
                .await?;
        }
        let words = Some("shipby stopped before the server answered");
        let doubt = Ending { words, ..Ending::of(Outcome::Doubtful { again: false }, now) };
        self.settle_all(&mut tx, &begun, doubt, policy).await?;
        tx.commit().await?;
        Ok((taken.len(), begun.len()))
    }

    /// What waits and is due, or may have been read already; what goes first stands first.
    pub async fn due(&self, now: Instant) -> Result<Vec<Due>> {
        let due = sqlx::query_as(DUE).bind(millis(now)).bind(-1);
        Ok(due.fetch_all(&mut *self.readers.acquire().await?).await?)
    }

    /// Holds what [`Store::due`] says until a person releases it. Says how many.
    pub async fn hold_due(&self, now: Instant, policy: &Policy) -> Result<usize> {
        const STEP: i64 = 1000;
        let held = Ending::of(Outcome::Held(Reason::Restored), now);
        let mut all = 0;
        loop {
            let mut tx = self.begin("hold_due").await?;
            let due: Vec<Due> = sqlx::query_as(DUE).bind(millis(now)).bind(STEP).fetch_all(&mut *tx).await?;
            if due.is_empty() {
                return Ok(all);
            }
            all += due.len();
            let ids: Vec<String> = due.into_iter().map(|due| due.id).collect();
            self.settle_all(&mut tx, &ids, held, policy).await?;
            tx.commit().await?;
        }
    }

    /// When something was last recorded, tried or answered; None in a new database.
    pub async fn last_known(&self) -> Result<Option<Instant>> {
        const LAST: &str = "select max(at) from (select max(recorded_at) as at from facts
            union all select max(started_at) from attempts union all select max(ended_at) from attempts)";
        let last: Option<i64> =
            sqlx::query_scalar(LAST).fetch_one(&mut *self.readers.acquire().await?).await?;
        Ok(last.map(instant))
    }

    /// Settles notices outside a dialogue, all alike.
    pub(in crate::store) async fn settle_all(
        &self,
        conn: &mut SqliteConnection,
        ids: &[String],
        ending: Ending<'_>,
        policy: &Policy,
    ) -> Result<()> {
        let Ending { outcome, at, phase, words } = ending;
        if ids.is_empty() {
            return Ok(());
        }
        let rows = format!(
            "select {}, attempts, owner,
                (select revision from orders where number = notices.order_number) as revision
            from notices where id in {LISTED}",
            NoticeRow::columns()
        );
        let rows: Vec<TriedRow> =
            sqlx::query_as(AssertSqlSafe(rows)).bind(to_json(ids)).fetch_all(&mut *conn).await?;
        let numbers: Vec<String> = rows.iter().map(|row| row.notice.order_number.clone()).collect();
        let mut orders: HashMap<String, Order> =
            load(conn, &numbers).await?.into_iter().map(|order| (order.number.clone(), order)).collect();
        let mut by_owner: HashMap<String, Vec<Settlement>> = HashMap::new();
        for row in rows {
            let Some(order) = orders.remove(&row.notice.order_number) else { continue };
            let again = row.notice.doubtful;
            let under_way = row.notice.into_under_way()?;
            let outcome = match outcome {
                Outcome::Doubtful { .. } => Outcome::Doubtful { again },
                // Time does not resolve a doubt.
                Outcome::Expired if again => Outcome::Doubtful { again },
                other => other,
            };
            let tried = TriedNotice {
                id: under_way.id,
                notice: under_way.notice,
                order,
                revision: row.revision,
                attempt: row.attempts,
            };
            let settlement = Settlement {
                phase: phase.map(Phase::as_str),
                reply: words.map(str::to_owned),
                look: Some(at),
                ..Settlement::of(tried, outcome, at, policy)
            };
            by_owner.entry(row.owner.unwrap_or_default()).or_default().push(settlement);
        }
        for (owner, settlements) in by_owner {
            settle(conn, &owner, &settlements, policy).await?;
        }
        Ok(())
    }
}

/// Notices that can lose their use, in SQL: the conditions of an index, word for word. What must be known and was never
/// tried, or was refused for what is not its fault, does not: a fault of ours is no reason to be silent.
pub(in crate::store) const MAY_EXPIRE: &str =
    "next_try_at is not null and (state <> 'queued' or loses_use = 1)";

sql!(EXPIRED = "select id from notices where {MAY_EXPIRE} and useful_until <= $1 limit 1000");

/// What notices come to outside of a dialogue.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) struct Ending<'a> {
    outcome: Outcome,
    at: Instant,
    /// Of the dialogue it came to, where there was one.
    phase: Option<Phase>,
    /// The server's words, or ours.
    words: Option<&'a str>,
}

impl Ending<'_> {
    /// Nothing is said of it.
    pub fn of(outcome: Outcome, at: Instant) -> Self {
        Self { outcome, at, phase: None, words: None }
    }
}

/// A notice that waits and is due.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Due {
    id: String,
    #[sqlx(rename = "order_number")]
    pub order: String,
    pub kind: String,
}

/// $1: now; $2: how many at most, all if negative.
const DUE: &str = "select id, order_number, kind from notices
    where next_try_at is not null and (next_try_at <= $1 or state = 'in_doubt')
    order by urgency, next_try_at, planned_at, order_number limit $2";

#[derive(sqlx::FromRow)]
struct TriedRow {
    #[sqlx(flatten)]
    notice: NoticeRow,
    attempts: u32,
    owner: Option<String>,
    revision: i64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::explain::steps;

    #[tokio::test]
    async fn what_may_expire_is_found_by_its_index() {
        assert_eq!(steps(&EXPIRED).await, ["SEARCH notices USING INDEX notices_expiring (useful_until<?)"]);
    }
}

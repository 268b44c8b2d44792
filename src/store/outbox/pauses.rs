//! Pauses, and the look for what is not held back by one.
//!
//! What always holds: without a pause nothing is asked for one row more; what was seen to be paused is not walked
//! again at every look.

use std::collections::HashSet;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use chrono::TimeDelta;
use sqlx::SqliteConnection;

use crate::domain::calendar::Instant;
use crate::domain::pause::{Pause, Scope, Setter};
use crate::store::orders::record::{stamp, unknown, word};
use crate::store::{Result, Store, instant, millis};

/// The notice `n` is held back at $1, in SQL: [`Scope::holds`] over the rows. The cross join keeps SQLite from reading
/// an order's lines where no SKU is paused.
pub(in crate::store) const PAUSED: &str = "(exists (select 1 from pauses) and (
        exists (select 1 from pauses p where p.scope = 'all' and coalesce(p.until > $1, true))
        or exists (select 1 from pauses p
            where p.scope = 'order' and p.subject = n.order_number and coalesce(p.until > $1, true))
        or exists (select 1 from pauses p
            where p.scope = 'kind' and p.subject = n.kind and coalesce(p.until > $1, true))
        or exists (select 1 from pauses p
            where p.scope = 'domain' and p.subject = substr(n.email, instr(n.email, '@') + 1)
                and coalesce(p.until > $1, true))
        or exists (select 1 from pauses p cross join lines l
            where p.scope = 'sku' and coalesce(p.until > $1, true) and l.order_number = n.order_number
                and l.sku = p.subject and l.open_units > 0 and l.kind <> 'in_stock')))";

/// When something in the outbox is to be tried next, and whether there are pauses, in SQL: two columns. One look into the
/// index for each urgency, however much waits.
pub(in crate::store) const NEXT_IN_OUTBOX: &str = "(select min(at) from (
            select min(next_try_at) as at from notices where urgency = 1 and next_try_at is not null
            union all select min(next_try_at) from notices where urgency = 2 and next_try_at is not null)),
        exists (select 1 from pauses)";

/// What was seen to be paused is looked at again after so long: its order may have come to wait for something else.
/// What is younger is looked at each time, for a planner's turn may still be adding to it.
const AGAIN: TimeDelta = TimeDelta::minutes(1);

/// How far the outbox was walked and all of it found paused.
#[derive(Debug, Clone, Default)]
pub(in crate::store) struct Walked(Arc<Mutex<Option<Walk>>>);

#[derive(Debug, Clone)]
struct Walk {
    /// The pauses it was walked under.
    pauses: Vec<Pause>,
    /// When it was walked from its beginning.
    at: Instant,
    /// All notices to be tried before are paused.
    before: Instant,
}

/// What a look into the outbox found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) struct Look {
    /// When there is something to do next.
    pub next: Option<Instant>,
    /// Nothing to be tried before needs to be looked at.
    pub from: Instant,
}

#[derive(sqlx::FromRow)]
struct PauseRow {
    scope: String,
    subject: String,
    reason: String,
    set_by: String,
    since: i64,
    until: Option<i64>,
}

impl PauseRow {
    fn into_pause(self) -> Result<Pause> {
        Ok(Pause {
            scope: Scope::from_parts(&self.scope, self.subject)
                .ok_or_else(|| unknown("the scope of a pause", &self.scope))?,
            reason: self.reason,
            by: word("who pauses", &self.set_by, Setter::from_word)?,
            since: instant(self.since),
            until: self.until.map(instant),
        })
    }
}

const ENDED: &str = "delete from pauses where until <= $1";

/// Holds mail back within the caller's transaction, unless the scope is held back already. Says whether it is new.
pub(in crate::store) async fn hold(conn: &mut SqliteConnection, pause: &Pause) -> Result<bool> {
    const HOLD: &str =
        "insert into pauses (scope, subject, reason, since, until, set_by) values ($1, $2, $3, $4, $5, $6)
        on conflict do nothing";
    let (scope, subject) = pause.scope.parts();
    sqlx::query(ENDED).bind(millis(pause.since)).execute(&mut *conn).await?;
    let hold = sqlx::query(HOLD).bind(scope).bind(subject).bind(&pause.reason).bind(millis(pause.since));
    let held = hold.bind(stamp(pause.until)).bind(pause.by.as_str()).execute(conn).await?;
    Ok(held.rows_affected() > 0)
}

/// All pauses, also those that have ended by themselves.
pub(in crate::store) async fn all_pauses<'c>(conn: impl sqlx::SqliteExecutor<'c>) -> Result<Vec<Pause>> {
    const PAUSES: &str =
        "select scope, subject, reason, set_by, since, until from pauses order by scope, subject";
    let rows: Vec<PauseRow> = sqlx::query_as(PAUSES).fetch_all(conn).await?;
    rows.into_iter().map(PauseRow::into_pause).collect()
}

impl Store {
    /// The pauses in force at `now`: that of all mail first, then by scope and subject.
    pub async fn pauses(&self, now: Instant) -> Result<Vec<Pause>> {
        let mut pauses = all_pauses(&mut *self.readers.acquire().await?).await?;
        pauses.retain(|pause| pause.in_force(now));
        Ok(pauses)
    }

    /// Pauses, in place of a pause of the same scope, which goes on: its beginning stays. Says since when it pauses.
    pub async fn pause(&self, pause: &Pause) -> Result<Instant> {
        const PAUSE: &str =
            "insert into pauses (scope, subject, reason, since, until, set_by) values ($1, $2, $3, $4, $5, $6)
            on conflict (scope, subject) do update set reason = excluded.reason, until = excluded.until,
                set_by = excluded.set_by
            returning since";
        let (scope, subject) = pause.scope.parts();
        let mut tx = self.begin("pause").await?;
        sqlx::query(ENDED).bind(millis(pause.since)).execute(&mut *tx).await?;
        let insert = sqlx::query_scalar(PAUSE).bind(scope).bind(subject).bind(&pause.reason);
        let since: i64 = insert
            .bind(millis(pause.since))
            .bind(stamp(pause.until))
            .bind(pause.by.as_str())
            .fetch_one(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(instant(since))
    }

    /// Ends the pause of a scope. None if it was not paused at `now`.
    pub async fn resume(&self, scope: &Scope, now: Instant) -> Result<Option<Pause>> {
        const RESUME: &str = "delete from pauses where scope = $1 and subject = $2
            returning scope, subject, reason, set_by, since, until";
        let (word, subject) = scope.parts();
        let ended: Option<PauseRow> = sqlx::query_as(RESUME)
            .bind(word)
            .bind(subject)
            .fetch_optional(&mut *self.writer.acquire().await?)
            .await?;
        Ok(ended.map(PauseRow::into_pause).transpose()?.filter(|pause| pause.in_force(now)))
    }

    /// Whether an order or a supply was ever of this SKU.
    pub async fn knows_sku(&self, sku: &str) -> Result<bool> {
        const KNOWN: &str = "select exists (select 1 from supplies where sku = $1)
            or exists (select 1 from lines where sku = $1)";
        Ok(sqlx::query_scalar(KNOWN).bind(sku).fetch_one(&mut *self.readers.acquire().await?).await?)
    }

    /// The orders whose notice under way is held back at `now`.
    pub async fn held_back(&self, now: Instant) -> Result<HashSet<String>> {
        static HELD_BACK: LazyLock<String> = LazyLock::new(|| {
            format!("select n.order_number from notices n where n.next_try_at is not null and {PAUSED}")
        });
        let held: Vec<String> = sqlx::query_scalar(HELD_BACK.as_str())
            .bind(millis(now))
            .fetch_all(&mut *self.readers.acquire().await?)
            .await?;
        Ok(held.into_iter().collect())
    }

    /// When the dispatcher has to work next, asked at `now`; None while nothing is to be sent. The end of a pause is
    /// such a moment.
    pub async fn next_try(&self, now: Instant) -> Result<Option<Instant>> {
        Ok(self.look(now).await?.next)
    }

    /// From where on the outbox is worth looking at: what is before is known to be paused.
    pub(in crate::store) async fn worth_looking_from(&self, now: Instant) -> Result<Instant> {
        let known = self.walked.0.lock().unwrap_or_else(PoisonError::into_inner).is_some();
        // Nothing was ever seen to be paused: a question more would cost more than it could save.
        if known { Ok(self.look(now).await?.from) } else { Ok(Instant::UNIX_EPOCH) }
    }

    /// Where in the outbox the next notice stands that is not held back.
    async fn look(&self, now: Instant) -> Result<Look> {
        static NEXT: LazyLock<String> = LazyLock::new(|| format!("select {NEXT_IN_OUTBOX}"));
        let (next, paused) =
            sqlx::query_as(NEXT.as_str()).fetch_one(&mut *self.readers.acquire().await?).await?;
        self.look_at(next, paused, now).await
    }

    /// The same with what [`NEXT_IN_OUTBOX`] found.
    pub(in crate::store) async fn look_at(
        &self,
        next: Option<i64>,
        paused: bool,
        now: Instant,
    ) -> Result<Look> {
        let next = next.map(instant);
        if !paused || next.is_none() {
            return Ok(Look { next, from: Instant::UNIX_EPOCH });
        }
        let pauses = self.pauses(now).await?;
        if pauses.is_empty() {
            return Ok(Look { next, from: Instant::UNIX_EPOCH });
        }
        self.look_past(pauses, now).await
    }

    /// The same while something is paused.
    async fn look_past(&self, pauses: Vec<Pause>, now: Instant) -> Result<Look> {
        static OPEN: LazyLock<String> = LazyLock::new(|| {
            format!(
                "select next_try_at from notices n where n.urgency = $3 and n.next_try_at >= $2 and not {PAUSED}
                order by n.next_try_at limit 1"
            )
        });
        let walked = self.walked.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let known = walked.filter(|w| w.pauses == pauses && (w.at..w.at + AGAIN).contains(&now));
        let Walk { at, before, .. } =
            known.unwrap_or(Walk { pauses: Vec::new(), at: now, before: Instant::UNIX_EPOCH });
        let mut next: Option<Instant> = None;
        // Where everything is paused nothing is looked at.
        if !pauses.iter().any(|pause| pause.scope == Scope::All) {
            for urgency in [1, 2] {
                let open =
                    sqlx::query_scalar(OPEN.as_str()).bind(millis(now)).bind(millis(before)).bind(urgency);
                let open: Option<i64> = open.fetch_optional(&mut *self.readers.acquire().await?).await?;
                next = next.into_iter().chain(open.map(instant)).min();
            }
        }
        let seen = next.unwrap_or(now).min(now - AGAIN).max(before);
        let end = pauses.iter().filter_map(|pause| pause.until).min();
        *self.walked.0.lock().unwrap_or_else(PoisonError::into_inner) =
            Some(Walk { pauses, at, before: seen });
        Ok(Look { next: next.into_iter().chain(end).min(), from: seen })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::notice::NoticeKind;
    use crate::store::Durability;

    fn at(text: &str) -> Instant {
        text.parse().unwrap()
    }

    /// An order of a SKU with a confirmation that waits since `since`.
    async fn waits(store: &Store, number: &str, sku: &str, since: Instant) {
        let order =
            "insert into orders (number, at, placed_at, recorded_at, status) values ($1, 0, 0, 0, 'waiting')";
        let line = "insert into lines (order_number, key, id, position, sku, placed_at, title, quantity, open_units, kind)
            values ($1, '1', '1', 0, $2, 0, 'Thing', 1, 1, 'backorder')";
        let notice =
            "insert into notices (id, order_number, kind, occasion, state, email, includes, lines, news,
            planned_at, useful_until, urgency, next_try_at)
            values ($1, $1, $3, $3, 'queued', 'a@b.example', '[]', '[]', '[]', $2, $2, 1, $2)";
        sqlx::query(order).bind(number).execute(&mut *store.writer.acquire().await.unwrap()).await.unwrap();
        sqlx::query(line)
            .bind(number)
            .bind(sku)
            .execute(&mut *store.writer.acquire().await.unwrap())
            .await
            .unwrap();
        sqlx::query(notice)
            .bind(number)
            .bind(millis(since))
            .bind(NoticeKind::Confirmation.as_str())
            .execute(&mut *store.writer.acquire().await.unwrap())
            .await
            .unwrap();
    }

    #[tokio::test]
    async fn what_was_seen_to_be_paused_is_walked_again_once_a_minute_or_when_the_pauses_change() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("shipby.db"), Durability::None).await.unwrap();
        let start = at("2026-03-02T08:00:00Z");
        let scope = Scope::Sku("KETTLE".to_owned());
        let pause = Pause {
            scope: scope.clone(),
            reason: "a recall".to_owned(),
            by: Setter::Person,
            since: start,
            until: None,
        };
        waits(&store, "1", "KETTLE", start).await;
        waits(&store, "2", "KETTLE", start).await;
        let look = async |seconds| {
            let Look { next, from } = store.look(start + TimeDelta::seconds(seconds)).await.unwrap();
            let after = |at: Instant| (at - start).num_seconds();
            (next.map(after), after(from.max(start)))
        };
        assert_eq!(look(100).await, (Some(0), 0), "nothing is paused");
        store.pause(&pause).await.unwrap();
        assert_eq!(look(100).await, (None, 40), "what is older than a minute is passed over");
        waits(&store, "3", "POT", start + TimeDelta::seconds(105)).await;
        assert_eq!(look(110).await, (Some(105), 50));
        // One of them is not paused any more without any word of it.
        let change = "update lines set sku = 'PAN' where order_number = '1'";
        sqlx::query(change).execute(&mut *store.writer.acquire().await.unwrap()).await.unwrap();
        assert_eq!(look(159).await, (Some(105), 99), "it was not looked at");
        assert_eq!(look(160).await, (Some(0), 0));
        store.pause(&Pause { scope: Scope::Sku("PAN".to_owned()), ..pause }).await.unwrap();
        assert_eq!(look(161).await, (Some(105), 101));
        store.resume(&scope, start).await.unwrap();
        assert_eq!(look(162).await, (Some(0), 0), "a change of the pauses is seen at once");
    }
}

//! What a person does to notices by filter: try again, hold, release, drop.
//!
//! What always holds: what is on its way this very moment is left alone; an order has one notice under way at a time;
//! and an order that waits is planned anew after each change, so that nobody is forgotten by it.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use sqlx::{AssertSqlSafe, SqliteConnection};

use crate::domain::calendar::{Instant, day_of, start_of};
use crate::domain::notice::Reason;
use crate::domain::notice::useful_until;
use crate::domain::order::Order;
use crate::domain::order::settle::Outcome;
use crate::domain::policy::Policy;
use crate::store::orders::load::load;
use crate::store::orders::record::{NoticeRow, to_json};
use crate::store::orders::save::plan_anew;
use crate::store::outbox::recovery::Ending;
use crate::store::read::search::{Found, MATCHES, NoticeFilter, bind_filter};
use crate::store::read::timeline::ENTRY;
use crate::store::sqlite::dialect::{LISTED, LISTED_2, elements, several, sql};
use crate::store::{Result, Store, millis};

/// What a person wants done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// What waits goes now, what came to nothing is owed again.
    Retry,
    /// What waits is kept until it is released; the order goes on without it.
    Hold,
    /// What is held is owed again.
    Release,
    /// What waits or is held is not mailed; the facts stand.
    Drop,
}

impl Change {
    /// The notices `n` it is about where no state is asked for, and that it can do anything to; in SQL.
    fn is_about(self) -> &'static str {
        match self {
            Self::Retry => {
                "(n.next_try_at > $1 or n.next_try_at is null and n.state in ('failed', 'in_doubt', 'held', 'bounced'))"
            }
            Self::Hold => "n.next_try_at is not null",
            Self::Release => "n.state = 'held'",
            Self::Drop => "(n.next_try_at is not null or n.state = 'held')",
        }
    }

    /// Whether what is over is to be owed again.
    fn revives(self) -> bool {
        matches!(self, Self::Retry | Self::Release)
    }
}

/// The notices that a change is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chosen {
    /// Those that it changes.
    pub ids: Vec<String>,
    /// How many of them tell of a shipment, a cancellation or a refund.
    pub events: usize,
    /// How many match and are left alone, by the reason.
    pub left: BTreeMap<String, usize>,
}

sql!(
    /// Why what came to nothing is not owed again, in SQL; null: it is. What happened is told once, however much was heard
    /// since; of anything else only what the customer has not heard from us after. Of an order what happened comes first, else
    /// the confirmation, else the newest.
    LEFT_ALONE = "case
    when n.next_try_at is not null then null
    when exists (select 1 from notices u where u.order_number = n.order_number
        and (u.next_try_at is not null or u.state = 'sending')) then 'another mail of the order is under way'
    when exists (select 1 from suppressions s where s.address = o.email and s.cause <> 'complained')
        then 'the address gets no mail; ask for another'
    when n.tells_event = 1 then case
        when exists (select 1 from notices told, {theirs} theirs, {ours} ours
            where told.order_number = n.order_number and told.state = 'accepted'
                and theirs.value ->> 'kind' = ours.value ->> 'kind' and theirs.value ->> 'id' = ours.value ->> 'id')
        then 'the customer has heard from us since' end
    when o.status <> 'waiting' then 'nothing of the order waits any more'
    when exists (select 1 from notices later where later.order_number = n.order_number
        and later.state = 'accepted' and later.settled_at > n.settled_at) then 'the customer has heard from us since'
    when n.is_renewable = 0 and n.useful_until <= $1 then 'its time has passed'
    end",
    theirs = elements("told.news"), ours = elements("n.news"));

#[derive(sqlx::FromRow)]
struct Candidate {
    id: String,
    tells_event: bool,
    left: Option<String>,
    /// Another one of the same order comes first.
    older: bool,
}

impl Store {
    /// The notices of a filter that a change is about.
    pub async fn choose(&self, change: Change, filter: &NoticeFilter, now: Instant) -> Result<Chosen> {
        let left = if change.revives() { LEFT_ALONE.as_str() } else { "null" };
        let sql = format!(
            "with found as (select n.id, n.order_number, n.settled_at, n.occasion, n.next_try_at, n.is_first,
                    n.tells_event, {left} as left
                from notices n join orders o on o.number = n.order_number
                where {} and {MATCHES})
            select id, tells_event, left, next_try_at is null and $10 and row_number() over (partition by order_number
                order by left is not null, not tells_event, not is_first, settled_at desc, occasion) > 1 as older
            from found order by settled_at, id",
            change.is_about()
        );
        let asked = sqlx::query_as(AssertSqlSafe(sql)).bind(millis(now));
        let found: Vec<Candidate> = bind_filter(asked, filter)
            .bind(change.revives())
            .fetch_all(&mut *self.readers.acquire().await?)
            .await?;
        let mut chosen = Chosen::default();
        for Candidate { id, tells_event, left, older } in found {
            let left = left.or(older.then(|| "another one of the same order comes first".to_owned()));
            if let Some(why) = left {
                *chosen.left.entry(why).or_default() += 1;
                continue;
            }
            chosen.ids.push(id);
            chosen.events += usize::from(tells_event);
        }
        Ok(chosen)
    }

    /// Some notices, to be shown.
    pub async fn found(&self, ids: &[String]) -> Result<Vec<Found>> {
        let sql = format!(
            "select {ENTRY}, email, count(*) over () as total from notices
            where id in {LISTED} order by settled_at, id"
        );
        Ok(sqlx::query_as(AssertSqlSafe(sql))
            .bind(to_json(ids))
            .fetch_all(&mut *self.readers.acquire().await?)
            .await?)
    }

    /// Changes notices that were chosen, as far as that is still possible. Says how many. Each thousand is done for good
    /// before the next, with a few statements.
    pub async fn change(
        &self,
        change: Change,
        ids: &[String],
        now: Instant,
        policy: &Policy,
    ) -> Result<usize> {
        let mut done = 0;
        for ids in ids.chunks(1000) {
            let mut tx = self.begin("change").await?;
            done += match change {
                Change::Retry => {
                    hurry(&mut tx, ids, now).await? + self.revive(&mut tx, change, ids, now, policy).await?
                }
                Change::Release => self.revive(&mut tx, change, ids, now, policy).await?,
                Change::Hold => self.end(&mut tx, ids, Outcome::Held(Reason::ByPerson), now, policy).await?,
                Change::Drop => {
                    drop_held(&mut tx, ids).await?
                        + self.end(&mut tx, ids, Outcome::Dropped, now, policy).await?
                }
            };
            tx.commit().await?;
        }
        Ok(done)
    }

    /// Settles what waits.
    async fn end(
        &self,
        conn: &mut SqliteConnection,
        ids: &[String],
        outcome: Outcome,
        now: Instant,
        policy: &Policy,
    ) -> Result<usize> {
        sql!(
            WAITING = "select id from notices where next_try_at is not null
            and id in {LISTED}"
        );
        let waiting: Vec<String> =
            sqlx::query_scalar(WAITING.as_str()).bind(to_json(ids)).fetch_all(&mut *conn).await?;
        self.settle_all(conn, &waiting, Ending::of(outcome, now), policy).await?;
        Ok(waiting.len())
    }

    /// What came to nothing is owed again. One that was never accepted is under way again, with its id; after one that
    /// came back the order is planned as if it had not been written.
    async fn revive(
        &self,
        conn: &mut SqliteConnection,
        change: Change,
        ids: &[String],
        now: Instant,
        policy: &Policy,
    ) -> Result<usize> {
        let sql = format!(
            "select {} from notices where id in
                (select n.id from notices n join orders o on o.number = n.order_number
                where n.next_try_at is null and {} and {} is null
                    and n.id in {LISTED_2})",
            NoticeRow::columns(),
            change.is_about(),
            LEFT_ALONE.as_str()
        );
        let asked = sqlx::query_as(AssertSqlSafe(sql)).bind(millis(now)).bind(to_json(ids));
        let found: Vec<NoticeRow> = asked.fetch_all(&mut *conn).await?;
        let (mut ids, mut owed) = (Vec::new(), BTreeMap::new());
        for row in found {
            if !owed.contains_key(&row.order_number) {
                ids.push(row.id.clone());
                owed.insert(row.order_number.clone(), row.into_under_way()?.notice);
            }
        }
        let today = start_of(day_of(now, policy.zone), policy.zone);
        sqlx::query(REVIVE.as_str())
            .bind(to_json(&ids))
            .bind(millis(now))
            .bind(millis(useful_until(now)))
            .bind(millis(today))
            .execute(&mut *conn)
            .await?;
        let numbers: Vec<String> = owed.keys().cloned().collect();
        let orders = load(conn, &numbers).await?;
        let owe = |order: &mut Order| {
            if let Some(notice) = owed.get(&order.number) {
                order.owe(notice);
            }
        };
        plan_anew(conn, orders, owe, now).await?;
        Ok(ids.len())
    }
}

/// $1: notices; $2: now; $3: until when they are of use; $4: this morning. What was written on an earlier day is written
/// anew, for it says when the next mail comes; but never what the server may have.
static REVIVE: LazyLock<String> = LazyLock::new(|| {
    let tells = elements("n.news");
    several(&[
        &format!(
            "update news set told = false where told and exists (select 1 from notices n, {tells} tells
                where n.id in {LISTED} and n.order_number = news.order_number
                    and tells.value ->> 'kind' = news.kind and tells.value ->> 'id' = news.id)
                and not exists (select 1 from notices n, {tells} tells
                    where n.order_number = news.order_number and n.state = 'accepted'
                        and tells.value ->> 'kind' = news.kind and tells.value ->> 'id' = news.id)"
        ),
        &format!(
            "delete from messages where notice_id in (select id from notices n
                where id in {LISTED} and state <> 'bounced' and not doubtful
                    and not exists (select 1 from attempts a where a.notice_id = n.id and a.started_at >= $4))"
        ),
        &format!(
            "update notices set state = case when doubtful then 'in_doubt' else 'queued' end, next_try_at = $2,
                settled_at = null, reason = null,
                useful_until = case when is_renewable = 1 then max(useful_until, $3) else useful_until end
            where id in {LISTED} and state <> 'bounced'"
        ),
    ])
});

/// What waits for its time is tried now.
async fn hurry(conn: &mut SqliteConnection, ids: &[String], now: Instant) -> Result<usize> {
    sql!(
        NOW = "update notices set next_try_at = $2
        where next_try_at > $2 and id in {LISTED}"
    );
    let done = sqlx::query(NOW.as_str()).bind(to_json(ids)).bind(millis(now)).execute(conn).await?;
    Ok(usize::try_from(done.rows_affected()).unwrap_or(usize::MAX))
}

/// The order has gone on without it already.
async fn drop_held(conn: &mut SqliteConnection, ids: &[String]) -> Result<usize> {
    sql!(
        DROP = "update notices set state = 'skipped', reason = 'dropped'
        where state = 'held' and id in {LISTED}"
    );
    let done = sqlx::query(DROP.as_str()).bind(to_json(ids)).execute(conn).await?;
    Ok(usize::try_from(done.rows_affected()).unwrap_or(usize::MAX))
}

//! The dispatcher's side: claim, keep the bytes, begin a body; give back, expire, and what a dead owner left behind.
//!
//! What always holds: bytes and attempt are stored before the first octet leaves, a begun body is recorded
//! before its first octet, and every claim and settlement names its owner.

use std::collections::HashMap;

use sqlx::{AssertSqlSafe, SqliteConnection};

use super::history::{pack, unpack};
use super::load::{load, place};
use super::rows::{NOTICE_COLUMNS, NoticeRow, to_json};
use super::settle::{Settlement, settle};
use super::{Result, Store, instant, millis};
use crate::domain::calendar::Instant;
use crate::domain::notice::{Notice, NoticeKind, UnderWay};
use crate::domain::order::Order;
use crate::domain::policy::Policy;
use crate::domain::settle::Outcome;

/// Who claims, how many, and under which mode.
#[derive(Debug, Clone)]
pub struct Limits<'a> {
    pub owner: &'a str,
    pub most: u32,
    /// `capture`, `redirect` or `live`.
    pub mode: &'a str,
}

/// A notice in the dispatcher's hands, with all that rendering it needs.
#[derive(Debug, Clone)]
pub struct Claimed {
    pub id: String,
    pub order: Order,
    pub notice: Notice,
    /// 1 for the first try.
    pub attempt: u32,
    /// It was in doubt before this try.
    pub again: bool,
    /// The bytes of an earlier try; a retry sends the same.
    pub message: Option<Vec<u8>>,
    /// Ids of the order's accepted notices, oldest first.
    pub earlier: Vec<String>,
    /// The revision of the order the claim was made at.
    pub revision: i64,
}

/// What was claimed at one time.
pub type Claims = Vec<Claimed>;

/// What is to be made durable in one commit.
#[derive(Debug, Default)]
pub struct Outcomes {
    /// What first tries will send, kept before the first octet leaves.
    pub staged: Vec<Staged>,
    pub settled: Vec<Settlement>,
    /// Bodies about to leave: notice and the revision it was claimed at.
    pub begin: Vec<(String, i64)>,
}

/// A mail as it will go out.
#[derive(Debug)]
pub struct Staged {
    pub id: String,
    pub subject: String,
    /// The hash of the template set it was made with.
    pub template_hash: String,
    pub bytes: Vec<u8>,
}

/// What a claimed notice was before the claim, in SQL: a doubt stays one until the server's clear word.
macro_rules! state_before {
    () => {
        "case when doubtful then 'in_doubt' when attempts > 1 then 'deferred' else 'queued' end"
    };
}

/// The orders of these notices are planned before anything of them is claimed.
const WAKE_ORDERS: &str = "update orders set plan_at = $2 where number in
    (select order_number from notices where id in (select value from json_each($1)))";

impl Store {
    /// When the dispatcher has to work next; None while nothing is to be sent.
    pub async fn next_try(&self) -> Result<Option<Instant>> {
        // One look into the index for each urgency, however much waits.
        const NEXT: &str = "select min(at) from (
            select min(next_try_at) as at from notices where urgency = 1 and next_try_at is not null
            union all select min(next_try_at) from notices where urgency = 2 and next_try_at is not null)";
        let next: Option<i64> = sqlx::query_scalar(NEXT).fetch_one(&self.readers).await?;
        Ok(next.map(instant))
    }

    /// Claims notices whose time has come and whose order's plan is up to date; what goes at once comes first.
    pub async fn claim(&self, now: Instant, limits: &Limits<'_>) -> Result<Claims> {
        const READY: &str = "select n.id, n.doubtful as again from notices n
            join orders o on o.number = n.order_number
            where n.next_try_at <= $1 and (o.plan_at is null or o.plan_at > $1)
                and not exists (select 1 from dirty_skus d join lines l on l.sku = d.sku
                    where l.order_number = n.order_number)
            order by n.urgency, n.next_try_at, n.planned_at, n.order_number limit $2";
        const TAKE: &str = "update notices set state = 'sending', owner = $2, next_try_at = null,
                attempts = attempts + 1, mode = $3
            where id in (select value from json_each($1)) returning id, order_number, attempts";
        const BEGIN_ATTEMPTS: &str = "insert into attempts (notice_id, number, started_at)
            select id, attempts, $2 from notices where id in (select value from json_each($1))";
        if self.next_try().await?.is_none_or(|next| next > now) {
            return Ok(Vec::new());
        }
        let mut tx = self.begin().await?;
        let ready: Vec<(String, bool)> =
            sqlx::query_as(READY).bind(millis(now)).bind(limits.most).fetch_all(&mut *tx).await?;
        if ready.is_empty() {
            return Ok(Vec::new());
        }
        let ids = to_json(&ready.iter().map(|(id, _)| id).collect::<Vec<_>>());
        let taken: Vec<(String, String, u32)> =
            sqlx::query_as(TAKE).bind(&ids).bind(limits.owner).bind(limits.mode).fetch_all(&mut *tx).await?;
        sqlx::query(BEGIN_ATTEMPTS).bind(&ids).bind(millis(now)).execute(&mut *tx).await?;
        let numbers: Vec<String> = taken.iter().map(|(_, number, _)| number.clone()).collect();
        let mut loaded: HashMap<String, _> =
            load(&mut tx, &numbers).await?.into_iter().map(|l| (l.order.number.clone(), l)).collect();
        let mut with_place: Vec<&mut Order> = loaded
            .values_mut()
            .map(|loaded| &mut loaded.order)
            .filter(|order| {
                order.under_way.as_ref().is_some_and(|u| u.notice.kind == NoticeKind::WeeklyStatus)
            })
            .collect();
        place(&mut tx, &mut with_place).await?;
        let retries = taken.iter().any(|(_, _, attempt)| *attempt > 1);
        let mut messages = if retries { messages(&mut tx, &ids).await? } else { HashMap::new() };
        let mut earlier = earlier(&mut tx, &numbers).await?;
        tx.commit().await?;
        let mut taken: HashMap<String, (String, u32)> =
            taken.into_iter().map(|(id, number, attempt)| (id, (number, attempt))).collect();
        let mut claims = Vec::with_capacity(ready.len());
        for (id, again) in ready {
            let Some((number, attempt)) = taken.remove(&id) else { continue };
            let Some(found) = loaded.remove(&number) else { continue };
            let Some(UnderWay { notice, .. }) = found.order.under_way.clone() else { continue };
            claims.push(Claimed {
                message: messages.remove(&id),
                earlier: earlier.remove(&number).unwrap_or_default(),
                order: found.order,
                revision: found.revision,
                notice,
                attempt,
                again,
                id,
            });
        }
        Ok(claims)
    }

    /// Makes outcomes durable and lets bodies begin, in one commit. Says which bodies may leave: not those whose
    /// order changed since the claim.
    pub async fn commit(&self, owner: &str, now: Instant, outcomes: &Outcomes) -> Result<Vec<String>> {
        const BEGIN_BODIES: &str = "update notices set body_begun_at = $2
            from (select value ->> 0 as id, value ->> 1 as revision from jsonb_each($1)) as new
            where notices.id = new.id and notices.state = 'sending' and notices.owner = $3
                and exists (select 1 from orders o
                    where o.number = notices.order_number and o.revision = new.revision)
            returning notices.id";
        let mut tx = self.begin().await?;
        stage(&mut tx, &outcomes.staged).await?;
        settle(&mut tx, owner, &outcomes.settled).await?;
        let begun = if outcomes.begin.is_empty() {
            Vec::new()
        } else {
            let begin = sqlx::query_scalar(BEGIN_BODIES).bind(to_json(&outcomes.begin)).bind(millis(now));
            begin.bind(owner).fetch_all(&mut *tx).await?
        };
        tx.commit().await?;
        Ok(begun)
    }

    /// Gives claimed notices back untried, each to be claimed again at its time; `words` say why, for who asks. Their
    /// orders are planned first: what changed since the claim was not, for a notice was on its way. What was written
    /// for a first try goes, so that the first mail is of the day it leaves.
    pub async fn release(
        &self,
        owner: &str,
        back: &[(String, Instant)],
        words: Option<&str>,
        now: Instant,
    ) -> Result<()> {
        const RELEASE: &str = concat!(
            "update notices set state = ",
            state_before!(),
            ", owner = null, attempts = attempts - 1, next_try_at = back.at, body_begun_at = null,
                reply = coalesce($3, reply)
            from (select value ->> 0 as id, value ->> 1 as at from jsonb_each($1)) as back
            where notices.id = back.id and notices.state = 'sending' and notices.owner = $2 returning notices.id"
        );
        const UNTRY: &str = "delete from attempts where ended_at is null and notice_id in
            (select value from json_each($1))";
        const UNWRITE: &str = "delete from messages where notice_id in (select value from json_each($1))
            and not exists (select 1 from attempts where attempts.notice_id = messages.notice_id)";
        if back.is_empty() {
            return Ok(());
        }
        let back: Vec<(&str, i64)> = back.iter().map(|(id, at)| (id.as_str(), millis(*at))).collect();
        let mut tx = self.begin().await?;
        let released: Vec<String> = sqlx::query_scalar(RELEASE)
            .bind(to_json(&back))
            .bind(owner)
            .bind(words)
            .fetch_all(&mut *tx)
            .await?;
        let released = to_json(&released);
        sqlx::query(UNTRY).bind(&released).execute(&mut *tx).await?;
        sqlx::query(UNWRITE).bind(&released).execute(&mut *tx).await?;
        sqlx::query(WAKE_ORDERS).bind(&released).bind(millis(now)).execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Removes the texts of mails settled before `before`; subject, server's words and hash stay. Says how many.
    pub async fn forget_bodies(&self, before: Instant) -> Result<u64> {
        const OLD: &str = "delete from messages where notice_id in
            (select id from notices where settled_at < $1 and next_try_at is null)";
        let done = sqlx::query(OLD).bind(millis(before)).execute(&self.writer).await?;
        Ok(done.rows_affected())
    }

    /// Settles what has lost its use while it waited. Says how many.
    pub async fn expire(&self, now: Instant, policy: &Policy) -> Result<usize> {
        const EXPIRED: &str =
            concat!("select id from notices where ", may_expire!(), " and useful_until <= $1 limit 1000");
        let may_be: Option<String> =
            sqlx::query_scalar(EXPIRED).bind(millis(now)).fetch_optional(&self.readers).await?;
        if may_be.is_none() {
            return Ok(0);
        }
        let mut tx = self.begin().await?;
        // Asked again where nobody can claim one meanwhile.
        let expired: Vec<String> = sqlx::query_scalar(EXPIRED).bind(millis(now)).fetch_all(&mut *tx).await?;
        self.settle_all(
            &mut tx,
            &expired,
            Outcome::Expired,
            "it had lost its use before it was accepted",
            now,
            policy,
        )
        .await?;
        tx.commit().await?;
        Ok(expired.len())
    }

    /// At a start: what a dead owner had claimed goes back, what had begun to leave is in doubt.
    /// Says how many of each.
    pub async fn recover(&self, now: Instant, policy: &Policy) -> Result<(usize, usize)> {
        const CLAIMED: &str = "select id, body_begun_at is not null from notices where owner is not null";
        const BACK: &str = concat!(
            "update notices set owner = null, next_try_at = $2, state = ",
            state_before!(),
            " where id in (select value from json_each($1))"
        );
        const CUT_SHORT: &str = "update attempts set ended_at = $2, outcome = 'interrupted'
            where ended_at is null and notice_id in (select value from json_each($1))";
        let mut tx = self.begin().await?;
        let left: Vec<(String, bool)> = sqlx::query_as(CLAIMED).fetch_all(&mut *tx).await?;
        let (begun, claimed): (Vec<_>, Vec<_>) = left.into_iter().partition(|(_, begun)| *begun);
        let begun: Vec<String> = begun.into_iter().map(|(id, _)| id).collect();
        let claimed: Vec<String> = claimed.into_iter().map(|(id, _)| id).collect();
        if !claimed.is_empty() {
            sqlx::query(BACK).bind(to_json(&claimed)).bind(millis(now)).execute(&mut *tx).await?;
            sqlx::query(CUT_SHORT).bind(to_json(&claimed)).bind(millis(now)).execute(&mut *tx).await?;
            sqlx::query(WAKE_ORDERS).bind(to_json(&claimed)).bind(millis(now)).execute(&mut *tx).await?;
        }
        let doubt = Outcome::Doubtful { again: false };
        self.settle_all(&mut tx, &begun, doubt, "shipby stopped before the server answered", now, policy)
            .await?;
        tx.commit().await?;
        Ok((claimed.len(), begun.len()))
    }

    /// Settles notices outside a dialogue, all with the same outcome.
    async fn settle_all(
        &self,
        conn: &mut SqliteConnection,
        ids: &[String],
        outcome: Outcome,
        words: &str,
        now: Instant,
        policy: &Policy,
    ) -> Result<()> {
        if ids.is_empty() {
            return Ok(());
        }
        let rows = format!(
            "select {NOTICE_COLUMNS}, attempts, owner from notices where id in (select value from json_each($1))"
        );
        let rows: Vec<TriedNotice> =
            sqlx::query_as(AssertSqlSafe(rows)).bind(to_json(ids)).fetch_all(&mut *conn).await?;
        let numbers: Vec<String> = rows.iter().map(|row| row.notice.order_number.clone()).collect();
        let mut orders: HashMap<String, Order> =
            load(conn, &numbers).await?.into_iter().map(|l| (l.order.number.clone(), l.order)).collect();
        let mut by_owner: HashMap<String, Vec<Settlement>> = HashMap::new();
        for row in rows {
            let Some(mut order) = orders.remove(&row.notice.order_number) else { continue };
            let again = row.notice.doubtful;
            let under_way = row.notice.into_under_way()?;
            let outcome = match outcome {
                Outcome::Doubtful { .. } => Outcome::Doubtful { again },
                // Time does not resolve a doubt.
                Outcome::Expired if again => Outcome::Doubtful { again },
                other => other,
            };
            let settled = order.settle(&under_way.notice, &under_way.id, outcome, now, policy);
            by_owner.entry(row.owner.unwrap_or_default()).or_default().push(Settlement {
                id: under_way.id,
                order,
                notice: under_way.notice,
                settled,
                attempt: row.attempts,
                at: now,
                phase: None,
                reply: Some(words.to_owned()),
                look: (ANY_REVISION, Some(now)),
            });
        }
        for (owner, settlements) in by_owner {
            settle(conn, &owner, &settlements).await?;
        }
        Ok(())
    }
}

/// No order has it: the planner looks at once.
const ANY_REVISION: i64 = -1;

#[derive(sqlx::FromRow)]
struct TriedNotice {
    #[sqlx(flatten)]
    notice: NoticeRow,
    attempts: u32,
    owner: Option<String>,
}

async fn stage(conn: &mut SqliteConnection, staged: &[Staged]) -> Result<()> {
    const SUBJECTS: &str = "update notices set subject = new.subject, template_hash = new.hash
        from (select value ->> 0 as id, value ->> 1 as subject, value ->> 2 as hash from jsonb_each($1)) as new
        where notices.id = new.id";
    if staged.is_empty() {
        return Ok(());
    }
    let mut insert = sqlx::QueryBuilder::new("insert into messages (notice_id, bytes) ");
    insert.push_values(staged, |mut row, mail| {
        row.push_bind(mail.id.clone()).push_bind(pack(&mail.bytes));
    });
    insert.push(" on conflict do nothing").build().execute(&mut *conn).await?;
    let subjects: Vec<_> = staged.iter().map(|mail| (&mail.id, &mail.subject, &mail.template_hash)).collect();
    sqlx::query(SUBJECTS).bind(to_json(&subjects)).execute(conn).await?;
    Ok(())
}

async fn messages(conn: &mut SqliteConnection, ids: &str) -> Result<HashMap<String, Vec<u8>>> {
    const KEPT: &str =
        "select notice_id, bytes from messages where notice_id in (select value from json_each($1))";
    let rows: Vec<(String, Vec<u8>)> = sqlx::query_as(KEPT).bind(ids).fetch_all(conn).await?;
    rows.into_iter().map(|(id, bytes)| Ok((id, unpack(&bytes)?))).collect()
}

async fn earlier(conn: &mut SqliteConnection, numbers: &[String]) -> Result<HashMap<String, Vec<String>>> {
    const EARLIER: &str = "select order_number, id from notices
        where state = 'accepted' and order_number in (select value from json_each($1)) order by settled_at";
    let rows: Vec<(String, String)> = sqlx::query_as(EARLIER).bind(to_json(numbers)).fetch_all(conn).await?;
    let mut grouped: HashMap<String, Vec<String>> = HashMap::new();
    for (number, id) in rows {
        grouped.entry(number).or_default().push(id);
    }
    Ok(grouped)
}

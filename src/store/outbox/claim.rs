//! The dispatcher's side: what is ready, take it with its bytes, give back. What becomes of what was taken is in
//! `journal`, what ends otherwise in `recovery`.
//!
//! What always holds: a notice is taken, its bytes and its attempt are stored in one commit, before the first octet
//! leaves; whoever takes or settles names itself.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use serde::Deserialize;
use sqlx::SqliteConnection;

use crate::domain::calendar::Instant;
use crate::domain::meaning::Meaning;
use crate::domain::notice::{Notice, Reason};
use crate::domain::order::Order;
use crate::store::orders::load::whole_order;
use crate::store::orders::record::{LastCover, OrderRow, json, stamp, to_json};
use crate::store::outbox::bodies::{Packed, unpack};
use crate::store::outbox::outcome::Settlement;
use crate::store::outbox::pauses::PAUSED;
use crate::store::outbox::settlement::remember;
use crate::store::sqlite::dialect::{LISTED, all_of, bit, one_value, several, sql, tuples, unindexed};
use crate::store::{Result, Store, millis};

/// A notice whose time has come, with all that rendering it needs.
#[derive(Debug, Clone)]
pub struct Ready {
    pub id: String,
    pub order: Order,
    pub notice: Notice,
    /// The try this will be; 1 for the first.
    pub attempt: u32,
    /// The same without tries that were cut short before anything was offered: what patience and backoff count.
    pub offered: u32,
    /// What the last offer was refused for.
    pub last: Option<Meaning>,
    /// It was in doubt before this try.
    pub again: bool,
    /// The bytes of an earlier try; a retry sends the same.
    pub message: Option<Vec<u8>>,
    /// Ids of the order's accepted notices, oldest first.
    pub earlier: Vec<String>,
    /// The revision of the order it was read at.
    pub revision: i64,
}

/// Who takes, and under which mode.
#[derive(Debug, Clone, Copy)]
pub struct Owner<'a> {
    pub name: &'a str,
    /// `capture`, `redirect` or `live`.
    pub mode: &'a str,
}

/// What is to be taken in one commit.
#[derive(Debug, Default)]
pub struct Claim {
    /// Notices, and the revision of their order they were read at.
    pub notices: Vec<(String, i64)>,
    /// What first tries will send.
    pub staged: Vec<Staged>,
    /// Tries that are over as soon as they are taken, without a dialogue.
    pub settled: Vec<Settlement>,
}

/// A mail as it will go out.
#[derive(Debug)]
pub struct Staged {
    pub id: String,
    pub subject: String,
    /// The hash of the template set it was made with.
    pub template_hash: String,
    pub body: Packed,
}

/// No fact about the order `o` waits to be planned at $1, in SQL.
const PLAN_IS_CURRENT: &str = "(o.plan_at is null or o.plan_at > $1) and not exists
            (select 1 from dirty_skus d join lines l on l.sku = d.sku where l.order_number = o.number)";

sql!(
    /// The orders of these notices are planned before anything of them is taken.
    pub(in crate::store) WAKE_ORDERS = "update orders set plan_at = $2 where number in
    (select order_number from notices where id in {LISTED})");

/// What a notice was before it was taken, in SQL: a doubt stays one until the server's clear word, and only what its last
/// try put off is put off.
pub(in crate::store) const STATE_BEFORE: &str =
    "case when doubtful then 'in_doubt' when exists (select 1 from attempts before
        where before.notice_id = notices.id and before.number = notices.attempts - 1
            and before.outcome = 'deferred') then 'deferred' else 'queued' end";

impl Store {
    /// Notices whose time has come, whose order's plan is up to date and that no pause holds back; what goes at once
    /// comes first. It only reads: they are in nobody's hands until [`Store::claim`].
    pub async fn ready(&self, now: Instant, most: u32) -> Result<Vec<Ready>> {
        // One value: every row that crosses over from SQLite costs time.
        static READY: LazyLock<String> = LazyLock::new(|| {
            let ready = format!(
                "select n.id, n.order_number, n.doubtful, n.attempts from notices n
                    join orders o on o.number = n.order_number
                where n.next_try_at between $3 and $1 and {PLAN_IS_CURRENT} and not {PAUSED}
                order by n.urgency, n.next_try_at, n.planned_at, n.order_number limit $2"
            );
            let row = one_value(&[
                "n.id",
                "n.doubtful",
                "n.attempts + 1",
                "case when n.attempts > 0 then (select count(*) from attempts a
                    where a.notice_id = n.id and a.outcome = 'interrupted') else 0 end",
                "(select meaning from attempts a where a.notice_id = n.id and a.outcome <> 'interrupted'
                    order by number desc limit 1)",
                &format!(
                    "(select {} from (select id from notices e where e.order_number = n.order_number
                        and e.state = 'accepted' order by settled_at))",
                    all_of("id")
                ),
                &format!("({})", whole_order("n.order_number")),
            ]);
            format!("select {} from ({ready}) as n", all_of(&row))
        });
        let from = self.worth_looking_from(now).await?;
        // No transaction: whatever changes between these reads is found when they are taken.
        let mut conn = self.readers.acquire().await?;
        let ready = sqlx::query_scalar(READY.as_str()).bind(millis(now)).bind(most).bind(millis(from));
        let ready: String = ready.fetch_one(&mut *conn).await?;
        let ready: Vec<ReadyRow> = json("notices that are ready", &ready)?;
        if ready.is_empty() {
            return Ok(Vec::new());
        }
        let retries: Vec<&str> =
            ready.iter().filter(|row| row.attempt > 1).map(|row| row.id.as_str()).collect();
        let mut messages =
            if retries.is_empty() { HashMap::new() } else { messages(&mut conn, &to_json(&retries)).await? };
        let mut cover = LastCover::default();
        let ready = ready.into_iter().filter_map(|row| row.into_ready(&mut messages, &mut cover).transpose());
        let mut ready = ready.collect::<Result<Vec<Ready>>>()?;
        let mut with_place: Vec<&mut Order> = ready
            .iter_mut()
            .filter(|ready| ready.notice.kind.rules().says_place)
            .map(|ready| &mut ready.order)
            .collect();
        self.place(&mut conn, &mut with_place).await?;
        Ok(ready)
    }

    /// Takes what was ready, with its bytes, in one commit. Says which notices are in the owner's hands now: not those
    /// whose order changed, is to be planned or was paused since, nor what is staged or settled of them.
    pub async fn claim(&self, owner: Owner<'_>, now: Instant, mut claim: Claim) -> Result<HashSet<String>> {
        // What was taken and has no attempt yet was taken just now.
        static TAKE: LazyLock<String> = LazyLock::new(|| {
            let names =
                ["id", "revision", "subject", "template_hash", "state", "next_try", "reply", "reason"];
            let update = format!(
                "update notices as n set state = coalesce(new.state, 'sending'),
                    owner = case when new.state is null then $2 end, next_try_at = new.next_try,
                    attempts = attempts + 1, mode = $3, subject = coalesce(new.subject, n.subject),
                    template_hash = coalesce(new.template_hash, n.template_hash),
                    reply = case when new.state is null then n.reply else new.reply end,
                    reason = case when new.state is null then n.reason else new.reason end,
                    settled_at = case when new.state is not null and new.next_try is null then $1 end
                from {} as new, orders o
                where n.id = new.id and {} <= $1 and o.number = n.order_number
                    and o.revision = new.revision and {PLAN_IS_CURRENT} and not {PAUSED}
                returning id",
                tuples("$4", &names),
                unindexed("n.next_try_at")
            );
            let begin = format!(
                "insert into attempts (notice_id, number, started_at, ended_at, outcome, reply)
                select n.id, n.attempts, $1, case when n.state <> 'sending' then $1 end,
                    case when n.state <> 'sending' then n.state end, case when n.state <> 'sending' then n.reply end
                from {} as new join notices n on n.id = new.id
                where n.attempts > 0 on conflict do nothing",
                tuples("$4", &["id"])
            );
            several(&[&update, &begin])
        });
        if claim.notices.is_empty() {
            return Ok(HashSet::new());
        }
        let written: HashMap<&str, &Staged> =
            claim.staged.iter().map(|mail| (mail.id.as_str(), mail)).collect();
        let over: HashMap<&str, &Settlement> = claim.settled.iter().map(|s| (s.id.as_str(), s)).collect();
        let rows: Vec<_> = claim
            .notices
            .iter()
            .map(|(id, revision)| {
                let (mail, over) = (written.get(id.as_str()), over.get(id.as_str()));
                let (subject, hash) = (mail.map(|mail| &mail.subject), mail.map(|mail| &mail.template_hash));
                let reply = over.and_then(|over| over.reply.as_ref());
                let settled = over.map(|over| &over.settled);
                let next_try = settled.and_then(|settled| stamp(settled.next_try));
                let reason = settled.and_then(|settled| settled.reason).map(Reason::as_str);
                (id, revision, subject, hash, settled.map(|settled| settled.state), next_try, reply, reason)
            })
            .collect();
        let mut tx = self.begin("claim").await?;
        let take = sqlx::query_scalar(TAKE.as_str()).bind(millis(now)).bind(owner.name).bind(owner.mode);
        let taken: HashSet<String> =
            take.bind(to_json(&rows)).fetch_all(&mut *tx).await?.into_iter().collect();
        claim.staged.retain(|mail| taken.contains(&mail.id));
        keep(&mut tx, &claim.staged).await?;
        let over: Vec<&Settlement> = claim.settled.iter().filter(|s| taken.contains(&s.id)).collect();
        remember(&mut tx, &over).await?;
        tx.commit().await?;
        Ok(taken)
    }

    /// Puts off notices in nobody's hands, each to its time.
    pub async fn put_off(&self, until: &[(String, Instant)]) -> Result<()> {
        sql!(
            PUT_OFF = "update notices set next_try_at = new.at
            from {} as new
            where notices.id = new.id and notices.next_try_at is not null",
            tuples("$1", &["id", "at"])
        );
        if !until.is_empty() {
            sqlx::query(PUT_OFF.as_str())
                .bind(to_json(&times(until)))
                .execute(&mut *self.writer.acquire().await?)
                .await?;
        }
        Ok(())
    }

    /// Gives notices back untried, each to be taken again at its time; `words` say why, for who asks. Their
    /// orders are planned first: what changed meanwhile was not, for a notice was on its way. What was written
    /// for a first try goes, so that the first mail is of the day it leaves.
    pub async fn release(
        &self,
        owner: &str,
        back: &[(String, Instant)],
        words: Option<&str>,
        now: Instant,
    ) -> Result<()> {
        static RELEASE: LazyLock<String> = LazyLock::new(|| {
            format!(
            "update notices set state = {STATE_BEFORE}, owner = null, attempts = attempts - 1, next_try_at = back.at,
                reply = coalesce($3, reply)
            from {} as back
            where notices.id = back.id and notices.state = 'sending' and notices.owner = $2 returning notices.id",
                tuples("$1", &["id", "at"])
        )
        });
        sql!(
            UNTRY = "delete from attempts where ended_at is null and notice_id in
            {LISTED}"
        );
        sql!(
            UNWRITE = "delete from messages where notice_id in {LISTED}
            and not exists (select 1 from attempts where attempts.notice_id = messages.notice_id)"
        );
        sql!(STRIKE_OUT = "delete from ledger where notice_id in {LISTED}");
        if back.is_empty() {
            return Ok(());
        }
        let mut tx = self.begin("release").await?;
        let released: Vec<String> = sqlx::query_scalar(RELEASE.as_str())
            .bind(to_json(&times(back)))
            .bind(owner)
            .bind(words)
            .fetch_all(&mut *tx)
            .await?;
        let released = to_json(&released);
        sqlx::query(UNTRY.as_str()).bind(&released).execute(&mut *tx).await?;
        sqlx::query(UNWRITE.as_str()).bind(&released).execute(&mut *tx).await?;
        sqlx::query(STRIKE_OUT.as_str()).bind(&released).execute(&mut *tx).await?;
        sqlx::query(WAKE_ORDERS.as_str()).bind(&released).bind(millis(now)).execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Removes the texts of mails settled before `before`; subject, server's words and hash stay. Says how many.
    pub async fn forget_bodies(&self, before: Instant) -> Result<u64> {
        const OLD: &str = "delete from messages where notice_id in
            (select id from notices where settled_at < $1 and next_try_at is null)";
        let done = sqlx::query(OLD).bind(millis(before)).execute(&mut *self.writer.acquire().await?).await?;
        Ok(done.rows_affected())
    }
}

async fn keep(conn: &mut SqliteConnection, staged: &[Staged]) -> Result<()> {
    if staged.is_empty() {
        return Ok(());
    }
    let mut insert = sqlx::QueryBuilder::new("insert into messages (notice_id, bytes, pattern) ");
    insert.push_values(staged, |mut row, mail| {
        row.push_bind(&mail.id).push_bind(&mail.body.bytes).push_bind(&mail.body.pattern);
    });
    insert.push(" on conflict do nothing").build().execute(conn).await?;
    Ok(())
}

#[derive(Deserialize)]
struct ReadyRow {
    id: String,
    #[serde(deserialize_with = "bit")]
    again: bool,
    attempt: u32,
    cut_short: u32,
    last: Option<String>,
    earlier: Vec<String>,
    order: OrderRow,
}

impl ReadyRow {
    /// None: something else of the order is under way by now.
    fn into_ready(
        self,
        messages: &mut HashMap<String, Vec<u8>>,
        cover: &mut LastCover,
    ) -> Result<Option<Ready>> {
        let revision = self.order.revision;
        let order = self.order.into_order(cover)?;
        let Some(under_way) = order.under_way.as_ref().filter(|under_way| under_way.id == self.id) else {
            return Ok(None);
        };
        Ok(Some(Ready {
            notice: under_way.notice.clone(),
            message: messages.remove(&self.id),
            earlier: self.earlier,
            order,
            revision,
            attempt: self.attempt,
            offered: self.attempt.saturating_sub(self.cut_short).max(1),
            last: self.last.as_deref().and_then(Meaning::from_word),
            again: self.again,
            id: self.id,
        }))
    }
}

fn times(of: &[(String, Instant)]) -> Vec<(&str, i64)> {
    of.iter().map(|(id, at)| (id.as_str(), millis(*at))).collect()
}

async fn messages(conn: &mut SqliteConnection, ids: &str) -> Result<HashMap<String, Vec<u8>>> {
    sql!(
        KEPT = "select notice_id, bytes, pattern from messages where notice_id in
        {LISTED}"
    );
    let kept = sqlx::query_as(KEPT.as_str()).bind(ids).fetch_all(&mut *conn).await?;
    Ok(unpack(conn, kept).await?.into_iter().collect())
}

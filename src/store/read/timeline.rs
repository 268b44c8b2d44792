//! Reading back: what was told, what was not and why, the exact bytes, and how things stand.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use serde::Serialize;
use sqlx::AssertSqlSafe;

use crate::domain::calendar::Instant;
use crate::store::outbox::bodies::unpack;
use crate::store::outbox::bounces::{KeptReport, reports};
use crate::store::{Result, Store, instant, millis};

/// A notice, or a decision not to send one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, sqlx::FromRow)]
pub struct Entry {
    /// When it was settled, else when it was planned or decided; milliseconds since 1970.
    #[serde(serialize_with = "as_instant")]
    pub at: i64,
    pub order_number: String,
    /// None for what was never written.
    pub notice: Option<String>,
    pub kind: String,
    pub occasion: String,
    pub state: String,
    /// `capture`, `redirect` or `live`; what acceptance was worth.
    pub mode: Option<String>,
    pub subject: Option<String>,
    pub attempts: i64,
    /// The server's last words.
    pub reply: Option<String>,
    pub reason: Option<String>,
    /// The occasion that took its place.
    pub by_occasion: Option<String>,
    #[serde(serialize_with = "as_instant_or_null")]
    pub next_try_at: Option<i64>,
    /// The lines it stated, as JSON.
    #[serde(skip)]
    pub lines: Option<String>,
}

impl Entry {
    pub fn instant(&self) -> Instant {
        instant(self.at)
    }

    pub fn next_try(&self) -> Option<Instant> {
        self.next_try_at.map(instant)
    }
}

pub(in crate::store) fn as_instant<S: serde::Serializer>(
    at: &i64,
    serializer: S,
) -> std::result::Result<S::Ok, S::Error> {
    instant(*at).serialize(serializer)
}

#[expect(clippy::ref_option, reason = "the signature serde asks for")]
fn as_instant_or_null<S: serde::Serializer>(
    at: &Option<i64>,
    serializer: S,
) -> std::result::Result<S::Ok, S::Error> {
    at.map(instant).serialize(serializer)
}

/// One try to send a notice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, sqlx::FromRow)]
pub struct Attempt {
    pub number: i64,
    #[serde(serialize_with = "as_instant")]
    pub started_at: i64,
    #[serde(serialize_with = "as_instant_or_null")]
    pub ended_at: Option<i64>,
    pub phase: Option<String>,
    pub outcome: Option<String>,
    /// The server's words, or ours where it had none.
    pub reply: Option<String>,
    /// The code of the server's reply, as 550.
    pub code: Option<u16>,
    /// Its enhanced code, as 5.1.1.
    pub enhanced: Option<String>,
    /// What a refusal meant.
    pub meaning: Option<String>,
}

impl Attempt {
    /// When it was taken to be sent.
    pub fn started(&self) -> Instant {
        instant(self.started_at)
    }

    /// From there to its outcome; None while it goes on.
    pub fn took(&self) -> Option<TimeDelta> {
        self.ended_at.map(|ended| instant(ended) - self.started())
    }
}

/// A try that was settled, with what it was about.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Tried {
    pub order_number: String,
    pub notice: String,
    pub kind: String,
    pub attempt: i64,
    pub outcome: String,
    pub subject: Option<String>,
    pub reply: Option<String>,
}

/// A mail as it went out.
#[derive(Debug, Clone)]
pub struct Kept {
    pub entry: Entry,
    /// None if it was never written, or is older than `keep_bodies`.
    pub bytes: Option<Vec<u8>>,
    /// The hash of the templates it was written with.
    pub template_hash: Option<String>,
    pub attempts: Vec<Attempt>,
    /// What was reported of it after it was accepted.
    pub reports: Vec<KeptReport>,
}

/// An order in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, sqlx::FromRow)]
pub struct Listed {
    pub number: String,
    pub status: String,
    #[serde(serialize_with = "as_instant")]
    pub placed_at: i64,
    #[serde(serialize_with = "as_instant_or_null")]
    pub heard_at: Option<i64>,
    pub email: Option<String>,
    /// SKUs of the lines that wait, joined by commas.
    pub waits_for: Option<String>,
}

impl Listed {
    pub fn placed(&self) -> Instant {
        instant(self.placed_at)
    }

    pub fn heard(&self) -> Option<Instant> {
        self.heard_at.map(instant)
    }
}

/// How things stand, in numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Orders by status.
    pub orders: BTreeMap<String, i64>,
    /// Notices by kind and state.
    pub notices: BTreeMap<String, BTreeMap<String, i64>>,
    /// What was decided otherwise, by kind and reason.
    pub decisions: BTreeMap<String, BTreeMap<String, i64>>,
}

/// The longest a waiting, mailable customer has heard nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Silence {
    pub order: String,
    pub seconds: i64,
}

/// The columns of `notices` that make an [`Entry`].
pub(in crate::store) const ENTRY: &str =
    "coalesce(settled_at, planned_at) as at, order_number, id as notice, kind, occasion, state, mode,
    subject, attempts, reply, reason, by_occasion, next_try_at, lines";

impl Store {
    /// All notices and decisions about one order, oldest first.
    pub async fn timeline(&self, order: &str) -> Result<Vec<Entry>> {
        let sql = format!(
            "select * from (select {ENTRY} from notices where order_number = $1
            union all select at, order_number, null, kind, occasion, outcome, null, null, 0, null, reason, by_occasion,
                null, null from decisions where order_number = $1)
            order by at, notice is null, occasion"
        );
        Ok(sqlx::query_as(AssertSqlSafe(sql))
            .bind(order)
            .fetch_all(&mut *self.readers.acquire().await?)
            .await?)
    }

    /// The tries that were settled at an instant, and what was decided then otherwise, by order.
    pub async fn moment(&self, at: Instant) -> Result<(Vec<Tried>, Vec<Entry>)> {
        const TRIES: &str =
            "select n.order_number, n.id as notice, n.kind, a.number as attempt, a.outcome, n.subject,
                a.reply
            from attempts a join notices n on n.id = a.notice_id
            where a.ended_at = $1 order by n.order_number, n.occasion";
        const DECIDED: &str = "select at, order_number, null as notice, kind, occasion, outcome as state, null as mode,
                null as subject, 0 as attempts, null as reply, reason, by_occasion, null as next_try_at, null as lines
            from decisions where at = $1 order by order_number, occasion";
        let tries =
            sqlx::query_as(TRIES).bind(millis(at)).fetch_all(&mut *self.readers.acquire().await?).await?;
        let decided =
            sqlx::query_as(DECIDED).bind(millis(at)).fetch_all(&mut *self.readers.acquire().await?).await?;
        Ok((tries, decided))
    }

    /// Notices and decisions of whole orders, those after the order `after`, about `most` orders at a time.
    pub async fn entries_after(&self, after: &str, most: u32) -> Result<Vec<Entry>> {
        let sql = format!(
            "with page as (select number from orders where number > $1 order by number limit $2)
            select * from (select {ENTRY} from notices where order_number in page
            union all select at, order_number, null, kind, occasion, outcome, null, null, 0, null, reason, by_occasion,
                null, null from decisions where order_number in page)
            order by order_number, at, notice is null, occasion"
        );
        let mut after = after.to_owned();
        loop {
            let found: Vec<Entry> = sqlx::query_as(AssertSqlSafe(sql.clone()))
                .bind(&after)
                .bind(most)
                .fetch_all(&mut *self.readers.acquire().await?)
                .await?;
            const LAST: &str = "select max(number) from
                (select number from orders where number > $1 order by number limit $2)";
            let last: Option<String> = sqlx::query_scalar(LAST)
                .bind(&after)
                .bind(most)
                .fetch_one(&mut *self.readers.acquire().await?)
                .await?;
            match last {
                // A page of orders that heard nothing is no end.
                Some(last) if found.is_empty() => after = last,
                _ => return Ok(found),
            }
        }
    }

    /// The bytes of mails, by the ids of their notices.
    pub async fn messages_after(&self, after: &str, most: u32) -> Result<Vec<(String, Vec<u8>)>> {
        const PAGE: &str =
            "select notice_id, bytes, pattern from messages where notice_id > $1 order by notice_id limit $2";
        let mut reader = self.readers.acquire().await?;
        let kept = sqlx::query_as(PAGE).bind(after).bind(most).fetch_all(&mut *reader).await?;
        unpack(&mut reader, kept).await
    }

    /// One notice by its id or the beginning of it, with its bytes and tries.
    pub async fn kept(&self, id: &str) -> Result<Vec<Kept>> {
        const BODY: &str = "select notice_id, bytes, pattern from messages where notice_id = $1";
        const TEMPLATES: &str = "select template_hash from notices where id = $1";
        const ATTEMPTS: &str =
            "select number, started_at, ended_at, phase, outcome, reply, code, enhanced, meaning
            from attempts
            where notice_id = $1 order by number";
        let sql =
            format!("select {ENTRY} from notices where id >= $1 and id < $1 || 'g' order by id limit 2");
        let entries: Vec<Entry> = sqlx::query_as(AssertSqlSafe(sql))
            .bind(id)
            .fetch_all(&mut *self.readers.acquire().await?)
            .await?;
        let mut kept = Vec::new();
        let mut reader = self.readers.acquire().await?;
        for entry in entries {
            let body = sqlx::query_as(BODY).bind(&entry.notice).fetch_all(&mut *reader).await?;
            let bytes = unpack(&mut reader, body).await?.pop().map(|(_, bytes)| bytes);
            let attempts = sqlx::query_as(ATTEMPTS).bind(&entry.notice).fetch_all(&mut *reader).await?;
            let template_hash =
                sqlx::query_scalar(TEMPLATES).bind(&entry.notice).fetch_one(&mut *reader).await?;
            let reports = reports(&mut reader, entry.notice.as_deref()).await?;
            kept.push(Kept { entry, bytes, template_hash, attempts, reports });
        }
        Ok(kept)
    }

    /// Orders by status, oldest first.
    pub async fn list_orders(
        &self,
        status: Option<&str>,
        sku: Option<&str>,
        most: u32,
    ) -> Result<Vec<Listed>> {
        const LIST: &str = "select number, status, placed_at, heard_at, email,
                (select group_concat(distinct sku) from lines
                    where order_number = number and open_units > 0 and kind <> 'in_stock') as waits_for
            from orders where ($1 is null or status = $1)
                and ($2 is null or exists (select 1 from lines where order_number = number and sku = $2))
            order by placed_at, number limit $3";
        Ok(sqlx::query_as(LIST)
            .bind(status)
            .bind(sku)
            .bind(most)
            .fetch_all(&mut *self.readers.acquire().await?)
            .await?)
    }

    /// Orders, notices and decisions, counted.
    pub async fn counts(&self) -> Result<Counts> {
        let mut counts = Counts::default();
        let orders: Vec<(String, i64)> =
            sqlx::query_as("select status, count(*) from orders group by status")
                .fetch_all(&mut *self.readers.acquire().await?)
                .await?;
        counts.orders = orders.into_iter().collect();
        const NOTICES: &str = "select kind, state, count(*) from notices group by kind, state";
        // What was begun and came to nothing has its reason with the notice.
        const DECISIONS: &str = "select kind, reason, count(*) from (select kind, reason from decisions
            union all select kind, reason from notices where state in ('superseded', 'skipped') and reason is not null)
            group by kind, reason";
        for (sql, into) in [(NOTICES, &mut counts.notices), (DECISIONS, &mut counts.decisions)] {
            let rows: Vec<(String, String, i64)> =
                sqlx::query_as(sql).fetch_all(&mut *self.readers.acquire().await?).await?;
            for (kind, state, count) in rows {
                into.entry(kind).or_default().insert(state, count);
            }
        }
        Ok(counts)
    }

    /// The longest silence of any customer who could be mailed, while the order waited, up to `now`.
    pub async fn longest_silence(&self, now: Instant) -> Result<Option<Silence>> {
        // Moments of each order: whether it waits changes there (`turn`), or the customer heard something.
        const SILENCE: &str = "with waited as (
                select number, recorded_at, max(recorded_at, coalesce(silent_before, 0)) as since
                from orders where not exists (select 1 from suppressions where address = email)
                    and exists (select 1 from lines where order_number = number and kind <> 'in_stock')),
            moments as (
                select number, since, recorded_at as at, 1 as turn from waited
                union all select number, since, since, 0 from waited
                union all select number, since, $1, 0 from waited
                union all select number, since, at, iif(begins, 1, -1) from waited join waits on order_number = number
                union all select number, since, settled_at, 0 from waited join notices on order_number = number
                    where state = 'accepted'),
            states as (select number, since, at, sum(turn) over (partition by number order by at) as waits from moments),
            gaps as (select number, since, at, lag(at) over each as before, lag(waits) over each as waits
                from states window each as (partition by number order by at))
            select number, (at - before) / 1000 as gap from gaps where waits > 0 and before >= since
            order by gap desc limit 1";
        let row: Option<(String, Option<i64>)> = sqlx::query_as(SILENCE)
            .bind(millis(now))
            .fetch_optional(&mut *self.readers.acquire().await?)
            .await?;
        Ok(row.and_then(|(order, seconds)| Some(Silence { order, seconds: seconds? })))
    }
}

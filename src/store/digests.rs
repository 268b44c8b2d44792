//! The daily digests: at most one a civil day, whatever restarts; a begun body is recorded before its first octet.

use chrono::NaiveDate;

use super::rows::{date, unknown, word};
use super::{Result, Store, instant, millis};
use crate::domain::calendar::Instant;
use crate::domain::notice::NoticeState;

/// A digest as it was written, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptDigest {
    /// The shop's civil day it is for; there is one at most.
    pub day: NaiveDate,
    /// When it was written.
    pub at: Instant,
    pub subject: String,
    pub body: String,
    /// `capture`, `redirect` or `live`.
    pub mode: String,
    pub state: NoticeState,
    /// Tries that were settled.
    pub attempts: u32,
    pub next_try: Option<Instant>,
    /// The server's last words.
    pub reply: Option<String>,
}

/// How long digests are kept, in days.
const KEPT_DAYS: u64 = 90;

impl Store {
    /// The newest digest up to `day`: one of a later day is that of a clock that was wrong.
    pub async fn last_digest(&self, day: NaiveDate) -> Result<Option<KeptDigest>> {
        const LAST: &str = "select day, at, subject, body, mode, state, attempts, next_try_at, reply
            from digests where day <= $1 order by day desc limit 1";
        let row: Option<DigestRow> =
            sqlx::query_as(LAST).bind(day.to_string()).fetch_optional(&self.readers).await?;
        row.map(DigestRow::into_kept).transpose()
    }

    /// Keeps a digest that is to be sent at once, unless its day has one; those of long ago go.
    pub async fn keep_digest(
        &self,
        day: NaiveDate,
        at: Instant,
        mode: &str,
        subject: &str,
        body: &str,
    ) -> Result<()> {
        const OLD: &str = "delete from digests where day < $1";
        const KEEP: &str = "insert into digests (day, at, mode, subject, body, state, next_try_at)
            values ($1, $2, $3, $4, $5, 'queued', $2) on conflict do nothing";
        let old = day.checked_sub_days(chrono::Days::new(KEPT_DAYS)).unwrap_or(day);
        let mut tx = self.begin().await?;
        sqlx::query(OLD).bind(old.to_string()).execute(&mut *tx).await?;
        let keep = sqlx::query(KEEP).bind(day.to_string()).bind(millis(at)).bind(mode);
        keep.bind(subject).bind(body).execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(())
    }

    /// The body of a digest is about to leave.
    pub async fn begin_digest(&self, day: NaiveDate) -> Result<()> {
        const BEGIN: &str = "update digests set state = 'sending', next_try_at = null
            where day = $1 and next_try_at is not null";
        sqlx::query(BEGIN).bind(day.to_string()).execute(&self.writer).await?;
        Ok(())
    }

    /// What a try under `mode` came to; without a next try it is settled.
    pub async fn settle_digest(
        &self,
        day: NaiveDate,
        mode: &str,
        (state, next_try): (NoticeState, Option<Instant>),
        reply: &str,
        at: Instant,
    ) -> Result<()> {
        const SETTLE: &str =
            "update digests set mode = $6, state = $2, next_try_at = $3, reply = $4, attempts = attempts + 1,
                settled_at = case when $3 is null then $5 end
            where day = $1 and settled_at is null";
        let settle = sqlx::query(SETTLE).bind(day.to_string()).bind(state.as_str());
        settle
            .bind(next_try.map(millis))
            .bind(reply)
            .bind(millis(at))
            .bind(mode)
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    /// The id of a day's digest in this database: the same for each try, and so the same Message-ID.
    pub fn digest_id(&self, day: NaiveDate) -> String {
        format!("digest-{day}-{}", self.instance.chars().take(8).collect::<String>())
    }
}

#[derive(sqlx::FromRow)]
struct DigestRow {
    day: String,
    at: i64,
    subject: String,
    body: String,
    mode: String,
    state: String,
    attempts: u32,
    next_try_at: Option<i64>,
    reply: Option<String>,
}

impl DigestRow {
    fn into_kept(self) -> Result<KeptDigest> {
        Ok(KeptDigest {
            day: date(Some(&self.day))?.ok_or_else(|| unknown("a date", &self.day))?,
            at: instant(self.at),
            state: word("the state of a digest", &self.state, NoticeState::from_word)?,
            next_try: self.next_try_at.map(instant),
            subject: self.subject,
            body: self.body,
            mode: self.mode,
            attempts: self.attempts,
            reply: self.reply,
        })
    }
}

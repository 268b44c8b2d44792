//! Mails to ops: at most one digest a civil day, one alert for the beginning of an incident and one for its end, whatever
//! restarts; a begun body is recorded before its first octet.

use chrono::NaiveDate;

use crate::domain::calendar::Instant;
use crate::domain::notice::NoticeState;
use crate::store::orders::record::{date, word};
use crate::store::{Result, Store, instant, millis};

/// A mail to ops as it was written, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpsMail {
    pub id: String,
    /// The shop's civil day that a digest is for, of which there is one at most; None for an alert.
    pub day: Option<NaiveDate>,
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

/// How long they are kept, in days.
const KEPT_DAYS: u64 = 90;

/// Writes a mail down that is to be sent at once: $1 id, $2 when, $3 mode, $4 subject, $5 body, $6 day.
pub(in crate::store) const KEEP: &str =
    "insert into ops_mails (id, at, mode, subject, body, day, state, next_try_at)
    values ($1, $2, $3, $4, $5, $6, 'queued', $2) on conflict do nothing";

impl Store {
    /// The newest digest up to `day`: one of a later day is that of a clock that was wrong.
    pub async fn last_digest(&self, day: NaiveDate) -> Result<Option<OpsMail>> {
        const LAST: &str = "select id, day, at, subject, body, mode, state, attempts, next_try_at, reply
            from ops_mails where day <= $1 order by day desc limit 1";
        let row: Option<OpsMailRow> = sqlx::query_as(LAST)
            .bind(day.to_string())
            .fetch_optional(&mut *self.readers.acquire().await?)
            .await?;
        row.map(OpsMailRow::into_mail).transpose()
    }

    /// The mail to be tried, or cut short, at `now`: alerts before the digest of the last day up to `today`. An older
    /// digest has lost its use.
    pub async fn next_ops_mail(&self, today: NaiveDate, now: Instant) -> Result<Option<OpsMail>> {
        const NEXT: &str = "select id, day, at, subject, body, mode, state, attempts, next_try_at, reply
            from ops_mails where settled_at is null and (state = 'sending' or next_try_at <= $1)
                and (day is null or day = (select max(day) from ops_mails where day <= $2))
            order by day is not null, at, id limit 1";
        let next = sqlx::query_as(NEXT).bind(millis(now)).bind(today.to_string());
        let row: Option<OpsMailRow> = next.fetch_optional(&mut *self.readers.acquire().await?).await?;
        row.map(OpsMailRow::into_mail).transpose()
    }

    /// Keeps a digest that is to be sent at once, unless its day has one; mails of long ago go.
    pub async fn keep_digest(
        &self,
        day: NaiveDate,
        at: Instant,
        mode: &str,
        subject: &str,
        body: &str,
    ) -> Result<()> {
        const OLD: &str = "delete from ops_mails where day < $1 or (day is null and settled_at < $2)";
        let kept = chrono::Days::new(KEPT_DAYS);
        let old = day.checked_sub_days(kept).unwrap_or(day);
        let mut tx = self.begin("keep_digest").await?;
        let forget = sqlx::query(OLD).bind(old.to_string());
        forget.bind(millis(at.checked_sub_days(kept).unwrap_or(at))).execute(&mut *tx).await?;
        let keep = sqlx::query(KEEP).bind(digest_id(day)).bind(millis(at)).bind(mode);
        keep.bind(subject).bind(body).bind(day.to_string()).execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(())
    }

    /// The body of a mail is about to leave.
    pub async fn begin_ops_mail(&self, id: &str) -> Result<()> {
        const BEGIN: &str = "update ops_mails set state = 'sending', next_try_at = null
            where id = $1 and next_try_at is not null";
        sqlx::query(BEGIN).bind(id).execute(&mut *self.writer.acquire().await?).await?;
        Ok(())
    }

    /// What a try under `mode` came to; without a next try it is settled.
    pub async fn settle_ops_mail(
        &self,
        id: &str,
        mode: &str,
        (state, next_try): (NoticeState, Option<Instant>),
        reply: &str,
        at: Instant,
    ) -> Result<()> {
        const SETTLE: &str =
            "update ops_mails set mode = $6, state = $2, next_try_at = $3, reply = $4, attempts = attempts + 1,
                settled_at = case when $3 is null then $5 end
            where id = $1 and settled_at is null";
        let settle = sqlx::query(SETTLE).bind(id).bind(state.as_str()).bind(next_try.map(millis));
        settle.bind(reply).bind(millis(at)).bind(mode).execute(&mut *self.writer.acquire().await?).await?;
        Ok(())
    }

    /// What the Message-ID of a mail to ops begins with, unlike that of any other database's: the same for each try.
    pub fn ops_mail_name(&self, id: &str) -> String {
        format!("{id}-{}", self.instance.chars().take(8).collect::<String>())
    }
}

/// The id of a day's digest.
pub fn digest_id(day: NaiveDate) -> String {
    format!("digest-{day}")
}

#[derive(sqlx::FromRow)]
struct OpsMailRow {
    id: String,
    day: Option<String>,
    at: i64,
    subject: String,
    body: String,
    mode: String,
    state: String,
    attempts: u32,
    next_try_at: Option<i64>,
    reply: Option<String>,
}

impl OpsMailRow {
    fn into_mail(self) -> Result<OpsMail> {
        Ok(OpsMail {
            day: date(self.day.as_deref())?,
            at: instant(self.at),
            state: word("the state of a mail to ops", &self.state, NoticeState::from_word)?,
            next_try: self.next_try_at.map(instant),
            id: self.id,
            subject: self.subject,
            body: self.body,
            mode: self.mode,
            attempts: self.attempts,
            reply: self.reply,
        })
    }
}

//! Incidents: at most one of a matter goes on at a time, and each is told to ops at most twice.

use chrono::TimeDelta;
use sqlx::SqliteConnection;

use crate::domain::calendar::Instant;
use crate::domain::incident::{Incident, IncidentSubject};
use crate::store::ops::ops_mails::KEEP;
use crate::store::orders::record::unknown;
use crate::store::{Result, Store, instant, millis};

/// What nobody was told of within a day of its end is old news.
const STALE: TimeDelta = TimeDelta::days(1);

/// Notes within the caller's transaction that something does not work. False if that is known.
pub(in crate::store) async fn begins(
    conn: &mut SqliteConnection,
    matter: &IncidentSubject,
    words: &str,
    now: Instant,
) -> Result<bool> {
    const BEGINS: &str = "insert into incidents (what, subject, words, began_at) values ($1, $2, $3, $4)
        on conflict do nothing";
    let (what, subject) = matter.parts();
    let begins = sqlx::query(BEGINS).bind(what).bind(subject).bind(words).bind(millis(now));
    Ok(begins.execute(conn).await?.rows_affected() > 0)
}

impl Store {
    /// Notes that the mail server cannot be used. False if that is known.
    pub async fn relay_fails(&self, words: &str, now: Instant) -> Result<bool> {
        let mut tx = self.begin("relay_fails").await?;
        let new = begins(&mut tx, &IncidentSubject::Relay, words, now).await?;
        tx.commit().await?;
        Ok(new)
    }

    /// Notes that the mail server can be used. False if nobody said otherwise.
    pub async fn relay_works(&self, now: Instant) -> Result<bool> {
        const ENDS: &str = "update incidents set ended_at = $1 where what = 'relay' and ended_at is null";
        Ok(sqlx::query(ENDS)
            .bind(millis(now))
            .execute(&mut *self.writer.acquire().await?)
            .await?
            .rows_affected()
            > 0)
    }

    /// What ops have not been told of, oldest first. What a pause held back is over with it.
    pub async fn untold_incidents(&self, now: Instant) -> Result<Vec<Incident>> {
        const UNTOLD: &str = "select id, what, subject, words, began_at, ended_at from incidents
            where told <> 'all' and (told = 'nothing' or ended_at is not null) order by began_at, id";
        const RESUMED: &str = "update incidents set ended_at = $1
            where ended_at is null and what <> 'relay' and not exists (select 1 from pauses p
                where p.scope = what and p.subject = incidents.subject and coalesce(p.until > $1, true))";
        const OLD: &str = "update incidents set told = 'all' where told <> 'all' and ended_at < $1";
        const OPEN: &str = "select exists (select 1 from incidents where told <> 'all')";
        if !sqlx::query_scalar::<_, bool>(OPEN).fetch_one(&mut *self.readers.acquire().await?).await? {
            return Ok(Vec::new());
        }
        let mut tx = self.begin("untold_incidents").await?;
        sqlx::query(RESUMED).bind(millis(now)).execute(&mut *tx).await?;
        sqlx::query(OLD).bind(millis(now - STALE)).execute(&mut *tx).await?;
        let rows: Vec<IncidentRow> = sqlx::query_as(UNTOLD).fetch_all(&mut *tx).await?;
        tx.commit().await?;
        rows.into_iter().map(IncidentRow::into_incident).collect()
    }

    /// Keeps the alert of an incident, to be sent at once. That of its end takes the place of one that never left.
    pub async fn keep_alert(
        &self,
        incident: &Incident,
        at: Instant,
        mode: &str,
        subject: &str,
        body: &str,
    ) -> Result<()> {
        const UNSENT: &str = "delete from ops_mails where id = $1 and next_try_at is not null";
        const TOLD: &str = "update incidents set told = $2 where id = $1";
        let name = |moment: &str| format!("alert-{}-{moment}", incident.id);
        let (id, told) = match incident.ended {
            None => (name("begins"), "beginning"),
            Some(_) => (name("over"), "all"),
        };
        let mut tx = self.begin("keep_alert").await?;
        if incident.ended.is_some() {
            sqlx::query(UNSENT).bind(name("begins")).execute(&mut *tx).await?;
        }
        let keep = sqlx::query(KEEP).bind(id).bind(millis(at)).bind(mode).bind(subject).bind(body);
        keep.bind(None::<String>).execute(&mut *tx).await?;
        sqlx::query(TOLD).bind(incident.id).bind(told).execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(())
    }
}

#[derive(sqlx::FromRow)]
struct IncidentRow {
    id: i64,
    what: String,
    subject: String,
    words: String,
    began_at: i64,
    ended_at: Option<i64>,
}

impl IncidentRow {
    fn into_incident(self) -> Result<Incident> {
        Ok(Incident {
            id: self.id,
            matter: IncidentSubject::from_parts(&self.what, self.subject)
                .ok_or_else(|| unknown("the matter of an incident", &self.what))?,
            words: self.words,
            began: instant(self.began_at),
            ended: self.ended_at.map(instant),
        })
    }
}

//! Reports about mails after they were accepted: what each makes of its notice, its order and its address.
//!
//! What always holds: the same report again changes nothing; and nothing is changed under a mail that is just leaving.

use sqlx::{AssertSqlSafe, SqliteConnection};

use crate::domain::bounce::{EarlierNotice, Fate, Report};
use crate::domain::calendar::Instant;
use crate::domain::customer::EmailAddress;
use crate::domain::meaning::Meaning;
use crate::domain::notice::Reason;
use crate::domain::order::Order;
use crate::domain::policy::Policy;
use crate::domain::suppression::Suppression;
use crate::store::orders::facts::UNTELL;
use crate::store::orders::load::load;
use crate::store::orders::record::{EarlierRow, NoticeRow, email, to_json};
use crate::store::orders::save::plan_anew;
use crate::store::outbox::suppressions::suppress;
use crate::store::sqlite::dialect::sql;
use crate::store::{Result, Store, instant, millis};

/// What became of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Applied {
    /// It is about no mail of ours that went to a customer.
    Unknown,
    /// It was reported before.
    Known,
    /// A mail of the same order is on its way this very moment; the report is to come again.
    Busy,
    Done {
        order: String,
        fate: Fate,
        /// The notice counts as not heard from now on.
        unheard: bool,
        /// The address gets no mail from now on, or no routine news after a complaint.
        suppressed: bool,
    },
}

/// The notice of a report.
#[derive(sqlx::FromRow)]
struct Mailed {
    #[sqlx(flatten)]
    notice: NoticeRow,
    attempts: u32,
    settled_at: Option<i64>,
    /// It, or another mail of its order, is on its way.
    busy: bool,
}

impl Store {
    /// Applies what was reported of the notice `id`.
    pub async fn report(&self, id: &str, report: &Report, now: Instant, policy: &Policy) -> Result<Applied> {
        const KEEP: &str = "insert into bounces (notice_id, attempt, fate, at, meaning, words)
            values ($1, $2, $3, $4, $5, $6) on conflict do nothing";
        let mut tx = self.begin("report").await?;
        let Some(mailed) = mailed(&mut tx, id).await? else { return Ok(Applied::Unknown) };
        if mailed.busy && report.fate() == Fate::Failed {
            return Ok(Applied::Busy);
        }
        let address = email(mailed.notice.email.clone())?;
        let cause = report.suppresses(dead_since(&mut tx, id, &address).await?, now);
        let keep = sqlx::query(KEEP).bind(id).bind(mailed.attempts).bind(report.fate().as_str());
        let keep = keep.bind(millis(now)).bind(report.meaning().map(Meaning::as_str)).bind(report.words());
        if keep.execute(&mut *tx).await?.rows_affected() == 0 {
            return Ok(Applied::Known);
        }
        let order = mailed.notice.order_number.clone();
        let (reason, notice) = (report.words(), Some(id.to_owned()));
        let found = cause.map(|cause| Suppression { address, cause, reason, since: now, notice });
        let suppressed = !suppress(&mut tx, found.as_slice()).await?.is_empty();
        let unheard = report.fate() == Fate::Failed && bounce(&mut tx, mailed, report, now, policy).await?;
        tx.commit().await?;
        Ok(Applied::Done { order, fate: report.fate(), unheard, suppressed })
    }
}

/// The notice, if a mail of it left for a customer.
async fn mailed(conn: &mut SqliteConnection, id: &str) -> Result<Option<Mailed>> {
    let sql = format!(
        "select {}, attempts, settled_at, exists (select 1 from notices other
            where other.order_number = n.order_number
                and (other.state = 'sending' or other.id = n.id and other.next_try_at is not null)) as busy
        from notices n where id = $1 and mode = 'live' and attempts > 0",
        NoticeRow::columns()
    );
    Ok(sqlx::query_as(AssertSqlSafe(sql)).bind(id).fetch_optional(conn).await?)
}

/// When the domain of an address was first reported as dead, of another notice than `id`, if nothing was accepted for it
/// since that did not come back.
async fn dead_since(
    conn: &mut SqliteConnection,
    id: &str,
    address: &EmailAddress,
) -> Result<Option<Instant>> {
    const FIRST: &str = "select min(b.at) from bounces b join notices n on n.id = b.notice_id
        where b.meaning = 'dead_domain' and n.email = $1 and n.id <> $2
            and not exists (select 1 from notices later where later.order_number = n.order_number
                and later.email = n.email and later.state = 'accepted' and later.settled_at > b.at and later.id <> $2)";
    let first = sqlx::query_scalar(FIRST).bind(address.as_str()).bind(id);
    let first: Option<i64> = first.fetch_one(conn).await?;
    Ok(first.map(instant))
}

/// The notice came back. Says whether it had counted as heard, or might have.
async fn bounce(
    conn: &mut SqliteConnection,
    mailed: Mailed,
    report: &Report,
    now: Instant,
    policy: &Policy,
) -> Result<bool> {
    const BOUNCE: &str = "update notices set state = 'bounced', reply = $2, reason = $3
        where id = $1 and state in ('accepted', 'in_doubt')";
    let Mailed { notice, settled_at, .. } = mailed;
    let (number, was_accepted) = (notice.order_number.clone(), notice.state == "accepted");
    let bounce = sqlx::query(BOUNCE).bind(&notice.id).bind(report.words());
    let bounce = bounce.bind(report.reason().map(Reason::as_str));
    let bounced = bounce.execute(&mut *conn).await?.rows_affected() > 0;
    if was_accepted && let Some(accepted) = settled_at {
        let others = others(conn, &notice).await?;
        let notice = notice.into_under_way()?.notice;
        let orders = load(conn, std::slice::from_ref(&number)).await?;
        let bounce = |order: &mut Order| order.apply_bounce(&notice, instant(accepted), &others, now, policy);
        plan_anew(conn, orders, bounce, now).await?;
    }
    if bounced {
        sqlx::query(UNTELL.as_str()).bind(to_json(&[number])).execute(conn).await?;
    }
    Ok(bounced)
}

/// The other notices of the order that were settled by a try. What was captured or redirected told nobody anything.
async fn others(conn: &mut SqliteConnection, notice: &NoticeRow) -> Result<Vec<EarlierNotice>> {
    sql!(
        OTHERS = "select {} from notices
        where order_number = $1 and id <> $2 and settled_at is not null and mode = 'live'
            and state in ('accepted', 'failed', 'in_doubt', 'bounced')",
        EarlierRow::COLUMNS.join(", ")
    );
    let others = sqlx::query_as(OTHERS.as_str()).bind(&notice.order_number).bind(&notice.id);
    let others: Vec<EarlierRow> = others.fetch_all(conn).await?;
    others.into_iter().map(EarlierRow::into_earlier).collect()
}

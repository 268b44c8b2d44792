//! What follows of refusals beside the outcome of their notices: what they meant is put on record, dead addresses are
//! suppressed, and what would do harm is held back. All of it in the transaction that settles the notices.

use sqlx::SqliteConnection;

use crate::domain::incident::IncidentSubject;
use crate::domain::meaning::{Consequence, Meaning, Record, Refusal, WITHIN};
use crate::domain::notice::short_id;
use crate::domain::pause::{Pause, Scope, Setter};
use crate::domain::suppression::{Cause, Suppression};
use crate::store::ops::incidents::begins;
use crate::store::orders::record::to_json;
use crate::store::outbox::outcome::Settlement;
use crate::store::outbox::pauses::hold;
use crate::store::outbox::suppressions::suppress;
use crate::store::sqlite::dialect::{sql, tuples};
use crate::store::{Result, instant, millis};

/// Follows up on what was refused among these outcomes, whose notices and tries are settled already.
pub(in crate::store) async fn follow(conn: &mut SqliteConnection, settled: &[&Settlement]) -> Result<()> {
    sql!(
        MEANINGS = "update attempts set meaning = new.meaning
        from {} as new
        where attempts.notice_id = new.id and attempts.number = new.number",
        tuples("$1", &["id", "number", "meaning"])
    );
    let refused: Vec<(&Settlement, &Refusal)> =
        settled.iter().filter_map(|s| Some((*s, s.refusal.as_ref()?))).collect();
    if refused.is_empty() {
        return Ok(());
    }
    let meanings: Vec<_> = refused.iter().map(|(s, r)| (&s.id, s.attempt, r.meaning.as_str())).collect();
    sqlx::query(MEANINGS.as_str()).bind(to_json(&meanings)).execute(&mut *conn).await?;
    for (settlement, refusal) in refused {
        let record = record(conn, settlement, refusal).await?;
        let email = &settlement.notice.content.email;
        let follows = refusal.consequence(settlement.notice.kind, email.domain(), settlement.at, record);
        match follows {
            None => {}
            Some(Consequence::Suppress) => {
                let found = Suppression {
                    address: email.clone(),
                    cause: Cause::Refused,
                    reason: settlement.reply.clone().unwrap_or_else(|| refusal.codes.clone()),
                    since: settlement.at,
                    notice: Some(settlement.id.clone()),
                };
                suppress(conn, &[found]).await?;
            }
            Some(Consequence::Hold(scope)) => hold_back(conn, scope, settlement, refusal).await?,
        }
    }
    Ok(())
}

/// Holds mail back, and lets ops know.
async fn hold_back(
    conn: &mut SqliteConnection,
    scope: Scope,
    settlement: &Settlement,
    refusal: &Refusal,
) -> Result<()> {
    // Shown in the digest and in the service's status, where no customer's address may stand.
    let notice = short_id(&settlement.id);
    let (why, codes) = (refusal.meaning.why_held(), &refusal.codes);
    let reason = format!("{why}: {codes}, see shipby show {notice}");
    let pause = Pause { scope, reason, by: Setter::Shipby, since: settlement.at, until: None };
    if hold(conn, &pause).await? {
        begins(conn, &IncidentSubject::Held(pause.scope.clone()), &pause.reason, pause.since).await?;
        let (scope, subject) = pause.scope.parts();
        tracing::error!(scope, subject, meaning = %refusal.meaning, notice = settlement.id,
            "mail is held back until a person resumes it: shipby queue list says why");
    }
    Ok(())
}

/// What is on record beside a refusal; asked only where it matters.
async fn record(conn: &mut SqliteConnection, settlement: &Settlement, refusal: &Refusal) -> Result<Record> {
    const RECIPIENTS: &str =
        "select count(distinct n.email) from attempts a join notices n on n.id = a.notice_id
        where a.meaning = $1 and a.meaning in ('policy', 'throttled') and a.ended_at > $2 and a.number >= $3
            and substr(n.email, instr(n.email, '@') + 1) = $4";
    // By the customer's orders, for notices are not found by their address.
    const FIRST: &str = "select min(a.ended_at) from orders o join notices n on n.order_number = o.number
            join attempts a on a.notice_id = n.id
        where o.email = $1 and n.email = $1 and a.meaning = 'perhaps_dead'
            and a.ended_at > coalesce((select max(n.settled_at) from orders o
                join notices n on n.order_number = o.number
                where o.email = $1 and n.email = $1 and n.state = 'accepted'), 0)";
    let email = &settlement.notice.content.email;
    let mut record = Record::default();
    if let Some(from) = refusal.counts_from_try() {
        let count = sqlx::query_scalar(RECIPIENTS).bind(refusal.meaning.as_str());
        let count = count.bind(millis(settlement.at - WITHIN)).bind(from).bind(email.domain());
        record.recipients = count.fetch_one(&mut *conn).await?;
    } else if refusal.meaning == Meaning::PerhapsDead {
        let first: Option<i64> = sqlx::query_scalar(FIRST).bind(email.as_str()).fetch_one(conn).await?;
        record.first_at = first.map(instant);
    }
    Ok(record)
}

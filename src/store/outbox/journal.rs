//! What connections did with the notices in their hands, written down before anything is built on it.
//!
//! What always holds: a begun body is written down before its first octet leaves; an acceptance that is written down is
//! never a doubt again, whenever it is entered; what is entered in a notice, its try and its order is not in the ledger
//! any more.

use std::collections::HashMap;

use serde::Serialize;
use sqlx::SqliteConnection;

use crate::domain::calendar::Instant;
use crate::domain::policy::Policy;
use crate::store::orders::record::to_json;
use crate::store::outbox::outcome::Settlement;
use crate::store::outbox::settlement::settle;
use crate::store::sqlite::dialect::{sql, tuples, unindexed};
use crate::store::{Result, Store, millis};

/// What is to be made durable in one commit.
#[derive(Debug, Default)]
pub struct Outcomes {
    /// Entered everywhere.
    pub settled: Vec<Settlement>,
    /// Acceptances that are written down only: the notices stay in the owner's hands until these are `settled` too.
    pub accepted: Vec<Settlement>,
    /// Bodies about to leave: notice and the revision it was read at.
    pub begin: Vec<(String, i64)>,
}

/// How far a notice had come that was left in the hands of a dead owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) enum Left {
    /// No octet of its body left.
    Taken,
    Begun,
    /// When, and the server's words.
    Accepted(i64, String),
}

#[derive(Serialize)]
struct Row<'a>(&'a str, Option<i64>, i64, Option<&'a str>);

impl Store {
    /// Makes outcomes durable and lets bodies begin, in one commit. Says which bodies may leave: not those whose
    /// order changed since they were read.
    pub async fn commit(
        &self,
        owner: &str,
        now: Instant,
        outcomes: &Outcomes,
        policy: &Policy,
    ) -> Result<Vec<String>> {
        let begin = outcomes.begin.iter().map(|(id, revision)| Row(id, Some(*revision), millis(now), None));
        let accepted = outcomes.accepted.iter();
        let accepted =
            accepted.map(|s| Row(&s.id, None, millis(s.at), Some(s.reply.as_deref().unwrap_or(""))));
        let rows: Vec<Row> = accepted.chain(begin).collect();
        if outcomes.settled.is_empty() {
            // One statement is a transaction by itself, and a third of the way there and back.
            return write_down(&mut *self.writer.acquire().await?, owner, &rows).await;
        }
        let mut tx = self.begin("commit").await?;
        settle(&mut tx, owner, &outcomes.settled, policy).await?;
        let begun = if rows.is_empty() { Vec::new() } else { write_down(&mut tx, owner, &rows).await? };
        tx.commit().await?;
        Ok(begun)
    }
}

/// Says which bodies may leave.
async fn write_down(conn: &mut SqliteConnection, owner: &str, rows: &[Row<'_>]) -> Result<Vec<String>> {
    // The plus keeps SQLite from walking all that the owner has in hand.
    sql!(
        WRITE_DOWN = "insert into ledger (notice_id, what, at, reply)
        select new.id, case when new.revision is null then 'accepted' else 'begun' end, new.at, new.reply
        from {} as new
        where exists (select 1 from notices n join orders o on o.number = n.order_number
            where n.id = new.id and n.state = 'sending' and {} = $2
                and o.revision = coalesce(new.revision, o.revision))
        returning notice_id, what = 'begun'",
        tuples("$1", &["id", "revision", "at", "reply"]),
        unindexed("n.owner")
    );
    let written: Vec<(String, bool)> =
        sqlx::query_as(WRITE_DOWN.as_str()).bind(to_json(rows)).bind(owner).fetch_all(conn).await?;
    Ok(written.into_iter().filter_map(|(id, begun)| begun.then_some(id)).collect())
}

/// What owners had in hand, and how far each had come.
pub(in crate::store) async fn left_in_hand(conn: &mut SqliteConnection) -> Result<Vec<(String, Left)>> {
    const IN_HAND: &str = "select id from notices where owner is not null";
    const LEDGER: &str = "select notice_id, at, reply from ledger order by seq";
    let in_hand: Vec<String> = sqlx::query_scalar(IN_HAND).fetch_all(&mut *conn).await?;
    let ledger: Vec<(String, i64, Option<String>)> = sqlx::query_as(LEDGER).fetch_all(conn).await?;
    let mut known: HashMap<String, Left> = HashMap::new();
    for (id, at, reply) in ledger {
        known.insert(id, reply.map_or(Left::Begun, |reply| Left::Accepted(at, reply)));
    }
    let left = in_hand.into_iter().map(|id| {
        let left = known.remove(&id).unwrap_or(Left::Taken);
        (id, left)
    });
    Ok(left.collect())
}

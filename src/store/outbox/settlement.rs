//! Outcomes made durable: the notice, the try, what the order and its lines remember, in a few statements whatever
//! their number.
//!
//! What always holds: an outcome is the domain's, applied to the order as it is. Where a fact came in while the mail was
//! on its way, it is applied to the order anew.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use serde::Serialize;
use sqlx::SqliteConnection;

use crate::domain::notice::{Decision, NoticeState};
use crate::domain::order::Order;
use crate::domain::policy::Policy;
use crate::store::orders::load::load;
use crate::store::orders::record::{stamp, to_json};
use crate::store::orders::save::{Changed, Changes};
use crate::store::outbox::decisions::{SAVE_DECISIONS, decision_rows};
use crate::store::outbox::outcome::Settlement;
use crate::store::outbox::refusals;
use crate::store::sqlite::dialect::{given, several};
use crate::store::sqlite::statements::Statements;
use crate::store::{Result, millis};

/// How a try ended, as [`END`] reads it.
#[derive(Serialize)]
struct EndRow<'a> {
    id: &'a str,
    state: NoticeState,
    next_try: Option<i64>,
    reason: Option<&'static str>,
    reply: Option<&'a str>,
    at: i64,
    /// When it was over, if nothing more happens to it by itself.
    over_at: Option<i64>,
    attempt: u32,
    phase: Option<&'static str>,
}

/// Saves outcomes, whatever their number, with a few statements in two goes; wakes the orders. What is not in the
/// owner's hands any more changes nothing.
pub(in crate::store) async fn settle(
    conn: &mut SqliteConnection,
    owner: &str,
    settled: &[Settlement],
    policy: &Policy,
) -> Result<()> {
    if settled.is_empty() {
        return Ok(());
    }
    let rows: Vec<EndRow> = settled.iter().map(end_row).collect();
    let end = sqlx::query_as(END.as_str()).bind(to_json(&rows)).bind(owner);
    // Notices that ended, with the revisions of their orders.
    let ended: HashMap<String, i64> = end.fetch_all(&mut *conn).await?.into_iter().collect();
    let (ended_now, lost): (Vec<&Settlement>, Vec<&Settlement>) =
        settled.iter().partition(|s| ended.contains_key(&s.id));
    for s in lost {
        tracing::error!(order = s.after.number, notice = s.id, state = %s.settled.state,
            "an outcome came too late: the notice is not in our hands any more");
    }
    let (current, outdated): (Vec<&Settlement>, Vec<&Settlement>) =
        ended_now.into_iter().partition(|s| ended.get(&s.id) == Some(&s.revision));
    let anew = apply_anew(conn, &outdated, policy).await?;
    let all: Vec<&Settlement> = current.into_iter().chain(&anew).collect();
    remember(conn, &all).await
}

/// The same outcomes for the orders as they are now: facts came in since they were read.
async fn apply_anew(
    conn: &mut SqliteConnection,
    outdated: &[&Settlement],
    policy: &Policy,
) -> Result<Vec<Settlement>> {
    if outdated.is_empty() {
        return Ok(Vec::new());
    }
    let numbers: HashSet<&str> = outdated.iter().map(|s| s.after.number.as_str()).collect();
    let numbers: Vec<String> = numbers.into_iter().map(str::to_owned).collect();
    let now: HashMap<String, Order> =
        load(conn, &numbers).await?.into_iter().map(|order| (order.number.clone(), order)).collect();
    let anew = outdated.iter().filter_map(|s| {
        let before = now.get(&s.after.number)?.clone();
        // It has ended already, but not for the order.
        let mut after = Order { under_way: s.before.under_way.clone(), ..before.clone() };
        after.settle(&s.notice, &s.id, s.outcome, s.at, policy);
        Some(Settlement { before, after, look: Some(s.at), ..(*s).clone() })
    });
    Ok(anew.collect())
}

/// Saves all that follows from tries that have ended: what orders and their lines remember, and what was refused.
pub(in crate::store) async fn remember(conn: &mut SqliteConnection, settled: &[&Settlement]) -> Result<()> {
    let Some(first) = settled.first() else { return Ok(()) };
    refusals::follow(conn, settled).await?;
    let orders: Vec<Changed> =
        settled.iter().map(|s| Changed { before: Some(&s.before), after: &s.after, look: s.look }).collect();
    let decided: Vec<(String, Decision)> = settled
        .iter()
        .flat_map(|s| s.settled.decided.iter().map(|decision| (s.after.number.clone(), decision.clone())))
        .collect();
    let mut all = Statements::default();
    Changes::of(&orders).written().add_to(&mut all);
    all.add(&SAVE_DECISIONS, decision_rows(&decided));
    all.run(conn, first.at).await?;
    Ok(())
}

fn end_row(s: &Settlement) -> EndRow<'_> {
    EndRow {
        id: &s.id,
        state: s.settled.state,
        next_try: stamp(s.settled.next_try),
        reason: s.settled.reason.map(|reason| reason.as_str()),
        reply: s.reply.as_deref(),
        at: millis(s.at),
        over_at: s.settled.next_try.is_none().then(|| millis(s.at)),
        attempt: s.attempt,
        phase: s.phase,
    }
}

/// $1: how tries ended; $2: the owner. Only what is in the owner's hands changes: the notices come last, for until then
/// they show whose they are.
static END: LazyLock<String> = LazyLock::new(|| {
    let ended = given(&["id", "attempt", "at", "state", "phase", "reply", "next_try", "reason", "over_at"]);
    several(&[
        &format!(
            "update attempts set ended_at = new.at, outcome = new.state, phase = new.phase, reply = new.reply
            from {ended} as new
            where attempts.notice_id = new.id and attempts.number = new.attempt and attempts.ended_at is null
                and exists (select 1 from notices n where n.id = new.id and coalesce(n.owner, '') = $2)"
        ),
        &format!("delete from ledger where notice_id in (select id from {})", given(&["id"])),
        &format!(
            "update notices set state = new.state, next_try_at = new.next_try, owner = null,
                doubtful = doubtful or new.state = 'in_doubt', reply = new.reply, reason = new.reason,
                settled_at = new.over_at
            from {ended} as new
            where notices.id = new.id and coalesce(notices.owner, '') = $2
            returning notices.id, (select revision from orders where number = notices.order_number)"
        ),
    ])
});

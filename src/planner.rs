//! The planner: facts become notices in the outbox. It decides nothing itself; `domain::schedule` does.
//!
//! A turn covers every dirty SKU first, for no order may be planned with a cover that is out of date.

use crate::domain::calendar::Instant;
use crate::domain::policy::Policy;
use crate::store::{Agenda, HeldChange, Result, Store};

/// What a turn did.
#[derive(Debug, Clone, Default)]
pub struct Counts {
    /// Orders looked at.
    pub orders: usize,
    /// Notices put into the outbox.
    pub queued: usize,
    /// Changes that would mail too many at one time, and now wait for a person.
    pub held: Vec<HeldChange>,
}

/// Orders scheduled in one transaction.
const BATCH: u32 = 2_000;
/// Orders woken in one step after the policy changed.
const WAKE: u32 = 10_000;

/// Does all that is due at `now`: expiry, cover, schedule. Says what came of it.
pub async fn turn(store: &Store, policy: &Policy, now: Instant) -> Result<Counts> {
    follow(store, policy, now, store.agenda(now).await?).await
}

/// The same where it is known what is due.
pub async fn follow(store: &Store, policy: &Policy, now: Instant, mut agenda: Agenda) -> Result<Counts> {
    let mut counts = Counts::default();
    let is_due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
    loop {
        let (expire, cover) = (is_due(agenda.expire), is_due(agenda.cover));
        if expire {
            store.expire(now, policy).await?;
        }
        if cover {
            store.cover_dirty(now, policy).await?;
        }
        let mut more = expire;
        // Covering wakes orders.
        if cover || is_due(agenda.plan) {
            let planned = store.plan_due(now, policy, BATCH).await?;
            counts.orders += planned.orders;
            counts.queued += planned.queued.len();
            counts.held.extend(planned.held);
            more |= planned.orders == BATCH as usize;
        }
        if !more {
            break;
        }
        agenda = store.agenda(now).await?;
    }
    for batch in &counts.held {
        tracing::warn!(
            batch = batch.id,
            sku = batch.sku,
            notices = batch.notices,
            "one change would mail very many: it is held until `shipby queue release`"
        );
    }
    Ok(counts)
}

const WOKEN_FOR: &str = "policy";
const CURSOR: &str = "policy_cursor";

/// When the policy has changed since the last start, wakes a part of the open orders. Says whether there are more.
/// The cursor is durable: a restart goes on where the last daemon stopped.
pub async fn wake_after_change(store: &Store, policy: &Policy, now: Instant) -> Result<bool> {
    let current = format!("{policy:?}");
    let known = store.meta(WOKEN_FOR).await?;
    if known.as_deref() == Some(&current) && store.meta(CURSOR).await?.is_none_or(|cursor| cursor == END) {
        return Ok(false);
    }
    let cursor = match known {
        // Nothing was planned by another policy in a new database.
        None => END.to_owned(),
        Some(known) if known == current => store.meta(CURSOR).await?.unwrap_or_default(),
        Some(_) => String::new(),
    };
    let next = if cursor == END { None } else { store.wake_open(&cursor, now, WAKE).await? };
    store.set_meta(CURSOR, next.as_deref().unwrap_or(END)).await?;
    store.set_meta(WOKEN_FOR, &current).await?;
    Ok(next.is_some())
}

/// No order number: they have no control characters.
const END: &str = "\u{1}end";

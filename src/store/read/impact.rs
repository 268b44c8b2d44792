//! What facts would mail. Of one supply or receipt: it is recorded, its queue walked, its orders played forward, and all
//! of it taken back. Of a file: the same in a copy of the database that is thrown away.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::iter::Peekable;
use std::sync::Arc;

use sqlx::SqliteConnection;

use crate::domain::calendar::Instant;
use crate::domain::impact::Impact;
use crate::domain::order::apply::Notify;
use crate::domain::order::{Debounce, Order};
use crate::domain::policy::Policy;
use crate::store::orders::allocation::{Served, Walk};
use crate::store::orders::facts::{Book, Entry, Recorded};
use crate::store::orders::load::{aside, load_text, parse};
use crate::store::orders::record::json;
use crate::store::{Result, Store};

/// Lines whose orders are played forward at one time, and how many such pieces are while the next is loaded.
const PIECE: usize = 500;
const AT_ONCE: usize = 2;

impl Store {
    /// What recording a fact about a supply would come to, and whom it would mail. Nothing is changed.
    pub async fn impact(&self, entry: &Entry, now: Instant, policy: &Policy) -> Result<(Recorded, Impact)> {
        let entries = std::slice::from_ref(entry);
        let mut impact = Impact::default();
        let mut tx = self.begin("impact").await?;
        let mut book = Book::open(&mut tx, entries, now, Notify::All).await?;
        let recorded = book.enter(&entry.fact);
        book.save(&mut tx, &[]).await?;
        let policy = Arc::new(policy.clone());
        for sku in book.skus() {
            let mut walk = Walk::open(&mut tx, sku, now, &policy).await?;
            while let Some(mut changed) = walk.next(&mut tx).await? {
                changed.retain(|line| line.by.cover.wakes);
                impact.absorb(play_all(&mut tx, changed, now, &policy).await?);
            }
        }
        // Not committed: all of it is taken back.
        impact.guard(&policy);
        Ok((recorded, impact))
    }

    /// What would be due without another fact is left out of [`Store::impact_of_woken`] from here on. Only for a copy:
    /// nothing of it is ever planned.
    pub async fn let_sleep(&self, now: Instant, policy: &Policy) -> Result<()> {
        self.cover_dirty(now, policy).await?;
        const FORGET: &str = "update orders set plan_at = null where plan_at is not null";
        sqlx::query(FORGET).execute(&mut *self.writer.acquire().await?).await?;
        Ok(())
    }

    /// What all that was recorded since [`Store::let_sleep`] comes to, and whom it would mail.
    pub async fn impact_of_woken(&self, now: Instant, policy: &Policy) -> Result<Impact> {
        // By number, not by the index of what is due: each page goes on where the last one ended.
        const NEXT: &str = "select number from orders where +plan_at is not null and number > $1
            order by number limit $2";
        self.cover_dirty(now, policy).await?;
        let policy = Arc::new(policy.clone());
        let mut reader = self.readers.acquire().await?;
        let mut changes = Changes::new();
        let mut after = String::new();
        loop {
            let next = sqlx::query_scalar(NEXT).bind(&after).bind(PIECE as i64);
            let numbers: Vec<String> = next.fetch_all(&mut *reader).await?;
            let Some(last) = numbers.last() else { break };
            after.clone_from(last);
            let found = load_text(&mut reader, &numbers).await?;
            let policy = policy.clone();
            for (batch, part) in aside(move || play_woken(&found, now, &policy)).await? {
                changes.entry(batch).or_default().absorb(part);
            }
        }
        let mut impact = Impact::default();
        for (batch, mut part) in changes {
            if batch.is_some() {
                part.guard(&policy);
            }
            impact.absorb(part);
        }
        Ok(impact)
    }
}

/// What would be mailed by changes that the blast guard counts, by its batches, and by all else.
type Changes = BTreeMap<Option<i64>, Impact>;

/// Orders as they stand, played forward.
fn play_woken(found: &str, now: Instant, policy: &Policy) -> Result<Changes> {
    let mut changes = Changes::new();
    for mut order in parse(found)? {
        let batch = order.blast_hold.take().map(|hold| hold.batch);
        changes.entry(batch).or_default().add(&order, now, policy, |kind| kind.rules().is_caused);
    }
    Ok(changes)
}

/// Plays the orders of lines forward in pieces, oldest first.
async fn play_all(
    conn: &mut SqliteConnection,
    changed: Vec<Served>,
    now: Instant,
    policy: &Arc<Policy>,
) -> Result<Impact> {
    let mut impact = Impact::default();
    let mut playing = VecDeque::new();
    let mut changed = changed.into_iter().peekable();
    while let Some(piece) = next_piece(&mut changed) {
        let numbers: Vec<&str> = piece.iter().map(|line| line.order.as_str()).collect();
        let found = load_text(conn, &numbers).await?;
        let policy = policy.clone();
        playing.push_back(aside(move || play(&found, &piece, now, &policy)));
        if playing.len() > AT_ONCE
            && let Some(first) = playing.pop_front()
        {
            impact.absorb(first.await?);
        }
    }
    for rest in playing {
        impact.absorb(rest.await?);
    }
    Ok(impact)
}

/// Some lines from the front; those of one order are neighbours and stay together. None at the end.
fn next_piece(changed: &mut Peekable<impl Iterator<Item = Served>>) -> Option<Vec<Served>> {
    let mut piece: Vec<Served> = changed.by_ref().take(PIECE).collect();
    let last = piece.last()?.order.clone();
    while let Some(line) = changed.next_if(|line| line.order == last) {
        piece.push(line);
    }
    Some(piece)
}

/// Orders as they would stand after the change, played forward.
fn play(found: &str, changed: &[Served], now: Instant, policy: &Policy) -> Result<Impact> {
    let mut impact = Impact::default();
    let orders = parse(found)?.into_iter().map(|order| (order.number.clone(), order));
    let mut orders: HashMap<String, Order> = orders.collect();
    for lines in changed.chunk_by(|a, b| a.order == b.order) {
        let Some(mut order) = lines.first().and_then(|line| orders.remove(&line.order)) else { continue };
        for Served { line, by, .. } in lines {
            let reason = by.reason.as_deref().map(|reason| json("a reason", reason)).transpose()?;
            order.serve(line, &by.cover, reason.unwrap_or_default(), Debounce::at(now));
        }
        order.blast_hold = None;
        impact.add(&order, now, policy, |kind| kind.rules().may_be_held);
    }
    Ok(impact)
}

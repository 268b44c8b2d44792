//! Places in the queue: worked out once for each state of a SKU's queue, then looked up.
//!
//! What always holds: a place is that of the queue's revision in the same snapshot of the database.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use sqlx::SqliteConnection;

use super::rows::{json, to_json};
use super::{Result, Store, millis};
use crate::domain::order::{Order, Place};

/// Orders of all queues that are remembered, about 50 octets each; beyond that they are forgotten.
const REMEMBERED: usize = 300_000;

/// The orders of a queue, oldest first: when each was placed, and its number.
type Queue = Arc<Vec<(i64, String)>>;

/// Queues as they were at a revision.
#[derive(Debug, Default)]
pub(super) struct Queues(HashMap<String, (i64, Queue)>);

/// Shared by all clones of a store.
pub(super) type Known = Arc<Mutex<Queues>>;

impl Store {
    /// Fills in the place of every waiting line in the queue of its SKU.
    pub(super) async fn place(&self, conn: &mut SqliteConnection, orders: &mut [&mut Order]) -> Result<()> {
        let waiting = orders.iter().flat_map(|order| order.waiting().map(|line| line.sku.as_str()));
        let mut skus: Vec<&str> = waiting.collect();
        skus.sort_unstable();
        skus.dedup();
        if skus.is_empty() {
            return Ok(());
        }
        let queues = self.queues(conn, &skus).await?;
        for order in orders {
            let key = (millis(order.placed_at), order.number.clone());
            for line in &mut order.lines {
                let queue = queues.get(&line.sku).filter(|_| line.waits());
                line.place = queue.and_then(|queue| {
                    let at = u32::try_from(queue.binary_search(&key).ok()? + 1).ok()?;
                    Some(Place { at, of: u32::try_from(queue.len()).ok()? })
                });
            }
        }
        Ok(())
    }

    async fn queues(&self, conn: &mut SqliteConnection, skus: &[&str]) -> Result<HashMap<String, Queue>> {
        const REVISIONS: &str =
            "select sku, revision from queues where sku in (select value from json_each($1))";
        let revisions: Vec<(String, i64)> =
            sqlx::query_as(REVISIONS).bind(to_json(skus)).fetch_all(&mut *conn).await?;
        let revisions: HashMap<String, i64> = revisions.into_iter().collect();
        let revision = |sku: &str| revisions.get(sku).copied().unwrap_or(0);
        let mut found: HashMap<String, Queue> = HashMap::new();
        let mut unknown = Vec::new();
        {
            let known = self.known_queues.lock().unwrap_or_else(PoisonError::into_inner);
            for sku in skus {
                match known.0.get(*sku) {
                    Some((at, queue)) if *at == revision(sku) => {
                        found.insert((*sku).to_owned(), queue.clone());
                    }
                    _ => unknown.push(*sku),
                }
            }
        }
        if !unknown.is_empty() {
            let read = read(conn, &unknown).await?;
            let mut known = self.known_queues.lock().unwrap_or_else(PoisonError::into_inner);
            if known.0.values().map(|(_, queue)| queue.len()).sum::<usize>() > REMEMBERED {
                known.0.clear();
            }
            for (sku, queue) in read {
                let queue = Arc::new(queue);
                known.0.insert(sku.clone(), (revision(&sku), queue.clone()));
                found.insert(sku, queue);
            }
        }
        Ok(found)
    }
}

async fn read(conn: &mut SqliteConnection, skus: &[&str]) -> Result<HashMap<String, Vec<(i64, String)>>> {
    const QUEUES: &str = "select json_group_array(json_array(sku, placed_at, order_number)) from
        (select distinct sku, placed_at, order_number from lines
            where open_units > 0 and kind <> 'in_stock' and sku in (select value from json_each($1)))";
    let rows: String = sqlx::query_scalar(QUEUES).bind(to_json(skus)).fetch_one(conn).await?;
    let mut queues: HashMap<String, Vec<(i64, String)>> = HashMap::new();
    for (sku, placed_at, number) in json::<Vec<(String, i64, String)>>("queues", &rows)? {
        queues.entry(sku).or_default().push((placed_at, number));
    }
    queues.values_mut().for_each(|queue| queue.sort_unstable());
    Ok(queues)
}

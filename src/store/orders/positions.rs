//! Places in the queue: worked out once for each state of a SKU's queue, then looked up.
//!
//! What always holds: a place is that of the queue's revision in the same snapshot of the database.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use sqlx::SqliteConnection;

use crate::domain::order::{Order, QueuePosition};
use crate::store::orders::record::{json, to_json};
use crate::store::sqlite::dialect::{all_of, one_value, sql, tuples};
use crate::store::{Result, Store, millis};

/// Orders of all queues that are remembered, about 50 octets each; beyond that they are forgotten.
const REMEMBERED: usize = 300_000;

/// The orders of a queue, oldest first: when each was placed, and its number.
type Queue = Arc<Vec<(i64, String)>>;

/// Queues as they were at a revision.
#[derive(Debug, Default)]
pub(in crate::store) struct Queues(HashMap<String, (i64, Queue)>);

/// Shared by all clones of a store.
pub(in crate::store) type Known = Arc<Mutex<Queues>>;

impl Store {
    /// Fills in the place of every waiting line in the queue of its SKU.
    pub(in crate::store) async fn place(
        &self,
        conn: &mut SqliteConnection,
        orders: &mut [&mut Order],
    ) -> Result<()> {
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
                    Some(QueuePosition { at, of: u32::try_from(queue.len()).ok()? })
                });
            }
        }
        Ok(())
    }

    /// The queues of these SKUs; those are read whose revision is not the one they are known at.
    async fn queues(&self, conn: &mut SqliteConnection, skus: &[&str]) -> Result<HashMap<String, Queue>> {
        sql!(
            QUEUES = "select asked.sku, coalesce(queues.revision, 0), case
                when asked.known is null or asked.known <> coalesce(queues.revision, 0) then
                    (select {} from
                        (select distinct placed_at, order_number from lines
                            where lines.sku = asked.sku and open_units > 0 and kind <> 'in_stock')) end
            from {} as asked
            left join queues on queues.sku = asked.sku",
            all_of(&one_value(&["placed_at", "order_number"])),
            tuples("$1", &["sku", "known"])
        );
        let mut found: HashMap<String, Queue> = HashMap::new();
        let mut asked = Vec::with_capacity(skus.len());
        {
            let known = self.known_queues.lock().unwrap_or_else(PoisonError::into_inner);
            for sku in skus {
                let known = known.0.get(*sku);
                found.extend(known.map(|(_, queue)| ((*sku).to_owned(), queue.clone())));
                asked.push((sku, known.map(|(revision, _)| *revision)));
            }
        }
        let rows: Vec<(String, i64, Option<String>)> =
            sqlx::query_as(QUEUES.as_str()).bind(to_json(&asked)).fetch_all(conn).await?;
        let mut known = self.known_queues.lock().unwrap_or_else(PoisonError::into_inner);
        let remembered = || known.0.values().map(|(_, queue)| queue.len()).sum::<usize>();
        if rows.iter().any(|(.., read)| read.is_some()) && remembered() > REMEMBERED {
            known.0.clear();
        }
        for (sku, revision, read) in rows {
            let Some(read) = read else { continue };
            let mut queue: Vec<(i64, String)> = json("a queue", &read)?;
            queue.sort_unstable();
            let queue = Arc::new(queue);
            found.insert(sku.clone(), queue.clone());
            known.0.insert(sku, (revision, queue));
        }
        Ok(found)
    }
}

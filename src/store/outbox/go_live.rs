//! The first live start: what only our own catcher or an address of ours has seen was told to nobody.

use std::collections::HashMap;

use crate::domain::bounce::EarlierNotice;
use crate::domain::calendar::Instant;
use crate::domain::order::Order;
use crate::store::orders::load::load;
use crate::store::orders::record::{EarlierRow, to_json};
use crate::store::orders::save::plan_anew;
use crate::store::sqlite::dialect::{LISTED, sql};
use crate::store::{Result, Store, millis};

impl Store {
    /// Takes open orders as they stand, as if imported now: nothing about the past is mailed, and what was captured or
    /// redirected is not counted any more. Told is what the last live mail said, else what the checkout promised.
    /// Says how many orders.
    pub async fn go_live(&self, now: Instant) -> Result<usize> {
        const DROP: &str = "update notices set state = 'superseded', next_try_at = null, settled_at = $1,
            reason = 'imported' where next_try_at is not null";
        const NEWS: &str = "update news set told = true where not told";
        const OPEN: &str = "select number from orders where status in ('waiting', 'open') and number > $1
            order by number limit 1000";
        sql!(
            TOLD = "select {} from notices
            where state = 'accepted' and mode = 'live' and order_number in {LISTED}",
            EarlierRow::COLUMNS.join(", ")
        );
        let mut tx = self.begin("go_live").await?;
        sqlx::query(DROP).bind(millis(now)).execute(&mut *tx).await?;
        sqlx::query(NEWS).execute(&mut *tx).await?;
        let (mut orders, mut after) = (0, String::new());
        loop {
            let open = sqlx::query_scalar(OPEN).bind(&after);
            let numbers: Vec<String> = open.fetch_all(&mut *tx).await?;
            let Some(last) = numbers.last() else { break };
            after.clone_from(last);
            orders += numbers.len();
            let rows: Vec<EarlierRow> =
                sqlx::query_as(TOLD.as_str()).bind(to_json(&numbers)).fetch_all(&mut *tx).await?;
            let mut told: HashMap<String, Vec<EarlierNotice>> = HashMap::new();
            for row in rows {
                told.entry(row.order_number.clone()).or_default().push(row.into_earlier()?);
            }
            let open = load(&mut tx, &numbers).await?;
            let go_live = |order: &mut Order| {
                order.go_live(now, told.get(&order.number).map_or(&[], Vec::as_slice));
            };
            plan_anew(&mut tx, open, go_live, now).await?;
        }
        tx.commit().await?;
        Ok(orders)
    }
}

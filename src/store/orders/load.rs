//! Orders with all that the rules may know, a few statements per batch whatever its size.

use std::sync::LazyLock;

use serde::Serialize;
use sqlx::SqliteConnection;

use crate::domain::order::Order;
use crate::store::orders::record::{
    ContactRow, EventRow, GoodsRow, LastCover, NoticeRow, OrderRow, SuppressionRow, TermsRow, WordRow, json,
    to_json,
};
use crate::store::sqlite::dialect::{LISTED, all_of, one_value};
use crate::store::{Result, Store};

impl Store {
    /// One order with everything about it, its places in the queue among them.
    pub async fn order(&self, number: &str) -> Result<Option<Order>> {
        let mut reader = self.readers.acquire().await?;
        let mut orders = load(&mut reader, &[number.to_owned()]).await?;
        let Some(mut order) = orders.pop() else { return Ok(None) };
        self.place(&mut reader, &mut [&mut order]).await?;
        Ok(Some(order))
    }

    /// Several orders, without their places.
    pub async fn orders(&self, numbers: &[String]) -> Result<Vec<Order>> {
        load(&mut *self.readers.acquire().await?, numbers).await
    }

    /// The numbers of open orders after `after`, in the order of their numbers, `most` at most.
    pub async fn open_orders(&self, after: &str, most: u32) -> Result<Vec<String>> {
        const PAGE: &str = "select number from orders where number > $1 and status in ('waiting', 'open')
            order by number limit $2";
        Ok(sqlx::query_scalar(PAGE)
            .bind(after)
            .bind(most)
            .fetch_all(&mut *self.readers.acquire().await?)
            .await?)
    }
}

/// What hangs on an order besides its lines: untold news, the notice under way, names that are used up, and whether its
/// address gets mail.
static HANGING: LazyLock<String> = LazyLock::new(|| {
    let news = format!(
        "select {} from news where order_number = orders.number and not told",
        all_of(&one_value(EventRow::COLUMNS))
    );
    let under_way = format!(
        "select {} from notices
        where order_number = orders.number and (next_try_at is not null or state = 'sending')",
        one_value(NoticeRow::COLUMNS)
    );
    // The conditions are those of an index, word for word.
    let superseded = format!(
        "select {} from notices where order_number = orders.number
        and next_try_at is null and state <> 'sending' and (may_repeat = 1 or state <> 'accepted')",
        all_of("occasion")
    );
    let suppressed = format!(
        "select {} from suppressions where address = orders.email",
        one_value(SuppressionRow::COLUMNS)
    );
    format!(", ({news}), ({under_way}), ({superseded}), ({suppressed})")
});

/// A row of `orders` as one value, with its lines and what else hangs on it: every row and column that crosses over from
/// SQLite costs time.
fn order(hanging: &str) -> String {
    let lines = format!(
        "select {} from lines where order_number = orders.number",
        all_of(&one_value(&["key", &one_value(GoodsRow::COLUMNS), &one_value(WordRow::COLUMNS)]))
    );
    let (terms, contact) = (one_value(TermsRow::COLUMNS), one_value(ContactRow::COLUMNS));
    one_value(&["number", "revision", &terms, &contact, &format!("({lines}){hanging}")])
}

fn orders(order: &str, numbers: &str) -> String {
    format!("select {} from orders where number in {numbers}", all_of(order))
}

/// The orders whose numbers `numbers` selects, whole, as one value: a part of other statements.
pub(in crate::store) fn whole_orders(numbers: &str) -> String {
    orders(&order(&HANGING), numbers)
}

/// The same with their lines only: all that a fact needs.
pub(in crate::store) fn plain_orders(numbers: &str) -> String {
    orders(&order(""), numbers)
}

/// The one order whose number is `number`, whole, as one value: a part of other statements.
pub(in crate::store) fn whole_order(number: &str) -> String {
    format!("select {} from orders where orders.number = {number}", order(&HANGING))
}

/// The orders of a list.
static WHOLE: LazyLock<String> = LazyLock::new(|| whole_orders(LISTED));

/// Loads orders with all that the rules may know.
pub(in crate::store) async fn load(conn: &mut SqliteConnection, numbers: &[String]) -> Result<Vec<Order>> {
    parse(&load_text(conn, numbers).await?)
}

/// The same, not read yet: what another thread can do while the database goes on.
pub(in crate::store) async fn load_text<N: Serialize>(
    conn: &mut SqliteConnection,
    numbers: &[N],
) -> Result<String> {
    Ok(sqlx::query_scalar(WHOLE.as_str()).bind(to_json(numbers)).fetch_one(conn).await?)
}

/// Reads what [`load_text`] loaded.
pub(in crate::store) fn parse(found: &str) -> Result<Vec<Order>> {
    let rows: Vec<OrderRow> = json("orders", found)?;
    let mut cover = LastCover::default();
    rows.into_iter().map(|row| row.into_order(&mut cover)).collect()
}

/// Does `work` on a thread of its own from now on, while the database is asked something else.
pub(in crate::store) fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> impl Future<Output = Result<T>> {
    let running = tokio::task::spawn_blocking(work);
    async { running.await.unwrap_or_else(|failed| std::panic::resume_unwind(failed.into_panic())) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::explain::steps;

    #[tokio::test]
    async fn all_that_hangs_on_an_order_is_found_by_an_index() {
        let steps = steps(&WHOLE).await;
        for step in
            ["notices USING INDEX notices_under_way", "notices USING INDEX notices_used", "news USING "]
        {
            assert!(
                steps.iter().any(|taken| taken.starts_with("SEARCH") && taken.contains(step)),
                "{steps:#?}"
            );
        }
        let walks = |step: &&String| step.starts_with("SCAN") && !step.contains("json_each");
        assert_eq!(steps.iter().find(walks), None, "{steps:#?}");
    }
}

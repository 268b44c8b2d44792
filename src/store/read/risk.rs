//! Which orders ops may have to know of: found by index, judged by `domain::risk`.

use std::collections::HashMap;
use std::sync::LazyLock;

use chrono::NaiveDate;

use crate::domain::calendar::Instant;
use crate::domain::notice::{NoticeKind, NoticeState};
use crate::domain::policy::STATUS_FAILURES;
use crate::domain::risk::FailedNotice;
use crate::store::orders::record::{to_json, word};
use crate::store::sqlite::dialect::{LISTED, sql};
use crate::store::{Result, Store, instant, millis};

/// Who cannot be reached is found by an index, whose condition stands here word for word.
static CONCERNING: LazyLock<String> = LazyLock::new(|| {
    format!(
        "select order_number from lines
            where told <= $1 and open_units > 0 and kind <> 'in_stock'
        union all select number from orders
            where status = 'waiting' and (email is null or status_failures >= {STATUS_FAILURES})
        union all select number from orders
            where status = 'waiting' and email in (select address from suppressions)
        union all select order_number from notices
            where next_try_at is null
            and (state = 'held' or state = 'failed' or state = 'in_doubt' or state = 'bounced')
            and (state = 'held' or settled_at > $2)"
    )
});

const AUTHORIZED: &str = "select count(*) from orders
    where authorized_at is not null and status in ('waiting', 'open') and authorized_at < $1";

const AUTHORIZED_FIRST: &str = "select number from orders
    where authorized_at is not null and status in ('waiting', 'open') and authorized_at < $1
    order by not exists (select 1 from lines where order_number = number and open_units > 0
        and kind <> 'in_stock' and cover ->> 'from' = 'received'), authorized_at, number limit $2";

impl Store {
    /// Orders that may be a concern: of a line that waits a date up to `told` was told, a notice is held or came to
    /// nothing since `since`, or the customer cannot be reached. In the order of their numbers.
    pub async fn concerning(&self, told: NaiveDate, since: Instant) -> Result<Vec<String>> {
        // Sorted here: asked to, SQLite would walk all lines in their order.
        let found = sqlx::query_scalar(CONCERNING.as_str()).bind(told.to_string()).bind(millis(since));
        let mut found: Vec<String> = found.fetch_all(&mut *self.readers.acquire().await?).await?;
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    /// The notices of these orders that are held or came to nothing since `since`, by order, oldest first.
    pub async fn troubles(
        &self,
        orders: &[String],
        since: Instant,
    ) -> Result<HashMap<String, Vec<FailedNotice>>> {
        sql!(
            TROUBLES = "select order_number, kind, state, coalesce(settled_at, planned_at) as at
            from notices where next_try_at is null and order_number in {LISTED}
                and (state = 'held' or state in ('failed', 'in_doubt', 'bounced') and settled_at > $2)
            order by at, occasion"
        );
        let rows: Vec<(String, String, String, i64)> = sqlx::query_as(TROUBLES.as_str())
            .bind(to_json(orders))
            .bind(millis(since))
            .fetch_all(&mut *self.readers.acquire().await?)
            .await?;
        let mut troubles: HashMap<String, Vec<FailedNotice>> = HashMap::new();
        for (order, kind, state, at) in rows {
            let kind = word("the kind of a notice", &kind, NoticeKind::from_word)?;
            let state = word("the state of a notice", &state, NoticeState::from_word)?;
            troubles.entry(order).or_default().push(FailedNotice { kind, state, at: instant(at) });
        }
        Ok(troubles)
    }

    /// How many open orders' cards were authorized before `before`, and `most` of them: what can ship first, then the
    /// longest ago.
    pub async fn authorized_before(&self, before: Instant, most: u32) -> Result<(usize, Vec<String>)> {
        let count: i64 = sqlx::query_scalar(AUTHORIZED)
            .bind(millis(before))
            .fetch_one(&mut *self.readers.acquire().await?)
            .await?;
        let first = sqlx::query_scalar(AUTHORIZED_FIRST)
            .bind(millis(before))
            .bind(most)
            .fetch_all(&mut *self.readers.acquire().await?)
            .await?;
        Ok((usize::try_from(count).unwrap_or(0), first))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::explain::steps;

    #[tokio::test]
    async fn what_ops_must_know_is_found_without_walking_all_orders_and_lines() {
        for (sql, index) in [
            (CONCERNING.as_str(), "lines_told orders_unreachable orders_email notices_troubled"),
            (AUTHORIZED, "orders_authorized"),
            (AUTHORIZED_FIRST, "orders_authorized"),
        ] {
            let steps = steps(sql).await;
            let walks = |step: &&String| step.starts_with("SCAN") && !step.contains("INDEX");
            assert_eq!(steps.iter().find(walks), None, "{steps:#?}");
            for name in index.split(' ') {
                assert!(steps.iter().any(|step| step.contains(name)), "{name}: {steps:#?}");
            }
        }
    }
}

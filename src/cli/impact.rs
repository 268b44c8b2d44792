//! What a change would mail, for `--dry-run`: how many, which kinds, when, five examples, and whether it would be held.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::table::Table;
use super::words::{Local, count, grouped};
use crate::domain::calendar::Instant;
use crate::domain::impact::Impact;
use crate::domain::policy::Policy;
use crate::store::{Result, Store};

/// Orders planned in one transaction.
const STEP: u32 = 1_000;

/// What is due in this database now and within the hour in which changes settle. The database is a copy that is
/// thrown away.
pub(super) async fn due_within_the_hour(copy: &Store, now: Instant, policy: &Policy) -> Result<Impact> {
    let mut impact = Impact::default();
    for at in [now, now + TimeDelta::hours(1)] {
        copy.cover_dirty(at, policy).await?;
        loop {
            let planned = copy.plan_due(at, policy, STEP).await?;
            for queued in &planned.queued {
                impact.note(queued.notice.kind, at);
                if !impact.has_examples()
                    && let Some(order) = copy.order(&queued.order).await?
                {
                    impact.show(&order, queued.notice.kind, at, policy);
                }
            }
            if planned.orders == 0 {
                break;
            }
        }
    }
    Ok(impact)
}

/// In words.
pub(super) fn words(impact: &Impact, local: Local, policy: &Policy) -> String {
    let mut text = match impact.count() {
        0 => "Nobody would be mailed because of it.\n".to_owned(),
        mails => format!("{} would go out:\n", count(mails, "mail", "mails")),
    };
    let mut table = Table::new();
    for (kind, mails) in &impact.mails {
        let when = if mails.first_at <= local.now {
            "now".to_owned()
        } else if mails.first_at == mails.last_at {
            local.time(mails.first_at)
        } else {
            format!("{} to {}", local.time(mails.first_at), local.time(mails.last_at))
        };
        table.row([format!("  {}", grouped(mails.count)), kind.to_string(), when]);
    }
    text.push_str(&table.text());
    for (number, who) in [(impact.unaffected, "would hear nothing of it"), (impact.no_address, "no address")]
    {
        if number > 0 {
            text.push_str(&format!("  {} {who}\n", grouped(number)));
        }
    }
    let mut table = Table::new();
    for example in &impact.examples {
        let (told, new) = (local.day_or_none(example.told), local.day_or_none(example.would_be_told));
        let moved =
            if told == new { format!("still {told}") } else { format!("told {told}, would be told {new}") };
        table.row([format!("  order {}", example.order), example.kind.to_string(), moved]);
    }
    text.push_str(&table.text());
    if impact.is_held(policy) {
        text.push_str(&format!(
            "That is more than delivery.blast_limit ({}): they would be held until `shipby queue release`.\n",
            grouped(policy.blast_limit)
        ));
    }
    text
}

/// As one JSON value.
pub(super) fn as_json(impact: &Impact, policy: &Policy) -> Value {
    json!({ "mails": impact.count(), "would_be_held": impact.is_held(policy), "impact": impact })
}

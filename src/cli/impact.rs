//! What a change would mail, for `--dry-run`: how many, which kinds, when, five examples, and whether it would be held.

use serde_json::{Value, json};

use super::format::Local;
use super::table::Table;
use crate::domain::impact::Impact;
use crate::domain::policy::Policy;
use crate::text::{count, grouped};

/// In words.
pub(super) fn words(impact: &Impact, local: Local, policy: &Policy) -> String {
    let mut text = match impact.count() {
        0 => "Nobody would be mailed because of it.\n".to_owned(),
        mails => format!("{} would go out:\n", count(mails, "mail", "mails")),
    };
    let mut table = Table::new();
    for (kind, mails) in &impact.mails {
        let time = |at| if at <= local.now { "now".to_owned() } else { local.time(at) };
        let (first, last) = (time(mails.first_at), time(mails.last_at));
        let when = if first == last { first } else { format!("{first} to {last}") };
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
    if impact.held > 0 {
        let limit = grouped(policy.blast_limit);
        let held = grouped(impact.held);
        text.push_str(&format!(
            "Of one change {held}, which is more than delivery.blast_limit ({limit}): they would be held until `shipby queue release`.\n"
        ));
    }
    text
}

/// As one JSON value.
pub(super) fn as_json(impact: &Impact) -> Value {
    json!({ "mails": impact.count(), "would_be_held": impact.held > 0, "impact": impact })
}

//! What was considered and is not mailed, kept for whoever asks why.

use serde::Serialize;

use crate::domain::notice::{Decision, NoticeKind, NoticeState};
use crate::store::orders::record::some_json;

#[derive(Serialize)]
struct DecisionRow<'a> {
    order: &'a str,
    occasion: &'a str,
    kind: NoticeKind,
    outcome: NoticeState,
    reason: &'static str,
    by: Option<&'a str>,
}

/// Decisions about orders, as [`SAVE_DECISIONS`] reads them; None: there are none.
pub(in crate::store) fn decision_rows(decided: &[(String, Decision)]) -> Option<String> {
    let rows: Vec<DecisionRow> = decided
        .iter()
        .map(|(order, decision)| DecisionRow {
            order,
            occasion: &decision.occasion,
            kind: decision.kind,
            outcome: decision.outcome,
            reason: decision.reason.as_str(),
            by: decision.by.as_deref(),
        })
        .collect();
    some_json(&rows)
}

/// The first decision about an occasion stands.
pub(in crate::store) const SAVE_DECISIONS: &str =
    "insert into decisions (order_number, occasion, kind, outcome, reason, by_occasion, at)
    select value ->> 'order', value ->> 'occasion', value ->> 'kind', value ->> 'outcome', value ->> 'reason',
        value ->> 'by', $2
    from jsonb_each($1) where true on conflict do nothing";

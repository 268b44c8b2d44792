//! What was considered and is not mailed, kept for whoever asks why.

use serde::Serialize;

use crate::domain::notice::{Decision, NoticeKind, NoticeState};
use crate::store::orders::record::some_json;
use crate::store::sqlite::dialect::{given, sql};

#[derive(Serialize)]
struct DecisionRow<'a> {
    order_number: &'a str,
    occasion: &'a str,
    kind: NoticeKind,
    outcome: NoticeState,
    reason: &'static str,
    by_occasion: Option<&'a str>,
}

/// Decisions about orders, as [`SAVE_DECISIONS`] reads them; None: there are none.
pub(in crate::store) fn decision_rows(decided: &[(String, Decision)]) -> Option<String> {
    let rows: Vec<DecisionRow> = decided
        .iter()
        .map(|(order, decision)| DecisionRow {
            order_number: order,
            occasion: &decision.occasion,
            kind: decision.kind,
            outcome: decision.outcome,
            reason: decision.reason.as_str(),
            by_occasion: decision.by.as_deref(),
        })
        .collect();
    some_json(&rows)
}

sql!(
    /// The first decision about an occasion stands.
    pub(in crate::store) SAVE_DECISIONS =
    "insert into decisions (order_number, occasion, kind, outcome, reason, by_occasion, at)
    select new.*, $2 from {} as new where true on conflict do nothing",
    given(&["order_number", "occasion", "kind", "outcome", "reason", "by_occasion"]));

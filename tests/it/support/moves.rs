//! The moves of notices from state to state, watched in a test's own database: what the domain does not call legal
//! ([`NoticeState::may_become`]) fails the statement that tries it.

use shipby::domain::notice::NoticeState;

use super::raw::Raw;

/// Watches a database from now on.
pub async fn watch(mut raw: Raw) {
    let all = NoticeState::ALL;
    let legal = all.iter().flat_map(|from| all.iter().map(move |to| (*from, *to)));
    let legal: Vec<String> =
        legal.filter(|(from, to)| from.may_become(*to)).map(|(from, to)| format!("{from} {to}")).collect();
    raw.watch_moves(&legal).await;
    raw.close().await;
}

//! Facts on their way into the database, in the form they are kept in.

use super::to_json;
use crate::domain::calendar::Instant;
use crate::domain::fact::Fact;
use crate::domain::order::apply::Notify;
use crate::store::{Entry, Recorded, Result, Store};

/// Where facts come from and what they may cause.
#[derive(Debug, Clone, Copy)]
pub struct Recording<'a> {
    /// When they are recorded.
    pub at: Instant,
    /// Who brought them: `import`, `command`, `simulation`.
    pub source: &'a str,
    pub notify: Notify,
    /// Say what would come of it and change nothing.
    pub dry_run: bool,
}

/// Records facts in the order given, all in one transaction.
///
/// # Errors
/// If the database cannot be used; then nothing was recorded.
pub async fn record(store: &Store, facts: &[Fact], how: Recording<'_>) -> Result<Vec<Recorded>> {
    let entries: Vec<Entry> =
        facts.iter().map(|fact| Entry { fact: fact.clone(), body: to_json(fact).to_string() }).collect();
    store.record(&entries, how.at, how.source, how.notify, how.dry_run).await
}

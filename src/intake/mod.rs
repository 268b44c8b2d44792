//! The gate: every fact enters by [`submit`], whoever brings it.
//!
//! What always holds: what comes in from files and bodies becomes a [`Fact`], or is refused with the place and the mend; a
//! batch is recorded whole, in its order, or not at all; what a source may say is [`Source`]'s to know.
//!
//! In reading order: how a refusal is worded (`fault`), one value (`value`, `date`), one object (`fields`, `json`, and its
//! bytes in `strict`), the way back (`write`), and files: lines (`lines`), a CSV's rows and columns (`csv`, `table`,
//! `group`), and the reader of both formats (`read`), which can be checked whole before it is applied (`spool`). There is
//! one reading of each field: a CSV row is turned into the object it stands for. Only the gate touches the database.

mod csv;
mod date;
mod fault;
mod fields;
mod group;
mod json;
mod lines;
mod read;
mod spool;
mod strict;
mod table;
mod value;
mod write;

use crate::domain::calendar::Instant;
use crate::domain::fact::{Fact, Source};
use crate::domain::impact::Impact;
use crate::domain::order::apply::Notify;
use crate::domain::policy::Policy;
use crate::store::{Entry, Recorded, Result, Store};

pub use fault::{FieldError, RowError, Spot};
pub use group::Row;
pub use json::fact;
pub use read::{Format, FormatError, Rows, format_of};
pub use spool::{RowSpan, Sorting, Spool, SpoolError, Spooled, keep_first};
pub use strict::parse;
pub use table::CsvKind;
pub use write::to_json;

/// How facts are recorded.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// When they are recorded.
    pub at: Instant,
    /// Whether customers hear about what lies before that.
    pub notify: Notify,
    /// Say what would come of it and change nothing.
    pub dry_run: bool,
}

impl Options {
    /// Recorded for good at that instant, and new orders are confirmed.
    pub fn at(at: Instant) -> Self {
        Self { at, notify: Notify::All, dry_run: false }
    }
}

/// Records facts in the order given, all in one transaction, in the form they are kept in. Says of each what became of it.
///
/// # Errors
/// If the database cannot be used; then nothing was recorded.
pub async fn submit(
    store: &Store,
    source: Source,
    facts: impl IntoIterator<Item: Into<Entry>>,
    options: Options,
) -> Result<Vec<Recorded>> {
    let Options { at, notify, dry_run } = options;
    let entries: Vec<Entry> = facts.into_iter().map(Into::into).collect();
    store.record(&entries, source, at, notify, dry_run).await
}

/// What would come of a fact about a supply, and whom it would mail. Nothing is changed.
///
/// # Errors
/// If the database cannot be used.
pub async fn impact(store: &Store, fact: &Fact, now: Instant, policy: &Policy) -> Result<(Recorded, Impact)> {
    store.impact(&fact.into(), now, policy).await
}

//! What was told and what was not: the rows that `history` and `why` are made of.

use std::collections::HashMap;

use chrono::NaiveDate;
use serde::Serialize;

use super::words::{self, Local};
use crate::domain::calendar::Instant;
use crate::domain::notice::{NoticeState, StatedLine};
use crate::domain::order::Order;
use crate::store::{Attempt, HistoryEntry, Store, StoreError};

/// A notice or a decision, with all that can be said of it.
pub(super) struct Told {
    pub entry: HistoryEntry,
    /// The tries, oldest first.
    pub tries: Vec<Attempt>,
    /// The dates that it moved, where the mail server took it.
    pub moved: Vec<Moved>,
    /// Who said the date that it tells of.
    pub source: Option<String>,
}

/// A date that a notice told in place of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Moved {
    pub from: Option<NaiveDate>,
    pub to: Option<NaiveDate>,
}

/// All that was said about an order, oldest first.
pub(super) struct Past {
    pub told: Vec<Told>,
    /// For each line the dates it was told, the checkout's first.
    dates: HashMap<String, Vec<Option<NaiveDate>>>,
}

impl Past {
    pub async fn of(store: &Store, order: &Order) -> Result<Self, StoreError> {
        let mut tries = store.tries_of(&order.number).await?;
        let start = |line: &crate::domain::order::Line| (line.id.clone(), vec![line.promised]);
        let mut past = Self { told: Vec::new(), dates: order.lines.iter().map(start).collect() };
        let skus: Vec<&str> = order.lines.iter().map(|line| line.sku.as_str()).collect();
        for entry in store.timeline(&order.number).await? {
            let tries = entry.notice.as_ref().and_then(|id| tries.remove(id)).unwrap_or_default();
            let moved = if entry.state == "accepted" { past.take(&entry) } else { Vec::new() };
            let mut source = None;
            if !moved.is_empty() && matches!(entry.kind.as_str(), "date_slip" | "date_improved") {
                let word = store.last_word(&skus, entry.instant()).await?;
                source = word.map(|word| match word.supply.as_str() {
                    "" => format!("set by {}", word.source),
                    supply => format!("set by {}, {supply}", word.source),
                });
            }
            past.told.push(Told { entry, tries, moved, source });
        }
        Ok(past)
    }

    /// Notes the dates an accepted notice stated; says which of them were new.
    fn take(&mut self, entry: &HistoryEntry) -> Vec<Moved> {
        let stated: Vec<StatedLine> =
            entry.lines.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        let mut moved = Vec::new();
        for line in stated {
            let dates = self.dates.entry(line.line).or_default();
            let from = dates.last().copied().flatten();
            if from != line.told {
                dates.push(line.told);
                let change = Moved { from, to: line.told };
                if !moved.contains(&change) {
                    moved.push(change);
                }
            }
        }
        moved
    }

    /// What a line was told before `told`; None if nothing else, or if that is not known.
    pub fn before(&self, line: &str, told: Option<NaiveDate>) -> Option<NaiveDate> {
        let dates = self.dates.get(line)?;
        let [.., before, last] = dates.as_slice() else { return None };
        // Told also moves without a mail (a new checkout date, going live); then nothing is claimed.
        if *last == told { *before } else { None }
    }
}

impl Told {
    /// Whether it went out, may have, or still will.
    pub fn is_mail(&self) -> bool {
        !matches!(self.entry.state.as_str(), "skipped" | "superseded")
    }

    pub fn state(&self) -> String {
        words::state(&self.entry.state, self.entry.mode.as_deref())
    }

    /// The server's words, or why there are none.
    pub fn words(&self, local: Local) -> String {
        let entry = &self.entry;
        let reply = entry.reply.clone().unwrap_or_default();
        if let Some(reason) = &entry.reason {
            let reason = words::reason(reason, entry.by_occasion.as_deref());
            return if reply.is_empty() || !self.is_mail() { reason } else { format!("{reply} ({reason})") };
        }
        match NoticeState::from_word(&entry.state) {
            Some(NoticeState::Accepted) if self.tries.len() > 1 => {
                let before = self.tries.iter().rev().skip(1).find_map(|tried| tried.reply.as_deref());
                let before = before.map(|words| format!(" ({words})")).unwrap_or_default();
                format!("on attempt {}{before}", self.tries.len())
            }
            Some(NoticeState::Queued) => format!("goes out {}", next(entry.next_try(), local)),
            Some(NoticeState::Sending) => NoticeState::Sending.meaning().to_owned(),
            Some(NoticeState::Deferred | NoticeState::InDoubt) if entry.next_try_at.is_some() => {
                format!("{reply}; next try {}", next(entry.next_try(), local))
            }
            Some(NoticeState::InDoubt) => {
                format!("{reply}; the mail server may have it or not, and it is not tried again")
            }
            _ => reply,
        }
    }

    /// The news it carried where it moved a date, else [`Told::words`].
    pub fn news(&self, local: Local) -> String {
        let (Some(moved), "date_slip" | "date_improved") = (self.moved.first(), self.entry.kind.as_str())
        else {
            return self.words(local);
        };
        let news = match (moved.from, moved.to) {
            (Some(from), to) => format!("{} in place of {}", local.day_or_none(to), local.day(from)),
            (None, to) => format!("{}, the first date", local.day_or_none(to)),
        };
        let more = if self.moved.len() > 1 { ", and other lines" } else { "" };
        let source = self.source.as_ref().map(|source| format!(", {source}")).unwrap_or_default();
        format!("{news}{more}{source}")
    }

    /// As `--json` shows it.
    pub fn json(&self) -> serde_json::Value {
        let entry = &self.entry;
        let reason = entry.reason.as_deref();
        serde_json::json!({
            "at": entry.instant(),
            "order": entry.order_number,
            "notice": entry.notice,
            "kind": entry.kind,
            "occasion": entry.occasion,
            "state": entry.state,
            "mode": entry.mode,
            "subject": entry.subject,
            "attempts": entry.attempts,
            "reply": entry.reply,
            "reason": reason,
            "meaning": reason.map(|reason| words::reason(reason, entry.by_occasion.as_deref())),
            "by": entry.by_occasion,
            "next_try_at": entry.next_try(),
            "moved": self.moved,
            "source": self.source,
        })
    }
}

fn next(at: Option<Instant>, local: Local) -> String {
    at.filter(|at| *at > local.now).map_or_else(|| "now".to_owned(), |at| local.time(at))
}

/// As much of a notice's id as people need to name it.
pub(super) fn short(id: &str) -> &str {
    id.get(..8).unwrap_or(id)
}

//! What was told and what was not: the rows that `history` and `why` are made of.

use std::collections::HashMap;

use chrono::NaiveDate;
use serde::Serialize;

use super::format::{self, Local};
use super::pause::HELD_BACK;
use crate::domain::calendar::Instant;
use crate::domain::notice::{NoticeKind, NoticeState, Reason, StatedLine, Topic};
use crate::domain::order::Order;
use crate::domain::pause::{Pause, holding};
use crate::domain::supply::iso_date;
use crate::store::{Attempt, HistoryEntry, Store, StoreError, Word};

/// A notice or a decision, with all that can be said of it.
pub(super) struct Told {
    pub entry: HistoryEntry,
    /// The tries, oldest first.
    pub tries: Vec<Attempt>,
    /// The dates that it moved, where the mail server took it.
    pub moved: Vec<Moved>,
    /// Who said the date that it tells of.
    pub source: Option<Word>,
    /// It waits, and a pause holds it back.
    pub held_back: bool,
}

/// A date that a notice told in place of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Moved {
    pub from: Option<NaiveDate>,
    pub to: Option<NaiveDate>,
}

/// All that was said about an order, oldest first.
pub(super) struct Timeline {
    pub told: Vec<Told>,
    /// For each line the dates it was told, the checkout's first.
    dates: HashMap<String, Vec<Option<NaiveDate>>>,
}

impl Timeline {
    /// What was said about an order that is held back by some of these pauses, or by none.
    pub async fn of(store: &Store, order: &Order, pauses: &[Pause]) -> Result<Self, StoreError> {
        let paused = !holding(pauses, order).is_empty();
        let mut tries = store.tries_of(&order.number).await?;
        let start = |line: &crate::domain::order::Line| (line.id.clone(), vec![line.promised]);
        let mut past = Self { told: Vec::new(), dates: order.lines.iter().map(start).collect() };
        let mut heard = None;
        for entry in store.timeline(&order.number).await? {
            let tries = entry.notice.as_ref().and_then(|id| tries.remove(id)).unwrap_or_default();
            let moved = if entry.state == "accepted" { past.take(&entry) } else { Vec::new() };
            let skus: Vec<&str> =
                moved.iter().filter_map(|(id, _)| order.line(id)).map(|line| line.sku.as_str()).collect();
            let moved: Vec<Moved> = moved.into_iter().map(|(_, moved)| moved).collect();
            let mut source = None;
            if !moved.is_empty() && topic(&entry) != Some(Topic::Goods) {
                // A date that moved without a new word of the supplier was moved by the queue.
                let word = store.last_word(&skus, entry.instant()).await?;
                source = word.filter(|word| heard.is_none_or(|heard| word.recorded() > heard));
            }
            if entry.state == "accepted" {
                heard = Some(entry.instant());
            }
            let held_back = paused && entry.next_try_at.is_some();
            past.told.push(Told { entry, tries, moved, source, held_back });
        }
        Ok(past)
    }

    /// Notes the dates an accepted notice stated; says of which lines they were new.
    fn take(&mut self, entry: &HistoryEntry) -> Vec<(String, Moved)> {
        let stated: Vec<StatedLine> =
            entry.lines.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        let mut moved = Vec::new();
        for line in stated {
            let dates = self.dates.entry(line.line.clone()).or_default();
            let from = dates.last().copied().flatten();
            if from != line.told {
                dates.push(line.told);
                moved.push((line.line, Moved { from, to: line.told }));
            }
        }
        moved
    }

    /// What a line was told before `told`; None if nothing else, or if that is not known.
    pub fn before(&self, line: &str, told: Option<NaiveDate>) -> Option<NaiveDate> {
        let dates = self.dates.get(line)?;
        let [.., before, last] = dates.as_slice() else { return None };
        // Told also moves without a mail (a new checkout date, going live); then it names none.
        if *last == told { *before } else { None }
    }
}

impl Told {
    /// Whether it went out, may have, or still will.
    pub fn is_mail(&self) -> bool {
        !matches!(self.entry.state.as_str(), "skipped" | "superseded")
    }

    pub fn state(&self) -> String {
        format::state(&self.entry.state, self.entry.mode.as_deref())
    }

    /// The server's words, or why there are none.
    pub fn words(&self, local: Local) -> String {
        let entry = &self.entry;
        let reply = entry.reply.clone().unwrap_or_default();
        if let Some(reason) = &entry.reason {
            let mut reason = format::reason(reason, entry.by_occasion.as_deref());
            if let Some(day) = self.put_off() {
                reason.push_str(&format!("; it was due on {}", local.day(day)));
            }
            return if reply.is_empty() || !self.is_mail() { reason } else { format!("{reply} ({reason})") };
        }
        if self.held_back {
            return if reply.is_empty() { HELD_BACK.to_owned() } else { format!("{reply}; {HELD_BACK}") };
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

    /// The day of a weekly status that another notice put off.
    fn put_off(&self) -> Option<NaiveDate> {
        let restarted = self.entry.reason.as_deref() == Some(Reason::ClockRestarted.as_str());
        self.entry.occasion.split_once('/').and_then(|(_, day)| iso_date(day)).filter(|_| restarted)
    }

    /// The news it carried where it moved a date, and [`Told::words`] where those are no news.
    pub fn news(&self, local: Local) -> String {
        let is_change = topic(&self.entry) == Some(Topic::Shift);
        // Every confirmation of an order without a date at the checkout tells a first one.
        let Some(moved) = self.moved.iter().find(|moved| is_change || moved.from.is_some()) else {
            return self.words(local);
        };
        let mut news = match (moved.from, moved.to) {
            (Some(from), to) => format!("{} in place of {}", local.day_or_none(to), local.day(from)),
            (None, to) => format!("{}, the first date", local.day_or_none(to)),
        };
        if self.moved.iter().any(|other| other != moved) {
            news.push_str(", and other lines");
        }
        if let Some(Word { supply, source, .. }) = &self.source {
            let supply = if supply.is_empty() { String::new() } else { format!(", {supply}") };
            news.push_str(&format!(", set by {source}{supply}"));
        }
        news
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
            "tries": self.tries,
            "reply": entry.reply,
            "reason": reason,
            "meaning": reason.map(|reason| format::reason(reason, entry.by_occasion.as_deref())),
            "by": entry.by_occasion,
            "next_try_at": entry.next_try(),
            "paused": self.held_back,
            "moved": self.moved,
            "source": self.source,
        })
    }
}

/// A try in a row: its number, when it began, how far it came, what it came to, how long it took, and the server's words.
pub(super) fn tried_row(tried: &Attempt, mode: Option<&str>, local: Local) -> [String; 6] {
    let outcome = match tried.outcome.as_deref() {
        None => "not over".to_owned(),
        // Refused for what was not its fault.
        Some("queued") => "put back".to_owned(),
        Some(outcome) => format::state(outcome, mode),
    };
    [
        format!("attempt {}", tried.number),
        local.exact(tried.started()),
        tried.phase.clone().unwrap_or_else(|| "-".to_owned()),
        outcome,
        tried.took().map_or_else(|| "-".to_owned(), format::span),
        tried.reply.clone().unwrap_or_default(),
    ]
}

fn topic(entry: &HistoryEntry) -> Option<Topic> {
    NoticeKind::from_word(&entry.kind).map(|kind| kind.rules().topic)
}

fn next(at: Option<Instant>, local: Local) -> String {
    at.filter(|at| *at > local.now).map_or_else(|| "now".to_owned(), |at| local.time(at))
}

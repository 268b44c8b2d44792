//! `shipby upcoming`: what will go out if nothing changes, over all open orders.
//!
//! Orders are read in pages and for people only counts and the first rows are kept, so memory stays flat.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use clap::Args;
use serde::Serialize;
use serde_json::json;

use super::format::{Local, mode_line, uncovered};
use super::output;
use super::parsers::{AsOf, Until};
use super::pause;
use super::table::Table;
use super::{Answer, Call, Exit};
use crate::domain::calendar::{Instant, day_of};
use crate::domain::forecast::forecast;
use crate::domain::notice::NoticeKind;
use crate::domain::pause::Pause;
use crate::domain::policy::Policy;
use crate::store::{Store, StoreError};
use crate::text::{count, grouped};

#[derive(Debug, Args)]
pub(super) struct Upcoming {
    /// How far to look ahead: 48h, 7d, or a day such as 2026-03-31.
    #[arg(long, value_name = "SPAN", default_value = "7d", value_parser = Until::read)]
    until: Until,
    #[command(flatten)]
    as_of: AsOf,
}

/// A notice to come. Ordered by time, then order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct Row {
    at: Instant,
    order: String,
    kind: NoticeKind,
    occasion: String,
    /// A pause holds it back until then or for longer.
    paused: bool,
}

/// Orders read at one time.
const PAGE: u32 = 500;
/// Rows that people are shown.
const SHOWN: usize = 50;
/// Notices of one order; more than a few a week there are not.
const EACH: usize = 100;

/// What was found, of which no more is kept than is shown.
#[derive(Default)]
struct Found {
    rows: Vec<Row>,
    most: Option<usize>,
    total: usize,
    pauses: Vec<Pause>,
    counts: BTreeMap<(NaiveDate, NoticeKind), usize>,
}

pub(super) async fn run(call: &Call, upcoming: &Upcoming) -> Answer {
    let config = call.config()?;
    let store = call.store(&config).await?;
    let policy = config.policy();
    let local = Local { zone: policy.zone, now: upcoming.as_of.now() };
    let until = upcoming.until.instant(local.now, local.zone);
    let pauses = store.pauses(local.now).await?;
    let mut found = Found { most: (!call.json).then_some(SHOWN), pauses, ..Found::default() };
    found.read(&store, local, &policy, until).await?;
    let uncovered_since = store.uncovered_since(None).await?;
    store.close().await;
    if call.json {
        let counts: Vec<_> = found
            .counts
            .iter()
            .map(|((day, kind), notices)| json!({"day": day, "kind": kind, "notices": notices}))
            .collect();
        let body = json!({
            "mode": config.delivery.mode.as_str(), "at": local.now, "until": until, "pauses": found.pauses,
            "uncovered_since": uncovered_since,
            "total": found.total, "counts": counts, "notices": found.rows,
        });
        output::json("shipby.upcoming/1", &body)?;
    } else {
        let head = mode_line(&config) + &uncovered(uncovered_since, local);
        output::text(&(head + &found.text(local, until)))?;
    }
    Ok(Exit::Done)
}

impl Found {
    async fn read(
        &mut self,
        store: &Store,
        local: Local,
        policy: &Policy,
        until: Instant,
    ) -> Result<(), StoreError> {
        let mut after = String::new();
        loop {
            let numbers = store.open_orders(&after, PAGE).await?;
            let Some(last) = numbers.last() else { break };
            after.clone_from(last);
            let tries = store.next_tries(&numbers).await?;
            for order in store.orders(&numbers).await? {
                for coming in forecast(&order, local.now, policy, until, EACH) {
                    // What waits for its next try goes out then, and not now.
                    let under_way = order.under_way.as_ref().map(|under_way| &under_way.notice.occasion);
                    let next_try = tries.get(&order.number).copied();
                    let waits = next_try.filter(|_| under_way == Some(&coming.notice.occasion));
                    let at = waits.map_or(coming.at, |next| next.max(coming.at));
                    if at <= until {
                        let (kind, occasion) = (coming.notice.kind, coming.notice.occasion);
                        let paused = self.pauses.iter();
                        let paused = paused
                            .filter(|pause| pause.in_force(at))
                            .any(|pause| pause.scope.holds(&order, Some(kind)));
                        self.add(Row { at, order: order.number.clone(), kind, occasion, paused }, local);
                    }
                }
            }
        }
        self.cut(0);
        Ok(())
    }

    fn add(&mut self, row: Row, local: Local) {
        self.total += 1;
        *self.counts.entry((day_of(row.at, local.zone), row.kind)).or_default() += 1;
        self.rows.push(row);
        // Sorted now and then, not with each row.
        self.cut(4096);
    }

    /// Puts the rows in order and drops those that will not be shown, once `slack` more than those are kept.
    fn cut(&mut self, slack: usize) {
        match self.most {
            Some(most) if self.rows.len() > most + slack => {
                self.rows.sort_unstable();
                self.rows.truncate(most);
            }
            _ if slack == 0 => self.rows.sort_unstable(),
            _ => {}
        }
    }

    fn text(&self, local: Local, until: Instant) -> String {
        let until = local.time(until);
        let pauses = pause::lines(&self.pauses, local);
        if self.total == 0 {
            return format!("{pauses}Nothing until {until}.\n");
        }
        let mut text = pauses
            + &format!("{} until {until}, if nothing changes\n\n", count(self.total, "notice", "notices"));
        if self.total > self.rows.len() {
            let mut table = Table::new().right(1);
            for ((day, kind), notices) in &self.counts {
                table.row([day.format("%a %d %b").to_string(), grouped(*notices), kind.to_string()]);
            }
            text.push_str(&format!("{}\nThe first {}\n", table.text(), self.rows.len()));
        }
        let mut table = Table::new();
        for row in &self.rows {
            let paused = if row.paused { pause::HELD_BACK } else { "" };
            table.row([local.time(row.at), row.order.clone(), row.kind.to_string(), paused.to_owned()]);
        }
        text.push_str(&table.text());
        if self.total > self.rows.len() {
            let rest = grouped(self.total - self.rows.len());
            text.push_str(&format!("and {rest} more; all of them with --json, fewer with --until\n"));
        }
        text
    }
}

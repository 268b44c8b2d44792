//! The promise as a sum that can be read aloud: the supplier's date, handling, buffer, and what was told.

use chrono::NaiveDate;
use serde::Serialize;

use super::format::Local;
use crate::domain::calendar::day_of;
use crate::domain::order::{Line, Order};
use crate::domain::policy::Policy;
use crate::domain::promise::{Reckoning, reckon};
use crate::domain::supply::Cover;

/// How the promise of a line comes about.
#[derive(Debug, Clone, Serialize)]
pub(super) struct PromiseBreakdown {
    #[serde(rename = "date")]
    pub promise: Option<NaiveDate>,
    pub told: Option<NaiveDate>,
    /// What was told before that.
    pub told_before: Option<NaiveDate>,
    /// The day the goods are expected, or came.
    pub supplier: Option<NaiveDate>,
    pub handling_days: u32,
    pub buffer_days: u32,
    /// What the sum comes to; the promise may be what was told instead.
    pub stated: Option<NaiveDate>,
    /// The same in words, without the word "Promise".
    pub words: String,
}

impl PromiseBreakdown {
    pub fn of(order: &Order, line: &Line, local: Local, policy: &Policy, before: Option<NaiveDate>) -> Self {
        let today = local.today();
        let promises = order.promises(today, policy);
        let promise = promises.date(line);
        let reckoned = reckon(line, day_of(order.placed_at, policy.zone), today, policy);
        let because = match reckoned {
            Some(Reckoning { here, .. }) if promises.waits_for_others(line) => {
                let (date, here) = (local.day_or_none(promise), local.day(here));
                format!("{date}, with the rest of the order: goods here since {here}")
            }
            Some(reckoned) => with_sum(line, promise, reckoned, local, policy),
            None => without_sum(line, promise, local),
        };
        Self {
            promise,
            told: line.told,
            told_before: before,
            supplier: reckoned.map(|r| r.here),
            handling_days: policy.handling_days,
            buffer_days: policy.buffer_days,
            stated: reckoned.map(|r| r.stated),
            words: format!("{because} ({})", told(order, line, before, local)),
        }
    }
}

fn told(order: &Order, line: &Line, before: Option<NaiveDate>, local: Local) -> String {
    match (line.told, before) {
        (None, None) if order.contact.last_at.is_none() => "nothing told yet".to_owned(),
        (None, None) => "told that there is no date yet".to_owned(),
        (None, Some(before)) => format!("told that there is no date, before that {}", local.day(before)),
        (Some(told), Some(before)) => format!("told {}, before that {}", local.day(told), local.day(before)),
        (Some(told), None) if line.promised == Some(told) => {
            format!("told {} since the checkout", local.day(told))
        }
        (Some(told), None) => format!("told {}", local.day(told)),
    }
}

fn without_sum(line: &Line, promise: Option<NaiveDate>, local: Local) -> String {
    let why = match &line.cover {
        Cover::Supply { supply, .. } if supply.is_empty() => "its supply has no confirmed date".to_owned(),
        Cover::Supply { supply, .. } => format!("{supply} has no confirmed date"),
        _ if line.ever_covered => "no supply covers it any more".to_owned(),
        _ => "no supply covers it yet".to_owned(),
    };
    match promise {
        Some(day) => format!("{}, from the checkout: {why}", local.day(day)),
        None => format!("none: {why}"),
    }
}

fn with_sum(
    line: &Line,
    promise: Option<NaiveDate>,
    reckoned: Reckoning,
    local: Local,
    policy: &Policy,
) -> String {
    let here = if line.is_in_house() { "goods here since" } else { "supplier" };
    let mut sum = format!("{here} {}", local.day(reckoned.here));
    for (days, what) in [(policy.handling_days, "handling"), (policy.buffer_days, "buffer")] {
        let business = if policy.business_days { "business " } else { "" };
        match days {
            0 => {}
            1 => sum.push_str(&format!(" + 1 {business}day's {what}")),
            days => sum.push_str(&format!(" + {days} {business}days' {what}")),
        }
    }
    let Some(promise) = promise else {
        return match line.told {
            _ if reckoned.has_passed => format!("none: {sum}, but that day passed without the goods"),
            Some(told) => format!("none: {} was told and has passed", local.day(told)),
            None => format!("none: {sum} has passed"),
        };
    };
    let day = local.day(promise);
    if promise == reckoned.stated {
        format!("{day} = {sum}")
    } else if reckoned.has_passed {
        format!("{day} still stands: {sum} has passed without the goods, which is no ground for a new date")
    } else {
        let (would, leaves) = (local.day(reckoned.stated), local.day(reckoned.earliest));
        format!("{day} still stands: {sum} would be {would}, but it can leave on {leaves}")
    }
}

//! The promise: the date we would state today, and how it differs from what the customer was told.
//!
//! It is sticky: told stands while it can be kept, for that is what the buffer is for.

use chrono::NaiveDate;

use super::order::Line;
use super::policy::Policy;
use super::supply::Cover;

/// How the promise differs from what was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shift {
    None,
    /// Later than told, or withdrawn.
    Slip,
    /// Earlier than told, or the first date after none.
    Improvement,
}

/// The dates a line's cover leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reckoning {
    /// When the goods are here, or were.
    pub here: NaiveDate,
    /// `here` and handling: the earliest day it can leave.
    pub earliest: NaiveDate,
    /// `earliest` and the buffer: what we would say.
    pub stated: NaiveDate,
    /// An expected day that has passed without a receipt is no ground for a new date.
    pub has_passed: bool,
}

impl Reckoning {
    /// Whether what it says still lies ahead; goods in the house may have been promised for days ago.
    fn is_to_come(&self, today: NaiveDate) -> bool {
        !self.has_passed && self.stated >= today
    }
}

/// What the line's cover leads to; None without a date. `placed` is the day the order was placed: goods that
/// were here before count from then.
pub fn reckon(line: &Line, placed: NaiveDate, today: NaiveDate, policy: &Policy) -> Option<Reckoning> {
    let (here, received) = match &line.cover {
        Cover::Nothing | Cover::Supply { eta: None, .. } => return None,
        Cover::Supply { eta: Some(eta), .. } => (eta.to, false),
        Cover::Received { on } => ((*on).max(placed), true),
    };
    let earliest = policy.after(here, policy.handling_days);
    let stated = policy.after(earliest, policy.buffer_days);
    Some(Reckoning { here, earliest, stated, has_passed: !received && here < today })
}

/// The date we would state today for a waiting line.
pub fn promise(line: &Line, placed: NaiveDate, today: NaiveDate, policy: &Policy) -> Option<NaiveDate> {
    let in_force = line.told.filter(|told| *told >= today);
    let Some(reckoned) = reckon(line, placed, today, policy) else {
        return in_force.filter(|_| !line.ever_covered);
    };
    match (in_force, line.told) {
        (Some(told), _) => {
            let kept = reckoned.earliest <= told && !improves(reckoned.stated, told, policy);
            if kept || !reckoned.is_to_come(today) { Some(told) } else { Some(reckoned.stated) }
        }
        // What was told has passed: only goods that come later than it are ground for another date.
        (None, Some(missed)) if reckoned.earliest <= missed => None,
        (None, _) => Some(reckoned.stated).filter(|_| reckoned.is_to_come(today)),
    }
}

fn improves(stated: NaiveDate, told: NaiveDate, policy: &Policy) -> bool {
    (told - stated).num_days() >= i64::from(policy.improve_min_days.max(1))
}

/// Whether the promise is news for the customer of this line.
pub fn shift(line: &Line, promise: Option<NaiveDate>, today: NaiveDate) -> Shift {
    if let Some(tried) = &line.tried {
        if tried.date == promise {
            return Shift::None;
        }
        // Perhaps the customer read another date than told: then a change back is news as well.
        if tried.doubtful && promise.is_some() && promise == line.told {
            return if promise > tried.date && tried.date.is_some() {
                Shift::Slip
            } else {
                Shift::Improvement
            };
        }
    }
    match (line.told, promise) {
        (Some(told), Some(promise)) if promise > told => Shift::Slip,
        (Some(told), Some(promise)) if promise < told => Shift::Improvement,
        (Some(told), None) if told >= today => Shift::Slip,
        (Some(told), None) if line.is_withdrawn() && line.overdue_for != Some(told) => Shift::Slip,
        (None, Some(_)) => Shift::Improvement,
        _ => Shift::None,
    }
}

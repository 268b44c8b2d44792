//! The promise: the date we would state today, and how it differs from what the customer was told.
//!
//! It is sticky: told stands while it can be kept, for that is what the buffer is for.

use chrono::NaiveDate;

use super::calendar::day_of;
use super::fact::Partial;
use super::order::{Line, Order};
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
    /// Both together.
    fn later(self, other: Self) -> Self {
        Self {
            here: self.here.max(other.here),
            earliest: self.earliest.max(other.earliest),
            stated: self.stated.max(other.stated),
            has_passed: self.has_passed || other.has_passed,
        }
    }

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

impl Order {
    /// The dates we would state today for its waiting lines.
    pub fn promises<'a>(&'a self, today: NaiveDate, policy: &'a Policy) -> Promises<'a> {
        Promises::of(self, today, policy)
    }
}

/// The dates we would state today for an order's waiting lines. Under `hold` goods in the house leave with the rest, and
/// their date is the order's: what is ready cannot be late.
#[derive(Debug, Clone, Copy)]
pub struct Promises<'a> {
    order: &'a Order,
    today: NaiveDate,
    policy: &'a Policy,
    together: Option<Together>,
}

/// When everything leaves.
#[derive(Debug, Clone, Copy)]
struct Together {
    date: Option<NaiveDate>,
    rest: Rest,
}

/// What ready lines of a held order wait for.
#[derive(Debug, Clone, Copy)]
pub struct Rest {
    /// The latest date told for goods that are all here; None while some are not.
    told: Option<Option<NaiveDate>>,
}

impl Rest {
    /// That of an order with this partial-shipment policy. None: nothing of it is ready, or each line goes alone.
    pub fn of(order: &Order, partial: impl FnOnce() -> Partial) -> Option<Self> {
        // Asked first: nearly no line is in the house.
        if !order.waiting().any(Line::is_in_house) || partial() == Partial::Split {
            return None;
        }
        let complete = order.waiting().all(Line::is_in_house);
        Some(Self { told: complete.then(|| order.waiting().filter_map(|line| line.told).max()) })
    }

    /// Whether a line is ready and only waits for the others.
    pub fn keeps(&self, line: &Line) -> bool {
        line.is_in_house() && self.told.is_none_or(|told| line.told < told)
    }
}

impl<'a> Promises<'a> {
    pub fn of(order: &'a Order, today: NaiveDate, policy: &'a Policy) -> Self {
        let mut all = Self { order, today, policy, together: None };
        let rest = Rest::of(order, || order.partial(policy));
        all.together = rest.map(|rest| Together { date: all.together(rest), rest });
        all
    }

    /// The date of a line; None: there is none to state.
    pub fn date(&self, line: &Line) -> Option<NaiveDate> {
        match self.together {
            Some(together) if line.is_in_house() => together.date,
            _ => self.alone(line),
        }
    }

    /// Whether a line is ready and only waits for the others.
    pub fn waits_for_others(&self, line: &Line) -> bool {
        self.together.is_some_and(|all| all.rest.keeps(line))
    }

    /// The day on which all of it can leave. What was told of goods that are here was told of the whole order.
    fn together(&self, rest: Rest) -> Option<NaiveDate> {
        let here = self.order.waiting().filter(|line| line.is_in_house());
        let here = here.filter_map(|line| self.reckon(line)).reduce(Reckoning::later)?;
        if let Some(told) = rest.told {
            return stand(told, here, self.today, self.policy);
        }
        let mut last = None;
        for line in self.order.waiting().filter(|line| !line.is_in_house()) {
            last = last.max(Some(self.alone(line)?));
        }
        // What is here leaves with the rest, unless it takes longer than that.
        let longer = Some(here.stated).filter(|_| Some(here.earliest) > last);
        longer.or(last)
    }

    /// The date of a line as if it went alone.
    fn alone(&self, line: &Line) -> Option<NaiveDate> {
        let in_force = line.told.filter(|told| *told >= self.today);
        match self.reckon(line) {
            Some(reckoned) => stand(line.told, reckoned, self.today, self.policy),
            None => in_force.filter(|_| !line.ever_covered),
        }
    }

    fn reckon(&self, line: &Line) -> Option<Reckoning> {
        // Only goods in the house are reckoned from the day of placing, and a civil day is dear.
        let placed = match line.is_in_house() {
            true => day_of(self.order.placed_at, self.policy.zone),
            false => self.today,
        };
        reckon(line, placed, self.today, self.policy)
    }
}

/// The date to state where `told` was told and the goods lead to `reckoned`.
fn stand(
    told: Option<NaiveDate>,
    reckoned: Reckoning,
    today: NaiveDate,
    policy: &Policy,
) -> Option<NaiveDate> {
    match told {
        Some(told) if told >= today => {
            let kept = reckoned.earliest <= told && !improves(reckoned.stated, told, policy);
            if kept || !reckoned.is_to_come(today) { Some(told) } else { Some(reckoned.stated) }
        }
        // What was told has passed: only goods that come later than it are ground for another date.
        Some(missed) if reckoned.earliest <= missed => None,
        _ => Some(reckoned.stated).filter(|_| reckoned.is_to_come(today)),
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

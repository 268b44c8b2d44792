//! What will go out if nothing changes: the schedule played forward, each notice taken as accepted when due.

use chrono::TimeDelta;

use super::calendar::Instant;
use super::notice::{Notice, NoticeState};
use super::order::Order;
use super::policy::Policy;
use super::schedule::schedule;
use crate::domain::order::settle::Outcome;

/// Nobody is asked to wait so long that nothing comes before.
pub const HORIZON: TimeDelta = TimeDelta::days(400);

/// A notice to come.
#[derive(Debug, Clone, PartialEq)]
pub struct UpcomingNotice {
    pub at: Instant,
    pub notice: Notice,
}

/// The next notices of an order, `most` at most, none after `until`.
pub fn forecast(
    order: &Order,
    now: Instant,
    policy: &Policy,
    until: Instant,
    most: usize,
) -> Vec<UpcomingNotice> {
    let (mut found, mut at) = (Vec::new(), now);
    if !order.is_mailable() {
        return found; // what comes due is skipped
    }
    let mut order = order.clone();
    // What is on the wire is taken as accepted: there is nothing better to assume.
    if order.under_way.as_ref().is_some_and(|under_way| under_way.state == NoticeState::Sending) {
        accept(&mut order, at, policy);
    }
    while found.len() < most && at <= until {
        let plan = schedule(&order, at, policy);
        order.adopt(&plan, |_| String::new());
        if let Some((notice, outcome)) = accept(&mut order, at, policy) {
            found.extend((outcome == Outcome::Accepted).then_some(UpcomingNotice { at, notice }));
            continue;
        }
        match plan.plan_at {
            Some(next) => at = next.max(at),
            None => break,
        }
    }
    found
}

fn accept(order: &mut Order, at: Instant, policy: &Policy) -> Option<(Notice, Outcome)> {
    let under_way = order.under_way.take()?;
    let outcome = if order.gets(under_way.notice.kind) { Outcome::Accepted } else { Outcome::Suppressed };
    order.settle(&under_way.notice, &under_way.id, outcome, at, policy);
    Some((under_way.notice, outcome))
}

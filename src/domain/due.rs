//! Every kind of notice and the moment it is due, one rule each (the table of notices).
//!
//! A moment here is the earliest one, before the send window is asked; [`super::schedule`] picks among them.

use chrono::{NaiveDate, TimeDelta};

use super::calendar::{Instant, day_of, plus_days, start_of};
use super::notice::{NoticeKind, useful_until};
use super::order::{Order, OrderEvent};
use super::order_view::View;
use super::policy::{Policy, STATUS_FAILURES};
use super::promise::Shift;

/// A notice that is due at `at`, or will be.
pub(super) struct Due {
    pub kind: NoticeKind,
    pub at: Instant,
    /// After that it says nothing worth saying.
    pub until: Instant,
    /// Which news it is about.
    pub event: Option<String>,
}

impl Due {
    fn new(kind: NoticeKind, at: Instant, view: &View) -> Self {
        Self { kind, at, until: useful_until(at.max(view.now)), event: None }
    }

    pub fn now(kind: NoticeKind, now: Instant) -> Self {
        Self { kind, at: now, until: useful_until(now), event: None }
    }

    /// When the order is to be looked at for this one.
    pub fn next_look(&self, view: &View) -> Instant {
        if self.at > view.now { self.at } else { view.order.may_go_at(self.kind, view.now, view.policy) }
    }
}

/// All that is due now or later, as things stand.
pub(super) fn candidates(view: &View) -> Vec<Due> {
    let mut found = Vec::with_capacity(6);
    found.extend(events(view));
    if view.waiting {
        found.extend(confirmation(view));
        let restock = restock(view);
        found.extend(date_change(view, if restock.is_some() { view.on_the_way } else { view.shift }));
        found.extend(overdue(view));
        found.extend(restock);
        found.extend(update_48h(view));
        found.push(weekly_status(view));
        // While a date may still move, routine news would have to be corrected at once.
        if let Some(settled) = view.debounced_at().filter(|at| *at > view.now) {
            let waits = |due: &&mut Due| due.kind.rules().is_debounced;
            found.iter_mut().filter(waits).for_each(|due| due.at = due.at.max(settled));
        }
    }
    found
}

/// What happened is told at once, whatever the hour.
fn events<'a>(view: &'a View) -> impl Iterator<Item = Due> + 'a {
    let told = |event: &&OrderEvent| {
        view.order.is_tracked() && view.order.silent_before.is_none_or(|silent| event.at > silent)
    };
    // The newest of a kind leads, the others of that kind are taken in.
    view.order
        .events
        .iter()
        .rev()
        .filter(told)
        .map(|event| Due { event: Some(event.id.clone()), ..Due::new(event.kind(), event.recorded_at, view) })
}

/// At once; and again to a new address, which knows nothing yet. A slip is told to it as such.
fn confirmation(view: &View) -> Option<Due> {
    let to_a_new_address = view.order.is_readdressed() && view.shift != Shift::Slip;
    let is_due = !view.order.contact.confirmed || to_a_new_address;
    is_due.then(|| Due::new(NoticeKind::Confirmation, view.order.recorded_at, view))
}

/// A slip or an improvement, once it has stood. The confirmation takes in what comes before it.
fn date_change(view: &View, shift: Shift) -> Option<Due> {
    let kind = kind_of_shift(view, shift)?;
    let at = view.debounced_at().unwrap_or(view.now);
    view.order.contact.confirmed.then(|| Due::new(kind, at, view))
}

/// The kind that tells a shift; None: it is no news, or was known before the import.
pub(super) fn kind_of_shift(view: &View, shift: Shift) -> Option<NoticeKind> {
    match shift {
        Shift::None => None,
        Shift::Slip => Some(NoticeKind::DateSlip),
        Shift::Improvement => Some(NoticeKind::DateImproved).filter(|_| !view.improvement_is_past()),
    }
}

/// Told has passed and there is no newer promise: at the customer's next `status_at`, once for each told.
fn overdue(view: &View) -> Option<Due> {
    let imported = view.order.silent_before.map(|at| day_of(at, view.policy.zone));
    let open = view.may_be_late().filter(|line| {
        line.told.is_some()
            && line.told != line.overdue_for
            && imported.is_none_or(|day| line.told >= Some(day))
            && (line.told >= Some(view.today) || view.promise(line).is_none())
    });
    let told = open.filter_map(|line| line.told).min()?;
    let zone = view.order.zone(view.policy);
    let passed = start_of(plus_days(told, 1), view.policy.zone);
    let window = &view.policy.window;
    let at_status = |day: NaiveDate| window.clamp(window.day_at_or_after(day), view.policy.status_at, zone);
    let day = day_of(passed, zone);
    let at = Some(at_status(day)).filter(|at| *at >= passed).unwrap_or_else(|| at_status(plus_days(day, 1)));
    Some(Due::new(NoticeKind::Overdue, at, view))
}

/// Received goods were allocated: to all waiting lines under `hold`, to any under `split`.
fn restock(view: &View) -> Option<Due> {
    let ready = view.order.waiting().any(|line| line.is_in_house() && !line.announced);
    let ready = ready && view.order.can_leave(view.policy);
    ready.then(|| Due::new(NoticeKind::Restock, view.now, view))
}

/// `update_after` elapsed hours after placing, then the next open send window; of no use a day later.
fn update_48h(view: &View) -> Option<Due> {
    let order = view.order;
    if order.contact.updated {
        return None;
    }
    let aged = order.placed_at + view.policy.update_after;
    if order.silent_before.is_some_and(|silent| aged <= silent) {
        return None;
    }
    let at = view.policy.window.next_open(aged, order.zone(view.policy));
    let until = at.max(aged) + TimeDelta::hours(24);
    Some(Due { until, ..Due::new(NoticeKind::Update48h, at, view) })
}

fn weekly_status(view: &View) -> Due {
    let status = next_status(view.order, view.policy);
    let due = Due::new(NoticeKind::WeeklyStatus, status.at, view);
    if status.at > view.now {
        return due; // of nearly every order at nearly every moment: how long it is of use is not asked yet
    }
    let zone = view.order.zone(view.policy);
    let following = plus_days(day_of(view.now, zone), view.policy.status_every);
    let until = view.policy.window.clamp(following, view.policy.status_at, zone);
    Due { until, ..due }
}

/// The civil day and the instant of the next weekly status.
pub(super) struct NextStatus {
    pub day: NaiveDate,
    pub at: Instant,
}

/// `status_every` civil days after the last accepted notice, else after the intake; the day before where that day
/// is closed. One that came to nothing is due anew the next day; after [`STATUS_FAILURES`] a person is asked and it waits
/// as long again.
pub(super) fn next_status(order: &Order, policy: &Policy) -> NextStatus {
    let (contact, window, zone) = (&order.contact, &policy.window, order.zone(policy));
    let last = day_of(order.silent_since(), zone);
    let regular = plus_days(last, policy.status_every);
    // Where every day before is closed as well (a status every other day, sent on Mondays only), the next open one.
    let open = Some(window.day_at_or_before(regular)).filter(|day| *day > last);
    let mut day = open.unwrap_or_else(|| window.day_at_or_after(regular));
    if let Some(tried) = contact.status_tried_on {
        let wait = if contact.status_failures < STATUS_FAILURES { 1 } else { policy.status_every };
        day = day.max(window.day_at_or_after(plus_days(tried, wait)));
    }
    NextStatus { day, at: window.clamp(day, policy.status_at, zone) }
}

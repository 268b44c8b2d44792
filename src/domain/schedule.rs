//! Which notice is due, which is not and why, and when to look at the order again.
//!
//! [`schedule`] says what *should* be under way now. It never looks at what was planned before except to leave
//! alone what still holds, so planning twice adds nothing, and what no longer holds is superseded.

use chrono::TimeDelta;

use super::calendar::{Instant, day_of, plus_days, start_of};
use super::customer::EmailAddress;
use super::due::{Due, candidates, kind_of_shift, next_status};
use super::notice::{
    Content, Decision, EventKey, Notice, NoticeKind, NoticeState, Occasion, Reason, Topic, UnderWay, occasion,
};
use super::order::{BlastHold, ContactState, Order};
use super::order_view::{View, silent_events};
use super::policy::Policy;
use super::promise::Shift;

/// What is to be done about an order now.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    /// The notice to put under way; an order has one at most.
    pub due: Option<Notice>,
    /// The notice under way no longer holds.
    pub superseded: Option<Reason>,
    /// What was considered and will not be mailed.
    pub dropped: Vec<Decision>,
    /// News that nobody is to be told.
    pub silent: Vec<EventKey>,
    /// What the order remembers from now on.
    pub contact: ContactState,
    /// Whether a change is still held back from it.
    pub blast_hold: Option<BlastHold>,
    /// When to look at this order again; None until something happens to it.
    pub plan_at: Option<Instant>,
}

impl Schedule {
    /// Whether all that follows is when to look at the order again.
    pub fn changes_nothing_of(&self, order: &Order) -> bool {
        self.due.is_none()
            && self.superseded.is_none()
            && self.dropped.is_empty()
            && self.silent.is_empty()
            && self.blast_hold == order.blast_hold
            && self.contact == order.contact
    }
}

/// The truth about an order's mail at `now`. Pure; costs under a microsecond for an order that is not due.
pub fn schedule(order: &Order, now: Instant, policy: &Policy) -> Schedule {
    let mut plan = Schedule {
        due: None,
        superseded: None,
        dropped: Vec::new(),
        silent: Vec::new(),
        contact: order.contact.clone(),
        blast_hold: order.blast_hold,
        plan_at: None,
    };
    let under_way = order.under_way.as_ref();
    if under_way.is_some_and(|u| u.state == NoticeState::Sending) {
        return plan; // settling it plans the order again
    }
    plan.silent = silent_events(order);
    let Some(email) = &order.customer.email else {
        plan.superseded = under_way.map(|_| Reason::NoAddress);
        plan.blast_hold = None;
        return plan;
    };
    let mut view = View::new(order, now, policy);
    let mut found = candidates(&view);
    if let Some(hold) = order.blast_hold {
        plan.blast_hold = view.hold_back(hold, &mut found);
        if plan.blast_hold.is_none() {
            plan.plan_at = Some(now);
            return plan;
        }
    }
    let looks = found.iter().map(|due| due.next_look(&view)).chain(view.debounced_at());
    plan.plan_at = looks.filter(|at| *at > now).min();
    view.end_debounce_quietly(&mut plan);
    drop_update(&view, &found, &mut plan);

    let is_of_use =
        |due: &Due| due.kind != NoticeKind::Update48h || (!plan.contact.updated && now <= due.until);
    let is_due = |due: &&Due| due.at <= now && is_of_use(due);
    let mut ready: Vec<&Due> = found.iter().filter(is_due).collect();
    ready.sort_by_key(|due| due.kind.rules().rank);
    // The highest that may go out now, or is under way and waits; it takes in what waits for the window as well, of
    // higher rank or lower: it states all of it.
    let may_go = |kind: NoticeKind| view.window_open() || !kind.rules().keeps_window;
    let leads = |due: &&Due| may_go(due.kind) || under_way.is_some_and(|u| u.notice.kind == due.kind);
    let Some(best) = ready.iter().position(leads).map(|first| ready.remove(first)) else {
        plan.superseded = under_way.map(|_| view.why_gone());
        plan.plan_at = under_way.map_or(plan.plan_at, |_| Some(now));
        return plan;
    };
    let content = view.content(email);
    match under_way {
        Some(UnderWay { notice, .. }) if notice.kind == best.kind && notice.content == content => {
            view.absorb(&ready, &notice.occasion, &mut plan);
        }
        _ => {
            plan.superseded = under_way.map(|u| view.why_replaced(u, best.kind));
            // What a doubtful one stated may have been read: that is remembered before the next is chosen.
            // A replacement for routine news waits for the window.
            if under_way.is_some_and(|u| u.doubtful) || !may_go(best.kind) {
                plan.plan_at = Some(now);
                return plan;
            }
            view.plan(best, &ready, content, &mut plan);
        }
    }
    // At each of the shop's midnights a date may have passed that the notice under way states.
    let midnight = start_of(plus_days(view.today, 1), policy.zone);
    plan.plan_at = Some(plan.plan_at.map_or(midnight, |at| at.min(midnight)));
    plan
}

/// When a planner is to look at an order that was just settled: at once if there is anything to plan.
pub fn next_look(order: &Order, now: Instant, policy: &Policy) -> Option<Instant> {
    let plan = schedule(order, now, policy);
    if plan.changes_nothing_of(order) { plan.plan_at } else { Some(now) }
}

/// Skips the update after 48 hours for good where its moment has come and it would not be news.
fn drop_update(view: &View, found: &[Due], plan: &mut Schedule) {
    let due = found.iter().find(|due| due.kind == NoticeKind::Update48h && due.at <= view.now);
    let Some(due) = due.filter(|_| view.window_open() && view.order.under_way.is_none()) else { return };
    let contact = &view.order.contact;
    let last_day = contact.last_at.is_some_and(|at| view.now - at < TimeDelta::hours(24));
    // A confirmation may have said that some goods are here while the others are waited for.
    let restocked = contact.restocks > 0 && view.order.lines.iter().any(|line| line.announced);
    let reason = if restocked {
        Reason::AlreadyRestocked
    } else if last_day {
        Reason::RecentNotice
    } else if view.now > due.until {
        Reason::TooLate
    } else {
        return;
    };
    plan.contact.updated = true;
    let occasion = occasion(NoticeKind::Update48h, None);
    if !view.is_taken(&occasion, plan) {
        let (kind, outcome) = (NoticeKind::Update48h, NoticeState::Skipped);
        plan.dropped.push(Decision { kind, occasion, outcome, reason, by: None });
    }
}

/// What a notice about the order would state at `now`, whether or not one is due; `email` is whom it would go to.
pub fn stated(order: &Order, email: &EmailAddress, now: Instant, policy: &Policy) -> Content {
    View::new(order, now, policy).content(email)
}

impl View<'_> {
    /// Takes out what the blast guard holds. None: the change would make nothing due any more.
    fn hold_back(&mut self, hold: BlastHold, found: &mut Vec<Due>) -> Option<BlastHold> {
        let held: Vec<Due> = found.extract_if(.., |due| due.kind.rules().may_be_held).collect();
        self.shift = Shift::None;
        let first = held.iter().min_by_key(|due| due.kind.rules().rank)?;
        Some(BlastHold { kind: Some(first.kind).filter(|_| first.at <= self.now), ..hold })
    }

    /// A change that has stood and changes nothing for the customer ends here.
    fn end_debounce_quietly(&self, plan: &mut Schedule) {
        let over = self.debounced_at().is_some_and(|at| at <= self.now);
        if !over || self.held || self.shift != Shift::None || self.order.under_way.is_some() {
            return;
        }
        plan.contact.debounce = None;
        let imported = self.order.contact.debounce.map(|s| s.last) <= self.order.silent_before;
        let told_before = self.order.contact.last_at.is_some() && !imported;
        if self.waiting && told_before {
            plan.contact.changes += 1;
            plan.dropped.push(Decision {
                kind: NoticeKind::DateSlip,
                occasion: occasion(NoticeKind::DateSlip, Some(&plan.contact.changes)),
                outcome: NoticeState::Skipped,
                reason: Reason::StillHolds,
                by: None,
            });
        }
    }

    fn why_gone(&self) -> Reason {
        let expired = |u: &UnderWay| u.notice.useful_until < self.now;
        if !self.waiting {
            Reason::OrderClosed
        } else if self.order.under_way.as_ref().is_some_and(expired) {
            Reason::Expired
        } else {
            Reason::FactsChanged
        }
    }

    fn why_replaced(&self, old: &UnderWay, by: NoticeKind) -> Reason {
        if self.order.customer.email.as_ref() != Some(&old.notice.content.email) {
            Reason::AddressChanged
        } else if !self.waiting {
            Reason::OrderClosed
        } else if by.rules().rank < old.notice.kind.rules().rank {
            Reason::Merged
        } else {
            Reason::FactsChanged
        }
    }

    /// Puts `best` under way; it takes in the others.
    fn plan(&self, best: &Due, others: &[&Due], content: Content, plan: &mut Schedule) {
        let mut name = self.name(best, &plan.contact);
        plan.contact.count(best.kind);
        let first = name.clone();
        for again in 2.. {
            if !self.is_taken(&name, plan) {
                break;
            }
            name = format!("{first}.{again}");
        }
        let mut includes: Vec<_> =
            others.iter().map(|due| due.kind).filter(|kind| *kind != best.kind).collect();
        let states_a_shift = best.kind.rules().topic != Topic::Shift
            && self.order.contact.confirmed
            && !self.improvement_is_past();
        let shifted = kind_of_shift(self, self.shift).filter(|kind| !includes.contains(kind));
        if let Some(shifted) = shifted.filter(|_| states_a_shift) {
            includes.push(shifted);
            self.merge(&Due::now(shifted, self.now), &name, plan);
        }
        includes.dedup();
        self.absorb(others, &name, plan);
        let status = next_status(self.order, self.policy);
        let restarts = self.waiting
            && best.kind != NoticeKind::WeeklyStatus
            && self.order.contact.updated
            && status.day > day_of(self.now, self.order.zone(self.policy));
        plan.due = Some(Notice {
            kind: best.kind,
            occasion: name,
            includes,
            content,
            planned_at: self.now,
            useful_until: best.until,
            replaces_status: restarts.then_some(status.day),
        });
    }

    /// Whether a notice of that name was superseded, or is being superseded now.
    fn is_taken(&self, name: &Occasion, plan: &Schedule) -> bool {
        let replaced = plan.superseded.and(self.order.under_way.as_ref()).map(|u| &u.notice.occasion);
        self.order.superseded.contains(name) || replaced == Some(name)
    }

    /// Records what became of the others, once.
    fn absorb(&self, others: &[&Due], by: &Occasion, plan: &mut Schedule) {
        let inserting = plan.superseded.is_some() || self.order.under_way.is_none();
        for due in others {
            let once = match due.kind {
                NoticeKind::Update48h => !plan.contact.updated,
                NoticeKind::WeeklyStatus => true,
                _ => inserting,
            };
            if once {
                self.merge(due, by, plan);
            }
        }
    }

    fn merge(&self, due: &Due, by: &Occasion, plan: &mut Schedule) {
        let occasion = self.name(due, &plan.contact);
        // What was under way itself is superseded, and that is decision enough.
        if !self.is_taken(&occasion, plan) {
            plan.dropped.push(Decision {
                kind: due.kind,
                occasion,
                outcome: NoticeState::Superseded,
                reason: Reason::Merged,
                by: Some(by.clone()),
            });
        }
        plan.contact.count(due.kind);
        match due.kind {
            NoticeKind::Update48h => plan.contact.updated = true,
            NoticeKind::WeeklyStatus => {
                plan.contact.status_tried_on = Some(day_of(self.now, self.order.zone(self.policy)))
            }
            _ => {}
        }
    }

    /// The occasion of `due`, before any replacement.
    fn name(&self, due: &Due, contact: &ContactState) -> Occasion {
        match due.kind.rules().topic {
            Topic::Order | Topic::Age => occasion(due.kind, None),
            Topic::Silence => occasion(due.kind, Some(&day_of(self.now, self.order.zone(self.policy)))),
            Topic::Shift => occasion(due.kind, Some(&(contact.changes + 1))),
            Topic::Goods => occasion(due.kind, Some(&(contact.restocks + 1))),
            Topic::Missed => {
                let missed = self.missed().max();
                occasion(due.kind, missed.as_ref().map(|day| day as &dyn std::fmt::Display))
            }
            Topic::Event => occasion(due.kind, due.event.as_ref().map(|id| id as &dyn std::fmt::Display)),
        }
    }
}

//! Which notice is due, which is not and why, and when to look at the order again.
//!
//! [`schedule`] says what *should* be under way now. It never looks at what was planned before except to leave
//! alone what still holds, so planning twice adds nothing, and what no longer holds is superseded.

use chrono::{DateTime, Days, NaiveDate, TimeDelta};

use super::calendar::{Instant, day_of, plus_days, start_of};
use super::customer::EmailAddress;
use super::due::{Due, candidates, next_status};
use super::notice::{
    Content, Decision, NewsKey, Notice, NoticeKind, NoticeState, Occasion, Reason, StatedLine, UnderWay,
    occasion,
};
use super::order::{Heard, Hold, Line, Order, Status};
use super::policy::Policy;
use super::promise::{Promises, Shift, shift};

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
    pub silent: Vec<NewsKey>,
    /// What the order remembers from now on.
    pub heard: Heard,
    /// Whether a change is still held back from it.
    pub hold: Option<Hold>,
    /// When to look at this order again; None until something happens to it.
    pub plan_at: Option<Instant>,
}

/// The truth about an order's mail at `now`. Pure; costs under a microsecond for an order that is not due.
pub fn schedule(order: &Order, now: Instant, policy: &Policy) -> Schedule {
    let mut plan = Schedule {
        due: None,
        superseded: None,
        dropped: Vec::new(),
        silent: Vec::new(),
        heard: order.heard.clone(),
        hold: order.hold,
        plan_at: None,
    };
    let under_way = order.under_way.as_ref();
    if under_way.is_some_and(|u| u.state == NoticeState::Sending) {
        return plan; // settling it plans the order again
    }
    plan.silent = silent_news(order);
    let Some(email) = &order.customer.email else {
        plan.superseded = under_way.map(|_| Reason::NoAddress);
        plan.hold = None;
        return plan;
    };
    let mut view = View::new(order, now, policy);
    let mut found = candidates(&view);
    if let Some(hold) = order.hold {
        plan.hold = view.hold_back(hold, &mut found);
        if plan.hold.is_none() {
            plan.plan_at = Some(now);
            return plan;
        }
    }
    let looks = found.iter().map(|due| due.next_look(&view)).chain(view.settled_at());
    plan.plan_at = looks.filter(|at| *at > now).min();
    view.settle_quietly(&mut plan);
    drop_update(&view, &found, &mut plan);

    let is_of_use =
        |due: &Due| due.kind != NoticeKind::Update48h || (!plan.heard.updated && now <= due.until);
    let is_due = |due: &&Due| due.at <= now && is_of_use(due);
    let mut ready: Vec<&Due> = found.iter().filter(is_due).collect();
    ready.sort_by_key(|due| due.kind);
    // The highest that may go out now, or is under way and waits; it takes in what waits for the window as well, of
    // higher rank or lower: it states all of it.
    let may_go = |kind: NoticeKind| view.window_open() || !kind.keeps_window();
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
    let nothing_new = plan.due.is_none()
        && plan.superseded.is_none()
        && plan.dropped.is_empty()
        && plan.silent.is_empty()
        && plan.hold == order.hold
        && plan.heard == order.heard;
    if nothing_new { plan.plan_at } else { Some(now) }
}

/// News about what lies before the import, or of an order that never waited, is told to nobody.
fn silent_news(order: &Order) -> Vec<NewsKey> {
    let mute = !order.is_tracked();
    let silent = order.news.iter().filter(|news| mute || order.silent_before.is_some_and(|at| news.at <= at));
    silent.map(super::order::News::key).collect()
}

/// Skips the update after 48 hours for good where its moment has come and it would not be news.
fn drop_update(view: &View, found: &[Due], plan: &mut Schedule) {
    let due = found.iter().find(|due| due.kind == NoticeKind::Update48h && due.at <= view.now);
    let Some(due) = due.filter(|_| view.window_open() && view.order.under_way.is_none()) else { return };
    let heard = &view.order.heard;
    let last_day = heard.last_at.is_some_and(|at| view.now - at < TimeDelta::hours(24));
    // A confirmation may have said that some goods are here while the others are waited for.
    let restocked = heard.restocks > 0 && view.order.lines.iter().any(|line| line.announced);
    let reason = if restocked {
        Reason::AlreadyRestocked
    } else if last_day {
        Reason::RecentNotice
    } else if view.now > due.until {
        Reason::TooLate
    } else {
        return;
    };
    plan.heard.updated = true;
    let occasion = occasion(NoticeKind::Update48h, None);
    if !view.is_taken(&occasion, plan) {
        let (kind, outcome) = (NoticeKind::Update48h, NoticeState::Skipped);
        plan.dropped.push(Decision { kind, occasion, outcome, reason, by: None });
    }
}

/// An order at a moment: what every rule asks for, worked out once.
/// What a notice about the order would state at `now`, whether or not one is due; `email` is whom it would go to.
pub fn stated(order: &Order, email: &EmailAddress, now: Instant, policy: &Policy) -> Content {
    View::new(order, now, policy).content(email)
}

pub(super) struct View<'a> {
    pub order: &'a Order,
    pub now: Instant,
    pub policy: &'a Policy,
    /// The shop's civil day.
    pub today: NaiveDate,
    pub waiting: bool,
    promises: Promises<'a>,
    /// The most pressing shift among the waiting lines.
    pub shift: Shift,
    /// The same without goods that came in and are still to be told of: `restock` tells what date they bring.
    pub on_the_way: Shift,
    /// What changed is held back: what was told is what is said.
    held: bool,
}

impl<'a> View<'a> {
    pub fn new(order: &'a Order, now: Instant, policy: &'a Policy) -> Self {
        let today = day_of(now, policy.zone);
        let promises = order.promises(today, policy);
        let (mut found, mut on_the_way) = (Shift::None, Shift::None);
        for line in order.waiting().filter(|line| !promises.waits_for_others(line)) {
            match shift(line, promises.date(line), today) {
                Shift::Slip => found = Shift::Slip,
                // Goods in the house are what `restock` tells.
                Shift::Improvement if found == Shift::None && !line.is_in_house() => {
                    found = Shift::Improvement
                }
                _ => continue,
            }
            if !line.is_in_house() || line.announced {
                on_the_way = found;
            }
        }
        let waiting = order.status() == Status::Waiting;
        Self {
            order,
            now,
            policy,
            today,
            waiting,
            promises,
            shift: found,
            on_the_way,
            held: order.hold.is_some(),
        }
    }

    /// The date we state for a waiting line.
    pub fn promise(&self, line: &Line) -> Option<NaiveDate> {
        if self.held {
            return line.told.filter(|told| *told >= self.today);
        }
        self.promises.date(line)
    }

    /// Waiting lines whose date can be missed.
    pub fn may_be_late(&self) -> impl Iterator<Item = &'a Line> {
        self.order.waiting().filter(|line| !self.promises.waits_for_others(line))
    }

    /// Takes out what the blast guard holds. None: the change would make nothing due any more.
    fn hold_back(&mut self, hold: Hold, found: &mut Vec<Due>) -> Option<Hold> {
        let held: Vec<Due> = found.extract_if(.., |due| due.kind.may_be_held()).collect();
        self.shift = Shift::None;
        let first = held.iter().min_by_key(|due| due.kind)?;
        Some(Hold { kind: Some(first.kind).filter(|_| first.at <= self.now), ..hold })
    }

    /// When a date that moved has stood long enough; None when none moved.
    pub fn settled_at(&self) -> Option<Instant> {
        let settling = self.order.heard.settling?;
        Some((settling.last + self.policy.settle).min(settling.first + TimeDelta::hours(1)))
    }

    /// Whether an earlier date was known when the order was imported: the weekly status will say it.
    pub fn improvement_is_past(&self) -> bool {
        let Some(silent) = self.order.silent_before else { return false };
        self.order.heard.last_at.is_none() && self.order.heard.settling.is_none_or(|s| s.last <= silent)
    }

    fn window_open(&self) -> bool {
        self.policy.window.is_open(self.now, self.order.zone(self.policy))
    }

    /// A change that has stood and changes nothing for the customer ends here.
    fn settle_quietly(&self, plan: &mut Schedule) {
        let over = self.settled_at().is_some_and(|at| at <= self.now);
        if !over || self.held || self.shift != Shift::None || self.order.under_way.is_some() {
            return;
        }
        plan.heard.settling = None;
        let imported = self.order.heard.settling.map(|s| s.last) <= self.order.silent_before;
        let told_before = self.order.heard.last_at.is_some() && !imported;
        if self.waiting && told_before {
            plan.heard.changes += 1;
            plan.dropped.push(Decision {
                kind: NoticeKind::DateSlip,
                occasion: occasion(NoticeKind::DateSlip, Some(&plan.heard.changes)),
                outcome: NoticeState::Skipped,
                reason: Reason::StillHolds,
                by: None,
            });
        }
    }

    /// What a notice of this moment states.
    fn content(&self, email: &EmailAddress) -> Content {
        let lines = self.order.waiting().map(|line| {
            let date = self.promise(line);
            let late = date.is_none() && line.told.is_some_and(|told| told < self.today);
            let missed = late && !self.promises.waits_for_others(line);
            let told = if missed { line.told } else { date };
            let (line_id, units, in_house) = (line.id.clone(), line.open(), line.is_in_house() && !self.held);
            StatedLine { line: line_id, units, date, told, before: line.told, in_house, missed }
        });
        let silent = silent_news(self.order);
        let news = self.order.news.iter().map(super::order::News::key).filter(|key| !silent.contains(key));
        Content { email: email.clone(), lines: lines.collect(), news: news.collect() }
    }

    /// Told dates that have passed without a newer promise, and of which the customer has not heard.
    fn missed(&self) -> impl Iterator<Item = NaiveDate> {
        let missed = |line: &&Line| {
            line.told < Some(self.today) && line.told != line.overdue_for && self.promise(line).is_none()
        };
        self.may_be_late().filter(missed).filter_map(|line| line.told)
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
        } else if by < old.notice.kind {
            Reason::Merged
        } else {
            Reason::FactsChanged
        }
    }

    /// Puts `best` under way; it takes in the others.
    fn plan(&self, best: &Due, others: &[&Due], content: Content, plan: &mut Schedule) {
        let mut name = self.name(best, &plan.heard);
        count(best.kind, &mut plan.heard);
        let first = name.clone();
        for again in 2.. {
            if !self.is_taken(&name, plan) {
                break;
            }
            name = format!("{first}.{again}");
        }
        let mut includes: Vec<_> =
            others.iter().map(|due| due.kind).filter(|kind| *kind != best.kind).collect();
        let states_a_shift = self.shift != Shift::None
            && !matches!(best.kind, NoticeKind::DateSlip | NoticeKind::DateImproved);
        let shifted = if self.shift == Shift::Slip { NoticeKind::DateSlip } else { NoticeKind::DateImproved };
        if states_a_shift
            && self.order.heard.confirmed
            && !includes.contains(&shifted)
            && !self.improvement_is_past()
        {
            includes.push(shifted);
            self.merge(&Due::now(shifted, self.now), &name, plan);
        }
        includes.dedup();
        self.absorb(others, &name, plan);
        let status = next_status(self.order, self.policy);
        let restarts = self.waiting
            && best.kind != NoticeKind::WeeklyStatus
            && self.order.heard.updated
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
                NoticeKind::Update48h => !plan.heard.updated,
                NoticeKind::WeeklyStatus => true,
                _ => inserting,
            };
            if once {
                self.merge(due, by, plan);
            }
        }
    }

    fn merge(&self, due: &Due, by: &Occasion, plan: &mut Schedule) {
        let occasion = self.name(due, &plan.heard);
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
        count(due.kind, &mut plan.heard);
        match due.kind {
            NoticeKind::Update48h => plan.heard.updated = true,
            NoticeKind::WeeklyStatus => {
                plan.heard.status_tried_on = Some(day_of(self.now, self.order.zone(self.policy)))
            }
            _ => {}
        }
    }

    /// The occasion of `due`, before any replacement.
    fn name(&self, due: &Due, heard: &Heard) -> Occasion {
        match due.kind {
            NoticeKind::Confirmation | NoticeKind::Update48h => occasion(due.kind, None),
            NoticeKind::WeeklyStatus => {
                occasion(due.kind, Some(&day_of(self.now, self.order.zone(self.policy))))
            }
            NoticeKind::DateSlip | NoticeKind::DateImproved => occasion(due.kind, Some(&(heard.changes + 1))),
            NoticeKind::Restock => occasion(due.kind, Some(&(heard.restocks + 1))),
            NoticeKind::Overdue => {
                let missed = self.missed().max();
                occasion(due.kind, missed.as_ref().map(|day| day as &dyn std::fmt::Display))
            }
            NoticeKind::Cancelled | NoticeKind::Refunded | NoticeKind::Shipped => {
                occasion(due.kind, due.news.as_ref().map(|id| id as &dyn std::fmt::Display))
            }
        }
    }
}

fn count(kind: NoticeKind, heard: &mut Heard) {
    match kind {
        NoticeKind::DateSlip | NoticeKind::DateImproved => heard.changes += 1,
        NoticeKind::Restock => heard.restocks += 1,
        _ => {}
    }
}

/// Five days on, within which a mail server may still take a notice (RFC 5321, 4.5.4.1).
pub fn five_days_after(at: Instant) -> Instant {
    at.checked_add_days(Days::new(5)).unwrap_or(DateTime::<chrono::Utc>::MAX_UTC)
}

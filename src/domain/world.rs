//! A small world for tests: one order, what it is served from, a mail server with moods, and a clock.
//!
//! It does what the daemon does (plan, ask again before every try, settle) and keeps what came of it.

use chrono::{NaiveDate, TimeDelta};

use super::bounce::EarlierNotice;
use super::calendar::{Instant, day_of};
use super::customer::{Customer, EmailAddress};
use super::fact::{
    By, CancelFact, ChangeReason, LineFact, LineKind, LineUnits, OrderFact, RefundFact, ShipmentFact,
};
use super::notice::{Decision, Notice, NoticeKind, NoticeState, Occasion, Reason};
use super::order::{BlastHold, Debounce, Order};
use super::policy::Policy;
use super::schedule::{Schedule, schedule};
use super::supply::{Cover, Eta, SupplyState};
use crate::domain::order::apply::{Notify, place};
use crate::domain::order::settle::Outcome;

/// What the mail server does with whatever it is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Server {
    Accepts,
    Defers,
    Refuses,
    /// The connection breaks before its last word.
    Breaks,
    /// It comes to no mail: rendering fails.
    Jams,
}

#[derive(Debug, Clone)]
pub(super) struct Sent {
    pub at: Instant,
    pub notice: Notice,
}

pub(super) struct World {
    pub policy: Policy,
    pub now: Instant,
    pub order: Order,
    pub server: Server,
    pub accepted: Vec<Sent>,
    /// Everything ever put under way.
    pub planned: Vec<Notice>,
    pub superseded: Vec<(Occasion, Reason)>,
    /// What was accepted and came back.
    bounced: Vec<Occasion>,
    pub decided: Vec<Decision>,
    pub plan_at: Option<Instant>,
    /// When the server last took nothing, for whatever reason.
    pub unheard_at: Option<Instant>,
    next_try: Option<Instant>,
    attempt: u32,
    doubted: bool,
    facts: u32,
}

pub(super) fn at(text: &str) -> Instant {
    text.parse().unwrap()
}

pub(super) fn date(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

/// A line of one unit; its SKU is its id.
pub(super) fn line(id: &str, kind: LineKind, promised: Option<&str>) -> LineFact {
    LineFact {
        id: id.into(),
        sku: id.into(),
        title: id.to_uppercase(),
        quantity: 1,
        unit_price: None,
        kind,
        promised: promised.map(date),
    }
}

pub(super) fn backorder(promised: &str) -> LineFact {
    line("kettle", LineKind::Backorder, Some(promised))
}

pub(super) fn order_fact(placed: Instant, lines: Vec<LineFact>) -> OrderFact {
    OrderFact {
        at: placed,
        order: "1042".into(),
        placed_at: placed,
        channel: None,
        payment: None,
        currency: None,
        partial: None,
        customer: Customer { email: EmailAddress::parse("ana@example.com").ok(), ..Customer::default() },
        lines,
    }
}

impl World {
    /// An order that is recorded as it is placed. Nothing is planned yet.
    pub fn new(placed: &str, lines: Vec<LineFact>) -> Self {
        Self::with(Policy::default(), &order_fact(at(placed), lines), at(placed), Notify::All)
    }

    pub fn with(policy: Policy, fact: &OrderFact, recorded: Instant, notify: Notify) -> Self {
        Self {
            order: place(fact, recorded, notify),
            policy,
            now: recorded,
            server: Server::Accepts,
            accepted: Vec::new(),
            planned: Vec::new(),
            superseded: Vec::new(),
            bounced: Vec::new(),
            decided: Vec::new(),
            plan_at: None,
            unheard_at: None,
            next_try: None,
            attempt: 0,
            doubted: false,
            facts: 0,
        }
    }

    // Facts. Each is applied at `now`, and planned with the next `run`.

    /// What `sku` is served from now, as the planner writes it into the lines that wait.
    pub fn cover(&mut self, sku: &str, cover: &Cover) {
        let changed = self.order.waiting().filter(|line| line.sku == sku && line.cover != *cover);
        let changed: Vec<_> =
            changed.filter_map(|line| Some((line.key.clone(), line.cover.change_to(cover)?))).collect();
        for (line, by) in changed {
            self.order.serve(&line, &by, ChangeReason::default(), Debounce::at(self.now));
        }
    }

    pub fn eta(&mut self, sku: &str, eta: &str) {
        self.cover(sku, &coming(Some(date(eta))));
    }

    pub fn withdraw(&mut self, sku: &str) {
        self.cover(sku, &Cover::Nothing);
    }

    pub fn receive(&mut self, sku: &str) {
        self.cover(sku, &Cover::Received { on: day_of(self.now, self.policy.zone) });
    }

    /// Ships the named lines, or all that is open. False: the order refused.
    pub fn ship(&mut self, lines: Option<&[&str]>) -> bool {
        let units = |ids: &[&str]| -> Vec<_> {
            ids.iter().map(|id| LineUnits { id: (*id).into(), quantity: None }).collect()
        };
        let fact = ShipmentFact {
            at: self.now,
            id: self.id("S"),
            order: "1042".into(),
            lines: lines.map(units),
            carrier: None,
            tracking: None,
            url: None,
            handed_over: true,
        };
        self.order.ship(&fact, self.now).is_ok()
    }

    /// Cancels the named lines, or all that is open. False: the order refused.
    pub fn cancel(&mut self, lines: Option<&[&str]>) -> bool {
        let lines = lines.map(|ids| ids.iter().map(|id| (*id).to_owned()).collect());
        let (id, order) = (self.id("C"), "1042".into());
        let fact = CancelFact { at: self.now, id, order, lines, by: By::Customer, reason: None };
        self.order.cancel(&fact, self.now).is_ok()
    }

    pub fn refund(&mut self) {
        let (id, order, amount) = (self.id("F"), "1042".into(), "49.90 EUR".into());
        self.order.refund(&RefundFact { at: self.now, id, order, amount, reference: None }, self.now);
    }

    /// The order as the shop sends it again, after `change`.
    pub fn upsert(&mut self, change: impl FnOnce(&mut OrderFact)) {
        let order = &self.order;
        let line = |line: &super::order::Line| LineFact {
            id: line.id.clone(),
            sku: line.sku.clone(),
            title: line.title.clone(),
            quantity: line.quantity,
            unit_price: None,
            kind: line.kind,
            promised: line.promised,
        };
        let mut fact = order_fact(order.placed_at, order.lines.iter().map(line).collect());
        fact.at = self.now.max(order.at + TimeDelta::milliseconds(1));
        fact.customer = order.customer.clone();
        fact.partial = order.partial;
        change(&mut fact);
        self.order.upsert(&fact, self.now);
    }

    pub fn readdress(&mut self, email: Option<&str>) {
        let email = email.map(|email| EmailAddress::parse(email).unwrap());
        self.upsert(|fact| fact.customer.email = email);
    }

    fn id(&mut self, of: &str) -> String {
        self.facts += 1;
        format!("{of}-{}", self.facts)
    }

    /// Holds back what changed last, as the blast guard does.
    pub fn hold(&mut self) {
        self.order.blast_hold = Some(BlastHold { batch: 1, kind: None });
    }

    // Time.

    /// Lets time pass with nobody at work.
    pub fn sleep_until(&mut self, until: &str) {
        self.now = at(until);
    }

    /// Plans and sends until `until`, as the daemon would.
    pub fn run_until(&mut self, until: &str) {
        self.run(at(until));
    }

    pub fn run(&mut self, until: Instant) {
        loop {
            for _ in 0..40 {
                self.plan();
                if !self.try_once() {
                    break;
                }
            }
            assert!(!self.claimable(), "it never comes to rest at {}: {:?}", self.now, self.order);
            let next = [self.plan_at, self.next_try].into_iter().flatten().filter(|at| *at > self.now).min();
            let Some(next) = next.filter(|next| *next <= until) else { break };
            self.now = next;
        }
        self.now = self.now.max(until);
        self.plan();
    }

    /// Plans until there is nothing more to do, and proves that planning twice adds nothing.
    pub fn plan(&mut self) {
        for _ in 0..5 {
            let plan = schedule(&self.order, self.now, &self.policy);
            self.adopt(&plan);
            if plan.plan_at != Some(self.now) {
                let again = schedule(&self.order, self.now, &self.policy);
                let nothing = again.due.is_none()
                    && again.superseded.is_none()
                    && again.dropped.is_empty()
                    && again.silent.is_empty()
                    && again.blast_hold == self.order.blast_hold
                    && again.contact == self.order.contact;
                assert!(nothing, "planned twice at {}: {again:#?}\nfor {:#?}", self.now, self.order);
                assert!(again.plan_at.is_none_or(|at| at > self.now), "it looks again at once");
                self.plan_at = again.plan_at;
                return;
            }
        }
        panic!("planning never ends at {}: {:#?}", self.now, self.order);
    }

    fn adopt(&mut self, plan: &Schedule) {
        if let (Some(reason), Some(old)) = (plan.superseded, &self.order.under_way) {
            self.superseded.push((old.notice.occasion.clone(), reason));
            self.next_try = None;
        }
        let old = self.order.under_way.as_ref().filter(|_| plan.superseded.is_some());
        for notice in plan.due.iter().chain(old.map(|old| &old.notice)) {
            let decided = plan.dropped.iter().any(|decision| decision.occasion == notice.occasion);
            assert!(!decided, "{} is decided twice at once: {plan:#?}", notice.occasion);
        }
        self.decided.extend(plan.dropped.iter().cloned());
        let id = format!("N-{}", self.planned.len());
        self.order.adopt(plan, |_| id);
        if let Some(notice) = &plan.due {
            self.planned.push(notice.clone());
            (self.next_try, self.attempt, self.doubted) = (None, 0, false);
        }
    }

    fn claimable(&mut self) -> bool {
        let Some(under_way) = &self.order.under_way else { return false };
        let due = self.next_try.map_or(self.now, |at| at.max(self.now));
        let may_go = self.order.may_go_at(under_way.notice.kind, due, &self.policy);
        self.next_try = Some(may_go);
        may_go <= self.now
    }

    /// One try to send what is under way, if its time has come.
    fn try_once(&mut self) -> bool {
        if !self.claimable() {
            return false;
        }
        let Some(under_way) = &self.order.under_way else { return false };
        let (id, notice) = (under_way.id.clone(), under_way.notice.clone());
        self.attempt += 1;
        let outcome = match self.server {
            Server::Accepts => Outcome::Accepted,
            Server::Defers if notice.useful_until <= self.now => Outcome::Expired,
            Server::Defers => Outcome::Deferred { attempt: self.attempt },
            Server::Refuses => Outcome::Failed(Reason::DeadAddress),
            Server::Jams => Outcome::Held(Reason::Fault),
            Server::Breaks => Outcome::Doubtful { again: std::mem::replace(&mut self.doubted, true) },
        };
        // What has lost its use ends while it waits.
        if outcome != Outcome::Expired {
            self.order.begin_try();
        }
        let settled = self.order.settle(&notice, &id, outcome, self.now, &self.policy);
        self.next_try = settled.next_try;
        self.decided.extend(settled.decided);
        if outcome == Outcome::Accepted {
            self.accepted.push(Sent { at: self.now, notice });
        } else {
            self.unheard_at = Some(self.now);
        }
        true
    }

    /// A mail that was accepted comes back.
    pub fn bounce(&mut self, occasion: &str) {
        self.bounced.push(occasion.to_owned());
        let is_it = |sent: &&Sent| sent.notice.occasion == occasion;
        let Sent { at, notice } = self.accepted.iter().find(is_it).expect("it was accepted").clone();
        let past = |sent: &Sent| EarlierNotice {
            kind: sent.notice.kind,
            state: if self.bounced.contains(&sent.notice.occasion) {
                NoticeState::Bounced
            } else {
                NoticeState::Accepted
            },
            at: sent.at,
            email: sent.notice.content.email.clone(),
            lines: sent.notice.content.lines.clone(),
        };
        let others: Vec<EarlierNotice> = self.accepted.iter().filter(|sent| !is_it(sent)).map(past).collect();
        self.order.apply_bounce(&notice, at, &others, self.now, &self.policy);
    }

    /// One of the last mails that were accepted comes back, once; `again`: a person has it tried again.
    pub fn bounce_last(&mut self, back: usize, again: bool) {
        let Some(sent) = self.accepted.iter().rev().nth(back).cloned() else { return };
        if !self.bounced.contains(&sent.notice.occasion) {
            self.bounce(&sent.notice.occasion);
            if again && self.order.under_way.is_none() {
                self.order.owe(&sent.notice);
            }
        }
    }

    // What came of it.

    /// The accepted notices, as `03-02 08:14 confirmation`, in UTC.
    pub fn mails(&self) -> Vec<String> {
        let mail = |sent: &Sent| format!("{} {}", sent.at.format("%m-%d %H:%M"), sent.notice.occasion);
        self.accepted.iter().map(mail).collect()
    }

    pub fn last(&self) -> &Notice {
        &self.accepted.last().expect("a mail went out").notice
    }

    /// The dates that the last mail states.
    pub fn stated(&self) -> Vec<Option<String>> {
        self.last().content.lines.iter().map(|line| line.date.map(|date| date.to_string())).collect()
    }

    /// The reasons for which notices of a kind were not mailed.
    pub fn reasons(&self, kind: NoticeKind) -> Vec<Reason> {
        self.decided.iter().filter(|decision| decision.kind == kind).map(|decision| decision.reason).collect()
    }
}

pub(super) fn coming(eta: Option<NaiveDate>) -> Cover {
    let eta = eta.map(Eta::day);
    Cover::Supply { supply: "PO-77".into(), eta, state: SupplyState::InTransit }
}

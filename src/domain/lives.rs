//! Whole lives of orders, made up at random: facts, a moody mail server, outages and clocks that jump. What
//! the rules promise holds for each of them, at every step.
//!
//! `PROPTEST_CASES=20000 cargo test lives` looks for longer.

use std::collections::HashSet;

use chrono::{NaiveDate, NaiveTime, TimeDelta, Weekday};
use chrono_tz::Tz;
use proptest::prelude::*;
use proptest::sample::select;

use super::calendar::{Instant, SendDays, SendWindow, day_of, instant_of, plus_days};
use super::fact::{LineFact, LineKind, Partial};
use super::forecast::forecast;
use super::notice::NoticeKind;
use super::order::Status;
use super::policy::Policy;
use super::supply::Cover;
use super::world::{Sent, Server, World, at, coming, order_fact};
use crate::domain::order::apply::Notify;

/// What may befall an order. Numbers stand for days from the day it happens, or for one of the lines.
#[derive(Debug, Clone)]
enum Event {
    Eta(usize, i64),
    Unknown(usize),
    Withdrawn(usize),
    Received(usize),
    Shipped(Option<usize>),
    Cancelled(Option<usize>),
    Refunded,
    Quantity(usize, u32),
    Promised(usize, i64),
    Dropped(usize),
    Added(LineKind, Option<i64>),
    Address(Option<&'static str>),
    Server(Server),
    /// One of the last mails that were accepted comes back; a person has it tried again or not.
    Bounced(usize, bool),
    /// The blast guard holds back what changed last.
    Held,
    Released,
    HeldDropped,
    /// Nobody plans for so many hours.
    Outage(u32),
    /// The clock is set by so many minutes.
    Clock(i64),
}

#[derive(Debug, Clone)]
struct Life {
    policy: Policy,
    zone: Option<Tz>,
    /// Hours from being placed to being recorded.
    age: i64,
    notify: Notify,
    lines: Vec<(LineKind, Option<i64>)>,
    /// What befalls it, each after so many minutes, in which somebody was at work or nobody.
    events: Vec<(u32, bool, Event)>,
}

fn policies() -> impl Strategy<Value = Policy> {
    use Weekday::{Fri, Mon, Thu, Tue, Wed};
    let days = [
        SendDays::ALL,
        SendDays::of([Mon, Tue, Wed, Thu, Fri]).unwrap(),
        SendDays::of([Mon]).unwrap(),
        SendDays::of([Tue, Fri]).unwrap(),
    ];
    let hour = |h| NaiveTime::from_hms_opt(h, 0, 0).unwrap();
    let window = (0u32..12, 13u32..24, select(days.to_vec()));
    let window =
        window.prop_map(move |(open, close, days)| SendWindow { open: hour(open), close: hour(close), days });
    // Late in the window, waiting for a date to settle costs a day.
    let status = (select(vec![1u32, 2, 3, 7, 7, 7, 10]), 0u32..12);
    let promise = (0u32..3, 0u32..6, any::<bool>(), 0u32..5);
    let rest = (0i64..40, 1i64..72, select(Partial::ALL.to_vec()), zones());
    (window, status, promise, rest).prop_map(move |(window, status, promise, rest)| Policy {
        window,
        status_every: status.0,
        status_at: hour(status.1),
        handling_days: promise.0,
        buffer_days: promise.1,
        business_days: promise.2,
        improve_min_days: promise.3,
        debounce: TimeDelta::minutes(rest.0),
        update_after: TimeDelta::hours(rest.1),
        partial: rest.2,
        zone: rest.3,
        ..Policy::default()
    })
}

fn zones() -> impl Strategy<Value = Tz> {
    use chrono_tz::{America, Asia, Europe, Pacific};
    select(vec![
        Tz::UTC,
        Europe::Berlin,
        America::New_York,
        Asia::Kolkata,
        Pacific::Kiritimati,
        Pacific::Pago_Pago,
        Pacific::Auckland,
    ])
}

fn kinds() -> impl Strategy<Value = LineKind> {
    use LineKind::{Backorder, InStock, Preorder};
    select(vec![Backorder, Backorder, Preorder, InStock])
}

fn events() -> impl Strategy<Value = Event> {
    let line = || 0usize..3;
    let moods = [
        Server::Accepts,
        Server::Accepts,
        Server::Accepts,
        Server::Defers,
        Server::Refuses,
        Server::Breaks,
        Server::Jams,
    ];
    let addresses = [Some("ana@example.com"), Some("ana@example.org"), None];
    prop_oneof![
        6 => (line(), -3i64..40).prop_map(|(line, days)| Event::Eta(line, days)),
        1 => line().prop_map(Event::Unknown),
        2 => line().prop_map(Event::Withdrawn),
        2 => line().prop_map(Event::Received),
        1 => prop::option::weighted(0.8, line()).prop_map(Event::Shipped),
        1 => prop::option::weighted(0.9, line()).prop_map(Event::Cancelled),
        1 => Just(Event::Refunded),
        1 => (line(), 1u32..4).prop_map(|(line, quantity)| Event::Quantity(line, quantity)),
        1 => (line(), -5i64..30).prop_map(|(line, days)| Event::Promised(line, days)),
        1 => line().prop_map(Event::Dropped),
        1 => (kinds(), prop::option::of(-5i64..30)).prop_map(|(kind, days)| Event::Added(kind, days)),
        1 => select(addresses.to_vec()).prop_map(Event::Address),
        4 => select(moods.to_vec()).prop_map(Event::Server),
        2 => (0usize..4, prop::bool::ANY).prop_map(|(back, again)| Event::Bounced(back, again)),
        2 => Just(Event::Held),
        1 => Just(Event::Released),
        1 => Just(Event::HeldDropped),
        2 => (1u32..700).prop_map(Event::Outage),
        1 => (-10i64..3000).prop_map(Event::Clock),
    ]
}

fn lives() -> impl Strategy<Value = Life> {
    // Often within the settling, sometimes for weeks nothing.
    let wait = prop_oneof![3 => 0u32..50, 3 => 50u32..3000, 1 => 3000u32..40_000];
    (
        policies(),
        prop::option::of(zones()),
        prop_oneof![3 => Just(0i64), 1 => 0i64..1500],
        select(vec![Notify::All, Notify::All, Notify::Future]),
        prop::collection::vec((kinds(), prop::option::of(-40i64..30)), 1..4),
        prop::collection::vec((wait, prop::bool::weighted(0.9), events()), 0..14),
    )
        .prop_map(|(policy, zone, age, notify, lines, events)| Life {
            policy,
            zone,
            age,
            notify,
            lines,
            events,
        })
}

/// A life as it is lived, and what must hold of it.
struct Lived {
    world: World,
    /// Accepted notices that have been looked at.
    seen: usize,
    /// When the customer was last out of our reach, and whether for the mail server's answer.
    away: Option<(Instant, bool)>,
    events: usize,
    began: Instant,
    /// The occasion of the mail that was on its way when a change was held: it says what was so before.
    before_hold: Option<String>,
}

fn fact_line(id: usize, kind: LineKind, promised: Option<NaiveDate>) -> LineFact {
    let id = format!("l{id}");
    LineFact { promised, ..super::world::line(&id, kind, None) }
}

fn moved(day: NaiveDate, days: i64) -> NaiveDate {
    day + TimeDelta::days(days)
}

impl Lived {
    fn begin(life: &Life) -> Self {
        let recorded = at("2026-03-02T08:14:00Z");
        let placed = recorded - TimeDelta::hours(life.age);
        let today = day_of(recorded, life.policy.zone);
        let lines = life.lines.iter().enumerate();
        let lines =
            lines.map(|(i, (kind, days))| fact_line(i, *kind, days.map(|days| moved(today, days)))).collect();
        let mut fact = order_fact(placed, lines);
        fact.customer.timezone = life.zone;
        let world = World::with(life.policy.clone(), &fact, recorded, life.notify);
        Self { world, seen: 0, away: None, events: 0, began: recorded, before_hold: None }
    }

    fn befalls(&mut self, event: &Event) {
        let world = &mut self.world;
        let told: Vec<_> = world.order.lines.iter().map(|line| line.told).collect();
        let today = day_of(world.now, world.policy.zone);
        let name = |line: &usize| world.order.lines[line % world.order.lines.len()].id.clone();
        match event {
            Event::Eta(line, days) => {
                let sku = name(line);
                world.cover(&sku, &coming(Some(moved(today, *days))));
            }
            Event::Unknown(line) => {
                let sku = name(line);
                world.cover(&sku, &coming(None));
            }
            Event::Withdrawn(line) => {
                let sku = name(line);
                world.cover(&sku, &Cover::Nothing);
            }
            Event::Received(line) => {
                let sku = name(line);
                world.receive(&sku);
            }
            Event::Shipped(line) => {
                let id = line.as_ref().map(name);
                world.ship(id.as_deref().map(|id| [id]).as_ref().map(|ids| &ids[..]));
            }
            Event::Cancelled(line) => {
                let id = line.as_ref().map(name);
                world.cancel(id.as_deref().map(|id| [id]).as_ref().map(|ids| &ids[..]));
            }
            Event::Refunded => world.refund(),
            Event::Address(address) => world.readdress(*address),
            Event::Server(mood) => world.server = *mood,
            Event::Bounced(back, again) => {
                world.bounce_last(*back, *again);
                self.away = Some((world.now, true));
            }
            Event::Held if world.order.contact.confirmed => {
                if world.order.blast_hold.is_none() {
                    let under_way = world.order.under_way.as_ref();
                    self.before_hold = under_way.map(|under_way| under_way.notice.occasion.clone());
                }
                world.hold();
            }
            Event::Held => {}
            Event::Released => world.order.blast_hold = None,
            Event::HeldDropped => {
                world.order.drop_held(world.now, &world.policy);
            }
            Event::Quantity(line, quantity) => world.upsert(|fact| {
                let count = fact.lines.len();
                fact.lines[line % count].quantity = *quantity;
            }),
            Event::Promised(line, days) => world.upsert(|fact| {
                let count = fact.lines.len();
                fact.lines[line % count].promised = Some(moved(today, *days));
            }),
            Event::Dropped(line) => world.upsert(|fact| {
                let count = fact.lines.len();
                fact.lines.remove(line % count);
            }),
            Event::Added(kind, days) => world.upsert(|fact| {
                let new = fact_line(fact.lines.len(), *kind, days.map(|days| moved(today, days)));
                fact.lines.push(new);
            }),
            Event::Outage(hours) => {
                world.now += TimeDelta::hours(i64::from(*hours));
                self.away = Some((world.now, self.away.is_some_and(|(_, refused)| refused)));
            }
            Event::Clock(minutes) => {
                world.now += TimeDelta::minutes(*minutes);
                self.away = Some((world.now, self.away.is_some_and(|(_, refused)| refused)));
            }
        }
        self.events += 1;
        // By the checkout, or because it was not read after all.
        if !matches!(event, Event::Promised(..) | Event::Quantity(..) | Event::Bounced(..)) {
            let now = world.order.lines.iter().map(|line| line.told);
            assert!(now.zip(&told).all(|(now, told)| now == *told), "told changed by {event:?}");
        }
    }

    /// Lives on for some minutes, in steps short enough to see a silence.
    fn lives_on(&mut self, minutes: i64) {
        let until = self.world.now + TimeDelta::minutes(minutes);
        loop {
            let next = until.min(self.world.now + TimeDelta::hours(12));
            self.live_until(next);
            if next == until {
                return;
            }
        }
    }

    fn live_until(&mut self, until: Instant) {
        let world = &mut self.world;
        let told: Vec<_> = world.order.lines.iter().map(|line| line.told).collect();
        let was_held = world.order.blast_hold.is_some();
        let foreseen = (world.order.under_way.is_none() && world.server == Server::Accepts)
            .then(|| forecast(&world.order, world.now, &world.policy, until, 20));
        world.run(until);
        let closed = !matches!(world.order.status(), Status::Waiting);
        if closed || world.order.customer.email.is_none() || world.server != Server::Accepts {
            let refused = self.away.is_some_and(|(_, refused)| refused);
            self.away = Some((world.now, refused || world.server != Server::Accepts));
        } else if world.accepted.len() > self.seen {
            self.away = None;
        }
        let new = &world.accepted[self.seen..];
        if let Some(foreseen) = foreseen {
            let foreseen: Vec<_> = foreseen.iter().map(|c| (c.at, c.notice.occasion.clone())).collect();
            let went_out: Vec<_> = new.iter().map(|s| (s.at, s.notice.occasion.clone())).collect();
            assert_eq!(foreseen, went_out, "the forecast was wrong");
        }
        let told_before = told;
        if new.is_empty() {
            let now = world.order.lines.iter().map(|line| line.told);
            assert!(now.eq(told_before.iter().copied()), "told changed without a mail");
        }
        if was_held && world.order.blast_hold.is_some() {
            let tells = |kind: NoticeKind| kind.rules().may_be_held;
            let left_before = |sent: &&Sent| Some(&sent.notice.occasion) == self.before_hold.as_ref();
            let mut since = new.iter().filter(|sent| !left_before(sent));
            let told = since.any(|sent| sent.notice.kinds().any(tells));
            assert!(!told, "what is held was told: {new:?}");
            let now = world.order.lines.iter().map(|line| line.told);
            assert!(
                now.zip(&told_before).all(|(now, told)| now == *told || now.is_none())
                    || new.iter().any(|sent| left_before(&sent)),
                "told moved while held"
            );
        }
        self.holds();
        self.seen = self.world.accepted.len();
    }

    /// All that must hold at any time.
    fn holds(&self) {
        let World { order, policy, now, .. } = &self.world;
        let zone = order.zone(policy);
        let closing = [NoticeKind::Shipped, NoticeKind::Cancelled, NoticeKind::Refunded];
        let closed = !matches!(order.status(), Status::Waiting);
        for sent in &self.world.accepted[self.seen..] {
            let (kind, today) = (sent.notice.kind, day_of(sent.at, policy.zone));
            assert!(!closed || closing.contains(&kind), "{kind} after the order closed");
            let dates = sent.notice.content.lines.iter().filter_map(|line| line.date);
            assert!(dates.into_iter().all(|date| date >= today), "a date that has passed: {sent:?}");
            let open = policy.window.is_open(sent.at, zone);
            assert!(open || !kind.rules().keeps_window, "{kind} outside the window at {}", sent.at);
        }
        if let Some(under_way) = &order.under_way {
            assert!(!closed || closing.contains(&under_way.notice.kind), "{under_way:?} is stale");
        }
        let mut names = HashSet::new();
        for notice in &self.world.planned {
            assert!(names.insert(&notice.occasion), "{} was planned twice", notice.occasion);
        }
        let mut names = HashSet::new();
        for sent in &self.world.accepted {
            assert!(names.insert(&sent.notice.occasion), "{} went out twice", sent.notice.occasion);
        }
        let weeks = (*now - self.began).num_days() / i64::from(policy.status_every) + 1;
        let most = 8 + 4 * self.events + 2 * usize::try_from(weeks).unwrap_or(0);
        assert!(self.world.planned.len() <= most, "a flood: {:#?}", self.world.mails());
        self.is_not_silent(zone);
    }

    fn is_not_silent(&self, zone: Tz) {
        let World { order, policy, now, .. } = &self.world;
        if self.away.is_some_and(|(away, _)| away == *now) {
            return;
        }
        let mut day = plus_days(day_of(order.silent_since(), zone), policy.status_every);
        if let Some((back, refused)) = self.away {
            // One that was refused is due anew the next day, after three as late again.
            let wait = if refused { policy.status_every + 1 } else { 1 };
            day = day.max(plus_days(day_of(back, zone), wait));
        }
        let latest = if policy.status_every < 7 || self.away.is_some() {
            policy.window.day_at_or_after(day)
        } else {
            policy.window.day_at_or_before(day)
        };
        let end = instant_of(latest.and_time(policy.window.close), zone);
        assert!(*now <= end, "silent since {} at {now}: {order:#?}", order.silent_since());
    }

    /// After an outage one notice catches up; more only for what comes after.
    fn outage(&mut self, hours: u32, quiet_before: bool) {
        self.befalls(&Event::Outage(hours));
        let (back, seen) = (self.world.now, self.seen);
        self.lives_on(24 * 60 - 1);
        if self.world.server != Server::Accepts || !quiet_before {
            return;
        }
        let zone = self.world.order.zone(&self.world.policy);
        let same_day = |sent: &&Sent| day_of(sent.at, zone) == day_of(back, zone);
        let news = |sent: &&Sent| sent.notice.kind != NoticeKind::Overdue;
        let count = self.world.accepted[seen..].iter().filter(same_day).filter(news).count();
        assert!(count <= 1, "{count} notices caught up after {back}: {:#?}", self.world.mails());
    }
}

fn live(life: &Life) {
    let mut lived = Lived::begin(life);
    let mut last_wait = 0;
    for (wait, at_work, event) in &life.events {
        if *at_work {
            lived.lives_on(i64::from(*wait));
        } else {
            lived.befalls(&Event::Clock(i64::from(*wait)));
        }
        if let Event::Outage(hours) = event {
            // What was still settling, or just recorded, is told when it has settled.
            lived.outage(*hours, *wait > 120 && last_wait > 0);
        } else {
            lived.befalls(event);
        }
        last_wait = *wait;
    }
    lived.lives_on(60);
    lived.lives_on(20 * 24 * 60);
}

fn config() -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(2_000);
    ProptestConfig { cases, max_shrink_iters: 20_000, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]
    #[test]
    fn what_the_rules_promise_holds_for_every_life(life in lives()) {
        live(&life);
    }
}

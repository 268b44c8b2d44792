//! 10,000 orders over two years, replayed as `simulate` does it, in four shops; with what must always hold held against a
//! book of the shop's own after every step. Now and then the daemon is down for days.

use std::collections::{BTreeSet, HashSet};

use chrono::{NaiveDate, TimeDelta};
use shipby::clock::Simulated;
use shipby::config::Config;
use shipby::domain::calendar::Instant;
use shipby::domain::fact::Fact;
use shipby::domain::notice::StatedLine;
use shipby::domain::order::Order;
use shipby::domain::schedule::next_look;
use shipby::simulation::{Moment, Simulation};
use shipby::store::{Durability, Store};
use shipby::{clock::Clock, planner, wiring};
use tempfile::TempDir;

use crate::support::app::at;
use crate::support::book::Book;
use crate::support::years::facts;

/// Of each of the four shops.
const ORDERS: u64 = 2_500;

/// From when to when nobody is there; the second is longer than anybody may wait unheard.
const OUTAGES: [(&str, &str); 2] =
    [("2024-05-10T06:00:00Z", "2024-05-13T11:00:00Z"), ("2025-02-01T03:00:00Z", "2025-02-14T11:00:00Z")];

struct Shop {
    sim: Simulation,
    config: Config,
    book: Book,
    /// Who was mailed on the day on which the last outage ended, and what was touched since it began.
    caught_up: HashSet<String>,
    touched: HashSet<String>,
    back_on: Option<NaiveDate>,
    folder: TempDir,
}

impl Shop {
    async fn open(start: Instant) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let text = "[shop]\nname = \"Kettle & Co\"\nfrom = \"a@shop.example\"\n";
        let config = Config::parse(&folder.path().join("config.toml"), text, std::iter::empty()).unwrap();
        let sim = simulation(&config, &folder, Simulated::at(start)).await;
        let (caught_up, touched) = (HashSet::new(), HashSet::new());
        Self { sim, config, book: Book::default(), caught_up, touched, back_on: None, folder }
    }

    /// Goes to `now` with these facts and looks at all that they touch.
    async fn step(&mut self, now: Instant, facts: &[Fact]) {
        let moment = self.sim.step(now, facts).await.unwrap();
        assert!(moment.held.is_empty(), "nothing is large enough for the blast guard");
        let mut skus = BTreeSet::new();
        for (fact, recorded) in facts.iter().zip(&moment.recorded) {
            skus.insert(self.book.enter(fact, recorded, now, &self.sim.policy));
        }
        self.touched.extend(skus.iter().cloned());
        let mailed = self.mails(now, &moment).await;
        self.book.nobody_is_forgotten(now);
        for sku in &skus {
            self.is_fair(sku, now).await;
        }
        self.nothing_is_left(&self.sim.store.orders(&mailed).await.unwrap(), now);
    }

    /// Looks at who waits for a SKU.
    async fn is_fair(&self, sku: &str, now: Instant) {
        let mut waiting = Vec::new();
        for number in self.book.queue(sku) {
            waiting.push(self.sim.store.order(number).await.unwrap().unwrap());
        }
        self.book.is_fair(sku, &waiting);
        self.nothing_is_left(&waiting, now);
    }

    /// Planned a second time, these orders would be owed nothing more.
    fn nothing_is_left(&self, orders: &[Order], now: Instant) {
        for order in orders {
            let next = next_look(order, now, &self.sim.policy);
            assert!(next.is_none_or(|next| next > now), "order {} is owed more at {now}", order.number);
        }
    }

    /// Takes in the mails of a moment; says whom they went to.
    async fn mails(&mut self, now: Instant, moment: &Moment) -> Vec<String> {
        if moment.settled == 0 {
            return Vec::new();
        }
        let (mails, _) = self.sim.store.moment(now).await.unwrap();
        assert_eq!(mails.len(), moment.settled, "at {now}");
        let mut orders = Vec::with_capacity(mails.len());
        for mail in mails {
            let order = &mail.order_number;
            assert!(!orders.contains(order), "order {order} was mailed twice at {now}");
            if self.back_on == Some(now.date_naive()) && !self.touched.contains(self.book.sku_of(order)) {
                assert!(self.caught_up.insert(order.clone()), "order {order} caught up twice at {now}");
            }
            let timeline = self.sim.store.timeline(order).await.unwrap();
            let entry = timeline.iter().find(|entry| entry.notice.as_ref() == Some(&mail.notice)).unwrap();
            let stated: Vec<StatedLine> = serde_json::from_str(entry.lines.as_ref().unwrap()).unwrap();
            self.book.mailed(&mail, &stated, now, &self.sim.policy);
            orders.push(mail.order_number);
        }
        orders
    }

    /// The daemon was down and starts again: what came in meanwhile is recorded at once.
    async fn come_back(&mut self, now: Instant, facts: &[Fact]) {
        let store = self.sim.store.clone();
        store.close().await;
        self.sim = simulation(&self.config, &self.folder, self.sim.hand.clone()).await;
        assert_eq!(self.sim.store.recover(now, &self.sim.policy).await.unwrap(), (0, 0));
        self.book.was_down_until(now, &self.sim.policy);
        self.caught_up.clear();
        self.touched.clear();
        self.back_on = Some(now.date_naive());
        self.step(now, facts).await;
    }

    /// What must hold in the end, of everything.
    async fn is_in_order(&mut self, now: Instant) {
        self.book.is_complete();
        let skus: Vec<String> = self.book.skus().map(str::to_owned).collect();
        for sku in &skus {
            self.is_fair(sku, now).await;
        }
        let accepted: i64 =
            self.sim.store.counts().await.unwrap().notices.values().map(|of| of["accepted"]).sum();
        assert_eq!(usize::try_from(accepted).unwrap(), self.book.mails());
        self.sim.store.wake_open("", now, u32::MAX).await.unwrap();
        let planned = planner::turn(&self.sim.store, &self.sim.policy, now).await.unwrap();
        assert_eq!(planned.queued, 0, "planned a second time, there was more");
    }
}

async fn simulation(config: &Config, folder: &TempDir, hand: Simulated) -> Simulation {
    let store = Store::open(&folder.path().join("years.db"), Durability::Simulated).await.unwrap();
    let clock = Clock::Simulated(hand.clone());
    let dispatcher = wiring::dispatcher(config, store.clone(), clock, "years".to_owned()).unwrap();
    Simulation { store, dispatcher, policy: config.policy(), hand }
}

/// Two years of one shop, to a month after the last fact.
async fn two_years(seed: u8) {
    let facts = facts(ORDERS, seed);
    let end = facts.last().unwrap().at() + TimeDelta::days(30);
    let mut shop = Shop::open(facts[0].at()).await;
    let mut outages = OUTAGES.map(|(down, back)| (at(down), at(back))).into_iter().peekable();
    let mut coming = facts.iter().peekable();
    loop {
        let due = shop.sim.next_due().await.unwrap();
        let next = due.into_iter().chain(coming.peek().map(|fact| fact.at())).min();
        let Some(next) = next.filter(|next| *next <= end) else { break };
        let outage = outages.next_if(|(down, _)| next >= *down);
        let now = outage.map_or(next, |(_, back)| back);
        let mut of_now = Vec::new();
        while let Some(fact) = coming.next_if(|fact| fact.at() <= now) {
            of_now.push(fact.clone());
        }
        match outage {
            Some(_) => shop.come_back(now, &of_now).await,
            None => shop.step(now, &of_now).await,
        }
    }
    assert!(
        outages.next().is_none() && shop.book.mails() > 4 * ORDERS as usize,
        "{} mails",
        shop.book.mails()
    );
    shop.is_in_order(end).await;
}

#[tokio::test]
async fn for_two_years_and_2500_orders_every_promise_is_kept_at_every_step_in_a_first_shop() {
    two_years(1).await;
}

#[tokio::test]
async fn for_two_years_and_2500_orders_every_promise_is_kept_at_every_step_in_a_second_shop() {
    two_years(2).await;
}

#[tokio::test]
async fn for_two_years_and_2500_orders_every_promise_is_kept_at_every_step_in_a_third_shop() {
    two_years(3).await;
}

#[tokio::test]
async fn for_two_years_and_2500_orders_every_promise_is_kept_at_every_step_in_a_fourth_shop() {
    two_years(4).await;
}

//! A sample's order and notice, told in words: order 1042 of 2 March 2026, about one kettle, unless said otherwise.

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};

use super::super::context::{MailContext, Shop};
use super::super::context_builder::context;
use super::super::language::Language;
use super::line::{SampleLine, day, line};
use crate::domain::calendar::plus_days;
use crate::domain::customer::{Customer, EmailAddress};
use crate::domain::fact::{By, LineUnits, Partial, Payment};
use crate::domain::notice::{Content, Notice, NoticeKind, occasion};
use crate::domain::order::{ContactState, EventBody, Line, Order, OrderEvent};
use crate::domain::policy::Policy;

/// One order and the notice that is due about it.
#[derive(Debug, Clone)]
pub struct Sample {
    /// Unique, in words: `confirmation, no date`.
    pub name: String,
    pub order: Order,
    pub notice: Notice,
    pub next_news: Option<NaiveDate>,
    pub now: DateTime<Utc>,
}

impl Sample {
    /// What its mail may say.
    pub fn mail(&self, shop: &Shop, language: &Language) -> MailContext {
        let Self { order, notice, next_news, now, .. } = self;
        context(order, notice, shop, &policy(), *next_news, *now, language)
    }
}

/// The default policy, in a zone that has summer time.
pub fn policy() -> Policy {
    let default = Policy::default();
    Policy { zone: "Europe/Berlin".parse().unwrap_or(default.zone), ..default }
}

fn instant(on: u32) -> DateTime<Utc> {
    day(on).and_time(NaiveTime::MIN).and_utc() + TimeDelta::hours(9)
}

/// A sample in the making.
#[derive(Debug, Clone)]
pub(super) struct Story {
    pub name: String,
    pub kind: NoticeKind,
    includes: Vec<NoticeKind>,
    on: u32,
    order: Order,
    /// In place of the order's own until it is built.
    lines: Vec<SampleLine>,
    next_news: bool,
}

/// A notice of `kind` on 2 March about one kettle.
pub(super) fn story(name: &str, kind: NoticeKind) -> Story {
    let customer = Customer { name: Some("Ana".to_owned()), ..Customer::default() };
    let order = Order {
        number: "1042".to_owned(),
        at: instant(2),
        placed_at: instant(2),
        recorded_at: instant(2),
        silent_before: None,
        customer,
        correction: None,
        suppressed: None,
        channel: None,
        payment: None,
        authorized_at: None,
        currency: Some("EUR".to_owned()),
        partial: None,
        lines: Vec::new(),
        contact: ContactState::default(),
        events: Vec::new(),
        under_way: None,
        blast_hold: None,
        superseded: Vec::new(),
    };
    let (name, includes, lines) = (name.to_owned(), Vec::new(), vec![line("Kettle").numbered(1)]);
    Story { name, kind, includes, on: 2, order, lines, next_news: true }
}

impl Story {
    /// The kinds of lower rank that it takes in.
    pub fn with<const N: usize>(mut self, includes: [NoticeKind; N]) -> Self {
        self.includes = includes.to_vec();
        self
    }

    /// The day of March on which it is written.
    pub fn on(mut self, on: u32) -> Self {
        self.on = on;
        self
    }

    pub fn named(mut self, name: &str) -> Self {
        self.order.customer.name = Some(name.to_owned());
        self
    }

    pub fn nameless(mut self) -> Self {
        self.order.customer.name = None;
        self
    }

    pub fn numbered(mut self, number: &str) -> Self {
        self.order.number = number.to_owned();
        self
    }

    /// The lines in place of the kettle.
    pub fn lines(mut self, lines: impl IntoIterator<Item = SampleLine>) -> Self {
        self.lines.clear();
        self.and(lines)
    }

    /// More lines.
    pub fn and(mut self, lines: impl IntoIterator<Item = SampleLine>) -> Self {
        for line in lines {
            self.lines.push(line.numbered(self.lines.len() + 1));
        }
        self
    }

    /// One more line, in stock.
    pub fn in_stock(self, title: &str, quantity: u32) -> Self {
        self.and([line(title).in_stock(quantity)])
    }

    /// Changes every line that waits.
    pub fn each(mut self, change: impl Fn(SampleLine) -> SampleLine) -> Self {
        let changed = |line: SampleLine| if line.line.waits() { change(line) } else { line };
        self.lines = self.lines.into_iter().map(changed).collect();
        self
    }

    pub fn titled(mut self, title: &str) -> Self {
        self.lines.iter_mut().for_each(|line| title.clone_into(&mut line.line.title));
        self
    }

    pub fn ship_together(mut self) -> Self {
        self.order.partial = Some(Partial::ShipTogether);
        self
    }

    pub fn authorized(self) -> Self {
        self.payment(Payment::Authorized)
    }

    pub fn paid(self) -> Self {
        self.payment(Payment::Paid)
    }

    pub fn payment(mut self, payment: Payment) -> Self {
        self.order.payment = Some(payment);
        self
    }

    /// It is not known when the next mail comes.
    pub fn no_next_news(mut self) -> Self {
        self.next_news = false;
        self
    }

    /// Its shipped lines, handed over.
    pub fn handed_over(self, carrier: Option<&str>, tracking: Option<&str>, url: Option<&str>) -> Self {
        let own = |text: Option<&str>| text.map(str::to_owned);
        let lines = self.units(|line| line.shipped);
        self.event(EventBody::Shipped {
            lines,
            carrier: own(carrier),
            tracking: own(tracking),
            url: own(url),
        })
    }

    /// Its cancelled lines: by the shop where there is a reason, else by the customer.
    pub fn called_off(self, reason: Option<&str>) -> Self {
        let by = if reason.is_some() { By::Shop } else { By::Customer };
        let lines = self.units(|line| line.cancelled);
        self.event(EventBody::Cancelled { lines, by, reason: reason.map(str::to_owned) })
    }

    pub fn refund(self, amount: &str, reference: Option<&str>) -> Self {
        self.event(EventBody::Refunded { amount: amount.to_owned(), reference: reference.map(str::to_owned) })
    }

    fn units(&self, of: impl Fn(&Line) -> u32) -> Vec<LineUnits> {
        let some = self.lines.iter().map(|line| &line.line).filter(|line| of(line) > 0);
        some.map(|line| LineUnits { id: line.key.clone(), quantity: Some(of(line)) }).collect()
    }

    fn event(mut self, body: EventBody) -> Self {
        let (id, at) = (format!("N-{}", self.order.events.len() + 1), instant(self.on));
        self.order.events.push(OrderEvent { id, at, recorded_at: at, body });
        self
    }

    /// What happened, so many times more.
    pub fn again(self, times: usize) -> Self {
        let events: Vec<_> = self.order.events.iter().map(|event| event.body.clone()).collect();
        events.iter().cycle().take(events.len() * times).fold(self, |story, body| story.event(body.clone()))
    }

    /// The sample; None never, for the address is one.
    pub fn sample(self) -> Option<Sample> {
        let Self { name, kind, includes, on, mut order, lines, next_news } = self;
        let email = EmailAddress::parse("ana@example.com").ok()?;
        let waits = lines.iter().filter(|line| line.line.waits());
        let stated: Vec<_> = waits.map(|line| line.stated.clone()).collect();
        let next_news = (next_news && !stated.is_empty()).then(|| plus_days(day(on), 7));
        order.lines = lines.into_iter().map(|line| line.line).collect();
        let now = instant(on);
        let notice = Notice {
            kind,
            occasion: occasion(kind, Some(&1)),
            includes,
            content: Content {
                email,
                lines: stated,
                events: order.events.iter().map(OrderEvent::key).collect(),
            },
            planned_at: now,
            useful_until: now + TimeDelta::days(7),
            replaces_status: None,
        };
        Some(Sample { name, order, notice, next_news, now })
    }
}

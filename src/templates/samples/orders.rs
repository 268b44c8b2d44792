//! How a sample is made: a small builder over the domain's types.
//!
//! The order is number 1042, placed on 2 March 2026; its lines were promised for 20 March unless said otherwise.

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};

use super::Sample;
use crate::domain::calendar::plus_days;
use crate::domain::customer::{Customer, EmailAddress};
use crate::domain::fact::{By, ChangeReason, LineKind, LineUnits, Partial, Payment};
use crate::domain::notice::{Content, Notice, NoticeKind, StatedLine, occasion};
use crate::domain::order::{ContactState, EventBody, Line, Order, OrderEvent, QueuePosition};
use crate::domain::supply::{Cover, Eta, SupplyState};

/// A day of March 2026.
fn day(day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 3, day).unwrap_or_default()
}

fn instant(on: u32) -> DateTime<Utc> {
    day(on).and_time(NaiveTime::MIN).and_utc() + TimeDelta::hours(9)
}

/// A line and what the notice states about it.
#[derive(Debug, Clone)]
pub(super) struct SampleLine {
    line: Line,
    stated: StatedLine,
}

/// One backordered unit, promised for 20 March.
pub(super) fn line(title: &str) -> SampleLine {
    let line = Line {
        key: String::new(),
        id: String::new(),
        sku: "KETTLE-01".to_owned(),
        title: title.to_owned(),
        quantity: 1,
        cancelled: 0,
        shipped: 0,
        unit_price: None,
        kind: LineKind::Backorder,
        promised: None,
        cover: Cover::Nothing,
        ever_covered: false,
        reason: ChangeReason::default(),
        place: None,
        told: None,
        tried: None,
        overdue_for: None,
        announced: false,
    };
    let stated = StatedLine {
        line: String::new(),
        units: 1,
        date: None,
        told: None,
        before: None,
        in_house: false,
        missed: false,
    };
    SampleLine { line, stated }.promised(20)
}

impl SampleLine {
    /// The line, and what the notice states about it.
    pub fn parts(self) -> (Line, StatedLine) {
        (self.line, self.stated)
    }

    pub fn promised(mut self, on: u32) -> Self {
        self.line.promised = Some(day(on));
        self.was(on).now_ships(on)
    }

    pub fn no_date(mut self) -> Self {
        (self.line.promised, self.line.told) = (None, None);
        (self.stated.date, self.stated.told) = (None, None);
        self
    }

    /// What the customer was told last.
    pub fn was(mut self, on: u32) -> Self {
        self.line.told = Some(day(on));
        self
    }

    /// What the notice states.
    pub fn now_ships(mut self, on: u32) -> Self {
        (self.stated.date, self.stated.told) = (Some(day(on)), Some(day(on)));
        self
    }

    pub fn first_date(self, on: u32) -> Self {
        self.no_date().now_ships(on)
    }

    pub fn withdrawn(mut self) -> Self {
        self.line.ever_covered = true;
        (self.stated.date, self.stated.told) = (None, None);
        self
    }

    pub fn missed(mut self) -> Self {
        (self.stated.date, self.stated.missed) = (None, true);
        self
    }

    pub fn preorder(mut self) -> Self {
        self.line.kind = LineKind::Preorder;
        self
    }

    pub fn in_stock(mut self) -> Self {
        self.line.kind = LineKind::InStock;
        self
    }

    pub fn in_house(mut self) -> Self {
        self.line.cover = Cover::Received { on: day(17) };
        self.stated.in_house = true;
        self
    }

    pub fn expected(mut self, from: u32, to: u32) -> Self {
        let eta = Some(Eta { from: day(from), to: day(to) });
        self.line.cover = Cover::Supply { supply: "PO-77".to_owned(), eta, state: SupplyState::InTransit };
        self.line.ever_covered = true;
        self
    }

    pub fn place(mut self, at: u32, of: u32) -> Self {
        self.line.place = Some(QueuePosition { at, of });
        self
    }

    pub fn because(mut self, reason: &str) -> Self {
        self.line.reason.reason = Some(reason.to_owned());
        self
    }

    pub fn or(mut self, alternative: &str) -> Self {
        self.line.reason.alternative = Some(alternative.to_owned());
        self
    }

    pub fn goodwill(mut self, goodwill: &str) -> Self {
        self.line.reason.goodwill = Some(goodwill.to_owned());
        self
    }

    pub fn shipped(mut self) -> Self {
        self.line.shipped = self.line.quantity;
        self
    }

    pub fn cancelled(mut self) -> Self {
        self.line.cancelled = self.line.quantity;
        self
    }
}

/// A sample in the making.
pub(super) struct Made {
    name: &'static str,
    kind: NoticeKind,
    includes: Vec<NoticeKind>,
    on: u32,
    order: Order,
    stated: Vec<StatedLine>,
}

/// A notice of `kind` on 2 March about one kettle.
pub(super) fn made(name: &'static str, kind: NoticeKind) -> Made {
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
    Made { name, kind, includes: Vec::new(), on: 2, order, stated: Vec::new() }.lines([line("Kettle")])
}

impl Made {
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

    /// The lines in place of the kettle.
    pub fn lines(mut self, lines: impl IntoIterator<Item = SampleLine>) -> Self {
        self.order.lines.clear();
        self.stated.clear();
        for (mut sample, id) in lines.into_iter().zip(1u32..) {
            (sample.line.key, sample.line.id) = (id.to_string(), id.to_string());
            sample.stated.line = id.to_string();
            if sample.line.waits() {
                self.stated.push(sample.stated);
            }
            self.order.lines.push(sample.line);
        }
        self
    }

    /// One more line, in stock.
    pub fn in_stock(mut self, title: &str, quantity: u32) -> Self {
        let id = "in-stock".to_owned();
        let line = Line { id, quantity, kind: LineKind::InStock, ..line(title).no_date().line };
        self.order.lines.push(line);
        self
    }

    pub fn hold(mut self) -> Self {
        self.order.partial = Some(Partial::ShipTogether);
        self
    }

    pub fn authorized(mut self) -> Self {
        self.order.payment = Some(Payment::Authorized);
        self
    }

    pub fn paid(mut self) -> Self {
        self.order.payment = Some(Payment::Paid);
        self
    }

    /// Its shipped lines, handed over.
    pub fn message_out(self, carrier: Option<&str>, tracking: Option<&str>, url: Option<&str>) -> Self {
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
        let some = self.order.lines.iter().filter(|line| of(line) > 0);
        some.map(|line| LineUnits { id: line.key.clone(), quantity: Some(of(line)) }).collect()
    }

    fn event(mut self, body: EventBody) -> Self {
        let (id, at) = (format!("N-{}", self.order.events.len() + 1), instant(self.on));
        self.order.events.push(OrderEvent { id, at, recorded_at: at, body });
        self
    }

    /// The sample; None never, for the address is one.
    pub fn sample(self) -> Option<Sample> {
        let email = EmailAddress::parse("ana@example.com").ok()?;
        let now = instant(self.on);
        let next_news = (!self.stated.is_empty()).then(|| plus_days(day(self.on), 7));
        let events = self.order.events.iter().map(OrderEvent::key).collect();
        let notice = Notice {
            kind: self.kind,
            occasion: occasion(self.kind, Some(&1)),
            includes: self.includes,
            content: Content { email, lines: self.stated, events },
            planned_at: now,
            useful_until: now + TimeDelta::days(7),
            replaces_status: None,
        };
        Some(Sample { name: self.name, order: self.order, notice, next_news, now })
    }
}

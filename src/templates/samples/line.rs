//! A line of a sample's order, told in words: one backordered unit, promised for 20 March, unless said otherwise.

use chrono::{Days, NaiveDate};

use crate::domain::fact::{ChangeReason, LineKind};
use crate::domain::notice::StatedLine;
use crate::domain::order::{Line, QueuePosition};
use crate::domain::supply::{Cover, Eta, SupplyState};

/// A day of March 2026.
pub(super) fn day(day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 3, day).unwrap_or_default()
}

/// A line and what the notice states about it.
#[derive(Debug, Clone)]
pub(super) struct SampleLine {
    pub line: Line,
    pub stated: StatedLine,
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
    pub fn promised(mut self, on: u32) -> Self {
        self.line.promised = Some(day(on));
        self.was(on).now_ships(on)
    }

    /// Neither was there a date nor is there one.
    pub fn no_date(mut self) -> Self {
        (self.line.promised, self.line.told) = (None, None);
        self.line.ever_covered = false;
        self.withdraw()
    }

    /// There was a date, and now there is none.
    pub fn withdrawn(mut self) -> Self {
        self.line.ever_covered = true;
        self.withdraw()
    }

    fn withdraw(mut self) -> Self {
        self.line.cover = Cover::Nothing;
        self.state(None)
    }

    /// What the customer was told last.
    pub fn was(mut self, on: u32) -> Self {
        self.line.told = Some(day(on));
        self
    }

    /// The date that the notice states; its goods are not here.
    pub fn now_ships(self, on: u32) -> Self {
        self.state(Some(day(on)))
    }

    fn state(mut self, date: Option<NaiveDate>) -> Self {
        (self.stated.date, self.stated.told) = (date, date);
        (self.stated.in_house, self.stated.missed) = (false, false);
        self
    }

    /// The date that the notice states, by so much later.
    pub fn later_by(mut self, days: u64) -> Self {
        self.stated.date = self.stated.date.and_then(|date| date.checked_add_days(Days::new(days)));
        self.stated.told = self.stated.date;
        self
    }

    pub fn first_date(mut self, on: u32) -> Self {
        (self.line.promised, self.line.told) = (None, None);
        self.now_ships(on)
    }

    /// The date that was told has passed, and there is no other.
    pub fn missed(mut self) -> Self {
        (self.stated.date, self.stated.missed) = (None, true);
        self
    }

    /// The date that was told has passed, and there is another.
    pub fn missed_now_ships(mut self, on: u32) -> Self {
        self = self.now_ships(on);
        self.stated.missed = true;
        self
    }

    pub fn preorder(mut self) -> Self {
        self.line.kind = LineKind::Preorder;
        self
    }

    pub fn in_stock(mut self, quantity: u32) -> Self {
        (self.line.kind, self.line.quantity) = (LineKind::InStock, quantity);
        self.no_date()
    }

    pub fn in_house(mut self) -> Self {
        self.line.cover = Cover::Received { on: day(2) };
        self.stated.in_house = true;
        self
    }

    /// Its goods are on their way.
    pub fn expected(self, from: u32, to: u32) -> Self {
        self.supplied(SupplyState::InTransit, Some((from, to)))
    }

    pub fn supplied(mut self, state: SupplyState, expected: Option<(u32, u32)>) -> Self {
        let eta = expected.map(|(from, to)| Eta { from: day(from), to: day(to) });
        self.line.cover = Cover::Supply { supply: "PO-77".to_owned(), eta, state };
        self.line.ever_covered = true;
        self
    }

    /// Its position in the queue.
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

    /// One unit of it has shipped, two more wait.
    pub fn partly_shipped(mut self) -> Self {
        self.stated.units = self.line.quantity + 1;
        (self.line.quantity, self.line.shipped) = (self.line.quantity + 2, 1);
        self
    }

    pub fn cancelled(mut self) -> Self {
        self.line.cancelled = self.line.quantity;
        self
    }

    /// Its number within the order.
    pub fn numbered(mut self, id: usize) -> Self {
        (self.line.key, self.line.id) = (id.to_string(), id.to_string());
        self.stated.line.clone_from(&self.line.key);
        self
    }
}

//! Facts: what comes in, in one form for imports, commands and simulations (the wire form is read in `intake`).
//!
//! A fact says what happened and when (`at`). Its identity makes it repeatable: an order is its number
//! and `at`, a supply its SKU, name and `at`, everything else its `id`.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::calendar::Instant;
use super::customer::Customer;
use super::supply::{Eta, SupplyState};
use super::words::words;

words! {
    /// Whether a line waits, and for what.
    LineKind { Backorder = "backorder", Preorder = "preorder", InStock = "in_stock" }
}
words! {
    /// Where the customer's money is.
    Payment { Authorized = "authorized", Paid = "paid", Pending = "pending" }
}
words! {
    /// What ships when only a part is there: what is ready (`split`) or nothing (`hold`).
    Partial { Split = "split", ShipTogether = "hold" }
}
words! {
    /// Who cancelled.
    By { Customer = "customer", Shop = "shop" }
}
words! {
    /// Why a date moved, as ops file it.
    Cause {
        Supplier = "supplier", Freight = "freight", Demand = "demand",
        Oversell = "oversell", Quality = "quality", Other = "other",
    }
}
words! {
    /// Who states a fact.
    Source { Command = "command", Import = "import", Simulation = "simulation" }
}

impl Source {
    /// A person states it: what they say of an order's address holds against the shop's system.
    pub const fn by_hand(self) -> bool {
        match self {
            Self::Command => true,
            Self::Import | Self::Simulation => false,
        }
    }
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Fact {
    Order(OrderFact),
    Supply(SupplyFact),
    Receipt(ReceiptFact),
    Shipment(ShipmentFact),
    Cancel(CancelFact),
    Refund(RefundFact),
}

impl Fact {
    /// When it happened, to the millisecond.
    pub fn at(&self) -> Instant {
        match self {
            Self::Order(f) => f.at,
            Self::Supply(f) => f.at,
            Self::Receipt(f) => f.at,
            Self::Shipment(f) => f.at,
            Self::Cancel(f) => f.at,
            Self::Refund(f) => f.at,
        }
    }
}

/// An order as the shop knows it now: a full, repeatable upsert. A later `at` wins.
#[derive(Debug, Clone, PartialEq)]
pub struct OrderFact {
    pub at: Instant,
    /// The shop's order number.
    pub order: String,
    pub placed_at: Instant,
    pub channel: Option<String>,
    pub payment: Option<Payment>,
    pub currency: Option<String>,
    /// The shop's policy where absent.
    pub partial: Option<Partial>,
    pub customer: Customer,
    /// At least one; ids are unique within the order.
    pub lines: Vec<LineFact>,
}

/// One line of an order.
#[derive(Debug, Clone, PartialEq)]
pub struct LineFact {
    pub id: String,
    pub sku: String,
    pub title: String,
    /// Units ordered in all, at least 1.
    pub quantity: u32,
    pub unit_price: Option<String>,
    pub kind: LineKind,
    /// The date the customer was told at checkout.
    pub promised: Option<NaiveDate>,
}

/// Goods on their way.
#[derive(Debug, Clone, PartialEq)]
pub struct SupplyFact {
    pub at: Instant,
    pub sku: String,
    /// The purchase order, production run or container; empty where the SKU has only one.
    pub supply: String,
    /// None: enough for everybody.
    pub quantity: Option<u32>,
    /// None: unknown.
    pub eta: Option<Eta>,
    pub state: SupplyState,
    pub supplier: Option<String>,
    /// False: nobody has given their word on the date, so it gives none.
    pub confirmed: bool,
    pub change: ChangeReason,
}

/// What ops say about a date's change; the customer may read `reason`, `alternative` and `goodwill`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ChangeReason {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alternative: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub goodwill: Option<String>,
}

/// Goods that have arrived.
#[derive(Debug, Clone, PartialEq)]
pub struct ReceiptFact {
    pub at: Instant,
    pub id: String,
    pub sku: String,
    pub supply: Option<String>,
    /// Negative: a correction, such as damaged goods.
    pub quantity: i64,
}

/// Units of one line; None: all that is open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineUnits {
    pub id: String,
    pub quantity: Option<u32>,
}

/// Goods handed to a carrier.
#[derive(Debug, Clone, PartialEq)]
pub struct ShipmentFact {
    pub at: Instant,
    pub id: String,
    pub order: String,
    /// None: all that is open.
    pub lines: Option<Vec<LineUnits>>,
    pub carrier: Option<String>,
    pub tracking: Option<String>,
    pub url: Option<String>,
    /// False: a label only; nothing has shipped until the fact comes again with true.
    pub handed_over: bool,
}

/// An order or some of its lines called off.
#[derive(Debug, Clone, PartialEq)]
pub struct CancelFact {
    pub at: Instant,
    pub id: String,
    pub order: String,
    /// Line ids; None: all that is open.
    pub lines: Option<Vec<String>>,
    pub by: By,
    pub reason: Option<String>,
}

/// Money given back.
#[derive(Debug, Clone, PartialEq)]
pub struct RefundFact {
    pub at: Instant,
    pub id: String,
    pub order: String,
    /// As the customer may read it: `49.90 EUR`.
    pub amount: String,
    pub reference: Option<String>,
}

//! What a template may use. Every field is always there (the templates are strict); what has no value is null.
//!
//! The doc comments are ops' reference. Dates are civil dates of the shop's zone; print them with `| date` or
//! `| short_date`, and counts that may be large with `| number`. Texts are free of control characters, and what runs
//! against the mail's direction is isolated; html templates escape them by themselves.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

/// How many entries a list in a mail holds at most; the rest is counted in `more`.
pub const LISTED: usize = 20;

/// How many lines of an order: a mail lists all it is about, but for an order that is a catalogue.
pub const LINES_LISTED: usize = 100;

/// The shop as its mails name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shop {
    pub name: String,
    /// Read by people; cancellations and questions go there where the shop has no page for them.
    pub support_email: String,
    /// Where a customer can look up an order; `{order}` stands for its number.
    pub status_url: Option<String>,
    /// Where a customer can cancel; `{order}` stands for the order's number.
    pub cancel_url: Option<String>,
    /// BCP 47, as `en`.
    pub locale: String,
}

/// All that a template may use.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MailContext {
    /// The kind of notice, as `date_slip`.
    pub kind: String,
    /// The kinds of lower rank that were due at the same time and that this mail takes in.
    pub includes: Vec<String>,
    /// The day on which the mail is written.
    pub today: NaiveDate,
    /// The language the mail is written in.
    pub language: LanguageVars,
    /// Who writes.
    pub shop: ShopVars,
    /// To whom.
    pub customer: CustomerVars,
    /// What it is about.
    pub order: OrderVars,
    /// The title of the first item this mail is about; null where it is about none.
    pub item: Option<String>,
    /// How many more items it is about.
    pub others: usize,
    /// The date by which all waiting lines ship; null as soon as one of them has none.
    pub promise: Option<NaiveDate>,
    /// Whether all waiting lines ship by that one date.
    pub same_date: bool,
    /// Waiting lines without a date whose goods are not in the house.
    pub undated: usize,
    /// Waiting lines whose goods are in our warehouse.
    pub in_house: usize,
    /// A date we missed and say so (the latest, if there are several); null where we say nothing of the kind.
    pub missed: Option<NaiveDate>,
    /// How many lines' dates we missed.
    pub missed_lines: usize,
    /// The title of the first of them; null where there is none.
    pub missed_item: Option<String>,
    /// Lines whose date moved to a later one or was withdrawn.
    pub slip: Move,
    /// Lines whose date moved to an earlier one, or that have their first.
    pub improvement: Move,
    /// What ops say about the dates that slipped; one entry for all lines with the same words.
    pub reasons: Vec<Reason>,
    /// The lines that wait for goods; up to 100 are listed, and of more those first whose date moved or was missed.
    pub waiting: Listed<WaitingLine>,
    /// The lines still owed that are in stock.
    pub in_stock: Listed<Item>,
    /// The shipments this mail tells of.
    pub shipments: Listed<Shipment>,
    /// Whether goods that the customer had waited for are among them.
    pub waited: bool,
    /// The cancellations this mail tells of.
    pub cancellations: Listed<Cancellation>,
    /// The refunds this mail tells of.
    pub refunds: Listed<Refund>,
    /// The day of the next regular mail; null where none is planned.
    pub next_news: Option<NaiveDate>,
    /// Ways to look, to ask and to get out.
    pub links: Links,
}

/// `language`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LanguageVars {
    /// As `de`: html's `lang`.
    pub tag: String,
    /// `ltr`, or `rtl` where lines begin on the right: html's `dir`.
    pub direction: String,
}

/// `shop`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShopVars {
    /// As `[shop] name` in config.toml.
    pub name: String,
    /// The address that people read.
    pub support_email: String,
}

/// `customer`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomerVars {
    /// As the shop wrote it. Null where it gave none.
    pub name: Option<String>,
}

/// `order`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderVars {
    /// The number that the customer knows it by.
    pub number: String,
    /// The day it was placed.
    pub placed: NaiveDate,
    /// `authorized`, `paid` or `pending`; null where the shop does not say.
    pub payment: Option<String>,
    /// `split` (what is ready ships) or `hold` (everything ships together).
    pub partial: String,
    /// What the customer calls it: `backorder`, `preorder`, or `order` where both are in it.
    pub wait: String,
    /// What the whole is called beside its number: `preorder` where all that waits is one, else `order`.
    pub word: String,
    /// Whether anything of it is still owed; what is not open cannot be cancelled.
    pub open: bool,
}

/// A list: the first entries, and how many there are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed<T> {
    /// The first 20 entries, or the first 100 lines of an order.
    pub items: Vec<T>,
    /// How many are not in `items`.
    pub more: usize,
    /// How many there are in all.
    pub count: usize,
}

impl<T> Listed<T> {
    /// The first entries of `all`; only those are made.
    pub fn of<I: ExactSizeIterator>(all: I, make: impl FnMut(I::Item) -> T) -> Self {
        Self::up_to(LISTED, all, make)
    }

    /// The first `most` entries of `all`; only those are made.
    pub fn up_to<I: ExactSizeIterator>(most: usize, all: I, make: impl FnMut(I::Item) -> T) -> Self {
        let count = all.len();
        let items: Vec<T> = all.take(most).map(make).collect();
        Self { more: count - items.len(), items, count }
    }
}

/// Units of one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// What it is called.
    pub title: String,
    /// The shop's own name for it.
    pub sku: String,
    /// How many.
    pub quantity: u32,
}

/// A line that waits for goods, and what this mail says about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitingLine {
    /// What it is called.
    pub title: String,
    /// The shop's own name for it.
    pub sku: String,
    /// How many still wait.
    pub quantity: u32,
    /// Whether it is a preorder; else it is a backorder.
    pub preorder: bool,
    /// It ships by that date; null: there is none.
    pub date: Option<NaiveDate>,
    /// The date the customer was told before; null where it is the same or there was none.
    pub was: Option<NaiveDate>,
    /// Whether `was` lies in the past.
    pub was_passed: bool,
    /// Whether its goods are in our warehouse.
    pub in_house: bool,
    /// Whether this mail says that we missed its date.
    pub missed: bool,
    /// The date that we missed; null where none was.
    pub missed_date: Option<NaiveDate>,
    /// How far its goods are: `planned`, `in_production` or `in_transit`; null where nothing is on its way.
    pub supply: Option<String>,
    /// The first day on which they are expected at our warehouse; null unless it is a range.
    pub expected_from: Option<NaiveDate>,
    /// The day by which they are expected at our warehouse; null where it is unknown or has passed.
    pub expected_to: Option<NaiveDate>,
    /// Its place in the queue; null where it has none or is the only one.
    pub place: Option<PlaceVars>,
}

/// Place `at` of `of` orders that wait for the same item, oldest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlaceVars {
    /// 1 is next.
    pub at: u32,
    /// How many orders wait.
    pub of: u32,
}

/// Lines whose date moved in one direction.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Move {
    /// How many lines.
    pub lines: usize,
    /// The date they all had; null where they differ or had none.
    pub from: Option<NaiveDate>,
    /// The date they all have now; null where they differ or have none.
    pub to: Option<NaiveDate>,
    /// How many of them have no date any more.
    pub withdrawn: usize,
    /// The title of the first of them; null where there is none.
    pub item: Option<String>,
}

/// What ops say about dates that slipped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// Why; null where ops did not say.
    pub reason: Option<String>,
    /// What the customer could take in its place; null where ops named nothing.
    pub alternative: Option<String>,
    /// A code or a gesture; null where ops set none.
    pub goodwill: Option<String>,
    /// The titles it is about.
    pub titles: Listed<String>,
}

/// Goods handed to a carrier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shipment {
    /// Who carries it. Null where the shop gave none.
    pub carrier: Option<String>,
    /// The carrier's code. Null where the shop gave none.
    pub tracking: Option<String>,
    /// Where the parcel can be followed, always http or https. Null where the shop gave no such page.
    pub url: Option<String>,
    /// What is in it.
    pub lines: Listed<Item>,
}

/// Lines that were called off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cancellation {
    /// `customer` or `shop`.
    pub by: String,
    /// Why. Null where nobody said.
    pub reason: Option<String>,
    /// What was called off.
    pub lines: Listed<Item>,
}

/// Money given back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refund {
    /// As `49.90 EUR`; print it with `| money`.
    pub amount: String,
    /// The payment's own name for it. Null where the shop gave none.
    pub reference: Option<String>,
}

/// Ways to look, to ask and to get out. No link is dead: what has no page is null or a mail to people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Links {
    /// Where the order can be looked up; null where the shop has no such page.
    pub status: Option<String>,
    /// Where the order can be cancelled; null where the shop has no such page.
    pub cancel: Option<String>,
    /// A `mailto:` link with a ready-made cancellation.
    pub cancel_mail: String,
    /// A `mailto:` link with the order number in its subject.
    pub contact_mail: String,
}

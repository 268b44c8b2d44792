//! One fact from one JSON object: the body of an API call, a line of an import, a record read back.
//!
//! What comes out holds the rules of product's facts: known fields only, bounded texts and numbers, instants to
//! the millisecond. Left out: `at` is now, `placed_at` is `at`, `by` is the shop (only the shop's own systems send
//! facts; a customer's cancellation says so), `confirmed` and `handed_over` are true, `supply` is the SKU's only one.

use std::collections::HashSet;

use serde_json::Value;

use super::date::{day, eta};
use super::fault::{FieldError, quoted};
use super::fields::Fields;
use super::value::{self, Read, id, instant, units, words};
use crate::domain::calendar::Instant;
use crate::domain::customer::Customer;
use crate::domain::fact::{
    By, CancelFact, Cause, ChangeReason, Fact, LineFact, LineKind, LineUnits, OrderFact, Partial, Payment,
    ReceiptFact, RefundFact, ShipmentFact, SupplyFact,
};
use crate::domain::supply::SupplyState;
use crate::text::either;

/// The most lines an order may have.
pub(super) const MOST_LINES: usize = 10_000;

const KINDS: &[&str] = &["order", "supply", "receipt", "shipment", "cancel", "refund"];
const ORDER: &[&str] =
    &["fact", "at", "order", "placed_at", "channel", "payment", "currency", "partial", "customer", "lines"];
const CUSTOMER: &[&str] = &["email", "name", "locale", "timezone", "country"];
const LINE: &[&str] = &["id", "sku", "title", "quantity", "unit_price", "kind", "promised"];
const SUPPLY: &[&str] = &[
    "fact",
    "at",
    "sku",
    "supply",
    "quantity",
    "eta",
    "state",
    "supplier",
    "confirmed",
    "cause",
    "reason",
    "alternative",
    "goodwill",
];
const RECEIPT: &[&str] = &["fact", "at", "id", "sku", "supply", "quantity"];
const SHIPMENT: &[&str] =
    &["fact", "at", "id", "order", "lines", "carrier", "tracking", "url", "handed_over"];
const LINE_UNITS: &[&str] = &["id", "quantity"];
const CANCEL: &[&str] = &["fact", "at", "id", "order", "lines", "by", "reason"];
const REFUND: &[&str] = &["fact", "at", "id", "order", "amount", "reference"];

/// Reads the fact that an object states. `now` is the default of `at` and, five minutes on, its limit; one who
/// knows no "now" (a simulation, a record read back) gives `Instant::MAX_UTC`.
///
/// # Errors
/// The first field that cannot be taken, with its path, what was read and how to mend it.
pub fn fact(value: Value, now: Instant) -> Result<Fact, FieldError> {
    let Value::Object(map) = &value else {
        let mend = "is not a fact; write one object, as in {\"fact\":\"receipt\", …}";
        return Err(FieldError::new(value::json_text(&value), mend));
    };
    match map.get("fact") {
        Some(Value::String(kind)) => match kind.as_str() {
            "order" => order(value, now).map(Fact::Order),
            "supply" => supply(value, now).map(Fact::Supply),
            "receipt" => receipt(value, now).map(Fact::Receipt),
            "shipment" => shipment(value, now).map(Fact::Shipment),
            "cancel" => cancel(value, now).map(Fact::Cancel),
            "refund" => refund(value, now).map(Fact::Refund),
            other => Err(not_a_kind(quoted(other), "not known")),
        },
        Some(other) => Err(not_a_kind(value::json_text(other), "not known")),
        None => Err(not_a_kind(String::new(), "missing")),
    }
}

fn not_a_kind(read: String, what: &str) -> FieldError {
    FieldError::new(read, format!("is {what}; write {}", either(KINDS))).at("", "fact")
}

fn at(fields: &mut Fields, now: Instant) -> Read<Instant> {
    let now_in_millis = Instant::from_timestamp_millis(now.timestamp_millis()).unwrap_or(now);
    Ok(fields.maybe_text("at", |v| instant(v, now))?.unwrap_or(now_in_millis))
}

fn order(value: Value, now: Instant) -> Read<OrderFact> {
    let mut f = Fields::new(value, String::new(), ORDER)?;
    let at = at(&mut f, now)?;
    let mut ids = HashSet::new();
    let mut read_line = |value, path: &str| {
        let line = line(value, format!("{path}."))?;
        if ids.insert(line.id.clone()) { Ok(line) } else { Err(twice(&line.id).at(path, ".id")) }
    };
    Ok(OrderFact {
        at,
        order: f.must("order", id)?,
        placed_at: f.maybe_text("placed_at", |v| instant(v, now))?.unwrap_or(at),
        channel: f.maybe_text("channel", id)?,
        payment: f
            .maybe_text("payment", |v| value::word(v, Payment::from_word, Payment::ALL, Payment::as_str))?,
        currency: f.maybe_text("currency", value::currency)?,
        partial: f
            .maybe_text("partial", |v| value::word(v, Partial::from_word, Partial::ALL, Partial::as_str))?,
        customer: f.maybe("customer", Ok)?.map(customer).transpose()?.unwrap_or_default(),
        lines: f
            .maybe_list("lines", MOST_LINES, &mut read_line)?
            .ok_or_else(|| FieldError::new("", "is missing; write at least one line").at("", "lines"))?,
    })
}

fn twice(id: &str) -> FieldError {
    FieldError::text(id, "is given twice; each line has an id of its own")
}

fn customer(value: Value) -> Read<Customer> {
    let mut f = Fields::new(value, "customer.".into(), CUSTOMER)?;
    Ok(Customer {
        email: f.maybe_text("email", value::email)?,
        name: f.maybe_text("name", words)?,
        locale: f.maybe_text("locale", value::locale)?,
        timezone: f.maybe_text("timezone", value::timezone)?,
        country: f.maybe_text("country", value::country)?,
    })
}

fn line(value: Value, prefix: String) -> Read<LineFact> {
    let mut f = Fields::new(value, prefix, LINE)?;
    Ok(LineFact {
        id: f.must("id", id)?,
        sku: f.must("sku", id)?,
        title: f.must("title", words)?,
        quantity: f.must("quantity", units)?,
        unit_price: f.maybe_text("unit_price", id)?,
        kind: f.must("kind", |v| value::word(v, LineKind::from_word, LineKind::ALL, LineKind::as_str))?,
        promised: f.maybe_text("promised", day)?,
    })
}

fn supply(value: Value, now: Instant) -> Read<SupplyFact> {
    let mut f = Fields::new(value, String::new(), SUPPLY)?;
    Ok(SupplyFact {
        at: at(&mut f, now)?,
        sku: f.must("sku", id)?,
        supply: f.maybe_text("supply", id)?.unwrap_or_default(),
        quantity: f.maybe("quantity", value::units_coming)?,
        eta: f.maybe_text("eta", eta)?.flatten(),
        state: f.must("state", |v| {
            value::word(v, SupplyState::from_word, SupplyState::ALL, SupplyState::as_str)
        })?,
        supplier: f.maybe_text("supplier", words)?,
        confirmed: f.maybe("confirmed", value::flag)?.unwrap_or(true),
        change: ChangeReason {
            cause: f.maybe_text("cause", |v| value::word(v, Cause::from_word, Cause::ALL, Cause::as_str))?,
            reason: f.maybe_text("reason", words)?,
            alternative: f.maybe_text("alternative", words)?,
            goodwill: f.maybe_text("goodwill", words)?,
        },
    })
}

fn receipt(value: Value, now: Instant) -> Read<ReceiptFact> {
    let mut f = Fields::new(value, String::new(), RECEIPT)?;
    Ok(ReceiptFact {
        at: at(&mut f, now)?,
        id: f.must("id", id)?,
        sku: f.must("sku", id)?,
        supply: f.maybe_text("supply", id)?,
        quantity: f.must("quantity", value::units_moved)?,
    })
}

fn shipment(value: Value, now: Instant) -> Read<ShipmentFact> {
    let mut f = Fields::new(value, String::new(), SHIPMENT)?;
    let mut ids = HashSet::new();
    let read_line = |value, path: &str| {
        let mut f = Fields::new(value, format!("{path}."), LINE_UNITS)?;
        let line = LineUnits { id: f.must("id", id)?, quantity: f.maybe("quantity", units)? };
        if ids.insert(line.id.clone()) { Ok(line) } else { Err(twice(&line.id).at(path, ".id")) }
    };
    Ok(ShipmentFact {
        at: at(&mut f, now)?,
        id: f.must("id", id)?,
        order: f.must("order", id)?,
        lines: f.maybe_list("lines", MOST_LINES, read_line)?,
        carrier: f.maybe_text("carrier", id)?,
        tracking: f.maybe_text("tracking", id)?,
        url: f.maybe_text("url", value::url)?,
        handed_over: f.maybe("handed_over", value::flag)?.unwrap_or(true),
    })
}

fn cancel(value: Value, now: Instant) -> Read<CancelFact> {
    let mut f = Fields::new(value, String::new(), CANCEL)?;
    let mut ids = HashSet::new();
    let read_line = |value, path: &str| {
        let line = id(value).map_err(|e| e.at(path, ""))?;
        if ids.insert(line.clone()) { Ok(line) } else { Err(twice(&line).at(path, "")) }
    };
    Ok(CancelFact {
        at: at(&mut f, now)?,
        id: f.must("id", id)?,
        order: f.must("order", id)?,
        lines: f.maybe_list("lines", MOST_LINES, read_line)?,
        by: f.maybe_text("by", |v| value::word(v, By::from_word, By::ALL, By::as_str))?.unwrap_or(By::Shop),
        reason: f.maybe_text("reason", words)?,
    })
}

fn refund(value: Value, now: Instant) -> Read<RefundFact> {
    let mut f = Fields::new(value, String::new(), REFUND)?;
    Ok(RefundFact {
        at: at(&mut f, now)?,
        id: f.must("id", id)?,
        order: f.must("order", id)?,
        amount: f.must("amount", id)?,
        reference: f.maybe_text("reference", id)?,
    })
}

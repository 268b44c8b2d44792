//! The story: what happens in the demo's five weeks, as facts in their wire form with a line each for the reader.

use serde_json::{Value, json};

use crate::domain::calendar::Instant;

/// When the story begins and ends.
pub(super) const START: &str = "2026-03-02T07:00:00Z";
pub(super) const END: &str = "2026-04-06T18:00:00Z";

/// Whose server puts a mail off once.
pub(super) const GREYLISTED: &str = "ana@example.com";

/// The shop of the story.
pub(super) const CONFIG: &str = r#"# The shop of `shipby demo`. Nothing here reaches a customer.
[shop]
name = "Kettle & Co"
from = "Kettle & Co <orders@shop.example>"
support_email = "help@shop.example"
timezone = "Europe/Berlin"
cancel_url = "https://shop.example/orders/{order}/cancel"
status_url = "https://shop.example/orders/{order}"

[delivery]
# One connection, so that the story is the same every time.
concurrency = 1

[database]
url = "shipby.db"
"#;

/// Something that happens.
pub(super) struct Heartbeat {
    /// `→` for what customers do, `▪` for what the shop does.
    pub mark: char,
    pub words: &'static str,
    pub fact: Value,
}

impl Heartbeat {
    /// When it happens.
    pub fn at(&self) -> Instant {
        let at = self.fact["at"].as_str().and_then(|at| at.parse().ok());
        at.unwrap_or_default()
    }
}

fn order(at: &str, number: &str, customer: &Value, lines: &Value, words: &'static str) -> Heartbeat {
    let fact = json!({"fact": "order", "at": at, "order": number, "placed_at": at, "channel": "web",
        "payment": "authorized", "currency": "EUR", "customer": customer, "lines": lines});
    Heartbeat { mark: '→', words, fact }
}

fn shop(words: &'static str, fact: Value) -> Heartbeat {
    Heartbeat { mark: '▪', words, fact }
}

/// All that happens, in order.
pub(super) fn heartbeats() -> Vec<Heartbeat> {
    let mut heartbeats = orders();
    heartbeats.extend(supplies());
    heartbeats.extend(endings());
    heartbeats.sort_by_key(Heartbeat::at);
    heartbeats
}

fn orders() -> Vec<Heartbeat> {
    let kettle = |quantity: u32| {
        json!([{"id": "1", "sku": "KETTLE-01", "title": "Copper kettle", "quantity": quantity,
            "unit_price": "49.90", "kind": "backorder", "promised": "2026-03-20"}])
    };
    let customer = |name: &str, email: &str| json!({"name": name, "email": email});
    vec![
        order(
            "2026-03-02T08:14:00Z",
            "1042",
            &customer("Ana", GREYLISTED),
            &kettle(1),
            "order 1042: Ana, 1 × Copper kettle, promised Fri 20 Mar at checkout",
        ),
        order(
            "2026-03-03T16:40:00Z",
            "1043",
            &customer("Ben", "ben@example.net"),
            &kettle(2),
            "order 1043: Ben, 2 × Copper kettle, promised Fri 20 Mar",
        ),
        order(
            "2026-03-05T19:05:00Z",
            "1044",
            &customer("Chloé", "chloe@example.org"),
            &json!([
                {"id": "1", "sku": "KETTLE-01", "title": "Copper kettle", "quantity": 1, "kind": "backorder"},
                {"id": "2", "sku": "CUP-02", "title": "Tea cup", "quantity": 4, "kind": "in_stock"}]),
            "order 1044: Chloé, 1 × Copper kettle (no date at checkout) and 4 × Tea cup from stock",
        ),
        order(
            "2026-03-07T02:30:00Z",
            "1045",
            &json!({"name": "Dai", "email": "dai@example.com", "timezone": "America/New_York"}),
            &json!([{"id": "1", "sku": "SAMOVAR-3", "title": "Samovar, third edition", "quantity": 1, "kind": "preorder"}]),
            "order 1045: Dai in New York, preorder of a samovar whose date nobody knows yet",
        ),
    ]
}

fn supplies() -> Vec<Heartbeat> {
    let kettles = |at: &str, eta: &str, reason: Option<&str>| {
        json!({"fact": "supply", "at": at, "sku": "KETTLE-01", "supply": "PO-77", "quantity": 60, "eta": eta,
            "state": "in_transit", "supplier": "Acme", "cause": "supplier", "reason": reason})
    };
    vec![
        shop(
            "supplier: 60 kettles (PO-77) expected Mon 16 Mar",
            kettles("2026-03-02T07:30:00Z", "2026-03-16", None),
        ),
        shop(
            "supplier: PO-77 is 11 days late, now Fri 27 Mar (factory delay)",
            kettles("2026-03-12T14:30:00Z", "2026-03-27", Some("a delay at the factory")),
        ),
        shop(
            "production of the samovar is planned: here by Fri 3 Apr",
            json!({"fact": "supply", "at": "2026-03-17T13:10:00Z", "sku": "SAMOVAR-3", "supply": "RUN-3",
                "eta": "2026-04-03", "state": "in_production"}),
        ),
    ]
}

fn endings() -> Vec<Heartbeat> {
    let shipment = |at: &str, id: &str, order: &str, lines: Value, tracking: &str| {
        json!({"fact": "shipment", "at": at, "id": id, "order": order, "lines": lines, "carrier": "DHL",
            "tracking": tracking, "url": format!("https://track.example/{tracking}")})
    };
    vec![
        shop(
            "warehouse ships the cups of 1044",
            shipment("2026-03-06T09:00:00Z", "S-1", "1044", json!([{"id": "2"}]), "JD001"),
        ),
        Heartbeat {
            mark: '✗',
            words: "Ben cancels: a different kettle was faster",
            fact: json!({"fact": "cancel", "at": "2026-03-13T17:02:00Z", "id": "C-1", "order": "1043",
                "by": "customer", "reason": "found one elsewhere"}),
        },
        shop(
            "60 × KETTLE-01 received, oldest orders first",
            json!({"fact": "receipt", "at": "2026-03-26T07:05:00Z", "id": "R-1", "sku": "KETTLE-01",
                "supply": "PO-77", "quantity": 60}),
        ),
        shop("1042 is handed to DHL", shipment("2026-03-27T08:20:00Z", "S-2", "1042", Value::Null, "JD002")),
        shop("1044 is handed to DHL", shipment("2026-03-27T08:20:00Z", "S-3", "1044", Value::Null, "JD003")),
        shop(
            "5 × SAMOVAR-3 received",
            json!({"fact": "receipt", "at": "2026-04-02T13:00:00Z", "id": "R-2", "sku": "SAMOVAR-3",
                "supply": "RUN-3", "quantity": 5}),
        ),
        shop("1045 is handed to DHL", shipment("2026-04-03T15:45:00Z", "S-4", "1045", Value::Null, "JD004")),
    ]
}

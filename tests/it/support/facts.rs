//! Facts that many stories begin with; a test changes what it is about.

use serde_json::{Value, json};

/// A backorder of one kettle, by Ana.
pub fn order(number: &str) -> Value {
    json!({"fact": "order", "order": number, "payment": "authorized",
        "customer": {"email": "ana@example.com", "name": "Ana"}, "lines": [line("1", "KETTLE")]})
}

/// The same by somebody else.
pub fn order_of(number: &str, email: &str) -> Value {
    let mut order = order(number);
    order["customer"]["email"] = json!(email);
    order
}

pub fn line(id: &str, sku: &str) -> Value {
    json!({"id": id, "sku": sku, "title": title(sku), "quantity": 1, "kind": "backorder"})
}

fn title(sku: &str) -> String {
    let (first, rest) = sku.split_at(1);
    format!("{first}{}", rest.to_lowercase())
}

/// Kettles on their way, enough for everybody.
pub fn supply(eta: &str) -> Value {
    json!({"fact": "supply", "sku": "KETTLE", "supply": "PO-77", "eta": eta, "state": "in_transit"})
}

pub fn receipt(id: &str, quantity: u32) -> Value {
    json!({"fact": "receipt", "id": id, "sku": "KETTLE", "supply": "PO-77", "quantity": quantity})
}

pub fn shipment(id: &str, order: &str) -> Value {
    json!({"fact": "shipment", "id": id, "order": order, "carrier": "DHL", "tracking": "JD01"})
}

pub fn cancel(id: &str, order: &str) -> Value {
    json!({"fact": "cancel", "id": id, "order": order, "by": "customer", "reason": "too late"})
}

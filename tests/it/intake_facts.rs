//! One JSON object as a fact: what is left out, and what each refusal says.

use chrono::{DateTime, TimeZone, Utc};
use serde_json::json;
use shipby::domain::fact::{By, Fact};
use shipby::intake::{fact, parse};

fn now() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 3, 2, 12, 0, 0).unwrap()
}

#[test]
fn what_is_left_out_has_the_documented_meaning() {
    let read = |value| fact(value, now()).unwrap();
    let Fact::Order(order) =
        read(json!({"fact":"order","at":"2026-03-01T00:00:00Z","order":"1","customer":{"email":" "},
        "lines":[{"id":"1","sku":"A","title":"A","quantity":1,"kind":"preorder"}]}))
    else {
        panic!()
    };
    assert_eq!((order.placed_at, order.customer.email), (order.at, None));
    let Fact::Supply(supply) = read(json!({"fact":"supply","sku":"A","state":"planned"})) else { panic!() };
    assert_eq!(
        (supply.supply.as_str(), supply.quantity, supply.eta, supply.confirmed),
        ("", None, None, true)
    );
    let Fact::Shipment(sent) = read(json!({"fact":"shipment","id":"S","order":"1"})) else { panic!() };
    assert_eq!((sent.lines, sent.handed_over), (None, true));
    let Fact::Cancel(cancel) = read(json!({"fact":"cancel","id":"C","order":"1"})) else { panic!() };
    assert_eq!((cancel.lines, cancel.by), (None, By::Shop));
}

#[test]
fn a_refused_json_field_is_named_by_its_path() {
    let line = json!({"id":"1","sku":"A","title":"A","quantity":1,"kind":"preorder"});
    let order = |path: &str, value: serde_json::Value| {
        let mut order = json!({"fact":"order","order":"1","customer":{},"lines":[line, line]});
        order["lines"][1]["id"] = json!("2");
        let (parent, name) = path.rsplit_once('/').unwrap();
        order.pointer_mut(parent).unwrap().as_object_mut().unwrap().insert(name.into(), value);
        fact(order, now()).unwrap_err().to_string()
    };
    let cases = [
        (
            "/lines/1/quantity",
            json!(0),
            "field lines[1].quantity: 0 is out of bounds; write a whole number from 1 to 1000000",
        ),
        (
            "/lines/1/id",
            json!("1"),
            "field lines[1].id: \"1\" is given twice; each line has an id of its own",
        ),
        ("/lines/0/quantaty", json!(1), "field lines[0].quantaty: is not known; did you mean quantity?"),
        (
            "/lines/0/kind",
            json!("back-order"),
            "field lines[0].kind: \"back-order\" is not known; write backorder, preorder or in_stock",
        ),
        ("/lines/0/sku", json!(null), "field lines[0].sku: is missing; it must be given"),
        ("/lines", json!([]), "field lines: [] is empty; write at least one line"),
        ("/lines", json!([1]), "field lines[0]: 1 is not an object; write { … }"),
        ("/lines", json!(null), "field lines: is missing; write at least one line"),
        ("/lines", json!(vec![1; 10_001]), "field lines: has 10001 entries; write at most 10000"),
        (
            "/customer/email",
            json!("a@b@c"),
            "field customer.email: \"a@b@c\" cannot be mailed: it names more than one address; write one",
        ),
        (
            "/customer/name",
            json!("Ana\r\nBcc: x"),
            "field customer.name: \"Ana\\r\\nBcc: x\" holds a carriage return (CR); remove it",
        ),
        ("/customer", json!("Ana"), "field customer: \"Ana\" is not an object; write { … }"),
        ("/costumer", json!({}), "field costumer: is not known; did you mean customer?"),
        (
            "/payment",
            json!("later"),
            "field payment: \"later\" is not known; write authorized, paid or pending",
        ),
        ("/partial", json!("none"), "field partial: \"none\" is not known; write split or hold"),
        ("/order", json!(1042), "field order: 1042 is a number; write it in quotes: \"1042\""),
        (
            "/at",
            json!("2026-03-02"),
            "field at: \"2026-03-02\" is a date without a time; write 2026-03-02T00:00:00Z, or the time with its offset",
        ),
        (
            "/fact",
            json!("ordr"),
            "field fact: \"ordr\" is not known; write order, supply, receipt, shipment, cancel or refund",
        ),
    ];
    for (path, value, says) in cases {
        assert_eq!(order(path, value), says);
    }
}

#[test]
fn each_kind_of_fact_needs_its_id() {
    let about = [("receipt", "sku"), ("shipment", "order"), ("cancel", "order"), ("refund", "order")];
    for (kind, subject) in about {
        let refused = fact(json!({"fact": kind, subject: "1"}), now()).unwrap_err();
        assert_eq!(refused.to_string(), "field id: is missing; it must be given", "{kind}");
    }
    assert_eq!(
        fact(json!({}), now()).unwrap_err().to_string(),
        "field fact: is missing; write order, supply, receipt, shipment, cancel or refund"
    );
    assert_eq!(
        fact(json!(7), now()).unwrap_err().to_string(),
        "7 is not a fact; write one object, as in {\"fact\":\"receipt\", …}"
    );
}

#[test]
fn a_body_is_one_json_object_in_which_nothing_is_said_twice() {
    let refund = r#"{"fact":"refund","at":"2026-03-01T00:00:00Z","id":"R","order":"1","amount":"5"}"#;
    assert_eq!(parse(refund.as_bytes(), now()), fact(serde_json::from_str(refund).unwrap(), now()));
    let cases: [(&[u8], &str); 7] = [
        (b"", "is not JSON: EOF while parsing a value at line 1 column 0"),
        (b"{\"fact\":\n  \"refund\"", "is not JSON: EOF while parsing an object at line 2 column 10"),
        (b"{} {}", "is not JSON: trailing characters at line 1 column 4"),
        (b"\xff", "is not JSON: expected value at line 1 column 1"),
        (br#"{"id":"1","id":"2"}"#, r#""id" stands in one object twice; remove one at line 1 column 19"#),
        (b"[1]", "an array is not a fact; write one object, as in {\"fact\":\"receipt\", \u{2026}}"),
        (b"{\"fact\":\"refund\"}", "field id: is missing; it must be given"),
    ];
    for (body, says) in cases {
        assert_eq!(parse(body, now()).unwrap_err().to_string(), says);
    }
}

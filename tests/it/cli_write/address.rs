//! `order address`: another address for a customer, and nothing else of the order.

use serde_json::json;

use super::{ORDER, Shop};

#[test]
fn a_new_address_is_recorded_with_the_order_as_it_is_known() {
    let shop = Shop::with(&[
        ORDER,
        r#"{"fact":"shipment","at":"2026-03-03T08:14:00Z","id":"S-1","order":"1042","lines":[{"id":"2","quantity":1}]}"#,
    ]);
    let before = shop.order("1042").unwrap();
    let (exit, says, _) = shop.run(&["order", "address", "1042", " Ana@Example.org ", "--name", "Ana B."]);
    let says_it = "Order 1042: Ana@example.org in place of ana@example.com. Its next notice goes there.\n";
    assert_eq!((exit, says.as_str()), (0, says_it));
    let mut after = shop.order("1042").unwrap();
    assert_eq!(after.customer.name.as_deref(), Some("Ana B."));
    assert_eq!(after.customer.email.as_ref().unwrap().as_str(), "Ana@example.org");
    assert!(after.at > before.at);
    (after.customer, after.at) = (before.customer.clone(), before.at);
    assert_eq!(after, before);

    let (exit, says, _) = shop.run(&["order", "address", "1042", "Ana@example.org"]);
    assert_eq!(
        (exit, says.as_str()),
        (0, "Order 1042 has the address Ana@example.org already; nothing changed.\n")
    );
    let document = shop.json(&["order", "address", "1042", "ana@example.net"]);
    assert_eq!(document["schema"], "shipby.recorded/1");
    assert_eq!((&document["result"], &document["before"]), (&json!("changed"), &json!("Ana@example.org")));
    assert_eq!(document["fact"]["customer"]["email"], "ana@example.net");

    let shown = shop.run(&["order", "show", "1042"]).1;
    let addresses: Vec<&str> = shown.lines().filter(|line| line.starts_with("address ")).collect();
    assert_eq!(addresses.len(), 2, "{shown}");
    assert!(addresses[0].ends_with("  Ana@example.org in place of ana@example.com, by command"), "{shown}");
    let shown = shop.json(&["order", "show", "1042"]);
    let last = &shown["address_changes"][1];
    assert_eq!((&last["from"], &last["to"]), (&json!("Ana@example.org"), &json!("ana@example.net")));
}

#[test]
fn what_is_no_address_and_an_order_nobody_knows_are_refused_with_the_mend() {
    let shop = Shop::with(&[ORDER]);
    let before = shop.order("1042").unwrap();
    for (args, exit, says) in [
        (&["order", "address", "1042", "ana"][..], 2, "shipby: ADDRESS: \"ana\""),
        (&["order", "address", "1042", "a@example.com,b@example.com"], 2, "names more than one address"),
        (&["order", "address", "1042", "ana@example.org", "--name", "A\nB"], 2, "shipby: --name: "),
        (&["order", "address", "7", "ana@example.org"], 4, "there is no order \"7\""),
    ] {
        let (code, out, err) = shop.run(args);
        assert_eq!((code, out.as_str()), (exit, ""), "{args:?}: {err}");
        assert!(err.contains(says), "{args:?}: {err}");
    }
    assert_eq!(shop.order("1042"), Some(before));
}

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
    assert_eq!(after.at, before.at, "what the shop stated of the lines is as old as it was");
    let replaced = after.correction.take().unwrap().replaced;
    assert_eq!(replaced, before.customer.email);
    after.customer = before.customer.clone();
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

#[test]
fn an_address_that_a_person_gave_holds_until_the_shop_s_system_states_a_new_one() {
    let shop = Shop::new();
    // As a nightly export does: without `at`, each import is the order as it is now.
    let export = |emails: [&str; 2]| {
        let row = |number: u32, email: &str| {
            format!("{number},2026-03-02T08:14:00Z,{email},KETTLE-01,Kettle,1,backorder\n")
        };
        let header = "order,placed_at,email,sku,title,quantity,kind\n";
        shop.write("open.csv", &[header, &row(1, emails[0]), &row(2, emails[1])].concat());
        assert_eq!(shop.run(&["import", "orders", "open.csv"]).0, 0);
        let email = |order| shop.order(order).unwrap().customer.email.map(|email| email.as_str().to_owned());
        [email("1"), email("2")].map(|email| email.unwrap_or_default())
    };
    assert_eq!(export(["old@example.com", ""]), ["old@example.com", ""]);
    assert_eq!(shop.run(&["order", "address", "1", "new@example.com"]).0, 0);
    assert_eq!(shop.run(&["order", "address", "2", "given@example.com"]).0, 0);
    assert_eq!(export(["old@example.com", ""]), ["new@example.com", "given@example.com"]);
    assert_eq!(shop.run(&["order", "address", "1", "newer@example.com"]).0, 0);
    assert_eq!(export(["old@example.com", ""]), ["newer@example.com", "given@example.com"]);
    let changes = shop.json(&["order", "show", "1"])["address_changes"].clone();
    assert_eq!(changes.as_array().unwrap().len(), 2, "{changes}");
    assert_eq!(export(["own@example.com", ""]), ["own@example.com", "given@example.com"]);
    let last = &shop.json(&["order", "show", "1"])["address_changes"][2];
    assert_eq!((&last["from"], &last["to"]), (&json!("newer@example.com"), &json!("own@example.com")));
    assert_eq!(shop.run(&["order", "address", "1", "new@example.com"]).0, 0);
    assert_eq!(export(["", ""]), ["new@example.com", "given@example.com"], "no address is no new one");
    assert_eq!(export(["own@example.com", ""]), ["new@example.com", "given@example.com"]);
    assert_eq!(shop.run(&["order", "address", "1", "own@example.com"]).0, 0);
    // From here on the shop's word holds again.
    assert_eq!(export(["old@example.com", ""]), ["old@example.com", "given@example.com"]);
}

#[test]
fn what_the_shop_states_of_the_lines_is_taken_though_a_person_gave_an_address_after_it() {
    let shop = Shop::with(&[ORDER]);
    assert_eq!(shop.run(&["order", "address", "1042", "new@example.com"]).0, 0);
    let later = ORDER
        .replace("2026-03-02T08:14:00Z", "2026-03-03T08:14:00Z")
        .replace("\"quantity\":2", "\"quantity\":1");
    shop.write("later.jsonl", &later);
    let (exit, said, _) = shop.run(&["import", "later.jsonl"]);
    assert_eq!((exit, said.as_str()), (0, "1 fact: 1 changed.\n"));
    let order = shop.order("1042").unwrap();
    assert_eq!(order.customer.email.unwrap().as_str(), "new@example.com");
    // Nor is one that is left out with a change to the lines another address, or said to be.
    let nobody = later.replace("03-03", "03-04").replace("\"quantity\":1", "\"quantity\":2");
    shop.write("nobody.jsonl", &nobody.replace("\"ana@example.com\"", "null"));
    assert_eq!(shop.run(&["import", "nobody.jsonl"]).1, "1 fact: 1 changed.\n");
    let changes = shop.json(&["order", "show", "1042"])["address_changes"].clone();
    assert_eq!(
        (changes.as_array().unwrap().len(), &changes[0]["to"]),
        (1, &json!("new@example.com")),
        "{changes}"
    );
}

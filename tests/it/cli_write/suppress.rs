//! `suppress`: what it answers, what it refuses, and which addresses are the same.

use serde_json::{Value, json};

use super::{ORDER, Shop};

#[test]
fn an_address_is_suppressed_listed_and_let_go_again() {
    let shop = Shop::with(&[ORDER]);
    let (exit, says, _) = shop.run(&["suppress", "list"]);
    assert_eq!(
        (exit, says.as_str()),
        (0, "mode capture: customers get no mail\nNo address is suppressed.\n")
    );
    let (exit, says, _) =
        shop.run(&["suppress", "add", " ana@EXAMPLE.com", "--reason", " she asked on the phone "]);
    assert_eq!(exit, 0);
    assert!(
        says.ends_with(
            "ana@example.com gets no mail from now on. Its orders need a person: shipby digest lists them.\n"
        ),
        "{says}"
    );
    let (_, says, _) = shop.run(&["suppress", "list", "ana@example.COM"]);
    assert!(says.ends_with("  ana@example.com  suppressed by a person (she asked on the phone)\n"), "{says}");
    let list = shop.json(&["suppress", "list"]);
    assert_eq!(list["schema"], "shipby.suppressions/1");
    let one = &list["suppressions"][0];
    assert_eq!(
        (&one["address"], &one["cause"], &one["reason"], &one["notice"]),
        (&json!("ana@example.com"), &json!("person"), &json!("she asked on the phone"), &Value::Null)
    );
    let (exit, says, _) = shop.run(&["suppress", "add", "ana@example.com", "--reason", "again"]);
    assert_eq!(exit, 0);
    assert!(says.contains("ana@example.com gets no mail already, since "), "{says}");
    assert!(says.ends_with("(she asked on the phone). Nothing changed.\n"), "{says}");
    let again = shop.json(&["suppress", "add", "ana@example.com", "--reason", "again"]);
    assert_eq!((&again["schema"], &again["suppressed_before"]), (&json!("shipby.suppress/1"), &json!(true)));

    let (exit, says, _) = shop.run(&["suppress", "remove", "Ana@example.com"]);
    assert_eq!(exit, 0, "another mailbox, as far as anybody but its server knows");
    assert!(says.ends_with("Ana@example.com is not suppressed; nothing changed.\n"), "{says}");
    let removed = shop.json(&["suppress", "remove", "ana@Example.com"]);
    assert_eq!(removed["removed"]["reason"], "she asked on the phone");
    let (_, says, _) = shop.run(&["suppress", "list", "ana@example.com"]);
    assert!(says.ends_with("This address is not suppressed.\n"), "{says}");
}

#[test]
fn what_is_no_address_is_refused_with_the_fault() {
    let shop = Shop::with(&[ORDER]);
    for (args, says) in [
        (&["suppress", "add", "ana"][..], "there is no @"),
        (&["suppress", "add", "a@b.example,c@d.example"], "it names more than one address"),
        (&["suppress", "remove", "ana@"], "no domain stands after the @"),
        (&["suppress", "add", "ana@example.com", "--reason", " "], "--reason: say why"),
        (&["suppress", "add"], "<ADDRESS>"),
    ] {
        let (exit, out, err) = shop.run(args);
        assert_eq!((exit, out.as_str()), (2, ""), "{args:?}: {err}");
        assert!(err.contains(says), "{args:?}: {err}");
    }
}

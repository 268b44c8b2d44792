//! Commands that record one fact, and `init`.

use super::{ORDER, Shop, without_ids};

fn says(shop: &Shop, args: &[&str]) -> (i32, String) {
    let (exit, stdout, stderr) = shop.run(args);
    (exit, without_ids(&format!("{stdout}{stderr}")))
}

#[test]
fn eta_set_says_before_and_after_and_keeps_what_it_does_not_name() {
    let shop = Shop::with(&[
        ORDER,
        r#"{"fact":"supply","at":"2026-03-02T08:14:00Z","sku":"KETTLE-01","supply":"PO-77","quantity":60,"eta":"2026-12-20","state":"planned","supplier":"Acme"}"#,
    ]);
    let set = ["eta", "set", "KETTLE-01", "2026-12-24", "--reason", "factory delay"];
    let waiting = "1 order waits for 5 units of KETTLE-01.\n";
    let moved = format!("KETTLE-01 PO-77: 2026-12-24, before that 2026-12-20.\n{waiting}");
    assert_eq!(says(&shop, &set), (0, moved));
    assert_eq!(says(&shop, &set), (0, format!("KETTLE-01 PO-77: 2026-12-24, as before.\n{waiting}")));
    let document = shop.json(&["eta", "set", "KETTLE-01", "unknown"]);
    assert_eq!(document["schema"], "shipby.recorded/1");
    assert_eq!(document["result"], "changed");
    assert_eq!((&document["before"], &document["after"]), (&"2026-12-24".into(), &serde_json::Value::Null));
    assert_eq!(document["waiting"], serde_json::json!({ "orders": 1, "units": 5 }));
    let known = shop.ask(async |store| store.supplies("KETTLE-01").await.unwrap());
    assert_eq!(known.len(), 1);
    let known = &known[0];
    assert_eq!(
        (known.quantity, known.state.as_str(), known.supplier.as_deref()),
        (Some(60), "planned", Some("Acme"))
    );
}

#[test]
fn without_a_supplys_name_the_only_open_one_is_meant_and_several_must_be_told_apart() {
    let shop = Shop::with(&[ORDER]);
    let (exit, says_new) = says(&shop, &["eta", "set", "KETTLE-01", "2026-12-24"]);
    assert_eq!(
        (exit, says_new.as_str()),
        (0, "KETTLE-01: 2026-12-24, a new supply.\n1 order waits for 5 units of KETTLE-01.\n")
    );
    assert_eq!(says(&shop, &["eta", "set", "KETTLE-01", "2026-12-28", "--supply", "PO-78"]).0, 0);
    let several =
        "shipby: KETTLE-01 has 2 open supplies: \"\" (without a name), PO-78; say which with --supply\n";
    assert_eq!(says(&shop, &["eta", "set", "KETTLE-01", "2026-12-28"]), (2, several.into()));
    assert_eq!(says(&shop, &["receive", "KETTLE-01", "2"]), (2, several.into()));
    assert_eq!(
        says(&shop, &["eta", "set", "KETTLE-01", "unknown", "--supply", "", "--state", "cancelled"]).0,
        0
    );
    assert_eq!(
        says(&shop, &["receive", "KETTLE-01", "2"]),
        (0, "2 units of KETTLE-01 received with PO-78 (receipt ID).\n1 order waits for 5 units of KETTLE-01.\n".into())
    );
    assert_eq!(says(&shop, &["eta", "set", "KETTLE-01", "2026-12-30", "--state", "received"]).0, 0);
    let (exit, closed) = says(&shop, &["eta", "set", "KETTLE-01", "2026-12-31", "--supply", "PO-78"]);
    assert_eq!(exit, 5, "{closed}");
}

#[test]
fn a_receipt_is_repeatable_by_its_id_and_negative_as_a_correction() {
    let shop = Shop::with(&[ORDER]);
    let waiting = "1 order waits for 5 units of KETTLE-01.\n";
    let back = format!("1 unit of KETTLE-01 taken back (receipt R-9).\n{waiting}");
    assert_eq!(says(&shop, &["receive", "KETTLE-01", "-1", "--id", "R-9"]), (0, back));
    let known = format!("Receipt R-9 is known already; nothing changed.\n{waiting}");
    assert_eq!(says(&shop, &["receive", "KETTLE-01", "-1", "--id", "R-9"]), (0, known));
    assert_eq!(
        says(&shop, &["receive", "KETTLE-01", "1", "--supply", "PO-7"]),
        (4, "shipby: KETTLE-01 has no supply PO-7; none is known\n".into())
    );
}

#[test]
fn ship_takes_the_oldest_line_of_a_sku_first_and_is_refused_by_state() {
    let shop = Shop::with(&[ORDER]);
    let done = "Order 1042: 3 units shipped, 6 units still open (shipment ID).\n";
    assert_eq!(says(&shop, &["ship", "1042", "--line", "KETTLE-01=3"]), (0, done.into()));
    let shipped: Vec<u32> = shop.order("1042").unwrap().lines.iter().map(|line| line.shipped).collect();
    assert_eq!(shipped, [2, 0, 1]);
    let too_many = "shipby: line 3 of order 1042 has 2 open, not 3\n";
    assert_eq!(says(&shop, &["ship", "1042", "--line", "KETTLE-01=3"]), (5, too_many.into()));
    let rest = "Order 1042: 6 units shipped, nothing is open any more (shipment S-1).\n";
    let ship = ["ship", "1042", "--carrier", "DHL", "--tracking", "JD01", "--id", "S-1"];
    assert_eq!(says(&shop, &ship), (0, rest.into()));
    assert_eq!(says(&shop, &ship), (0, "Shipment S-1 is known already; nothing changed.\n".into()));
    let closed = "shipby: order 1042 is already shipped; nothing of it is open\n";
    assert_eq!(says(&shop, &["ship", "1042"]), (5, closed.into()));
    assert_eq!(says(&shop, &["ship", "77"]).0, 4);
    assert_eq!(says(&shop, &["ship", "1042", "--line", "NIX"]).0, 4);
}

#[test]
fn cancel_and_refund_do_what_they_say_once() {
    let shop = Shop::with(&[ORDER]);
    let cancel =
        ["cancel", "1042", "--line", "KETTLE-01", "--by", "customer", "--reason", "too late", "--id", "C-1"];
    let done = "Order 1042: 5 units cancelled, 4 units still open (cancellation C-1).\n";
    assert_eq!(says(&shop, &cancel), (0, done.into()));
    assert_eq!(says(&shop, &cancel), (0, "Cancellation C-1 is known already; nothing changed.\n".into()));
    assert_eq!(says(&shop, &["cancel", "1042", "--line", "KETTLE-01", "--by", "shop"]).0, 5);
    assert_eq!(says(&shop, &["cancel", "1042"]).0, 2, "who called it off must be said");
    let refund = ["refund", "1042", "--amount", "49.90 EUR", "--id", "F-1"];
    assert_eq!(says(&shop, &refund), (0, "Order 1042: 49.90 EUR refunded (refund F-1).\n".into()));
    assert_eq!(says(&shop, &refund), (0, "Refund F-1 is known already; nothing changed.\n".into()));
    assert_eq!(says(&shop, &["refund", "77", "--amount", "1 EUR"]).0, 4);
}

#[test]
fn what_is_typed_is_read_as_in_a_file_and_the_option_is_named() {
    let shop = Shop::new();
    let cases: &[(&[&str], &str)] = &[
        (&["eta", "set", "K", "03/04/26"], "DATE: \"03/04/26\" can be read two ways; write 2026-04-03"),
        (
            &["eta", "set", "K", "unknown", "--quantity", "x"],
            "--quantity: \"x\" is not a whole number; write one from 0 to 1000000000",
        ),
        (
            &["eta", "set", "K", "unknown", "--reason", "a\nb"],
            "--reason: \"a\\nb\" holds a line break (LF); remove it",
        ),
        (&["receive", "", "1"], "SKU: \"\" is empty; it must be given"),
        (
            &["receive", "K", "0"],
            "QTY: 0 moves nothing; write the units that arrived, or a negative number to take units back",
        ),
        (
            &["ship", "1", "--url", "x"],
            "--url: \"x\" is not a link; write it as https://example.com/track?id=1",
        ),
        (
            &["ship", "1", "--line", "K=0"],
            "--line: \"0\" is not a number of units; write SKU=2, or SKU alone for all that is open",
        ),
        (&["refund", "1", "--amount", " "], "--amount: \" \" is empty; it must be given"),
    ];
    for (args, wanted) in cases {
        assert_eq!(shop.run(args), (2, String::new(), format!("shipby: {wanted}\n")));
    }
    let (exit, _, stderr) = shop.run(&["ship", "1"]);
    assert_eq!(exit, 69, "{stderr}");
    assert!(!shop.path("shipby.db").exists());
}

#[test]
fn commands_of_several_processes_at_once_lose_nothing() {
    let shop = Shop::with(&[ORDER]);
    let runs: Vec<_> =
        (0..8).map(|_| shop.command(&["receive", "KETTLE-01", "1"]).spawn().unwrap()).collect();
    let sets: Vec<_> = (10..14)
        .map(|day| {
            shop.command(&["eta", "set", "KETTLE-01", &format!("2026-12-{day}"), "--supply", "PO-1"])
                .spawn()
                .unwrap()
        })
        .collect();
    for child in runs.into_iter().chain(sets) {
        let (exit, _, stderr) = super::came(child.wait_with_output().unwrap());
        assert_eq!(exit, 0, "{stderr}");
    }
    let facts = shop.read_facts("receipt");
    assert_eq!(facts.len(), 8);
    assert_eq!(shop.read_facts("supply").len(), 4, "each of the dates was set");
}

#[test]
fn init_writes_the_files_to_start_from_and_overwrites_nothing() {
    let shop = Shop::new();
    let (exit, stdout, _) = shop.run(&["init", "new"]);
    assert_eq!(exit, 0);
    assert_eq!(
        stdout.lines().skip(1).collect::<Vec<_>>(),
        [
            "shipby check --config new/config.toml   proves them",
            "shipby serve --config new/config.toml   runs the daemon; no mail leaves this machine",
            "mode = \"live\" under [delivery] sends to your customers, once [shop] and [smtp] are yours",
        ]
    );
    assert_eq!(shop.read("new/config.toml"), std::fs::read_to_string("config.toml").unwrap());
    shipby::templates::TemplateSet::load(&shop.path("new/templates")).unwrap();
    shop.write("new/config.toml", "mine");
    let refused = "shipby: new/config.toml is there already; nothing was written\n";
    assert_eq!(shop.run(&["init", "new"]), (1, String::new(), refused.into()));
    assert_eq!(shop.read("new/config.toml"), "mine");
}

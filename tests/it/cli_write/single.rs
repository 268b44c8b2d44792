//! Commands that record one fact, and `init`.

use chrono::TimeDelta;
use shipby::clock::Clock;
use shipby::domain::policy::Policy;
use shipby::planner;
use shipby::templates::TemplateSet;

use super::{ORDER, Shop, bytes_of, without_ids};

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
    let written = TemplateSet::draft(&shop.path("new/templates")).unwrap();
    assert_eq!(written.hash(), TemplateSet::compiled_in().unwrap().hash());
    shop.write("new/config.toml", "mine");
    let refused = "shipby: new/config.toml is there already; nothing was written\n";
    assert_eq!(shop.run(&["init", "new"]), (1, String::new(), refused.into()));
    assert_eq!(shop.read("new/config.toml"), "mine");
}

/// Orders B1 to B4, told 2027-03-20, of which B4 has no address.
fn four_that_wait() -> Shop {
    let order = |number: u32, email: &str| {
        format!(
            r#"{{"fact":"order","at":"2026-03-02T08:1{number}:00Z","order":"B{number}","placed_at":"2026-03-02T08:1{number}:00Z","customer":{{"email":{email}}},"lines":[{{"id":"1","sku":"KETTLE-01","title":"Kettle","quantity":1,"kind":"backorder","promised":"2027-03-20"}}]}}"#
        )
    };
    let supply = r#"{"fact":"supply","at":"2026-03-02T08:00:00Z","sku":"KETTLE-01","supply":"PO-77","eta":"2027-03-16","state":"in_transit"}"#;
    let ana = "\"ana@example.com\"";
    Shop::with(&[supply, &order(1, ana), &order(2, ana), &order(3, ana), &order(4, "null")])
}

/// What a daemon would do now.
fn plan(shop: &Shop) {
    shop.ask(async |store| {
        let policy = Policy { zone: chrono_tz::Europe::Berlin, ..Policy::default() };
        planner::turn(&store, &policy, Clock::System.now()).await.unwrap();
        store.close().await;
    });
}

#[test]
fn a_dry_run_says_whom_a_date_would_mail_and_changes_nothing() {
    let shop = four_that_wait();
    plan(&shop);
    let before = bytes_of(shop.dir.path());
    let (exit, said) = says(&shop, &["eta", "set", "KETTLE-01", "2027-03-27", "--dry-run"]);
    assert_eq!(exit, 0);
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines[0], "KETTLE-01 PO-77: 2027-03-27, before that 2027-03-16.");
    assert_eq!(lines[1], "3 mails would go out:");
    assert!(lines[2].trim().starts_with("3  date_slip"), "{said}");
    assert_eq!(lines[3], "  1 no address");
    assert_eq!(lines[4], "  order B1  date_slip  told 20 Mar 2027, would be told 31 Mar 2027");
    assert!(said.ends_with("Nothing was changed: this was a dry run.\n"), "{said}");
    let document = shop.json(&["receive", "KETTLE-01", "2", "--dry-run"]);
    assert_eq!((&document["result"], &document["mails"]), (&"dry_run".into(), &2.into()));
    assert_eq!(document["impact"]["mails"]["restock"]["count"], 2);
    assert_eq!(bytes_of(shop.dir.path()), before);
    let (_, said) = says(&shop, &["eta", "set", "KETTLE-01", "2027-03-17", "--dry-run"]);
    assert!(said.contains("Nobody would be mailed because of it.\n  3 would hear nothing of it\n"), "{said}");
}

#[test]
fn what_no_daemon_has_planned_yet_is_said_to_be_so_and_not_what_was_true_before() {
    let shop = four_that_wait();
    let not_yet = "is not planned yet, `shipby serve` does that";
    let asked: [&[&str]; 4] = [&["why", "B1"], &["order", "show", "B1"], &["upcoming"], &["digest"]];
    for args in asked {
        assert!(says(&shop, args).1.contains(not_yet), "{args:?}");
        assert!(!shop.json(args)["uncovered_since"].is_null());
    }
    plan(&shop);
    for args in asked {
        assert!(!says(&shop, args).1.contains(not_yet), "{args:?}");
        assert!(shop.json(args)["uncovered_since"].is_null());
    }
    assert_eq!(shop.run(&["eta", "set", "TEAPOT", "2030-01-01"]).0, 0);
    assert!(!says(&shop, &["why", "B1"]).1.contains(not_yet), "it has nothing of that SKU");
    assert!(says(&shop, &["upcoming"]).1.contains(not_yet));
}

#[test]
fn a_number_with_or_without_its_hash_is_answered_with_the_one_that_is_known() {
    let shop = Shop::with(&[ORDER, &ORDER.replace("1042", "#77")]);
    for args in
        [&["why", "#1042"][..], &["order", "show", "#1042"], &["order", "address", "#1042", "a@example.com"]]
    {
        let none = "shipby: there is no order \"#1042\"; did you mean 1042?\n".to_owned();
        assert_eq!(shop.run(args), (4, String::new(), none), "{args:?}");
    }
    let (exit, _, said) = shop.run(&["history", "77"]);
    assert_eq!(exit, 4);
    assert!(said.contains("there is no order \"77\"; did you mean '#77'?"), "{said}");
}

#[test]
fn units_that_shipped_without_a_receipt_are_wanted_from_the_next_one() {
    let shop = four_that_wait();
    assert_eq!(shop.run(&["ship", "B1"]).0, 0);
    plan(&shop);
    let (_, said) = says(&shop, &["why", "B2"]);
    assert!(said.contains("when 2 units of KETTLE-01 have been received"), "{said}");
    assert_eq!(shop.run(&["receive", "KETTLE-01", "1"]).0, 0);
    plan(&shop);
    let (_, said) = says(&shop, &["why", "B2"]);
    assert!(said.contains("when 1 unit of KETTLE-01 has been received"), "{said}");
    assert_eq!(shop.run(&["receive", "KETTLE-01", "1"]).0, 0);
    plan(&shop);
    assert!(shop.order("B2").unwrap().lines[0].is_in_house());
}

#[test]
fn a_held_batch_is_listed_with_examples_and_goes_only_when_a_person_says_so() {
    let shop = four_that_wait();
    shop.write("config.toml", "[shop]\ntimezone = \"Europe/Berlin\"\n[delivery]\nblast_limit = 2\n");
    let plan = |blast_limit, after: TimeDelta| {
        shop.ask(async |store| {
            let policy = Policy { zone: chrono_tz::Europe::Berlin, blast_limit, ..Policy::default() };
            planner::turn(&store, &policy, Clock::System.now() + after).await.unwrap();
            store.close().await;
        });
    };
    plan(200, TimeDelta::zero());
    let (_, said) = says(&shop, &["eta", "set", "KETTLE-01", "2027-03-27", "--dry-run"]);
    assert!(said.contains("more than delivery.blast_limit (2): they would be held"), "{said}");
    shop.run(&["eta", "set", "KETTLE-01", "2027-03-27"]);
    plan(2, TimeDelta::zero());
    plan(2, TimeDelta::hours(1));
    let (exit, listed) = says(&shop, &["queue", "list"]);
    assert_eq!(exit, 0);
    let named = "batch 1 (3 mails: KETTLE-01, supply PO-77, expected 2027-03-27, before that 2027-03-16)";
    assert!(listed.contains(named), "{listed}");
    assert!(listed.contains("B1  date_slip  told 20 Mar 2027, would be told 31 Mar 2027"), "{listed}");
    assert_eq!(shop.json(&["queue", "list"])["held"][0]["notices"], 3);
    let (_, why) = says(&shop, &["why", "B1"]);
    assert!(why.contains("held") && why.contains("until `shipby queue release 1`"), "{why}");
    let (exit, asked) = says(&shop, &["queue", "release", "1"]);
    assert_eq!(exit, 2);
    assert!(asked.contains("nobody is there to be asked; add --yes"), "{asked}");
    assert_eq!(says(&shop, &["queue", "release", "7", "--yes"]).0, 4);
    let done = "Batch 1 is released: 3 mails will go out, with what is true now.\n";
    assert_eq!(says(&shop, &["queue", "release", "1", "--yes"]), (0, done.to_owned()));
    assert_eq!(says(&shop, &["queue", "drop", "1", "--yes"]).0, 4, "it is not held any more");
    plan(2, TimeDelta::hours(1));
    assert_eq!(shop.json(&["queue", "list"])["total"], 3);
}

//! `shipby import`: whole or not at all, in the order of `at`, as often as one likes.

use std::time::{Duration, Instant};

use shipby::clock::Clock;

use super::{ORDER, Shop, bytes_of, came};

const HEADER: &str = "order,placed_at,email,name,line,sku,title,quantity,kind,promised\n";
const GOOD: &str =
    "1042,2026-03-02T08:14:00Z,ana@example.com,Ana,1,KETTLE-01,Kettle,1,backorder,2026-12-20\n";
const BAD: &str = "1043,2026-03-02T09:14:00Z,ben@,Ben,1,KETTLE-01,Kettle,1,backorder,\n";
const WORSE: &str = "1044,2026-03-02T09:15:00Z,cy@example.com,Cy,1,KETTLE-01,Kettle,3,backorder,03/04/26\n";
const SILENT: &str = "No mail about the past; the next news for each order comes as scheduled.\n\
    mode capture: customers get no mail\n";

const REFUSALS: &str = "open.csv:3 column email: \"ben@\" cannot be mailed: no domain stands after the @\n\
    open.csv:4 column promised: \"03/04/26\" can be read two ways; write 2026-04-03\n";

fn shop() -> Shop {
    let shop = Shop::new();
    shop.write("open.csv", &[HEADER, GOOD, BAD, WORSE].concat());
    shop
}

#[test]
fn a_bad_row_refuses_the_file_with_the_place_and_the_mend_and_nothing_is_written() {
    let shop = shop();
    let advice = "Nothing was written: 2 of 3 facts cannot be taken. Mend them, or take the rest with --skip-bad \
        --rejects FILE.\n";
    let (exit, stdout, stderr) = shop.run(&["import", "orders", "open.csv"]);
    assert_eq!((exit, stdout.as_str(), stderr), (1, "", [REFUSALS, advice].concat()));
    assert!(!shop.path("shipby.db").exists());
    let document = shop.json(&["import", "orders", "open.csv"]);
    assert_eq!((&document["result"], &document["rejected"]), (&"refused".into(), &2.into()));
    assert_eq!(
        (&document["refusals"][1]["line"], &document["refusals"][1]["column"]),
        (&4.into(), &"promised".into())
    );
}

#[test]
fn the_rest_can_be_taken_and_the_rejects_file_is_importable_once_it_is_mended() {
    let shop = shop();
    let skip = ["import", "orders", "open.csv", "--skip-bad", "--rejects", "rejects.csv"];
    let said = format!("3 facts: 1 new, 2 rejected (rejects.csv).\n{SILENT}");
    assert_eq!(shop.run(&skip), (3, said, REFUSALS.into()));
    let rejects = shop.read("rejects.csv");
    assert_eq!(rejects, [HEADER, BAD, WORSE].concat());
    let again = "shipby: --rejects rejects.csv is there already; name a new file\n";
    assert_eq!(shop.run(&skip), (2, String::new(), again.into()));

    shop.write("rejects.csv", &rejects.replace("ben@", "ben@example.com").replace("03/04/26", "2026-04-03"));
    let mended = ["import", "orders", "rejects.csv", "--skip-bad", "--rejects", "none.csv"];
    assert_eq!(shop.run(&mended), (0, format!("2 facts: 2 new.\n{SILENT}"), String::new()));
    assert!(!shop.path("none.csv").exists(), "no rejects, no file");
    assert!(shop.order("1043").is_some() && shop.order("1044").is_some());
}

#[test]
fn the_same_file_again_changes_nothing() {
    let shop = Shop::new();
    let label = r#"{"fact":"shipment","id":"S-1","order":"1042","tracking":"JD01","handed_over":false}"#;
    let supply = r#"{"fact":"supply","sku":"KETTLE-01","eta":"2026-12-20","state":"in_transit"}"#;
    let receipt = r#"{"fact":"receipt","id":"R-1","sku":"KETTLE-01","quantity":2}"#;
    shop.write("all.jsonl", &[ORDER, label, supply, receipt].join("\n"));
    let (exit, stdout, stderr) = shop.run(&["import", "all.jsonl"]);
    assert_eq!((exit, stderr.as_str()), (0, ""));
    assert!(stdout.starts_with("4 facts: 1 new, 2 changed, 1 unchanged.\n"), "{stdout}");
    let counts =
        |shop: &Shop| ["order", "label", "supply", "receipt"].map(|kind| shop.read_facts(kind).len());
    assert_eq!(counts(&shop), [1; 4]);
    assert_eq!(shop.run(&["import", "all.jsonl"]), (0, "4 facts: 4 unchanged.\n".into(), String::new()));
    assert_eq!(counts(&shop), [1; 4]);
}

#[test]
fn facts_are_applied_in_the_order_of_at_whatever_their_order_in_the_file() {
    let shop = Shop::new();
    let at = |at: &str, rest: &str| format!(r#"{{"at":"2026-03-0{at}:00:00Z",{rest}}}"#);
    let ship = at("4T08", r#""fact":"shipment","id":"S-1","order":"1042","lines":[{"id":"2"}]"#);
    let cancel = at("3T08", r#""fact":"cancel","id":"C-1","order":"1042","lines":["1"]"#);
    shop.write("all.jsonl", &[&ship, &cancel, ORDER].map(String::from).join("\n"));
    let (exit, _, stderr) = shop.run(&["import", "all.jsonl"]);
    assert_eq!((exit, stderr.as_str()), (0, ""));
    let order = shop.order("1042").unwrap();
    let open: Vec<u32> = order.lines.iter().map(shipby::domain::order::Line::open).collect();
    assert_eq!(open, [0, 0, 3]);
}

#[test]
fn what_the_orders_state_refuses_is_part_of_the_check_and_a_reject() {
    let shop = Shop::new();
    let ship = r#"{"fact":"shipment","id":"S-1","order":"1042"}"#;
    let again = r#"{"fact":"shipment","id":"S-2","order":"1042"}"#;
    let unknown = r#"{"fact":"refund","id":"F-1","order":"77","amount":"1 EUR"}"#;
    shop.write("all.jsonl", &[unknown, ORDER, ship, again].join("\n"));
    let refusals = "all.jsonl:1 there is no order 77; record the order first\n\
        all.jsonl:4 order 1042 is already shipped; nothing of it is open\n";
    let advice = "Nothing was written: 2 of 4 facts cannot be taken. Mend them, or take the rest with --skip-bad \
        --rejects FILE.\n";
    let whole = (1, String::new(), [refusals, advice].concat());
    assert_eq!(shop.run(&["import", "all.jsonl"]), whole);
    assert!(!shop.path("shipby.db").exists());
    assert_eq!(shop.run(&["import", "all.jsonl", "--dry-run"]), whole, "it says what the import would");
    let document = shop.json(&["import", "all.jsonl", "--dry-run"]);
    assert_eq!((&document["result"], &document["new"]), (&"refused".into(), &0.into()));
    assert_eq!(shop.run(&["import", "all.jsonl", "--dry-run", "--skip-bad"]).0, 3);
    let said = format!("4 facts: 1 new, 1 changed, 2 rejected (no.jsonl).\n{SILENT}");
    let taken = shop.run(&["import", "all.jsonl", "--skip-bad", "--rejects", "no.jsonl"]);
    assert_eq!(taken, (3, said, refusals.into()));
    assert_eq!(shop.read("no.jsonl"), format!("{unknown}\n{again}\n"));
    assert_eq!(shop.read_facts("shipment").len(), 1);
}

#[test]
fn a_dry_run_writes_nothing_whether_there_is_a_database_or_not() {
    let shop = Shop::new();
    shop.write("all.jsonl", ORDER);
    let dry = ["import", "all.jsonl", "--dry-run"];
    let nobody = "Nobody would be mailed because of it.\n  1 would hear nothing of it\n\
        Nothing was written: this was a dry run.\n";
    let said = format!("1 fact: 1 new.\n{nobody}{SILENT}");
    assert_eq!(shop.run(&dry), (0, said, String::new()));
    assert!(!shop.path("shipby.db").exists());
    assert_eq!(shop.run(&["import", "all.jsonl"]).0, 0);
    let before = bytes_of(shop.dir.path());
    shop.write("all.jsonl", &ORDER.replace("\"quantity\":2", "\"quantity\":7").replace("03-02", "03-03"));
    assert_eq!(shop.run(&dry), (0, format!("1 fact: 1 changed.\n{nobody}"), String::new()));
    assert_eq!(bytes_of(shop.dir.path()), before);
    shop.write("all.jsonl", &ORDER.replace("1042", "1043"));
    let document = shop.json(&["import", "all.jsonl", "--dry-run", "--notify", "all"]);
    assert_eq!(document["impact"]["mails"], 1);
    assert_eq!(document["impact"]["impact"]["mails"]["confirmation"]["count"], 1);
    assert_eq!(document["impact"]["impact"]["examples"][0]["order"], "1043");
    assert_eq!(bytes_of(shop.dir.path()), before);
}

#[test]
fn an_order_whose_rows_stand_apart_is_left_out_whole_and_its_rejects_can_be_imported() {
    let shop = Shop::new();
    let row = |order: &str, line: u32, sku: &str| {
        format!("{order},2026-03-02T08:14:00Z,ana@example.com,Ana,{line},{sku},Kettle,1,backorder,\n")
    };
    let (one, other, two) = (row("1", 1, "A"), row("1", 2, "B"), row("2", 1, "A"));
    shop.write("open.csv", &[HEADER, &one, &two, &other].concat());
    let refusals = "open.csv:2 column order: \"1\" stands on line 4 again; put the rows of one order together\n\
        open.csv:4 column order: \"1\" stands on line 2 already; put the rows of one order together\n";
    let said = format!("3 facts: 1 new, 2 rejected (no.csv).\n{SILENT}");
    let skip = ["import", "orders", "open.csv", "--skip-bad", "--rejects", "no.csv"];
    assert_eq!(shop.run(&skip), (3, said, refusals.into()));
    assert!(shop.order("1").is_none() && shop.order("2").is_some());
    assert_eq!(shop.read("no.csv"), [HEADER, &one, &other].concat());
    assert_eq!(shop.run(&["import", "orders", "no.csv"]).0, 0);
    assert_eq!(shop.order("1").unwrap().lines.len(), 2);
}

#[test]
fn an_export_without_line_numbers_and_without_what_has_shipped_cancels_nothing() {
    let shop = Shop::new();
    let header = "order,placed_at,email,sku,title,quantity,kind\n";
    let row = |sku: &str| format!("1,2026-03-02T08:14:00Z,ana@example.com,{sku},Kettle,1,backorder\n");
    shop.write("open.csv", &[header, &row("KETTLE"), &row("POT")].concat());
    assert_eq!(shop.run(&["import", "orders", "open.csv"]).0, 0);
    assert_eq!(shop.run(&["ship", "1", "--line", "KETTLE"]).0, 0);
    shop.write("open.csv", &[header, &row("POT")].concat());
    let (exit, said, _) = shop.run(&["import", "orders", "open.csv"]);
    assert_eq!((exit, said.as_str()), (0, "1 fact: 1 unchanged.\n"));
    let order = shop.order("1").unwrap();
    let open: Vec<_> = order.lines.iter().map(|line| (line.sku.as_str(), line.open())).collect();
    assert_eq!(open, [("KETTLE", 0), ("POT", 1)]);
}

#[test]
fn a_dry_run_says_when_news_that_waits_for_the_window_would_go_out_and_leaves_out_what_comes_in_any_case() {
    let shop = Shop::with(&[ORDER]);
    let closed = Clock::System.now() - chrono::TimeDelta::hours(1);
    let (from, to) = (closed - chrono::TimeDelta::minutes(2), closed);
    let window = format!("{}-{}", from.format("%H:%M"), to.format("%H:%M"));
    // Two minutes a day, and the last two are an hour ago.
    shop.write("config.toml", &format!("[schedule]\nsend_window = \"{window}\"\n"));
    shop.write("all.jsonl", r#"{"fact":"receipt","id":"R-1","sku":"KETTLE-01","quantity":2}"#);
    let document = shop.json(&["import", "all.jsonl", "--dry-run"]);
    let restock = &document["impact"]["impact"]["mails"]["restock"];
    assert_eq!((&document["impact"]["mails"], &restock["count"]), (&1.into(), &1.into()));
    let at: chrono::DateTime<chrono::Utc> = restock["first_at"].as_str().unwrap().parse().unwrap();
    assert!(at > Clock::System.now() + chrono::TimeDelta::hours(22), "{at}");
    shop.write("other.jsonl", r#"{"fact":"receipt","id":"R-2","sku":"CUP-02","quantity":2}"#);
    let other = shop.json(&["import", "other.jsonl", "--dry-run"]);
    assert_eq!(other["impact"]["mails"], 0, "the receipt of another SKU mails nobody");
}

#[test]
fn a_dry_run_counts_what_the_blast_guard_counts_each_change_by_itself() {
    let supply = |sku: &str, eta: &str, at: &str| {
        format!(
            r#"{{"fact":"supply","at":"2026-03-0{at}T08:00:00Z","sku":"{sku}","supply":"PO","eta":"{eta}","state":"in_transit"}}"#
        )
    };
    let order = |number: u32, sku: &str| {
        format!(
            r#"{{"fact":"order","at":"2026-03-02T08:14:00Z","order":"{number}","placed_at":"2026-03-02T08:14:00Z","customer":{{"email":"ana@example.com"}},"lines":[{{"id":"1","sku":"{sku}","title":"Kettle","quantity":1,"kind":"backorder","promised":"2030-03-20"}}]}}"#
        )
    };
    let mut facts = vec![supply("A", "2030-03-16", "1"), supply("B", "2030-03-16", "1")];
    facts.extend([1, 2].map(|number| order(number, "A")));
    facts.extend([3, 4, 5].map(|number| order(number, "B")));
    let facts: Vec<&str> = facts.iter().map(String::as_str).collect();
    let shop = Shop::with(&facts);
    let held = |limit: usize| {
        shop.write("config.toml", &format!("[delivery]\nblast_limit = {limit}\n"));
        shop.write(
            "late.jsonl",
            &[supply("A", "2030-04-16", "4"), supply("B", "2030-04-16", "4")].join("\n"),
        );
        let impact = &shop.json(&["import", "late.jsonl", "--dry-run"])["impact"];
        (impact["mails"].clone(), impact["would_be_held"].clone(), impact["impact"]["held"].clone())
    };
    assert_eq!(held(3), (5.into(), false.into(), 0.into()));
    assert_eq!(held(2), (5.into(), true.into(), 3.into()));
    assert_eq!(held(1), (5.into(), true.into(), 5.into()));
}

#[test]
fn standard_input_is_checked_whole_too() {
    let shop = Shop::new();
    let (exit, _, stderr) = shop.run_on(&["import", "orders", "-"], &[HEADER, GOOD, BAD].concat());
    assert_eq!(exit, 1);
    assert!(stderr.starts_with("<stdin>:3 column email: \"ben@\""), "{stderr}");
    assert!(!shop.path("shipby.db").exists());
    assert_eq!(shop.run_on(&["import", "orders", "-"], &[HEADER, GOOD].concat()).0, 0);
    assert_eq!(shop.run_on(&["import", "-"], ORDER).0, 0);
    assert!(shop.order("1042").is_some());
}

#[test]
fn at_most_twenty_refusals_are_shown_and_the_others_counted() {
    let shop = Shop::new();
    shop.write("bad.jsonl", &"nonsense\n".repeat(1_250));
    let (exit, _, stderr) = shop.run(&["import", "bad.jsonl"]);
    assert_eq!(exit, 1);
    assert_eq!(stderr.lines().filter(|line| line.starts_with("bad.jsonl:")).count(), 20);
    assert!(stderr.contains("\nand 1,230 more\n"), "{stderr}");
}

#[test]
fn a_file_that_cannot_be_read_at_all_is_refused_by_its_name_or_its_header() {
    let shop = Shop::new();
    shop.write("open.csv", "order,placed,email\n");
    shop.write("open.txt", "");
    let cases: &[(&[&str], i32, &str)] = &[
        (
            &["import", "open.csv"],
            2,
            "shipby: open.csv: a CSV holds one kind of facts; say which: orders, supply, receipts or shipments\n",
        ),
        (
            &["import", "open.txt"],
            2,
            "shipby: open.txt: its name does not say how it is written; name it .csv or .jsonl\n",
        ),
        (
            &["import", "letters", "open.csv"],
            2,
            "shipby: letters: write orders, supply, receipts or shipments, and then the file\n",
        ),
        (&["import", "orders"], 2, "shipby: orders: that is what a CSV is about; name the file as well\n"),
        (&["import", "orders", "open.csv.gz"], 2, "shipby: open.csv.gz: it is compressed; unpack it first\n"),
        (
            &["import", "orders", "open.xlsx"],
            2,
            "shipby: open.xlsx: it is a spreadsheet's own format; save it as CSV there\n",
        ),
        (
            &["import", "orders", "open.csv"],
            1,
            "open.csv:1 column placed: is not known; did you mean placed_at?\nNothing was written.\n",
        ),
        (&["import", "none.jsonl"], 1, "shipby: none.jsonl: No such file or directory (os error 2)\n"),
    ];
    for (args, exit, stderr) in cases {
        assert_eq!(shop.run(args), (*exit, String::new(), (*stderr).to_owned()));
    }
}

#[test]
fn a_new_order_is_confirmed_only_where_all_is_to_be_told() {
    let shop = Shop::new();
    shop.write("a.jsonl", ORDER);
    shop.write("b.jsonl", &ORDER.replace("1042", "1043"));
    assert_eq!(shop.run(&["import", "a.jsonl"]).0, 0);
    let (exit, stdout, _) = shop.run(&["import", "b.jsonl", "--notify", "all"]);
    assert_eq!(exit, 0);
    assert!(stdout.contains("Each new order is confirmed by mail"), "{stdout}");
    assert!(shop.order("1042").unwrap().contact.confirmed);
    assert!(!shop.order("1043").unwrap().contact.confirmed);
}

#[test]
fn an_import_waits_for_another_process_that_is_writing() {
    let shop = Shop::with(&[ORDER]);
    shop.write("more.jsonl", &ORDER.replace("1042", "1043"));
    let begun = Instant::now();
    let child = shop.ask_raw(async |mut raw| {
        raw.lock_writes().await;
        let child = shop.command(&["import", "more.jsonl"]).spawn().unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        raw.unlock_writes().await;
        child
    });
    let (exit, _, stderr) = came(child.wait_with_output().unwrap());
    assert_eq!((exit, stderr.as_str()), (0, ""));
    assert!(begun.elapsed() >= Duration::from_secs(1));
    assert!(shop.order("1043").is_some());
}

#[test]
fn two_imports_at_once_lose_nothing() {
    let shop = Shop::with(&[ORDER]);
    let facts = |prefix: &str| {
        let order = |n| ORDER.replace("1042", &format!("{prefix}{n}"));
        (0..1_500).map(order).collect::<Vec<_>>().join("\n")
    };
    let children = ["a", "b"].map(|name| {
        shop.write(&format!("{name}.jsonl"), &facts(name));
        shop.command(&["import", &format!("{name}.jsonl")]).spawn().unwrap()
    });
    for child in children {
        let (exit, stdout, stderr) = came(child.wait_with_output().unwrap());
        assert_eq!((exit, stderr.as_str()), (0, ""));
        assert!(stdout.starts_with("1,500 facts: 1,500 new.\n"), "{stdout}");
    }
    assert_eq!(shop.read_facts("order").len(), 3_001);
}

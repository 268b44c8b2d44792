//! Files as shops write them: what is taken, and what each refusal says. A refusal is printed after `open.csv:`.

use chrono::{DateTime, TimeZone, Utc};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::json;
use shipby::domain::fact::{Fact, LineKind};
use shipby::intake::{CsvKind, Format, FormatError, Row, Rows, format_of, to_json};

fn now() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 3, 2, 12, 0, 0).unwrap()
}

fn rows(format: Format, text: impl AsRef<[u8]>) -> Vec<Row> {
    Rows::new(text.as_ref(), format, now()).unwrap().map(Result::unwrap).collect()
}

/// The facts as JSON, and the refusals as they are printed.
fn read(format: Format, text: impl AsRef<[u8]>) -> Vec<Result<serde_json::Value, String>> {
    let told = |row: Row| row.result.as_ref().map(to_json).map_err(|error| format!("open.csv:{error}"));
    rows(format, text).into_iter().map(told).collect()
}

fn refusals(format: Format, text: impl AsRef<[u8]>) -> Vec<String> {
    read(format, text).into_iter().filter_map(Result::err).collect()
}

fn header_refusal(kind: CsvKind, header: impl AsRef<[u8]>) -> String {
    let refused = Rows::new(header.as_ref(), Format::Csv(kind), now()).err().unwrap();
    format!("open.csv:{refused}")
}

const ORDERS: Format = Format::Csv(CsvKind::Orders);
const HEADER: &str = "order,placed_at,email,name,line,sku,title,quantity,kind,promised\n";

/// One order in one row, with one cell changed.
fn order_with(column: &str, cell: &str) -> String {
    let cells = [
        "1042",
        "2026-03-02T08:14:00Z",
        "ana@example.com",
        "Ana",
        "1",
        "K-1",
        "Kettle",
        "1",
        "backorder",
        "2026-03-20",
    ];
    let row: Vec<_> = HEADER
        .trim()
        .split(',')
        .zip(cells)
        .map(|(name, old)| if name == column { cell } else { old })
        .collect();
    format!("{HEADER}{}\n", row.join(","))
}

#[test]
fn every_example_of_the_product_page_is_read() {
    let text = r#"{"fact":"order","at":"2026-03-02T08:14:00Z","order":"1042","placed_at":"2026-03-02T08:14:00Z","channel":"web","payment":"authorized","currency":"EUR","partial":"split","customer":{"email":"ana@example.com","name":"Ana","locale":"de","timezone":"Europe/Berlin","country":"DE"},"lines":[{"id":"1","sku":"KETTLE-01","title":"Kettle","quantity":1,"unit_price":"49.90","kind":"backorder","promised":"2026-03-20"},{"id":"2","sku":"CUP-02","title":"Cup","quantity":4,"kind":"in_stock"}]}
{"fact":"supply","sku":"KETTLE-01","supply":"PO-77","quantity":60,"eta":"2026-03-27","state":"in_transit","supplier":"Acme","confirmed":true,"cause":"supplier","reason":"factory delay","alternative":null,"goodwill":null}
{"fact":"receipt","id":"R-1","sku":"KETTLE-01","supply":"PO-77","quantity":60}

{"fact":"shipment","id":"S-1","order":"1042","lines":[{"id":"1","quantity":1}],"carrier":"DHL","tracking":"JD01","url":"https://dhl.example/JD01","handed_over":true}
{"fact":"cancel","id":"C-1","order":"1042","lines":["1"],"by":"customer","reason":"too late"}
{"fact":"refund","id":"F-1","order":"1042","amount":"49.90 EUR","reference":"re_123"}"#;
    let plain = rows(Format::Jsonl, text);
    assert_eq!(
        plain.iter().map(|row| row.line).collect::<Vec<_>>(),
        [1, 2, 3, 5, 6, 7],
        "blank lines are counted"
    );
    let facts: Vec<_> = plain.iter().map(|row| row.result.clone().unwrap()).collect();
    assert_eq!(facts[2].at(), now(), "at is now unless said");

    let windows = format!("\u{feff}{}", text.replace('\n', "\r\n"));
    let same: Vec<_> = rows(Format::Jsonl, windows).into_iter().map(|row| row.result.unwrap()).collect();
    assert_eq!(same, facts, "a byte-order mark and CRLF change nothing");
}

#[test]
fn a_line_that_is_no_json_is_refused_with_its_byte() {
    let deep = "[".repeat(300);
    let mut text = format!("{{\"fact\":}}\n{{\"fact\"\n[{{}}]\n{{\"x\":{deep}\n").into_bytes();
    text.extend(b"{\"fact\":\"M\xfcller\"}\n");
    text.extend(b"{\"fact\":\"receipt\",\"id\":\"R\",\"sku\":\"A\",\"quantity\":1.5}\n");
    text.extend(vec![b' '; 2 << 20]);
    text.extend(b"x\n{\"fact\":\"receipt\",\"id\":\"R\",\"sku\":\"A\",\"quantity\":1}");
    let expected = [
        "open.csv:1:9 is not JSON: expected value",
        "open.csv:2:7 is not JSON: EOF while parsing an object; write a whole object on each line",
        "open.csv:3 begins an array; write one object on each line, without brackets around them",
        "open.csv:4:132 is not JSON: recursion limit exceeded",
        "open.csv:5:11 the byte 0xFC is not UTF-8; save the file as UTF-8",
        "open.csv:6 field quantity: 1.5 is not a whole number; write one from -1000000000 to 1000000000",
        "open.csv:7 is longer than 1 MiB; write one fact on each line",
    ];
    assert_eq!(refusals(Format::Jsonl, &text), expected);
    assert_eq!(rows(Format::Jsonl, &text).len(), 8, "the last line is taken");
}

#[test]
fn the_rows_of_one_order_make_one_order_whatever_the_columns_order() {
    let text = "\u{feff}kind;Quantity;title;sku;order;placed_at;email;promised;line\r\n\
        backorder;1;\"Kettle; red\";K-1;1042;2026-03-02T08:14:00Z;ana@example.com;2026-03-20;\r\n\
        in_stock;4;\"Cup \"\"XL\"\"\";C-2;1042;;;;\r\n\
        ;;;;;;;;\r\n\
        preorder;1;Pot;P-3;1043;2026-03-02T09:14:00+01:00;;;A\r\n";
    let got = rows(ORDERS, text);
    assert_eq!(got.iter().map(|row| row.line).collect::<Vec<_>>(), [2, 5]);
    let Ok(Fact::Order(first)) = &got[0].result else { panic!("{:?}", got[0]) };
    let lines: Vec<_> =
        first.lines.iter().map(|l| (l.id.as_str(), l.title.as_str(), l.quantity, l.kind)).collect();
    assert_eq!(
        lines,
        [("1", "Kettle; red", 1, LineKind::Backorder), ("2", "Cup \"XL\"", 4, LineKind::InStock)]
    );
    assert_eq!(first.customer.email.as_ref().unwrap().as_str(), "ana@example.com");
    let Ok(Fact::Order(second)) = &got[1].result else { panic!("{:?}", got[1]) };
    assert_eq!((second.lines[0].id.as_str(), second.at, second.customer.email.as_ref()), ("A", now(), None));
}

#[test]
fn a_refused_cell_is_named_by_line_and_column() {
    let cases = [
        ("promised", "03/04/26", "promised: \"03/04/26\" can be read two ways; write 2026-04-03"),
        ("promised", "20.03.26", "promised: \"20.03.26\" is not written as a date is here; write 2026-03-20"),
        ("order", "", "order: is missing; it must be given"),
        ("sku", "", "sku: is missing; it must be given"),
        ("quantity", "0", "quantity: 0 is out of bounds; write a whole number from 1 to 1000000"),
        ("quantity", "1.5", "quantity: \"1.5\" is not a whole number; write one from 1 to 1000000"),
        ("kind", "Backorder", "kind: \"Backorder\" is not known; write backorder, preorder or in_stock"),
        ("email", "ana@", "email: \"ana@\" cannot be mailed: no domain stands after the @"),
        ("line", "\"a\nb\"", "line: \"a\\nb\" holds a line break (LF); remove it"),
        (
            "placed_at",
            "2026-03-02 08:14:00",
            "placed_at: \"2026-03-02 08:14:00\" has no offset from UTC; write 2026-03-02T08:14:00Z if it is UTC, else as in 2026-03-02T08:14:00+01:00",
        ),
        (
            "name",
            "\"An\"a",
            "name: text follows the closing double quote; write a quote in a quoted cell twice",
        ),
        (
            "name",
            "\"Ana",
            "name: a double quote is opened and never closed; close it, or write it twice to have one in the cell",
        ),
    ];
    for (column, cell, says) in cases {
        assert_eq!(refusals(ORDERS, order_with(column, cell)), [format!("open.csv:2 column {says}")]);
    }
    assert_eq!(
        refusals(ORDERS, order_with("name", "Ana, B.")),
        [
            "open.csv:2 has 11 cells where the header has 10; put a cell that holds a separator in double quotes"
        ]
    );
    assert_eq!(
        refusals(ORDERS, format!("{HEADER}1042,x\n")),
        [
            "open.csv:2 has 2 cells where the header has 10; put a cell that holds a separator in double quotes"
        ]
    );
    let latin = order_with("name", "Bj#rn")
        .replace('#', "\u{1}")
        .into_bytes()
        .into_iter()
        .map(|b| if b == 1 { 0xf6 } else { b })
        .collect::<Vec<_>>();
    assert_eq!(refusals(ORDERS, latin), ["open.csv:2:45 the byte 0xF6 is not UTF-8; save the file as UTF-8"]);
}

#[test]
fn an_order_is_refused_with_all_its_rows_and_the_fault_names_the_right_one() {
    let text = format!(
        "{HEADER}\
        1,2026-03-02T08:14:00Z,a@example.com,\"Ana\nB\",1,K-1,Kettle,1,backorder,\n\
        1,2026-03-02T08:14:00Z,a@example.com,,2,K-2,Cup,0,backorder,\n\
        2,2026-03-02T08:14:00Z,b@example.com,Bo,1,K-1,Kettle,1,backorder,\n"
    );
    let got = rows(ORDERS, &text);
    assert_eq!(got[0].raw, text[HEADER.len()..text.find("\n2,").unwrap()]);
    assert_eq!(got[0].line, 2);
    // The break within the name is refused first; without it, the quantity is.
    assert_eq!(
        refusals(ORDERS, text.replace("Ana\nB", "Ana")),
        ["open.csv:3 column quantity: 0 is out of bounds; write a whole number from 1 to 1000000"]
    );
    assert!(got[1].result.is_ok());

    let rejects = format!("{HEADER}{}\n", got[0].raw);
    assert_eq!(
        rows(ORDERS, rejects.replace(",0,", ",2,").replace("Ana\nB", "Ana")).len(),
        1,
        "it can be mended and read again"
    );
}

#[test]
fn rows_of_one_order_that_disagree_or_stand_apart_are_refused() {
    let row = |order: &str, email: &str, line: u32| {
        format!("{order},2026-03-02T08:14:00Z,{email},Ana,{line},K-1,Kettle,1,backorder,\n")
    };
    let text = format!(
        "{HEADER}{}{}{}{}{}",
        row("1", "a@example.com", 1),
        row("1", "b@example.com", 2),
        row("2", "c@example.com", 1),
        row("1", "a@example.com", 3),
        row("3", "d@example.com", 1)
    );
    assert_eq!(
        refusals(ORDERS, text),
        [
            "open.csv:3 column email: \"b@example.com\" differs from \"a@example.com\" on line 2; the rows of one order must agree",
            "open.csv:5 column order: \"1\" stands on line 2 already; put the rows of one order together",
        ]
    );
}

#[test]
fn a_row_that_does_not_say_its_order_refuses_both_orders_it_may_belong_to() {
    let row =
        |order: &str| format!("{order},2026-03-02T08:14:00Z,a@example.com,Ana,,K-1,Kettle,1,backorder,\n");
    let text = format!("{HEADER}{}{}{}{}", row("1"), row(""), row("2"), row("3"));
    assert_eq!(
        refusals(ORDERS, &text),
        [
            "open.csv:3 column order: is missing; it must be given",
            "open.csv:4 column order: \"2\" may lack a line: line 3 could not be read; mend that line",
        ]
    );
    assert_eq!(rows(ORDERS, &text).len(), 3);
}

#[test]
fn a_quote_left_open_refuses_the_order_whose_row_it_swallowed() {
    let row = |order: &str, name: &str| {
        format!("{order},2026-03-02T08:14:00Z,a@example.com,{name},,K-1,Kettle,1,backorder,\n")
    };
    let rest = row("2", "Bo") + &row("3", "Cy");
    let text = format!("{HEADER}{}{}{rest}", row("1", "\"Ana"), row("2", "\"Bo\""));
    let lost = "open.csv:4 column order: \"2\" may lack a line: line 2 could not be read; mend that line";
    let open =
        "open.csv:2 column name: text follows the closing double quote; write a quote in a quoted cell twice";
    assert_eq!(refusals(ORDERS, text), [open, lost]);

    let text = format!("{HEADER}{}{}{rest}", row("1", "\"Ana"), row("2", "Bo\""));
    let said = refusals(ORDERS, text);
    assert!(said[0].ends_with("holds a line break (LF); remove it"), "{said:?}");
    assert_eq!(said[1..], [lost]);
}

#[test]
fn an_order_without_end_does_not_fill_the_memory() {
    let mut text = HEADER.to_owned();
    for _ in 0..10_002 {
        text.push_str("1,2026-03-02T08:14:00Z,a@example.com,Ana,,K-1,Kettle,1,backorder,\n");
    }
    assert_eq!(
        refusals(ORDERS, text),
        [
            "open.csv:10002 is one row too many for one order; write at most 10000 rows and 16 MiB",
            "open.csv:10002 column order: \"1\" stands on line 2 already; put the rows of one order together",
        ]
    );
}

#[test]
fn supply_receipts_and_shipments_are_read_from_csv() {
    let supply = read(
        Format::Csv(CsvKind::Supply),
        "sku,supply,quantity,eta,state,reason,confirmed\nK-1,PO-77,60,2026-03-20/2026-03-27,in_transit,factory delay,no\nK-2,,,,planned,,\nK-3,,,soon,planned,,\nK-4,,,,planned,,maybe\n",
    );
    assert_eq!(
        supply,
        [
            Ok(
                json!({"fact":"supply","at":"2026-03-02T12:00:00.000Z","sku":"K-1","supply":"PO-77","quantity":60,"eta":"2026-03-20/2026-03-27","state":"in_transit","reason":"factory delay","confirmed":false})
            ),
            Ok(
                json!({"fact":"supply","at":"2026-03-02T12:00:00.000Z","sku":"K-2","state":"planned","confirmed":true})
            ),
            Err("open.csv:4 column eta: \"soon\" is not a date; write it as 2026-03-20".into()),
            Err("open.csv:5 column confirmed: \"maybe\" is neither true nor false; write one of them".into()),
        ]
    );
    let receipts = read(
        Format::Csv(CsvKind::Receipts),
        "id,sku,supply,quantity,at\nR-1,K-1,PO-77,60,2026-03-02T08:00:00Z\nR-2,K-1,,-2,2026-03-02T09:00:00Z\nR-3,K-1,,0,\n,K-1,,1,\n",
    );
    assert_eq!(receipts, [
        Ok(json!({"fact":"receipt","at":"2026-03-02T08:00:00.000Z","id":"R-1","sku":"K-1","supply":"PO-77","quantity":60})),
        Ok(json!({"fact":"receipt","at":"2026-03-02T09:00:00.000Z","id":"R-2","sku":"K-1","quantity":-2})),
        Err("open.csv:4 column quantity: 0 moves nothing; write the units that arrived, or a negative number to take units back".into()),
        Err("open.csv:5 column id: is missing; it must be given".into()),
    ]);
    let shipments = read(
        Format::Csv(CsvKind::Shipments),
        "id,order,line,quantity,carrier,tracking,url,at,handed_over\nS-1,1042,1,1,DHL,JD01,https://dhl.example/JD01,2026-03-02T08:00:00Z,\nS-1,1042,2,,DHL,JD01,,,\nS-2,1043,,,,,,2026-03-02T08:00:00Z,false\nS-3,1044,,,,,ftp://x,,\nS-4,1,1,,,,,,\nS-4,1,,,,,,,\n",
    );
    assert_eq!(shipments, [
        Ok(json!({"fact":"shipment","at":"2026-03-02T08:00:00.000Z","id":"S-1","order":"1042","carrier":"DHL","tracking":"JD01","url":"https://dhl.example/JD01","handed_over":true,"lines":[{"id":"1","quantity":1},{"id":"2"}]})),
        Ok(json!({"fact":"shipment","at":"2026-03-02T08:00:00.000Z","id":"S-2","order":"1043","handed_over":false})),
        Err("open.csv:5 column url: \"ftp://x\" is not a link; write it as https://example.com/track?id=1".into()),
        Err("open.csv:7 column line: is missing; it must be given".into()),
    ]);
}

#[test]
fn a_header_that_cannot_be_taken_refuses_the_file() {
    let cases: [(CsvKind, &[u8], &str); 8] = [
        (CsvKind::Orders, b"order,promissed\n", "1 column promissed: is not known; did you mean promised?"),
        (
            CsvKind::Orders,
            b"\norder,sku\n",
            "2 the header of orders lacks placed_at, email, title, quantity, kind; its first row names the columns",
        ),
        (
            CsvKind::Receipts,
            b"id,sku,weight,quantity\n",
            "1 column weight: is not known; write id, sku, supply, quantity or at",
        ),
        (CsvKind::Receipts, b"id,sku,quantity,sku\n", "1 column sku: stands in the header twice; remove one"),
        (CsvKind::Receipts, b"id,sku,quantity,\n", "1 column 4: has no name; name it or remove it"),
        (
            CsvKind::Receipts,
            b"id\tsku\tquantity\n",
            "1 the columns are separated by tabs; separate them by commas or semicolons",
        ),
        (CsvKind::Receipts, b"", "1 the file is empty; its first row names the columns"),
        (CsvKind::Receipts, b"\xff\xfei\0d\0", "1:1 the byte 0xFF is not UTF-8; save the file as UTF-8"),
    ];
    for (kind, header, says) in cases {
        assert_eq!(header_refusal(kind, header), format!("open.csv:{says}"));
    }
    let rows =
        Rows::new(&b"\xef\xbb\xbfid,sku,quantity\r\n"[..], Format::Csv(CsvKind::Receipts), now()).unwrap();
    assert_eq!(rows.header(), Some("id,sku,quantity"), "a rejects file begins with it");
}

#[test]
fn a_files_ending_says_how_it_is_written() {
    let of = |path: &str, kind| format_of(path.as_ref(), kind);
    assert_eq!(of("a/open.JSONL", None), Ok(Format::Jsonl));
    assert_eq!(of("open.csv", Some(CsvKind::Supply)), Ok(Format::Csv(CsvKind::Supply)));
    assert_eq!(of("-", None), Ok(Format::Jsonl));
    assert_eq!(of("-", Some(CsvKind::Orders)), Ok(ORDERS));
    assert_eq!(of("open.csv", None), Err(FormatError::KindNeeded));
    assert_eq!(
        FormatError::KindNeeded.to_string(),
        "a CSV holds one kind of facts; say which: orders, supply, receipts or shipments"
    );
    assert_eq!(
        of("open.txt", Some(CsvKind::Orders)).unwrap_err().to_string(),
        "its name does not say how it is written; name it .csv or .jsonl"
    );
}

proptest! {
    #[test]
    fn whatever_a_file_holds_no_row_is_lost(bytes in prop::collection::vec(select(b"\n\r\",;1a \xff{}:".to_vec()), 0..120)) {
        let written = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).count();
        let body = String::from_utf8_lossy(&bytes).into_owned();
        for format in [Format::Jsonl, ORDERS, Format::Csv(CsvKind::Supply)] {
            let header = match format {
                Format::Jsonl => "",
                Format::Csv(CsvKind::Orders) => HEADER,
                Format::Csv(_) => "sku,eta,state\n",
            };
            let text = [header.as_bytes(), &bytes].concat();
            let kept: usize = rows(format, text).iter().map(|row| written(&row.raw)).sum();
            prop_assert_eq!(kept, written(&body), "{:?} of {:?}", body, format);
        }
    }
}

#[test]
fn what_spreadsheets_write_around_the_same_table_is_taken_for_the_same() {
    let text = "sep=;\norder;placed_at;email;sku;title;quantity;kind\n1;2026-03-02T08:14:00Z;a@example.com;K-1;Kettle;2.0;backorder\n";
    let read = read(ORDERS, text);
    assert_eq!(read[0].as_ref().unwrap()["lines"][0]["quantity"], 2);
    let supply = Format::Csv(CsvKind::Supply);
    let dateless = self::read(supply, "sku,eta,state\nK-1,unknown,in_transit\n");
    assert_eq!(dateless[0].as_ref().unwrap().get("eta"), None);
    assert_eq!(
        refusals(supply, "sku,eta,state,quantity\nK-1,,in_transit,2.5\n"),
        ["open.csv:2 column quantity: \"2.5\" is not a whole number; write one from 0 to 1000000000"]
    );
}

#[test]
fn a_name_that_stands_twice_in_an_object_is_refused_and_not_taken_as_the_last() {
    let order = |customer: &str| {
        format!(
            r#"{{"fact":"order","order":"1","customer":{{{customer}}},"lines":[{{"id":"1","sku":"K","title":"Kettle","quantity":1,"kind":"backorder"}}]}}"#
        )
    };
    let twice = order(r#""email":"ana@example.com","email":"bo@example.com""#);
    let said = refusals(Format::Jsonl, &twice);
    assert_eq!(said, ["open.csv:1:91 \"email\" stands in one object twice; remove one"]);
    assert_eq!(refusals(Format::Jsonl, order(r#""email":"ana@example.com""#)), [""; 0]);
}

#[test]
fn all_columns_that_are_not_known_are_named_at_once() {
    let said =
        header_refusal(CsvKind::Orders, "order,Total,placed_at,email,Tags,sku,title,quantity,kind,Note\n");
    assert!(said.starts_with("open.csv:1 column Total: is not known; "), "{said}");
    assert!(said.ends_with("; neither are Tags, Note: rename or remove them"), "{said}");
}

//! A file of facts: every row is a fact or a refusal that names its place, and a fact that is written is read back as
//! the same one. The first octet says what the file is said to hold.

#![no_main]

use chrono::DateTime;
use libfuzzer_sys::fuzz_target;
use shipby::intake::{CsvKind, Format, Rows, fact, to_json};

fuzz_target!(|data: &[u8]| {
    let Some((first, data)) = data.split_first() else { return };
    let format = match first % 5 {
        0 => Format::Csv(CsvKind::Orders),
        1 => Format::Csv(CsvKind::Supply),
        2 => Format::Csv(CsvKind::Receipts),
        3 => Format::Csv(CsvKind::Shipments),
        _ => Format::Jsonl,
    };
    let now = DateTime::from_timestamp_millis(1_772_438_400_000).unwrap();
    let rows = match Rows::new(data, format, now) {
        Ok(rows) => rows,
        Err(refused) => return assert!(!refused.to_string().is_empty()),
    };
    let mut line = 0;
    for row in rows {
        let row = row.expect("a slice can be read to its end");
        assert!(row.line > line, "line {} after line {line}", row.line);
        line = row.line;
        match row.result {
            Ok(read) => assert_eq!(fact(to_json(&read), now).as_ref(), Ok(&read)),
            Err(refused) => assert!(!refused.to_string().is_empty()),
        }
    }
});

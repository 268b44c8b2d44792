//! A CSV's rows taken apart into cells, as RFC 4180 has it.
//!
//! Done here because a rejects file needs each row's own text and a refusal its own line, and because a quote that is
//! never closed must not swallow the rest of the file in silence.

/// Where in a row we are, as far as it decides whether a line's end ends the row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    CellStart,
    Plain,
    Quoted,
    /// After a quote within quotes: it closes the cell, unless another follows.
    Closed,
}

/// Reads on through `bytes`. A row is over when a line has ended outside quotes.
pub(super) fn follow(state: State, bytes: &[u8], separator: u8) -> State {
    bytes.iter().fold(state, |state, byte| match (state, *byte) {
        (State::Quoted, b'"') => State::Closed,
        (State::Quoted, _) | (State::Closed | State::CellStart, b'"') => State::Quoted,
        (_, b) if b == separator => State::CellStart,
        _ => State::Plain,
    })
}

/// What is wrong with a cell's quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum QuoteFault {
    #[error("a double quote is opened and never closed; close it, or write it twice to have one in the cell")]
    Open,
    #[error("text follows the closing double quote; write a quote in a quoted cell twice")]
    After,
}

/// The cells of a row (without its line's end); with a fault, those up to the one that is at fault.
pub(super) fn cells(row: &str, separator: char) -> (Vec<String>, Option<QuoteFault>) {
    let mut cells = Vec::new();
    let mut rest = Some(row);
    while let Some(here) = rest {
        if let Some(quoted) = here.strip_prefix('"') {
            let Some((cell, after)) = quoted_cell(quoted) else { return (cells, Some(QuoteFault::Open)) };
            rest = after.strip_prefix(separator);
            if rest.is_none() && !after.is_empty() {
                return (cells, Some(QuoteFault::After));
            }
            cells.push(cell);
        } else if let Some((cell, after)) = here.split_once(separator) {
            cells.push(cell.to_owned());
            rest = Some(after);
        } else {
            cells.push(here.to_owned());
            rest = None;
        }
    }
    (cells, None)
}

/// A cell from behind its opening quote, and what follows its closing one.
fn quoted_cell(text: &str) -> Option<(String, &str)> {
    let mut cell = String::new();
    let mut rest = text;
    loop {
        let (part, after) = rest.split_once('"')?;
        cell.push_str(part);
        match after.strip_prefix('"') {
            Some(more) => {
                cell.push('"');
                rest = more;
            }
            None => return Some((cell, after)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn quotes_hold_separators_line_ends_and_quotes() {
        let (got, fault) = cells("a;\"b;\"\"c\"\"\r\nd\";24\" screen;", ';');
        assert_eq!(
            (got, fault),
            (vec!["a".into(), "b;\"c\"\r\nd".into(), "24\" screen".into(), String::new()], None)
        );
    }

    #[test]
    fn a_quote_left_open_or_closed_too_early_is_a_fault() {
        assert_eq!(cells("a,\"b", ','), (vec!["a".into()], Some(QuoteFault::Open)));
        assert_eq!(cells("a,\"b\"c,d", ','), (vec!["a".into()], Some(QuoteFault::After)));
    }

    proptest! {
        #[test]
        fn what_another_csv_writer_wrote_is_read_back(row in prop::collection::vec("[a\",;\r\n é]{0,6}", 2..6)) {
            let mut writer = ::csv::WriterBuilder::new().terminator(::csv::Terminator::Any(b'\n')).from_writer(Vec::new());
            writer.write_record(&row).unwrap();
            let text = String::from_utf8(writer.into_inner().unwrap()).unwrap();
            prop_assert_ne!(follow(State::CellStart, text.as_bytes(), b','), State::Quoted);
            let (got, fault) = cells(text.strip_suffix('\n').unwrap(), ',');
            prop_assert_eq!(fault, None);
            prop_assert_eq!(got, row);
        }
    }
}

//! A CSV read row by row, rows that make one fact together. One order's rows are held at a time, never the file.
//!
//! A fact is taken whole or not at all: a row that cannot be read refuses every order it may belong to.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, BufRead};

use super::csv::{self, State};
use super::fault::{RowError, quoted};
use super::json::{self, MOST_LINES};
use super::lines::{LONGEST, Lines, Next, utf8, without_end};
use super::table::{CsvKind, Record, Table};
use crate::domain::calendar::Instant;
use crate::domain::fact::Fact;

/// The most text of one order that is held, in bytes.
const MOST_TEXT: usize = 16 * LONGEST;

/// One fact's rows: a line of JSONL, or the rows of a CSV that make one fact.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The first line in the file, counted from 1.
    pub line: u64,
    /// The text as it stands in the file, without the last line's end. Bytes that are no UTF-8 are replaced, and of a
    /// row longer than 1 MiB the first MiB is kept; neither can be taken before it is mended.
    pub raw: String,
    pub result: Result<Fact, RowError>,
    /// Refuses an earlier row too: these turned out to be the rest of its order. It names that row's first line.
    pub tears: Option<RowError>,
}

/// A CSV's facts, one after the other.
pub(super) struct CsvRows<R> {
    lines: Lines<R>,
    pub(super) table: Table,
    /// Read already, and of the next fact.
    ahead: Option<Record>,
    seen: Seen,
    /// The line of a row whose order could not be read, or that may hide others: what follows may lack a line.
    unclear: Option<u64>,
    now: Instant,
}

impl<R: BufRead> CsvRows<R> {
    pub(super) fn new(reader: R, kind: CsvKind, now: Instant) -> Result<Self, RowError> {
        let mut lines = Lines::new(reader);
        let mut bytes = Vec::new();
        loop {
            bytes.clear();
            let next = lines
                .append(&mut bytes)
                .map_err(|e| RowError::row(lines.number() + 1, format!("cannot be read: {e}")))?;
            let line = lines.number();
            match next {
                Next::End => {
                    return Err(RowError::row(1, "the file is empty; its first row names the columns"));
                }
                Next::TooLong => {
                    return Err(RowError::row(line, "the header is longer than 1 MiB; is this a CSV file?"));
                }
                Next::Line => {}
            }
            let header = utf8(&bytes, line)?;
            // A line that tells a spreadsheet the separator is none of the table.
            let sets_separator = header.trim().to_ascii_lowercase().starts_with("sep=");
            if !header.trim().is_empty() && !sets_separator {
                let table = Table::new(kind, header, line)?;
                return Ok(Self { lines, table, ahead: None, seen: Seen::default(), unclear: None, now });
            }
        }
    }

    /// The next fact's rows, read or refused.
    pub(super) fn next_row(&mut self) -> io::Result<Option<Row>> {
        let first = match self.ahead.take() {
            Some(record) => record,
            None => match self.record()? {
                Some(record) => record,
                None => return Ok(None),
            },
        };
        let line = first.line;
        let before = self.unclear.take();
        let mut rows = vec![first];
        let whole = self.gather(&mut rows)?;
        if let Some(row) = rows.iter().rfind(|row| self.table.may_hide_rows(row)) {
            self.unclear = Some(row.line);
        }
        // Asked in any case: it also remembers where this order stood.
        let (apart, tears) = self.torn(&rows).unzip();
        let complete = apart.or_else(|| self.may_lack_a_line(&rows, before?)).map_or(Ok(()), Err);
        let result = whole.and(complete).and_then(|()| {
            let object = self.table.object(&rows)?;
            json::fact(object, self.now).map_err(|error| self.table.refusal(&error, &rows))
        });
        let raw: Vec<_> = rows.into_iter().map(|row| row.raw).collect();
        Ok(Some(Row { line, raw: raw.join("\n"), result, tears }))
    }

    /// Reads on while the rows belong to the first; the one that does not waits for the next call.
    fn gather(&mut self, rows: &mut Vec<Record>) -> io::Result<Result<(), RowError>> {
        let Some(key) = self.table.key else { return Ok(Ok(())) };
        let name = rows.first().and_then(|row| row.name(key)).map(str::to_owned);
        let Some(name) = name else {
            self.unclear = rows.first().map(|row| row.line);
            return Ok(Ok(()));
        };
        let mut text = 0;
        while let Some(record) = self.record()? {
            let joins = match record.name(key) {
                Some(other) => other == name,
                None => {
                    self.unclear = Some(record.line);
                    true
                }
            };
            text += record.raw.len();
            if joins && (rows.len() >= MOST_LINES || text > MOST_TEXT) {
                let line = record.line;
                self.ahead = Some(record);
                let whole = self.table.kind.fact();
                let says = format!(
                    "is one row too many for one {whole}; write at most {MOST_LINES} rows and 16 MiB"
                );
                return Ok(Err(RowError::row(line, says)));
            }
            if !joins {
                self.ahead = Some(record);
                break;
            }
            rows.push(record);
        }
        Ok(Ok(()))
    }

    /// Refuses rows whose order stood elsewhere already, and those that stood there: either is a part only.
    fn torn(&mut self, rows: &[Record]) -> Option<(RowError, RowError)> {
        let (column, first) = (self.table.key?, rows.first()?);
        let name = first.name(column)?;
        let earlier = self.seen.at(name, first.line)?;
        let says = |where_else: String| {
            let whole = self.table.kind.fact();
            format!("{} stands on line {where_else}; put the rows of one {whole} together", quoted(name))
        };
        let refusal = |line, says| RowError::column(line, self.table.name_of(column), says);
        let again = refusal(earlier, says(format!("{} again", first.line)));
        Some((refusal(first.line, says(format!("{earlier} already"))), again))
    }

    /// Refuses rows that may be only a part of their order: the rest may stand on the line `unclear`.
    fn may_lack_a_line(&self, rows: &[Record], unclear: u64) -> Option<RowError> {
        let (column, first) = (self.table.key?, rows.first()?);
        let name = quoted(first.name(column)?);
        let says = format!("{name} may lack a line: line {unclear} could not be read; mend that line");
        Some(RowError::column(first.line, self.table.name_of(column), says))
    }

    /// The next row that is not blank.
    fn record(&mut self) -> io::Result<Option<Record>> {
        let separator = self.table.separator;
        let mut bytes = Vec::new();
        loop {
            bytes.clear();
            let line = self.lines.number() + 1;
            let mut state = State::CellStart;
            let too_long = loop {
                let from = bytes.len();
                match self.lines.append(&mut bytes)? {
                    Next::End if from == 0 => return Ok(None),
                    Next::End => break false,
                    Next::TooLong => break true,
                    Next::Line => {
                        state = csv::follow(state, bytes.get(from..).unwrap_or_default(), separator as u8);
                        if state != State::Quoted {
                            break false;
                        }
                    }
                }
            };
            let record = self.read(&bytes, line, too_long && state != State::Quoted);
            // Spreadsheets leave rows of nothing but separators at the end.
            if record.fault.is_some() || record.cells.iter().any(|cell| !cell.trim().is_empty()) {
                return Ok(Some(record));
            }
        }
    }

    fn read(&self, bytes: &[u8], line: u64, too_long: bool) -> Record {
        let text = String::from_utf8_lossy(bytes);
        let raw = without_end(&text).to_owned();
        let (mut cells, quotes) = csv::cells(&raw, self.table.separator);
        let wanted = self.table.columns.len();
        let blank = cells.iter().all(|cell| cell.trim().is_empty());
        let extra = cells.iter().skip(wanted).any(|cell| !cell.trim().is_empty());
        let fault = if too_long {
            Some(RowError::row(line, "is longer than 1 MiB; shorten it"))
        } else if let Err(fault) = utf8(bytes, line) {
            Some(fault)
        } else if let Some(fault) = quotes {
            let column = self.table.name_of(cells.len());
            Some(RowError::column(line, column, fault.to_string()))
        } else if !blank && (cells.len() < wanted || extra) {
            let got = cells.len();
            let says = format!(
                "has {got} cells where the header has {wanted}; put a cell that holds a separator in double quotes"
            );
            Some(RowError::row(line, says))
        } else if !blank {
            self.nameless(&cells, line)
        } else {
            None
        };
        cells.truncate(wanted);
        Record { line, raw, cells, fault }
    }

    /// Refuses a row that does not say which order it belongs to.
    fn nameless(&self, cells: &[String], line: u64) -> Option<RowError> {
        let key = self.table.key?;
        let empty = cells.get(key).is_some_and(|cell| cell.trim().is_empty());
        let column = self.table.columns.get(key)?;
        empty.then(|| RowError::column(line, column.name, "is missing; it must be given"))
    }
}

/// Where each order stood: by two independent hashes, 24 bytes an order, so that a long file stays cheap.
#[derive(Default)]
struct Seen {
    hashers: [RandomState; 2],
    lines: HashMap<[u64; 2], u64>,
}

impl Seen {
    /// The line on which the name stood before; remembers where it stands now if it did not.
    fn at(&mut self, name: &str, line: u64) -> Option<u64> {
        let hash = [self.hashers[0].hash_one(name), self.hashers[1].hash_one(name)];
        let earlier = *self.lines.entry(hash).or_insert(line);
        (earlier != line).then_some(earlier)
    }
}

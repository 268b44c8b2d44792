//! Files of facts, read as a stream: JSONL, one object a line, or CSV of one kind. What cannot be taken is a row of
//! its own, with its text, so that a rejects file can be mended and imported again.

use std::io::{self, BufRead};
use std::path::Path;

use super::fault::RowError;
use super::group::{CsvRows, Row};
use super::json;
use super::lines::{Lines, Next, utf8, without_end};
use super::strict::Strict;
use super::table::{CsvKind, kinds};
use crate::domain::calendar::Instant;
use crate::domain::fact::Fact;

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One JSON object a line, each with its own `fact`.
    Jsonl,
    Csv(CsvKind),
}

/// Why a file's format is not known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    #[error("a CSV holds one kind of facts; say which: {}", kinds())]
    KindNeeded,
    #[error("its name does not say how it is written; name it .csv or .jsonl")]
    UnknownEnding,
    #[error("it is compressed; unpack it first")]
    Compressed,
    #[error("it is a spreadsheet's own format; save it as CSV there")]
    Spreadsheet,
    #[error("that is what a CSV is about; name the file as well")]
    NoFile,
}

/// The format by a file's ending. What comes from standard input (`-`) is a CSV if a kind is named, else JSONL.
///
/// # Errors
/// A CSV whose kind is not named, or another ending.
pub fn format_of(path: &Path, kind: Option<CsvKind>) -> Result<Format, FormatError> {
    let ending = path.extension().and_then(|ending| ending.to_str()).map(str::to_ascii_lowercase);
    match (ending.as_deref(), kind) {
        (Some("jsonl" | "ndjson" | "json"), _) => Ok(Format::Jsonl),
        (Some("csv"), Some(kind)) => Ok(Format::Csv(kind)),
        (Some("csv"), None) => Err(FormatError::KindNeeded),
        (Some("gz" | "zip" | "bz2" | "xz" | "zst" | "7z"), _) => Err(FormatError::Compressed),
        (Some("xlsx" | "xls" | "ods" | "numbers"), _) => Err(FormatError::Spreadsheet),
        (None, None) if CsvKind::from_word(path.to_str().unwrap_or_default()).is_some() => {
            Err(FormatError::NoFile)
        }
        (None, kind) if path == Path::new("-") => Ok(kind.map_or(Format::Jsonl, Format::Csv)),
        _ => Err(FormatError::UnknownEnding),
    }
}

/// The facts of a file in its order. An `Err` means that the file could not be read on; it ends there.
pub struct Rows<R> {
    reader: Reader<R>,
    over: bool,
}

enum Reader<R> {
    Jsonl { lines: Lines<R>, now: Instant },
    Csv(Box<CsvRows<R>>),
}

impl<R: BufRead> Rows<R> {
    /// Starts reading; `now` as for [`fact`](super::fact()).
    ///
    /// # Errors
    /// A CSV's header that cannot be taken: a column not known, given twice or missing. Nothing of the file can be read.
    pub fn new(reader: R, format: Format, now: Instant) -> Result<Self, RowError> {
        let reader = match format {
            Format::Jsonl => Reader::Jsonl { lines: Lines::new(reader), now },
            Format::Csv(kind) => Reader::Csv(Box::new(CsvRows::new(reader, kind, now)?)),
        };
        Ok(Self { reader, over: false })
    }

    /// A CSV's header as it stands in the file: the first line of its rejects file.
    pub fn header(&self) -> Option<&str> {
        match &self.reader {
            Reader::Jsonl { .. } => None,
            Reader::Csv(rows) => Some(&rows.table.header),
        }
    }
}

impl<R: BufRead> Iterator for Rows<R> {
    type Item = io::Result<Row>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.over {
            return None;
        }
        let next = match &mut self.reader {
            Reader::Jsonl { lines, now } => object(lines, *now),
            Reader::Csv(rows) => rows.next_row(),
        };
        self.over = !matches!(next, Ok(Some(_)));
        next.transpose()
    }
}

/// The next line that is not blank.
fn object<R: BufRead>(lines: &mut Lines<R>, now: Instant) -> io::Result<Option<Row>> {
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        let next = lines.append(&mut bytes)?;
        if next == Next::End {
            return Ok(None);
        }
        if next == Next::Line && bytes.trim_ascii().is_empty() {
            continue;
        }
        let line = lines.number();
        let result = match next {
            Next::TooLong => Err(RowError::row(line, "is longer than 1 MiB; write one fact on each line")),
            _ => utf8(&bytes, line).and_then(|text| fact_of(text, line, now)),
        };
        let raw = without_end(&String::from_utf8_lossy(&bytes)).to_owned();
        return Ok(Some(Row { line, raw, result, tears: None }));
    }
}

fn fact_of(text: &str, line: u64, now: Instant) -> Result<Fact, RowError> {
    if text.trim_start().starts_with('[') {
        return Err(RowError::row(
            line,
            "begins an array; write one object on each line, without brackets around them",
        ));
    }
    let Strict(value) = serde_json::from_str(text).map_err(|error| syntax(&error, line))?;
    json::fact(value, now).map_err(|error| RowError::field(line, &error))
}

fn syntax(error: &serde_json::Error, line: u64) -> RowError {
    let (says, column) = (error.to_string(), error.column().max(1));
    // serde_json counts lines within the text it was given, which is one line.
    let says = says.split(" at line ").next().unwrap_or_default();
    if error.is_data() {
        return RowError::byte(line, column, says);
    }
    let mend = if error.is_eof() { "; write a whole object on each line" } else { "" };
    RowError::byte(line, column, format!("is not JSON: {says}{mend}"))
}

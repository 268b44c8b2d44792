//! The lines of a file, counted, one at a time. However long a line is, no more than a mebibyte of it is held.

use std::io::{self, BufRead, Read};

use super::fault::RowError;

/// The longest line, and the longest CSV row, in bytes.
pub(super) const LONGEST: usize = 1 << 20;

/// What reading on came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    Line,
    /// The buffer is full; the rest of the line has been skipped.
    TooLong,
    End,
}

pub(super) struct Lines<R> {
    reader: R,
    number: u64,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { reader, number: 0 }
    }

    /// The number of the line read last, counted from 1.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Appends the next line with its end to `into`, which grows to [`LONGEST`] at most. A byte-order mark is dropped.
    pub(super) fn append(&mut self, into: &mut Vec<u8>) -> io::Result<Next> {
        let room = LONGEST.saturating_sub(into.len()) + 1;
        let read = self.reader.by_ref().take(room as u64).read_until(b'\n', into)?;
        if read == 0 {
            return Ok(Next::End);
        }
        self.number += 1;
        if self.number == 1 && into.starts_with(b"\xef\xbb\xbf") {
            into.drain(..3);
        }
        if into.len() <= LONGEST {
            return Ok(Next::Line);
        }
        if into.last() != Some(&b'\n') {
            self.reader.skip_until(b'\n')?;
        }
        into.truncate(LONGEST);
        Ok(Next::TooLong)
    }
}

/// The bytes as text without the line's end, or the line and byte at which they are no UTF-8. `line` is that of the first byte.
pub(super) fn utf8(bytes: &[u8], line: u64) -> Result<&str, RowError> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(without_end(text)),
        Err(error) => {
            let (good, bad) = bytes.split_at(error.valid_up_to());
            let breaks = good.iter().filter(|b| **b == b'\n').count() as u64;
            let column = good.iter().rev().take_while(|b| **b != b'\n').count() + 1;
            let byte = bad.first().copied().unwrap_or_default();
            let says = format!("the byte 0x{byte:02X} is not UTF-8; save the file as UTF-8");
            Err(RowError::byte(line + breaks, column, says))
        }
    }
}

/// A text without the end of its last line.
pub(super) fn without_end(text: &str) -> &str {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.strip_suffix('\r').unwrap_or(text)
}

//! Cuts a server's byte stream into replies (RFC 5321, 4.2).
//!
//! What always holds: no server can make us keep more than [`MAX_REPLY`] bytes, each byte is looked at
//! once however slowly it drips, and what is not a reply is an error, never a guess.

use std::ops::Range;

use thiserror::Error;

use crate::domain::reply::{Enhanced, Reply};
use crate::text::plain;

/// Octets of one line. RFC 5321 allows 512; real servers explain themselves at greater length.
pub const MAX_LINE: usize = 8 * 1024;
/// Lines of one reply.
pub const MAX_LINES: usize = 1024;
/// Octets of one reply, line ends included.
pub const MAX_REPLY: usize = 128 * 1024;
/// Characters of a server's words that are worth keeping in a record.
const MAX_TEXT: usize = 2000;

/// Why the bytes are no reply. The stream has no known place to go on from: close it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Malformed {
    #[error("the server sent a line of more than {MAX_LINE} octets")]
    LineTooLong,
    #[error("the server sent a reply of more than {MAX_LINES} lines")]
    TooManyLines,
    #[error("the server sent a reply of more than {MAX_REPLY} octets")]
    TooLong,
    #[error("the server sent what is no reply: {0:?}")]
    NotAReply(String),
    #[error("the server changed the code within a reply: {0:?}")]
    CodeChanged(String),
}

/// A complete reply inside the framer's buffer, readable until more bytes are taken in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// 200 to 599.
    pub code: u16,
    range: Range<usize>,
}

impl Frame {
    /// 2 to 5.
    pub fn class(&self) -> u16 {
        self.code / 100
    }
}

/// The bytes received and not yet used, and how far they have been read.
#[derive(Debug, Default)]
pub struct Framer {
    buffer: Vec<u8>,
    /// Where the reply being read begins; what lies before is used up.
    start: usize,
    /// Where the line being read begins.
    line: usize,
    /// Up to here no line end was found.
    scanned: usize,
    lines: usize,
    code: Option<u16>,
}

impl Framer {
    /// Bytes received that belong to no reply taken so far.
    pub fn has_leftover(&self) -> bool {
        self.start < self.buffer.len()
    }

    /// What was received and not taken, for telling a farewell from an intrusion.
    pub fn leftover(&self) -> &[u8] {
        &self.buffer[self.start..]
    }

    /// The buffer to append received bytes to. Frames handed out before are void from here on.
    pub fn intake(&mut self) -> &mut Vec<u8> {
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.line -= self.start;
            self.scanned -= self.start;
            self.start = 0;
        }
        &mut self.buffer
    }

    /// The next complete reply, or `None` when more bytes are needed.
    pub fn take_reply(&mut self) -> Result<Option<Frame>, Malformed> {
        loop {
            let fresh = &self.buffer[self.scanned..];
            let Some(offset) = fresh.iter().position(|byte| *byte == b'\n') else {
                self.scanned = self.buffer.len();
                return self.judge_partial().map(|()| None);
            };
            let end = self.scanned + offset + 1;
            let more = self.take_line(end)?;
            self.line = end;
            self.scanned = end;
            if !more {
                let frame = Frame { code: self.code.take().unwrap_or_default(), range: self.start..end };
                self.start = end;
                self.lines = 0;
                return Ok(Some(frame));
            }
        }
    }

    /// An unfinished line is judged by what is there: garbage need not be waited for.
    fn judge_partial(&self) -> Result<(), Malformed> {
        let partial = &self.buffer[self.line..];
        if partial.len() > MAX_LINE {
            return Err(Malformed::LineTooLong);
        }
        let code = &partial[..partial.len().min(3)];
        let digits = code.iter().all(u8::is_ascii_digit);
        let class = code.first().is_none_or(|first| (b'2'..=b'5').contains(first));
        // A bare LF or CR may still be on its way after fewer digits; take_line refuses those lines.
        if digits && class { Ok(()) } else { Err(Malformed::NotAReply(excerpt(partial))) }
    }

    /// Checks the line that ends before `end`; true when the reply goes on after it.
    fn take_line(&mut self, end: usize) -> Result<bool, Malformed> {
        let line = trim_end(&self.buffer[self.line..end]);
        if line.len() > MAX_LINE {
            return Err(Malformed::LineTooLong);
        }
        let not_a_reply = || Malformed::NotAReply(excerpt(line));
        let code = read_code(line).ok_or_else(not_a_reply)?;
        if *self.code.get_or_insert(code) != code {
            return Err(Malformed::CodeChanged(excerpt(line)));
        }
        self.lines += 1;
        if self.lines > MAX_LINES {
            return Err(Malformed::TooManyLines);
        }
        if end - self.start > MAX_REPLY {
            return Err(Malformed::TooLong);
        }
        match line.get(3) {
            None | Some(b' ') => Ok(false),
            Some(b'-') => Ok(true),
            Some(_) => Err(not_a_reply()),
        }
    }

    /// The words of each line of a reply, without code and line end.
    pub fn lines(&self, frame: &Frame) -> impl Iterator<Item = &[u8]> {
        let bytes = self.buffer.get(frame.range.clone()).unwrap_or_default();
        bytes.split_inclusive(|byte| *byte == b'\n').map(|line| trim_end(line).get(4..).unwrap_or_default())
    }

    /// The reply as a value: lines joined, bytes that are no UTF-8 shown as such, control characters escaped.
    pub fn reply(&self, frame: &Frame) -> Reply {
        let class = u8::try_from(frame.class()).unwrap_or_default();
        let (mut enhanced, mut text) = (None, String::new());
        for line in self.lines(frame) {
            let shown = String::from_utf8_lossy(line);
            let mut words = shown.trim();
            if let Some(code) = Enhanced::parse(words, class) {
                enhanced = enhanced.or(Some(code));
                words = words.split_once(char::is_whitespace).map_or("", |(_, rest)| rest.trim());
            }
            if words.is_empty() || text.len() > 4 * MAX_TEXT {
                continue;
            }
            if !text.is_empty() {
                text.push(' ');
            }
            text.push_str(&plain(words));
        }
        if let Some((cut, _)) = text.char_indices().nth(MAX_TEXT) {
            text.truncate(cut);
            text.push('…');
        }
        Reply { code: frame.code, enhanced, text }
    }
}

fn read_code(line: &[u8]) -> Option<u16> {
    let digits = line.get(..3)?;
    let code = digits
        .iter()
        .try_fold(0_u16, |sum, digit| digit.is_ascii_digit().then(|| sum * 10 + u16::from(digit - b'0')))?;
    (200..600).contains(&code).then_some(code)
}

fn trim_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

fn excerpt(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(80)]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame_all(bytes: &[u8]) -> Result<Vec<Reply>, Malformed> {
        let mut framer = Framer::default();
        framer.intake().extend_from_slice(bytes);
        let mut replies = Vec::new();
        while let Some(frame) = framer.take_reply()? {
            replies.push(framer.reply(&frame));
        }
        Ok(replies)
    }

    #[test]
    fn bare_codes_and_bare_line_feeds_are_replies() {
        let replies = frame_all(b"250\r\n250 \r\n250 ok\n250-\r\n250\r\n").unwrap();
        assert_eq!(replies.iter().map(|r| r.text.as_str()).collect::<Vec<_>>(), ["", "", "ok", ""]);
    }

    #[test]
    fn lines_are_joined_and_the_enhanced_code_is_taken_out_of_each() {
        let reply = &frame_all(b"550-5.1.1 No such\r\n550 5.1.1 user\r\n").unwrap()[0];
        assert_eq!(reply.enhanced, Some(Enhanced(5, 1, 1)));
        assert_eq!(reply.text, "No such user");
    }

    #[test]
    fn foreign_bytes_are_shown_and_control_characters_escaped() {
        let reply = &frame_all(b"250 gr\xfc\xdfe \x1b[31m\x00\r\n").unwrap()[0];
        assert_eq!(reply.text, "gr\u{fffd}\u{fffd}e \\u{1b}[31m\\u{0}");
    }

    #[test]
    fn a_dripped_reply_is_the_same_reply() {
        let mut framer = Framer::default();
        let bytes = b"250-one\r\n250 two\r\n";
        for byte in &bytes[..bytes.len() - 1] {
            framer.intake().push(*byte);
            assert_eq!(framer.take_reply(), Ok(None));
        }
        framer.intake().push(b'\n');
        let frame = framer.take_reply().unwrap().unwrap();
        assert_eq!(framer.reply(&frame).text, "one two");
        assert!(!framer.has_leftover());
    }

    #[test]
    fn what_is_no_reply_is_an_error_before_its_line_ends() {
        for garbage in
            [&b"\0"[..], b"HTTP/1.1", b"2x", b"150 no\r\n", b"99\r\n", b"250ok\r\n", b"\r\n", b"650 x\r\n"]
        {
            assert!(frame_all(garbage).is_err(), "{garbage:?}");
        }
        assert!(matches!(frame_all(b"250-a\r\n550 b\r\n"), Err(Malformed::CodeChanged(_))));
    }

    #[test]
    fn lines_and_replies_have_a_limit() {
        let long = [b"250 ".to_vec(), vec![b'x'; MAX_LINE]].concat();
        assert_eq!(frame_all(&long), Err(Malformed::LineTooLong));
        assert_eq!(frame_all(&b"250-x\r\n".repeat(MAX_LINES + 1)), Err(Malformed::TooManyLines));
        let wide = [b"250-".to_vec(), vec![b'x'; 4000], b"\r\n".to_vec()].concat();
        assert_eq!(frame_all(&wide.repeat(40)), Err(Malformed::TooLong));
        let kept = &frame_all(&[wide, b"250 end\r\n".to_vec()].concat()).unwrap()[0];
        assert_eq!(kept.text.chars().count(), MAX_TEXT + 1);
    }
}

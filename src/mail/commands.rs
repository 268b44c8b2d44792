//! What we say for one message: its envelope's commands, and its body as it goes over the line.
//!
//! What always holds: no address can become a command, no line of a body can end the message, and what a
//! server is known to be unable to take is never offered to it.

use std::{
    io::{BufRead, Write},
    ops::Range,
};

use lettre::{
    Address,
    transport::smtp::{
        commands::{Data, Mail, Rcpt, Rset},
        extension::MailParameter,
    },
};

use super::{failure::Failure, session::Offers};
use crate::domain::reply::{Enhanced, Phase};

/// The end of a message.
pub(super) const DOT: &[u8] = b".\r\n";

/// A message's envelope. Domains are given as A-labels.
#[derive(Debug, Clone, Copy)]
pub struct Envelope<'a> {
    /// The sender; `None` is the null sender.
    pub from: Option<&'a str>,
    pub to: &'a str,
    /// Octets of the message.
    pub size: usize,
}

/// Where each command of an envelope lies in the buffer it is written from.
pub(super) struct Group {
    pub(super) reset: Option<Range<usize>>,
    pub(super) mail: Range<usize>,
    pub(super) rcpt: Range<usize>,
    pub(super) data: Range<usize>,
}

impl Group {
    /// Appends RSET where due, MAIL, RCPT and DATA to `out`, or says why this server cannot take the
    /// message: then nothing was said and the connection is as it was.
    pub(super) fn write(
        out: &mut Vec<u8>,
        offers: &Offers,
        reset: bool,
        Envelope { from, to, size }: Envelope<'_>,
    ) -> Result<Self, Failure> {
        let bad_to = || {
            // Without the address itself: these words are stored and may be logged.
            let text = "the recipient is no mail address (not sent)".to_owned();
            Failure::unsendable(Phase::Rcpt, 553, Enhanced(5, 1, 3), text)
        };
        let bad_from = || Failure::config(Phase::Mail, "the envelope sender is no mail address");
        let to = parse(to).ok_or_else(bad_to)?;
        let from = from.map(|from| parse(from).ok_or_else(bad_from)).transpose()?;
        let mut parameters = Vec::new();
        if let Some(limit) = offers.size
            && size as u64 > limit
        {
            let text = format!("size: the message has {size} octets, the relay takes {limit} (not sent)");
            return Err(Failure::unsendable(Phase::Mail, 552, Enhanced(5, 3, 4), text));
        }
        if offers.size_known {
            parameters.push(MailParameter::Size(size));
        }
        if !is_ascii(&to) || from.as_ref().is_some_and(|from| !is_ascii(from)) {
            if !offers.smtputf8 {
                let text = "smtputf8: the relay cannot carry this address (not sent)".to_owned();
                return Err(Failure::unsendable(Phase::Rcpt, 553, Enhanced(5, 6, 7), text));
            }
            parameters.push(MailParameter::SmtpUtfEight);
        }
        let reset = reset.then(|| append(out, Rset));
        let mail = append(out, Mail::new(from, parameters));
        let rcpt = append(out, Rcpt::new(to, Vec::new()));
        let data = append(out, Data);
        Ok(Self { reset, mail, rcpt, data })
    }
}

/// Control characters are refused here too, so that no address can ever become a command.
fn parse(address: &str) -> Option<Address> {
    if address.chars().any(char::is_control) {
        return None;
    }
    address.parse().ok()
}

fn is_ascii(address: &Address) -> bool {
    let text: &str = address.as_ref();
    text.is_ascii()
}

fn append(out: &mut Vec<u8>, command: impl std::fmt::Display) -> Range<usize> {
    let start = out.len();
    // Writing to a vector cannot fail.
    let _ = write!(out, "{command}");
    start..out.len()
}

/// Appends the message with dots doubled at the start of lines, and the final dot (RFC 5321, 4.5.2).
/// A bare line feed becomes CRLF, so that no line can end where another reader would not see it end.
pub(super) fn stuff(message: &[u8], out: &mut Vec<u8>) {
    out.reserve(message.len() + message.len() / 32 + DOT.len() + 2);
    let mut rest = message;
    while let Some(first) = rest.first() {
        if *first == b'.' {
            out.push(b'.');
        }
        // A slice cannot fail to be read.
        let _ = rest.read_until(b'\n', out);
        if !out.ends_with(b"\r\n") {
            if out.last() == Some(&b'\n') {
                out.pop();
            }
            out.extend_from_slice(b"\r\n");
        }
    }
    out.extend_from_slice(DOT);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stuffed(message: &str) -> String {
        let mut out = Vec::new();
        stuff(message.as_bytes(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn dots_at_the_start_of_lines_are_doubled_and_no_others() {
        assert_eq!(stuffed("a.b\r\n.c\r\n..\r\n.\r\nd.\r\n"), "a.b\r\n..c\r\n...\r\n..\r\nd.\r\n.\r\n");
        assert_eq!(stuffed(""), ".\r\n");
    }

    #[test]
    fn a_missing_or_bare_line_end_is_mended() {
        assert_eq!(stuffed("a\n.\nb"), "a\r\n..\r\nb\r\n.\r\n");
    }
}

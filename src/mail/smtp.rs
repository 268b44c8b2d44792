//! One SMTP connection, driven message by message: envelope, body, verdict.
//!
//! What always holds: a connection whose place in the dialogue is not known is never used again, not even
//! after its future was dropped half way; only 2yz at the final dot is acceptance; and no octet of a body
//! leaves before the server's 354.

use std::{
    io::{BufRead, Write},
    ops::Range,
    time::Duration,
};

use lettre::{
    Address,
    transport::smtp::{
        commands::{Data, Mail, Quit, Rcpt, Rset},
        extension::MailParameter,
    },
};

use super::{
    failure::{Failure, WireError, is_about_us},
    relay::{Relay, Timeouts},
    session::{self, Session},
    wire::Wire,
};
use crate::domain::reply::{Enhanced, Phase, Verdict};

/// How long a farewell may take.
const FAREWELL: Duration = Duration::from_secs(2);
const DOT: &[u8] = b".\r\n";

/// Where the dialogue stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Between messages, nothing to clear away.
    Ready,
    /// Between messages, after a refusal: RSET goes ahead of the next one.
    ResetDue,
    /// After the 354: the body is the only thing that may follow.
    Open,
    /// In the middle of something, or lost: never used again.
    Broken,
}

/// An open session with a relay. One recipient per mail, one mail at a time.
pub struct Connection {
    wire: Wire,
    session: Session,
    timeouts: Timeouts,
    state: State,
}

/// Where each command of an envelope lies in the buffer it is written from.
struct Group {
    reset: Option<Range<usize>>,
    mail: Range<usize>,
    rcpt: Range<usize>,
    data: Range<usize>,
}

impl Connection {
    /// Connects, greets, encrypts and authenticates as the relay's settings ask, each in its time.
    pub async fn open(relay: &Relay) -> Result<Self, Failure> {
        let (wire, session) = session::open(relay).await?;
        Ok(Self { wire, session, timeouts: relay.timeouts, state: State::Ready })
    }

    /// What the server is and offers.
    pub fn session(&self) -> &Session {
        &self.session
    }

    pub fn is_encrypted(&self) -> bool {
        self.session.tls.is_some()
    }

    /// Whether another message may be offered. False from the 354 until the body's clear answer.
    pub fn usable(&self) -> bool {
        matches!(self.state, State::Ready | State::ResetDue)
    }

    /// Whether a connection that has been idle is still there: the server has neither closed nor said
    /// anything unasked (421). Does not wait; ask before reusing, to try a new one at no one's cost.
    pub async fn still_open(&mut self) -> bool {
        if self.usable() && self.wire.is_disturbed().await {
            self.state = State::Broken;
        }
        self.usable()
    }

    /// Offers one message of `size` octets; `Ok` is the server's 354, after which only `body` may follow:
    /// to give the message up, drop the connection.
    ///
    /// `from` is the envelope sender (`None`: the null sender). Domains are given as A-labels.
    pub async fn envelope(&mut self, from: Option<&str>, to: &str, size: usize) -> Result<(), Failure> {
        if !self.usable() {
            return Err(Failure::temporary(Phase::Connect, "the connection can no longer be used"));
        }
        let group = self.write_group(from, to, size)?;
        // From here on a dropped future leaves the connection broken, not one reply behind.
        let state = std::mem::replace(&mut self.state, State::Broken);
        debug_assert!(matches!(state, State::Ready | State::ResetDue));
        if self.session.offers.pipelining {
            self.pipelined(&group).await
        } else {
            self.in_steps(&group).await
        }
    }

    /// Sends the body after a 354 and says what became of the message. Lines end in CRLF.
    pub async fn body(&mut self, message: &[u8]) -> Verdict {
        let not_begun =
            |detail: &str| Verdict::Temporary { phase: Phase::Data, reply: None, detail: detail.to_owned() };
        if std::mem::replace(&mut self.state, State::Broken) != State::Open {
            return not_begun("no message was open on this connection");
        }
        // A reply that is here before the body cannot be about the body.
        if self.wire.is_disturbed().await {
            return not_begun("the server spoke or closed before the body was sent");
        }
        self.wire.clear_out();
        stuff(message, &mut self.wire.out);
        let end = self.wire.out.len() - DOT.len();
        let sent = self.wire.send(0..self.wire.out.len(), self.timeouts.body).await;
        let verdict = match sent {
            Ok(()) => self.last_word().await,
            // Unless the line end before the dot left us, the server cannot have seen the end.
            Err((written, error)) if written < end => Verdict::Temporary {
                phase: Phase::Body,
                reply: None,
                detail: format!("the connection failed before the end of the body: {error}"),
            },
            Err((_, error)) => {
                Verdict::Doubtful { detail: format!("the connection failed at the final dot: {error}") }
            }
        };
        self.wire.clear_out();
        verdict
    }

    /// Takes leave within a couple of seconds; a connection in the middle of something is just closed.
    pub async fn quit(mut self) {
        let polite = self.usable();
        let farewell = async move {
            if polite {
                self.wire.out = Quit.to_string().into_bytes();
                if self.wire.send_all(FAREWELL).await.is_ok() {
                    let _ = self.wire.reply(FAREWELL).await;
                }
            }
            self.wire.close().await;
        };
        let _ = tokio::time::timeout(FAREWELL, farewell).await;
    }

    /// Writes RSET where due, MAIL, RCPT and DATA into the buffer, or says why this server cannot take
    /// the message: then nothing was said and the connection is as it was.
    fn write_group(&mut self, from: Option<&str>, to: &str, size: usize) -> Result<Group, Failure> {
        let offers = &self.session.offers;
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
        self.wire.clear_out();
        let out = &mut self.wire.out;
        let reset = (self.state == State::ResetDue).then(|| append(out, Rset));
        let mail = append(out, Mail::new(from, parameters));
        let rcpt = append(out, Rcpt::new(to, Vec::new()));
        let data = append(out, Data);
        Ok(Group { reset, mail, rcpt, data })
    }

    /// One write, then all replies in their order (RFC 2920).
    async fn pipelined(&mut self, group: &Group) -> Result<(), Failure> {
        self.wire.send_all(self.timeouts.command).await.map_err(|error| error.at(Phase::Mail))?;
        if group.reset.is_some() {
            self.reset_answer().await?;
        }
        let mail = self.answer(Phase::Mail).await?;
        // When the connection ends after a refusal, the refusal is what became of the message.
        let rcpt = match self.answer(Phase::Rcpt).await {
            Ok(answer) => answer,
            Err(over) => return Err(mail.unwrap_or(over)),
        };
        let stands = rcpt.is_none();
        let refusal = mail.or(rcpt);
        let data = match self.answer(Phase::Data).await {
            Ok(answer) => answer,
            Err(over) => return Err(refusal.unwrap_or(over)),
        };
        let begun = data.is_none();
        let Some(refusal) = refusal.or(data) else { return self.begin() };
        if begun {
            self.lone_dot(stands).await;
        } else {
            self.settle();
        }
        Err(refusal)
    }

    /// Command by command, for a server that does not offer PIPELINING.
    async fn in_steps(&mut self, group: &Group) -> Result<(), Failure> {
        if let Some(reset) = &group.reset {
            self.say(Phase::Mail, reset).await?;
            self.reset_answer().await?;
        }
        for (phase, range) in
            [(Phase::Mail, &group.mail), (Phase::Rcpt, &group.rcpt), (Phase::Data, &group.data)]
        {
            self.say(phase, range).await?;
            if let Some(refusal) = self.answer(phase).await? {
                self.settle();
                return Err(refusal);
            }
        }
        self.begin()
    }

    async fn say(&mut self, phase: Phase, range: &Range<usize>) -> Result<(), Failure> {
        let sent = self.wire.send(range.clone(), self.timeouts.command).await;
        sent.map_err(|(_, error)| error.at(phase))
    }

    /// `Ok(None)`: go on. `Ok(Some(_))`: refused, and the dialogue is in step. `Err`: the connection is over.
    async fn answer(&mut self, phase: Phase) -> Result<Option<Failure>, Failure> {
        let frame = self.wire.reply(self.timeouts.command).await.map_err(|error| error.at(phase))?;
        let expected = if phase == Phase::Data { frame.code == 354 } else { frame.class() == 2 };
        if expected {
            return Ok(None);
        }
        let refusal = Failure::refused(phase, self.wire.framer.reply(&frame));
        // 2yz or 3yz in the wrong place means that we are not where we think we are.
        if frame.code == 421 || frame.class() < 4 { Err(refusal) } else { Ok(Some(refusal)) }
    }

    /// The reply to an RSET that rode ahead. Its refusal is not about the message behind it, but the last
    /// message's recipient may still stand and would get this one too: the connection ends.
    async fn reset_answer(&mut self) -> Result<(), Failure> {
        let frame = self.wire.reply(self.timeouts.command).await.map_err(|error| error.at(Phase::Mail))?;
        if frame.class() == 2 {
            return Ok(());
        }
        let reply = self.wire.framer.reply(&frame);
        Err(Failure::temporary(Phase::Mail, format!("the relay refused RSET: {reply}")))
    }

    /// After the 354 of an accepted envelope.
    fn begin(&mut self) -> Result<(), Failure> {
        if self.wire.framer.has_leftover() {
            // Taken for the body's reply it would make a refused message accepted.
            return Err(Failure::temporary(
                Phase::Data,
                "the server said more than the 354 it was asked for",
            ));
        }
        self.state = State::Open;
        Ok(())
    }

    /// DATA was answered 354 though the envelope was refused: end the empty message at once.
    /// Where a recipient stands after all, even an empty message would reach somebody: close instead.
    async fn lone_dot(&mut self, stands: bool) {
        if stands || self.wire.framer.has_leftover() {
            return;
        }
        self.wire.clear_out();
        self.wire.out.extend_from_slice(DOT);
        if self.wire.send_all(self.timeouts.command).await.is_err() {
            return;
        }
        if let Ok(frame) = self.wire.reply(self.timeouts.command).await
            && frame.code != 421
        {
            self.settle();
        }
    }

    /// Between messages again, after a refusal, if the replies are in step.
    fn settle(&mut self) {
        if !self.wire.framer.has_leftover() {
            self.state = State::ResetDue;
        }
    }

    /// The reply to the final dot. 2yz is acceptance; whatever is not clear is doubt.
    async fn last_word(&mut self) -> Verdict {
        let doubt = |detail: String| Verdict::Doubtful { detail };
        let frame = match self.wire.reply(self.timeouts.body).await {
            Ok(frame) => frame,
            Err(WireError::TimedOut) => return doubt("no answer to the body in time".to_owned()),
            Err(error) => return doubt(format!("no answer to the body: {error}")),
        };
        let reply = self.wire.framer.reply(&frame);
        let leftover = self.wire.framer.leftover();
        if !leftover.is_empty() && !leftover.starts_with(b"421") {
            // Two answers to one question: the first may have been meant for something else.
            return doubt(format!("the server answered the body twice, first {reply}"));
        }
        let alone = leftover.is_empty();
        let phase = Phase::Body;
        match frame.class() {
            2 => {
                self.state = if alone { State::Ready } else { State::Broken };
                Verdict::Accepted(reply)
            }
            4 | 5 => {
                self.state = if alone && frame.code != 421 { State::ResetDue } else { State::Broken };
                if frame.class() == 5 && !is_about_us(&reply) {
                    return Verdict::Permanent { phase, reply };
                }
                Verdict::Temporary { phase, reply: Some(reply), detail: String::new() }
            }
            _ => doubt(format!("the server answered the body with {reply}")),
        }
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
fn stuff(message: &[u8], out: &mut Vec<u8>) {
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

//! One SMTP connection, driven message by message: envelope, body, verdict.
//!
//! What always holds: a connection whose place in the dialogue is not known is never used again, not even
//! after its future was dropped half way; only 2yz at the final dot is acceptance; and no octet of a body
//! leaves before the server's 354.

use std::{ops::Range, time::Duration};

use lettre::transport::smtp::commands::Quit;

use super::{
    commands::{DOT, Group, stuff},
    failure::{Failure, WireError},
    relay::{Relay, Timeouts},
    session::{self, Session},
    wire::Wire,
};
use crate::domain::meaning::{Meaning, meaning};
use crate::domain::reply::{Phase, Verdict};

/// How long a farewell may take.
const FAREWELL: Duration = Duration::from_secs(2);

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
        self.wire.clear_out();
        let reset = self.state == State::ResetDue;
        let group = Group::write(&mut self.wire.out, &self.session.offers, reset, from, to, size)?;
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
                if frame.class() == 5 && meaning(phase, &reply) != Meaning::Credentials {
                    return Verdict::Permanent { phase, reply };
                }
                Verdict::Temporary { phase, reply: Some(reply), detail: String::new() }
            }
            _ => doubt(format!("the server answered the body with {reply}")),
        }
    }
}

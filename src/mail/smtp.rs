//! One SMTP connection, driven message by message: envelope, body, verdict.
//!
//! What always holds: a connection whose place in the dialogue is not known is never used again, not even
//! after its future was dropped half way; only 2yz at the final dot is acceptance; and no octet of a body
//! leaves before the server's 354.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::{ops::Range, time::Duration};

use lettre::transport::smtp::commands::Quit;

use super::{
    commands::{DOT, Envelope, Group, stuff},
    failure::{Failure, WireError},
    framing::Frame,
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
    /// Between messages, and the next one's envelope is under way: its answer is to be read. Whether the last message
    /// was refused.
    Ahead { refused: bool },
    /// After the 354: the body is the only thing that may follow.
    Open,
    /// In the middle of something, or lost: never used again.
    Broken,
}

/// Why an envelope was not taken.
enum No {
    /// It was refused, or the connection ended.
    Clear(Failure),
    /// What came is no answer to what was asked.
    Garbled(Failure),
}

impl From<No> for Failure {
    fn from(no: No) -> Self {
        match no {
            No::Clear(failure) | No::Garbled(failure) => failure,
        }
    }
}

/// An open session with a relay. One recipient per mail, one mail at a time.
pub struct Connection {
    wire: Wire,
    session: Session,
    timeouts: Timeouts,
    state: State,
    /// What became of the envelope that is ahead, where its answer had to be read before its time.
    answered: Option<(Result<(), Failure>, State)>,
    /// The relay reads what comes behind the end of a message, as far as we know.
    reads_ahead: Arc<AtomicBool>,
}

impl Connection {
    /// Connects, greets, encrypts and authenticates as the relay's settings ask, each in its time.
    pub async fn open(relay: &Relay) -> Result<Self, Failure> {
        let (wire, session) = session::open(relay).await?;
        let (timeouts, reads_ahead) = (relay.timeouts, relay.reads_ahead.clone());
        Ok(Self { wire, session, timeouts, state: State::Ready, answered: None, reads_ahead })
    }

    /// What the server is and offers.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Whether another message may be offered. False from the 354 until the body's clear answer.
    pub fn usable(&self) -> bool {
        matches!(self.state, State::Ready | State::ResetDue)
    }

    /// Whether the next message's envelope went out already: `envelope_ahead` is all that may follow.
    pub fn is_ahead(&self) -> bool {
        matches!(self.state, State::Ahead { .. })
    }

    /// Whether a connection that has been idle is still there: the server has neither closed nor said
    /// anything unasked (421). Does not wait; ask before reusing, to try a new one at no one's cost.
    pub async fn still_open(&mut self) -> bool {
        if self.usable() && self.wire.is_disturbed().await {
            self.state = State::Broken;
        }
        self.usable()
    }

    /// Offers one message; `Ok` is the server's 354, after which only `body` may follow: to give the message up, drop the
    /// connection.
    pub async fn envelope(&mut self, envelope: Envelope<'_>) -> Result<(), Failure> {
        if !self.usable() {
            return Err(Failure::temporary(Phase::Connect, "the connection can no longer be used"));
        }
        self.wire.clear_out();
        let reset = self.state == State::ResetDue;
        let group = Group::write(&mut self.wire.out, &self.session.offers, reset, envelope)?;
        // From here on a dropped future leaves the connection broken, not one reply behind.
        let state = std::mem::replace(&mut self.state, State::Broken);
        debug_assert!(matches!(state, State::Ready | State::ResetDue));
        if self.session.offers.pipelining {
            self.pipelined(&group).await
        } else {
            self.in_steps(&group).await
        }
    }

    /// The answer to an envelope that went out with the message before it; as `envelope`.
    pub async fn envelope_ahead(&mut self) -> Result<(), Failure> {
        let State::Ahead { refused } = std::mem::replace(&mut self.state, State::Broken) else {
            return Err(Failure::temporary(Phase::Connect, "no envelope went ahead on this connection"));
        };
        let answer = match self.answered.take() {
            Some((answer, state)) => {
                self.state = state;
                answer
            }
            None => self.answers(true).await.map_err(Failure::from),
        };
        match answer {
            // What the refused message left standing may be what is refused here.
            Err(failure) if refused && failure.phase() == Phase::Mail => {
                self.state = State::Broken;
                Err(Failure::temporary(Phase::Mail, format!("after a refused message: {failure}")))
            }
            answer => answer,
        }
    }

    /// Sends the body after a 354 and says what became of the message. Lines end in CRLF.
    pub async fn body(&mut self, message: &[u8]) -> Verdict {
        self.body_before(message, None).await
    }

    /// Sends the body as `body` does, and the `next` message's envelope with its end, which saves a round trip
    /// (RFC 2920, 3.1). Where it went out, `is_ahead` says so afterwards.
    pub async fn body_before(&mut self, message: &[u8], next: Option<Envelope<'_>>) -> Verdict {
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
        let next =
            next.filter(|_| self.session.offers.pipelining && self.reads_ahead.load(Ordering::Relaxed));
        // What this server is known to be unable to take does not go ahead; `envelope` tells why.
        let ahead = next
            .is_some_and(|next| Group::write(&mut self.wire.out, &self.session.offers, false, next).is_ok());
        let sent = self.wire.send(0..self.wire.out.len(), self.timeouts.body).await;
        let verdict = match sent {
            Ok(()) => self.last_word(ahead).await,
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
        Ok(self.answers(false).await?)
    }

    /// All replies to an envelope whose commands went out together, `ahead` or not.
    async fn answers(&mut self, ahead: bool) -> Result<(), No> {
        let mail = self.answer(Phase::Mail, ahead).await?;
        // When the connection ends after a refusal, the refusal is what became of the message.
        let rcpt = match (self.answer(Phase::Rcpt, ahead).await, &mail) {
            (Err(No::Clear(_)), Some(refusal)) => return Err(No::Clear(refusal.clone())),
            (answer, _) => answer?,
        };
        let stands = rcpt.is_none();
        let refusal = mail.or(rcpt);
        let data = match (self.answer(Phase::Data, ahead).await, &refusal) {
            (Err(No::Clear(_)), Some(refusal)) => return Err(No::Clear(refusal.clone())),
            (answer, _) => answer?,
        };
        let begun = data.is_none();
        let Some(refusal) = refusal.or(data) else { return self.begin().map_err(No::Clear) };
        if begun {
            self.lone_dot(stands).await;
        } else {
            self.settle();
        }
        Err(No::Clear(refusal))
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
            if let Some(refusal) = self.answer(phase, false).await? {
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
    async fn answer(&mut self, phase: Phase, ahead: bool) -> Result<Option<Failure>, No> {
        let frame = match self.reply(self.timeouts.command, ahead).await {
            Ok(frame) => frame,
            Err(error @ WireError::Malformed(_)) => return Err(No::Garbled(error.at(phase))),
            Err(error) => return Err(No::Clear(error.at(phase))),
        };
        let expected = if phase == Phase::Data { frame.code == 354 } else { frame.class() == 2 };
        if expected {
            return Ok(None);
        }
        let refusal = Failure::refused(phase, self.wire.framer.reply(&frame));
        match frame.class() {
            // 2yz or 3yz in the wrong place means that we are not where we think we are.
            ..4 => Err(No::Garbled(refusal)),
            _ if frame.code == 421 => Err(No::Clear(refusal)),
            _ => Ok(Some(refusal)),
        }
    }

    /// The next reply. A server that falls silent with an envelope `ahead` may be one that forgets what comes behind the
    /// end of a message: nothing is sent ahead any more.
    async fn reply(&mut self, limit: Duration, ahead: bool) -> Result<Frame, WireError> {
        let reply = self.wire.reply(limit).await;
        if ahead && matches!(reply, Err(WireError::TimedOut)) {
            self.reads_ahead.store(false, Ordering::Relaxed);
        }
        reply
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

    /// The reply to the final dot. 2yz is acceptance; whatever is not clear is doubt. Behind it come the answers to the
    /// envelope that went `ahead`, if one did.
    async fn last_word(&mut self, ahead: bool) -> Verdict {
        let doubt = |detail: String| Verdict::Doubtful { detail };
        let frame = match self.reply(self.timeouts.body, ahead).await {
            Ok(frame) => frame,
            Err(WireError::TimedOut) => return doubt("no answer to the body in time".to_owned()),
            Err(error) => return doubt(format!("no answer to the body: {error}")),
        };
        let (reply, refused) = (self.wire.framer.reply(&frame), frame.class() != 2);
        let goes_on = match self.wire.framer.leftover() {
            [] => frame.code != 421,
            leftover if leftover.starts_with(b"421") => false,
            _ => {
                let answer = if ahead { self.answers(true).await } else { Ok(()) };
                if !ahead || matches!(answer, Err(No::Garbled(_))) {
                    // Two answers to one question: the first may have been meant for something else.
                    self.state = State::Broken;
                    return doubt(format!("the server answered the body twice, first {reply}"));
                }
                self.answered = Some((answer.map_err(Failure::from), self.state));
                true
            }
        };
        let state = match (goes_on, ahead) {
            (false, _) => State::Broken,
            (true, true) => State::Ahead { refused },
            (true, false) if refused => State::ResetDue,
            (true, false) => State::Ready,
        };
        let phase = Phase::Body;
        let verdict = match frame.class() {
            2 => Verdict::Accepted(reply),
            5 if meaning(phase, &reply) != Meaning::Credentials => Verdict::Permanent { phase, reply },
            4 | 5 => Verdict::Temporary { phase, reply: Some(reply), detail: String::new() },
            _ => {
                self.state = State::Broken;
                return doubt(format!("the server answered the body with {reply}"));
            }
        };
        self.state = state;
        verdict
    }
}

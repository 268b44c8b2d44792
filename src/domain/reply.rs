//! What a mail server's answer means for a notice, and when to try again.
//!
//! A reply is a value here; the stream it came from lives in `mail`. What always holds: only 2yz
//! after the final dot is acceptance, and only what came before the body may be repeated without doubt.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

/// How far an SMTP dialogue had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    Connect,
    Greeting,
    Hello,
    StartTls,
    Auth,
    Mail,
    Rcpt,
    Data,
    /// The body's first octet may have left, the server's last word has not come.
    Body,
}

impl Phase {
    /// The word used in the database, in `--json` and for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Greeting => "greeting",
            Self::Hello => "hello",
            Self::StartTls => "start_tls",
            Self::Auth => "auth",
            Self::Mail => "mail",
            Self::Rcpt => "rcpt",
            Self::Data => "data",
            Self::Body => "body",
        }
    }
}

/// An enhanced status code (RFC 3463): class, subject, detail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enhanced(pub u8, pub u16, pub u16);

impl std::fmt::Display for Enhanced {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

impl Enhanced {
    /// Reads the code at the start of a reply's text, if there is one that fits the reply's class.
    pub fn parse(text: &str, class: u8) -> Option<Self> {
        let word = text.split_ascii_whitespace().next()?;
        let mut parts = word.split('.');
        let (a, b, c) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() {
            return None;
        }
        let code = Self(a.parse().ok()?, b.parse().ok()?, c.parse().ok()?);
        (code.0 == class && code.1 < 1000 && code.2 < 1000).then_some(code)
    }
}

/// A complete, well-formed reply of the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// 200 to 599.
    pub code: u16,
    pub enhanced: Option<Enhanced>,
    /// The server's words without the codes, lines joined by a space, control characters escaped.
    pub text: String,
}

impl Reply {
    pub fn is_permanent(&self) -> bool {
        self.code / 100 == 5
    }

    /// The codes without the words, which may hold an address: `550 5.7.1`.
    pub fn codes(&self) -> String {
        Self { text: String::new(), ..self.clone() }.to_string()
    }
}

impl std::fmt::Display for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.code)?;
        if let Some(enhanced) = self.enhanced {
            write!(f, " {enhanced}")?;
        }
        if !self.text.is_empty() {
            write!(f, " {}", self.text)?;
        }
        Ok(())
    }
}

/// What one try came to, in words that never say more than is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// 2yz at the final dot.
    Accepted(Reply),
    /// Not taken, and it may be tried again: 4yz anywhere, or the connection failed before the body.
    Temporary { phase: Phase, reply: Option<Reply>, detail: String },
    /// Refused for good: 5yz to MAIL, RCPT, DATA or the body.
    Permanent { phase: Phase, reply: Reply },
    /// The body had begun and no clear answer came: the server may have it or not (RFC 1047).
    Doubtful { detail: String },
}

/// How long a mail is offered to a mail server (RFC 5321, 4.5.4.1).
pub const PATIENCE: TimeDelta = TimeDelta::days(5);

/// What was refused so long ago in words that may mean anything, or because its domain is dead, and is refused again, is
/// refused for good. Sooner it may be the same trouble.
pub(super) const APART: TimeDelta = TimeDelta::hours(24);

/// Waits between tries (RFC 5321, 4.5.4.1 gives the frame); the last one repeats.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retry {
    pub delays: Vec<TimeDelta>,
}

impl Default for Retry {
    fn default() -> Self {
        let minutes = [1, 5, 30, 60, 120, 180];
        Self { delays: minutes.into_iter().map(TimeDelta::minutes).collect() }
    }
}

impl Retry {
    /// When to try again after `attempt` tries (1 after the first), give or take 10 %.
    /// The jitter comes from `seed` (the notice's id), so that the same notice always waits the same.
    pub fn next(&self, now: DateTime<Utc>, attempt: u32, seed: &str) -> DateTime<Utc> {
        let index = (attempt.max(1) as usize - 1).min(self.delays.len().saturating_sub(1));
        let delay = self.delays.get(index).copied().unwrap_or(TimeDelta::hours(3));
        let hash = seed
            .bytes()
            .chain(attempt.to_le_bytes())
            .fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
        let permille = i64::try_from(hash % 201).unwrap_or(100) - 100;
        now + TimeDelta::milliseconds(delay.num_milliseconds() * (1000 + permille) / 1000)
    }
}

//! What the configuration is made of, each value valid by construction.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::domain::customer::EmailAddress;
use crate::text::{plain, url};

use super::error::quoted;
use super::parsers;
use super::reader::Read;
use super::value::Value;

/// Where mail goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mode {
    /// Nothing leaves the machine; each mail is kept and can be read.
    Capture,
    /// Everything goes to this one address of ours.
    Redirect(EmailAddress),
    /// To the customers.
    Live,
}

impl Mode {
    /// The word for it in the configuration, on pages and in `--json`.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Capture => "capture",
            Self::Redirect(_) => "redirect",
            Self::Live => "live",
        }
    }

    /// What keeps mail from the customers, in a sentence; None where nothing does.
    pub fn sentence(&self) -> Option<String> {
        match self {
            Self::Capture => Some("capture: customers get no mail".to_owned()),
            Self::Redirect(to) => {
                Some(format!("redirect: customers get no mail, all of it goes to {}", plain(to.as_str())))
            }
            Self::Live => None,
        }
    }
}

/// How the connection to the mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// Not at all: to this machine only.
    None,
    /// STARTTLS, without which nothing is sent.
    StartTls,
    /// TLS from the first octet.
    Tls,
}

impl Security {
    pub(super) const ALL: [Self; 3] = [Self::None, Self::StartTls, Self::Tls];

    /// The word for it in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::StartTls => "starttls",
            Self::Tls => "tls",
        }
    }

    /// The port that goes with it where none is given (RFC 8314 for the two with TLS).
    pub fn port(self) -> u16 {
        match self {
            Self::None => 25,
            Self::StartTls => 587,
            Self::Tls => 465,
        }
    }
}

/// The shape of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Text on a terminal, JSON otherwise.
    Auto,
    Text,
    Json,
}

impl LogFormat {
    /// The words for them in the configuration.
    pub(super) const WORDS: [(&str, Self); 3] =
        [("auto", Self::Auto), ("text", Self::Text), ("json", Self::Json)];

    /// Whether JSON is asked for; None leaves it to what stderr is.
    pub fn json(self) -> Option<bool> {
        match self {
            Self::Auto => None,
            Self::Text => Some(false),
            Self::Json => Some(true),
        }
    }
}

/// How many mails in which time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    pub mails: NonZeroU32,
    /// A second, a minute or an hour.
    pub per: Duration,
}

impl Rate {
    /// Reads `"20/s"`, `"1200/m"`, `"5000/h"`; None for `"0"` and `"unlimited"`.
    pub(super) fn read(value: &Value) -> Read<Option<Self>> {
        let word = match value {
            Value::Number(0) => "0",
            other => parsers::text(other)?,
        };
        if word == "0" || word == "unlimited" {
            return Ok(None);
        }
        let wrong = || {
            let read = quoted(word);
            format!("{read} is no rate; write \"20/s\", \"1200/m\", \"5000/h\", or \"unlimited\"")
        };
        let (count, unit) = word.split_once('/').ok_or_else(wrong)?;
        let seconds = match unit.trim() {
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            _ => return Err(wrong()),
        };
        let mails = count.trim().parse().map_err(|_| wrong())?;
        Ok(Some(Self { mails, per: Duration::from_secs(seconds) }))
    }

    /// The same as a number of mails a second.
    pub fn per_second(&self) -> f64 {
        f64::from(self.mails.get()) / self.per.as_secs_f64()
    }
}

/// To whom mail may go at all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Allowed(Vec<Pattern>);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Pattern {
    Address(EmailAddress),
    /// Without the `@`, in lower case.
    Domain(String),
}

impl Pattern {
    pub(super) fn read(value: &Value) -> Read<Self> {
        let word = parsers::text(value)?;
        let Some(domain) = word.strip_prefix('@') else {
            return EmailAddress::parse(word).map(Self::Address).map_err(|fault| {
                format!(
                    "{} is neither a mail address nor a domain such as \"@example.com\": {fault}",
                    quoted(word)
                )
            });
        };
        // A domain is good if an address in it is.
        let probe = EmailAddress::parse(&format!("a@{domain}"));
        let domain = probe.map(|address| Self::Domain(address.domain().to_owned()));
        domain.map_err(|_| {
            format!("{} is no domain that mail can be sent to; write \"@example.com\"", quoted(word))
        })
    }
}

impl Allowed {
    pub(super) fn of(patterns: Vec<Pattern>) -> Self {
        Self(patterns)
    }

    /// Whether there is no restriction.
    pub fn everyone(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether mail may go to `address`. Upper and lower case are the same here.
    pub fn allows(&self, address: &EmailAddress) -> bool {
        self.everyone()
            || self.0.iter().any(|pattern| match pattern {
                Pattern::Address(one) => one.as_str().to_lowercase() == address.as_str().to_lowercase(),
                Pattern::Domain(one) => one == address.domain(),
            })
    }
}

/// A sender: a name to show and an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mailbox {
    /// Without quotes; never holds a control character.
    pub name: Option<String>,
    pub address: EmailAddress,
}

impl Mailbox {
    /// Reads `Example Shop <orders@example.com>` or a plain address.
    pub(super) fn read(value: &Value) -> Read<Self> {
        let word = parsers::text(value)?;
        let (name, address) = match word.strip_suffix('>').and_then(|rest| rest.rsplit_once('<')) {
            Some((name, address)) => (name.trim(), address),
            None => ("", word),
        };
        let address = EmailAddress::parse(address).map_err(|fault| {
            format!("{} is no sender: {fault}; write \"Example Shop <orders@example.com>\"", quoted(word))
        })?;
        let name = name.strip_prefix('"').and_then(|n| n.strip_suffix('"')).unwrap_or(name);
        let name = name.replace("\\\"", "\"").replace("\\\\", "\\");
        Ok(Self { name: Some(name).filter(|name| !name.is_empty()), address })
    }
}

/// A page of the shop, with `{order}` where the order's number goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link(String);

impl Link {
    /// Reads an http or https address.
    pub(super) fn read(value: &Value) -> Read<Self> {
        let word = parsers::text(value)?;
        let wrong = |why: &str| Err(format!("{} {why}", quoted(word)));
        let Some((host, path)) = url::split(word) else {
            return wrong(
                "is no web address; write it in full, as in \"https://shop.example.com/orders/{order}\"",
            );
        };
        let in_host = |c: char| c.is_alphanumeric() || ".-:[]".contains(c);
        if host.contains('@') {
            return wrong("holds a user or a password; everybody would read it");
        }
        if host.contains('{') {
            return wrong("has a placeholder in the host's name; {order} may stand after it only");
        }
        if host.is_empty() || host.starts_with([':', '.']) || !host.chars().all(in_host) {
            return wrong("names no host; write it as in \"https://shop.example.com/orders/{order}\"");
        }
        if path.chars().any(|c| c.is_whitespace() || "<>\"`\\".contains(c)) {
            return wrong("holds a character that no web address may have; write it %-encoded");
        }
        if path.replace("{order}", "").contains(['{', '}']) {
            return wrong("has a placeholder that is not {order}, the only one there is");
        }
        Ok(Self(word.to_owned()))
    }

    /// As it was written, `{order}` and all.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

//! Turns a rendered notice into the bytes of a mail (RFC 5322, 2045, 2047, 3834).
//!
//! What always holds: the same letter gives the same bytes; only CRLF ends lines, none is longer than 998
//! octets; bodies are quoted-printable; and no text of a customer can become a header, hide behind
//! control characters or turn a line around.

use chrono::{DateTime, Utc};
use lettre::{
    Address, Message,
    address::Envelope,
    message::{
        Body, MultiPart, SinglePart,
        header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue},
    },
};
use thiserror::Error;

use super::framing::is_invisible;
use super::quoted::quoted_printable;

/// Characters of a display name that are kept.
const MAX_NAME: usize = 300;
/// Characters of a subject that are kept.
const MAX_SUBJECT: usize = 400;
/// Octets of one message id; ours have about 60.
const MAX_MESSAGE_ID: usize = 250;
/// Octets of a line without its CRLF (RFC 5322, 2.1.1).
const MAX_LINE: usize = 998;
/// Message ids in References: the first and the newest of an order's mails.
const MAX_REFERENCES: usize = 10;

/// Why a letter cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ComposeError {
    #[error("the {0} is no mail address")]
    Address(&'static str),
    #[error("{0:?} is no message id")]
    MessageId(String),
    #[error("the notice id {0:?} may hold letters, digits, '-' and '_' only, at most 50")]
    NoticeId(String),
    #[error("the mail would break the rules of its format: {0}")]
    Format(String),
}

/// An address of ours with its display name, checked once and used for many letters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mailbox(lettre::message::Mailbox);

impl Mailbox {
    /// Checks the address, gives its domain as A-labels, and cleans the name. `what` names it in the error.
    pub fn new(what: &'static str, name: Option<&str>, address: &str) -> Result<Self, ComposeError> {
        let address = to_address(address).ok_or(ComposeError::Address(what))?;
        let name = name.map(|name| clean_line(name, MAX_NAME)).filter(|name| !name.is_empty());
        Ok(Self(lettre::message::Mailbox::new(name, address)))
    }

    /// The address as it goes into the envelope and the header.
    pub fn address(&self) -> &str {
        self.0.email.as_ref()
    }
}

/// All that makes up one mail.
#[derive(Debug, Clone)]
pub struct Letter<'a> {
    pub from: &'a Mailbox,
    pub reply_to: Option<&'a Mailbox>,
    pub to_address: &'a str,
    pub to_name: Option<&'a str>,
    pub subject: &'a str,
    pub text: &'a str,
    /// Without it the mail is one text/plain part.
    pub html: Option<&'a str>,
    /// When the mail was composed.
    pub date: DateTime<Utc>,
    /// Without angle brackets, as those in `references`.
    pub message_id: &'a str,
    /// Message ids of the order's mails so far, oldest first.
    pub references: &'a [String],
    /// X-Shipby-Notice, and the seed of the MIME boundary.
    pub notice: &'a str,
    /// X-Shipby-Order: any text; what is not plain ASCII is percent-escaped.
    pub order: &'a str,
    /// X-Shipby-Kind.
    pub kind: &'a str,
}

/// The mail's bytes, ready for the stream but for dot-stuffing.
pub fn compose(letter: &Letter<'_>) -> Result<Vec<u8>, ComposeError> {
    check_notice_id(letter.notice)?;
    let to = Mailbox::new("recipient", letter.to_name, letter.to_address)?;
    // The driver has the envelope; made from the headers it would cost a parse of each.
    let envelope = Envelope::new(Some(letter.from.0.email.clone()), vec![to.0.email.clone()])
        .map_err(|error| ComposeError::Format(error.to_string()))?;
    let mut builder = Message::builder()
        .envelope(envelope)
        .from(letter.from.0.clone())
        .to(to.0)
        .subject(clean_subject(letter.subject))
        .date(header_date(letter.date))
        .message_id(Some(bracketed(letter.message_id)?));
    if let Some(reply_to) = letter.reply_to {
        builder = builder.reply_to(reply_to.0.clone());
    }
    if let Some(last) = letter.references.last() {
        builder = builder.in_reply_to(bracketed(last)?).references(references(letter.references)?);
    }
    builder = builder
        .raw_header(header("Auto-Submitted", "auto-generated".to_owned()))
        .raw_header(header("X-Shipby-Notice", letter.notice.to_owned()))
        .raw_header(header("X-Shipby-Order", escape(letter.order)))
        .raw_header(header("X-Shipby-Kind", escape(letter.kind)));
    let text = part(letter.text, ContentType::TEXT_PLAIN);
    let built = match letter.html {
        None => builder.singlepart(text),
        Some(html) => builder.multipart(
            // "=_" cannot stand in quoted-printable text, so no body can hold its own boundary.
            MultiPart::alternative()
                .boundary(format!("=_shipby_{}", letter.notice))
                .singlepart(text)
                .singlepart(part(html, ContentType::TEXT_HTML)),
        ),
    };
    let bytes = built.map_err(|error| ComposeError::Format(error.to_string()))?.formatted();
    check_lines(&bytes)?;
    Ok(bytes)
}

/// An address as an envelope carries it: the domain in A-labels.
pub fn envelope_address(address: &str) -> Option<String> {
    to_address(address).map(|address| address.to_string())
}

/// The address with its domain as A-labels (RFC 5891); the local part stays as it is.
fn to_address(address: &str) -> Option<Address> {
    if address.chars().any(|c| c.is_control() || is_invisible(c)) {
        return None;
    }
    let (local, domain) = address.trim().rsplit_once('@')?;
    if domain.is_ascii() {
        return Address::new(local, domain).ok();
    }
    Address::new(local, idna::domain_to_ascii(domain).ok()?).ok()
}

fn header(name: &'static str, value: String) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value)
}

/// Formatting a date outside of these years panics in the library below.
fn header_date(date: DateTime<Utc>) -> std::time::SystemTime {
    const YEAR_9999: u64 = 253_370_764_800;
    let seconds = u64::try_from(date.timestamp()).unwrap_or(0).min(YEAR_9999);
    std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(seconds)
}

fn check_notice_id(id: &str) -> Result<(), ComposeError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let good = !id.is_empty() && id.len() <= 50 && id.bytes().all(plain);
    if good { Ok(()) } else { Err(ComposeError::NoticeId(id.to_owned())) }
}

fn bracketed(id: &str) -> Result<String, ComposeError> {
    let plain = |byte: u8| byte.is_ascii_graphic() && byte != b'<' && byte != b'>';
    let good = !id.is_empty() && id.len() <= MAX_MESSAGE_ID && id.bytes().all(plain) && id.contains('@');
    if good { Ok(format!("<{id}>")) } else { Err(ComposeError::MessageId(id.to_owned())) }
}

/// The first mail keeps the thread together where readers drop the middle (RFC 5322, 3.6.4).
fn references(ids: &[String]) -> Result<String, ComposeError> {
    let newest = ids.len().saturating_sub(MAX_REFERENCES - 1).max(1);
    let kept = ids.iter().take(1).chain(ids.iter().skip(newest));
    let bracketed: Result<Vec<String>, _> = kept.map(|id| bracketed(id)).collect();
    Ok(bracketed?.join(" "))
}

/// Always quoted-printable: 8bit may not pass, and base64 is opaque to people and spam filters.
fn part(text: &str, kind: ContentType) -> SinglePart {
    let body = Body::dangerous_pre_encoded(quoted_printable(text), ContentTransferEncoding::QuotedPrintable);
    SinglePart::builder().header(kind).body(body)
}

/// One line of text for a header: white space joined, control and direction characters gone, cut to `max`
/// characters.
fn clean_line(text: &str, max: usize) -> String {
    let mut clean = String::with_capacity(text.len().min(4 * max));
    let mut kept = 0;
    for word in text.split(|c: char| c.is_whitespace() || c == '\0') {
        let mut word = word.chars().filter(|c| !c.is_control() && !is_invisible(*c)).peekable();
        if word.peek().is_some() && kept > 0 {
            clean.push(' ');
            kept += 1;
        }
        for c in word {
            if kept >= max {
                return clean.trim_end().to_owned();
            }
            clean.push(c);
            kept += 1;
        }
    }
    clean
}

/// A subject that looks encoded would be decoded by the reader's program into something else.
fn clean_subject(subject: &str) -> String {
    clean_line(subject, MAX_SUBJECT).replace("=?", "= ?")
}

/// Percent-escapes all but plain ASCII, in at most about 600 octets.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if escaped.len() > 600 {
            break;
        }
        if c.is_ascii_alphanumeric() || "-_.~#/:+,@".contains(c) {
            escaped.push(c);
        } else {
            let mut octets = [0; 4];
            for octet in c.encode_utf8(&mut octets).bytes() {
                escaped.push('%');
                escaped.push(char::from(b"0123456789ABCDEF"[usize::from(octet >> 4)]));
                escaped.push(char::from(b"0123456789ABCDEF"[usize::from(octet & 15)]));
            }
        }
    }
    escaped
}

/// The last line of defence: whatever made these bytes, a stray line end would be a way into the dialogue.
fn check_lines(bytes: &[u8]) -> Result<(), ComposeError> {
    let fault = |what: &str| Err(ComposeError::Format(what.to_owned()));
    let mut start = 0;
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'\r' if bytes.get(at + 1) != Some(&b'\n') => return fault("a carriage return stands alone"),
            b'\n' if at == 0 || bytes[at - 1] != b'\r' => return fault("a line does not end in CRLF"),
            b'\n' if at - start > MAX_LINE + 1 => return fault("a line has more than 998 octets"),
            b'\n' => start = at + 1,
            _ => {}
        }
    }
    if start == bytes.len() { Ok(()) } else { fault("the last line does not end in CRLF") }
}

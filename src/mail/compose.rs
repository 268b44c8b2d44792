//! Turns a rendered notice into the bytes of a mail (RFC 5322, 2045, 2047, 3834).
//!
//! What always holds: the same letter gives the same bytes; only CRLF ends lines, none is longer than 998
//! octets; bodies are quoted-printable; and no text of a customer can become a header, hide behind
//! control characters or turn a line around.

use chrono::{DateTime, Utc};
use lettre::Address;
use lettre::message::Mailboxes;
use lettre::message::header::{self, Header, HeaderName, HeaderValue, Headers};
use thiserror::Error;

use super::quoted::quoted_printable;
use crate::text::is_dangerous;
use crate::text::url::push_percent;

/// Ends a line.
const END: &str = "\r\n";
/// Characters of a display name that are kept.
const MAX_NAME: usize = 300;
/// Characters of a subject that are kept.
const MAX_SUBJECT: usize = 400;
/// Octets of one message id; ours have about 60.
const MAX_MESSAGE_ID: usize = 250;
/// Octets of a line without its CRLF (RFC 5322, 2.1.1).
const MAX_LINE: usize = 998;
/// Octets of a header's line that are not folded (RFC 5322, 2.1.1, asks for no more than 78).
const FOLDED: usize = 76;
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

/// An address of ours with its display name, checked and written as headers once and used for many letters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mailbox {
    address: Address,
    from: String,
    reply_to: String,
}

impl Mailbox {
    /// Checks the address, gives its domain as A-labels, and cleans the name. `what` names it in the error.
    pub fn new(what: &'static str, name: Option<&str>, address: &str) -> Result<Self, ComposeError> {
        let mailbox = mailbox(what, name, address)?;
        let all = || Mailboxes::from(mailbox.clone());
        let (from, reply_to) = (typed(header::From::from(all())), typed(header::ReplyTo::from(all())));
        Ok(Self { address: mailbox.email, from, reply_to })
    }

    /// The address as it goes into the envelope and the header.
    pub fn address(&self) -> &str {
        self.address.as_ref()
    }

    /// What stands behind the `@`, in A-labels.
    pub fn domain(&self) -> &str {
        self.address.domain()
    }
}

fn mailbox(
    what: &'static str,
    name: Option<&str>,
    address: &str,
) -> Result<lettre::message::Mailbox, ComposeError> {
    let address = to_address(address).ok_or(ComposeError::Address(what))?;
    let name = name.map(|name| clean_line(name, MAX_NAME)).filter(|name| !name.is_empty());
    Ok(lettre::message::Mailbox::new(name, address))
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
    /// X-Shipby-Order: any text; what is not plain ASCII is percent-escaped. Empty for a
    /// mail about none.
    pub order: &'a str,
    /// X-Shipby-Kind.
    pub kind: &'a str,
}

/// The mail's bytes, ready for the stream but for dot-stuffing.
pub fn compose(letter: &Letter<'_>) -> Result<Vec<u8>, ComposeError> {
    check_notice_id(letter.notice)?;
    let body = letter.text.len() + letter.html.map_or(0, str::len);
    let mut out = Vec::with_capacity(1024 + body + body / 8);
    headers(letter, &mut out)?;
    match letter.html {
        None => part("text/plain", letter.text, &mut out),
        Some(html) => {
            // "=_" cannot stand in quoted-printable text, so no body can hold its own boundary.
            let boundary = format!("=_shipby_{}", letter.notice);
            field("Content-Type", &format!("multipart/alternative; boundary=\"{boundary}\""), &mut out);
            add(&[END], &mut out);
            for (kind, body) in [("text/plain", letter.text), ("text/html", html)] {
                add(&["--", &boundary, END], &mut out);
                part(kind, body, &mut out);
            }
            add(&["--", &boundary, "--", END], &mut out);
        }
    }
    check_lines(&out)?;
    Ok(out)
}

/// All headers but those of the body.
fn headers(letter: &Letter<'_>, out: &mut Vec<u8>) -> Result<(), ComposeError> {
    let to = mailbox("recipient", letter.to_name, letter.to_address)?;
    add(&[&letter.from.from, &typed(header::To::from(Mailboxes::from(to)))], out);
    field("Subject", &clean_subject(letter.subject), out);
    add(&[&typed(header::Date::new(header_date(letter.date)))], out);
    field("Message-ID", &bracketed(letter.message_id)?, out);
    if let Some(reply_to) = letter.reply_to {
        add(&[&reply_to.reply_to], out);
    }
    if let Some(last) = letter.references.last() {
        field("In-Reply-To", &bracketed(last)?, out);
        field("References", &references(letter.references)?, out);
    }
    field("Auto-Submitted", "auto-generated", out);
    field("X-Shipby-Notice", letter.notice, out);
    if !letter.order.is_empty() {
        field("X-Shipby-Order", &escape(letter.order), out);
    }
    field("X-Shipby-Kind", &escape(letter.kind), out);
    field("MIME-Version", "1.0", out);
    Ok(())
}

/// A header of free text. What is plain and fits into a line stands as it is; the rest is lettre's to encode and fold.
fn field(name: &'static str, value: &str, out: &mut Vec<u8>) {
    let plain = value.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    if plain && name.len() + ": ".len() + value.len() <= FOLDED {
        add(&[name, ": ", value, END], out);
    } else {
        let value = HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned());
        add(&[&encoded(value)], out);
    }
}

/// A header as lettre writes it, with its line's end.
fn typed(header: impl Header) -> String {
    encoded(header.display())
}

fn encoded(value: HeaderValue) -> String {
    let mut one = Headers::new();
    one.insert_raw(value);
    one.to_string()
}

fn add(parts: &[&str], out: &mut Vec<u8>) {
    parts.iter().for_each(|part| out.extend_from_slice(part.as_bytes()));
}

/// An address as an envelope carries it: the domain in A-labels.
pub fn envelope_address(address: &str) -> Option<String> {
    to_address(address).map(|address| address.to_string())
}

/// The address with its domain as A-labels (RFC 5891); the local part stays as it is.
fn to_address(address: &str) -> Option<Address> {
    if address.chars().any(is_dangerous) {
        return None;
    }
    let (local, domain) = address.trim().rsplit_once('@')?;
    if domain.is_ascii() {
        return Address::new(local, domain).ok();
    }
    Address::new(local, idna::domain_to_ascii(domain).ok()?).ok()
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

/// A part with its headers. Always quoted-printable: 8bit may not pass, and base64 is opaque to people and spam filters.
fn part(kind: &str, body: &str, out: &mut Vec<u8>) {
    add(&["Content-Type: ", kind, "; charset=utf-8", END], out);
    add(&["Content-Transfer-Encoding: quoted-printable", END, END], out);
    quoted_printable(body, out);
    add(&[END], out);
}

/// One line of text for a header: white space joined, control and direction characters gone, cut to `max`
/// characters.
fn clean_line(text: &str, max: usize) -> String {
    let mut clean = String::with_capacity(text.len().min(4 * max));
    let mut kept = 0;
    for word in text.split(|c: char| c.is_whitespace() || c == '\0') {
        let mut word = word.chars().filter(|c| !is_dangerous(*c)).peekable();
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
        push_percent(c.encode_utf8(&mut [0; 4]), "#/:+,@", &mut escaped);
    }
    escaped
}

/// The last line of defence: whatever made these bytes, a stray line end would be a way into the dialogue.
fn check_lines(bytes: &[u8]) -> Result<(), ComposeError> {
    let fault = |what: &str| Err(ComposeError::Format(what.to_owned()));
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else { return fault("it is empty") };
    // Without a way out in between, so that many bytes are looked at in one step.
    let pairs = bytes[..bytes.len() - 1].iter().zip(&bytes[1..]);
    let paired = pairs.fold(true, |all, (one, next)| all & ((*one == b'\r') == (*next == b'\n')));
    if !paired || *first == b'\n' || *last == b'\r' {
        return fault("a carriage return or a line feed stands alone");
    }
    if *last != b'\n' {
        return fault("the last line does not end in CRLF");
    }
    let mut rest = bytes;
    while !rest.is_empty() {
        let near = &rest[..rest.len().min(MAX_LINE + 2)];
        match near.iter().rposition(|byte| *byte == b'\n') {
            Some(end) => rest = &rest[end + 1..],
            None => return fault("a line has more than 998 octets"),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;
    use lettre::address::Envelope;
    use lettre::message::header::{ContentTransferEncoding, ContentType};
    use lettre::message::{Body, Message, MultiPart, SinglePart};
    use proptest::prelude::*;

    use super::*;

    /// The letter as lettre's own builder makes it.
    fn built(letter: &Letter<'_>, from: &lettre::message::Mailbox) -> Vec<u8> {
        let to = mailbox("recipient", letter.to_name, letter.to_address).unwrap();
        let raw = |name, value| HeaderValue::new(HeaderName::new_from_ascii_str(name), value);
        let mut builder = Message::builder()
            .envelope(Envelope::new(None, vec![to.email.clone()]).unwrap())
            .from(from.clone())
            .to(to)
            .subject(clean_subject(letter.subject))
            .date(header_date(letter.date))
            .message_id(Some(bracketed(letter.message_id).unwrap()));
        if letter.reply_to.is_some() {
            builder = builder.reply_to(from.clone());
        }
        if let Some(last) = letter.references.last() {
            builder = builder.in_reply_to(bracketed(last).unwrap());
            builder = builder.references(references(letter.references).unwrap());
        }
        builder = builder.raw_header(raw("Auto-Submitted", "auto-generated".to_owned()));
        builder = builder.raw_header(raw("X-Shipby-Notice", letter.notice.to_owned()));
        builder = builder.raw_header(raw("X-Shipby-Order", escape(letter.order)));
        builder = builder.raw_header(raw("X-Shipby-Kind", escape(letter.kind)));
        let part = |text: &str, kind| {
            let mut encoded = Vec::new();
            quoted_printable(text, &mut encoded);
            let body = Body::dangerous_pre_encoded(encoded, ContentTransferEncoding::QuotedPrintable);
            SinglePart::builder().header::<ContentType>(kind).body(body)
        };
        let text = part(letter.text, ContentType::TEXT_PLAIN);
        let Some(html) = letter.html else { return builder.singlepart(text).unwrap().formatted() };
        let parts = MultiPart::alternative().boundary(format!("=_shipby_{}", letter.notice));
        let parts = parts.singlepart(text).singlepart(part(html, ContentType::TEXT_HTML));
        builder.multipart(parts).unwrap().formatted()
    }

    proptest! {
        #[test]
        fn a_mail_is_byte_for_byte_what_the_library_builds(
            name in "[A-Za-z .,'\"\\\\<@_ü\u{1F600}-]{0,60}", subject in "([ -~]{0,90}|[A-Za-z ü€]{0,90})",
            order in "[!-~]{1,90}", notice in "[A-Za-z0-9_-]{1,50}", text in "[a-z =\n]{0,200}",
            ids in proptest::collection::vec("[a-z0-9]{1,40}@shop\\.example", 0..12),
            html in proptest::option::of("[<a-z>ü\n]{0,200}"), seconds in 0_i64..4_000_000_000,
        ) {
            let shop = (Some("Kettle & Söhne"), "news@shop.example");
            let from = Mailbox::new("sender", shop.0, shop.1).unwrap();
            let letter = Letter {
                from: &from, reply_to: Some(&from), to_address: "kim@example.com", to_name: Some(&name),
                subject: &subject, text: &text, html: html.as_deref(), references: &ids, order: &order,
                date: Utc.timestamp_opt(seconds, 0).unwrap(), message_id: "n@shop.example", notice: &notice,
                kind: "date_slip",
            };
            let (ours, theirs) = (compose(&letter).unwrap(), built(&letter, &mailbox("sender", shop.0, shop.1).unwrap()));
            prop_assert_eq!(String::from_utf8_lossy(&ours), String::from_utf8_lossy(&theirs));
        }
    }

    #[test]
    fn no_line_end_of_ours_stands_alone_and_no_line_is_too_long() {
        let line = |length: usize| format!("{}\r\n", "x".repeat(length));
        for good in [line(0), line(998), line(998).repeat(3), line(7) + &line(998) + &line(0)] {
            assert_eq!(check_lines(good.as_bytes()), Ok(()));
        }
        for bad in ["a\n", "a\rb\r\n", "a\r", "a\r\nb", "\n", "\r\n\n", "\n\r\n", "a\r\r\n"] {
            assert!(check_lines(bad.as_bytes()).is_err(), "{bad:?}");
        }
        for bad in [line(999), line(7) + &line(999) + &line(0), line(5000)] {
            assert!(check_lines(bad.as_bytes()).is_err());
        }
    }
}

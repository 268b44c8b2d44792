//! Reads a mail that came back: a bounce (RFC 3464, or as qmail writes it) or a complaint (RFC 5965).
//!
//! What always holds: only the mail itself is asked, never one that is attached to it, so that a bounce inside of a
//! customer's reply is none of ours; whatever is no report is `None`; and nothing that is cut short, in eight bits or
//! made up is more than not understood.

use mail_parser::{MessageParser, MessagePart, MimeHeaders};

use super::fields::{Fields, blocks};
use crate::domain::bounce::Report;
use crate::domain::reply::{Enhanced, Reply};

/// Octets of a mail that are looked at: what it reports stands at its beginning.
pub const MAX_RETURNED: usize = 1024 * 1024;
/// Characters of a server's words that are kept.
const MAX_WORDS: usize = 500;

/// A mail that came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Returned {
    pub report: Report,
    /// Texts with the addresses it came to, and with those that the mail it is about was from.
    pub addresses: Vec<String>,
    /// The notice that the mail it is about names itself as.
    pub notice: Option<String>,
}

/// What a mail reports; None for any other mail.
pub fn read(mail: &[u8]) -> Option<Returned> {
    let mail = &mail[..mail.len().min(MAX_RETURNED)];
    let message = MessageParser::default().parse(mail)?;
    let of_type = |wanted: &[&str]| {
        let is_it = |part: &&MessagePart| wanted.contains(&kind(part).as_str());
        message.parts.iter().find(is_it).map(MessagePart::contents)
    };
    let status = of_type(&["message/delivery-status", "message/global-delivery-status"]);
    let (mut report, mut addresses) = match (status, of_type(&["message/feedback-report"])) {
        (Some(status), _) => (delivery_status(status), Vec::new()),
        (None, Some(feedback)) => complaint(feedback),
        (None, None) => (None, Vec::new()),
    };
    let headers = ["message/rfc822", "message/global", "text/rfc822-headers", "message/global-headers"];
    let mut ours = of_type(&headers).map(blocks).unwrap_or_default();
    if report.is_none() && status.is_none() {
        let text = message.parts.iter().find(|part| kind(part) == "text/plain").map(MessagePart::contents);
        (report, ours) = qmail(text.unwrap_or_default())?;
    }
    let ours = ours.into_iter().next().unwrap_or_default();
    let outer = blocks(mail).into_iter().next().unwrap_or_default();
    for name in ["delivered-to", "x-original-to", "envelope-to", "x-envelope-to", "to"] {
        addresses.extend(outer.all(name).map(str::to_owned));
    }
    addresses.extend(ours.all("return-path").map(str::to_owned));
    Some(Returned { report: report?, addresses, notice: named(&ours) })
}

/// The type of a part; without one it is plain text.
fn kind(part: &MessagePart) -> String {
    let text = || "text/plain".to_owned();
    part.content_type().map_or_else(text, |kind| {
        format!("{}/{}", kind.ctype(), kind.subtype().unwrap_or_default()).to_ascii_lowercase()
    })
}

/// The notice that headers of one of our mails name.
fn named(ours: &Fields) -> Option<String> {
    let message_id = || ours.get("message-id")?.trim().trim_start_matches('<').split('@').next();
    let id = ours.get("x-shipby-notice").map(str::trim).or_else(message_id)?;
    let is_ours = id.len() == 16 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_ours.then(|| id.to_ascii_lowercase())
}

/// What a delivery status says. It went to one recipient, but one address may lead to several mailboxes: as long as
/// one of them took it, the customer may read it.
fn delivery_status(text: &[u8]) -> Option<Report> {
    let mut worst = None;
    for recipient in &blocks(text) {
        let action = recipient.get("action").map(first_word).unwrap_or_default();
        let Some(reply) = reply(recipient) else { continue };
        match action.as_str() {
            "delivered" | "relayed" | "expanded" => return None,
            "delayed" if worst.is_none() => worst = Some(Report::Delayed(reply)),
            "failed" if !matches!(worst, Some(Report::Failed(_))) => worst = Some(Report::Failed(reply)),
            _ => {}
        }
    }
    worst
}

/// The reply that a server gave for a recipient: its own words where the report has them, else what the status says.
fn reply(recipient: &Fields) -> Option<Reply> {
    let (kind, words) =
        recipient.get("diagnostic-code").and_then(|text| text.split_once(';')).unwrap_or_default();
    let words = words.trim();
    let is_smtp = kind.trim().eq_ignore_ascii_case("smtp");
    let code: Option<u16> = words.get(..3).filter(|_| is_smtp).and_then(|code| code.parse().ok());
    let code = code.filter(|code| (400..600).contains(code));
    let status = recipient.get("status").map(first_word);
    let class = match (code, &status) {
        (Some(code), _) => u8::try_from(code / 100).ok()?,
        (None, Some(status)) => status.split('.').next()?.parse().ok()?,
        (None, None) => return None,
    };
    let rest = if code.is_some() { words[3..].trim_start_matches(['-', ' ']) } else { words };
    let said = Enhanced::parse(rest, class);
    let rest = said.map_or(rest, |_| rest.split_once(' ').map_or("", |(_, rest)| rest));
    // x.0.0 says no more than the class does.
    let tells = |code: &Enhanced| (code.1, code.2) != (0, 0);
    let status = status.and_then(|status| Enhanced::parse(&status, class));
    Some(Reply {
        code: code.unwrap_or(u16::from(class) * 100 + 50),
        enhanced: said.filter(tells).or(status.filter(tells)),
        text: words_of(rest),
    })
}

/// What a feedback report says, with the envelope sender it names. What is no complaint of a person is none.
fn complaint(text: &[u8]) -> (Option<Report>, Vec<String>) {
    let fields = blocks(text).into_iter().next().unwrap_or_default();
    let kind = fields.get("feedback-type").map(first_word).unwrap_or_default();
    let unwanted = ["abuse", "fraud", "opt-out", "opt-out-list"].contains(&kind.as_str());
    let from = fields.all("original-mail-from").map(str::to_owned).collect();
    (unwanted.then_some(Report::Complaint(kind)), from)
}

/// A bounce as qmail writes it (QSBMF): fixed words, a paragraph for each recipient, a line, and the mail.
fn qmail(text: &[u8]) -> Option<(Option<Report>, Vec<Fields>)> {
    let text = String::from_utf8_lossy(text).replace("\r\n", "\n");
    if !text.trim_start().starts_with("Hi. This is the ") {
        return None;
    }
    let (told, copy) = text.split_once("\n---").unwrap_or((&text, ""));
    let recipient = told.split("\n\n").find(|part| part.trim_start().starts_with('<'))?;
    let words = recipient.split_once('\n').map_or("", |(_, words)| words);
    let code = words.split(['#', ')']).find_map(|word| Enhanced::parse(word, 5));
    let reply = Reply { code: 550, enhanced: code, text: words_of(words) };
    let copy = copy.split_once('\n').map_or("", |(_, copy)| copy);
    Some((Some(Report::Failed(reply)), blocks(copy.trim_start().as_bytes())))
}

fn first_word(text: &str) -> String {
    let end = |c: char| c.is_whitespace() || c == '(' || c == ';';
    text.trim().split(end).next().unwrap_or_default().to_ascii_lowercase()
}

/// A server's words on one line, with nothing that a terminal would act on.
fn words_of(text: &str) -> String {
    let joined = text.split_whitespace().collect::<Vec<_>>().join(" ");
    joined.chars().filter(|c| !c.is_control()).take(MAX_WORDS).collect()
}

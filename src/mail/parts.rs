//! The parts of a mail: its own, and never those of a mail that is attached to it.
//!
//! What always holds: a mail within a mail stays closed, however deep they lie in each other; a mail has so many parts
//! and no more; and one that is cut short has the parts that are there.

use mail_parser::decoders::base64::base64_decode;
use mail_parser::decoders::quoted_printable::quoted_printable_decode;
use mail_parser::{MessageParser, MimeHeaders};

/// Parts that are looked at.
const MAX_PARTS: usize = 100;
/// Multiparts within multiparts that are looked into.
const MAX_DEPTH: usize = 10;

/// A part that is no multipart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    /// In lower case, as in `message/delivery-status`.
    pub kind: String,
    /// Without its transfer encoding.
    pub content: Vec<u8>,
}

/// The parts of a mail in their order.
pub(super) fn parts(mail: &[u8]) -> Vec<Part> {
    let (mut found, mut open) = (Vec::new(), vec![(mail, 0)]);
    while let Some((bytes, depth)) = open.pop() {
        if found.len() == MAX_PARTS {
            break;
        }
        let headers = MessageParser::default().parse_headers(bytes);
        let Some(part) = headers.as_ref().map(|headers| headers.root_part()) else {
            found.push(Part { kind: "text/plain".to_owned(), content: bytes.to_vec() });
            continue;
        };
        let body = after_headers(bytes);
        let kind = part.content_type();
        let boundary =
            kind.filter(|kind| kind.ctype() == "multipart").and_then(|kind| kind.attribute("boundary"));
        if let Some(boundary) = boundary.filter(|_| depth < MAX_DEPTH) {
            let within = split(body, boundary.as_bytes());
            open.extend(within.into_iter().rev().map(|part| (part, depth + 1)));
            continue;
        }
        let encoding = part.content_transfer_encoding().unwrap_or_default().to_ascii_lowercase();
        let decoded = match encoding.as_str() {
            "base64" => base64_decode(body),
            "quoted-printable" => quoted_printable_decode(body),
            _ => None,
        };
        let kind = kind.map_or_else(
            || "text/plain".to_owned(),
            |kind| format!("{}/{}", kind.ctype(), kind.subtype().unwrap_or_default()).to_ascii_lowercase(),
        );
        found.push(Part { kind, content: decoded.unwrap_or_else(|| body.to_vec()) });
    }
    found
}

/// What follows the first empty line.
fn after_headers(bytes: &[u8]) -> &[u8] {
    let mut at = 0;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        at += line.len();
        if line.trim_ascii().is_empty() {
            break;
        }
    }
    &bytes[at..]
}

/// What stands between the lines of a boundary, up to [`MAX_PARTS`]; the last one may have no end.
fn split<'a>(body: &'a [u8], boundary: &[u8]) -> Vec<&'a [u8]> {
    let (mut within, mut start, mut at) = (Vec::new(), None, 0);
    for line in body.split_inclusive(|byte| *byte == b'\n') {
        let rest = line.strip_prefix(b"--").and_then(|line| line.strip_prefix(boundary));
        let end = rest.map(<[u8]>::trim_ascii_end).filter(|rest| rest.is_empty() || *rest == b"--");
        if let Some(end) = end {
            within.extend(start.map(|start| &body[start..at]));
            start = Some(at + line.len()).filter(|_| end.is_empty() && within.len() < MAX_PARTS);
            if start.is_none() {
                return within;
            }
        }
        at += line.len();
    }
    within.extend(start.map(|start| &body[start..]));
    within
}

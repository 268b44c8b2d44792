//! Composed mails, read back by a parser that is not ours.

use chrono::{DateTime, TimeZone, Utc};
use mail_parser::{HeaderName, Message, MessageParser, MimeHeaders};
use proptest::prelude::*;
use shipby::mail::{ComposeError, Letter, Mailbox, compose};

fn shop() -> Mailbox {
    Mailbox::new("sender", Some("Kettle & Söhne, \"Shop\""), "news@shop.example").unwrap()
}

fn date() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2027, 3, 5, 8, 30, 0).unwrap()
}

fn letter(from: &Mailbox) -> Letter<'_> {
    Letter {
        from,
        reply_to: None,
        to_address: "kim@example.com",
        to_name: Some("Kim Mustermann"),
        subject: "Your order 1042: a new date",
        text: "Hello Kim,\n\nyour kettle comes later.\n",
        html: Some("<p>Hello Kim,</p>\n<p>your kettle comes later.</p>\n"),
        date: date(),
        message_id: "n-7f3a@shop.example",
        references: &[],
        notice: "n-7f3a",
        order: "1042",
        kind: "date_slip",
    }
}

/// What must hold for the bytes of every mail.
fn check_bytes(bytes: &[u8]) {
    let text = std::str::from_utf8(bytes).unwrap();
    assert!(text.ends_with("\r\n"));
    for line in text.split_terminator("\r\n") {
        assert!(line.len() <= 998, "{} octets: {line}", line.len());
        assert!(!line.contains(['\r', '\n', '\0']), "{line:?}");
    }
    let (headers, _) = text.split_once("\r\n\r\n").unwrap();
    let mut names: Vec<String> = headers
        .split("\r\n")
        .filter(|line| !line.starts_with([' ', '\t']))
        .map(|line| line.split_once(':').unwrap().0.to_ascii_lowercase())
        .collect();
    let all = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), all, "a header twice: {headers}");
}

fn composed(letter: &Letter<'_>) -> Vec<u8> {
    let bytes = compose(letter).unwrap();
    check_bytes(&bytes);
    bytes
}

fn parsed(bytes: &[u8]) -> Message<'_> {
    MessageParser::default().parse(bytes).unwrap()
}

fn raw<'a>(message: &'a Message<'_>, name: &'static str) -> &'a str {
    message.header_raw(name).unwrap_or_default().trim()
}

#[test]
fn a_mail_says_what_the_letter_says() {
    let from = shop();
    let reply_to = Mailbox::new("reply-to", None, "help@shop.example").unwrap();
    let bytes = composed(&Letter { reply_to: Some(&reply_to), ..letter(&from) });
    let mail = parsed(&bytes);
    let sender = mail.from().unwrap().first().unwrap();
    assert_eq!(
        (sender.name(), sender.address()),
        (Some("Kettle & Söhne, \"Shop\""), Some("news@shop.example"))
    );
    assert_eq!(mail.reply_to().unwrap().first().unwrap().address(), Some("help@shop.example"));
    let to = mail.to().unwrap().first().unwrap();
    assert_eq!((to.name(), to.address()), (Some("Kim Mustermann"), Some("kim@example.com")));
    assert_eq!(mail.subject(), Some("Your order 1042: a new date"));
    assert_eq!(mail.date().unwrap().to_timestamp(), date().timestamp());
    assert_eq!(mail.message_id(), Some("n-7f3a@shop.example"));
    assert_eq!(raw(&mail, "Date"), "Fri, 05 Mar 2027 08:30:00 +0000");
    for (name, value) in [
        ("Auto-Submitted", "auto-generated"),
        ("X-Shipby-Notice", "n-7f3a"),
        ("X-Shipby-Order", "1042"),
        ("X-Shipby-Kind", "date_slip"),
        ("MIME-Version", "1.0"),
    ] {
        assert_eq!(raw(&mail, name), value, "{name}");
    }
    assert!(mail.header(HeaderName::References).is_none());
    for absent in ["Precedence", "Bcc", "Sender", "In-Reply-To"] {
        assert!(mail.header_raw(absent).is_none(), "{absent}");
    }
}

#[test]
fn text_comes_first_and_both_parts_are_quoted_printable_utf8() {
    let from = shop();
    let text = "Grüße 🫖\n.\n..dots\nFrom here = there  \n\ttab\n";
    let html = "<p>Grüße 🫖 שלום</p>\n.\n";
    let bytes = composed(&Letter { text, html: Some(html), ..letter(&from) });
    assert!(bytes.is_ascii());
    let mail = parsed(&bytes);
    assert!(mail.content_type().unwrap().attribute("boundary").is_some());
    let parts: Vec<_> = mail.parts.iter().skip(1).collect();
    assert_eq!(parts.len(), 2);
    for (part, kind) in parts.iter().zip(["plain", "html"]) {
        assert_eq!(part.content_type().unwrap().subtype(), Some(kind));
        assert_eq!(part.content_type().unwrap().attribute("charset"), Some("utf-8"));
        assert_eq!(part.content_transfer_encoding(), Some("quoted-printable"));
    }
    let read = |body: Option<std::borrow::Cow<'_, str>>| body.unwrap().replace("\r\n", "\n");
    assert_eq!(read(mail.body_text(0)).trim_end(), text.trim_end());
    assert_eq!(read(mail.body_html(0)).trim_end(), html.trim_end());
}

#[test]
fn without_html_the_mail_is_one_plain_part() {
    let from = shop();
    let bytes = composed(&Letter { html: None, ..letter(&from) });
    let mail = parsed(&bytes);
    assert_eq!(mail.parts.len(), 1);
    assert_eq!(raw(&mail, "Content-Type"), "text/plain; charset=utf-8");
    assert_eq!(raw(&mail, "Content-Transfer-Encoding"), "quoted-printable");
    assert!(mail.body_text(0).unwrap().starts_with("Hello Kim,"));
}

#[test]
fn the_same_letter_gives_the_same_bytes() {
    let from = shop();
    assert_eq!(composed(&letter(&from)), composed(&letter(&from)));
}

#[test]
fn a_body_cannot_hold_its_own_boundary() {
    let from = shop();
    let text = "--=_shipby_n-7f3a\nContent-Type: text/html\n\n<b>mine</b>\n--=_shipby_n-7f3a--\nrest";
    let bytes = composed(&Letter { text, ..letter(&from) });
    let mail = parsed(&bytes);
    assert_eq!(mail.parts.len(), 3);
    assert!(mail.body_text(0).unwrap().contains("<b>mine</b>"));
}

#[test]
fn names_and_subjects_in_every_script_survive_and_stay_one_header() {
    let from = shop();
    let long = "Maximiliane-".repeat(25);
    let emoji = "👩‍👩‍👧‍👦".repeat(40);
    for name in ["Łukasz Żółć", "محمد بن سلمان", "山田太郎", "🫖", "O'Brien, \"Pat\" <x@y>", &long, &emoji]
    {
        let bytes = composed(&Letter { to_name: Some(name), subject: name, ..letter(&from) });
        let mail = parsed(&bytes);
        let to = mail.to().unwrap();
        assert_eq!(to.iter().count(), 1, "{name}");
        assert_eq!(to.first().unwrap().address(), Some("kim@example.com"), "{name}");
        let kept: String = name.chars().take(300).collect();
        assert_eq!(to.first().unwrap().name(), Some(kept.as_str()));
        assert_eq!(mail.subject(), Some(name));
    }
}

#[test]
fn line_ends_control_and_direction_characters_never_reach_a_header() {
    let from = shop();
    let evil = "Kim\r\nBcc: eve@example.com\n\n\0\x1b[31m\u{202E}gro.live\u{2066}\u{200F}\u{2028}x";
    let bytes =
        composed(&Letter { to_name: Some(evil), subject: evil, order: evil, kind: evil, ..letter(&from) });
    let mail = parsed(&bytes);
    assert!(mail.bcc().is_none());
    assert_eq!(mail.subject(), Some("Kim Bcc: eve@example.com [31mgro.live x"));
    assert_eq!(mail.to().unwrap().first().unwrap().name(), mail.subject());
    assert!(
        raw(&mail, "X-Shipby-Order")
            .starts_with("Kim%0D%0ABcc:%20eve@example.com%0A%0A%00%1B%5B31m%E2%80%AE")
    );
}

#[test]
fn a_subject_that_looks_encoded_is_not_decoded() {
    let from = shop();
    let bytes = composed(&Letter { subject: "=?utf-8?q?You_won?=", ..letter(&from) });
    assert!(!parsed(&bytes).subject().unwrap().contains("You won"));
}

#[test]
fn the_thread_keeps_its_first_mail_and_the_newest_nine() {
    let from = shop();
    let ids: Vec<String> = (0..25).map(|number| format!("n-{number}@shop.example")).collect();
    for count in [1, 2, 9, 10, 11, 25] {
        let bytes = composed(&Letter { references: &ids[..count], ..letter(&from) });
        let mail = parsed(&bytes);
        let references: Vec<&str> = raw(&mail, "References").split_whitespace().collect();
        assert_eq!(references.len(), count.min(10));
        assert_eq!(references[0], "<n-0@shop.example>");
        assert_eq!(references.last().copied().unwrap(), format!("<{}>", ids[count - 1]));
        assert_eq!(raw(&mail, "In-Reply-To"), format!("<{}>", ids[count - 1]));
    }
}

#[test]
fn an_international_domain_is_sent_as_a_labels() {
    let from = shop();
    let bytes = composed(&Letter { to_address: "kim@bücher.example", ..letter(&from) });
    assert_eq!(parsed(&bytes).to().unwrap().first().unwrap().address(), Some("kim@xn--bcher-kva.example"));
    let sender = Mailbox::new("sender", None, "news@bücher.example").unwrap();
    assert_eq!(sender.address(), "news@xn--bcher-kva.example");
}

#[test]
fn what_cannot_be_a_mail_is_refused_and_not_a_panic() {
    let from = shop();
    let base = letter(&from);
    for address in
        ["", "kim", "kim@", "@example.com", "kim@example.com\r\nBcc: x@y.example", "a b@example.com"]
    {
        let refused = compose(&Letter { to_address: address, ..base.clone() });
        assert_eq!(refused, Err(ComposeError::Address("recipient")), "{address:?}");
    }
    for id in ["", "x", "a@b>\r\nBcc: c", "a b@c", "ü@c"] {
        assert!(matches!(
            compose(&Letter { message_id: id, ..base.clone() }),
            Err(ComposeError::MessageId(_))
        ));
    }
    for notice in ["", "a b", "a\"b", "ü"] {
        assert!(matches!(compose(&Letter { notice, ..base.clone() }), Err(ComposeError::NoticeId(_))));
    }
    for far in [DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC] {
        check_bytes(&compose(&Letter { date: far, ..base.clone() }).unwrap());
    }
}

proptest! {
    #[test]
    fn no_text_whatever_breaks_a_mail(
        name in any::<String>(), subject in any::<String>(), text in any::<String>(),
        order in any::<String>(), html in any::<String>(), long in 0_usize..2000,
    ) {
        let from = shop();
        let subject = subject + &"x".repeat(long);
        let name = name + &"\"".repeat(long);
        let letter = Letter { to_name: Some(&name), subject: &subject, text: &text, html: Some(&html), order: &order,
            ..letter(&from) };
        let bytes = composed(&letter);
        prop_assert!(bytes.is_ascii());
        let mail = parsed(&bytes);
        prop_assert_eq!(mail.to().unwrap().first().unwrap().address(), Some("kim@example.com"));
        prop_assert_eq!(mail.parts.len(), 3);
        prop_assert_eq!(mail.message_id(), Some("n-7f3a@shop.example"));
    }
}

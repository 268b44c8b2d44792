//! Mails that came back are read for what they report, however they are written; any other mail is none of ours.

use shipby::domain::bounce::Report;
use shipby::mail::returned::{MAX_RETURNED, Returned, read};
use shipby::mail::{Forged, Verp};

use crate::support::mails::mail;

const NOTICE: &str = "0123456789abcdef";

fn verp() -> Verp {
    Verp::new("bounce@shop.example", b"a key").unwrap()
}

fn sample(name: &str) -> Vec<u8> {
    mail(name, NOTICE, &verp().sender(NOTICE))
}

/// Fate and words, the notice that the token names, and the one that the headers name.
fn told(mail: &[u8]) -> (String, Result<Option<String>, Forged>, Option<String>) {
    let Returned { report, addresses, notice } = read(mail).expect("a report");
    let said = format!("{}: {}", report.fate(), report.words());
    (said, verp().notice(addresses.iter().map(String::as_str)), notice)
}

#[test]
fn bounces_and_complaints_are_read_as_the_servers_of_the_world_write_them() {
    let ours = || Some(NOTICE.to_owned());
    for (name, said, token, notice) in [
        (
            "postfix",
            "failed: 550 5.1.1 <ana@example.com>: Recipient address rejected: User unknown in virtual mailbox table",
            ours(),
            ours(),
        ),
        (
            "delayed",
            "delayed: 450 4.4.1 connect to mail.example.com[192.0.2.25]:25: Connection timed out",
            ours(),
            ours(),
        ),
        ("exim", "failed: 550 5.1.1 unknown user", ours(), ours()),
        (
            "exchange",
            "failed: 550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup",
            ours(),
            ours(),
        ),
        (
            "gmail",
            "failed: 550 5.1.1 The email account that you tried to reach does not exist. Please try 550-5.1.1 \
             double-checking the recipient's email address for typos or 550-5.1.1 unnecessary spaces. For more \
             information, go to 550 5.1.1 https://support.google.example/mail/?p=NoSuchUser ab12-cd34 - gsmtp",
            ours(),
            ours(),
        ),
        (
            "qmail",
            "failed: 550 5.1.1 192.0.2.25 does not like recipient. Remote host said: 550 sorry, no mailbox here by \
             that name. (#5.1.1) Giving up on 192.0.2.25.",
            ours(),
            ours(),
        ),
        ("full", "failed: 552 5.2.2 Mailbox full / quota exceeded", ours(), ours()),
        ("aol", "complaint: abuse", None, ours()),
        ("yahoo", "complaint: abuse", ours(), None),
    ] {
        let lines = sample(name);
        assert_eq!(told(&lines), (said.to_owned(), Ok(token.clone()), notice.clone()), "{name}");
        // Some deliver with bare line feeds.
        let unix = String::from_utf8(lines).unwrap().replace("\r\n", "\n").into_bytes();
        assert_eq!(told(&unix), (said.to_owned(), Ok(token), notice), "{name}");
    }
}

#[test]
fn what_reports_nothing_is_no_bounce_not_even_with_one_inside() {
    for name in ["reply_with_bounce", "vacation", "not_spam", "read_receipt"] {
        assert_eq!(read(&sample(name)), None, "{name}");
    }
    for nothing in [&b""[..], b"\0\xff\xfe", b"Subject: hello\r\n\r\nHi. This is the third time that I ask."]
    {
        assert_eq!(read(nothing), None);
    }
    let delivered =
        String::from_utf8(sample("postfix")).unwrap().replace("Action: failed", "Action: relayed");
    assert_eq!(read(delivered.as_bytes()), None);
}

#[test]
fn one_mailbox_behind_an_address_that_took_the_mail_is_enough() {
    let second =
        "Action: failed\r\nStatus: 5.1.1\r\n\r\nFinal-Recipient: rfc822; b@example.com\r\nAction: delivered";
    let text = String::from_utf8(sample("postfix")).unwrap();
    let both = text.replace("Action: failed\r\nStatus: 5.1.1", &format!("{second}\r\nStatus: 2.0.0"));
    assert_ne!(both, text);
    assert_eq!(read(both.as_bytes()), None);
}

#[test]
fn a_report_in_eight_bits_or_without_a_reply_is_read_as_far_as_it_goes() {
    let text = String::from_utf8(sample("exim")).unwrap();
    let latin = text.replace("smtp; 550 5.1.1 unknown user", "smtp; 550 Empf\u{1}nger unbekannt");
    let latin: Vec<u8> = latin.bytes().map(|byte| if byte == 1 { 0xe4 } else { byte }).collect();
    let Some(Returned { report: Report::Failed(reply), .. }) = read(&latin) else { panic!("no report") };
    assert_eq!((reply.code, reply.enhanced, reply.text.as_str()), (550, None, "Empf\u{fffd}nger unbekannt"));
    let bare = text.replace("Diagnostic-Code: smtp; 550 5.1.1 unknown user\r\n", "");
    assert_eq!(told(&bare.replace("5.0.0", "5.1.2 (bad host)").into_bytes()).0, "failed: 550 5.1.2");
    assert_eq!(told(bare.replace("5.0.0", "4.4.7").as_bytes()).0, "failed: 450 4.4.7");
    assert_eq!(read(bare.replace("Status: 5.0.0\r\n", "").as_bytes()), None, "it says nothing");
}

#[test]
fn wherever_a_report_is_cut_it_is_read_as_it_is_or_not_at_all() {
    for name in ["postfix", "gmail", "exchange", "qmail", "yahoo"] {
        let whole = sample(name);
        let report = read(&whole).unwrap().report.fate();
        let mut read_to_end = 0;
        for end in 0..whole.len() {
            if let Some(returned) = read(&whole[..end]) {
                assert_eq!(returned.report.fate(), report, "{name} cut at {end}");
                read_to_end += 1;
            }
        }
        assert!(read_to_end > 100, "{name}: a mail cut behind the report is a report");
    }
}

#[test]
fn of_a_huge_mail_the_beginning_is_read() {
    let mut huge = sample("postfix");
    huge.resize(40 * MAX_RETURNED, b'x');
    assert_eq!(told(&huge), told(&sample("postfix")));
    let mut fields = sample("exim");
    let at = fields.windows(7).position(|window| window == b"Action:").unwrap();
    fields.splice(at..at, b"X-More: and more\r\n\r\n".repeat(20_000));
    assert_eq!(read(&fields), None, "it is not walked to its end");
    let long = String::from_utf8(sample("exim")).unwrap().replace("unknown user", &"very ".repeat(10_000));
    assert!(told(long.as_bytes()).0.len() < 600);
}

//! The table of replies, row by row, and what follows of each class.

use chrono::TimeDelta;

use crate::domain::calendar::Instant;
use crate::domain::meaning::{Consequence, Meaning, Record, Refusal, meaning};
use crate::domain::notice::{NoticeKind, Reason};
use crate::domain::order::settle::Outcome;
use crate::domain::pause::Scope;
use crate::domain::reply::{Enhanced, Phase, Reply};

/// A reply as it stands in a log: `550 5.1.1 no such user`.
fn reply(text: &str) -> Reply {
    let (code, text) = text.split_once(' ').unwrap_or((text, ""));
    let class = code.as_bytes()[0] - b'0';
    Reply { code: code.parse().unwrap(), enhanced: Enhanced::parse(text, class), text: text.to_owned() }
}

fn means(phase: Phase, text: &str) -> Meaning {
    meaning(phase, &reply(text))
}

#[test]
fn an_enhanced_code_means_the_same_whatever_the_phase() {
    let rows = [
        ("421 4.3.2 closing", Meaning::Temporary),
        ("450 4.2.0 greylisted", Meaning::Temporary),
        ("451 4.7.1 greylisted", Meaning::Throttled),
        ("452 4.2.2 full", Meaning::MailboxFull),
        ("550 5.1.1 no such user", Meaning::DeadAddress),
        ("501 5.1.3 bad syntax", Meaning::DeadAddress),
        ("550 5.1.6 moved", Meaning::DeadAddress),
        ("556 5.1.10 null MX", Meaning::DeadAddress),
        ("550 5.2.1 disabled", Meaning::DeadAddress),
        ("550 5.1.2 no such domain", Meaning::DeadDomain),
        ("550 5.4.4 no route", Meaning::DeadDomain),
        ("552 5.2.2 full", Meaning::MailboxFull),
        ("554 5.2.2 full", Meaning::MailboxFull),
        ("553 5.6.7 not ASCII", Meaning::CannotCarry),
        ("552 5.2.3 too large for you", Meaning::TooLarge),
        ("552 5.3.4 too large for us", Meaning::TooLarge),
        ("554 5.6.0 not like this", Meaning::Content),
        ("550 5.6.3 not converted", Meaning::Content),
        ("550 5.7.0 no", Meaning::Policy),
        ("550 5.7.1 blocked", Meaning::Policy),
        ("550 5.7.13 disabled", Meaning::Policy),
        ("550 5.7.20 no DKIM", Meaning::Reputation),
        ("550 5.7.26 no authentication", Meaning::Reputation),
        ("550 5.7.350 spam", Meaning::Reputation),
        ("553 5.1.7 your address", Meaning::Sender),
        ("501 5.1.8 your domain", Meaning::Sender),
        ("535 5.7.8 wrong password", Meaning::Credentials),
        ("534 5.7.9 weak mechanism", Meaning::Credentials),
        ("550 5.7.8 wrong password", Meaning::Credentials),
        ("550 5.5.1 bad sequence", Meaning::Protocol),
        ("503 5.5.4 bad argument", Meaning::Protocol),
    ];
    for (text, expected) in rows {
        for phase in [Phase::Mail, Phase::Rcpt, Phase::Data, Phase::Body] {
            assert_eq!(means(phase, text), expected, "{text} at {}", phase.as_str());
        }
    }
}

#[test]
fn without_an_enhanced_code_the_basic_one_and_the_phase_decide() {
    use Phase::{Body, Data, Mail, Rcpt};
    let rows = [
        (&[Mail, Rcpt, Data, Body][..], &["421", "450", "451", "452", "432"][..], Meaning::Temporary),
        (&[Rcpt], &["550", "551", "553"], Meaning::PerhapsDead),
        (&[Mail, Data, Body], &["550", "551", "553"], Meaning::Policy),
        (&[Mail, Rcpt, Data, Body], &["552"], Meaning::MailboxFull),
        (&[Data, Body, Rcpt], &["554"], Meaning::Policy),
        (&[Mail, Rcpt, Data, Body], &["530", "534", "535", "538"], Meaning::Credentials),
        (&[Mail, Rcpt, Data, Body], &["500", "501", "502", "503", "504", "555"], Meaning::Protocol),
        (&[Rcpt], &["556"], Meaning::DeadDomain),
        // Codes that say no more than "no" do not count as said.
        (&[Rcpt], &["550 5.0.0", "550 5.1.0", "550 5.5.0", "550 5.4.1"], Meaning::PerhapsDead),
        (&[Rcpt], &["530 5.7.0"], Meaning::Credentials),
        (&[Data], &["354", "250"], Meaning::Temporary),
    ];
    for (phases, texts, expected) in rows {
        for (phase, text) in phases.iter().flat_map(|p| texts.iter().map(move |t| (*p, t))) {
            assert_eq!(means(phase, &format!("{text} words")), expected, "{text} at {}", phase.as_str());
            if text.len() == 3 {
                assert_eq!(means(phase, text), expected, "a bare {text} at {}", phase.as_str());
            }
        }
    }
}

#[test]
fn what_becomes_of_a_notice_follows_from_the_meaning_and_the_try_before() {
    let again = Outcome::Deferred { attempt: 4 };
    let unharmed = Outcome::Unharmed { attempt: 4 };
    let rows = [
        (Meaning::Temporary, None, again),
        (Meaning::Throttled, Some(Meaning::Throttled), again),
        (Meaning::MailboxFull, Some(Meaning::MailboxFull), again),
        (Meaning::DeadAddress, None, Outcome::Failed(Reason::DeadAddress)),
        (Meaning::DeadDomain, None, Outcome::TomorrowAgain),
        (Meaning::DeadDomain, Some(Meaning::Temporary), Outcome::TomorrowAgain),
        (Meaning::DeadDomain, Some(Meaning::DeadDomain), Outcome::Failed(Reason::DeadAddress)),
        (Meaning::PerhapsDead, None, Outcome::Failed(Reason::RefusedAddress)),
        (Meaning::CannotCarry, None, Outcome::Failed(Reason::CannotCarry)),
        (Meaning::TooLarge, None, Outcome::Failed(Reason::TooLarge)),
        (Meaning::Content, None, Outcome::Failed(Reason::Content)),
        (Meaning::Policy, None, Outcome::Failed(Reason::Policy)),
        (Meaning::Reputation, Some(Meaning::Reputation), unharmed),
        (Meaning::Sender, Some(Meaning::Sender), unharmed),
        (Meaning::Credentials, None, unharmed),
        (Meaning::Protocol, None, unharmed),
        (Meaning::Protocol, Some(Meaning::Protocol), Outcome::Held(Reason::Protocol)),
    ];
    for (meaning, last, expected) in rows {
        assert_eq!(meaning.outcome(4, last), expected, "{meaning} after {last:?}");
    }
    for meaning in Meaning::ALL {
        assert!(rows.iter().any(|(known, ..)| known == meaning), "{meaning} is not in this table");
    }
}

/// The first try of a date slip to gmx.de, refused for the first time in a row.
fn refusal(meaning: Meaning) -> Refusal {
    Refusal {
        meaning,
        codes: "550".to_owned(),
        in_a_row: 1,
        mixed: false,
        of_customer: true,
        attempt: 1,
        last: None,
    }
}

fn now() -> Instant {
    "2026-03-02T08:00:00Z".parse().unwrap()
}

fn follows(refusal: Refusal, record: Record) -> Option<Consequence> {
    refusal.consequence(NoticeKind::DateSlip, "gmx.de", now(), record)
}

#[test]
fn an_address_suffers_for_what_was_said_of_it_and_only_when_it_is_sure() {
    let nothing = Record::default();
    assert_eq!(follows(refusal(Meaning::DeadAddress), nothing), Some(Consequence::Suppress));
    assert_eq!(follows(refusal(Meaning::DeadDomain), nothing), None);
    let second = Refusal { last: Some(Meaning::DeadDomain), ..refusal(Meaning::DeadDomain) };
    assert_eq!(follows(second, nothing), Some(Consequence::Suppress));
    for (hours, expected) in [(0, None), (23, None), (24, Some(Consequence::Suppress))] {
        let first_at = Some(now() - TimeDelta::hours(hours));
        let found = follows(refusal(Meaning::PerhapsDead), Record { first_at, ..nothing });
        assert_eq!(found, expected, "{hours} hours");
    }
    let harmless = [Meaning::Temporary, Meaning::MailboxFull, Meaning::CannotCarry, Meaning::Credentials];
    for meaning in harmless.into_iter().chain([Meaning::Policy, Meaning::Content, Meaning::Throttled]) {
        assert_eq!(follows(refusal(meaning), nothing), None, "{meaning}");
    }
}

#[test]
fn a_domain_is_held_when_three_of_its_recipients_prove_that_it_is_about_us() {
    let domain = Some(Consequence::Hold(Scope::Domain("gmx.de".to_owned())));
    for (recipients, expected) in [(2, None), (3, domain.clone())] {
        let record = Record { recipients, first_at: None };
        assert_eq!(follows(refusal(Meaning::Policy), record), expected);
        // What other domains refuse alike, while nothing is taken, is the breaker's.
        assert_eq!(follows(Refusal { mixed: true, ..refusal(Meaning::Policy) }, record), None);
        // Whoever greylists lets in by the third try.
        for (attempt, expected) in [(2, None), (3, expected)] {
            let throttled = Refusal { attempt, ..refusal(Meaning::Throttled) };
            assert_eq!(follows(throttled, record), expected, "try {attempt}");
        }
    }
    assert_eq!(follows(refusal(Meaning::Reputation), Record::default()), domain);
}

#[test]
fn a_kind_is_held_for_what_it_says_and_everything_for_what_we_are() {
    let nothing = Record::default();
    for meaning in [Meaning::Content, Meaning::TooLarge] {
        let kind = Some(Consequence::Hold(Scope::Kind(NoticeKind::DateSlip)));
        for (in_a_row, expected) in [(2, None), (3, kind)] {
            assert_eq!(follows(Refusal { in_a_row, ..refusal(meaning) }, nothing), expected, "{meaning}");
        }
    }
    let everything = Some(Consequence::Hold(Scope::All));
    for meaning in [Meaning::Sender, Meaning::Protocol] {
        assert_eq!(follows(refusal(meaning), nothing), everything, "{meaning}");
    }
    let again = Refusal { last: Some(Meaning::Protocol), ..refusal(Meaning::Protocol) };
    assert_eq!(follows(again, nothing), None, "one mail that no server understands does not stop the others");
}

#[test]
fn an_address_of_ours_that_all_mail_is_redirected_to_tells_nothing_of_customers() {
    let proven = Record { recipients: 9, first_at: Some(now() - TimeDelta::days(9)) };
    for meaning in Meaning::ALL {
        let last = Some(Meaning::DeadDomain);
        let ours = Refusal { of_customer: false, attempt: 9, last, in_a_row: 9, ..refusal(*meaning) };
        let found = follows(ours, proven);
        let about_us =
            matches!(meaning, Meaning::Sender | Meaning::Protocol | Meaning::Content | Meaning::TooLarge);
        assert_eq!(found.is_some(), about_us, "{meaning}: {found:?}");
    }
}

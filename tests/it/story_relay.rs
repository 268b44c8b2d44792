//! What a relay can carry and how it is secured, from the configuration to what becomes of the notice.

use std::io::Write;

use chrono::TimeDelta;
use shipby::catcher::{Answer, Script};
use shipby::config::Config;
use shipby::domain::reply::Phase;
use shipby::mail::Connection;
use shipby::wiring;
use tempfile::NamedTempFile;

use crate::support::app::{Differs, TestApp};
use crate::support::facts::order_of;
use crate::support::smtp::{Identity, Scripted, Step, hello, identity, say};

const START: &str = "2026-03-02T08:00:00Z";

/// A shop behind a relay that answers EHLO like this.
async fn offering(ehlo: &'static str) -> TestApp {
    let script = Script::at(Phase::Hello, Answer::reply(ehlo));
    TestApp::with(START, Differs { script, ..Differs::default() }).await
}

fn pem(text: &str) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

#[tokio::test]
async fn a_mail_larger_than_the_relay_takes_fails_as_such_before_a_word_of_it_is_said() {
    let mut shop = offering("250-here\r\n250 SIZE 500").await;
    shop.fact(order_of("1", "ana@example.com")).await;
    let kept = shop.kept("1", "confirmation").await;
    assert_eq!((kept.entry.state.as_str(), kept.entry.reason.as_deref()), ("failed", Some("size")));
    let words = kept.entry.reply.unwrap();
    assert!(words.starts_with("552 5.3.4 size: the message has "), "{words}");
    assert!(words.ends_with(" octets, the relay takes 500 (not sent)"), "{words}");
    assert_eq!(kept.attempts[0].phase.as_deref(), Some("mail"));
    assert_eq!(shop.store().suppressions(None).await.unwrap(), []);
}

#[tokio::test]
async fn an_address_that_is_not_ascii_fails_as_such_where_the_relay_cannot_carry_it_and_nobody_is_suppressed()
{
    let mut shop = offering("250-here\r\n250 SIZE 500000").await;
    shop.facts([order_of("1", "jörg@example.com"), order_of("2", "ana@bücher.example")]).await;
    assert_eq!(shop.otherwise("1").await, ["Mon 02 Mar 09:00 confirmation failed smtputf8"]);
    assert_eq!(shop.store().suppressions(None).await.unwrap(), []);
    // A domain has a form that every relay can carry.
    assert_eq!(
        (shop.kinds(), shop.last_mail().to),
        (vec!["2 confirmation".to_owned()], "ana@xn--bcher-kva.example".to_owned())
    );
    assert!(shop.last_mail().bytes.is_ascii(), "no relay without 8BITMIME could carry it");
    let mut able = offering("250-here\r\n250 SMTPUTF8").await;
    able.fact(order_of("1", "jörg@example.com")).await;
    assert_eq!(able.last_mail().to, "jörg@example.com");
}

#[tokio::test]
async fn a_relay_without_the_starttls_that_is_required_hears_nothing_and_ops_are_told() {
    let authority = pem(&identity("localhost", false).ca_pem);
    let keys = [
        ("SMTP__HOST", "localhost"),
        ("SMTP__SECURITY", "starttls"),
        ("SMTP__CA_FILE", authority.path().to_str().unwrap()),
        ("SMTP__USERNAME", "clerk"),
        ("SMTP__PASSWORD", "sesame"),
    ];
    let mut shop = TestApp::with(START, Differs { keys: &keys, ..Differs::default() }).await;
    shop.fact(order_of("1", "ana@example.com")).await;
    shop.travel(TimeDelta::hours(1)).await;
    assert_eq!((shop.catcher.count(), shop.state("1", "confirmation").await.as_str()), (0, "queued"));
    assert!(shop.kept("1", "confirmation").await.attempts.is_empty());
    let incident = shop.store().untold_incidents(shop.now()).await.unwrap().remove(0);
    assert_eq!(incident.words, "start_tls: STARTTLS is required and the relay does not offer it");
    assert_eq!(incident.began.to_rfc3339(), "2026-03-02T08:00:00+00:00", "at once: it does not mend itself");
}

#[tokio::test]
async fn the_configured_authority_is_trusted_and_no_other_and_the_password_goes_inside_tls_only() {
    let Identity { ca_pem, server, .. } = identity("localhost", false);
    let trusted = [(pem(&ca_pem), true), (pem(&identity("localhost", false).ca_pem), false)];
    for (authority, trusted) in trusted {
        let upgrade = vec![Step::Hear("STARTTLS"), say("220 go"), Step::Tls];
        let inside = vec![
            Step::Hear("EHLO"),
            say("250-here\r\n250 AUTH PLAIN"),
            Step::Hear("AUTH PLAIN "),
            say("235 in"),
        ];
        let script = [hello("250-here\r\n250-STARTTLS\r\n250 AUTH PLAIN"), upgrade, inside].concat();
        let scripted = Scripted::with_tls(script, Some(server.clone())).await;
        let port = scripted.addr.port().to_string();
        let keys = [
            ("SHOP__FROM", "shop@tableware.example"),
            ("DELIVERY__MODE", "live"),
            ("SMTP__HOST", "localhost"),
            ("SMTP__PORT", &port),
            ("SMTP__SECURITY", "starttls"),
            ("SMTP__CA_FILE", authority.path().to_str().unwrap()),
            ("SMTP__USERNAME", "clerk"),
            ("SMTP__PASSWORD", "sesame"),
        ];
        let env = keys.map(|(key, value)| (format!("SHIPBY__{key}"), value.to_owned()));
        let config = Config::parse(std::path::Path::new("config.toml"), "", env.into_iter()).unwrap();
        let opened = Connection::open(&wiring::relay(&config).unwrap()).await;
        assert_eq!(opened.as_ref().is_ok_and(|connection| connection.session().tls.is_some()), trusted);
        let heard = scripted.heard();
        let after_tls =
            heard.iter().skip_while(|line| *line != "STARTTLS").any(|line| line.starts_with("AUTH"));
        assert_eq!(after_tls, trusted, "{heard:?}");
        let before_tls =
            heard.iter().take_while(|line| *line != "STARTTLS").any(|line| line.starts_with("AUTH"));
        assert!(!before_tls, "{heard:?}");
    }
}

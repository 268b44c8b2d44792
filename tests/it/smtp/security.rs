//! Encryption and credentials: never less than was asked for.

use std::io::Write;

use shipby::mail::{Connection, Failure, Security};
use tempfile::NamedTempFile;

use super::*;
use crate::support::smtp::{Identity, Scripted, Step, envelope, hello, identity, say, secure, with_password};

const OFFERS: &str = "250-here\r\n250 StartTLS";

fn ca_file(pem: &str) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(pem.as_bytes()).unwrap();
    file
}

/// Opens a session over STARTTLS, the server's part after EHLO being `rest`.
async fn start_tls(offers: &str, rest: Vec<Step>) -> (Failure, Vec<String>) {
    let Identity { ca_pem, server, .. } = identity("localhost", false);
    let ca = ca_file(&ca_pem);
    let scripted = Scripted::with_tls([hello(offers), rest].concat(), Some(server)).await;
    let failure =
        Connection::open(&secure(scripted.addr, Security::StartTls, ca.path())).await.err().unwrap();
    (failure, scripted.heard())
}

#[tokio::test]
async fn a_certificate_of_the_configured_authority_is_trusted() {
    let Identity { ca_pem, server, .. } = identity("localhost", false);
    let ca = ca_file(&ca_pem);
    let inside = [
        vec![Step::Hear("EHLO"), say("250 here")],
        envelope(),
        vec![Step::Body, say("250 ok"), Step::Silence],
    ];
    let upgrade = vec![Step::Hear("STARTTLS"), say("220 go"), Step::Tls];
    let start_tls = [hello(OFFERS), upgrade, inside.concat()].concat();
    let from_the_start = [vec![Step::Tls, say("220 here")], inside.concat()].concat();
    for (security, script) in [(Security::StartTls, start_tls), (Security::Tls, from_the_start)] {
        let scripted = Scripted::with_tls(script, Some(server.clone())).await;
        let mut connection = Connection::open(&secure(scripted.addr, security, ca.path())).await.unwrap();
        assert_eq!(connection.session().tls, Some("TLS 1.3"));
        assert!(is_accepted(&deliver(&mut connection, "kim@example.com").await));
    }
}

#[tokio::test]
async fn a_certificate_unknown_expired_or_of_another_host_is_about_us_and_nothing_is_said() {
    let trusted = identity("localhost", false);
    let (expired, elsewhere) = (identity("localhost", true), identity("relay.example", false));
    let cases = [
        (&trusted.ca_pem, identity("localhost", false).server),
        (&expired.ca_pem, expired.server.clone()),
        (&elsewhere.ca_pem, elsewhere.server.clone()),
    ];
    for (ca_pem, server) in cases {
        let ca = ca_file(ca_pem);
        for security in [Security::StartTls, Security::Tls] {
            let script = match security {
                Security::Tls => vec![Step::Tls, Step::Hear("")],
                _ => [hello(OFFERS), vec![Step::Hear("STARTTLS"), say("220"), Step::Tls, Step::Hear("")]]
                    .concat(),
            };
            let scripted = Scripted::with_tls(script, Some(server.clone())).await;
            let failure = Connection::open(&secure(scripted.addr, security, ca.path())).await.err().unwrap();
            assert!(matches!(failure, Failure::Config { phase: Phase::StartTls, .. }), "{failure}");
            let heard = scripted.heard();
            assert!(heard.iter().all(|line| line.starts_with("EHLO") || line == "STARTTLS"), "{heard:?}");
        }
    }
}

#[tokio::test]
async fn a_server_without_starttls_is_never_spoken_to_in_clear() {
    let (failure, heard) = start_tls("250-here\r\n250 AUTH PLAIN", vec![Step::Hear("")]).await;
    assert!(matches!(failure, Failure::Config { phase: Phase::StartTls, .. }), "{failure}");
    assert_eq!(heard, ["EHLO shop.example"]);
}

#[tokio::test]
async fn a_refused_starttls_is_about_us_or_temporary_as_the_server_says() {
    for (answer, about_us) in [("502 5.5.1 no", true), ("454 4.7.0 not now", false)] {
        let (failure, _) = start_tls(OFFERS, vec![Step::Hear("STARTTLS"), say(answer), Step::Hear("")]).await;
        assert_eq!(matches!(failure, Failure::Config { .. }), about_us, "{failure}");
        assert_eq!(failure.phase(), Phase::StartTls);
    }
}

#[tokio::test]
async fn what_was_said_in_clear_behind_the_220_is_never_believed_inside_tls() {
    let injected = "220 go\r\n250-injected\r\n250 AUTH PLAIN";
    let (failure, heard) = start_tls(OFFERS, vec![Step::Hear("STARTTLS"), say(injected), Step::Tls]).await;
    assert!(matches!(failure, Failure::Config { phase: Phase::StartTls, .. }), "{failure}");
    assert_eq!(heard, ["EHLO shop.example", "STARTTLS"]);
}

#[tokio::test]
async fn garbage_instead_of_tls_sends_nothing() {
    let garbage =
        vec![Step::Hear("STARTTLS"), say("220 go"), Step::Pause(std::time::Duration::from_millis(50))];
    let (failure, _) =
        start_tls(OFFERS, [garbage, vec![say("250 hello in clear"), Step::Silence]].concat()).await;
    assert_eq!(failure.phase(), Phase::StartTls, "{failure}");
}

#[tokio::test]
async fn auth_plain_and_login_let_us_in() {
    let plain = vec![Step::Hear("AUTH PLAIN AGNsZXJrAHNlc2FtZQ=="), say("235 2.7.0 welcome"), Step::Silence];
    let login = vec![
        Step::Hear("AUTH LOGIN"),
        say("334 VXNlcm5hbWU6"),
        Step::Hear("Y2xlcms="),
        say("334 d2hhdCBlbHNlPw=="),
        Step::Hear("c2VzYW1l"),
        say("235 2.7.0 welcome"),
        Step::Silence,
    ];
    for (offers, script, name) in [
        ("250-here\r\n250 AUTH LOGIN PLAIN", plain.clone(), "PLAIN"),
        ("250-here\r\n250 auth=plain", plain, "PLAIN"),
        ("250-here\r\n250 AUTH CRAM-MD5 LOGIN", login, "LOGIN"),
    ] {
        let server = Scripted::start([hello(offers), script].concat()).await;
        let connection = Connection::open(&with_password(server.addr)).await.unwrap();
        assert_eq!(connection.session().authenticated, Some(name));
    }
}

#[tokio::test]
async fn refused_credentials_are_about_us_and_a_busy_server_is_not() {
    for (answer, about_us) in [
        ("535 5.7.8 wrong", true),
        ("534 5.7.9 too weak", true),
        ("454 4.7.0 try later", false),
        ("421 4.3.2 closing", false),
    ] {
        let script = vec![Step::Hear("AUTH PLAIN"), say(answer), Step::Silence];
        let server = Scripted::start([hello("250-here\r\n250 AUTH PLAIN"), script].concat()).await;
        let failure = Connection::open(&with_password(server.addr)).await.err().unwrap();
        assert_eq!(matches!(failure, Failure::Config { .. }), about_us, "{failure}");
        assert_eq!(failure.phase(), Phase::Auth);
        assert!(
            !failure.to_string().contains("sesame") && !failure.to_string().contains("AGNs"),
            "{failure}"
        );
    }
}

#[tokio::test]
async fn a_server_that_offers_no_auth_gets_no_password() {
    let server = Scripted::start([hello("250 here"), vec![Step::Hear("")]].concat()).await;
    let failure = Connection::open(&with_password(server.addr)).await.err().unwrap();
    assert!(matches!(failure, Failure::Config { phase: Phase::Auth, .. }), "{failure}");
    assert_eq!(server.heard().len(), 1);
}

#[tokio::test]
async fn a_message_refused_for_want_of_credentials_is_not_failed() {
    for phase in [Phase::Mail, Phase::Rcpt, Phase::Body] {
        let (verdict, _) = send_to(phase, Answer::reply("530 5.7.0 who are you?")).await;
        assert_eq!(temporary_at(&verdict), Some(phase), "{verdict:?}");
    }
}

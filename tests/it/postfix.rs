//! The built binary and a real Postfix: submitted inside TLS and after AUTH, delivered, read back, bounced.

use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use mail_parser::{MessageParser, MimeHeaders};
use serde_json::json;
use shipby::domain::suppression::Cause;

use crate::support::daemon::{House, record, until};
use crate::support::facts::{order, order_of};
use crate::support::postfix::{CLERK, Postfix};

const LONG: Duration = Duration::from_secs(30);

/// A house that submits to it with this password.
fn house(postfix: &Postfix, password: &str) -> House {
    let house = House::relaying(&format!(
        "host = \"localhost\"\nport = {}\nsecurity = \"starttls\"\nca_file = \"{}\"\n\
         username = \"{}\"\npassword_file = \"password\"",
        postfix.port,
        postfix.ca_file.display(),
        CLERK.0
    ));
    let path = house.config().with_file_name("password");
    let mut secret = std::fs::OpenOptions::new();
    let file = secret.create(true).write(true).mode(0o600).open(path).unwrap();
    (&file).write_all(password.as_bytes()).unwrap();
    house
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_postfix_delivers_every_mail_once_as_it_was_kept() {
    const ORDERS: usize = 60;
    let Some(postfix) = Postfix::start() else { return };
    let house = house(&postfix, CLERK.1);
    let store = house.store().await;
    let orders = (0..ORDERS).map(|n| {
        let mut order = order_of(&format!("{n:02}"), "ana@example.com");
        order["customer"]["name"] = json!("Ána 🫖 \u{5e9}\u{5dc}\u{5d5}\u{5dd}");
        order["lines"][0]["title"] = json!(format!(".. Kettle {}", "Wärmebehälter".repeat(n % 38)));
        order
    });
    let mut daemon = house.serve();
    record(&store, orders).await;
    let delivered = async || Some(postfix.mailbox("ana")).filter(|mails| mails.len() >= ORDERS);
    let mails = until(LONG, delivered).await;
    daemon.signal("TERM");
    assert_eq!(daemon.ended().code(), Some(0));
    let mut by_order: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for bytes in mails {
        let mail = MessageParser::default().parse(&bytes).unwrap();
        let number = mail.header("X-Shipby-Order").and_then(|v| v.as_text()).unwrap().to_owned();
        assert_eq!(mail.to().unwrap().first().unwrap().address(), Some("ana@example.com"));
        assert_eq!(mail.text_body_count() + mail.html_body_count(), 2, "{number}");
        assert!(mail.is_content_type("multipart", "alternative"));
        let received = mail.header_raw("Received").unwrap();
        assert!(received.contains("ESMTPSA"), "inside TLS and after AUTH: {received}");
        assert!(by_order.insert(number.clone(), bytes).is_none(), "{number} came twice");
    }
    assert_eq!(by_order.len(), ORDERS);
    for (number, delivered) in by_order {
        let confirmed = store.timeline(&number).await.unwrap().remove(0);
        assert_eq!((confirmed.state.as_str(), confirmed.attempts), ("accepted", 1));
        assert!(confirmed.reply.unwrap().starts_with("250 2.0.0 Ok: queued as "));
        let kept = store.kept(&confirmed.notice.unwrap()).await.unwrap().remove(0).bytes.unwrap();
        // A Maildir ends its lines without the carriage return; above stand the headers of the way.
        let kept = String::from_utf8(kept).unwrap().replace("\r\n", "\n");
        assert!(delivered.ends_with(kept.as_bytes()), "{number} is not what we sent");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_postfix_that_refuses_our_password_is_named_and_nothing_leaves_nor_fails() {
    let Some(postfix) = Postfix::start() else { return };
    let house = house(&postfix, "open sesame");
    let store = house.store().await;
    let mut daemon = house.serve();
    record(&store, [order("1")]).await;
    house.hear_status("relay down");
    daemon.signal("TERM");
    assert_eq!(daemon.ended().code(), Some(0));
    let waits = store.timeline("1").await.unwrap().remove(0);
    assert_eq!((waits.state.as_str(), waits.attempts), ("queued", 0));
    let log = house.log();
    assert!(log.contains("535 5.7.8") && !log.contains("sesame"), "{log}");
    assert!(postfix.mailbox("ana").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_real_postfix_sends_back_makes_its_notice_bounced_and_the_address_is_suppressed() {
    let Some(postfix) = Postfix::start() else { return };
    let house = house(&postfix, CLERK.1);
    let mut config = std::fs::read_to_string(house.config()).unwrap();
    config.push_str("[bounces]\naddress = \"bounce@tableware.example\"\n");
    std::fs::write(house.config(), config).unwrap();
    let store = house.store().await;
    let mut daemon = house.serve();
    record(&store, [order_of("1", "gone@example.com"), order_of("2", "ana@example.com")]).await;
    let bounced = async || postfix.mailbox("bounces").pop();
    let bounce = until(LONG, bounced).await;
    let settled = async || {
        let both = [store.timeline("1").await.unwrap(), store.timeline("2").await.unwrap()];
        both.iter().all(|told| told.first().is_some_and(|entry| entry.state == "accepted")).then_some(())
    };
    until(LONG, settled).await;
    daemon.signal("TERM");
    assert_eq!(daemon.ended().code(), Some(0));
    let mail = MessageParser::default().parse(&bounce).unwrap();
    let report = mail.parts.iter().find(|part| part.is_content_type("message", "delivery-status")).unwrap();
    let report = String::from_utf8_lossy(report.contents()).into_owned();
    assert!(report.contains("Status: 5.1.1") && report.contains("gone@example.com"), "{report}");

    // As Postfix's pipe hands it in.
    let mut command = Command::new(env!("CARGO_BIN_EXE_shipby"));
    command.arg("--config").arg(house.config()).arg("bounce");
    let mut claim = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    claim.stdin.take().unwrap().write_all(&bounce).unwrap();
    let taken = claim.wait_with_output().unwrap();
    assert!(taken.status.success(), "{taken:?}");
    let came_back = store.timeline("1").await.unwrap().remove(0);
    assert_eq!(came_back.state, "bounced");
    let suppressed = store.suppressions(None).await.unwrap();
    let suppressed: Vec<_> = suppressed.iter().map(|one| (one.address.as_str(), one.cause)).collect();
    assert_eq!(suppressed, [("gone@example.com", Cause::Bounced)]);
    assert_eq!(store.timeline("2").await.unwrap()[0].state, "accepted");
}

//! Faults of the session: a relay that is away, encryption that is not what was asked for, credentials it does not want.
//! No message is at fault, nothing is said that must not be overheard, and one probe a backoff asks again.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use shipby::catcher::{Catcher, Script};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::{came, shop, stands};
use crate::support::app::TestApp;
use crate::support::daemon::{House, record, until};
use crate::support::facts::order;
use crate::support::front::{Door, Way};
use crate::support::smtp::identity;

/// A port of this machine at which nobody listens.
async fn nobody() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).await.unwrap().local_addr().unwrap().port()
}

/// Has the port lead to the catcher from now on.
async fn open_up(port: u16, catcher: &Catcher) {
    let (listener, behind) = (TcpListener::bind(("127.0.0.1", port)).await.unwrap(), catcher.addr());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut back = TcpStream::connect(behind).await.unwrap();
            tokio::spawn(async move { copy_bidirectional(&mut stream, &mut back).await });
        }
    });
}

#[tokio::test]
async fn a_relay_that_is_down_at_the_start_is_probed_and_costs_no_try() {
    let port = nobody().await;
    let mut shop = shop(None, Script::usual(), &[("SMTP__PORT", &port.to_string())]).await;
    assert_eq!(offered(&mut shop).await, came("queued", 0, "a minute"));
    let probe = shop.sim.dispatcher.next_due().await.unwrap().unwrap();
    shop.travel(probe - shop.now()).await;
    assert_eq!(stands(&shop, "1").await, came("queued", 0, "five minutes"));
    open_up(port, &shop.catcher).await;
    shop.travel(TimeDelta::minutes(6)).await;
    assert_eq!(stands(&shop, "1").await, came("accepted", 1, "never"));
    assert_eq!(shop.catcher.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_whose_relay_is_down_is_ready_says_so_and_goes_on_by_itself() {
    let (port, catcher) = (nobody().await, Catcher::start(Script::usual()).await.unwrap());
    let house = House::live(port);
    let config = std::fs::read_to_string(house.config()).unwrap();
    let hasty = config.replace("[delivery]", "[delivery]\nretry = [\"100ms\"]");
    std::fs::write(house.config(), hasty).unwrap();
    let mut daemon = house.serve();
    let store = house.store().await;
    record(&store, [order("1")]).await;
    house.hear_status("relay down");
    assert_eq!(store.timeline("1").await.unwrap()[0].state, "queued");
    open_up(port, &catcher).await;
    house.hear_status("relay ok");
    let taken = async || store.timeline("1").await.unwrap().pop().filter(|entry| entry.state == "accepted");
    assert_eq!(until(Duration::from_secs(10), taken).await.attempts, 1);
    daemon.signal("TERM");
    assert_eq!(daemon.ended().code(), Some(0));
}

/// One order, its confirmation to be offered once.
async fn offered(shop: &mut TestApp) -> super::Stands {
    shop.fact(order("1")).await;
    stands(shop, "1").await
}

/// What the relay is said to be down for.
async fn why_down(shop: &mut TestApp) -> String {
    let probe = shop.sim.dispatcher.next_due().await.unwrap().unwrap();
    shop.sim.hand.set(probe);
    shop.sim.dispatcher.drain(&CancellationToken::new()).await.unwrap().relay_down.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_encryption_that_was_asked_for_nothing_is_said_and_nothing_fails() {
    let usual = Door::of(Way::StartTls);
    for (door, words) in [
        (Door { offers: "250-front\r\n250 AUTH PLAIN LOGIN", ..usual.clone() }, "STARTTLS"),
        (Door { offers: "250 front", ..usual.clone() }, "STARTTLS"),
        (Door { starttls: "502 5.5.1 not today", ..usual.clone() }, "502 5.5.1 not today"),
        (Door { starttls: "454 4.7.0 TLS not available", ..usual.clone() }, "454 4.7.0 TLS not available"),
        (Door { starttls: "220 go\r\n250-front\r\n250 AUTH PLAIN", ..usual.clone() }, "start_tls"),
        (Door { babble: Some("250 no need for that\r\n"), ..usual.clone() }, "start_tls"),
        (Door { babble: Some("250 no\r\n"), way: Way::Tls, ..usual.clone() }, "start_tls"),
    ] {
        let mut shop = shop(Some(door), Script::usual(), &[]).await;
        assert_eq!(offered(&mut shop).await, came("queued", 0, "a minute"), "{words}");
        let why = why_down(&mut shop).await;
        assert!(why.contains(words), "{why}");
        let said = shop.front.as_ref().unwrap().in_clear();
        assert!(said.iter().all(|line| line.starts_with("EHLO ") || line == "STARTTLS"), "{said:?}");
        assert_eq!((stands(&shop, "1").await.0.as_str(), shop.catcher.count()), ("queued", 0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_is_not_to_be_trusted_stops_everything_and_nothing_fails() {
    let unknown = || {
        let mut stranger = identity("localhost", false);
        stranger.ca_pem = identity("localhost", false).ca_pem;
        stranger
    };
    for way in [Way::StartTls, Way::Tls] {
        for identity in [unknown(), identity("localhost", true), identity("relay.example", false)] {
            let door = Door { identity: Arc::new(identity), ..Door::of(way) };
            let mut shop = shop(Some(door), Script::usual(), &[]).await;
            assert_eq!(offered(&mut shop).await, came("queued", 0, "a minute"));
            let why = why_down(&mut shop).await;
            assert!(why.starts_with("start_tls: ") && why.contains("certificate"), "{why}");
            assert_eq!(shop.catcher.count(), 0);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_credentials_cost_no_message_a_try_and_are_shown_to_nobody() {
    for (auth, way) in [
        ("535 5.7.8 who are you", Way::StartTls),
        ("535 5.7.8 who are you", Way::Tls),
        ("534 5.7.9 too weak", Way::Tls),
        ("454 4.7.0 the directory is away", Way::StartTls),
        ("454 4.7.0 the directory is away", Way::Tls),
    ] {
        let mut shop = shop(Some(Door { auth, ..Door::of(way) }), Script::usual(), &[]).await;
        assert_eq!(offered(&mut shop).await, came("queued", 0, "a minute"), "{auth}");
        let why = why_down(&mut shop).await;
        assert!(why.starts_with("auth: ") && why.contains(auth) && !why.contains("sesame"), "{why}");
        assert_eq!(stands(&shop, "1").await, came("queued", 0, "five minutes"), "{auth}");
        assert_eq!(shop.catcher.count(), 0);
    }
}

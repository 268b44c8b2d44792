//! A relay that takes only so much: of connections, of mails, of octets.

use chrono::TimeDelta;
use serde_json::json;
use shipby::catcher::{Answer, Script};
use shipby::domain::reply::Phase;

use super::{Trap, WAYS, came, shop};
use crate::support::facts::{order, order_of};

#[tokio::test(flavor = "multi_thread")]
async fn a_421_is_never_the_messages_fault_and_the_connection_is_left() {
    for way in WAYS {
        let mut trap = Trap::of(way).await;
        for phase in [Phase::Mail, Phase::Rcpt, Phase::Data, Phase::Body] {
            let case = format!("{way:?} {phase:?}");
            let connections = trap.shop.catcher.connections();
            let came_to = trap.springs(phase, &Answer::reply("421 4.3.2 closing down"), 1).await;
            // Before the body a new connection is tried at once.
            let expected = match phase {
                Phase::Body => came("deferred", 1, "a minute"),
                _ => came("accepted", 1, "never"),
            };
            assert_eq!(came_to, expected, "{case}");
            trap.shop.travel(TimeDelta::minutes(2)).await;
            assert_eq!(trap.stands().await.0, "accepted", "{case}");
            assert!(trap.shop.catcher.connections() > connections, "{case}");
            assert_eq!(trap.shop.mails().len(), trap.orders as usize, "{case}");
        }
    }
}

#[tokio::test]
async fn a_rate_limit_puts_off_what_it_meets_and_everything_arrives_once() {
    // So many mails in all, and then so many more each time one comes back.
    let limited = Script::new(|d| match d.phase {
        Phase::Rcpt if d.mail > 5 => Answer::reply("450 4.7.1 too many mails, slow down"),
        _ => Answer::Usual,
    });
    let mut shop = shop(None, limited, &[]).await;
    shop.facts((1..=12).map(|n| order_of(&n.to_string(), &format!("c{n}@d{n}.example")))).await;
    let first = shop.mails().len();
    assert_eq!(first, 5);
    for _ in 0..4 {
        // The relay counts by the connection.
        shop.sim.dispatcher.close().await;
        shop.travel(TimeDelta::minutes(40)).await;
    }
    let mut to: Vec<_> = shop.mails().into_iter().map(|mail| mail.to).collect();
    to.sort();
    let all = to.len();
    to.dedup();
    assert_eq!((to.len(), all), (12, 12));
}

#[tokio::test]
async fn a_relay_that_takes_seven_bits_only_gets_the_same_mail_in_ascii() {
    let mut shop = shop(None, Script::at(Phase::Hello, Answer::reply("250 here")), &[]).await;
    let mut hard = order("1");
    hard["customer"]["name"] = json!("Jörg 🫖 \u{5e9}\u{5dc}\u{5d5}\u{5dd}");
    hard["lines"][0]["title"] = json!("Wärmebehälter, grün");
    shop.fact(hard).await;
    let mail = shop.last_mail();
    assert!(mail.bytes.is_ascii());
    assert!(mail.text.contains("Wärmebehälter, grün") && mail.text.contains("Jörg 🫖"), "{}", mail.text);
}

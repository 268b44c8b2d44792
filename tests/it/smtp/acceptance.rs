//! What a reply, or the lack of one, makes of a message.

use std::time::Duration;

use shipby::{
    catcher::Answer,
    domain::reply::{Enhanced, Phase, Verdict},
    mail::{Connection, Envelope},
};

use super::*;
use crate::support::smtp::{Scripted, Step, envelope, hasty, hello, relay, say};

const BEFORE_THE_BODY: [Phase; 5] = [Phase::Greeting, Phase::Hello, Phase::Mail, Phase::Rcpt, Phase::Data];
const OF_A_MESSAGE: [Phase; 4] = [Phase::Mail, Phase::Rcpt, Phase::Data, Phase::Body];

#[tokio::test]
async fn good_slow_many_line_bare_and_foreign_replies_are_acceptance() {
    let many = format!("{}250 2.6.0 at last", "250-2.6.0 still storing\r\n".repeat(500));
    for answer in [
        Answer::Usual,
        Answer::After(Duration::from_millis(200), Box::new(Answer::Usual)),
        Answer::reply(many),
        Answer::reply("250"),
        Answer::reply("250 "),
        Answer::Raw(b"250 ok\n".to_vec()),
        Answer::Raw(b"250 angenommen, sch\xf6n\r\n".to_vec()),
        Answer::reply(format!("250 {}", "long ".repeat(1500))),
    ] {
        let (verdict, usable) = send_to(Phase::Body, answer.clone()).await;
        assert!(is_accepted(&verdict) && usable, "{answer:?}: {verdict:?}");
    }
}

#[tokio::test]
async fn a_dripped_reply_is_acceptance() {
    let dripped = Step::Drip("250-2.0.0 queued\r\n250 2.0.0 as 0000002a\r\n");
    let server =
        Scripted::start([hello("250 here"), envelope(), vec![Step::Body, dripped, Step::Silence]].concat())
            .await;
    let (verdict, _) = send(&relay(server.addr)).await;
    let Verdict::Accepted(reply) = verdict else { panic!("{verdict:?}") };
    assert_eq!((reply.enhanced, reply.text.as_str()), (Some(Enhanced(2, 0, 0)), "queued as 0000002a"));
}

#[tokio::test]
async fn a_4yz_at_any_phase_is_temporary_and_names_the_phase() {
    for phase in BEFORE_THE_BODY.into_iter().chain([Phase::Body]) {
        let (verdict, usable) = send_to(phase, Answer::reply("451 4.3.0 later")).await;
        assert_eq!(temporary_at(&verdict), Some(phase), "{verdict:?}");
        assert_eq!(usable, OF_A_MESSAGE.contains(&phase), "{phase:?}");
    }
}

#[tokio::test]
async fn a_5yz_to_a_message_is_permanent_and_names_the_phase() {
    for phase in OF_A_MESSAGE {
        let (verdict, usable) = send_to(phase, Answer::reply("550 5.1.1 nobody here")).await;
        assert_eq!(permanent_at(&verdict), Some(phase), "{verdict:?}");
        assert!(usable, "{phase:?}");
    }
}

#[tokio::test]
async fn a_5yz_to_the_session_is_about_us() {
    for phase in [Phase::Greeting, Phase::Hello] {
        let catcher = Catcher::start(Script::at(phase, Answer::reply("554 5.7.1 go away"))).await.unwrap();
        let failure = Connection::open(&relay(catcher.addr())).await.err().unwrap();
        assert!(matches!(failure, shipby::mail::Failure::Config { .. }), "{failure}");
    }
}

#[tokio::test]
async fn a_421_closes_at_every_phase_and_is_temporary() {
    for phase in BEFORE_THE_BODY.into_iter().chain([Phase::Body]) {
        let (verdict, usable) = send_to(phase, Answer::reply("421 4.3.2 closing")).await;
        assert_eq!(temporary_at(&verdict), Some(phase), "{verdict:?}");
        assert!(!usable);
    }
}

#[tokio::test]
async fn drops_halves_and_garbage_before_the_body_are_not_sent_and_not_in_doubt() {
    for phase in BEFORE_THE_BODY {
        for answer in [
            Answer::Close(Vec::new()),
            Answer::Close(b"2".to_vec()),
            Answer::Close(b"250-half\r\n".to_vec()),
            Answer::Raw(b"\x00\x01\x02\r\n".to_vec()),
            Answer::Raw(b"HTTP/1.1 400 Bad Request\r\n".to_vec()),
        ] {
            let (verdict, usable) = send_to(phase, answer.clone()).await;
            assert_eq!(temporary_at(&verdict), Some(phase), "{answer:?}: {verdict:?}");
            assert!(!usable);
        }
    }
}

#[tokio::test]
async fn silence_before_the_body_ends_in_time() {
    for phase in BEFORE_THE_BODY {
        let catcher = Catcher::start(Script::at(phase, Answer::Silence)).await.unwrap();
        let (verdict, usable) = send(&hasty(catcher.addr())).await;
        assert_eq!(temporary_at(&verdict), Some(phase), "{verdict:?}");
        assert!(!usable);
    }
}

#[tokio::test]
async fn nobody_listening_is_temporary() {
    let catcher = Catcher::start(Script::usual()).await.unwrap();
    let address = catcher.addr();
    catcher.stop().await;
    assert_eq!(temporary_at(&send(&relay(address)).await.0), Some(Phase::Connect));
}

#[tokio::test]
async fn whatever_is_unclear_after_the_body_is_in_doubt() {
    for answer in [
        Answer::TakeAndClose,
        Answer::Close(b"25".to_vec()),
        Answer::Close(b"250".to_vec()),
        Answer::Close(b"250-half\r\n".to_vec()),
        Answer::Raw(b"\x00\x01\x02\r\n".to_vec()),
        Answer::Raw(b"OK 250\r\n".to_vec()),
        Answer::reply("354 more"),
        Answer::reply("250-yes\r\n550 no"),
        Answer::Raw(b"250 yes\r\n550 no\r\n".to_vec()),
    ] {
        let (verdict, usable) = send_to(Phase::Body, answer.clone()).await;
        assert!(is_doubtful(&verdict) && !usable, "{answer:?}: {verdict:?}");
    }
}

#[tokio::test]
async fn silence_after_the_body_is_in_doubt_in_time() {
    let catcher = Catcher::start(Script::at(Phase::Body, Answer::Silence)).await.unwrap();
    let (verdict, usable) = send(&hasty(catcher.addr())).await;
    assert!(is_doubtful(&verdict) && !usable, "{verdict:?}");
}

#[tokio::test]
async fn a_reply_that_drips_beyond_its_time_is_in_doubt() {
    let drip = "250-still storing your letter, which takes a while on this machine, as you can see\r\n";
    let dripping = vec![Step::Body, Step::Drip(drip), Step::Drip(drip), Step::Drip(drip), Step::Silence];
    let server = Scripted::start([hello("250 here"), envelope(), dripping].concat()).await;
    let start = std::time::Instant::now();
    let (verdict, usable) = send(&hasty(server.addr)).await;
    assert!(is_doubtful(&verdict) && !usable, "{verdict:?}");
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_farewell_behind_the_acceptance_does_not_unsay_it() {
    let answer = Answer::Raw(b"250 2.0.0 queued\r\n421 4.3.2 enough for today\r\n".to_vec());
    let (verdict, usable) = send_to(Phase::Body, answer).await;
    assert!(is_accepted(&verdict) && !usable, "{verdict:?}");
}

#[tokio::test]
async fn an_endless_reply_is_in_doubt_and_costs_no_memory() {
    for text in ["250-and another thing\r\n", "x", "250 without end "] {
        let flood = vec![Step::Body, Step::Flood(text, 64 << 20)];
        let server = Scripted::start([hello("250 here"), envelope(), flood].concat()).await;
        let (verdict, _) = send(&relay(server.addr)).await;
        assert!(is_doubtful(&verdict), "{verdict:?}");
        // What the kernel holds for both ends, not what we kept.
        assert!(server.flooded() < 32 << 20, "{} octets taken", server.flooded());
    }
}

#[tokio::test]
async fn a_connection_lost_amid_a_large_body_is_not_in_doubt() {
    let pause = Step::Pause(Duration::from_millis(50));
    let server = Scripted::start([hello("250 here"), envelope(), vec![pause]].concat()).await;
    let mut connection = Connection::open(&relay(server.addr)).await.unwrap();
    let large = b"All work and no play makes a dull letter.\r\n".repeat(1 << 20);
    connection.envelope(Envelope { from: FROM, to: "kim@example.com", size: large.len() }).await.unwrap();
    let verdict = connection.body(&large).await;
    assert_eq!(temporary_at(&verdict), Some(Phase::Body), "{verdict:?}");
    assert!(!connection.usable());
}

#[tokio::test]
async fn a_250_that_came_with_the_354_is_not_acceptance() {
    let answer = Answer::Raw(b"354 go\r\n250 2.0.0 ok\r\n".to_vec());
    let catcher = Catcher::start(Script::at(Phase::Data, answer)).await.unwrap();
    let mut connection = Connection::open(&relay(catcher.addr())).await.unwrap();
    // Refused already here, before a body is recorded as begun.
    let failure = connection
        .envelope(Envelope { from: FROM, to: "kim@example.com", size: MESSAGE.len() })
        .await
        .unwrap_err();
    assert_eq!((failure.phase(), failure.reply()), (Phase::Data, None), "{failure}");
    assert!(!connection.usable());
    assert!(!is_accepted(&connection.body(MESSAGE).await));
}

#[tokio::test]
async fn a_250_that_came_before_the_body_is_not_acceptance() {
    let early = [Step::Pause(Duration::from_millis(20)), say("250 2.0.0 ok"), Step::Silence];
    let server = Scripted::start([hello("250 here"), envelope(), early.to_vec()].concat()).await;
    let mut connection = Connection::open(&relay(server.addr)).await.unwrap();
    let verdict = match connection
        .envelope(Envelope { from: FROM, to: "kim@example.com", size: MESSAGE.len() })
        .await
    {
        Ok(()) => {
            tokio::time::sleep(Duration::from_millis(200)).await;
            connection.body(MESSAGE).await
        }
        Err(failure) => failure.into(),
    };
    assert!(!is_accepted(&verdict) && !connection.usable(), "{verdict:?}");
}

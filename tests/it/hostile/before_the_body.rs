//! Faults before the body: known not to be sent, so never in doubt, and one copy in the end.

use chrono::TimeDelta;
use shipby::catcher::Answer;
use shipby::domain::reply::Phase;

use super::{Trap, WAYS, came};

/// What ends a session or a message before its body, and says nothing for good.
fn faults() -> Vec<Answer> {
    vec![
        Answer::reply("450 4.2.0 greylisted, come back"),
        Answer::reply("451 4.3.0 later"),
        Answer::reply("452 4.3.1 no room just now"),
        Answer::Close(Vec::new()),
        Answer::Close(b"4".to_vec()),
        Answer::Close(b"250-half\r\n".to_vec()),
        Answer::Raw(b"\x00\xff\x01\r\n".to_vec()),
        Answer::Raw(b"HTTP/1.1 400 Bad Request\r\n".to_vec()),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_not_taken_before_its_body_is_deferred_for_a_minute_and_arrives_once() {
    for way in WAYS {
        let mut trap = Trap::of(way).await;
        for (phase, fault) in [Phase::Mail, Phase::Rcpt, Phase::Data]
            .into_iter()
            .flat_map(|phase| faults().into_iter().map(move |fault| (phase, fault)))
        {
            let case = format!("{way:?} {phase:?} {fault:?}");
            // What ends a connection that was open already is asked again at once on a new one.
            let times = if matches!(fault, Answer::Reply(_)) { 1 } else { 2 };
            let sent = trap.shop.catcher.count();
            assert_eq!(trap.springs(phase, &fault, times).await, came("deferred", 1, "a minute"), "{case}");
            let kept = trap.kept().await;
            let attempt = &kept.attempts[0];
            assert_eq!(attempt.phase.as_deref(), Some(phase.as_str()), "{case}");
            assert_eq!(attempt.outcome.as_deref(), Some("deferred"), "{case}");
            if let Answer::Reply(words) = &fault {
                assert_eq!(attempt.reply.as_ref(), Some(words), "{case}");
            }
            trap.shop.travel(TimeDelta::minutes(2)).await;
            assert_eq!(trap.stands().await, came("accepted", 2, "never"), "{case}");
            assert_eq!(trap.shop.catcher.count(), sent + 1, "{case}");
            assert_eq!(Some(trap.shop.last_mail().bytes), kept.bytes, "{case}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_comes_to_nothing_costs_no_message_a_try() {
    for way in WAYS {
        let mut trap = Trap::of(way).await;
        for (phase, fault) in [Phase::Greeting, Phase::Hello]
            .into_iter()
            .flat_map(|phase| faults().into_iter().map(move |fault| (phase, fault)))
        {
            let case = format!("{way:?} {phase:?} {fault:?}");
            trap.shop.sim.dispatcher.close().await;
            let sent = trap.shop.catcher.count();
            assert_eq!(trap.springs(phase, &fault, 1).await, came("queued", 0, "a minute"), "{case}");
            trap.shop.travel(TimeDelta::minutes(2)).await;
            assert_eq!(trap.stands().await, came("accepted", 1, "never"), "{case}");
            assert_eq!(trap.shop.catcher.count(), sent + 1, "{case}");
        }
    }
}

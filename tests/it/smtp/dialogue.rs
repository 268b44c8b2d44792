//! Several messages on one connection, and servers that offer less.

use std::net::SocketAddr;
use std::time::Duration;

use shipby::{
    catcher::{Answer, Script, Settings},
    domain::reply::{Enhanced, Phase},
    mail::{Connection, Envelope, Failure},
};

use super::*;
use crate::support::smtp::{Scripted, Step, hasty, relay, say};

#[tokio::test]
async fn lines_that_begin_with_dots_arrive_byte_for_byte() {
    let message = b"Subject: dots\r\n\r\n.\r\n..\r\n.hidden\r\nend.\r\n...\r\n";
    for pipelining in [true, false] {
        let catcher = Catcher::with(Settings { pipelining, ..Settings::default() }).await.unwrap();
        let mut connection = Connection::open(&relay(catcher.addr())).await.unwrap();
        connection
            .envelope(Envelope { from: None, to: "kim@example.com", size: message.len() })
            .await
            .unwrap();
        assert!(is_accepted(&connection.body(message).await));
        let mails = catcher.mails();
        assert_eq!((mails[0].from.as_str(), mails[0].to[0].as_str()), ("", "kim@example.com"));
        assert_eq!(mails[0].bytes, message);
    }
}

#[tokio::test]
async fn one_connection_carries_many_messages_and_quits() {
    for pipelining in [true, false] {
        let catcher = Catcher::with(Settings { pipelining, ..Settings::default() }).await.unwrap();
        let mut connection = Connection::open(&relay(catcher.addr())).await.unwrap();
        for number in 0..20 {
            let verdict = deliver(&mut connection, &format!("kim{number}@example.com")).await;
            assert!(is_accepted(&verdict) && connection.still_open().await, "{verdict:?}");
        }
        connection.quit().await;
        assert_eq!((catcher.count(), catcher.connections()), (20, 1));
        assert_eq!(catcher.mails()[7].to, ["kim7@example.com"]);
    }
}

/// Refuses whoever is called "bad" at a phase, and answers DATA as told all the same.
fn refusing(phase: Phase, refusal: &'static str, data: &'static str, dot: &'static str) -> Script {
    Script::new(move |dialogue| {
        let bad = dialogue.mail % 2 == 1;
        match dialogue.phase {
            at if bad && at == phase => Answer::reply(refusal),
            Phase::Data if bad => Answer::reply(data),
            Phase::Body if bad => Answer::reply(dot),
            _ => Answer::Usual,
        }
    })
}

#[tokio::test]
async fn after_a_refused_recipient_the_next_mails_replies_are_its_own() {
    let answers_to_data = ["354 go on anyway", "503 5.5.1 no recipients", "554 5.5.1 no valid recipients"];
    for (pipelining, data) in answers_to_data.map(|data| [(true, data), (false, data)]).into_iter().flatten()
    {
        for (refusal, dot) in
            [("550 5.1.1 nobody", "554 5.5.1 nothing"), ("450 4.2.0 later", "250 2.0.0 fine")]
        {
            let script = refusing(Phase::Rcpt, refusal, data, dot);
            let settings = Settings { script, pipelining, ..Settings::default() };
            let catcher = Catcher::with(settings).await.unwrap();
            let mut connection = Connection::open(&relay(catcher.addr())).await.unwrap();
            for round in 1..=3 {
                let verdict = deliver(&mut connection, "bad@example.com").await;
                let at = permanent_at(&verdict).or(temporary_at(&verdict));
                assert_eq!(at, Some(Phase::Rcpt), "{data}: {verdict:?}");
                assert!(connection.usable(), "{data}");
                let verdict = deliver(&mut connection, "good@example.com").await;
                let Verdict::Accepted(reply) = &verdict else { panic!("{data}: {verdict:?}") };
                assert_eq!(reply.text, format!("queued as {round:08x}"));
            }
            let mails = catcher.mails();
            assert_eq!(mails.len(), 3);
            assert!(mails.iter().all(|mail| mail.to == ["good@example.com"] && mail.bytes == MESSAGE));
        }
    }
}

#[tokio::test]
async fn a_refused_sender_with_a_standing_recipient_closes_rather_than_send_an_empty_mail() {
    let script = Script::new(|dialogue| match dialogue.phase {
        Phase::Mail => Answer::reply("550 5.1.8 not from you"),
        Phase::Rcpt => Answer::reply("250 2.1.5 ok"),
        Phase::Data => Answer::reply("354 go"),
        _ => Answer::Usual,
    });
    let catcher = Catcher::start(script).await.unwrap();
    let (verdict, usable) = send(&relay(catcher.addr())).await;
    assert_eq!(permanent_at(&verdict), Some(Phase::Mail));
    assert!(!usable);
    assert_eq!(catcher.count(), 0);
}

#[tokio::test]
async fn a_refused_body_leaves_the_connection_in_step() {
    for pipelining in [true, false] {
        let script = Script::first(1, Phase::Body, Answer::reply("451 4.7.1 greylisted"));
        let catcher = Catcher::with(Settings { script, pipelining, ..Settings::default() }).await.unwrap();
        let mut connection = Connection::open(&relay(catcher.addr())).await.unwrap();
        assert_eq!(temporary_at(&deliver(&mut connection, "kim@example.com").await), Some(Phase::Body));
        assert!(is_accepted(&deliver(&mut connection, "kim@example.com").await));
        assert_eq!(catcher.count(), 1);
    }
}

#[tokio::test]
async fn a_drop_after_a_refusal_is_still_the_refusal() {
    let script = Script::new(|dialogue| match dialogue.phase {
        Phase::Rcpt => Answer::Close(b"550 5.1.1 nobody\r\n".to_vec()),
        _ => Answer::Usual,
    });
    let catcher = Catcher::start(script).await.unwrap();
    let (verdict, usable) = send(&relay(catcher.addr())).await;
    assert_eq!(permanent_at(&verdict), Some(Phase::Rcpt), "{verdict:?}");
    assert!(!usable);
}

#[tokio::test]
async fn a_refused_rset_is_not_the_next_messages_fault() {
    let group = |offers: &str, answers: &str| {
        let first = [Step::Hear("MAIL"), Step::Hear("RCPT"), Step::Hear("DATA")];
        let second = [Step::Hear("RSET"), Step::Hear("MAIL"), Step::Hear("RCPT"), Step::Hear("DATA")];
        let mut script = vec![say("220 here"), Step::Hear("EHLO"), say(offers)];
        script.extend(first.to_vec());
        script.push(say("250 ok\r\n550 5.1.1 nobody\r\n503 5.5.1 no"));
        script.extend(second.to_vec());
        script.extend([say(answers), Step::Silence]);
        script
    };
    let answers = "500 5.5.2 RSET?\r\n503 5.5.1 nested\r\n503 5.5.1 no\r\n503 5.5.1 no";
    let server = Scripted::start(group("250-here\r\n250 pipelining", answers)).await;
    let mut connection = Connection::open(&relay(server.addr)).await.unwrap();
    assert_eq!(permanent_at(&deliver(&mut connection, "bad@example.com").await), Some(Phase::Rcpt));
    let verdict = deliver(&mut connection, "good@example.com").await;
    assert_eq!(temporary_at(&verdict), Some(Phase::Mail), "{verdict:?}");
    assert!(!connection.usable());
}

#[tokio::test]
async fn a_dropped_dialogue_never_leaves_a_connection_one_reply_behind() {
    let late = Answer::After(Duration::from_millis(500), Box::new(Answer::Usual));
    let catcher = Catcher::start(Script::at(Phase::Data, late)).await.unwrap();
    let mut connection = Connection::open(&relay(catcher.addr())).await.unwrap();
    let sending = deliver(&mut connection, "kim@example.com");
    assert!(tokio::time::timeout(Duration::from_millis(10), sending).await.is_err());
    assert!(!connection.usable());
    assert_eq!(temporary_at(&deliver(&mut connection, "kim@example.com").await), Some(Phase::Connect));
    assert_eq!(catcher.count(), 0);
}

#[tokio::test]
async fn a_connection_closed_while_idle_is_noticed_before_a_message_is_risked() {
    let idle = vec![Step::Pause(Duration::from_millis(20)), say("421 4.4.2 idle too long")];
    let hello = vec![say("220 here"), Step::Hear("EHLO"), say("250 here")];
    let server = Scripted::start([hello, idle].concat()).await;
    let mut connection = Connection::open(&relay(server.addr)).await.unwrap();
    assert!(connection.usable());
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!connection.still_open().await);
}

#[tokio::test]
async fn a_message_larger_than_announced_fails_without_a_dialogue() {
    let catcher = Catcher::with(Settings { size: 1000, ..Settings::default() }).await.unwrap();
    let mut connection = Connection::open(&relay(catcher.addr())).await.unwrap();
    let failure =
        connection.envelope(Envelope { from: FROM, to: "kim@example.com", size: 1001 }).await.unwrap_err();
    let Failure::Permanent { reply, .. } = &failure else { panic!("{failure}") };
    assert_eq!(reply.enhanced, Some(Enhanced(5, 3, 4)));
    assert!(reply.text.starts_with("size:") && reply.text.ends_with("(not sent)"), "{reply}");
    assert!(is_accepted(&deliver(&mut connection, "kim@example.com").await));
}

#[tokio::test]
async fn an_address_in_utf8_needs_a_server_that_can_carry_it() {
    for smtputf8 in [true, false] {
        let catcher = Catcher::with(Settings { smtputf8, ..Settings::default() }).await.unwrap();
        let mut connection = Connection::open(&relay(catcher.addr())).await.unwrap();
        let verdict = deliver(&mut connection, "jörg@example.com").await;
        if smtputf8 {
            assert!(is_accepted(&verdict), "{verdict:?}");
            assert_eq!(catcher.mails()[0].to, ["jörg@example.com"]);
        } else {
            let Verdict::Permanent { reply, .. } = &verdict else { panic!("{verdict:?}") };
            assert!(reply.text.starts_with("smtputf8"), "{reply}");
            assert!(connection.usable());
        }
    }
}

#[tokio::test]
async fn an_address_can_never_become_a_command() {
    let catcher = Catcher::start(Script::usual()).await.unwrap();
    let mut connection = Connection::open(&relay(catcher.addr())).await.unwrap();
    for address in [
        "kim@example.com>\r\nRCPT TO:<eve@example.com",
        "kim",
        "",
        "a b@example.com",
        "\"a\r\n\"@example.com",
    ] {
        let verdict = deliver(&mut connection, address).await;
        assert_eq!(permanent_at(&verdict), Some(Phase::Rcpt), "{address:?}: {verdict:?}");
    }
    assert!(is_accepted(&deliver(&mut connection, "kim@example.com").await));
    assert_eq!(catcher.mails().len(), 1);
}

#[tokio::test]
async fn a_server_that_knows_only_helo_gets_mail_too() {
    let script = vec![
        say("220 old"),
        Step::Hear("EHLO"),
        say("500 what?"),
        Step::Hear("HELO shop.example"),
        say("250"),
    ];
    let mail =
        vec![Step::Hear("MAIL FROM:<bounce+token@shop.example>"), say("250"), Step::Hear("RCPT"), say("250")];
    let end = vec![Step::Hear("DATA"), say("354"), Step::Body, say("250"), Step::Silence];
    let server = Scripted::start([script, mail, end].concat()).await;
    let (verdict, usable) = send(&relay(server.addr)).await;
    assert!(is_accepted(&verdict) && usable, "{verdict:?}");
    assert_eq!(server.heard()[2], "MAIL FROM:<bounce+token@shop.example>");
}

#[tokio::test]
async fn leaving_takes_no_longer_than_a_couple_of_seconds() {
    let catcher = Catcher::start(Script::at(Phase::Body, Answer::Silence)).await.unwrap();
    let mut connection = Connection::open(&hasty(catcher.addr())).await.unwrap();
    assert!(is_doubtful(&deliver(&mut connection, "kim@example.com").await));
    tokio::time::timeout(Duration::from_secs(5), connection.quit()).await.unwrap();
}

/// Three messages, each but the first with its envelope ahead: what became of each, and the connection.
async fn three_ahead(addr: SocketAddr) -> (Vec<Verdict>, Connection) {
    let mut connection = Connection::open(&hasty(addr)).await.unwrap();
    let envelope = |to| Envelope { from: FROM, to, size: MESSAGE.len() };
    let to = ["first@example.com", "second@example.com", "third@example.com"];
    let mut verdicts = Vec::new();
    for (index, receiver) in to.into_iter().enumerate() {
        let offered = match connection.is_ahead() {
            true => connection.envelope_ahead().await,
            false => connection.envelope(envelope(receiver)).await,
        };
        let next = to.get(index + 1).map(|next| envelope(next));
        verdicts.push(match offered {
            Ok(()) => connection.body_before(MESSAGE, next).await,
            Err(failure) => failure.into(),
        });
    }
    (verdicts, connection)
}

#[tokio::test]
async fn an_envelope_goes_out_with_the_end_of_the_message_before_it() {
    for pipelining in [true, false] {
        let catcher = Catcher::with(Settings { pipelining, ..Settings::default() }).await.unwrap();
        let (verdicts, connection) = three_ahead(catcher.addr()).await;
        assert!(verdicts.iter().all(is_accepted) && connection.usable(), "{verdicts:?}");
        let mails = catcher.mails();
        let to: Vec<_> = mails.iter().map(|mail| mail.to[0].as_str()).collect();
        assert_eq!(to, ["first@example.com", "second@example.com", "third@example.com"]);
        assert!(mails.iter().all(|mail| mail.bytes == MESSAGE));
    }
}

#[tokio::test]
async fn a_refusal_of_the_body_is_not_one_of_the_envelope_behind_it_nor_the_other_way() {
    let refused = |phase, to: &'static str, reply: &'static str| {
        Script::new(move |dialogue| match dialogue.phase {
            at if at == phase && dialogue.to == to => Answer::reply(reply),
            _ => Answer::Usual,
        })
    };
    let body = refused(Phase::Body, "second@example.com", "554 5.7.1 no");
    let catcher = Catcher::start(body).await.unwrap();
    let (verdicts, connection) = three_ahead(catcher.addr()).await;
    assert!(is_accepted(&verdicts[0]) && is_accepted(&verdicts[2]) && connection.usable(), "{verdicts:?}");
    assert_eq!((permanent_at(&verdicts[1]), catcher.count()), (Some(Phase::Body), 2));
    let rcpt = refused(Phase::Rcpt, "second@example.com", "550 5.1.1 nobody");
    let catcher = Catcher::start(rcpt).await.unwrap();
    let (verdicts, connection) = three_ahead(catcher.addr()).await;
    assert!(is_accepted(&verdicts[0]) && is_accepted(&verdicts[2]) && connection.usable(), "{verdicts:?}");
    assert_eq!((permanent_at(&verdicts[1]), catcher.count()), (Some(Phase::Rcpt), 2));
}

/// A server that says so to the first body, with the second envelope behind it, and then no more.
async fn after_the_first_body(answers: &str) -> (Vec<Verdict>, Connection) {
    let envelope = [Step::Hear("MAIL"), Step::Hear("RCPT"), Step::Hear("DATA")];
    let mut script = vec![say("220 here"), Step::Hear("EHLO"), say("250-here\r\n250 PIPELINING")];
    script.extend(envelope.to_vec());
    script.extend([say("250 ok\r\n250 ok\r\n354 go"), Step::Body]);
    script.extend(envelope.to_vec());
    script.extend([say(answers), Step::Silence]);
    three_ahead(Scripted::start(script).await.addr).await
}

#[tokio::test]
async fn two_answers_to_a_body_are_a_doubt_with_an_envelope_behind_it_too() {
    let (verdicts, connection) = after_the_first_body("250 taken\r\n250 ok\r\n250 ok\r\n354 go").await;
    assert!(is_accepted(&verdicts[0]) && !connection.usable(), "the second is begun, and never answered");
    assert!(is_doubtful(&verdicts[1]), "{verdicts:?}");
    for second in ["550 5.7.1 no, after all\r\n250 ok\r\n250 ok\r\n354 go", "hello?"] {
        let (verdicts, connection) = after_the_first_body(&format!("250 taken\r\n{second}")).await;
        assert!(is_doubtful(&verdicts[0]), "{second}: {verdicts:?}");
        assert!(!connection.usable() && !connection.is_ahead());
        assert_eq!(temporary_at(&verdicts[1]), Some(Phase::Connect), "it was not offered: {verdicts:?}");
    }
}

#[tokio::test]
async fn after_a_refused_body_a_refused_mail_is_no_word_about_the_next_message() {
    let nested = "554 5.7.1 no\r\n503 5.5.1 nested MAIL\r\n250 ok\r\n354 go";
    let (verdicts, connection) = after_the_first_body(nested).await;
    assert_eq!(permanent_at(&verdicts[0]), Some(Phase::Body));
    let Verdict::Temporary { phase: Phase::Mail, reply: None, detail } = &verdicts[1] else {
        panic!("{verdicts:?}")
    };
    assert!(detail.contains("nested MAIL") && !connection.usable(), "{detail}");
}

#[tokio::test]
async fn a_farewell_behind_an_acceptance_is_about_neither_message() {
    let (verdicts, connection) = after_the_first_body("250 taken\r\n421 4.7.0 enough for today").await;
    assert!(is_accepted(&verdicts[0]) && !connection.usable() && !connection.is_ahead(), "{verdicts:?}");
}

#[tokio::test]
async fn a_server_that_forgets_what_comes_behind_a_body_is_sent_nothing_ahead_again() {
    let forgets = |silent_at: Phase| {
        Script::new(move |dialogue| match dialogue.phase {
            at if at == silent_at && dialogue.mail == 2 => Answer::Silence,
            _ => Answer::Usual,
        })
    };
    let catcher = Catcher::start(forgets(Phase::Mail)).await.unwrap();
    let relay = hasty(catcher.addr());
    let envelope = Envelope { from: FROM, to: "kim@example.com", size: MESSAGE.len() };
    let mut connection = Connection::open(&relay).await.unwrap();
    connection.envelope(envelope).await.unwrap();
    assert!(is_accepted(&connection.body_before(MESSAGE, Some(envelope)).await) && connection.is_ahead());
    let failure = connection.envelope_ahead().await.unwrap_err();
    assert_eq!((failure.phase(), failure.reply()), (Phase::Mail, None));
    let mut connection = Connection::open(&relay).await.unwrap();
    connection.envelope(envelope).await.unwrap();
    assert!(is_accepted(&connection.body_before(MESSAGE, Some(envelope)).await));
    assert!(!connection.is_ahead() && connection.usable());
}

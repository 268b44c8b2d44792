//! The SMTP driver against servers good and bad.
//!
//! What always holds: accepted only what was clearly accepted, in doubt only what can be in doubt, and
//! after a refusal the next mail's replies are its own.

mod acceptance;
mod dialogue;
mod security;

use shipby::catcher::{Answer, Catcher, Script};
use shipby::mail::{Connection, Envelope, Relay};

use crate::support::smtp::relay;
use shipby::domain::reply::{Phase, Verdict};

const MESSAGE: &[u8] = b"Subject: news\r\n\r\nYour kettle is on its way.\r\n";
const FROM: Option<&str> = Some("bounce+token@shop.example");

/// Envelope and body of one mail.
async fn deliver(connection: &mut Connection, to: &str) -> Verdict {
    match connection.envelope(Envelope { from: FROM, to, size: MESSAGE.len() }).await {
        Ok(()) => connection.body(MESSAGE).await,
        Err(failure) => failure.into(),
    }
}

/// A whole session of one mail, and whether the connection could take another.
async fn send(relay: &Relay) -> (Verdict, bool) {
    match Connection::open(relay).await {
        Ok(mut connection) => {
            let verdict = deliver(&mut connection, "kim@example.com").await;
            (verdict, connection.usable())
        }
        Err(failure) => (failure.into(), false),
    }
}

/// The same, to a catcher that gives one answer of its own.
async fn send_to(phase: Phase, answer: Answer) -> (Verdict, bool) {
    let catcher = Catcher::start(Script::at(phase, answer)).await.unwrap();
    send(&relay(catcher.addr())).await
}

fn temporary_at(verdict: &Verdict) -> Option<Phase> {
    if let Verdict::Temporary { phase, .. } = verdict { Some(*phase) } else { None }
}

fn permanent_at(verdict: &Verdict) -> Option<Phase> {
    if let Verdict::Permanent { phase, .. } = verdict { Some(*phase) } else { None }
}

fn is_accepted(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Accepted(_))
}

fn is_doubtful(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Doubtful { .. })
}

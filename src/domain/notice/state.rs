//! How far the delivery of a notice has come.

use crate::domain::words::words;

words! {
    /// How far delivery has come (never "sent" or "delivered": we do not know that).
    NoticeState {
        Queued = "queued", Sending = "sending", Deferred = "deferred", InDoubt = "in_doubt", Held = "held",
        Accepted = "accepted", Failed = "failed", Skipped = "skipped", Superseded = "superseded", Bounced = "bounced",
    }
}

impl NoticeState {
    /// What a support person can read aloud.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Queued => "waiting to be sent",
            Self::Sending => "being sent right now",
            Self::Deferred => "the mail server put it off, it will be tried again",
            Self::InDoubt => "the mail server may have it or not; the connection broke before it answered",
            Self::Held => "held until a person releases it",
            Self::Accepted => "accepted by the mail server",
            Self::Failed => "refused by the mail server for good",
            Self::Skipped => "not sent, it had lost its use",
            Self::Superseded => "replaced before it went out",
            Self::Bounced => "accepted by the mail server, but it came back: the customer has not read it",
        }
    }
}

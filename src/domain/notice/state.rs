//! How far the delivery of a notice has come, and which state may follow which.

use crate::domain::words::words;

words! {
    /// How far delivery has come (never "sent" or "delivered": we do not know that).
    NoticeState {
        Queued = "queued", Sending = "sending", Deferred = "deferred", InDoubt = "in_doubt", Held = "held",
        Accepted = "accepted", Failed = "failed", Skipped = "skipped", Superseded = "superseded", Bounced = "bounced",
    }
}

impl NoticeState {
    /// Whether a notice in this state may be in `next` after it: the legal moves. What stays as it is does not move.
    pub fn may_become(self, next: Self) -> bool {
        use NoticeState::{
            Accepted, Bounced, Deferred, Failed, Held, InDoubt, Queued, Sending, Skipped, Superseded,
        };
        match self {
            // What waits is taken, ends without a dialogue (captured, or not to be sent), or another takes its place.
            // Time does not resolve a doubt, and what was refused for no fault of its own waits in the queue with it.
            Queued | Deferred => {
                matches!(next, Sending | Accepted | Held | Skipped | Superseded | InDoubt)
            }
            // The same where it waits; after it was given up it may still come back.
            InDoubt => matches!(next, Sending | Accepted | Held | Skipped | Superseded | Bounced),
            // A try came to something, or was given back to what the notice was before.
            Sending => matches!(next, Queued | Deferred | InDoubt | Held | Accepted | Failed),
            // A person has it tried again, or drops it.
            Held => matches!(next, Queued | InDoubt | Skipped),
            Failed => matches!(next, Queued | InDoubt),
            Accepted => next == Bounced,
            Skipped | Superseded | Bounced => false,
        }
    }

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

//! How the digest gets there: written once a day, kept, then offered until the mail server takes it.
//!
//! It has a connection of its own, so that no customer's mail waits for it. A try that ended in doubt is not repeated:
//! two digests a day are worse than one that somebody misses and asks for.

use std::sync::Arc;

use chrono::NaiveDate;
use tokio_util::sync::CancellationToken;

use super::{Asked, Masthead, gather, write};
use crate::bell::Daily;
use crate::clock::Clock;
use crate::config::Mode;
use crate::domain::calendar::{Instant, day_of};
use crate::domain::notice::NoticeState;
use crate::domain::reply::{Retry, Verdict};
use crate::mail::{ComposeError, Connection, Failure, Letter, Mailbox, Relay, compose, envelope_address};
use crate::store::{KeptDigest, Store, StoreError};

/// What takes the digest away.
#[derive(Debug, Clone)]
pub enum Carrier {
    /// Nobody: it is kept, and that is all.
    Capture,
    Smtp(Arc<Relay>),
}

/// Writes and sends the digest. One per database, for it alone has the digests in hand.
pub struct Courier {
    pub store: Store,
    pub clock: Clock,
    pub carrier: Carrier,
    pub mode: Mode,
    /// The shop's name.
    pub shop: String,
    pub from: Mailbox,
    /// Whom it is for; in redirect mode it goes to that mode's address.
    pub to: Mailbox,
    /// When it is due.
    pub daily: Daily,
    pub asked: Asked,
    /// The waits while the mail server puts it off.
    pub retry: Retry,
}

impl Courier {
    /// Writes the digest of the day if it is time, and offers what waits to the mail server. Says what a try came to;
    /// None if there was nothing to try. After `stop` no body is begun.
    ///
    /// # Errors
    /// If the database cannot be used: nothing is sent whose outcome cannot be stored.
    pub async fn turn(&self, stop: &CancellationToken) -> Result<Option<NoticeState>, StoreError> {
        let now = self.clock.now();
        let today = day_of(now, self.daily.zone);
        let last = self.store.last_digest(today).await?;
        let last = match self.daily.due(now, last.as_ref().map(|last| last.day)) {
            // An older one that still waits has lost its use.
            Some(day) => {
                self.write(day, now).await?;
                self.store.last_digest(today).await?
            }
            None => last,
        };
        match last {
            Some(cut_short) if cut_short.state == NoticeState::Sending => {
                let words = "shipby stopped before the server answered";
                self.settle(&cut_short, NoticeState::InDoubt, None, words.to_owned()).await
            }
            Some(waits) if waits.next_try.is_some_and(|at| at <= now) => self.offer(&waits, stop).await,
            _ => Ok(None),
        }
    }

    async fn write(&self, day: NaiveDate, now: Instant) -> Result<(), StoreError> {
        let digest = gather(&self.store, now, self.asked).await?;
        let head = Masthead {
            shop: &self.shop,
            mode: &self.mode,
            zone: self.daily.zone,
            digest_at: Some(self.daily.at),
        };
        let (subject, text) = write(&digest, head);
        self.store.keep_digest(day, now, self.mode.as_str(), &subject, &text).await
    }

    async fn offer(
        &self,
        digest: &KeptDigest,
        stop: &CancellationToken,
    ) -> Result<Option<NoticeState>, StoreError> {
        let relay = match &self.carrier {
            Carrier::Smtp(relay) => relay,
            Carrier::Capture => {
                let words = "kept; nothing left this machine (delivery.mode is capture)";
                return self.settle(digest, NoticeState::Accepted, None, words.to_owned()).await;
            }
        };
        let bytes = match self.compose(digest) {
            Ok(bytes) => bytes,
            Err(error) => return self.settle(digest, NoticeState::Failed, None, error.to_string()).await,
        };
        let opened = tokio::select! {
            opened = self.open(relay, bytes.len()) => opened,
            () = stop.cancelled() => return Ok(None),
        };
        let mut connection = match opened {
            Ok(connection) => connection,
            Err(failure) => return self.conclude(digest, failure.into()).await,
        };
        self.store.begin_digest(digest.day).await?;
        let verdict = connection.body(&bytes).await;
        let concluded = self.conclude(digest, verdict).await;
        connection.quit().await;
        concluded
    }

    /// Settles a try that reached for the mail server.
    async fn conclude(
        &self,
        digest: &KeptDigest,
        verdict: Verdict,
    ) -> Result<Option<NoticeState>, StoreError> {
        let (state, next, words) = match verdict {
            Verdict::Accepted(reply) => (NoticeState::Accepted, None, reply.to_string()),
            Verdict::Permanent { reply, .. } => (NoticeState::Failed, None, reply.to_string()),
            Verdict::Doubtful { detail } => (NoticeState::InDoubt, None, detail),
            Verdict::Temporary { reply, detail, .. } => {
                let id = self.store.digest_id(digest.day);
                let next = self.retry.next(self.clock.now(), digest.attempts + 1, &id);
                (NoticeState::Deferred, Some(next), reply.map_or(detail, |reply| reply.to_string()))
            }
        };
        self.settle(digest, state, next, words).await
    }

    fn compose(&self, digest: &KeptDigest) -> Result<Vec<u8>, ComposeError> {
        let id = self.store.digest_id(digest.day);
        let domain = self.from.address().rsplit_once('@').map_or("localhost", |(_, domain)| domain);
        let subject = match &self.mode {
            Mode::Redirect(_) => format!("[for {}] {}", self.to.address(), digest.subject),
            _ => digest.subject.clone(),
        };
        compose(&Letter {
            from: &self.from,
            reply_to: None,
            to_address: self.recipient(),
            to_name: None,
            subject: &subject,
            text: &digest.body,
            html: None,
            date: digest.at,
            message_id: &format!("{id}@{domain}"),
            references: &[],
            notice: &id,
            order: "",
            kind: "digest",
        })
    }

    fn recipient(&self) -> &str {
        match &self.mode {
            Mode::Redirect(address) => address.as_str(),
            _ => self.to.address(),
        }
    }

    async fn open(&self, relay: &Relay, size: usize) -> Result<Connection, Failure> {
        let mut connection = Connection::open(relay).await?;
        let to = envelope_address(self.recipient());
        let to = to.as_deref().unwrap_or(self.recipient());
        connection.envelope(Some(self.from.address()), to, size).await?;
        Ok(connection)
    }

    async fn settle(
        &self,
        digest: &KeptDigest,
        state: NoticeState,
        next: Option<Instant>,
        reply: String,
    ) -> Result<Option<NoticeState>, StoreError> {
        let day = digest.day;
        let (mode, now) = (self.mode.as_str(), self.clock.now());
        self.store.settle_digest(day, mode, (state, next), &reply, now).await?;
        // The server's words may hold an address; they are kept, not logged.
        match (state, next) {
            (NoticeState::Accepted, _) => tracing::info!(%day, mode, "the digest was accepted"),
            (_, Some(next)) => tracing::warn!(%day, %next, "the digest was put off: shipby digest --last"),
            _ => tracing::error!(%day, %state, "the digest did not get there: shipby digest --last"),
        }
        Ok(Some(state))
    }
}

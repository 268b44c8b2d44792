//! How mails to ops get there: written once, kept, then offered until the mail server takes them.
//!
//! Each has a connection of its own, so that no customer's mail waits for it. A try that ended in doubt is not repeated:
//! two digests a day are worse than one that somebody misses and asks for.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::{Asked, Masthead, gather, write, write_alert};
use crate::clock::Clock;
use crate::config::Mode;
use crate::domain::calendar::{Instant, day_of};
use crate::domain::notice::NoticeState;
use crate::domain::reply::{PATIENCE, Retry, Verdict};
use crate::mail::{
    ComposeError, Connection, Envelope, Failure, Letter, Mailbox, Relay, compose, envelope_address,
};
use crate::store::{OpsMail, Store, StoreError};
use crate::wakeup::Daily;

/// What takes the digest away.
#[derive(Debug, Clone)]
pub enum Carrier {
    /// Nobody: it is kept, and that is all.
    Capture,
    Smtp(Arc<Relay>),
}

/// Writes and sends the mails to ops. One per database, for it alone has them in hand.
pub struct Courier {
    pub store: Store,
    pub clock: Clock,
    pub carrier: Carrier,
    pub mode: Mode,
    /// The shop's name.
    pub shop: String,
    pub from: Mailbox,
    /// Whom they are for; in redirect mode they go to that mode's address.
    pub to: Mailbox,
    /// When the digest is due; None: only alerts go.
    pub daily: Option<Daily>,
    pub asked: Asked,
    /// The waits while the mail server puts a mail off.
    pub retry: Retry,
}

impl Courier {
    /// Writes the alerts that are due, and the digest of the day if it is time, and offers the first that waits to the mail
    /// server. Says what a try came to; None if there was nothing to try. After `stop` no body is begun.
    ///
    /// # Errors
    /// If the database cannot be used: nothing is sent whose outcome cannot be stored.
    pub async fn turn(&self, stop: &CancellationToken) -> Result<Option<NoticeState>, StoreError> {
        let now = self.clock.now();
        let today = day_of(now, self.asked.zone);
        for incident in self.store.untold_incidents(now).await? {
            let (subject, text) = write_alert(&incident, self.head());
            self.store.keep_alert(&incident, now, self.mode.as_str(), &subject, &text).await?;
        }
        if let Some(daily) = self.daily {
            let last = self.store.last_digest(today).await?;
            if let Some(day) = daily.due(now, last.and_then(|last| last.day)) {
                let digest = gather(&self.store, now, self.asked).await?;
                let (subject, text) = write(&digest, self.head());
                self.store.keep_digest(day, now, self.mode.as_str(), &subject, &text).await?;
            }
        }
        match self.store.next_ops_mail(today, now).await? {
            Some(cut_short) if cut_short.state == NoticeState::Sending => {
                let words = "shipby stopped before the server answered";
                self.settle(&cut_short, NoticeState::InDoubt, None, words.to_owned()).await
            }
            Some(waits) => self.offer(&waits, stop).await,
            None => Ok(None),
        }
    }

    fn head(&self) -> Masthead<'_> {
        let digest_at = self.daily.map(|daily| daily.at);
        Masthead { shop: &self.shop, mode: &self.mode, zone: self.asked.zone, digest_at }
    }

    async fn offer(
        &self,
        mail: &OpsMail,
        stop: &CancellationToken,
    ) -> Result<Option<NoticeState>, StoreError> {
        let relay = match &self.carrier {
            Carrier::Smtp(relay) => relay,
            Carrier::Capture => {
                let words = "kept; nothing left this machine (delivery.mode is capture)";
                return self.settle(mail, NoticeState::Accepted, None, words.to_owned()).await;
            }
        };
        let bytes = match self.compose(mail) {
            Ok(bytes) => bytes,
            Err(error) => return self.settle(mail, NoticeState::Failed, None, error.to_string()).await,
        };
        let opened = tokio::select! {
            opened = self.open(relay, bytes.len()) => opened,
            () = stop.cancelled() => return Ok(None),
        };
        let mut connection = match opened {
            Ok(connection) => connection,
            Err(failure) => return self.conclude(mail, failure.into()).await,
        };
        self.store.begin_ops_mail(&mail.id).await?;
        let verdict = connection.body(&bytes).await;
        let concluded = self.conclude(mail, verdict).await;
        connection.quit().await;
        concluded
    }

    /// Settles a try that reached for the mail server.
    async fn conclude(&self, mail: &OpsMail, verdict: Verdict) -> Result<Option<NoticeState>, StoreError> {
        let now = self.clock.now();
        let again = || (NoticeState::Deferred, Some(self.retry.next(now, mail.attempts + 1, &mail.id)));
        let ((state, next), words) = match verdict {
            Verdict::Accepted(reply) => ((NoticeState::Accepted, None), reply.to_string()),
            // What is refused for good may be what the alert is about: it is told when that is mended.
            Verdict::Permanent { reply, .. } if mail.day.is_none() && now - mail.at < PATIENCE => {
                (again(), reply.to_string())
            }
            Verdict::Permanent { reply, .. } => ((NoticeState::Failed, None), reply.to_string()),
            Verdict::Doubtful { detail } => ((NoticeState::InDoubt, None), detail),
            Verdict::Temporary { reply, detail, .. } => {
                (again(), reply.map_or(detail, |reply| reply.to_string()))
            }
        };
        self.settle(mail, state, next, words).await
    }

    fn compose(&self, mail: &OpsMail) -> Result<Vec<u8>, ComposeError> {
        let id = self.store.ops_mail_name(&mail.id);
        let domain = self.from.domain();
        let subject = match &self.mode {
            Mode::Redirect(_) => format!("[for {}] {}", self.to.address(), mail.subject),
            _ => mail.subject.clone(),
        };
        compose(&Letter {
            from: &self.from,
            reply_to: None,
            to_address: self.recipient(),
            to_name: None,
            subject: &subject,
            text: &mail.body,
            html: None,
            date: mail.at,
            message_id: &format!("{id}@{domain}"),
            references: &[],
            notice: &id,
            order: "",
            kind: if mail.day.is_some() { "digest" } else { "alert" },
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
        connection.envelope(Envelope { from: Some(self.from.address()), to, size }).await?;
        Ok(connection)
    }

    async fn settle(
        &self,
        mail: &OpsMail,
        state: NoticeState,
        next: Option<Instant>,
        reply: String,
    ) -> Result<Option<NoticeState>, StoreError> {
        let (mode, now) = (self.mode.as_str(), self.clock.now());
        self.store.settle_ops_mail(&mail.id, mode, (state, next), &reply, now).await?;
        // The server's words may hold an address; they are kept, not logged. An alert's subject says what is the matter.
        let OpsMail { id, subject, .. } = mail;
        match (state, next) {
            (NoticeState::Accepted, _) => tracing::info!(mail = id, mode, "a mail to ops was accepted"),
            (_, Some(next)) => tracing::warn!(mail = id, subject, %next, "a mail to ops was put off"),
            _ => tracing::error!(mail = id, subject, %state, "a mail to ops did not get there"),
        }
        Ok(Some(state))
    }
}

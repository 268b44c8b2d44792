//! A batch made ready to leave: read, written by all processors, wrapped for the connections.

use super::render::{RenderFailure, Written};
use super::{Dispatcher, OutgoingMessage, settlement};
use crate::config::Mode;
use crate::domain::calendar::Instant;
use crate::domain::notice::Reason;
use crate::domain::order::settle::Outcome;
use crate::domain::suppression::Suppression;
use crate::store::{Claim, Ready, StoreError};

/// Mails that are worth a thread of their own to write.
const FOR_A_WRITER: usize = 32;

/// What is to leave for a notice.
enum Draft {
    /// Nothing: we may not mail this address.
    NotAllowed,
    /// Nothing: the address gets no mail any more.
    Suppressed,
    /// The bytes of an earlier try.
    Kept(Vec<u8>),
    New(Result<Written, RenderFailure>),
}

impl Dispatcher {
    /// Renders a batch of what is ready and has no bytes yet: what may be mailed, and all that is to be taken before
    /// anything leaves. None when nothing is ready.
    pub(super) async fn prepare(
        &self,
        now: Instant,
    ) -> Result<Option<(Vec<OutgoingMessage>, Claim)>, StoreError> {
        let policy = &self.settings.policy;
        let may_go_at = |ready: &Ready| ready.order.may_go_at(ready.notice.kind, now, policy);
        let mut ready = loop {
            let ready = self.store.ready(now, self.ahead()).await?;
            if ready.is_empty() {
                return Ok(None);
            }
            let (ready, early): (Vec<_>, Vec<_>) = ready.into_iter().partition(|some| may_go_at(some) <= now);
            // An outage has carried these past the send window.
            let early: Vec<_> = early.iter().map(|early| (early.id.clone(), may_go_at(early))).collect();
            self.store.put_off(&early).await?;
            if !ready.is_empty() {
                break ready;
            }
        };
        let (mut outgoing, mut claim) = (Vec::with_capacity(ready.len()), Claim::default());
        let drafts = self.draft(&mut ready, now);
        for (ready, draft) in ready.into_iter().zip(drafts) {
            claim.notices.push((ready.id.clone(), ready.revision));
            self.wrap(ready, draft, now, &mut outgoing, &mut claim);
        }
        Ok(Some((outgoing, claim)))
    }

    /// Writes what may be mailed and has no bytes yet. A full batch is written by several threads: it is the dearest part
    /// of a mail.
    fn draft(&self, ready: &mut [Ready], now: Instant) -> Vec<Draft> {
        let draft = |ready: &mut Ready| match ready.message.take() {
            _ if !self.settings.allowed.allows(&ready.notice.content.email) => Draft::NotAllowed,
            _ if !ready.order.gets(ready.notice.kind) => Draft::Suppressed,
            Some(bytes) => Draft::Kept(bytes),
            None => Draft::New(self.renderer.write(ready, &self.settings, &self.store, now)),
        };
        let writers = self.processors.min(ready.len().div_ceil(FOR_A_WRITER));
        if writers < 2 {
            return ready.iter_mut().map(draft).collect();
        }
        std::thread::scope(|scope| {
            let parts = ready.chunks_mut(ready.len().div_ceil(writers));
            let parts: Vec<_> = parts
                .map(|part| scope.spawn(move || part.iter_mut().map(draft).collect::<Vec<_>>()))
                .collect();
            // Rendering lets no panic through.
            let done = |part: std::thread::ScopedJoinHandle<'_, Vec<Draft>>| {
                part.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            };
            parts.into_iter().flat_map(done).collect()
        })
    }

    /// Makes a message of a notice, or settles it at once where it cannot or may not be mailed.
    fn wrap(
        &self,
        ready: Ready,
        draft: Draft,
        now: Instant,
        outgoing: &mut Vec<OutgoingMessage>,
        claim: &mut Claim,
    ) {
        let policy = &self.settings.policy;
        match draft {
            Draft::NotAllowed => {
                let words = Some("the address is not in delivery.allow_recipients".to_owned());
                claim.settled.push(settlement(ready, Outcome::NotAllowed, now, None, words, policy));
            }
            Draft::Suppressed => {
                let words = ready.order.suppressed.as_ref().map(Suppression::words);
                claim.settled.push(settlement(ready, Outcome::Suppressed, now, None, words, policy));
            }
            Draft::Kept(bytes) => outgoing.push(self.outgoing_message(ready, bytes)),
            Draft::New(Ok(Written { bytes, staged })) => {
                claim.staged.push(staged);
                outgoing.push(self.outgoing_message(ready, bytes));
            }
            Draft::New(Err(error)) => {
                tracing::error!(order = ready.order.number, notice = ready.id, kind = %ready.notice.kind, %error,
                    "this notice cannot be written and is held");
                let words = Some(error.to_string());
                claim.settled.push(settlement(ready, Outcome::Held(Reason::Fault), now, None, words, policy));
            }
        }
    }

    fn outgoing_message(&self, mut ready: Ready, bytes: Vec<u8>) -> OutgoingMessage {
        ready.order.begin_try();
        let to = match &self.settings.mode {
            Mode::Redirect(address) => address.as_str(),
            _ => ready.notice.content.email.as_str(),
        };
        let (from, to) = (self.renderer.sender(&ready.id).into_owned(), self.renderer.envelope_recipient(to));
        OutgoingMessage { ready, from, to, bytes, _under_way: self.under_way.token() }
    }
}

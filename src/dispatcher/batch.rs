//! A batch made ready to leave: read, written by all processors, wrapped for the connections.

use super::letter::{LetterError, Written};
use super::{Dispatcher, Parcel, settlement};
use crate::config::Mode;
use crate::domain::calendar::Instant;
use crate::domain::settle::Outcome;
use crate::store::{Ready, Staged, StoreError, Taking};

/// Mails that are worth a thread of their own to write.
const FOR_A_WRITER: usize = 32;
impl Dispatcher {
    /// Renders a batch of what is ready and has no bytes yet: what may be mailed, and all that is to be taken before
    /// anything leaves. None when nothing is ready.
    pub(super) async fn prepare(&self, now: Instant) -> Result<Option<(Vec<Parcel>, Taking)>, StoreError> {
        let policy = &self.settings.policy;
        let may_go_at = |ready: &Ready| ready.order.may_go_at(ready.notice.kind, now, policy);
        let ready = loop {
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
        let (mut parcels, mut taking) = (Vec::with_capacity(ready.len()), Taking::default());
        let written = self.write_all(&ready, now);
        for (ready, written) in ready.into_iter().zip(written) {
            taking.notices.push((ready.id.clone(), ready.revision));
            self.wrap(ready, written, now, &mut parcels, &mut taking);
        }
        Ok(Some((parcels, taking)))
    }

    /// Writes what may be mailed and has no bytes yet; None for the others. A full batch is written by several threads:
    /// it is the dearest part of a mail.
    fn write_all(&self, ready: &[Ready], now: Instant) -> Vec<Option<Result<Written, LetterError>>> {
        let write = |ready: &Ready| {
            let may_go = self.settings.allowed.allows(&ready.notice.content.email);
            (may_go && ready.message.is_none()).then(|| self.desk.write(ready, &self.settings, now))
        };
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let writers = processors.min(ready.len().div_ceil(FOR_A_WRITER));
        if writers < 2 {
            return ready.iter().map(write).collect();
        }
        std::thread::scope(|scope| {
            let parts = ready.chunks(ready.len().div_ceil(writers));
            let parts: Vec<_> = parts
                .map(|part| (part.len(), scope.spawn(move || part.iter().map(write).collect::<Vec<_>>())))
                .collect();
            let failed = |length| (0..length).map(|_| Some(Err(LetterError::Panic))).collect();
            parts
                .into_iter()
                .flat_map(|(length, part)| part.join().unwrap_or_else(|_| failed(length)))
                .collect()
        })
    }

    /// Makes a parcel of a notice, or settles it at once where it cannot or may not be mailed.
    fn wrap(
        &self,
        mut ready: Ready,
        written: Option<Result<Written, LetterError>>,
        now: Instant,
        parcels: &mut Vec<Parcel>,
        taking: &mut Taking,
    ) {
        let policy = &self.settings.policy;
        let to = match &self.settings.mode {
            Mode::Redirect(address) => address.as_str().to_owned(),
            _ => ready.notice.content.email.as_str().to_owned(),
        };
        let Some(written) = written else {
            if let Some(bytes) =
                ready.message.take().filter(|_| self.settings.allowed.allows(&ready.notice.content.email))
            {
                parcels.push(Parcel { ready, to, bytes });
            } else {
                let words = Some("the address is not in delivery.allow_recipients".to_owned());
                taking.settled.push(settlement(ready, Outcome::NotAllowed, now, None, words, policy));
            }
            return;
        };
        match written {
            Ok(Written { subject, template_hash, bytes }) => {
                let id = ready.id.clone();
                taking.staged.push(Staged { id, subject, template_hash, bytes: bytes.clone() });
                parcels.push(Parcel { ready, to, bytes });
            }
            Err(error) => {
                tracing::error!(order = ready.order.number, notice = ready.id, kind = %ready.notice.kind, %error,
                    "this notice cannot be written and is held");
                let words = Some(error.to_string());
                taking.settled.push(settlement(ready, Outcome::Held, now, None, words, policy));
            }
        }
    }
}

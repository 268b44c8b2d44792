//! The writing desk: a claimed notice becomes the bytes of a mail. One that cannot be written fails alone.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::config::Mode;
use crate::domain::calendar::{Instant, day_of};
use crate::domain::forecast::forecast;
use crate::domain::policy::Policy;
use crate::domain::settle::Outcome;
use crate::mail::{ComposeError, Letter, Mailbox, compose, envelope_address};
use crate::store::Claimed;
use crate::templates::{Shop, TemplateError, TemplateSet, context};

use super::Settings;

/// Why a notice cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum LetterError {
    #[error(transparent)]
    Template(#[from] TemplateError),
    #[error(transparent)]
    Compose(#[from] ComposeError),
    #[error("writing it failed inside shipby; the order holds something no template expects")]
    Panic,
}

/// Everything a mail is written with.
#[derive(Debug)]
pub struct Desk {
    pub templates: TemplateSet,
    pub shop: Shop,
    pub from: Mailbox,
    pub reply_to: Option<Mailbox>,
}

impl Desk {
    /// The hash of the template set mails are written with.
    pub fn template_hash(&self) -> &str {
        self.templates.hash()
    }

    /// The envelope's sender.
    pub fn sender(&self) -> &str {
        self.from.address()
    }

    /// An address as it goes into the envelope, its domain in A-labels; one that has none goes as it is and is
    /// refused by the driver.
    pub(super) fn envelope_recipient(&self, address: &str) -> String {
        envelope_address(address).unwrap_or_else(|| address.to_owned())
    }

    /// Subject and bytes of a notice.
    pub(super) fn write(
        &self,
        claimed: &Claimed,
        settings: &Settings,
        now: Instant,
    ) -> Result<(String, Vec<u8>), LetterError> {
        // A panic here must cost one notice, not the daemon.
        catch_unwind(AssertUnwindSafe(|| self.compose(claimed, settings, now)))
            .unwrap_or(Err(LetterError::Panic))
    }

    fn compose(
        &self,
        claimed: &Claimed,
        settings: &Settings,
        now: Instant,
    ) -> Result<(String, Vec<u8>), LetterError> {
        let next = next_news(claimed, &settings.policy, now);
        let (order, notice) = (&claimed.order, &claimed.notice);
        let language =
            self.templates.language(notice.kind, order.customer.locale.as_deref(), &self.shop.locale);
        let mail = context(order, notice, &self.shop, &settings.policy, next, now, language);
        let rendered = self.templates.render(&mail)?;
        let real = claimed.notice.content.email.as_str();
        let (to, subject) = match &settings.mode {
            Mode::Redirect(address) => (address.as_str(), format!("[for {real}] {}", rendered.subject)),
            _ => (real, rendered.subject),
        };
        let domain = self.from.address().rsplit_once('@').map_or("localhost", |(_, domain)| domain);
        let message_id = |id: &str| format!("{id}@{domain}");
        let references: Vec<String> = claimed.earlier.iter().map(|id| message_id(id)).collect();
        let bytes = compose(&Letter {
            from: &self.from,
            reply_to: self.reply_to.as_ref(),
            to_address: to,
            to_name: claimed.order.customer.name.as_deref(),
            subject: &subject,
            text: &rendered.text,
            html: rendered.html.as_deref(),
            date: now,
            message_id: &message_id(&claimed.id),
            references: &references,
            notice: &claimed.id,
            order: &claimed.order.number,
            kind: claimed.notice.kind.as_str(),
        })?;
        Ok((subject, bytes))
    }
}

/// When the customer hears from us next if nothing changes: what the mail may promise.
pub fn next_news(claimed: &Claimed, policy: &Policy, now: Instant) -> Option<chrono::NaiveDate> {
    let mut order = claimed.order.clone();
    order.under_way = None;
    order.settle(&claimed.notice, &claimed.id, Outcome::Accepted, now, policy);
    let coming = forecast(&order, now, policy, now + chrono::TimeDelta::days(400), 1);
    coming.first().map(|coming| day_of(coming.at, order.zone(policy)))
}

//! Rendering: a notice becomes the bytes of a mail. One that cannot be written fails alone.

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::config::Mode;
use crate::domain::calendar::{Instant, day_of};
use crate::domain::fact::Partial;
use crate::domain::forecast::{HORIZON, forecast};
use crate::domain::notice::Notice;
use crate::domain::order::Order;
use crate::domain::order::settle::Outcome;
use crate::domain::policy::Policy;
use crate::mail::{ComposeError, Letter, Mailbox, Verp, compose, envelope_address};
use crate::store::{Ready, Staged, Store};
use crate::templates::{CurrentTemplates, Rendered, Shop, TemplateError, context};

use super::Settings;

/// Why a notice cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum RenderFailure {
    #[error(transparent)]
    Template(#[from] TemplateError),
    #[error(transparent)]
    Compose(#[from] ComposeError),
    #[error("writing it failed inside shipby; the order holds something no template expects")]
    Panic,
}

/// A notice as it was written.
pub(super) struct Written {
    /// What goes out.
    pub bytes: Vec<u8>,
    /// What is kept of it.
    pub staged: Staged,
}

/// Everything a mail is written with.
#[derive(Debug)]
pub struct MailRenderer {
    /// Asked for each mail: it may be another one by then.
    pub templates: CurrentTemplates,
    pub shop: Shop,
    pub from: Mailbox,
    pub reply_to: Option<Mailbox>,
    /// Names the notice in the envelope's sender, for what comes back.
    pub verp: Option<Verp>,
}

impl MailRenderer {
    /// The envelope's sender of a notice.
    pub(super) fn sender(&self, notice: &str) -> Cow<'_, str> {
        let verp = self.verp.as_ref();
        verp.map_or_else(|| self.from.address().into(), |verp| verp.sender(notice).into())
    }

    /// An address as it goes into the envelope, its domain in A-labels; one that has none goes as it is and is
    /// refused by the driver.
    pub(super) fn envelope_recipient(&self, address: &str) -> String {
        envelope_address(address).unwrap_or_else(|| address.to_owned())
    }

    /// What the mails have in common: one of every kind, to nobody.
    pub(super) fn example(&self) -> Vec<u8> {
        let compose = |mail: Rendered| {
            let letter = Letter {
                from: &self.from,
                reply_to: self.reply_to.as_ref(),
                to_address: self.from.address(),
                to_name: None,
                subject: &mail.subject,
                text: &mail.text,
                html: mail.html.as_deref(),
                date: Instant::UNIX_EPOCH,
                message_id: "example@localhost",
                references: &[],
                notice: "example",
                order: "",
                kind: "",
            };
            compose(&letter).ok()
        };
        self.templates.get().examples(&self.shop).into_iter().filter_map(compose).flatten().collect()
    }

    /// A notice as it goes out, and as `store` keeps it.
    pub(super) fn write(
        &self,
        ready: &Ready,
        settings: &Settings,
        store: &Store,
        now: Instant,
    ) -> Result<Written, RenderFailure> {
        // A panic here must cost one notice, not the daemon.
        catch_unwind(AssertUnwindSafe(|| self.compose(ready, settings, store, now)))
            .unwrap_or(Err(RenderFailure::Panic))
    }

    fn compose(
        &self,
        ready: &Ready,
        settings: &Settings,
        store: &Store,
        now: Instant,
    ) -> Result<Written, RenderFailure> {
        let (order, notice) = (&ready.order, &ready.notice);
        let next = next_news(order, notice, &settings.policy, now);
        let templates = self.templates.get();
        let language = templates.language(notice.kind, order.customer.locale.as_deref(), &self.shop.locale);
        let mail = context(order, notice, &self.shop, &settings.policy, next, now, language);
        let rendered = templates.render(&mail)?;
        let real = notice.content.email.as_str();
        let (to, subject) = match &settings.mode {
            Mode::Redirect(address) => (address.as_str(), format!("[for {real}] {}", rendered.subject)),
            _ => (real, rendered.subject),
        };
        let domain = self.from.domain();
        let message_id = |id: &str| format!("{id}@{domain}");
        let references: Vec<String> = ready.earlier.iter().map(|id| message_id(id)).collect();
        let bytes = compose(&Letter {
            from: &self.from,
            reply_to: self.reply_to.as_ref(),
            to_address: to,
            to_name: ready.order.customer.name.as_deref(),
            subject: &subject,
            text: &rendered.text,
            html: rendered.html.as_deref(),
            date: now,
            message_id: &message_id(&ready.id),
            references: &references,
            notice: &ready.id,
            order: &ready.order.number,
            kind: ready.notice.kind.as_str(),
        })?;
        let (id, template_hash) = (ready.id.clone(), templates.hash().to_owned());
        let staged = Staged { id, subject, template_hash, body: store.pack(&bytes) };
        Ok(Written { bytes, staged })
    }
}

/// When the customer hears from us next if nothing changes: what the mail may promise.
pub fn next_news(order: &Order, notice: &Notice, policy: &Policy, now: Instant) -> Option<chrono::NaiveDate> {
    let mut order = order.clone();
    order.under_way = None;
    order.settle(notice, "", Outcome::Accepted, now, policy);
    if order.partial(policy) == Partial::ShipTogether {
        // Goods that come in before the others do so without a word, and then are not late.
        let last = order.waiting().filter_map(|line| line.told).max();
        let sooner = order.lines.iter_mut().filter(|line| line.waits() && line.told < last);
        sooner.for_each(|line| line.overdue_for = line.told);
    }
    let coming = forecast(&order, now, policy, now + HORIZON, 1);
    coming.first().map(|coming| day_of(coming.at, order.zone(policy)))
}

//! Which mail a command is about: a kind, on a sample or on a real order, in a language, at a moment.

use chrono::TimeDelta;
use serde::Serialize;

use super::super::Call;
use super::super::lookup::the_order;
use super::super::output::Stop;
use super::super::parsers::Until;
use super::kind;
use crate::clock::Clock;
use crate::config::Config;
use crate::dispatcher::next_news;
use crate::domain::calendar::Instant;
use crate::domain::customer::EmailAddress;
use crate::domain::notice::{Notice, NoticeKind};
use crate::domain::order::Order;
use crate::domain::policy::Policy;
use crate::domain::schedule::stated;
use crate::mail::{Letter, compose};
use crate::templates::samples::{self, Sample};
use crate::templates::{Rendered, TemplateSet, context, speaks};
use crate::text::closest;
use crate::wiring;

/// A mail, as it is asked for.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Which {
    /// The kind of notice, as date_slip.
    #[arg(value_parser = kind)]
    pub kind: NoticeKind,
    /// About a real order, as the database has it; nothing is changed.
    #[arg(long, value_name = "N")]
    order: Option<String>,
    /// About a sample; without a name the kind's first.
    #[arg(long, value_name = "NAME", conflicts_with = "order")]
    sample: Option<String>,
    /// In another language than the customer's, as de.
    #[arg(long, value_name = "LANG")]
    lang: Option<String>,
    /// As if it were then: 2026-03-02T08:14:00Z, or +3w from now (m, h, d, w).
    #[arg(long, value_name = "TIME", value_parser = moment)]
    at: Option<Moment>,
}

/// A moment, by itself or from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Moment {
    At(Instant),
    After(TimeDelta),
}

fn moment(text: &str) -> Result<Moment, String> {
    if let Some(span) = text.strip_prefix('+') {
        return match Until::read(span)? {
            Until::In(span) => Ok(Moment::After(span)),
            _ => Err("write a span behind the +, as in +3w".to_owned()),
        };
    }
    text.parse().map(Moment::At).map_err(|_| "write 2026-03-02T08:14:00Z, or +3w".to_owned())
}

/// What is rendered: an order, and a notice of the kind about it.
pub(super) struct Subject {
    /// `order 1042`, or the sample's name.
    pub about: String,
    order: Order,
    notice: Notice,
    next_news: Option<chrono::NaiveDate>,
    now: Instant,
    policy: Policy,
}

/// A rendered mail, for `--json`.
#[derive(Debug, Serialize)]
pub(super) struct Shown<'a> {
    pub subject: &'a str,
    pub text: &'a str,
    pub html: Option<&'a str>,
}

impl<'a> From<&'a Rendered> for Shown<'a> {
    fn from(mail: &'a Rendered) -> Self {
        Self { subject: &mail.subject, text: &mail.text, html: mail.html.as_deref() }
    }
}

impl Which {
    /// Finds the order or the sample, and the language in `set`.
    pub async fn find(&self, call: &Call, config: &Config, set: &TemplateSet) -> anyhow::Result<Subject> {
        let mut subject = match &self.order {
            Some(number) => self.real(call, config, number).await?,
            None => self.sample()?,
        };
        if let Some(language) = &self.lang {
            let known: Vec<String> = set.languages().map(|language| language.tag.clone()).collect();
            if !speaks(&known, language) {
                let said = format!("there are no templates in {language:?}, only in {}", known.join(", "));
                return Err(Stop::not_found(said));
            }
            subject.order.customer.locale = Some(language.clone());
        }
        Ok(subject)
    }

    fn now(&self, otherwise: Instant) -> Instant {
        match self.at {
            None => otherwise,
            Some(Moment::At(at)) => at,
            Some(Moment::After(span)) => otherwise + span,
        }
    }

    fn sample(&self) -> anyhow::Result<Subject> {
        let cases = samples::cases();
        let mut of_kind = cases.iter().filter(|case| case.notice.kind == self.kind);
        let case = match &self.sample {
            None => of_kind.next(),
            Some(name) => of_kind.find(|case| case.name == *name),
        };
        let case = case.ok_or_else(|| {
            let name = self.sample.as_deref().unwrap_or_default();
            let of_kind = cases.iter().filter(|case| case.notice.kind == self.kind);
            let near = closest(name, of_kind.map(|case| case.name.as_str())).unwrap_or_default();
            Stop::not_found(format!("there is no sample {name:?} of this kind; the nearest is {near:?}"))
        })?;
        let Sample { name, order, notice, next_news, now } = case.clone();
        let (now, policy) = (self.now(now), samples::policy());
        Ok(Subject { about: name, order, notice, next_news, now, policy })
    }

    async fn real(&self, call: &Call, config: &Config, number: &str) -> anyhow::Result<Subject> {
        let store = call.store(config).await?;
        let order = the_order(&store, number).await?;
        store.close().await;
        let (now, policy) = (self.now(Clock::System.now()), config.policy());
        // Nothing is sent to it; an order without an address can be looked at too.
        let email = match &order.customer.email {
            Some(email) => email.clone(),
            None => EmailAddress::parse("nobody@example.com").map_err(|fault| anyhow::anyhow!("{fault}"))?,
        };
        let notice = Notice {
            kind: self.kind,
            occasion: self.kind.to_string(),
            includes: Vec::new(),
            content: stated(&order, &email, now, &policy),
            planned_at: now,
            useful_until: now + TimeDelta::days(7),
            replaces_status: None,
        };
        let next_news = next_news(&order, &notice, &policy, now);
        Ok(Subject { about: format!("order {number}"), order, notice, next_news, now, policy })
    }
}

impl Subject {
    /// The mail by a set, in the language it has for this customer.
    pub fn render(&self, set: &TemplateSet, config: &Config) -> anyhow::Result<Rendered> {
        let Self { order, notice, policy, next_news, now, .. } = self;
        let shop = wiring::shop(config);
        let language = set.language(notice.kind, order.customer.locale.as_deref(), &shop.locale);
        Ok(set.render(&context(order, notice, &shop, policy, *next_news, *now, language))?)
    }

    /// The bytes of a rendered mail to `to`, dated `date`.
    pub fn compose(
        &self,
        mail: &Rendered,
        config: &Config,
        to: Option<&str>,
        date: Option<Instant>,
    ) -> anyhow::Result<Vec<u8>> {
        let (sender, reply_to) = wiring::addresses(config)?;
        let domain = sender.domain().to_owned();
        let date = date.unwrap_or(self.now);
        let name = self.order.customer.name.as_deref().filter(|_| to.is_none());
        Ok(compose(&Letter {
            from: &sender,
            reply_to: reply_to.as_ref(),
            to_address: to.unwrap_or(self.notice.content.email.as_str()),
            to_name: name,
            subject: &mail.subject,
            text: &mail.text,
            html: mail.html.as_deref(),
            date,
            message_id: &format!("test-{}@{domain}", date.timestamp_millis()),
            references: &[],
            notice: "test",
            order: &self.order.number,
            kind: self.notice.kind.as_str(),
        })?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_time_or_a_span_from_now() {
        assert_eq!(moment("+3w"), Ok(Moment::After(TimeDelta::weeks(3))));
        assert_eq!(moment("2026-03-02T08:14:00Z"), Ok(Moment::At("2026-03-02T08:14:00Z".parse().unwrap())));
        for wrong in ["3w", "+", "+3", "+2026-03-02", "tomorrow", "+-3w"] {
            assert!(moment(wrong).is_err(), "{wrong}");
        }
    }
}

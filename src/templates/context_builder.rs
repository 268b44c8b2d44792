//! Makes the context of a mail from an order and a notice: the one place that decides which date, which line and
//! which news a template sees.
//!
//! One pass over the notice's lines; what a list does not show is counted, not built.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};

use super::context::*;
use super::language::Language;
use super::links::{self, clean, clean_or, isolated, web_link};
use crate::domain::calendar::day_of;
use crate::domain::fact::{LineKind, LineUnits};
use crate::domain::notice::{EventKey, Notice, NoticeKind, StatedLine};
use crate::domain::order::{EventBody, Line, Order};
use crate::domain::policy::Policy;
use crate::domain::promise::Promises;
use crate::domain::supply::Cover;

/// What the templates may use to render `notice`.
///
/// Dates stated come from the notice's content, all else from the order. `next_news` is the day of the next regular
/// mail once this one is accepted.
pub fn context(
    order: &Order,
    notice: &Notice,
    shop: &Shop,
    policy: &Policy,
    next_news: Option<NaiveDate>,
    now: DateTime<Utc>,
    language: &Language,
) -> MailContext {
    ContextBuilder::new(order, notice, policy, now, language).build(shop, next_news)
}

struct ContextBuilder<'a> {
    order: &'a Order,
    notice: &'a Notice,
    policy: &'a Policy,
    today: NaiveDate,
    /// The customer's civil day.
    day_there: NaiveDate,
    language: &'a Language,
    promises: Promises<'a>,
    by_id: HashMap<&'a str, &'a Line>,
    stated: Vec<(&'a StatedLine, &'a Line)>,
}

impl<'a> ContextBuilder<'a> {
    fn new(
        order: &'a Order,
        notice: &'a Notice,
        policy: &'a Policy,
        now: DateTime<Utc>,
        language: &'a Language,
    ) -> Self {
        let by_id: HashMap<_, _> = order.lines.iter().map(|line| (line.key.as_str(), line)).collect();
        let known = |stated: &'a StatedLine| Some((stated, *by_id.get(stated.line.as_str())?));
        let stated = notice.content.lines.iter().filter_map(known).collect();
        let today = day_of(now, policy.zone);
        let day_there = day_of(now, order.zone(policy));
        let promises = order.promises(today, policy);
        Self { order, notice, policy, today, day_there, language, promises, by_id, stated }
    }

    fn build(&self, shop: &Shop, next_news: Option<NaiveDate>) -> MailContext {
        let (shipments, cancellations, refunds) = (self.shipments(), self.cancellations(), self.refunds());
        let waiting = self.waiting();
        let (item, others) = self.subject(&waiting, &shipments, &cancellations);
        let has_date = |(stated, _): &(&StatedLine, &Line)| stated.date.is_some();
        let mut dates: Vec<_> = self.stated.iter().map(|(stated, _)| stated.date).collect();
        dates.sort_unstable();
        dates.dedup();
        let all_dated = self.stated.iter().all(has_date);
        MailContext {
            kind: self.notice.kind.to_string(),
            includes: self.notice.includes.iter().map(ToString::to_string).collect(),
            today: self.today,
            language: LanguageVars {
                tag: self.language.tag.clone(),
                direction: self.language.direction.as_str().to_owned(),
            },
            shop: ShopVars {
                name: self.name(&shop.name, &self.language.words.shop),
                support_email: clean_or(&shop.support_email, ""),
            },
            customer: CustomerVars { name: self.text(self.order.customer.name.as_ref()) },
            order: self.order_vars(),
            item,
            others,
            promise: dates.last().copied().flatten().filter(|_| all_dated),
            same_date: all_dated && dates.len() == 1,
            undated: self.stated.iter().filter(|line| !has_date(line) && !line.0.in_house).count(),
            in_house: self.stated.iter().filter(|(stated, _)| stated.in_house).count(),
            missed: self.missed().filter_map(|(stated, line)| missed_date(stated, line)).max(),
            missed_lines: self.missed().count(),
            missed_item: self.missed().next().map(|(_, line)| self.title(line)),
            slip: self.moved(|stated, line| self.slipped(stated, line)),
            improvement: self.moved(|stated, line| self.improved(stated, line)),
            reasons: self.reasons(),
            waiting,
            in_stock: self.in_stock(),
            waited: self.waited(),
            shipments,
            cancellations,
            refunds,
            next_news: next_news.filter(|day| *day >= self.day_there),
            links: links::of(self.order, shop, self.language),
        }
    }

    /// What people wrote, fit to stand in a line of this language.
    fn text(&self, text: Option<&String>) -> Option<String> {
        clean(text?).map(|text| isolated(text, self.language.direction))
    }

    fn name(&self, text: &String, otherwise: &str) -> String {
        self.text(Some(text)).unwrap_or_else(|| otherwise.to_owned())
    }

    fn title(&self, line: &Line) -> String {
        self.name(&line.title, &self.language.words.item)
    }

    fn item(&self, line: &Line, quantity: u32) -> Item {
        Item { title: self.title(line), sku: clean_or(&line.sku, ""), quantity }
    }

    fn missed(&self) -> impl Iterator<Item = &(&'a StatedLine, &'a Line)> {
        self.stated.iter().filter(|(stated, _)| stated.missed)
    }

    fn order_vars(&self) -> OrderVars {
        let mut kinds: Vec<_> = self.stated.iter().map(|(_, line)| line.kind).collect();
        if kinds.is_empty() {
            kinds = self.order.lines.iter().map(|line| line.kind).collect();
        }
        let has = |kind| kinds.contains(&kind);
        let wait = match (has(LineKind::Backorder), has(LineKind::Preorder)) {
            (true, false) => "backorder",
            (false, true) => "preorder",
            _ => "order",
        };
        OrderVars {
            number: clean_or(&self.order.number, "?"),
            placed: day_of(self.order.placed_at, self.policy.zone),
            payment: self.order.payment.map(|payment| payment.to_string()),
            partial: self.order.partial(self.policy).to_string(),
            wait: wait.to_owned(),
            word: if wait == "preorder" { "preorder" } else { "order" }.to_owned(),
            open: self.order.lines.iter().any(|line| line.open() > 0),
        }
    }

    fn waiting(&self) -> Listed<WaitingLine> {
        let mut lines: Vec<_> = self.stated.iter().collect();
        if lines.len() > LINES_LISTED {
            let news = |(stated, line): &&(&StatedLine, &Line)| {
                stated.missed || self.slipped(stated, line) || self.improved(stated, line)
            };
            lines.sort_by_key(|line| !news(line));
        }
        Listed::up_to(LINES_LISTED, lines.into_iter(), |(stated, line)| self.waiting_line(stated, line))
    }

    fn waiting_line(&self, stated: &StatedLine, line: &Line) -> WaitingLine {
        let was = self.was(stated, line);
        let (supply, eta) = match &line.cover {
            Cover::Supply { eta, state, .. } if !stated.in_house => (Some(state.to_string()), *eta),
            _ => (None, None),
        };
        let expected_to = eta.map(|eta| eta.to).filter(|to| *to >= self.today);
        let place = line.place.filter(|place| place.of > 1 && !stated.in_house);
        WaitingLine {
            title: self.title(line),
            sku: clean_or(&line.sku, ""),
            quantity: stated.units,
            preorder: line.kind == LineKind::Preorder,
            date: stated.date,
            was,
            was_passed: was.is_some_and(|was| was < self.today),
            in_house: stated.in_house,
            missed: stated.missed,
            missed_date: missed_date(stated, line),
            supply,
            expected_from: eta
                .map(|eta| eta.from)
                .filter(|from| Some(*from) < expected_to && *from >= self.today),
            expected_to,
            place: place.map(|place| PlaceVars { at: place.at, of: place.of }),
        }
    }

    /// What the customer was told before, where this notice states something else. Goods that are ready do not move when
    /// the others do.
    fn was(&self, stated: &StatedLine, line: &Line) -> Option<NaiveDate> {
        line.told.filter(|told| Some(*told) != stated.date && !self.promises.waits_for_others(line))
    }

    /// Later than told, or withdrawn; of a told date that has passed the customer must not know yet.
    fn slipped(&self, stated: &StatedLine, line: &Line) -> bool {
        match (self.was(stated, line), stated.date) {
            (Some(was), Some(date)) => date > was,
            (Some(was), None) if was >= self.today => !stated.in_house,
            (Some(was), None) => {
                self.is_about(NoticeKind::DateSlip) && line.is_withdrawn() && line.overdue_for != Some(was)
            }
            (None, _) => false,
        }
    }

    /// Earlier than told, or the first date where the notice is about that.
    fn improved(&self, stated: &StatedLine, line: &Line) -> bool {
        match (line.told, stated.date) {
            _ if self.promises.waits_for_others(line) => false,
            (Some(told), Some(date)) => date < told,
            (None, Some(_)) => self.is_about(NoticeKind::DateImproved),
            _ => false,
        }
    }

    fn is_about(&self, kind: NoticeKind) -> bool {
        self.notice.is_about(kind)
    }

    fn moved(&self, which: impl Fn(&StatedLine, &Line) -> bool) -> Move {
        let mut moved = Move::default();
        for (stated, line) in &self.stated {
            if !which(stated, line) {
                continue;
            }
            if moved.lines == 0 {
                (moved.from, moved.to) = (line.told, stated.date);
                moved.item = Some(self.title(line));
            }
            moved.lines += 1;
            moved.withdrawn += usize::from(stated.date.is_none());
            moved.from = moved.from.filter(|from| Some(*from) == line.told);
            moved.to = moved.to.filter(|to| Some(*to) == stated.date);
        }
        moved
    }

    fn reasons(&self) -> Vec<Reason> {
        type Words = (Option<String>, Option<String>, Option<String>);
        let mut groups: Vec<(Words, Vec<&Line>)> = Vec::new();
        for (_, line) in self.stated.iter().filter(|(stated, line)| self.slipped(stated, line)) {
            let said = &line.reason;
            let text = |text: &Option<String>| self.text(text.as_ref());
            let words = (text(&said.reason), text(&said.alternative), text(&said.goodwill));
            if words == (None, None, None) {
                continue;
            }
            if let Some((_, lines)) = groups.iter_mut().find(|(known, _)| *known == words) {
                lines.push(line);
            } else if groups.len() < LISTED {
                groups.push((words, vec![line]));
            }
        }
        let reason = |((reason, alternative, goodwill), lines): (Words, Vec<&Line>)| {
            let titles = Listed::of(lines.iter(), |line| self.title(line));
            Reason { reason, alternative, goodwill, titles }
        };
        groups.into_iter().map(reason).collect()
    }

    fn in_stock(&self) -> Listed<Item> {
        let owed = |line: &&Line| line.kind == LineKind::InStock && line.open() > 0;
        let lines: Vec<_> = self.order.lines.iter().filter(owed).collect();
        Listed::up_to(LINES_LISTED, lines.into_iter(), |line| self.item(line, line.open()))
    }

    /// The news this notice tells, of one kind.
    fn events(&self, kind: NoticeKind) -> Vec<&'a EventBody> {
        let tells = |key: &EventKey| self.notice.content.events.contains(key);
        let events = self.order.events.iter().filter(|event| event.kind() == kind && tells(&event.key()));
        events.map(|event| &event.body).collect()
    }

    fn items(&self, units: &[LineUnits], all: impl Fn(&Line) -> u32) -> Listed<Item> {
        let known = |some: &LineUnits| {
            let line = *self.by_id.get(some.id.as_str())?;
            Some((line, some.quantity.unwrap_or_else(|| all(line))))
        };
        let lines: Vec<_> = units.iter().filter_map(known).collect();
        Listed::up_to(LINES_LISTED, lines.into_iter(), |(line, quantity)| self.item(line, quantity))
    }

    fn shipments(&self) -> Listed<Shipment> {
        let text = |text: &Option<String>| self.text(text.as_ref());
        let shipment = |body: &EventBody| match body {
            EventBody::Shipped { lines, carrier, tracking, url } => Some(Shipment {
                carrier: text(carrier),
                tracking: text(tracking),
                url: url.as_deref().and_then(web_link),
                lines: self.items(lines, |line| line.shipped),
            }),
            _ => None,
        };
        self.told_of(NoticeKind::Shipped, shipment)
    }

    fn cancellations(&self) -> Listed<Cancellation> {
        let cancellation = |body: &EventBody| match body {
            EventBody::Cancelled { lines, by, reason } => Some(Cancellation {
                by: by.to_string(),
                reason: self.text(reason.as_ref()),
                lines: self.items(lines, |line| line.cancelled),
            }),
            _ => None,
        };
        self.told_of(NoticeKind::Cancelled, cancellation)
    }

    fn refunds(&self) -> Listed<Refund> {
        let refund = |body: &EventBody| match body {
            EventBody::Refunded { amount, reference } => {
                Some(Refund { amount: clean_or(amount, ""), reference: reference.as_deref().and_then(clean) })
            }
            _ => None,
        };
        self.told_of(NoticeKind::Refunded, refund)
    }

    fn told_of<T>(&self, kind: NoticeKind, make: impl Fn(&EventBody) -> Option<T>) -> Listed<T> {
        let all: Vec<_> = self.events(kind).into_iter().filter_map(make).collect();
        Listed::of(all.into_iter(), |made| made)
    }

    /// Whether goods that the customer had waited for are among the shipments told of.
    fn waited(&self) -> bool {
        let waited = |some: &LineUnits| {
            self.by_id.get(some.id.as_str()).is_some_and(|line| line.kind != LineKind::InStock)
        };
        let any =
            |body: &&EventBody| matches!(body, EventBody::Shipped { lines, .. } if lines.iter().any(waited));
        self.events(NoticeKind::Shipped).iter().any(any)
    }

    /// The first item the mail is about and how many there are besides: what was called off or shipped, else what waits.
    fn subject(
        &self,
        waiting: &Listed<WaitingLine>,
        shipments: &Listed<Shipment>,
        cancellations: &Listed<Cancellation>,
    ) -> (Option<String>, usize) {
        let told = match self.notice.kind {
            NoticeKind::Cancelled => cancellations.items.first().map(|event| &event.lines),
            NoticeKind::Shipped => shipments.items.first().map(|event| &event.lines),
            _ => None,
        };
        let (title, count) = match told {
            Some(lines) => (lines.items.first().map(|item| &item.title), lines.count),
            None => (waiting.items.first().map(|line| &line.title), waiting.count),
        };
        (title.cloned(), count.saturating_sub(1))
    }
}

fn missed_date(stated: &StatedLine, line: &Line) -> Option<NaiveDate> {
    line.told.or(stated.told).filter(|_| stated.missed)
}

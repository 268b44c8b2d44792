//! Rows as they lie in the tables, and the domain's values they stand for.
//!
//! A row is read as one JSON array: its columns stand in the order of the fields. Names would cost more than the values.

use chrono::{DateTime, NaiveDate, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::domain::calendar::date_of;
use crate::domain::customer::{Correction, Customer, EmailAddress};
use crate::domain::fact::{LineKind, Partial, Payment};
use crate::domain::notice::{Content, KindRules, Notice, NoticeKind, NoticeState, Topic, UnderWay};
use crate::domain::order::{BlastHold, ContactState, Debounce, Line, Order, OrderEvent};
use crate::domain::supply::Cover;
use crate::store::outbox::suppressions::SuppressionRow;
use crate::store::{Result, StoreError, instant, millis};

/// A row of `orders`.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::store) struct OrderRow {
    pub number: String,
    pub at: i64,
    pub placed_at: i64,
    pub recorded_at: i64,
    pub silent_before: Option<i64>,
    pub email: Option<String>,
    pub name: Option<String>,
    pub locale: Option<String>,
    pub timezone: Option<String>,
    pub country: Option<String>,
    pub channel: Option<String>,
    pub payment: Option<String>,
    pub authorized_at: Option<i64>,
    pub currency: Option<String>,
    pub partial: Option<String>,
    pub replaced_email: Option<String>,
    #[serde(skip_serializing)]
    pub hold_batch: Option<i64>,
    #[serde(skip_serializing)]
    pub hold_kind: Option<String>,
    #[serde(skip_serializing)]
    pub revision: i64,
    /// Follows from the lines; written, never read.
    #[serde(skip_deserializing)]
    pub status: &'static str,
    pub contact: ContactRow,
    /// What hangs on the order; an order that is written brings it along by itself.
    #[serde(skip_serializing, default)]
    pub lines: Vec<LineRow>,
    #[serde(skip_serializing, default)]
    pub events: Vec<EventRow>,
    #[serde(skip_serializing, default)]
    pub under_way: Option<NoticeRow>,
    #[serde(skip_serializing, default)]
    pub superseded: Vec<String>,
    #[serde(skip_serializing, default)]
    pub suppressed: Option<SuppressionRow>,
}

/// What an order remembers of its notices.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::store) struct ContactRow {
    pub heard_at: Option<i64>,
    pub written_to: Option<String>,
    #[serde(deserialize_with = "bit")]
    pub confirmed: bool,
    #[serde(deserialize_with = "bit")]
    pub updated: bool,
    pub status_tried_on: Option<String>,
    pub status_failures: u32,
    pub changes: u32,
    pub restocks: u32,
    pub settling_first: Option<i64>,
    pub settling_last: Option<i64>,
}

/// A row of `lines`.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::store) struct LineRow {
    pub order_number: String,
    pub id: String,
    pub position: i64,
    pub sku: String,
    pub placed_at: i64,
    pub title: String,
    pub quantity: u32,
    pub cancelled: u32,
    pub shipped: u32,
    pub open_units: u32,
    pub unit_price: Option<String>,
    pub kind: String,
    pub promised: Option<String>,
    pub cover: String,
    #[serde(deserialize_with = "bit")]
    pub ever_covered: bool,
    pub reason: String,
    pub told: Option<String>,
    pub tried: Option<String>,
    pub overdue_for: Option<String>,
    #[serde(deserialize_with = "bit")]
    pub announced: bool,
}

/// The columns of `orders` that make an [`OrderRow`].
pub(in crate::store) const ORDER_COLUMNS: &str =
    "number, at, placed_at, recorded_at, silent_before, email, name, locale,
    timezone, country, channel, payment, authorized_at, currency, partial, replaced_email, hold_batch, hold_kind, revision";

/// The columns of `orders` that make a [`ContactRow`].
pub(in crate::store) const HEARD_COLUMNS: &str =
    "heard_at, written_to, confirmed, updated, status_tried_on, status_failures, changes,
    restocks, settling_first, settling_last";

/// The columns of `lines`.
pub(in crate::store) const LINE_COLUMNS: &str = "order_number, id, position, sku, placed_at, title, quantity, cancelled,
    shipped, open_units, unit_price, kind, promised, cover, ever_covered, reason, told, tried, overdue_for, announced";

/// The columns of `news` that make a [`EventRow`].
pub(in crate::store) const NEWS_COLUMNS: &str = "order_number, kind, id, at, recorded_at, body";

/// SQLite's booleans are 0 and 1.
pub(in crate::store) fn bit<'de, D: serde::Deserializer<'de>>(from: D) -> Result<bool, D::Error> {
    Ok(u8::deserialize(from)? != 0)
}

pub(in crate::store) fn date(text: Option<&str>) -> Result<Option<NaiveDate>> {
    text.map(|text| date_of(text).ok_or_else(|| unknown("a date", text))).transpose()
}

pub(in crate::store) fn email(text: String) -> Result<EmailAddress> {
    EmailAddress::parse(&text).map_err(|_| unknown("an address", "…"))
}

pub(in crate::store) fn word<T>(
    what: &'static str,
    text: &str,
    read: impl Fn(&str) -> Option<T>,
) -> Result<T> {
    read(text).ok_or_else(|| unknown(what, text))
}

pub(in crate::store) fn json<T: DeserializeOwned>(what: &'static str, text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|_| unknown(what, text))
}

/// The cover of a line that nothing covers.
const NO_COVER: &str = r#"{"from":"nothing"}"#;

/// The same for a value that mostly has its default, whose text is then not read at all.
fn json_or_default<T: DeserializeOwned + Default>(
    what: &'static str,
    text: &str,
    default: &str,
) -> Result<T> {
    if text == default { Ok(T::default()) } else { json(what, text) }
}

/// The cover that was read last: neighbours in a queue mostly share it, and it takes as long to read as all else of a line.
#[derive(Default)]
pub(in crate::store) struct LastCover(String, Cover);

impl LastCover {
    fn read(&mut self, text: &str) -> Result<Cover> {
        if text != self.0 {
            *self = Self(text.to_owned(), json_or_default("a cover", text, NO_COVER)?);
        }
        Ok(self.1.clone())
    }
}

/// Any of our own values as JSON; they all can be written.
pub(in crate::store) fn to_json<T: Serialize + ?Sized>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// The same of rows; None where there are none.
pub(in crate::store) fn some_json<T: Serialize>(rows: &[T]) -> Option<String> {
    (!rows.is_empty()).then(|| to_json(rows))
}

pub(in crate::store) fn unknown(what: &'static str, value: &str) -> StoreError {
    StoreError::Value { what, value: value.chars().take(40).collect() }
}

fn text_of<T: std::fmt::Display>(value: Option<T>) -> Option<String> {
    value.map(|value| value.to_string())
}

impl ContactRow {
    pub fn from_heard(contact: &ContactState) -> Self {
        Self {
            heard_at: contact.last_at.map(millis),
            written_to: contact.written_to.as_ref().map(|email| email.as_str().to_owned()),
            confirmed: contact.confirmed,
            updated: contact.updated,
            status_tried_on: text_of(contact.status_tried_on),
            status_failures: contact.status_failures,
            changes: contact.changes,
            restocks: contact.restocks,
            settling_first: contact.debounce.map(|s| millis(s.first)),
            settling_last: contact.debounce.map(|s| millis(s.last)),
        }
    }

    fn into_heard(self) -> Result<ContactState> {
        let debounce = self.settling_first.zip(self.settling_last);
        Ok(ContactState {
            last_at: self.heard_at.map(instant),
            written_to: self.written_to.map(email).transpose()?,
            confirmed: self.confirmed,
            updated: self.updated,
            status_tried_on: date(self.status_tried_on.as_deref())?,
            status_failures: self.status_failures,
            changes: self.changes,
            restocks: self.restocks,
            debounce: debounce.map(|(first, last)| Debounce { first: instant(first), last: instant(last) }),
        })
    }
}

impl OrderRow {
    pub fn from_order(order: &Order) -> Self {
        let customer = &order.customer;
        Self {
            number: order.number.clone(),
            at: millis(order.at),
            placed_at: millis(order.placed_at),
            recorded_at: millis(order.recorded_at),
            silent_before: order.silent_before.map(millis),
            email: customer.email.as_ref().map(|email| email.as_str().to_owned()),
            name: customer.name.clone(),
            locale: customer.locale.clone(),
            timezone: customer.timezone.map(|zone| zone.name().to_owned()),
            country: customer.country.clone(),
            channel: order.channel.clone(),
            payment: text_of(order.payment),
            authorized_at: order.authorized_at.map(millis),
            currency: order.currency.clone(),
            partial: text_of(order.partial),
            replaced_email: order.correction.as_ref().map(|correction| {
                correction.replaced.as_ref().map_or_else(String::new, |email| email.as_str().to_owned())
            }),
            hold_batch: None,
            hold_kind: None,
            revision: 0,
            status: order.status().as_str(),
            contact: ContactRow::from_heard(&order.contact),
            lines: Vec::new(),
            events: Vec::new(),
            under_way: None,
            superseded: Vec::new(),
            suppressed: None,
        }
    }

    pub fn into_order(mut self, cover: &mut LastCover) -> Result<Order> {
        let zone = |name: String| name.parse().map_err(|_| unknown("a time zone", &name));
        self.lines.sort_unstable_by_key(|line| line.position);
        self.events.sort_unstable_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
        Ok(Order {
            at: instant(self.at),
            placed_at: instant(self.placed_at),
            recorded_at: instant(self.recorded_at),
            silent_before: self.silent_before.map(instant),
            customer: Customer {
                email: self.email.map(email).transpose()?,
                name: self.name,
                locale: self.locale,
                timezone: self.timezone.map(zone).transpose()?,
                country: self.country,
            },
            correction: self
                .replaced_email
                .map(|text| {
                    let replaced = Some(text).filter(|text| !text.is_empty()).map(email).transpose()?;
                    Ok::<_, StoreError>(Correction { replaced })
                })
                .transpose()?,
            channel: self.channel,
            payment: self.payment.map(|w| word("payment", &w, Payment::from_word)).transpose()?,
            authorized_at: self.authorized_at.map(instant),
            currency: self.currency,
            partial: self.partial.map(|w| word("partial", &w, Partial::from_word)).transpose()?,
            lines: self.lines.into_iter().map(|line| line.into_line(cover)).collect::<Result<_>>()?,
            contact: self.contact.into_heard()?,
            events: self.events.into_iter().map(EventRow::into_event).collect::<Result<_>>()?,
            under_way: self.under_way.map(NoticeRow::into_under_way).transpose()?,
            blast_hold: self
                .hold_batch
                .map(|batch| {
                    let kind = self.hold_kind.as_deref();
                    let kind = kind.map(|kind| word("the kind of a notice", kind, NoticeKind::from_word));
                    Ok::<_, StoreError>(BlastHold { batch, kind: kind.transpose()? })
                })
                .transpose()?,
            superseded: self.superseded,
            suppressed: self.suppressed.map(SuppressionRow::into_suppression).transpose()?,
            number: self.number,
        })
    }
}

impl LineRow {
    pub fn from_line(order: &Order, position: usize, line: &Line) -> Self {
        Self {
            order_number: order.number.clone(),
            id: line.id.clone(),
            position: i64::try_from(position).unwrap_or(i64::MAX),
            sku: line.sku.clone(),
            placed_at: millis(order.placed_at),
            title: line.title.clone(),
            quantity: line.quantity,
            cancelled: line.cancelled,
            shipped: line.shipped,
            open_units: line.open(),
            unit_price: line.unit_price.clone(),
            kind: line.kind.to_string(),
            promised: text_of(line.promised),
            cover: to_json(&line.cover),
            ever_covered: line.ever_covered,
            reason: to_json(&line.reason),
            told: text_of(line.told),
            tried: line.tried.as_ref().map(to_json),
            overdue_for: text_of(line.overdue_for),
            announced: line.announced,
        }
    }

    fn into_line(self, cover: &mut LastCover) -> Result<Line> {
        Ok(Line {
            kind: word("the kind of a line", &self.kind, LineKind::from_word)?,
            promised: date(self.promised.as_deref())?,
            cover: cover.read(&self.cover)?,
            ever_covered: self.ever_covered,
            reason: json_or_default("a reason", &self.reason, "{}")?,
            place: None,
            told: date(self.told.as_deref())?,
            tried: self.tried.map(|text| json("what was tried", &text)).transpose()?,
            overdue_for: date(self.overdue_for.as_deref())?,
            announced: self.announced,
            id: self.id,
            sku: self.sku,
            title: self.title,
            quantity: self.quantity,
            cancelled: self.cancelled,
            shipped: self.shipped,
            unit_price: self.unit_price,
        })
    }
}

/// A row of `news`.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::store) struct EventRow {
    pub order_number: String,
    pub kind: String,
    pub id: String,
    pub at: i64,
    pub recorded_at: i64,
    pub body: String,
}

impl EventRow {
    pub fn from_event(order: &str, event: &OrderEvent) -> Self {
        Self {
            order_number: order.to_owned(),
            kind: event.kind().to_string(),
            id: event.id.clone(),
            at: millis(event.at),
            recorded_at: millis(event.recorded_at),
            body: to_json(&event.body),
        }
    }

    pub fn into_event(self) -> Result<OrderEvent> {
        let body = json("news", &self.body)?;
        Ok(OrderEvent { id: self.id, at: instant(self.at), recorded_at: instant(self.recorded_at), body })
    }
}

/// The columns of `notices` that make a [`Notice`].
#[derive(Debug, sqlx::FromRow, Deserialize)]
pub(in crate::store) struct NoticeRow {
    pub id: String,
    pub order_number: String,
    pub kind: String,
    pub occasion: String,
    pub state: String,
    pub email: String,
    pub includes: String,
    pub lines: String,
    pub news: String,
    pub planned_at: i64,
    pub useful_until: i64,
    pub replaces_status: Option<String>,
    pub urgency: i64,
    #[serde(deserialize_with = "bit")]
    pub doubtful: bool,
    #[serde(skip)]
    #[sqlx(skip)]
    pub rules: RuleColumns,
}

/// What statements must know about the kind of a notice: written when it is inserted, and asked by statements alone.
#[derive(Debug, Default, Serialize)]
pub(in crate::store) struct RuleColumns {
    pub must_be_known: bool,
    pub tells_event: bool,
    pub is_first: bool,
    pub may_repeat: bool,
    pub loses_use: bool,
    pub is_renewable: bool,
}

impl From<KindRules> for RuleColumns {
    fn from(rules: KindRules) -> Self {
        Self {
            must_be_known: rules.must_be_known,
            tells_event: rules.topic == Topic::Event,
            is_first: rules.topic == Topic::Order,
            may_repeat: rules.may_repeat,
            loses_use: rules.loses_use,
            is_renewable: rules.is_renewable,
        }
    }
}

pub(in crate::store) const NOTICE_COLUMNS: &str =
    "id, order_number, kind, occasion, state, email, includes, lines, news,
    planned_at, useful_until, replaces_status, urgency, doubtful";

impl NoticeRow {
    pub fn from_notice(id: String, order: &str, notice: &Notice) -> Self {
        Self {
            id,
            order_number: order.to_owned(),
            kind: notice.kind.to_string(),
            occasion: notice.occasion.clone(),
            state: NoticeState::Queued.to_string(),
            email: notice.content.email.as_str().to_owned(),
            includes: to_json(&notice.includes),
            lines: to_json(&notice.content.lines),
            news: to_json(&notice.content.events),
            planned_at: millis(notice.planned_at),
            useful_until: millis(notice.useful_until),
            replaces_status: text_of(notice.replaces_status),
            urgency: if notice.kind.rules().keeps_window { 2 } else { 1 },
            doubtful: false,
            rules: notice.kind.rules().into(),
        }
    }

    pub fn into_under_way(self) -> Result<UnderWay> {
        Ok(UnderWay {
            doubtful: self.doubtful,
            state: word("the state of a notice", &self.state, NoticeState::from_word)?,
            notice: Notice {
                kind: word("the kind of a notice", &self.kind, NoticeKind::from_word)?,
                includes: json("kinds", &self.includes)?,
                content: Content {
                    email: email(self.email)?,
                    lines: json("lines", &self.lines)?,
                    events: json("news", &self.news)?,
                },
                planned_at: instant(self.planned_at),
                useful_until: instant(self.useful_until),
                replaces_status: date(self.replaces_status.as_deref())?,
                occasion: self.occasion,
            },
            id: self.id,
        })
    }
}

/// What an instant is in the database.
pub(in crate::store) fn stamp(at: Option<DateTime<Utc>>) -> Option<i64> {
    at.map(millis)
}

//! Rows as they lie in the tables, and the domain's values they stand for.
//!
//! The columns of `orders`, `lines` and `news` are named here and nowhere else. They stand in groups that are written
//! together: an outcome writes what is remembered, and leaves what the shop states alone.

use chrono::{DateTime, NaiveDate, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::domain::bounce::EarlierNotice;
use crate::domain::calendar::date_of;
use crate::domain::customer::{Correction, Customer, EmailAddress};
use crate::domain::fact::{LineKind, Partial, Payment};
use crate::domain::notice::{Content, KindRules, Notice, NoticeKind, NoticeState, Topic, UnderWay};
use crate::domain::order::{BlastHold, ContactState, Debounce, Line, Order, OrderEvent};
use crate::domain::supply::Cover;
use crate::domain::suppression::{Cause, Suppression};
use crate::store::sqlite::dialect::{bit, columns};
use crate::store::{Result, StoreError, instant, millis};

/// An order with all that hangs on it, as [`load`](super::load) reads it.
#[derive(Debug, Deserialize)]
pub(in crate::store) struct OrderRow {
    pub number: String,
    pub revision: i64,
    terms: TermsRow,
    contact: ContactRow,
    lines: Vec<LineRow>,
    #[serde(default)]
    news: Vec<EventRow>,
    #[serde(default)]
    under_way: Option<NoticeRow>,
    #[serde(default)]
    superseded: Vec<String>,
    #[serde(default)]
    suppressed: Option<SuppressionRow>,
}

columns! {
    /// What the shop states of an order, and where it stands: written with a fact.
    TermsRow {
        at: i64,
        placed_at: i64,
        recorded_at: i64,
        silent_before: Option<i64>,
        email: Option<String>,
        name: Option<String>,
        locale: Option<String>,
        timezone: Option<String>,
        country: Option<String>,
        channel: Option<String>,
        payment: Option<String>,
        authorized_at: Option<i64>,
        currency: Option<String>,
        partial: Option<String>,
        replaced_email: Option<String>,
        /// Follows from the lines; written, never asked.
        status: String,
    }
}

columns! {
    /// What an order remembers of its notices: written with each outcome.
    ContactRow {
        heard_at: Option<i64>,
        written_to: Option<String>,
        #[serde(deserialize_with = "bit")]
        confirmed: bool,
        #[serde(deserialize_with = "bit")]
        updated: bool,
        status_tried_on: Option<String>,
        status_failures: u32,
        changes: u32,
        restocks: u32,
        settling_first: Option<i64>,
        settling_last: Option<i64>,
        hold_batch: Option<i64>,
        hold_kind: Option<String>,
    }
}

/// A line of an order.
#[derive(Debug, Deserialize)]
pub(in crate::store) struct LineRow {
    key: String,
    goods: GoodsRow,
    word: WordRow,
}

columns! {
    /// What a line is of, and how much of it is open: written with a fact.
    GoodsRow {
        id: String,
        position: i64,
        sku: String,
        placed_at: i64,
        title: String,
        quantity: u32,
        cancelled: u32,
        shipped: u32,
        open_units: u32,
        unit_price: Option<String>,
        kind: String,
        promised: Option<String>,
    }
}

columns! {
    /// What a line is served from and what its customer was told of it: written with each outcome.
    WordRow {
        cover: String,
        #[serde(deserialize_with = "bit")]
        ever_covered: bool,
        reason: String,
        told: Option<String>,
        tried: Option<String>,
        overdue_for: Option<String>,
        #[serde(deserialize_with = "bit")]
        announced: bool,
    }
}

columns! {
    /// Something that happened to an order.
    EventRow {
        kind: String,
        id: String,
        at: i64,
        recorded_at: i64,
        body: String,
    }
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
    pub fn of(order: &Order) -> Self {
        let contact = &order.contact;
        Self {
            heard_at: contact.last_at.map(millis),
            written_to: contact.written_to.as_ref().map(|email| email.as_str().to_owned()),
            confirmed: contact.confirmed,
            updated: contact.updated,
            status_tried_on: text_of(contact.status_tried_on),
            status_failures: contact.status_failures,
            changes: contact.changes,
            restocks: contact.restocks,
            settling_first: contact.debounce.map(|debounce| millis(debounce.first)),
            settling_last: contact.debounce.map(|debounce| millis(debounce.last)),
            hold_batch: order.blast_hold.map(|hold| hold.batch),
            hold_kind: order.blast_hold.and_then(|hold| hold.kind).map(|kind| kind.to_string()),
        }
    }

    fn blast_hold(&self) -> Result<Option<BlastHold>> {
        let Some(batch) = self.hold_batch else { return Ok(None) };
        let kind = self.hold_kind.as_deref();
        let kind = kind.map(|kind| word("the kind of a notice", kind, NoticeKind::from_word)).transpose()?;
        Ok(Some(BlastHold { batch, kind }))
    }

    fn into_contact(self) -> Result<ContactState> {
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

impl TermsRow {
    pub fn of(order: &Order) -> Self {
        let customer = &order.customer;
        Self {
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
            status: order.status().to_string(),
        }
    }
}

impl OrderRow {
    pub fn into_order(mut self, cover: &mut LastCover) -> Result<Order> {
        let zone = |name: String| name.parse().map_err(|_| unknown("a time zone", &name));
        self.lines.sort_unstable_by_key(|line| line.goods.position);
        self.news.sort_unstable_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
        let terms = self.terms;
        Ok(Order {
            at: instant(terms.at),
            placed_at: instant(terms.placed_at),
            recorded_at: instant(terms.recorded_at),
            silent_before: terms.silent_before.map(instant),
            customer: Customer {
                email: terms.email.map(email).transpose()?,
                name: terms.name,
                locale: terms.locale,
                timezone: terms.timezone.map(zone).transpose()?,
                country: terms.country,
            },
            correction: terms.replaced_email.map(correction).transpose()?,
            channel: terms.channel,
            payment: terms.payment.map(|w| word("payment", &w, Payment::from_word)).transpose()?,
            authorized_at: terms.authorized_at.map(instant),
            currency: terms.currency,
            partial: terms.partial.map(|w| word("partial", &w, Partial::from_word)).transpose()?,
            lines: self.lines.into_iter().map(|line| line.into_line(cover)).collect::<Result<_>>()?,
            blast_hold: self.contact.blast_hold()?,
            contact: self.contact.into_contact()?,
            events: self.news.into_iter().map(EventRow::into_event).collect::<Result<_>>()?,
            under_way: self.under_way.map(NoticeRow::into_under_way).transpose()?,
            superseded: self.superseded,
            suppressed: self.suppressed.map(SuppressionRow::into_suppression).transpose()?,
            number: self.number,
        })
    }
}

/// A correction by a person; empty where there was no address before.
fn correction(replaced: String) -> Result<Correction> {
    let replaced = Some(replaced).filter(|text| !text.is_empty()).map(email).transpose()?;
    Ok(Correction { replaced })
}

impl GoodsRow {
    pub fn of(order: &Order, position: usize, line: &Line) -> Self {
        Self {
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
        }
    }
}

impl WordRow {
    pub fn of(line: &Line) -> Self {
        Self {
            cover: to_json(&line.cover),
            ever_covered: line.ever_covered,
            reason: to_json(&line.reason),
            told: text_of(line.told),
            tried: line.tried.as_ref().map(to_json),
            overdue_for: text_of(line.overdue_for),
            announced: line.announced,
        }
    }
}

impl LineRow {
    fn into_line(self, cover: &mut LastCover) -> Result<Line> {
        let Self { key, goods, word: said } = self;
        Ok(Line {
            kind: word("the kind of a line", &goods.kind, LineKind::from_word)?,
            promised: date(goods.promised.as_deref())?,
            cover: cover.read(&said.cover)?,
            ever_covered: said.ever_covered,
            reason: json_or_default("a reason", &said.reason, "{}")?,
            place: None,
            told: date(said.told.as_deref())?,
            tried: said.tried.map(|text| json("what was tried", &text)).transpose()?,
            overdue_for: date(said.overdue_for.as_deref())?,
            announced: said.announced,
            key,
            id: goods.id,
            sku: goods.sku,
            title: goods.title,
            quantity: goods.quantity,
            cancelled: goods.cancelled,
            shipped: goods.shipped,
            unit_price: goods.unit_price,
        })
    }
}

impl EventRow {
    pub fn of(event: &OrderEvent) -> Self {
        Self {
            kind: event.kind().to_string(),
            id: event.id.clone(),
            at: millis(event.at),
            recorded_at: millis(event.recorded_at),
            body: to_json(&event.body),
        }
    }

    fn into_event(self) -> Result<OrderEvent> {
        let body = json("an event", &self.body)?;
        Ok(OrderEvent { id: self.id, at: instant(self.at), recorded_at: instant(self.recorded_at), body })
    }
}

columns! {
    /// A notice, as far as the domain knows of it.
    #[derive(sqlx::FromRow)]
    NoticeRow {
        id: String,
        order_number: String,
        kind: String,
        occasion: String,
        state: String,
        email: String,
        includes: String,
        lines: String,
        news: String,
        planned_at: i64,
        useful_until: i64,
        replaces_status: Option<String>,
        #[serde(deserialize_with = "bit")]
        doubtful: bool,
    }
}

columns! {
    /// What statements must know about the kind of a notice: written when it is inserted, and asked by statements alone.
    KindRow {
        /// What goes at once is claimed before what keeps to the send window.
        urgency: i64,
        must_be_known: bool,
        tells_event: bool,
        is_first: bool,
        may_repeat: bool,
        loses_use: bool,
        is_renewable: bool,
    }
}

impl From<KindRules> for KindRow {
    fn from(rules: KindRules) -> Self {
        Self {
            urgency: if rules.keeps_window { 2 } else { 1 },
            must_be_known: rules.must_be_known,
            tells_event: rules.topic == Topic::Event,
            is_first: rules.topic == Topic::Order,
            may_repeat: rules.may_repeat,
            loses_use: rules.loses_use,
            is_renewable: rules.is_renewable,
        }
    }
}

impl NoticeRow {
    /// Its columns, to be read with others.
    pub fn columns() -> String {
        Self::COLUMNS.join(", ")
    }

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
            doubtful: false,
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

columns! {
    /// A notice that was settled, as far as later ones must know of it.
    #[derive(sqlx::FromRow)]
    EarlierRow {
        order_number: String,
        kind: String,
        state: String,
        settled_at: i64,
        email: String,
        lines: String,
    }
}

impl EarlierRow {
    pub fn into_earlier(self) -> Result<EarlierNotice> {
        Ok(EarlierNotice {
            kind: word("the kind of a notice", &self.kind, NoticeKind::from_word)?,
            state: word("the state of a notice", &self.state, NoticeState::from_word)?,
            at: instant(self.settled_at),
            email: email(self.email)?,
            lines: json("lines", &self.lines)?,
        })
    }
}

columns! {
    /// An address that gets no mail.
    #[derive(sqlx::FromRow)]
    SuppressionRow {
        address: String,
        cause: String,
        reason: String,
        since: i64,
        notice_id: Option<String>,
    }
}

impl SuppressionRow {
    pub fn of(suppression: &Suppression) -> Self {
        Self {
            address: suppression.address.as_str().to_owned(),
            cause: suppression.cause.to_string(),
            reason: suppression.reason.clone(),
            since: millis(suppression.since),
            notice_id: suppression.notice.clone(),
        }
    }

    pub fn into_suppression(self) -> Result<Suppression> {
        Ok(Suppression {
            address: email(self.address)?,
            cause: word("the cause of a suppression", &self.cause, Cause::from_word)?,
            reason: self.reason,
            since: instant(self.since),
            notice: self.notice_id,
        })
    }
}

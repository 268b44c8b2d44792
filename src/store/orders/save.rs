//! The one writer of orders: what changed of them is saved, and nothing else.
//!
//! What always holds: an order is changed by its own methods and saved from what it was and what it became; whatever
//! changed of it raises its revision, so that who read it before finds out.

use std::sync::LazyLock;

use serde::Serialize;
use sqlx::SqliteConnection;

use super::record::{ContactRow, EventRow, GoodsRow, TermsRow, WordRow, some_json, stamp};
use crate::domain::calendar::Instant;
use crate::domain::order::{Order, OrderEvent};
use crate::store::Result;
use crate::store::sqlite::dialect::{insert_new, update, upsert};
use crate::store::sqlite::statements::Statements;

/// An order that was changed.
pub(in crate::store) struct Changed<'a> {
    /// As it is in the database; None: it is new.
    pub before: Option<&'a Order>,
    pub after: &'a Order,
    /// When the planner looks at it next.
    pub look: Option<Instant>,
}

/// Saves what changed.
pub(in crate::store) async fn save(
    conn: &mut SqliteConnection,
    changed: &[Changed<'_>],
    now: Instant,
) -> Result<()> {
    let mut all = Statements::default();
    Changes::of(changed).written().add_to(&mut all);
    all.run(conn, now).await?;
    Ok(())
}

/// Changes orders and has them planned at once.
pub(in crate::store) async fn plan_anew(
    conn: &mut SqliteConnection,
    orders: Vec<Order>,
    mut change: impl FnMut(&mut Order),
    now: Instant,
) -> Result<()> {
    let after: Vec<Order> = orders
        .iter()
        .map(|order| {
            let mut order = order.clone();
            change(&mut order);
            order
        })
        .collect();
    let changed = orders.iter().zip(&after);
    let changed: Vec<Changed> =
        changed.map(|(before, after)| Changed { before: Some(before), after, look: Some(now) }).collect();
    save(conn, &changed, now).await
}

/// What is to be written of orders that changed.
#[derive(Default)]
pub(in crate::store) struct Changes {
    orders: Vec<Whole>,
    contacts: Vec<Contact>,
    looks: Vec<Look>,
    lines: Vec<WholeLine>,
    words: Vec<Word>,
    happened: Vec<Happened>,
    told: Vec<Told>,
}

/// The same as texts: writing them takes long enough to be done before the database waits for it.
#[derive(Default)]
pub(in crate::store) struct Written {
    orders: Option<String>,
    contacts: Option<String>,
    looks: Option<String>,
    lines: Option<String>,
    words: Option<String>,
    happened: Option<String>,
    told: Option<String>,
}

#[derive(Serialize)]
struct Look {
    number: String,
    plan_at: Option<i64>,
}

#[derive(Serialize)]
struct Contact {
    #[serde(flatten)]
    look: Look,
    #[serde(flatten)]
    contact: ContactRow,
}

#[derive(Serialize)]
struct Whole {
    #[serde(flatten)]
    terms: TermsRow,
    #[serde(flatten)]
    rest: Contact,
}

#[derive(Serialize)]
struct Word {
    order_number: String,
    key: String,
    #[serde(flatten)]
    word: WordRow,
}

#[derive(Serialize)]
struct WholeLine {
    #[serde(flatten)]
    goods: GoodsRow,
    #[serde(flatten)]
    rest: Word,
}

#[derive(Serialize)]
struct Happened {
    order_number: String,
    #[serde(flatten)]
    event: EventRow,
}

#[derive(Serialize)]
struct Told {
    order_number: String,
    kind: &'static str,
    id: String,
}

impl Changes {
    pub fn of(changed: &[Changed<'_>]) -> Self {
        let mut changes = Self::default();
        changed.iter().for_each(|changed| changes.take(changed));
        changes
    }

    /// Takes in one order.
    pub fn take(&mut self, Changed { before, after, look }: &Changed<'_>) {
        let look = Look { number: after.number.clone(), plan_at: stamp(*look) };
        let other_lines = self.take_lines(*before, after);
        let other_events = self.take_events(*before, after);
        let (terms, contact) = (TermsRow::of(after), ContactRow::of(after));
        let same_terms = before.is_some_and(|before| TermsRow::of(before) == terms);
        let same_contact = before.is_some_and(|before| ContactRow::of(before) == contact);
        if !same_terms {
            self.orders.push(Whole { terms, rest: Contact { look, contact } });
        } else if !same_contact || other_lines || other_events {
            self.contacts.push(Contact { look, contact });
        } else {
            self.looks.push(look);
        }
    }

    /// Takes in when an order is looked at next, of which nothing else changed.
    pub fn take_look(&mut self, order: &Order, look: Option<Instant>) {
        self.looks.push(Look { number: order.number.clone(), plan_at: stamp(look) });
    }

    /// Says whether there were any.
    fn take_lines(&mut self, before: Option<&Order>, after: &Order) -> bool {
        let had = self.lines.len() + self.words.len();
        // All lines of an order bear the time of its placing.
        let known = before.filter(|before| before.placed_at == after.placed_at);
        for (position, line) in after.lines.iter().enumerate() {
            let known = known.and_then(|before| Some((before, before.lines.get(position)?)));
            let known = known.filter(|(_, known)| known.key == line.key);
            if known.is_some_and(|(_, known)| known == line) {
                continue;
            }
            let word =
                Word { order_number: after.number.clone(), key: line.key.clone(), word: WordRow::of(line) };
            let goods = GoodsRow::of(after, position, line);
            if known.is_some_and(|(before, known)| GoodsRow::of(before, position, known) == goods) {
                self.words.push(word);
            } else {
                self.lines.push(WholeLine { goods, rest: word });
            }
        }
        had < self.lines.len() + self.words.len()
    }

    /// Says whether there were any.
    fn take_events(&mut self, before: Option<&Order>, after: &Order) -> bool {
        let known: &[OrderEvent] = before.map_or(&[], |before| &before.events);
        let happened = after.events.iter().filter(|event| !known.contains(event));
        let happened =
            happened.map(|event| Happened { order_number: after.number.clone(), event: EventRow::of(event) });
        let told = known.iter().filter(|event| !after.events.contains(event)).map(|event| Told {
            order_number: after.number.clone(),
            kind: event.kind().as_str(),
            id: event.id.clone(),
        });
        let had = self.happened.len() + self.told.len();
        self.happened.extend(happened);
        self.told.extend(told);
        had < self.happened.len() + self.told.len()
    }

    pub fn written(self) -> Written {
        Written {
            orders: some_json(&self.orders),
            contacts: some_json(&self.contacts),
            looks: some_json(&self.looks),
            lines: some_json(&self.lines),
            words: some_json(&self.words),
            happened: some_json(&self.happened),
            told: some_json(&self.told),
        }
    }
}

impl Written {
    pub fn add_to(self, all: &mut Statements) {
        all.add(&SAVE_ORDERS, self.orders);
        all.add(&SAVE_CONTACTS, self.contacts);
        all.add(&SAVE_LOOKS, self.looks);
        all.add(&SAVE_LINES, self.lines);
        all.add(&SAVE_WORDS, self.words);
        all.add(&SAVE_EVENTS, self.happened);
        all.add(&EVENTS_TOLD, self.told);
    }
}

static SAVE_ORDERS: LazyLock<String> = LazyLock::new(|| {
    let columns = [TermsRow::COLUMNS, ContactRow::COLUMNS, &["plan_at"]].concat();
    upsert("orders", &["number"], &columns, ", revision = orders.revision + 1")
});

static SAVE_CONTACTS: LazyLock<String> = LazyLock::new(|| {
    let columns = [ContactRow::COLUMNS, &["plan_at"]].concat();
    update("orders", &["number"], &columns, ", revision = revision + 1")
});

static SAVE_LOOKS: LazyLock<String> = LazyLock::new(|| update("orders", &["number"], &["plan_at"], ""));

static SAVE_LINES: LazyLock<String> = LazyLock::new(|| {
    upsert("lines", &["order_number", "key"], &[GoodsRow::COLUMNS, WordRow::COLUMNS].concat(), "")
});

static SAVE_WORDS: LazyLock<String> =
    LazyLock::new(|| update("lines", &["order_number", "key"], WordRow::COLUMNS, ""));

static SAVE_EVENTS: LazyLock<String> = LazyLock::new(|| {
    let columns = [&["order_number"], EventRow::COLUMNS].concat();
    insert_new("news", &columns)
});

/// These are not owed to the customer any more.
static EVENTS_TOLD: LazyLock<String> =
    LazyLock::new(|| update("news", &["order_number", "kind", "id"], &[], "told = true"));

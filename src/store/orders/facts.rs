//! Recording facts: a batch is one transaction, each fact changes something, changes nothing, or is refused.
//!
//! Orders are loaded, changed by the domain in memory and written back; the same fact again changes nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::LazyLock;

use serde::Serialize;
use sqlx::SqliteConnection;

use crate::domain::calendar::Instant;
use crate::domain::fact::{Fact, LineKind, OrderFact, Source};
use crate::domain::order::apply::{Applied, Notify, Refusal, place};
use crate::domain::order::{EventBody, Order, OrderEvent, Status};
use crate::store::orders::load::{parse, plain_orders};
use crate::store::orders::record::{json, some_json, to_json};
use crate::store::orders::save::{Changed, Changes};
use crate::store::orders::supply::{ReceiptRow, SupplyRow, supplies_where};
use crate::store::sqlite::dialect::{
    EACH, LISTED, LISTED_3, all_of, elements, given, insert_new, one_value, sql, tuples, upsert,
};
use crate::store::sqlite::statements::Statements;
use crate::store::{Result, Store, millis};

/// A fact to record, with its wire form.
#[derive(Debug, Clone)]
pub struct Entry {
    pub fact: Fact,
    pub body: String,
}

/// What recording a fact came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recorded {
    /// An order we had not known.
    New,
    Changed,
    Unchanged,
    Refused(Refusal),
}

/// A row of `facts`.
#[derive(Debug, Serialize)]
pub(in crate::store) struct FactRow<'a> {
    kind: &'static str,
    id: Option<&'a str>,
    order_number: Option<&'a str>,
    sku: Option<&'a str>,
    at: i64,
    source: Source,
    refused: Option<String>,
    body: &'a str,
}

impl Store {
    /// Records facts in the order given. With `dry_run` it says what would come of it and changes nothing.
    pub async fn record(
        &self,
        entries: &[Entry],
        source: Source,
        at: Instant,
        notify: Notify,
        dry_run: bool,
    ) -> Result<Vec<Recorded>> {
        let mut tx = self.begin("record").await?;
        let mut book = Book::open(&mut tx, entries, at, notify).await?;
        book.by_hand = source.by_hand();
        let recorded: Vec<Recorded> = entries.iter().map(|entry| book.enter(&entry.fact)).collect();
        if !dry_run {
            book.save(&mut tx, &fact_rows(entries, &recorded, source)).await?;
            tx.commit().await?;
        }
        Ok(recorded)
    }
}

/// The part of the database a batch of facts is about, in memory.
pub(in crate::store) struct Book {
    at: Instant,
    notify: Notify,
    by_hand: bool,
    orders: HashMap<String, Order>,
    /// Those that were changed, as they are in the database; None: they are new.
    before: HashMap<String, Option<Order>>,
    supplies: HashMap<(String, String), SupplyRow>,
    /// Facts with an id that were recorded before.
    known: HashSet<(String, String)>,
    touched: Touched,
    touched_supplies: BTreeSet<(String, String)>,
    receipts: Vec<ReceiptRow>,
}

/// What is to be written, and which queues are to be walked again.
#[derive(Default)]
struct Touched {
    /// SKUs whose queue or supply changed.
    skus: BTreeSet<String>,
    /// Orders whose customer has another address.
    readdressed: BTreeSet<String>,
    /// Orders that wait for news no more, or again, in the order in which that came about.
    waits: Vec<(String, bool)>,
    /// Units that left from waiting lines, by their SKU.
    shipped: BTreeMap<String, u32>,
}

impl Touched {
    fn mark(&mut self, order: &Order) {
        for line in order.lines.iter().filter(|line| line.kind != LineKind::InStock) {
            add(&mut self.skus, &line.sku);
        }
    }

    /// Counts what the newest shipment of an order took from waiting lines.
    fn count_shipped(&mut self, order: &Order) {
        let Some(OrderEvent { body: EventBody::Shipped { lines, .. }, .. }) = order.events.last() else {
            return;
        };
        for units in lines {
            if let Some(line) = order.line(&units.id).filter(|line| line.kind != LineKind::InStock) {
                *self.shipped.entry(line.sku.clone()).or_default() += units.quantity.unwrap_or(0);
            }
        }
    }

    /// Marks an order that `waited` before, or counts as waiting because it is new.
    fn mark_wait(&mut self, order: &Order, waited: bool) {
        let waits = waits_for_mail(order);
        if waits != waited {
            self.waits.push((order.number.clone(), waits));
        }
    }
}

/// It waits, and there is somebody to write to.
fn waits_for_mail(order: &Order) -> bool {
    order.status() == Status::Waiting && order.customer.email.is_some()
}

/// Most are there already, and a copy is made only of those that are not.
fn add(set: &mut BTreeSet<String>, text: &str) {
    if !set.contains(text) {
        set.insert(text.to_owned());
    }
}

impl Book {
    pub async fn open(
        conn: &mut SqliteConnection,
        entries: &[Entry],
        at: Instant,
        notify: Notify,
    ) -> Result<Self> {
        // One statement: the way to SQLite's thread and back costs more than most of what it finds.
        static FOUND: LazyLock<String> = LazyLock::new(|| {
            format!(
                "select ({}), (select {} from {} asked
                    join facts f on f.kind = asked.kind and f.id = asked.id
                    and f.id is not null and f.refused is null), ({})",
                plain_orders(LISTED),
                all_of(&one_value(&["f.kind", "f.id"])),
                tuples("$2", &["kind", "id"]),
                supplies_where(&format!("sku in {LISTED_3}"))
            )
        });
        let facts = || entries.iter().map(|entry| &entry.fact);
        let numbers: BTreeSet<&str> = facts().filter_map(order_of).collect();
        let ids: Vec<(&str, &str)> = facts().filter_map(|fact| Some((kind_of(fact), id_of(fact)?))).collect();
        let skus: BTreeSet<&str> = facts().filter_map(sku_of).collect();
        let found = sqlx::query_as(FOUND.as_str()).bind(to_json(&numbers)).bind(to_json(&ids));
        let (orders, known, supplies): (String, String, String) =
            found.bind(to_json(&skus)).fetch_one(conn).await?;
        let known: HashSet<(String, String)> = json("the ids of facts", &known)?;
        let supplies: Vec<SupplyRow> = json("supplies", &supplies)?;
        Ok(Self {
            at,
            notify,
            by_hand: false,
            before: HashMap::new(),
            orders: parse(&orders)?.into_iter().map(|order| (order.number.clone(), order)).collect(),
            supplies: supplies.into_iter().map(|s| ((s.sku.clone(), s.supply.clone()), s)).collect(),
            known,
            touched: Touched::default(),
            touched_supplies: BTreeSet::new(),
            receipts: Vec::new(),
        })
    }

    pub fn enter(&mut self, fact: &Fact) -> Recorded {
        let id = id_of(fact).map(|id| (kind_of(fact).to_owned(), id.to_owned()));
        if id.as_ref().is_some_and(|id| self.known.contains(id)) {
            return Recorded::Unchanged;
        }
        let recorded = match fact {
            Fact::Order(order) => self.upsert(order),
            Fact::Supply(supply) => {
                let row = SupplyRow::from_fact(supply, self.at);
                let key = (row.sku.clone(), row.supply.clone());
                let known = self.supplies.get(&key);
                if known.is_some_and(|known| known.at >= row.at) {
                    return Recorded::Unchanged;
                }
                let changed = !known.is_some_and(|known| known.says_the_same(&row));
                if changed {
                    add(&mut self.touched.skus, &row.sku);
                }
                self.touched_supplies.insert(key.clone());
                self.supplies.insert(key, row);
                if changed { Recorded::Changed } else { Recorded::Unchanged }
            }
            Fact::Receipt(receipt) => {
                self.receipts.push(ReceiptRow::from_fact(receipt));
                add(&mut self.touched.skus, &receipt.sku);
                Recorded::Changed
            }
            Fact::Shipment(f) => {
                let recorded = self.change(&f.order, |order, at| order.ship(f, at));
                if let (Recorded::Changed, Some(order)) = (&recorded, self.orders.get(&f.order)) {
                    self.touched.count_shipped(order);
                }
                recorded
            }
            Fact::Cancel(f) => self.change(&f.order, |order, at| order.cancel(f, at)),
            Fact::Refund(f) => self.change(&f.order, |order, at| Ok(order.refund(f, at))),
        };
        if !matches!(recorded, Recorded::Refused(_)) {
            self.known.extend(id);
        }
        recorded
    }

    /// SKUs whose queue or supply changed.
    pub fn skus(&self) -> impl Iterator<Item = &str> {
        self.touched.skus.iter().map(String::as_str)
    }

    fn upsert(&mut self, fact: &OrderFact) -> Recorded {
        let Some(order) = self.orders.get_mut(&fact.order) else {
            let order = place(fact, self.at, self.notify);
            self.touched.mark(&order);
            self.touched.mark_wait(&order, true);
            self.before.insert(fact.order.clone(), None);
            self.orders.insert(fact.order.clone(), order);
            return Recorded::New;
        };
        let known = order.clone();
        let applied = match self.by_hand {
            true => order.upsert_by_hand(fact, self.at),
            false => order.upsert(fact, self.at),
        };
        if applied == Applied::Unchanged {
            return Recorded::Unchanged;
        }
        self.touched.mark(&known);
        self.touched.mark(order);
        self.touched.mark_wait(order, waits_for_mail(&known));
        if known.customer.email != order.customer.email {
            add(&mut self.touched.readdressed, &order.number);
        }
        // A repeat with a later `at` says nothing new.
        let repeats = Order { at: order.at, ..known.clone() } == *order;
        self.before.entry(known.number.clone()).or_insert(Some(known));
        if repeats { Recorded::Unchanged } else { Recorded::Changed }
    }

    fn change(
        &mut self,
        number: &str,
        change: impl FnOnce(&mut Order, Instant) -> Result<Applied, Refusal>,
    ) -> Recorded {
        let Some(order) = self.orders.get_mut(number) else {
            return Recorded::Refused(Refusal::UnknownOrder(number.to_owned()));
        };
        let (known, waited) = (order.clone(), waits_for_mail(order));
        match change(order, self.at) {
            Ok(Applied::Unchanged) => Recorded::Unchanged,
            Ok(Applied::Changed) => {
                self.touched.mark(order);
                self.before.entry(known.number.clone()).or_insert(Some(known));
                self.touched.mark_wait(order, waited);
                Recorded::Changed
            }
            Err(refusal) => Recorded::Refused(refusal),
        }
    }

    /// Saves it all, and what is kept of the facts with it.
    pub async fn save(&self, conn: &mut SqliteConnection, facts: &[FactRow<'_>]) -> Result<()> {
        let changed = self.before.iter().filter_map(|(number, before)| {
            let after = self.orders.get(number)?;
            Some(Changed { before: before.as_ref(), after, look: Some(self.at) })
        });
        let mut orders: Vec<Changed> = changed.collect();
        // Neighbours lie together in all tables.
        orders.sort_by(|a, b| a.after.number.cmp(&b.after.number));
        let supplies: Vec<&SupplyRow> =
            self.touched_supplies.iter().filter_map(|key| self.supplies.get(key)).collect();
        let skus: Vec<&String> = self.touched.skus.iter().collect();
        let shipped: Vec<_> = self.touched.shipped.iter().collect();
        let readdressed: Vec<&String> = self.touched.readdressed.iter().collect();
        let mut all = Statements::default();
        Changes::of(&orders).written().add_to(&mut all);
        all.add(&SAVE_WAITS, some_json(&self.touched.waits));
        all.add(&UNTELL, some_json(&readdressed));
        all.add(&SAVE_SUPPLIES, some_json(&supplies));
        all.add(&SAVE_RECEIPTS, some_json(&self.receipts));
        all.add(&MARK_DIRTY, some_json(&skus));
        all.add(&COUNT_CHANGES, some_json(&skus));
        all.add(&COUNT_SHIPPED, some_json(&shipped));
        all.add(&SAVE_FACTS, some_json(facts));
        all.run(conn, self.at).await?;
        Ok(())
    }
}

fn kind_of(fact: &Fact) -> &'static str {
    match fact {
        Fact::Order(_) => "order",
        Fact::Supply(_) => "supply",
        Fact::Receipt(_) => "receipt",
        // A label comes again as a shipment under the same id.
        Fact::Shipment(f) if !f.handed_over => "label",
        Fact::Shipment(_) => "shipment",
        Fact::Cancel(_) => "cancel",
        Fact::Refund(_) => "refund",
    }
}

fn id_of(fact: &Fact) -> Option<&str> {
    match fact {
        Fact::Order(_) | Fact::Supply(_) => None,
        Fact::Receipt(f) => Some(&f.id),
        Fact::Shipment(f) => Some(&f.id),
        Fact::Cancel(f) => Some(&f.id),
        Fact::Refund(f) => Some(&f.id),
    }
}

fn order_of(fact: &Fact) -> Option<&str> {
    match fact {
        Fact::Order(f) => Some(&f.order),
        Fact::Shipment(f) => Some(&f.order),
        Fact::Cancel(f) => Some(&f.order),
        Fact::Refund(f) => Some(&f.order),
        Fact::Supply(_) | Fact::Receipt(_) => None,
    }
}

fn sku_of(fact: &Fact) -> Option<&str> {
    match fact {
        Fact::Supply(f) => Some(&f.sku),
        Fact::Receipt(f) => Some(&f.sku),
        _ => None,
    }
}

/// What is kept of facts: all that changed something or was refused.
fn fact_rows<'a>(entries: &'a [Entry], recorded: &[Recorded], source: Source) -> Vec<FactRow<'a>> {
    // A label changes nothing and is kept all the same, once: it holds the tracking code.
    let labels = |fact: &Fact| matches!(fact, Fact::Shipment(f) if !f.handed_over);
    entries
        .iter()
        .zip(recorded)
        .filter(|(entry, recorded)| **recorded != Recorded::Unchanged || labels(&entry.fact))
        .map(|(entry, recorded)| FactRow {
            kind: kind_of(&entry.fact),
            id: id_of(&entry.fact),
            order_number: order_of(&entry.fact),
            sku: sku_of(&entry.fact),
            at: millis(entry.fact.at()),
            source,
            refused: if let Recorded::Refused(refusal) = recorded { Some(refusal.to_string()) } else { None },
            body: &entry.body,
        })
        .collect()
}

sql!(
    SAVE_WAITS = "insert into waits (order_number, at, begins)
    select order_number, $2, begins from {}",
    tuples("$1", &["order_number", "begins"])
);

sql!(
    /// What happened, was refused for good by another address or came back from it, and was accepted at none, is still to be
    /// told.
    pub(in crate::store) UNTELL = "update news set told = false
    where told and order_number in {LISTED}
        and exists (select 1 from notices n join orders o on o.number = n.order_number, {tells} as tells
            where n.order_number = news.order_number and n.state in ('failed', 'bounced') and n.email <> o.email
                and tells.value ->> 'kind' = news.kind and tells.value ->> 'id' = news.id)
        and not exists (select 1 from notices n, {tells} as tells
            where n.order_number = news.order_number and n.state = 'accepted'
                and tells.value ->> 'kind' = news.kind and tells.value ->> 'id' = news.id)",
    tells = elements("n.news"));

static SAVE_SUPPLIES: LazyLock<String> = LazyLock::new(|| {
    let (keys, columns) = SupplyRow::COLUMNS.split_at(2);
    upsert("supplies", keys, columns, "")
});

static SAVE_RECEIPTS: LazyLock<String> = LazyLock::new(|| insert_new("receipts", ReceiptRow::COLUMNS));

sql!(
    /// Nothing of these SKUs is planned or taken before their queues are walked again.
    MARK_DIRTY = "insert into dirty_skus (sku, first_at, last_at)
    select value, $2, $2 from {EACH} where true
    on conflict (sku) do update set last_at = excluded.last_at"
);

sql!(
    /// Places in them are to be worked out again.
    COUNT_CHANGES = "insert into queues (sku, revision) select value, 1 from {EACH} where true
    on conflict (sku) do update set revision = revision + 1"
);

sql!(
    COUNT_SHIPPED = "insert into queues (sku, revision, shipped) select sku, 1, units from {} where true
    on conflict (sku) do update set shipped = shipped + excluded.shipped",
    tuples("$1", &["sku", "units"])
);

sql!(
    SAVE_FACTS = "insert into facts (kind, id, order_number, sku, at, source, refused, body, recorded_at)
    select new.*, $2 from {} as new where true
    on conflict (kind, id) where id is not null and refused is null do nothing",
    given(&["kind", "id", "order_number", "sku", "at", "source", "refused", "body"])
);

/// Counts of a batch, for people.
impl Recorded {
    /// How many of each: new, changed, unchanged, refused.
    pub fn count(recorded: &[Self]) -> [usize; 4] {
        let mut counts = [0; 4];
        for some in recorded {
            let index = match some {
                Self::New => 0,
                Self::Changed => 1,
                Self::Unchanged => 2,
                Self::Refused(_) => 3,
            };
            counts[index] += 1;
        }
        counts
    }
}

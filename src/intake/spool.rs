//! A file of facts read whole before any of it is applied, in flat memory: the facts go to a temporary file, and only
//! a small index (40 bytes a fact) is held. So standard input can be checked whole too, and applied in the order of `at`.
//!
//! The temporary file has no name and goes with the process.

use std::collections::HashSet;
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, BufRead, BufWriter, Read, Seek, SeekFrom, Write};

use super::fault::RowError;
use super::read::{Format, Rows};
use super::strict::parse;
use super::write::to_json;
use crate::domain::calendar::Instant;
use crate::domain::fact::Fact;
use crate::store::Entry;

/// How many refusals are kept in words; the others are counted, and their rows are kept.
const MOST_REFUSALS: usize = 20;

/// Why a file could not be read through. Nothing of it counts then.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// A CSV's header.
    #[error(transparent)]
    Header(RowError),
    #[error("{}", unread(*after, error))]
    Input { after: u64, error: io::Error },
    #[error("its facts cannot be put into a temporary file: {0}; TMPDIR says where such files go")]
    Spool(#[from] io::Error),
}

fn unread(after: u64, error: &io::Error) -> String {
    if after == 0 { error.to_string() } else { format!("it cannot be read after line {after}: {error}") }
}

/// A file's facts, checked; those that cannot be taken stand aside.
#[derive(Debug)]
pub struct Spool {
    file: File,
    header: Option<String>,
    /// In the order of `at`, equal ones as they stood in the file.
    facts: Vec<RowSpan>,
    bad: Vec<RowSpan>,
    refusals: Vec<RowError>,
    /// Whether it holds facts that an order's state may refuse.
    asks_orders: bool,
}

/// Where a fact stands: in the file, and in the temporary one its JSON and behind it its rows as they were.
#[derive(Debug, Clone, Copy)]
pub struct RowSpan {
    /// Its first line in the file, counted from 1.
    pub line: u64,
    at: i64,
    /// What it is about, hashed: facts about one order or one SKU have the same.
    subject: u64,
    offset: u64,
    json: u32,
    raw: u32,
}

/// A fact from the spool.
#[derive(Debug, Clone)]
pub struct Spooled {
    pub fact: Fact,
    /// Its wire form.
    pub body: String,
    pub place: RowSpan,
}

impl From<Spooled> for Entry {
    fn from(spooled: Spooled) -> Self {
        Self { fact: spooled.fact, body: spooled.body }
    }
}

/// What is never torn apart by the end of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sorting {
    /// By `at`: facts of one instant stay together where they fit into one step.
    Time,
    /// By what they are about, then by `at`: whether an order takes a fact depends on the facts about it only, so
    /// that a step can be judged by itself.
    Subject,
}

impl Spool {
    /// Reads a file through; `now` as for [`fact`](super::fact()). `on_row` is called after each fact's rows.
    ///
    /// # Errors
    /// If it cannot be read through. Rows that cannot be taken are no error: see [`Spool::refused`].
    pub fn read<R: BufRead>(
        reader: R,
        format: Format,
        now: Instant,
        mut on_row: impl FnMut(),
    ) -> Result<Self, SpoolError> {
        let rows = Rows::new(reader, format, now).map_err(SpoolError::Header)?;
        let header = rows.header().map(str::to_owned);
        let mut into = BufWriter::new(tempfile::tempfile()?);
        let (mut facts, mut bad, mut refusals) = (Vec::new(), Vec::new(), Vec::new());
        let (mut offset, mut line, mut asks_orders) = (0, 0, false);
        let mut torn = HashSet::new();
        for row in rows {
            let row = row.map_err(|error| SpoolError::Input { after: line, error })?;
            line = row.line;
            let (json, at, subject) = match &row.result {
                Ok(fact) => (to_json(fact).to_string(), fact.at().timestamp_millis(), subject_of(fact)),
                Err(_) => (String::new(), 0, 0),
            };
            into.write_all(json.as_bytes())?;
            into.write_all(row.raw.as_bytes())?;
            if let Some(refusal) = row.tears
                && facts.binary_search_by_key(&refusal.line, |place: &RowSpan| place.line).is_ok()
                && torn.insert(refusal.line)
            {
                keep_first(&mut refusals, refusal);
            }
            let place = RowSpan { line, at, subject, offset, json: length(&json)?, raw: length(&row.raw)? };
            offset += u64::from(place.json) + u64::from(place.raw);
            match row.result {
                Ok(fact) => {
                    asks_orders |= matches!(fact, Fact::Shipment(_) | Fact::Cancel(_) | Fact::Refund(_));
                    facts.push(place);
                }
                Err(refusal) => {
                    bad.push(place);
                    keep_first(&mut refusals, refusal);
                }
            }
            on_row();
        }
        let file = into.into_inner().map_err(io::IntoInnerError::into_error)?;
        bad.extend(facts.extract_if(.., |place| torn.contains(&place.line)));
        bad.sort_by_key(|place| place.line);
        facts.sort_by_key(|place| place.at);
        Ok(Self { file, header, facts, bad, refusals, asks_orders })
    }

    /// How many facts can be taken.
    pub fn len(&self) -> usize {
        self.facts.len()
    }

    /// When the first fact happened.
    pub fn first_instant(&self) -> Option<Instant> {
        self.facts.first().and_then(|place| Instant::from_timestamp_millis(place.at))
    }

    /// When the last fact happened.
    pub fn last_instant(&self) -> Option<Instant> {
        self.facts.last().and_then(|place| Instant::from_timestamp_millis(place.at))
    }

    /// Whether no fact can be taken.
    pub fn is_empty(&self) -> bool {
        self.facts.is_empty()
    }

    /// Whether it holds facts that an order's state may refuse: orders, supplies and receipts are always taken.
    pub fn asks_orders(&self) -> bool {
        self.asks_orders
    }

    /// How many could not be taken.
    pub fn refused(&self) -> usize {
        self.bad.len()
    }

    /// The first of them in the file, in words.
    pub fn refusals(&self) -> &[RowError] {
        &self.refusals
    }

    /// The text of those that could not be taken, as it stood in the file.
    pub fn refused_rows(&self) -> impl Iterator<Item = io::Result<String>> {
        self.bad.iter().map(|place| self.raw(place))
    }

    /// A CSV's header as it stands in the file.
    pub fn header(&self) -> Option<&str> {
        self.header.as_deref()
    }

    /// The rows that a fact was read from, as they stood in the file.
    ///
    /// # Errors
    /// If the temporary file cannot be read.
    pub fn raw(&self, place: &RowSpan) -> io::Result<String> {
        self.text(place.offset + u64::from(place.json), place.raw)
    }

    /// The facts in the order of `at`, equal ones as they stood.
    pub fn facts_in_order(&self) -> impl Iterator<Item = io::Result<Spooled>> {
        self.facts.iter().map(|place| self.fact(*place))
    }

    /// The facts in steps of `most`.
    pub fn steps(&self, most: usize, sorting: Sorting) -> impl Iterator<Item = io::Result<Vec<Spooled>>> {
        let mut places = self.facts.clone();
        if sorting == Sorting::Subject {
            // Stable, and they are in the order of `at` already.
            places.sort_by_key(|place| place.subject);
        }
        let mut from = 0;
        std::iter::from_fn(move || {
            let to = end_of_step(&places, from, most, sorting);
            let step = places.get(from..to).filter(|step| !step.is_empty())?;
            from = to;
            Some(step.iter().map(|place| self.fact(*place)).collect())
        })
    }

    fn fact(&self, place: RowSpan) -> io::Result<Spooled> {
        let body = self.text(place.offset, place.json)?;
        // Its `at` was judged when the file was read.
        let fact = parse(body.as_bytes(), Instant::MAX_UTC).map_err(io::Error::other)?;
        Ok(Spooled { fact, body, place })
    }

    fn text(&self, offset: u64, length: u32) -> io::Result<String> {
        let mut file = &self.file;
        file.seek(SeekFrom::Start(offset))?;
        let mut bytes = vec![0; length as usize];
        file.read_exact(&mut bytes)?;
        String::from_utf8(bytes).map_err(io::Error::other)
    }
}

/// Keeps a refusal if it is one of the first in the file; so many are shown.
pub fn keep_first(refusals: &mut Vec<RowError>, refusal: RowError) {
    let at = refusals.partition_point(|known| known.line <= refusal.line);
    refusals.insert(at, refusal);
    refusals.truncate(MOST_REFUSALS);
}

/// Where the step that begins at `from` ends: no later than `most` on, unless what belongs together is more than that.
fn end_of_step(places: &[RowSpan], from: usize, most: usize, sorting: Sorting) -> usize {
    let end = from.saturating_add(most.max(1));
    let Some(next) = places.get(end) else { return places.len() };
    let together = |place: &RowSpan| match sorting {
        Sorting::Time => place.at == next.at,
        Sorting::Subject => place.subject == next.subject,
    };
    let before = places.get(from..end).unwrap_or_default().iter().rev().take_while(|p| together(p)).count();
    let start = end - before;
    match sorting {
        _ if start > from => start,
        // An export without `at` is all of one instant; one transaction for all of it would block the daemon.
        Sorting::Time => end,
        Sorting::Subject => {
            end + places.get(end..).unwrap_or_default().iter().take_while(|p| together(p)).count()
        }
    }
}

fn subject_of(fact: &Fact) -> u64 {
    let mut hasher = DefaultHasher::new();
    match fact {
        Fact::Order(f) => f.order.hash(&mut hasher),
        Fact::Shipment(f) => f.order.hash(&mut hasher),
        Fact::Cancel(f) => f.order.hash(&mut hasher),
        Fact::Refund(f) => f.order.hash(&mut hasher),
        Fact::Supply(f) => f.sku.hash(&mut hasher),
        Fact::Receipt(f) => f.sku.hash(&mut hasher),
    }
    hasher.finish()
}

fn length(text: &str) -> io::Result<u32> {
    u32::try_from(text.len()).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receipt(at: u32, id: usize, sku: &str) -> String {
        format!(
            r#"{{"fact":"receipt","at":"2026-03-02T00:00:{at:02}Z","id":"{id}","sku":"{sku}","quantity":1}}"#
        )
    }

    fn spool(text: &str) -> Spool {
        Spool::read(text.as_bytes(), Format::Jsonl, Instant::MAX_UTC, || ()).unwrap()
    }

    fn steps(spool: &Spool, most: usize, sorting: Sorting) -> Vec<Vec<u64>> {
        spool
            .steps(most, sorting)
            .map(|step| step.unwrap().iter().map(|fact| fact.place.line).collect())
            .collect()
    }

    #[test]
    fn facts_come_in_the_order_of_at_and_equal_ones_as_they_stood() {
        let text = [(5, "A"), (1, "A"), (5, "B"), (0, "B")].iter().enumerate();
        let text: Vec<_> = text.map(|(id, (at, sku))| receipt(*at, id, sku)).collect();
        let spool = spool(&text.join("\n"));
        let facts: Vec<_> = spool.facts_in_order().map(Result::unwrap).collect();
        assert_eq!(facts.iter().map(|fact| fact.place.line).collect::<Vec<_>>(), [4, 2, 1, 3]);
        assert_eq!(spool.raw(&facts[0].place).unwrap(), text[3]);
        assert_eq!(facts[0].body, to_json(&facts[0].fact).to_string());
    }

    #[test]
    fn a_step_tears_neither_an_instant_nor_a_subject_apart() {
        let text = [(0, "A"), (1, "B"), (1, "A"), (2, "A"), (2, "A"), (2, "B")].iter().enumerate();
        let text: Vec<_> = text.map(|(id, (at, sku))| receipt(*at, id, sku)).collect();
        let spool = spool(&text.join("\n"));
        assert_eq!(
            steps(&spool, 2, Sorting::Time),
            [vec![1], vec![2, 3], vec![4, 5], vec![6]],
            "the last instant fits into no step"
        );
        let mut by_subject = steps(&spool, 2, Sorting::Subject);
        by_subject.sort();
        assert_eq!(by_subject, [vec![1, 3, 4, 5], vec![2, 6]]);
        assert!(steps(&self::spool(""), 2, Sorting::Time).is_empty());
    }

    #[test]
    fn rows_that_cannot_be_taken_stand_aside_with_their_text() {
        let text = format!("{}\nnonsense\n{}", receipt(0, 1, "A"), receipt(0, 2, "A"));
        let spool = spool(&text);
        assert_eq!((spool.len(), spool.refused()), (2, 1));
        assert_eq!(spool.refusals()[0].line, 2);
        assert_eq!(spool.refused_rows().map(Result::unwrap).collect::<Vec<_>>(), ["nonsense"]);
    }
}

//! What the verbs that record one fact have in common: one reading of each field, one way of recording, one answer.

use std::hash::{BuildHasher, RandomState};

use anyhow::Context;
use serde_json::{Map, Value, json};

use super::format::{Local, mode_line};
use super::impact;
use super::output::{self, Stop};
use super::{Answer, Call, Exit};
use crate::clock::Clock;
use crate::domain::calendar::Instant;
use crate::domain::fact::{Fact, Source};
use crate::domain::order::apply::Refusal;
use crate::intake::{self, FieldError, Options, submit};
use crate::store::{Recorded, Store};
use crate::text::{count, grouped};

/// The fields of a fact as they were typed, under the names they have in a file.
#[derive(Debug)]
pub(super) struct Typed(Map<String, Value>);

impl Typed {
    pub fn new(kind: &str, at: Instant) -> Self {
        Self(Map::new()).with("fact", kind).with("at", at.to_rfc3339())
    }

    pub fn with(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.0.insert(field.into(), value.into());
        self
    }

    /// The fact they state. A field that cannot be taken is named as `option` names it on the command line.
    pub fn read(self, now: Instant, option: impl Fn(&str) -> String) -> anyhow::Result<Fact> {
        read(Value::Object(self.0), now, option)
    }
}

/// The fact that an object states; see [`Typed::read`].
pub(super) fn read(stated: Value, now: Instant, option: impl Fn(&str) -> String) -> anyhow::Result<Fact> {
    intake::fact(stated, now).map_err(|error| {
        let FieldError { field, read, mend } = error;
        let says = if read.is_empty() { mend } else { format!("{read} {mend}") };
        Stop::usage(format!("{}: {says}", option(&field)))
    })
}

/// A number as it was typed; what is none stays a text, and is refused as one by the reader of the fact.
pub(super) fn number(text: &str) -> Value {
    text.trim().parse::<i64>().map_or_else(|_| text.into(), Value::from)
}

/// `--id`, or an id that no other fact has.
pub(super) fn id_or_new(given: Option<&str>, now: Instant) -> String {
    // Every `RandomState` has keys of its own, taken from the system's randomness.
    let random = RandomState::new().hash_one(std::process::id()) as u32;
    given.map_or_else(|| format!("{:x}-{random:08x}", now.timestamp_millis()), str::to_owned)
}

/// Records a fact now. A refused one is kept as refused, and is an error with its exit code.
pub(super) async fn enter(store: &Store, fact: &Fact) -> anyhow::Result<Recorded> {
    let now = Options::at(Clock::System.now());
    let recorded = submit(store, Source::Command, [fact], now).await?.pop();
    match recorded.context("the database did not say what became of it")? {
        Recorded::Refused(refusal @ (Refusal::UnknownOrder(_) | Refusal::UnknownLine { .. })) => {
            Err(Stop::not_found(refusal.to_string()))
        }
        Recorded::Refused(refusal) => Err(Stop::refused(refusal.to_string())),
        recorded => Ok(recorded),
    }
}

/// Says what a fact would mail, and changes nothing.
pub(super) async fn dry_run(call: &Call, store: Store, fact: &Fact, says: &str) -> Answer {
    let config = call.config()?;
    let policy = config.policy();
    let now = Clock::System.now();
    let (recorded, impact) = intake::impact(&store, fact, now, &policy).await?;
    store.close().await;
    if call.json {
        let mut document =
            json!({ "result": "dry_run", "would_be": word(&recorded), "fact": intake::to_json(fact) });
        if let (Some(document), Value::Object(more)) = (document.as_object_mut(), impact::as_json(&impact)) {
            document.extend(more);
        }
        output::json("shipby.recorded/1", &document)?;
    } else {
        let local = Local { zone: policy.zone, now };
        let mails = impact::words(&impact, local, &policy);
        let (mode, end) = (mode_line(&config), "Nothing was changed: this was a dry run.");
        output::text(&format!("{says}\n{mails}{mode}{end}\n"))?;
    }
    Ok(Exit::Done)
}

/// Says what became of a fact: `says` for people, and with `--json` the fact with what `more` adds.
pub(super) fn answer(call: &Call, fact: &Fact, recorded: &Recorded, says: &str, more: &Value) -> Answer {
    if call.json {
        let mut document = json!({ "result": word(recorded), "fact": intake::to_json(fact) });
        if let (Some(document), Some(more)) = (document.as_object_mut(), more.as_object()) {
            document.extend(more.clone());
        }
        output::json("shipby.recorded/1", &document)?;
    } else {
        output::text(&format!("{says}\n"))?;
    }
    Ok(Exit::Done)
}

fn word(recorded: &Recorded) -> &'static str {
    match recorded {
        Recorded::New => "new",
        Recorded::Changed => "changed",
        Recorded::Unchanged => "unchanged",
        Recorded::Refused(_) => "refused",
    }
}

/// How many orders wait for a SKU, as a sentence.
pub(super) fn waiting(sku: &str, (orders, units): (u32, u64)) -> String {
    match orders {
        0 => format!("No order waits for {sku}."),
        1 => format!("1 order waits for {} of {sku}.", count(units, "unit", "units")),
        many => format!(
            "{} orders wait for {} of {sku}.",
            grouped(u64::from(many)),
            count(units, "unit", "units")
        ),
    }
}

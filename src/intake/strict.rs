//! A fact from bytes, by JSON in which nothing is said twice: of two values under one name nobody knows which was meant,
//! and most readers take the last without a word (RFC 8259, 4).

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::fault::FieldError;
use super::json;
use crate::domain::calendar::Instant;
use crate::domain::fact::Fact;

/// Reads the fact that the bytes of one JSON object state: a body, a record read back. `now` as for
/// [`fact`](super::fact()).
///
/// # Errors
/// Where the bytes are no JSON, else the first field that cannot be taken.
pub fn parse(bytes: &[u8], now: Instant) -> Result<Fact, FieldError> {
    let Strict(value) = serde_json::from_slice(bytes).map_err(|error| {
        let what = if error.is_data() { "" } else { "is not JSON: " };
        FieldError::new("", format!("{what}{error}"))
    })?;
    json::fact(value, now)
}

/// A value whose objects have each name once.
pub(super) struct Strict(pub(super) Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Once).map(Self)
    }
}

struct Once;

impl<'de> Visitor<'de> for Once {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut all = Vec::new();
        while let Some(Strict(entry)) = entries.next_element()? {
            all.push(entry);
        }
        Ok(Value::Array(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut all = Map::new();
        while let Some(name) = fields.next_key::<String>()? {
            let Strict(value) = fields.next_value()?;
            if all.contains_key(&name) {
                return Err(A::Error::custom(format!("{name:?} stands in one object twice; remove one")));
            }
            all.insert(name, value);
        }
        Ok(Value::Object(all))
    }
}

//! One JSON object, taken apart field by field. A refusal names the path; a field that is not known is refused.

use serde_json::{Map, Value};

use super::fault::{FieldError, unknown};
use super::value::{Read, json_text};

/// The fields of an object that have not been read yet.
pub(super) struct Fields {
    map: Map<String, Value>,
    /// What stands before a field's name in its path: `lines[0].`, or nothing.
    prefix: String,
}

impl Fields {
    /// An object whose fields are all known. `prefix` is empty or ends in a dot.
    pub(super) fn new(value: Value, prefix: String, known: &[&str]) -> Read<Self> {
        let map = match value {
            Value::Object(map) => map,
            other => {
                let path = prefix.trim_end_matches('.');
                return Err(FieldError::new(json_text(&other), "is not an object; write { … }").at(path, ""));
            }
        };
        if let Some(name) = map.keys().find(|name| !known.contains(&name.as_str())) {
            return Err(FieldError::new("", unknown(name, known)).at(&prefix, &super::fault::short(name)));
        }
        Ok(Self { map, prefix })
    }

    /// The field's value; null is as good as left out.
    fn take(&mut self, name: &str) -> Option<Value> {
        self.map.remove(name).filter(|value| !value.is_null())
    }

    /// A field that may be left out.
    pub(super) fn maybe<T>(&mut self, name: &str, read: impl FnOnce(Value) -> Read<T>) -> Read<Option<T>> {
        let Some(value) = self.take(name) else { return Ok(None) };
        read(value).map(Some).map_err(|e| e.at(&self.prefix, name))
    }

    /// A text that may be left out; an empty one is as good as left out.
    pub(super) fn maybe_text<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(Value) -> Read<T>,
    ) -> Read<Option<T>> {
        if self.map.get(name).and_then(Value::as_str).is_some_and(|text| text.trim().is_empty()) {
            self.map.remove(name);
        }
        self.maybe(name, read)
    }

    /// A field that must be there.
    pub(super) fn must<T>(&mut self, name: &str, read: impl FnOnce(Value) -> Read<T>) -> Read<T> {
        let missing = || FieldError::new("", "is missing; it must be given").at("", name);
        match self.maybe(name, read)? {
            Some(found) => Ok(found),
            None => Err(self.under(missing())),
        }
    }

    /// An array that may be left out; each element is read with its path (`lines[0]`).
    pub(super) fn maybe_list<T>(
        &mut self,
        name: &str,
        most: usize,
        mut read: impl FnMut(Value, &str) -> Read<T>,
    ) -> Read<Option<Vec<T>>> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let refuse = |read: String, mend: String| Err(FieldError::new(read, mend).at(&self.prefix, name));
        let list = match value {
            Value::Array(list) => list,
            other => return refuse(json_text(&other), "is not an array; write [ … ]".into()),
        };
        match list.len() {
            0 => refuse("[]".into(), "is empty; write at least one line".into()),
            many if many > most => refuse(String::new(), format!("has {many} entries; write at most {most}")),
            _ => {
                let path = |i: usize| format!("{}{name}[{i}]", self.prefix);
                list.into_iter()
                    .enumerate()
                    .map(|(i, value)| read(value, &path(i)))
                    .collect::<Read<_>>()
                    .map(Some)
            }
        }
    }

    fn under(&self, error: FieldError) -> FieldError {
        let name = error.field.clone();
        error.at(&self.prefix, &name)
    }
}

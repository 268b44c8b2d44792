//! How statements say what SQLite says in a way of its own; another database says the same things in its way.
//!
//! Rows go in as one JSON parameter and come out as arrays in the order of their columns, for names would cost more than
//! the values. What always holds: a column of an order is named once, by [`columns!`]; the row's type, the list it is read
//! by and the statements that write it follow from that.

use serde::Deserialize;

/// A row's type from its columns. `COLUMNS` are their names.
macro_rules! columns {
    ($(#[$meta:meta])* $name:ident { $($(#[$field:meta])* $column:ident: $type:ty),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
        pub(in crate::store) struct $name { $($(#[$field])* pub $column: $type),+ }

        impl $name {
            /// The columns it is made of.
            pub const COLUMNS: &'static [&'static str] = &[$(stringify!($column)),+];
        }
    };
}
pub(in crate::store) use columns;

/// A statement that is put together once.
macro_rules! sql {
    ($(#[$meta:meta])* $vis:vis $name:ident = $($text:tt)+) => {
        $(#[$meta])*
        $vis static $name: std::sync::LazyLock<String> = std::sync::LazyLock::new(|| format!($($text)+));
    };
}
pub(in crate::store) use sql;

/// The values of a list in `$1`, as `id in {LISTED}` asks for them.
pub(in crate::store) const LISTED: &str = "(select value from json_each($1))";
/// The same in `$2` and `$3`.
pub(in crate::store) const LISTED_2: &str = "(select value from json_each($2))";
pub(in crate::store) const LISTED_3: &str = "(select value from json_each($3))";
/// The values of a list in `$1` as a table with the column `value`.
pub(in crate::store) const EACH: &str = "json_each($1)";

/// The elements of a column that holds a list of objects, as a table; a field of one is `value ->> 'name'`.
pub(in crate::store) fn elements(column: &str) -> String {
    format!("json_each({column})")
}

/// All values of a question as one list.
pub(in crate::store) fn all_of(value: &str) -> String {
    format!("json_group_array({value})")
}

/// What is not to be looked up by an index: another narrows it down more.
pub(in crate::store) fn unindexed(column: &str) -> String {
    format!("+{column}")
}

/// Statements that go to SQLite in one text; the values are those of all of them, the answer is that of the last.
pub(in crate::store) fn several(statements: &[&str]) -> String {
    statements.join(";\n")
}

/// The tuples of `param` as a table: their values have names here and only here.
pub(in crate::store) fn tuples(param: &str, names: &[&str]) -> String {
    let values: Vec<String> =
        names.iter().enumerate().map(|(at, name)| format!("value ->> {at} as {name}")).collect();
    format!("(select {} from jsonb_each({param}))", values.join(", "))
}

/// SQLite's booleans are 0 and 1.
pub(in crate::store) fn bit<'de, D: serde::Deserializer<'de>>(from: D) -> Result<bool, D::Error> {
    Ok(u8::deserialize(from)? != 0)
}

/// A row as one value, as its type reads it.
pub(in crate::store) fn one_value(columns: &[&str]) -> String {
    format!("json_array({})", columns.join(", "))
}

/// The rows of `$1` as a table.
pub(in crate::store) fn given(columns: &[&str]) -> String {
    let values: Vec<String> =
        columns.iter().map(|column| format!("value ->> '{column}' as {column}")).collect();
    format!("(select {} from jsonb_each($1))", values.join(", "))
}

/// Writes the rows of `$1` whole, whether or not they are there; `also` is what a row that is there becomes besides.
pub(in crate::store) fn upsert(table: &str, keys: &[&str], columns: &[&str], also: &str) -> String {
    let all: Vec<&str> = keys.iter().chain(columns).copied().collect();
    let new: Vec<String> = columns.iter().map(|column| format!("{column} = excluded.{column}")).collect();
    format!(
        "insert into {table} ({names}) select {names} from {rows} where true
        on conflict ({keys}) do update set {new}{also}",
        names = all.join(", "),
        rows = given(&all),
        keys = keys.join(", "),
        new = new.join(", ")
    )
}

/// Writes those rows of `$1` that are not there yet.
pub(in crate::store) fn insert_new(table: &str, columns: &[&str]) -> String {
    format!(
        "insert into {table} ({names}) select {names} from {rows} where true on conflict do nothing",
        names = columns.join(", "),
        rows = given(columns)
    )
}

/// Writes some columns of rows that are there, or only what they become besides (`also`).
pub(in crate::store) fn update(table: &str, keys: &[&str], columns: &[&str], also: &str) -> String {
    let all: Vec<&str> = keys.iter().chain(columns).copied().collect();
    let new: Vec<String> = columns.iter().map(|column| format!("{column} = new.{column}")).collect();
    let same: Vec<String> = keys.iter().map(|key| format!("{table}.{key} = new.{key}")).collect();
    format!(
        "update {table} set {new}{also} from {rows} as new where {same}",
        new = new.join(", "),
        rows = given(&all),
        same = same.join(" and ")
    )
}

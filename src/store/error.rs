//! What can go wrong with the database, in words for the person who runs it.

use std::path::PathBuf;

/// What went wrong with the database, in words for the person who runs it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("{path}: there is no database yet; `shipby serve` or `shipby import` makes it")]
    Missing { path: PathBuf },
    #[error("{path}: {message}")]
    Open { path: PathBuf, message: String },
    #[error("{path} is in use by another shipby daemon; stop that one first")]
    Locked { path: PathBuf },
    #[error(
        "{path} was written by a newer shipby (schema {found}, this one knows {known}); nothing was touched"
    )]
    Newer { path: PathBuf, found: i64, known: i64 },
    #[error(
        "{path} has the schema {found} of an older shipby whose daemon works on it (this one writes {known}); stop that one first"
    )]
    Older { path: PathBuf, found: i64, known: i64 },
    #[error("database: {}", plain(.0))]
    Sql(sqlx::Error),
    #[error("database: the task that makes outcomes durable died; what was under way is in doubt")]
    Halted,
    #[error("database: {what} holds {value:?}, which this shipby does not know")]
    Value { what: &'static str, value: String },
}

// The words stand in the message already; as a source they would be said twice.
impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        Self::Sql(error)
    }
}

// SQLite's primary result codes (<https://sqlite.org/rescode.html>).
const BUSY: i32 = 5;
const LOCKED: i32 = 6;
const DISK: i32 = 10;
const CORRUPT: i32 = 11;
const FULL: i32 = 13;

impl StoreError {
    /// The file itself is damaged. Whatever is read or written then may be wrong.
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::Sql(error) if primary(error) == Some(CORRUPT))
    }

    /// The same may go well later: the database is locked, or its disk is full or fails.
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Sql(error) if matches!(primary(error), Some(BUSY | LOCKED | DISK | FULL)))
    }
}

pub(in crate::store) fn primary(error: &sqlx::Error) -> Option<i32> {
    let sqlx::Error::Database(error) = error else { return None };
    error.code()?.parse().ok().map(|code: i32| code & 0xff)
}

pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// The database's words, with the mend where there is one.
pub(in crate::store) fn plain(error: &sqlx::Error) -> String {
    let message = match error {
        sqlx::Error::Database(inner) => inner.message().to_owned(),
        other => other.to_string(),
    };
    match primary(error) {
        Some(BUSY) => format!("{message} by another program for longer than is waited for; try again later"),
        Some(CORRUPT) => format!("{message}: the file is damaged; restore a backup"),
        Some(FULL) => format!("{message}; make room"),
        _ => message,
    }
}

//! The only home of sqlx: one SQLite file, one writer, a pool of readers.
//!
//! What always holds: one public method is one transaction and none escapes; no rule lives in SQL; whatever
//! touches more than one row is one statement over `json_each` (`jsonb_each` where the elements are objects: their text
//! would be written out and read again for every column). Instants are milliseconds, dates ISO texts.

/// Notices that can lose their use, in SQL. What must be known and was never tried, or was refused for what is not its
/// fault, does not: a fault of ours is no reason to be silent.
macro_rules! may_expire {
    () => {
        "next_try_at is not null and (state <> 'queued' or kind in ('update_48h', 'weekly_status'))"
    };
}

mod ops;
mod orders;
mod outbox;
mod read;
mod sqlite;

use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use sqlx::SqliteConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteLockingMode, SqliteSynchronous};

pub use ops::ops_mails::{OpsMail, digest_id};
pub use ops::template_sets::KeptSet;
pub use orders::facts::{Entry, Recorded};
pub use outbox::blast::HeldChange;
pub use outbox::bodies::Packed;
pub use outbox::bounces::Applied;
pub use outbox::claim::{Claim, Owner, Ready, Staged};
pub use outbox::journal::Outcomes;
pub use outbox::operator::{Change, Chosen};
pub use outbox::outcome::{Settlement, TriedNotice};
pub use outbox::plan::{Agenda, Planning};
pub use outbox::plan_writer::Planned;
pub use outbox::recovery::Due;
pub use read::search::{AddressChange, Found, Needed, NoticeFilter, Word};
pub use read::timeline::{Attempt, Counts, Entry as HistoryEntry, Kept, KeptReport, Listed, Silence, Tried};
pub use sqlite::inspect::{Inspection, inspect};
pub use sqlite::lock::Lock;

use sqlite::connections::{Connections, Transaction};

use crate::domain::notice::Notice;

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!();

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

fn primary(error: &sqlx::Error) -> Option<i32> {
    let sqlx::Error::Database(error) = error else { return None };
    error.code()?.parse().ok().map(|code: i32| code & 0xff)
}

pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// Connections that read.
const READERS: usize = 4;

/// How careful the database is asked to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// What was committed survives power loss.
    Full,
    /// For what is thrown away: nothing is kept before [`Store::close`], and nothing that fails is taken back.
    None,
    /// The same for a simulation. The statements are those of the daemon, which its schema holds to every condition; here
    /// it does so in a debug build only, for it takes a sixth of the time.
    Simulated,
}

/// The database. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    writer: Connections,
    readers: Connections,
    path: PathBuf,
    instance: String,
    bounce_key: String,
    pattern: outbox::bodies::InUse,
    known_queues: orders::positions::Known,
    walked: outbox::pauses::Walked,
}

impl Store {
    /// Opens the database, makes it where there is none, and brings its schema up to date.
    ///
    /// # Errors
    /// [`StoreError::Open`] if the file cannot be used, [`StoreError::Newer`] if a later shipby wrote it,
    /// [`StoreError::Older`] if an older one's daemon works on it.
    pub async fn open(path: &Path, durability: Durability) -> Result<Self> {
        Self::opened(path, durability, None).await
    }

    /// The same for the daemon, which holds the lock of the database.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub async fn open_owned(lock: &Lock) -> Result<Self> {
        Self::opened(lock.database(), Durability::Full, Some(lock)).await
    }

    async fn opened(path: &Path, durability: Durability, owner: Option<&Lock>) -> Result<Self> {
        let opening = |error: sqlx::Error| StoreError::Open { path: path.to_owned(), message: plain(&error) };
        let base = SqliteConnectOptions::new()
            .filename(path)
            .busy_timeout(Duration::from_secs(10))
            .statement_cache_capacity(200)
            .pragma("trusted_schema", "OFF");
        let base = match durability {
            Durability::Simulated if !cfg!(debug_assertions) => {
                base.foreign_keys(false).pragma("ignore_check_constraints", "ON")
            }
            _ => base.foreign_keys(true),
        };
        let base = match durability {
            Durability::Full => {
                base.journal_mode(SqliteJournalMode::Wal).synchronous(SqliteSynchronous::Full)
            }
            Durability::None | Durability::Simulated => base
                .journal_mode(SqliteJournalMode::Off)
                .synchronous(SqliteSynchronous::Off)
                .locking_mode(SqliteLockingMode::Exclusive)
                .pragma("cache_size", "-65536"),
        };
        // A statement's journal in a file of its own costs as much as the statement, and is one that can be missing: no
        // descriptor, no room in /var/tmp.
        let writing = base.clone().create_if_missing(true).pragma("temp_store", "MEMORY");
        let writer = Connections::new(writing.clone(), 1);
        let mut conn = writer.acquire().await.map_err(opening)?;
        sqlite::schema::bring_up_to_date(&mut conn, path, owner).await?;
        let instance = secret(&mut conn, "instance").await.map_err(opening)?;
        let bounce_key = secret(&mut conn, "bounce_key").await.map_err(opening)?;
        drop(conn);
        let (writer, readers) = match durability {
            Durability::Full => (writer, Connections::new(base.pragma("query_only", "ON"), READERS)),
            // Nobody else is there: one connection sees its own pages without asking the file again.
            Durability::None | Durability::Simulated => {
                writer.close().await?;
                let only = Connections::in_one_transaction(writing);
                (only.clone(), only)
            }
        };
        if owner.is_some() {
            // A daemon that can open nothing more goes on with what it has.
            readers.open_all().await.map_err(opening)?;
        }
        Ok(Self {
            writer,
            readers,
            path: path.to_owned(),
            instance,
            bounce_key,
            pattern: outbox::bodies::InUse::default(),
            known_queues: orders::positions::Known::default(),
            walked: outbox::pauses::Walked::default(),
        })
    }

    /// Opens a database that must exist already.
    ///
    /// # Errors
    /// [`StoreError::Missing`] if there is none, otherwise as [`Store::open`].
    pub async fn open_existing(path: &Path) -> Result<Self> {
        if !path.exists() {
            return Err(StoreError::Missing { path: path.to_owned() });
        }
        Self::open(path, Durability::Full).await
    }

    /// Copies the whole database, as it stands, into a file that does not exist yet.
    pub async fn copy_to(&self, path: &Path) -> Result<()> {
        let path = path.display().to_string();
        sqlx::query("vacuum into $1").bind(path).execute(&mut *self.writer.acquire().await?).await?;
        Ok(())
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Closes the readers before the writer, so that no write-ahead log is left behind.
    pub async fn close(self) {
        for connections in [&self.readers, &self.writer] {
            if let Err(error) = connections.close().await {
                tracing::warn!(error = plain(&error), "the database was not closed well");
            }
        }
    }

    /// Fixes the number that makes notice ids of this database its own (for reproducible runs).
    pub async fn set_instance(&mut self, instance: &str) -> Result<()> {
        self.set_meta("instance", instance).await?;
        instance.clone_into(&mut self.instance);
        Ok(())
    }

    /// The id of a notice: the same order and occasion always have the same one, and so the same Message-ID. It begins with
    /// what the order's number comes to: notices of neighbouring orders, which come and go together, then lie together in
    /// all tables, and a million of them cost no more than ten thousand.
    pub fn notice_id(&self, order: &str, notice: &Notice) -> String {
        let digest = Sha256::new()
            .chain_update(&self.instance)
            .chain_update([0])
            .chain_update(order)
            .chain_update([0])
            .chain_update(&notice.occasion)
            .finalize();
        let number = digest.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        let place = order.bytes().fold(0_u64, |place, byte| match byte {
            b'0'..=b'9' => place.wrapping_mul(10).wrapping_add(u64::from(byte - b'0')),
            _ => place.wrapping_mul(257).wrapping_add(u64::from(byte)),
        });
        format!("{:05x}{:011x}", place % (1 << 20), number >> 20)
    }

    /// What the tokens in envelope senders are proved with.
    pub fn bounce_key(&self) -> &[u8] {
        self.bounce_key.as_bytes()
    }

    /// A value of the database's own, by name.
    pub async fn meta(&self, key: &str) -> Result<Option<String>> {
        Ok(sqlx::query_scalar("select value from meta where key = $1")
            .bind(key)
            .fetch_optional(&mut *self.readers.acquire().await?)
            .await?)
    }

    /// Sets a value of the database's own.
    pub async fn set_meta(&self, key: &str, value: &str) -> Result<()> {
        sqlx::query(SET_META).bind(key).bind(value).execute(&mut *self.writer.acquire().await?).await?;
        Ok(())
    }

    /// A transaction with the name of who asks for it.
    async fn begin(&self, name: &'static str) -> Result<Transaction> {
        Ok(self.writer.begin(name).await?)
    }
}

const SET_META: &str = "insert into meta (key, value) values ($1, $2)
    on conflict (key) do update set value = excluded.value";

/// A number of this database's own that nobody can guess; made once. `instance` makes its notice ids its own.
async fn secret(writer: &mut SqliteConnection, name: &str) -> Result<String, sqlx::Error> {
    const MAKE: &str = "insert into meta (key, value) values ($1, lower(hex(randomblob(16))))
        on conflict (key) do nothing";
    // Also where it is made already: a file that may only be read is to be told of now.
    sqlx::query(MAKE).bind(name).execute(&mut *writer).await?;
    sqlx::query_scalar("select value from meta where key = $1").bind(name).fetch_one(writer).await
}

fn plain(error: &sqlx::Error) -> String {
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

fn millis(at: DateTime<Utc>) -> i64 {
    at.timestamp_millis()
}

fn instant(millis: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(millis).unwrap_or(DateTime::UNIX_EPOCH)
}

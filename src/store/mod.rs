//! The only home of sqlx: one SQLite file, one writer, a pool of readers.
//!
//! What always holds: one public method is one transaction and none escapes; no rule lives in SQL; whatever touches more
//! than one row is one statement, whose rows go in as one parameter. Instants are milliseconds, dates ISO texts.
//!
//! In wings: `orders` (facts, allocation, and the one writer of orders), `outbox` (notices on their way), `read` (what
//! happened, read back), `ops` (what ops are told), and `sqlite`, the driver: all that only SQLite understands.

mod error;
mod ops;
mod orders;
mod outbox;
mod read;
mod sqlite;

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};

pub use error::{Result, StoreError};

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
pub use sqlite::open::Durability;

use error::{plain, primary};
use sqlite::connections::{Connections, Transaction};
use sqlite::open::{Opened, copy, open};

use crate::domain::notice::Notice;

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
        let Opened { writer, readers, instance, bounce_key } = open(path, durability, owner).await?;
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
        Ok(copy(&mut *self.writer.acquire().await?, path).await?)
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

fn millis(at: DateTime<Utc>) -> i64 {
    at.timestamp_millis()
}

fn instant(millis: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(millis).unwrap_or(DateTime::UNIX_EPOCH)
}

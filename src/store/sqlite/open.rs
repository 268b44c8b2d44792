//! Opening the file: how careful it is asked to be, its connections, and what it knows of itself.

use std::path::Path;
use std::time::Duration;

use sqlx::SqliteConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteLockingMode, SqliteSynchronous};

use super::connections::Connections;
use super::lock::Lock;
use super::schema;
use crate::store::error::{Result, StoreError, plain};

/// Connections that read.
const READERS: usize = 4;

/// How careful the database is asked to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// What was committed survives power loss.
    Full,
    /// For what is thrown away: nothing is kept before `Store::close`, and nothing that fails is taken back.
    None,
    /// The same for a simulation. The statements are those of the daemon, which its schema holds to every condition; here
    /// it does so in a debug build only, for it takes a sixth of the time.
    Simulated,
}

/// A database that was opened.
pub(in crate::store) struct Opened {
    pub writer: Connections,
    pub readers: Connections,
    /// Makes its notice ids its own.
    pub instance: String,
    /// What the tokens in envelope senders are proved with.
    pub bounce_key: String,
}

/// Opens the file, makes it where there is none, and brings its schema up to date. `owner` is the lock, where the caller
/// holds it.
pub(in crate::store) async fn open(
    path: &Path,
    durability: Durability,
    owner: Option<&Lock>,
) -> Result<Opened> {
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
        Durability::Full => base.journal_mode(SqliteJournalMode::Wal).synchronous(SqliteSynchronous::Full),
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
    schema::bring_up_to_date(&mut conn, path, owner).await?;
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
    Ok(Opened { writer, readers, instance, bounce_key })
}

/// Copies the whole database, as it stands, into a file that does not exist yet.
pub(in crate::store) async fn copy(conn: &mut SqliteConnection, to: &Path) -> Result<(), sqlx::Error> {
    sqlx::query("vacuum into $1").bind(to.display().to_string()).execute(conn).await?;
    Ok(())
}

/// A number of this database's own that nobody can guess; made once. `instance` makes its notice ids its own.
async fn secret(writer: &mut SqliteConnection, name: &str) -> Result<String, sqlx::Error> {
    const MAKE: &str = "insert into meta (key, value) values ($1, lower(hex(randomblob(16))))
        on conflict (key) do nothing";
    // Also where it is made already: a file that may only be read is to be told of now.
    sqlx::query(MAKE).bind(name).execute(&mut *writer).await?;
    sqlx::query_scalar("select value from meta where key = $1").bind(name).fetch_one(writer).await
}

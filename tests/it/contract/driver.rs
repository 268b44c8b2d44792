//! The databases that a store can be on, each with the few things that tests ask of it beside the store.
//!
//! What always holds: the suite, and the shops of the stories, come to a database by a [`Driver`] alone. Another kind of
//! database is one more variant, with a [`Raw`] of its own.

use std::path::{Path, PathBuf};

use shipby::store::{Durability, Lock, Result, Store};

use crate::support::raw::Raw;

/// A kind of database.
#[derive(Debug, Clone, Copy)]
pub enum Driver {
    /// A file, at the place it is named by.
    Sqlite,
}

impl Driver {
    /// The one that tests are run on.
    pub const TESTED: Self = Self::Sqlite;

    /// Where a database can be made, in a folder of a test's own.
    pub fn place(self, folder: &Path) -> PathBuf {
        match self {
            Self::Sqlite => folder.join("shipby.db"),
        }
    }

    /// Opens the database at a place, and makes it where there is none: each time with connections of its own.
    pub async fn open(self, place: &Path) -> Result<Store> {
        match self {
            Self::Sqlite => Store::open(place, Durability::Full).await,
        }
    }

    /// Opens one that must be there.
    pub async fn open_existing(self, place: &Path) -> Result<Store> {
        match self {
            Self::Sqlite => Store::open_existing(place).await,
        }
    }

    /// Opens it as the one daemon that owns it, for as long as the lock is kept.
    pub async fn open_owned(self, place: &Path) -> Result<(Lock, Store)> {
        match self {
            Self::Sqlite => {
                let lock = Lock::take(place)?;
                let store = Store::open_owned(&lock).await?;
                Ok((lock, store))
            }
        }
    }

    /// The database at a place by another way than the store.
    pub async fn raw(self, place: &Path) -> Raw {
        match self {
            Self::Sqlite => Raw::at(place).await,
        }
    }

    /// Whether all of it is where it belongs, once every store on it is closed.
    pub fn is_closed_well(self, place: &Path) -> bool {
        match self {
            Self::Sqlite => !place.with_extension("db-wal").exists(),
        }
    }
}

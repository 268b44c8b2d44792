//! One daemon owns a database: it holds an exclusive lock on a file beside it for as long as it lives.
//!
//! The lock goes with the process, so a dead owner never stands in the way.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use crate::store::{Result, StoreError};

/// The lock; dropping it (or dying) gives it up.
#[derive(Debug)]
pub struct Lock {
    _file: File,
    database: PathBuf,
}

impl Lock {
    /// Takes the lock of the database at `path`.
    ///
    /// # Errors
    /// [`StoreError::Locked`] while another daemon holds it.
    pub fn take(path: &Path) -> Result<Self> {
        let mut name = path.as_os_str().to_owned();
        name.push(".lock");
        let beside = PathBuf::from(name);
        let open = |error: std::io::Error| {
            let mend = match error.kind() {
                ErrorKind::PermissionDenied => "; its folder must belong to whom shipby runs as",
                _ => "",
            };
            StoreError::Open { path: beside.clone(), message: format!("{error}{mend}") }
        };
        let mut file =
            OpenOptions::new().create(true).truncate(false).write(true).open(&beside).map_err(open)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StoreError::Locked { path: path.to_owned() }),
            Err(TryLockError::Error(error)) => return Err(open(error)),
        }
        // Who it is helps the person who finds the file; the lock itself is what counts.
        file.set_len(0).map_err(open)?;
        writeln!(file, "{}", std::process::id()).map_err(open)?;
        Ok(Self { _file: file, database: path.to_owned() })
    }

    /// The database it is the lock of.
    pub fn database(&self) -> &Path {
        &self.database
    }
}

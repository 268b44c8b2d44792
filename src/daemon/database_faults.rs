//! Faults of the database, said once when it begins and once when it is over. Damage ends the work for good: nothing
//! that is read from a damaged file may be mailed, and nothing mends it but a backup.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use crate::store::StoreError;
use crate::telemetry::Supervisor;

/// What all duties know of it.
#[derive(Debug, Clone)]
pub(super) struct DatabaseFaults {
    supervisor: Supervisor,
    database: Arc<PathBuf>,
    known: Arc<Mutex<Known>>,
}

#[derive(Debug, Default)]
struct Known {
    damaged: bool,
    /// By what could not be done: why.
    open: BTreeMap<&'static str, String>,
}

impl DatabaseFaults {
    pub fn new(supervisor: Supervisor, database: PathBuf) -> Self {
        Self { supervisor, database: Arc::new(database), known: Arc::default() }
    }

    /// Whether the database is damaged: no duty does anything then.
    pub fn is_damage(&self) -> bool {
        self.known().damaged
    }

    /// Takes in how something went that is tried again by itself; `what` says what could not be done where it went wrong.
    pub fn take<T>(&self, what: &'static str, done: Result<T, StoreError>) -> Option<T> {
        match done {
            Ok(done) => {
                self.over(what);
                Some(done)
            }
            Err(error) => {
                self.met(what, &error);
                None
            }
        }
    }

    fn met(&self, what: &'static str, error: &StoreError) {
        let words = error.to_string();
        let mut known = self.known();
        if known.damaged {
            return;
        }
        if error.is_damage() {
            known.damaged = true;
            tracing::error!(database = %self.database.display(), %error,
                "the database is damaged and nothing is sent any more; stop shipby and restore a backup");
            self.supervisor
                .status("database", "the database is damaged and nothing is sent; restore a backup");
        } else if known.open.get(what) != Some(&words) {
            tracing::error!(%error, "{what}; it is tried again");
            self.supervisor.status("database", &words);
            known.open.insert(what, words);
        }
    }

    fn over(&self, what: &'static str) {
        let mut known = self.known();
        if known.open.remove(what).is_some() {
            tracing::info!("this went well again, after: {what}");
            if known.open.is_empty() && !known.damaged {
                self.supervisor.status("database", "");
            }
        }
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

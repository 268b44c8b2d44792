//! What all connections of a catcher have in common: how it behaves, and what it was given.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::script::Script;
use crate::domain::reply::Phase;

/// One mail as it arrived, dots un-doubled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caught {
    /// Empty for the null sender.
    pub from: String,
    pub to: Vec<String>,
    pub bytes: Vec<u8>,
}

/// How a catcher behaves apart from its script.
#[derive(Clone)]
pub struct Settings {
    pub script: Script,
    /// Keep the mails; without it they are only counted, and nothing of them is stored.
    pub keep: bool,
    pub pipelining: bool,
    pub smtputf8: bool,
    /// Announced and enforced, in octets.
    pub size: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { script: Script::usual(), keep: true, pipelining: true, smtputf8: true, size: 32 * 1024 * 1024 }
    }
}

/// What all connections of a catcher have in common.
pub(super) struct Shared {
    pub settings: Settings,
    pub mails: Mutex<Vec<Caught>>,
    pub attempts: Mutex<HashMap<(&'static str, String), u64>>,
    pub connections: AtomicU64,
    pub count: AtomicU64,
    pub taken: watch::Sender<u64>,
}

impl Shared {
    pub fn new(settings: Settings, taken: watch::Sender<u64>) -> Self {
        Self {
            settings,
            mails: Mutex::default(),
            attempts: Mutex::default(),
            connections: AtomicU64::new(0),
            count: AtomicU64::new(0),
            taken,
        }
    }

    /// Files a mail and returns its number, counting from 1.
    pub fn take(&self, mail: Option<Caught>) -> u64 {
        let number = match mail {
            Some(mail) => {
                let mut mails = lock(&self.mails);
                mails.push(mail);
                self.count.fetch_add(1, Ordering::Relaxed) + 1
            }
            None => self.count.fetch_add(1, Ordering::Relaxed) + 1,
        };
        self.taken.send_if_modified(|taken| {
            *taken = (*taken).max(number);
            true
        });
        number
    }

    /// Counts a recipient's visit to a phase.
    pub fn attempt(&self, phase: Phase, to: &str) -> u64 {
        let mut attempts = lock(&self.attempts);
        let count = attempts.entry((phase.as_str(), to.to_owned())).or_default();
        *count += 1;
        *count
    }
}

/// A panic elsewhere does not make what was caught untrue.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

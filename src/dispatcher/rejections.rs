//! Refusals in a row, over all connections: what an accepted mail proves to be no general matter begins anew.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::domain::meaning::Meaning;
use crate::domain::notice::{Notice, NoticeKind};

/// Counts since the last accepted mail; of what a mail says, since the last of its kind.
#[derive(Debug, Default)]
pub(super) struct RejectionCounters {
    policy: Mutex<Policy>,
    /// Something is counted of `policy`: accepted mails need not ask.
    any_policy: AtomicBool,
    /// Envelopes that the server left without an answer.
    unanswered: AtomicU32,
    content: [AtomicU32; NoticeKind::ALL.len()],
}

#[derive(Debug, Default)]
struct Policy {
    count: u32,
    /// Of the first of them.
    domain: String,
    /// There are others among them.
    mixed: bool,
}

impl RejectionCounters {
    fn policy(&self) -> MutexGuard<'_, Policy> {
        self.policy.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that the server hung up, or said nothing, before it had a body; says how many times in a row.
    pub fn unanswered(&self) -> u32 {
        self.unanswered.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Notes a refusal; says how many like it came in a row, and whether they are of several domains.
    pub fn refused(&self, notice: &Notice, meaning: Meaning) -> (u32, bool) {
        self.answered();
        match meaning {
            Meaning::Policy => {
                let (mut policy, domain) = (self.policy(), notice.content.email.domain());
                if policy.count == 0 {
                    domain.clone_into(&mut policy.domain);
                }
                policy.count += 1;
                policy.mixed |= policy.domain != domain;
                self.any_policy.store(true, Ordering::Relaxed);
                (policy.count, policy.mixed)
            }
            Meaning::Content | Meaning::TooLarge => {
                (self.content[notice.kind as usize].fetch_add(1, Ordering::Relaxed) + 1, false)
            }
            _ => (1, false),
        }
    }

    fn answered(&self) {
        if self.unanswered.load(Ordering::Relaxed) != 0 {
            self.unanswered.store(0, Ordering::Relaxed);
        }
    }

    /// Notes that a mail was accepted.
    pub fn accepted(&self, kind: NoticeKind) {
        self.answered();
        // Nearly always nothing is counted, and what all connections write is dear.
        if self.any_policy.load(Ordering::Relaxed) {
            *self.policy() = Policy::default();
            self.any_policy.store(false, Ordering::Relaxed);
        }
        let content = &self.content[kind as usize];
        if content.load(Ordering::Relaxed) != 0 {
            content.store(0, Ordering::Relaxed);
        }
    }
}

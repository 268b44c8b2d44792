//! Refusals in a row, over all connections: what an accepted mail proves to be no general matter begins anew.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::domain::meaning::Meaning;
use crate::domain::notice::NoticeKind;

/// Counts since the last accepted mail; of what a mail says, since the last of its kind.
#[derive(Debug, Default)]
pub(super) struct Streaks {
    policy: AtomicU32,
    content: [AtomicU32; NoticeKind::ALL.len()],
}

impl Streaks {
    /// Notes a refusal; says how many like it came in a row.
    pub fn refused(&self, kind: NoticeKind, meaning: Meaning) -> u32 {
        let streak = match meaning {
            Meaning::Policy => &self.policy,
            Meaning::Content | Meaning::TooLarge => &self.content[kind as usize],
            _ => return 1,
        };
        streak.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Notes that a mail was accepted.
    pub fn accepted(&self, kind: NoticeKind) {
        for streak in [&self.policy, &self.content[kind as usize]] {
            // Nearly always nothing is counted, and what all connections write is dear.
            if streak.load(Ordering::Relaxed) != 0 {
                streak.store(0, Ordering::Relaxed);
            }
        }
    }
}

//! Mails of a rehearsal, written by a thread of its own while the shop's life goes on: nobody gets them, and no decision
//! depends on them, but for one that cannot be written.
//!
//! What always holds: every mail that was handed over comes back written, or counts as one that cannot be.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::Settings;
use super::render::MailRenderer;
use crate::domain::calendar::Instant;
use crate::store::{Ready, Staged, Store, StoreError};

/// Mails that are handed over together, and stored together: to wake a sleeping processor costs as much as some of them.
const TOGETHER: usize = 250;
/// So many times that wait to be written at most: what is ahead stays small in memory.
const AHEAD: usize = 3;

/// The thread that writes, and what it has written.
pub(super) struct Beside {
    store: Store,
    to_write: Vec<(Ready, Instant)>,
    hand_over: Option<mpsc::Sender<Vec<(Ready, Instant)>>>,
    /// None: one of them cannot be written.
    written: mpsc::UnboundedReceiver<Option<Vec<Staged>>>,
    /// Handed over and not back yet.
    out: usize,
}

impl Beside {
    pub fn start(renderer: Arc<MailRenderer>, settings: Arc<Settings>, store: Store) -> Self {
        let (hand_over, mut waiting) = mpsc::channel::<Vec<(Ready, Instant)>>(AHEAD);
        let (done, written) = mpsc::unbounded_channel();
        let (to_write, hand_over) = (Vec::new(), Some(hand_over));
        let beside = Self { store: store.clone(), to_write, hand_over, written, out: 0 };
        tokio::task::spawn_blocking(move || {
            while let Some(some) = waiting.blocking_recv() {
                let write =
                    |(ready, now): &(Ready, Instant)| renderer.write(ready, &settings, &store, *now).ok();
                let mails: Option<Vec<Staged>> = some.iter().map(|some| Some(write(some)?.staged)).collect();
                if done.send(mails).is_err() {
                    return;
                }
            }
        });
        beside
    }

    /// Has these written, as of `now`, which is when they count as kept; stores what was written meanwhile. Says whether
    /// all could be written so far.
    pub async fn write(
        &mut self,
        ready: impl Iterator<Item = Ready>,
        now: Instant,
    ) -> Result<bool, StoreError> {
        self.to_write.extend(ready.map(|ready| (ready, now)));
        if self.to_write.len() >= TOGETHER {
            self.hand_over().await;
        }
        while let Ok(mails) = self.written.try_recv() {
            let Some(mails) = mails else { return Ok(false) };
            self.keep(&mails).await?;
        }
        Ok(true)
    }

    async fn hand_over(&mut self) {
        if let Some(hand_over) = self.hand_over.as_ref().filter(|_| !self.to_write.is_empty()) {
            self.out += 1;
            // Should the thread have died, they stay out.
            let _ = hand_over.send(std::mem::take(&mut self.to_write)).await;
        }
    }

    async fn keep(&mut self, mails: &[Staged]) -> Result<(), StoreError> {
        self.out -= 1;
        self.store.keep_written(mails).await
    }

    /// Waits until all is written, and stores it. Says whether all could be.
    pub async fn finish(&mut self) -> Result<bool, StoreError> {
        self.hand_over().await;
        self.hand_over = None;
        while let Some(mails) = self.written.recv().await {
            let Some(mails) = mails else { return Ok(false) };
            self.keep(&mails).await?;
        }
        Ok(self.out == 0)
    }
}

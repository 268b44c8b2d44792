//! Group commit: outcomes and begun bodies of all connections that are waiting become durable in one commit.
//!
//! Nobody is answered before the commit is on disk. Acceptances that come thick and fast are written down first and
//! entered in notices and orders together, for that costs a fraction of entering each by itself.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use super::Settings;
use crate::clock::Clock;
use crate::domain::notice::NoticeState;
use crate::store::{Outcomes, Settlement, Store, StoreError};

/// How long a database is waited for; what cannot be stored by then is in doubt.
const PATIENCE: Duration = Duration::from_secs(5 * 60);
const PAUSE: Duration = Duration::from_millis(500);
/// Acceptances entered together: as many as are taken together.
const TOGETHER: usize = super::BATCH as usize;
/// For so long at most a notice that was accepted still shows as being sent.
const LATEST: Duration = Duration::from_secs(1);

/// What a connection asks to be made durable, and whom to tell.
enum Entry {
    Settle(Box<Settlement>, oneshot::Sender<()>),
    Begin { id: String, revision: i64, may: oneshot::Sender<bool> },
}

/// What the task that commits knows.
struct Books {
    store: Store,
    clock: Clock,
    settings: Arc<Settings>,
    /// Notices whose body may leave and that came to nothing yet.
    leaving: HashSet<String>,
    /// Acceptances that are written down and not entered.
    accepted: Vec<Settlement>,
    /// When they are entered at the latest.
    latest: Instant,
}

/// The way into the group commit, one for each connection.
#[derive(Clone)]
pub(super) struct GroupCommit(mpsc::UnboundedSender<Entry>);

impl GroupCommit {
    /// Starts the task that commits; it ends when the last [`GroupCommit`] is gone, or when the database fails.
    pub fn start(
        store: Store,
        clock: Clock,
        settings: Arc<Settings>,
    ) -> (Self, JoinHandle<Result<(), StoreError>>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self(sender), tokio::spawn(keep(store, clock, settings, receiver)))
    }

    /// Hands in an outcome; the receiver resolves once it is durable, and fails if it never will be.
    pub fn settle(&self, settlement: Settlement) -> oneshot::Receiver<()> {
        let (done, durable) = oneshot::channel();
        // A group commit that has ended drops `done`, which is the answer.
        let _ = self.0.send(Entry::Settle(Box::new(settlement), done));
        durable
    }

    /// Whether the body of a notice may leave: recorded as begun, and its order unchanged since it was read.
    pub async fn begin(&self, id: &str, revision: i64) -> bool {
        let (may, answer) = oneshot::channel();
        let _ = self.0.send(Entry::Begin { id: id.to_owned(), revision, may });
        answer.await.unwrap_or(false)
    }
}

async fn keep(
    store: Store,
    clock: Clock,
    settings: Arc<Settings>,
    mut entries: mpsc::UnboundedReceiver<Entry>,
) -> Result<(), StoreError> {
    let (leaving, accepted, latest) = (HashSet::new(), Vec::new(), Instant::now());
    let mut books = Books { store, clock, settings, leaving, accepted, latest };
    let mut waiting = Vec::new();
    loop {
        let more = entries.recv_many(&mut waiting, 1_000);
        let more =
            if books.accepted.is_empty() { Ok(more.await) } else { timeout_at(books.latest, more).await };
        match more {
            Ok(0) => return books.enter().await,
            Ok(_) => {
                // Who is about to hand something in may still: a commit costs far more than what is in it.
                tokio::task::yield_now().await;
                waiting.extend(std::iter::from_fn(|| entries.try_recv().ok()));
                books.take_in(waiting.drain(..)).await?;
            }
            Err(_) => {}
        }
        if books.accepted.len() >= TOGETHER || Instant::now() >= books.latest {
            books.enter().await?;
        }
    }
}

impl Books {
    /// Makes entries durable in one commit, and tells who waits for them. While bodies are leaving, more acceptances will
    /// come: these are only written down.
    async fn take_in(&mut self, entries: impl Iterator<Item = Entry>) -> Result<(), StoreError> {
        let mut outcomes = Outcomes::default();
        let (mut settled, mut begun) = (Vec::new(), Vec::new());
        for entry in entries {
            match entry {
                Entry::Settle(settlement, done) => {
                    self.leaving.remove(&settlement.id);
                    if settlement.settled.state == NoticeState::Accepted {
                        outcomes.accepted.push(*settlement);
                    } else {
                        outcomes.settled.push(*settlement);
                    }
                    settled.push(done);
                }
                Entry::Begin { id, revision, may } => {
                    outcomes.begin.push((id.clone(), revision));
                    begun.push((id, may));
                }
            }
        }
        if begun.is_empty() && self.leaving.is_empty() {
            outcomes.settled.append(&mut outcomes.accepted);
            outcomes.settled.append(&mut self.accepted);
        }
        let may_leave = self.commit(&outcomes).await?;
        if self.accepted.is_empty() {
            self.latest = Instant::now() + LATEST;
        }
        self.accepted.append(&mut outcomes.accepted);
        for done in settled {
            let _ = done.send(());
        }
        for (id, may) in begun {
            let _ = may.send(may_leave.contains(&id));
        }
        self.leaving.extend(may_leave);
        Ok(())
    }

    /// Enters everywhere what was only written down.
    async fn enter(&mut self) -> Result<(), StoreError> {
        if self.accepted.is_empty() {
            return Ok(());
        }
        let settled = std::mem::take(&mut self.accepted);
        self.commit(&Outcomes { settled, ..Outcomes::default() }).await?;
        Ok(())
    }

    /// Commits; a database that is locked or full is waited for, so that what a server took is not in doubt for that
    /// alone.
    async fn commit(&self, outcomes: &Outcomes) -> Result<Vec<String>, StoreError> {
        let start = Instant::now();
        let mut said = false;
        loop {
            match self
                .store
                .commit(&self.settings.owner, self.clock.now(), outcomes, &self.settings.policy)
                .await
            {
                Err(error) if error.may_pass() && start.elapsed() < PATIENCE => {
                    if !said {
                        tracing::error!(%error, "what the relay said cannot be stored; nothing leaves until it can");
                    }
                    said = true;
                    tokio::time::sleep(PAUSE).await;
                }
                done => return done,
            }
        }
    }
}

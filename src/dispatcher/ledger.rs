//! Group commit: outcomes and begun bodies of all connections that are waiting become durable in one commit.
//!
//! Nobody is answered before the commit is on disk.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::clock::Clock;
use crate::store::{Outcomes, Settlement, Store, StoreError};

/// How long a database is waited for; what cannot be stored by then is in doubt.
const PATIENCE: Duration = Duration::from_secs(5 * 60);
const PAUSE: Duration = Duration::from_millis(500);

/// What a connection asks to be made durable, and whom to tell.
enum Entry {
    Settle(Box<Settlement>, oneshot::Sender<()>),
    Begin { id: String, revision: i64, may: oneshot::Sender<bool> },
}

/// The way into the ledger, one for each connection.
#[derive(Clone)]
pub(super) struct Ledger(mpsc::UnboundedSender<Entry>);

impl Ledger {
    /// Starts the task that commits; it ends when the last [`Ledger`] is gone, or when the database fails.
    pub fn start(store: Store, clock: Clock, owner: String) -> (Self, JoinHandle<Result<(), StoreError>>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self(sender), tokio::spawn(keep(store, clock, owner, receiver)))
    }

    /// Hands in an outcome; the receiver resolves once it is durable, and fails if it never will be.
    pub fn settle(&self, settlement: Settlement) -> oneshot::Receiver<()> {
        let (done, durable) = oneshot::channel();
        // A ledger that has ended drops `done`, which is the answer.
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
    owner: String,
    mut entries: mpsc::UnboundedReceiver<Entry>,
) -> Result<(), StoreError> {
    let mut waiting = Vec::new();
    while entries.recv_many(&mut waiting, 1_000).await > 0 {
        let mut outcomes = Outcomes::default();
        let (mut settled, mut begun) = (Vec::new(), Vec::new());
        for entry in waiting.drain(..) {
            match entry {
                Entry::Settle(settlement, done) => {
                    outcomes.settled.push(*settlement);
                    settled.push(done);
                }
                Entry::Begin { id, revision, may } => {
                    outcomes.begin.push((id.clone(), revision));
                    begun.push((id, may));
                }
            }
        }
        let may_leave = commit(&store, &owner, &clock, &outcomes).await?;
        for done in settled {
            let _ = done.send(());
        }
        for (id, may) in begun {
            let _ = may.send(may_leave.contains(&id));
        }
    }
    Ok(())
}

/// Commits; a database that is locked or full is waited for, so that what a server took is not in doubt for that alone.
async fn commit(
    store: &Store,
    owner: &str,
    clock: &Clock,
    outcomes: &Outcomes,
) -> Result<Vec<String>, StoreError> {
    let start = Instant::now();
    let mut said = false;
    loop {
        match store.commit(owner, clock.now(), outcomes).await {
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

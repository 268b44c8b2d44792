//! A small SMTP server on this machine that keeps what it is given: the demo's and the tests' letter box.
//!
//! What always holds: it listens on 127.0.0.1 only and delivers nothing anywhere; a mail it answered 2yz
//! at the dot is in [`Catcher::mails`], byte for byte; what it answers otherwise is the script's choice.

mod script;
mod session;
mod shared;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

pub use script::{Answer, Dialogue, Script};
pub use shared::{Caught, Settings};

use shared::{Shared, lock};

/// A running catcher. Dropping it ends it and its connections.
pub struct Catcher {
    address: SocketAddr,
    shared: Arc<Shared>,
    counted: watch::Receiver<u64>,
    listening: JoinHandle<()>,
}

impl Catcher {
    /// Starts on a free port of 127.0.0.1, keeping all mails.
    pub async fn start(script: Script) -> io::Result<Self> {
        Self::with(Settings { script, ..Settings::default() }).await
    }

    /// Starts a well-behaved catcher that only counts: the sink of a benchmark.
    pub async fn counting() -> io::Result<Self> {
        Self::with(Settings { keep: false, ..Settings::default() }).await
    }

    /// Starts on a free port of 127.0.0.1.
    pub async fn with(settings: Settings) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let (taken, counted) = watch::channel(0);
        let shared = Arc::new(Shared::new(settings, taken));
        let listening = tokio::spawn(listen(listener, shared.clone()));
        Ok(Self { address, shared, counted, listening })
    }

    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// All mails taken so far, in the order of their acceptance; empty when they are only counted.
    pub fn mails(&self) -> Vec<Caught> {
        lock(&self.shared.mails).clone()
    }

    /// How many mails were taken.
    pub fn count(&self) -> u64 {
        self.shared.count.load(Ordering::Relaxed)
    }

    /// How many connections were made.
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// Waits until at least `count` mails were taken. Bound it with a time limit.
    pub async fn wait_for(&self, count: u64) {
        // The sender lives as long as self.shared, so waiting cannot fail.
        let _ = self.counted.clone().wait_for(|taken| *taken >= count).await;
    }

    /// Ends it and its connections, and returns what was caught.
    pub async fn stop(mut self) -> Vec<Caught> {
        self.listening.abort();
        let _ = (&mut self.listening).await;
        std::mem::take(&mut *lock(&self.shared.mails))
    }
}

impl Drop for Catcher {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

async fn listen(listener: TcpListener, shared: Arc<Shared>) {
    // Its connections end with this set, and this set with the task.
    let mut open = JoinSet::new();
    loop {
        while open.try_join_next().is_some() {}
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let _ = stream.set_nodelay(true);
        open.spawn(session::serve(stream, shared.clone()));
    }
}

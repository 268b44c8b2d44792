//! A small SMTP server on this machine that keeps what it is given: the demo's and the tests' letter box.
//!
//! What always holds: it listens on 127.0.0.1 only and delivers nothing anywhere; a mail it answered 2yz
//! at the dot is in [`Catcher::mails`], byte for byte; what it answers otherwise is the script's choice.

mod session;

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{net::TcpListener, sync::watch, task::JoinSet};

use crate::domain::reply::Phase;

/// One mail as it arrived, dots un-doubled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caught {
    /// Empty for the null sender.
    pub from: String,
    pub to: Vec<String>,
    pub bytes: Vec<u8>,
}

/// Where a dialogue stands when the script is asked for an answer.
#[derive(Debug)]
pub struct Dialogue<'a> {
    /// `Greeting` on connecting, `Hello` at EHLO and HELO, `Mail`, `Rcpt`, `Data`, and `Body` after the dot.
    pub phase: Phase,
    /// Counts connections from 1.
    pub connection: u64,
    /// Counts the mails begun on this connection from 1; 0 before the first MAIL.
    pub mail: u64,
    pub from: &'a str,
    /// The recipient just named, or the last one.
    pub to: &'a str,
    /// How often this phase was reached for this recipient, over all connections, from 1.
    pub attempt: u64,
}

/// What the catcher says at a phase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// What a well-behaved server says; the only one that takes a mail besides `Reply("2…")` at the dot.
    Usual,
    /// A reply in full, without its last line end: `"450 4.2.0 come back later"`.
    Reply(String),
    /// Any octets, then go on as if they had been a refusal.
    Raw(Vec<u8>),
    /// Any octets, then the end of the connection.
    Close(Vec<u8>),
    /// Wait, then answer. Other connections go on meanwhile.
    After(Duration, Box<Answer>),
    /// Nothing, ever, but the connection stays.
    Silence,
    /// Take the mail (at the dot), then close without a word: the case no client can decide.
    TakeAndClose,
    /// Take the mail (at the dot) and say otherwise, as a server does that stores first and trips then.
    TakeAndSay(String),
}

impl Answer {
    /// A reply in full, without its last line end.
    pub fn reply(text: impl Into<String>) -> Self {
        Self::Reply(text.into())
    }
}

type Decide = dyn Fn(&Dialogue<'_>) -> Answer + Send + Sync;

/// Decides the catcher's answers; plain data for the common cases, any function for the others.
#[derive(Clone, Default)]
pub struct Script(Option<Arc<Decide>>);

impl Script {
    /// A well-behaved server.
    pub fn usual() -> Self {
        Self(None)
    }

    pub fn new(decide: impl Fn(&Dialogue<'_>) -> Answer + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(decide)))
    }

    /// Always the same answer at one phase.
    pub fn at(phase: Phase, answer: Answer) -> Self {
        Self::new(move |dialogue| if dialogue.phase == phase { answer.clone() } else { Answer::Usual })
    }

    /// Another answer the first `times` times one recipient reaches a phase, as greylisting servers do.
    pub fn first(times: u64, phase: Phase, answer: Answer) -> Self {
        Self::new(move |dialogue| {
            let early = dialogue.phase == phase && dialogue.attempt <= times;
            if early { answer.clone() } else { Answer::Usual }
        })
    }
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

/// A running catcher. Dropping it ends it and its connections.
pub struct Catcher {
    address: SocketAddr,
    shared: Arc<Shared>,
    counted: watch::Receiver<u64>,
    listening: tokio::task::JoinHandle<()>,
}

/// What all connections of a catcher have in common.
struct Shared {
    settings: Settings,
    mails: Mutex<Vec<Caught>>,
    attempts: Mutex<HashMap<(&'static str, String), u64>>,
    connections: AtomicU64,
    count: AtomicU64,
    taken: watch::Sender<u64>,
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
        let shared = Arc::new(Shared {
            settings,
            mails: Mutex::default(),
            attempts: Mutex::default(),
            connections: AtomicU64::new(0),
            count: AtomicU64::new(0),
            taken,
        });
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

impl Shared {
    /// Files a mail and returns its number, counting from 1.
    fn take(&self, mail: Option<Caught>) -> u64 {
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
    fn attempt(&self, phase: Phase, to: &str) -> u64 {
        let mut attempts = lock(&self.attempts);
        let count = attempts.entry((phase.as_str(), to.to_owned())).or_default();
        *count += 1;
        *count
    }
}

/// A panic elsewhere does not make what was caught untrue.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

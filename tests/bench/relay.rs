//! The way out, measured against a real mail server's sink: Postfix's `smtp-sink`, on a free port of loopback.
//!
//! `cargo bench --bench relay` runs all of it; `-- sink`, `-- far` or `-- many` a part. NOTICES (default 100,000) sets
//! the size of the last. Each figure is the median of three runs, but for the last. The database is a real file with full
//! synchronisation; memory is the highest while mail is sent, and no more.

use std::net::{SocketAddr, TcpListener as Port};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant as Wall};

use shipby::clock::Clock;
use shipby::dispatcher::Dispatcher;
use shipby::domain::order::apply::Notify;
use shipby::domain::reply::Verdict;
use shipby::mail::{Connection, Envelope, Relay};
use shipby::store::{Durability, Store};
use shipby::{planner, wiring};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

mod shop;
use shop::{config, dispatcher, figure, fill, peak_megabytes, start};

const RUNS: usize = 3;
const CONNECTIONS: usize = 8;
const AT_ONCE: usize = 10_000;
const FAR: usize = 2_000;
/// Of the distant relay, for one way.
const DELAY: Duration = Duration::from_millis(10);

fn main() {
    let asked: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let wants = |part: &str| asked.is_empty() || asked.iter().any(|word| word == part);
    let Some(sink) = Sink::start() else {
        println!("there is no smtp-sink; apt-get install -y --no-install-recommends postfix");
        return;
    };
    let notices = std::env::var("NOTICES").ok().and_then(|text| text.parse().ok()).unwrap_or(100_000);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut rate = None;
        if wants("sink") {
            rate = Some(all_and_only_sending(&sink).await);
        }
        if wants("far") {
            far(&sink).await;
        }
        if wants("many") {
            many(&sink, notices, rate).await;
        }
    });
}

/// A sink that takes every mail. It ends when dropped.
struct Sink {
    child: Child,
    port: u16,
}

impl Sink {
    /// None where Postfix is not installed.
    fn start() -> Option<Self> {
        let port = Port::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let mut command = Command::new("smtp-sink");
        if Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout == b"0\n") {
            command.args(["-u", "nobody"]);
        }
        command.arg(format!("127.0.0.1:{port}")).arg("256").stdout(Stdio::null());
        let mut sink = Self { child: command.spawn().ok()?, port };
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(sink.child.try_wait().unwrap().is_none(), "smtp-sink has ended");
            std::thread::sleep(Duration::from_millis(10));
        }
        Some(sink)
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A house with so many confirmations that are due.
struct House {
    store: Store,
    dispatcher: Dispatcher,
    _folder: TempDir,
}

impl House {
    async fn with(notices: usize, port: u16) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (config, at) = (config(folder.path()), start());
        let store = Store::open(&folder.path().join("bench.db"), Durability::Full).await.unwrap();
        fill(&store, notices, at, Notify::All).await;
        let planned = planner::turn(&store, &config.policy(), at).await.unwrap();
        assert_eq!(planned.queued, notices);
        let relay = wiring::local_relay("127.0.0.1", port).unwrap();
        let (clock, _) = Clock::simulated(at);
        let dispatcher = dispatcher(&config, &store, clock, relay, CONNECTIONS);
        Self { dispatcher, store, _folder: folder }
    }

    /// Renders, keeps, sends and settles all of it; what that took.
    async fn send(&mut self, notices: usize) -> Cost {
        forget_peak();
        let (wall, processor) = (Wall::now(), processor_seconds());
        let report = self.dispatcher.drain(&CancellationToken::new()).await.unwrap();
        let cost =
            Cost { took: wall.elapsed(), processor: processor_seconds() - processor, peak: peak_megabytes() };
        assert_eq!((report.settled, report.relay_down), (notices, None));
        cost
    }

    async fn close(mut self) {
        self.dispatcher.close().await;
        self.store.close().await;
    }
}

#[derive(Clone, Copy)]
struct Cost {
    took: Duration,
    processor: f64,
    peak: u64,
}

fn median<T: Copy>(mut of: Vec<T>, by: impl Fn(&T) -> f64) -> T {
    of.sort_by(|a, b| by(a).total_cmp(&by(b)));
    of[of.len() / 2]
}

/// The whole way beside the bare sending of one of its mails over as many connections, in turn. Says how many mails a
/// second the whole way made.
async fn all_and_only_sending(sink: &Sink) -> f64 {
    let (mut all, mut only) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let mut house = House::with(AT_ONCE, sink.port).await;
        all.push(house.send(AT_ONCE).await);
        let (_, mail) = house.store.messages_after("", 1).await.unwrap().remove(0);
        house.close().await;
        only.push(only_sending(sink.port, mail.leak()).await);
    }
    let (all, only) = (median(all, |cost| cost.took.as_secs_f64()), median(only, Duration::as_secs_f64));
    figure("rendered, kept, sent and settled", AT_ONCE, all.took);
    println!("{:<44} {:>9.1} s", "  processor time, user and system", all.processor);
    println!("{:<44} {:>9} MB", "  resident memory at its peak", all.peak);
    figure("one of these mails sent, and nothing else", AT_ONCE, only);
    let ratio = only.as_secs_f64() / all.took.as_secs_f64();
    println!("{:<44} {ratio:>9.2}", "the whole way against the bare sending");
    AT_ONCE as f64 / all.took.as_secs_f64()
}

async fn only_sending(port: u16, mail: &'static [u8]) -> Duration {
    let relay: Relay = wiring::local_relay("127.0.0.1", port).unwrap();
    let mut open = Vec::new();
    for _ in 0..CONNECTIONS {
        open.push(Connection::open(&relay).await.unwrap());
    }
    let wall = Wall::now();
    let send_all = |mut connection: Connection| async move {
        for _ in 0..AT_ONCE / CONNECTIONS {
            connection
                .envelope(Envelope { from: Some("a@shop.example"), to: "kim@example.com", size: mail.len() })
                .await
                .unwrap();
            assert!(matches!(connection.body(mail).await, Verdict::Accepted(_)));
        }
        connection
    };
    let tasks: Vec<_> = open.into_iter().map(|connection| tokio::spawn(send_all(connection))).collect();
    let mut done = Vec::new();
    for task in tasks {
        done.push(task.await.unwrap());
    }
    let took = wall.elapsed();
    for connection in done {
        connection.quit().await;
    }
    took
}

/// A relay that every octet takes a while to come to.
async fn far(sink: &Sink) {
    let mut runs = Vec::new();
    let (port, _) = distant(SocketAddr::from(([127, 0, 0, 1], sink.port))).await;
    let trip = round_trip(port).await;
    for _ in 0..RUNS {
        let (port, most) = distant(SocketAddr::from(([127, 0, 0, 1], sink.port))).await;
        let mut house = House::with(FAR, port).await;
        runs.push((house.send(FAR).await.took, most.load(Ordering::SeqCst)));
        house.close().await;
    }
    let (took, most) = median(runs, |(took, _)| took.as_secs_f64());
    figure("the same to a relay 20 ms away", FAR, took);
    let trips = CONNECTIONS as f64 * took.as_secs_f64() / (FAR as f64 * trip.as_secs_f64());
    println!("{:<44} {trip:>9.2?}", "  a round trip, its timers included");
    println!("{:<44} {trips:>9.2}", "  round trips for a mail");
    println!("{:<44} {most:>9} of {CONNECTIONS}", "  connections that were open at one time");
}

/// What the shortest question takes on the way to a relay, in the middle of many.
async fn round_trip(port: u16) -> Duration {
    let mut relay = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    relay.set_nodelay(true).unwrap();
    let mut answer = [0; 512];
    assert!(relay.read(&mut answer).await.unwrap() > 0, "it greets");
    let mut trips = Vec::new();
    for _ in 0..50 {
        let wall = Wall::now();
        relay.write_all(b"NOOP\r\n").await.unwrap();
        assert!(relay.read(&mut answer).await.unwrap() > 0);
        trips.push(wall.elapsed());
    }
    median(trips, Duration::as_secs_f64)
}

/// A way to `behind` on which everything takes 10 ms in each direction, in order; its port, and the most connections that
/// were open on it at one time.
async fn distant(behind: SocketAddr) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (open, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let counted = most.clone();
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            let far = TcpStream::connect(behind).await.unwrap();
            near.set_nodelay(true).unwrap();
            far.set_nodelay(true).unwrap();
            let ((from_near, to_near), (from_far, to_far)) = (near.into_split(), far.into_split());
            counted.fetch_max(open.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            let open = open.clone();
            tokio::spawn(carry(from_far, to_near));
            tokio::spawn(async move {
                carry(from_near, to_far).await;
                open.fetch_sub(1, Ordering::SeqCst);
            });
        }
    });
    (port, most)
}

async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
    let (sender, mut on_the_way) = mpsc::unbounded_channel::<(tokio::time::Instant, Vec<u8>)>();
    let arrives = async move {
        while let Some((at, octets)) = on_the_way.recv().await {
            tokio::time::sleep_until(at).await;
            if to.write_all(&octets).await.is_err() {
                return;
            }
        }
    };
    let leaves = async move {
        let mut octets = vec![0; 64 * 1024];
        while let Ok(length @ 1..) = from.read(&mut octets).await {
            let arrival = tokio::time::Instant::now() + DELAY;
            if sender.send((arrival, octets[..length].to_vec())).is_err() {
                return;
            }
        }
    };
    tokio::join!(arrives, leaves);
}

/// Very many at one time, against the `rate` of fewer.
async fn many(sink: &Sink, notices: usize, rate: Option<f64>) {
    let mut house = House::with(notices, sink.port).await;
    let cost = house.send(notices).await;
    figure("rendered, kept, sent and settled", notices, cost.took);
    println!("{:<44} {:>9.1} s", "  processor time, user and system", cost.processor);
    println!("{:<44} {:>9} MB", "  resident memory at its peak", cost.peak);
    if let Some(rate) = rate {
        let ratio = notices as f64 / cost.took.as_secs_f64() / rate;
        println!("{:<44} {ratio:>9.2}", "  mails a second, against fewer at one time");
    }
    house.close().await;
}

/// What this process has had of the processors.
fn processor_seconds() -> f64 {
    // The kernel counts for us in hundredths of a second, whatever its own clock does.
    const TICKS: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let (_, after_the_name) = stat.rsplit_once(") ").unwrap();
    let times = after_the_name.split(' ').skip(11).take(2);
    times.map(|ticks| ticks.parse::<f64>().unwrap() / TICKS).sum()
}

/// Lets the highest memory be counted from now on.
fn forget_peak() {
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
}

//! The built binary as a daemon, with the test for its service manager. It is killed when the test ends.

use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use shipby::clock::Clock;
use shipby::domain::fact::Source;
use shipby::intake::{self, Options};
use shipby::store::{Durability, Recorded, Store};
use tempfile::TempDir;

/// No healthy daemon takes as long.
const PATIENCE: Duration = Duration::from_secs(90);

/// A folder with a configuration, a database and a manager's socket.
pub struct House {
    folder: TempDir,
    database: PathBuf,
    manager: UnixDatagram,
}

pub struct Daemon {
    child: Child,
}

impl House {
    /// A house in capture mode.
    pub fn quiet() -> Self {
        Self::with("mode = \"capture\"", "")
    }

    /// A house that mails for real, to a catcher.
    pub fn live(port: u16) -> Self {
        Self::relaying(&format!("port = {port}"))
    }

    /// A house that mails for real; `smtp` are the keys of that section.
    pub fn relaying(smtp: &str) -> Self {
        Self::with("mode = \"live\"\nrate = \"unlimited\"\nconcurrency = 8", smtp)
    }

    /// A live house with its database in another folder.
    pub fn live_in(folder: &Path, port: u16) -> Self {
        let mut house = Self::live(port);
        house.database = folder.join("shipby.db");
        let mut config = std::fs::read_to_string(house.config()).unwrap();
        config.push_str(&format!("[database]\nurl = \"{}\"\n", house.database.display()));
        std::fs::write(house.config(), config).unwrap();
        house
    }

    fn with(delivery: &str, smtp: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = format!(
            "[shop]\nfrom = \"Fine Tableware <orders@tableware.example>\"\ntimezone = \"Europe/Berlin\"\n\
             [delivery]\n{delivery}\n[smtp]\n{smtp}\n"
        );
        std::fs::write(folder.path().join("config.toml"), config).unwrap();
        let manager = UnixDatagram::bind(folder.path().join("notify")).unwrap();
        manager.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { database: folder.path().join("shipby.db"), folder, manager }
    }

    pub fn database(&self) -> PathBuf {
        self.database.clone()
    }

    pub fn config(&self) -> PathBuf {
        self.folder.path().join("config.toml")
    }

    pub fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_shipby"));
        command.arg("--config").arg(self.config()).arg("serve");
        command.env("NOTIFY_SOCKET", self.notify_socket()).env_remove("RUST_LOG");
        command
    }

    /// Starts the daemon and waits until it says that it is ready.
    pub fn serve(&self) -> Daemon {
        let daemon = self.start();
        self.apply_accepted("READY=1");
        daemon
    }

    /// Starts the daemon and waits for nothing.
    pub fn start(&self) -> Daemon {
        self.start_with(&[])
    }

    /// The same with these variables in its environment.
    pub fn start_with(&self, env: &[(&str, &str)]) -> Daemon {
        self.forget_the_last();
        let log = std::fs::File::create(self.folder.path().join("log")).unwrap();
        let mut command = self.command();
        command.envs(env.iter().copied());
        Daemon { child: command.stdout(Stdio::null()).stderr(log).spawn().unwrap() }
    }

    /// What a daemon before this one told the manager is not heard any more.
    fn forget_the_last(&self) {
        self.manager.set_nonblocking(true).unwrap();
        while self.manager.recv(&mut [0; 4096]).is_ok() {}
        self.manager.set_nonblocking(false).unwrap();
    }

    /// Waits until the manager was told this; what comes before is passed over.
    pub fn apply_accepted(&self, word: &str) {
        self.hear_line(word, |line| line == word);
    }

    /// The same for a status that holds these words.
    pub fn hear_status(&self, words: &str) {
        self.hear_line(words, |line| line.starts_with("STATUS=") && line.contains(words));
    }

    fn hear_line(&self, wanted: &str, is_it: impl Fn(&str) -> bool) {
        let mut buffer = [0; 4096];
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            let Ok(length) = self.manager.recv(&mut buffer) else { break };
            if String::from_utf8_lossy(&buffer[..length]).lines().any(&is_it) {
                return;
            }
        }
        panic!("the daemon never said {wanted}; its log:\n{}", self.log());
    }

    /// What the manager is told next; None if that is nothing for so long.
    pub fn next_word(&self, within: Duration) -> Option<String> {
        let mut buffer = [0; 4096];
        self.manager.set_read_timeout(Some(within)).unwrap();
        let heard = self.manager.recv(&mut buffer).ok();
        self.manager.set_read_timeout(Some(PATIENCE)).unwrap();
        heard.map(|length| String::from_utf8_lossy(&buffer[..length]).trim_end().to_owned())
    }

    /// Where the manager listens.
    pub fn notify_socket(&self) -> PathBuf {
        self.folder.path().join("notify")
    }

    /// Waits until the log of the daemon started last has these words.
    pub fn hear_log(&self, words: &str) {
        let end = Instant::now() + PATIENCE;
        while !self.log().contains(words) {
            assert!(Instant::now() < end, "the daemon never logged {words}; its log:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The log of the daemon started last.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    pub async fn store(&self) -> Store {
        Store::open(&self.database(), Durability::Full).await.unwrap()
    }
}

impl Daemon {
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, name: &str) {
        let pid = self.id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &pid]).status().unwrap().success());
    }

    /// Waits for its end.
    pub fn ended(&mut self) -> ExitStatus {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("the daemon does not end");
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Records facts as another process would.
pub async fn record(store: &Store, facts: impl IntoIterator<Item = Value>) -> Vec<Recorded> {
    let now = Clock::System.now();
    let facts: Vec<_> = facts.into_iter().map(|fact| intake::fact(fact, now).unwrap()).collect();
    intake::submit(store, Source::Import, &facts, Options::at(now)).await.unwrap()
}

/// Asks again and again until the answer is there.
pub async fn until<T>(limit: Duration, ask: impl AsyncFn() -> Option<T>) -> T {
    let found = async {
        loop {
            if let Some(found) = ask().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(limit, found).await.expect("it did not happen in time")
}

//! The verbs that write, run as a person runs them: exact words, exit codes, and what is in the database afterwards.

mod address;
mod import;
mod pause;
mod recover;
mod single;
mod suppress;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use shipby::domain::order::Order;
use shipby::store::Store;
use tempfile::TempDir;

use crate::support::raw::Raw;

/// A shop: a folder with a configuration, and the built program run in it.
struct Shop {
    dir: TempDir,
}

/// What a command came to: its exit code, stdout and stderr.
type Came = (i32, String, String);

impl Shop {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("config.toml"), "[shop]\ntimezone = \"Europe/Berlin\"\n").unwrap();
        Self { dir }
    }

    /// A shop that has imported these facts.
    fn with(facts: &[&str]) -> Self {
        let shop = Self::new();
        shop.write("seed.jsonl", &facts.join("\n"));
        let (exit, _, stderr) = shop.run(&["import", "seed.jsonl"]);
        assert_eq!((exit, stderr.as_str()), (0, ""));
        shop
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("shipby"));
        command.args(args).current_dir(self.dir.path()).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn run(&self, args: &[&str]) -> Came {
        came(self.command(args).output().unwrap())
    }

    fn run_on(&self, args: &[&str], stdin: &str) -> Came {
        self.write("stdin", stdin);
        let stdin = std::fs::File::open(self.path("stdin")).unwrap();
        came(self.command(args).stdin(stdin).output().unwrap())
    }

    /// The one document of `--json`.
    fn json(&self, args: &[&str]) -> serde_json::Value {
        let (_, stdout, _) = self.run(&[args, &["--json"]].concat());
        serde_json::from_str(&stdout).unwrap()
    }

    fn ask<T>(&self, question: impl AsyncFnOnce(Store) -> T) -> T {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime
            .block_on(async { question(Store::open_existing(&self.path("shipby.db")).await.unwrap()).await })
    }

    /// The same of the database itself.
    fn ask_raw<T>(&self, question: impl AsyncFnOnce(Raw) -> T) -> T {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async { question(Raw::at(&self.path("shipby.db")).await).await })
    }

    /// The bodies of all facts of a kind that were recorded and not refused, in the order of recording.
    fn read_facts(&self, kind: &str) -> Vec<serde_json::Value> {
        self.ask_raw(async |mut raw| raw.facts(kind).await)
    }

    fn order(&self, number: &str) -> Option<Order> {
        self.ask(async |store| store.order(number).await.unwrap())
    }
}

fn came(output: Output) -> Came {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// What a command says, without the ids it makes up.
fn without_ids(text: &str) -> String {
    let word = |word: &str| {
        let made = word.trim_end_matches([')', '.', '\n', ' ']);
        let hex = |part: &str| part.bytes().all(|b| b.is_ascii_hexdigit());
        match made.split_once('-') {
            Some((time, random)) if time.len() == 11 && random.len() == 8 && hex(time) && hex(random) => {
                word.replace(made, "ID")
            }
            _ => word.to_owned(),
        }
    };
    text.split_inclusive([' ', '\n']).map(word).collect()
}

/// The bytes of the database and what lies beside it.
fn bytes_of(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("shipby.db"))
        .map(|path| (path.display().to_string(), std::fs::read(path).unwrap()))
        .collect();
    files.sort();
    files
}

const ORDER: &str = r#"{"fact":"order","at":"2026-03-02T08:14:00Z","order":"1042","customer":{"email":"ana@example.com"},"lines":[{"id":"1","sku":"KETTLE-01","title":"Kettle","quantity":2,"kind":"backorder"},{"id":"2","sku":"CUP-02","title":"Cup","quantity":4,"kind":"in_stock"},{"id":"3","sku":"KETTLE-01","title":"Kettle","quantity":3,"kind":"backorder"}]}"#;

//! A disk that loses its power: everything that programs write to files is recorded by strace, with the syncs between, so
//! that what a disk may hold after power loss at any moment can be made.
//!
//! What always holds: what was synced is there; of what was not, any part may be. Removing a file or making it shorter is
//! taken as synced at once, which is the worst for whom does so too early.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::process::Command;

use super::chance::Chance;

/// What a disk writes at one time.
const SECTOR: usize = 512;

/// Whether programs can be recorded. False only where nobody promised it: CI (`CI=true`) can or fails.
pub fn can_be_recorded() -> bool {
    let tried = Command::new("strace").args(["-qq", "-o", "/dev/null", "true"]).output();
    if tried.is_ok_and(|said| said.status.success()) {
        return true;
    }
    let mend = "strace is not there or may not be used: power loss was not tried; \
        apt-get install -y --no-install-recommends strace, and run the tests where ptrace is allowed";
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{mend}");
    eprintln!("{mend}");
    false
}

/// strace before a program and all that it starts, writing into `trace`.
pub fn recorder(trace: &Path) -> Command {
    let mut strace = Command::new("strace");
    strace.args(["-f", "--seccomp-bpf", "-qq", "-xx", "-y", "-s", "200000"]).arg("-o").arg(trace);
    strace.args(["-e", "signal=none"]);
    strace.args(["-e", "trace=execve,exit_group,pwrite64,ftruncate,unlink,fsync,fdatasync,sendto,writev"]);
    strace
}

/// What a program did, as far as power loss is concerned.
#[derive(Debug)]
pub enum Event {
    Write {
        file: String,
        at: usize,
        bytes: Vec<u8>,
    },
    Truncate {
        file: String,
        length: usize,
    },
    Remove {
        file: String,
    },
    Sync {
        file: String,
    },
    /// Octets left through a socket.
    Said {
        socket: String,
        bytes: Vec<u8>,
    },
    Started {
        process: String,
        arguments: String,
    },
    Ended {
        process: String,
        code: String,
    },
}

/// Reads what was recorded, in its order.
pub fn events(trace: &Path) -> Vec<Event> {
    let text = std::fs::read_to_string(trace).unwrap();
    let mut syncing: HashMap<String, String> = HashMap::new();
    let mut events = Vec::new();
    for line in text.lines() {
        let (process, call) = line.split_once(' ').unwrap();
        let call = call.trim_start();
        if call.contains("sync resumed>") {
            events.extend(syncing.remove(process).map(|file| Event::Sync { file }));
        } else if let Some((name, arguments)) = call.split_once('(') {
            let begun = arguments.strip_suffix("<unfinished ...>");
            let is_over = begun.is_none();
            let event = event(process, name, begun.unwrap_or(arguments));
            match event {
                // Nothing is known to be on the disk before the call returns.
                Some(Event::Sync { file }) if !is_over => drop(syncing.insert(process.to_owned(), file)),
                event => events.extend(event),
            }
        }
    }
    events
}

fn event(process: &str, name: &str, arguments: &str) -> Option<Event> {
    // Between quotes and angle brackets everything is hexadecimal.
    let (first, rest) = arguments.split_once('>').unwrap_or(("", arguments));
    let file = || text(first.split_once('<').unwrap_or_default().1);
    let quoted = || rest.split('"').skip(1).step_by(2);
    let process = process.to_owned();
    let number = |at: usize| -> usize {
        let after = rest.rsplit('"').next().unwrap_or_default();
        let numbers = after.split(|c: char| !c.is_ascii_digit()).filter(|part| !part.is_empty());
        numbers.map(|part| part.parse().unwrap()).nth(at).unwrap()
    };
    Some(match name {
        "pwrite64" => Event::Write { file: file(), at: number(1), bytes: octets(quoted().next()?) },
        "ftruncate" => Event::Truncate { file: file(), length: number(0) },
        "fsync" | "fdatasync" => Event::Sync { file: file() },
        "sendto" | "writev" => Event::Said { socket: file(), bytes: quoted().flat_map(octets).collect() },
        "unlink" => Event::Remove { file: text(quoted().next()?) },
        "execve" => Event::Started { process, arguments: quoted().map(text).collect::<Vec<_>>().join(" ") },
        // What follows the code says whether strace saw the end of the call.
        "exit_group" => {
            Event::Ended { process, code: arguments.chars().take_while(char::is_ascii_digit).collect() }
        }
        other => panic!("nobody asked for {other}"),
    })
}

fn octets(hex: &str) -> Vec<u8> {
    hex.split("\\x").skip(1).map(|octet| u8::from_str_radix(octet, 16).unwrap()).collect()
}

fn text(hex: &str) -> String {
    String::from_utf8_lossy(&octets(hex)).into_owned()
}

/// The files of a disk.
#[derive(Default)]
pub struct Disk(BTreeMap<String, File>);

#[derive(Default)]
struct File {
    safe: Vec<u8>,
    /// What was written since it was synced last, and where.
    since: Vec<(usize, Vec<u8>)>,
}

impl Disk {
    /// Takes in what was done to a file.
    pub fn take(&mut self, event: &Event) {
        match event {
            Event::Write { file, at, bytes } => {
                self.0.entry(file.clone()).or_default().since.push((*at, bytes.clone()));
            }
            Event::Truncate { file, length } => {
                let File { safe, since } = self.0.entry(file.clone()).or_default();
                since.iter_mut().for_each(|(at, bytes)| bytes.truncate(length.saturating_sub(*at)));
                safe.resize(*length, 0);
            }
            Event::Sync { file } => {
                let Some(File { safe, since }) = self.0.get_mut(file) else { return };
                since.drain(..).for_each(|(at, bytes)| write(safe, at, &bytes));
            }
            Event::Remove { file } => drop(self.0.remove(file)),
            Event::Said { .. } | Event::Started { .. } | Event::Ended { .. } => {}
        }
    }

    /// Lays the files into a folder as they are found after power loss: with nothing that was not synced, or with those
    /// sectors of it that chance has let through.
    pub fn lay_out(&self, folder: &Path, mut chance: Option<&mut Chance>) {
        for (path, File { safe, since }) in &self.0 {
            let mut content = safe.clone();
            for (at, bytes) in since {
                let Some(chance) = &mut chance else { continue };
                for (sector, part) in bytes.chunks(SECTOR).enumerate() {
                    if chance.below(3) > 0 {
                        write(&mut content, at + sector * SECTOR, part);
                    }
                }
            }
            std::fs::write(folder.join(Path::new(path).file_name().unwrap()), content).unwrap();
        }
    }
}

fn write(content: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    let end = at + bytes.len();
    content.resize(content.len().max(end), 0);
    content[at..end].copy_from_slice(bytes);
}

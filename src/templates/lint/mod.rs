//! The checker: a set of files becomes a list of everything that is wrong with it, and, without an error among it, a
//! set that can be used.
//!
//! Every kind, language and sample is rendered; what no sample reaches is read. Nothing stops at the first fault.

mod allow;
mod check;
mod mail_rules;
mod names;
mod phrases;
mod report;
mod rules;
mod tags;

use std::path::PathBuf;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use self::check::{Progress, check};
pub use self::report::{Finding, Report};
pub use self::rules::{Code, RULES, Rule, Severity};
use super::context::Shop;
use super::files::{self, Files, FolderFiles};
use super::set::TemplateSet;

/// How long a set may take to be checked before it is refused.
pub const CHECK_TIMEOUT: Duration = Duration::from_secs(30);

/// Where a set is read from.
#[derive(Debug, Clone)]
pub enum Source {
    CompiledIn,
    Folder(PathBuf),
    /// A set that passed before, perhaps with an older shipby.
    Kept(Files),
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::CompiledIn => f.write_str("the built-in set"),
            Self::Kept(_) => f.write_str("the last set that passed"),
            Self::Folder(dir) => write!(f, "{}", dir.display()),
        }
    }
}

impl Source {
    fn read(self) -> FolderFiles {
        match self {
            Self::CompiledIn => FolderFiles { files: files::compiled_in(), faults: Vec::new() },
            Self::Folder(dir) => files::read(&dir),
            Self::Kept(files) => FolderFiles { files, faults: Vec::new() },
        }
    }
}

/// Checks a set, for `shop`, if it is given, besides the sample shops. That is done on a thread of its own, for edits
/// that may never come to an end: after `limit` the set is refused, and the thread ends with the mail it is at.
pub fn check_within(limit: Duration, source: Source, shop: Option<Shop>) -> Report {
    within(limit, source, shop, check)
}

/// The same, to be used and not to be looked at: the built-in set is taken untried, for it is tested to pass.
pub fn load_within(limit: Duration, source: Source, shop: Option<Shop>) -> Report {
    within(limit, source, shop, load)
}

fn load(read: FolderFiles, shop: Option<&Shop>, progress: &Progress) -> Report {
    if !read.faults.is_empty() || read.files != files::compiled_in() {
        return check(read, shop, progress);
    }
    match TemplateSet::compiled_in() {
        Ok(set) => Report { set: Some(set), ..Report::default() },
        Err(fault) => Report { findings: vec![Finding::of(Code::E02, fault)], ..Report::default() },
    }
}

/// How what was read becomes a report.
type Examine = fn(FolderFiles, Option<&Shop>, &Progress) -> Report;

fn within(limit: Duration, source: Source, shop: Option<Shop>, examine: Examine) -> Report {
    let progress = Progress::default();
    let (sender, receiver) = sync_channel(1);
    let theirs = progress.clone();
    let work = move || {
        // Nobody waits any more where the limit has passed.
        let _ = sender.send(examine(source.read(), shop.as_ref(), &theirs));
    };
    let refused = |file: &str, why: String| Report {
        findings: vec![Finding::whole(Code::E04, file, why)],
        ..Report::default()
    };
    if let Err(error) = std::thread::Builder::new().name("template-check".to_owned()).spawn(work) {
        return refused(".", format!("cannot be checked: {error}"));
    }
    receiver.recv_timeout(limit).unwrap_or_else(|end| {
        let (file, sample) = progress.stop();
        let why = match end {
            RecvTimeoutError::Timeout => {
                format!("this mail takes longer than {} s to render", limit.as_secs())
            }
            RecvTimeoutError::Disconnected => "rendering this mail failed inside shipby".to_owned(),
        };
        refused(&file, format!("{why} (in the sample `{sample}`)"))
    })
}

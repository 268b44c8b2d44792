//! Says when this program was built, and rebuilds when a migration is added: `sqlx::migrate!` reads the folder at
//! compile time.
//!
//! The date is SOURCE_DATE_EPOCH, else that of the commit, so that the same sources give the same program; else today.

use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=migrations");
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=SOURCE_DATE_EPOCH");
    println!("cargo:rustc-env=SHIPBY_BUILT={}", built());
}

/// In seconds since 1970.
fn built() -> u64 {
    if let Ok(given) = std::env::var("SOURCE_DATE_EPOCH") {
        return given.trim().parse().unwrap_or_else(|_| {
            panic!("SOURCE_DATE_EPOCH is {given:?}; write whole seconds since 1970, as `date +%s` does")
        });
    }
    // A commit dated ahead of us would keep the program from sending until then.
    committed().map_or_else(today, |at| at.min(now()))
}

/// Not asked again with each commit: an older date only guards a little less.
fn committed() -> Option<u64> {
    let log = Command::new("git").args(["log", "-1", "--format=%ct"]).output().ok()?;
    String::from_utf8(log.stdout).ok()?.trim().parse().ok()
}

fn today() -> u64 {
    const DAY: u64 = 24 * 60 * 60;
    now() / DAY * DAY
}

#[allow(clippy::disallowed_methods, reason = "there is no other clock while building")]
fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

//! Says when this program was built, lists the templates that are compiled in, and rebuilds when a template or a
//! migration is added: `sqlx::migrate!` reads its folder at compile time.
//!
//! The date is SOURCE_DATE_EPOCH, else that of the commit, so that the same sources give the same program; else today.

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=migrations");
    println!("cargo:rerun-if-changed=templates");
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=SOURCE_DATE_EPOCH");
    println!("cargo:rustc-env=SHIPBY_BUILT={}", built());
    write_templates();
}

/// Writes `templates.rs`, a slice of each template's name and text, for `src/templates/files.rs` to include.
fn write_templates() {
    let mut names = Vec::new();
    walk(Path::new("templates"), "", &mut names);
    names.sort();
    let entry = |name: &String| {
        format!("({name:?}, include_str!(concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/templates/{name}\"))),\n")
    };
    let list = format!("&[\n{}]\n", names.iter().map(entry).collect::<String>());
    let out = std::env::var_os("OUT_DIR").expect("cargo sets it");
    std::fs::write(Path::new(&out).join("templates.rs"), list).expect("the list can be written");
}

/// The names below the folder, with `/`, but for what `templates::files` passes over.
fn walk(folder: &Path, prefix: &str, names: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).expect("the folder can be read") {
        let path = entry.expect("the folder can be read").path();
        let name = path.file_name().and_then(|name| name.to_str()).expect("names are UTF-8");
        if path.is_dir() {
            walk(&path, &format!("{prefix}{name}/"), names);
        } else if name != "README.md" && !name.starts_with('.') {
            names.push(format!("{prefix}{name}"));
        }
    }
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

//! The house has walls: a module uses only those it is drawn above. A `use crate::` that is not in the table fails, and so
//! does a library that is named outside its home.

use std::fs;
use std::path::{Path, PathBuf};

/// Who may use whom (beside themselves). `cli` and `daemon` may use anything.
const ARROWS: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("text", &["domain"]),
    ("clock", &["domain"]),
    ("config", &["domain", "text"]),
    ("wakeup", &["domain"]),
    ("telemetry", &["config", "text"]),
    ("unit", &["config"]),
    ("store", &["domain"]),
    ("templates", &["domain", "text"]),
    ("mail", &["domain", "text"]),
    ("catcher", &["domain"]),
    ("intake", &["domain", "store", "text"]),
    ("planner", &["domain", "store"]),
    ("bounces", &["clock", "domain", "mail", "store"]),
    ("digest", &["clock", "config", "domain", "mail", "store", "text", "wakeup"]),
    ("dispatcher", &["domain", "store", "templates", "mail", "clock", "config", "telemetry"]),
    ("wiring", &["clock", "config", "digest", "dispatcher", "mail", "store", "templates", "wakeup"]),
    ("simulation", &["clock", "dispatcher", "domain", "intake", "planner", "store"]),
];

/// All Rust files below a folder.
pub fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

/// The room a file belongs to: the first part of its path below `src`.
fn room(path: &Path, src: &Path) -> String {
    let first = path.strip_prefix(src).unwrap().components().next().unwrap();
    first.as_os_str().to_string_lossy().trim_end_matches(".rs").to_owned()
}

#[test]
fn every_use_of_another_room_is_an_arrow_that_is_drawn() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    files(&src, &mut found);
    let (mut wrong, mut seen) = (Vec::new(), 0);
    for path in found {
        let room = room(&path, &src);
        if ["lib", "main", "cli", "daemon"].contains(&room.as_str()) {
            continue;
        }
        let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == room) else {
            wrong.push(format!("{room} is not drawn"));
            continue;
        };
        for (at, line) in fs::read_to_string(&path).unwrap().lines().enumerate() {
            for used in line.split("crate::").skip(1) {
                let used: String = used.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                seen += 1;
                if used != room && !used.is_empty() && !allowed.contains(&used.as_str()) {
                    wrong.push(format!("{}:{}: {room} uses {used}", path.display(), at + 1));
                }
            }
        }
    }
    assert!(seen > 50, "the test reads the wrong folder");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Where tests speak SQL: what they do beside the store, and what is about SQLite's own file.
const SPEAK_SQL: [&str; 2] = ["it/support/raw.rs", "it/database.rs"];

#[test]
fn no_test_speaks_sql_outside_its_home() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let mut found = Vec::new();
    files(&tests, &mut found);
    let (homes, others): (Vec<_>, Vec<_>) =
        found.iter().partition(|path| SPEAK_SQL.iter().any(|home| **path == tests.join(home)));
    assert_eq!(homes.len(), SPEAK_SQL.len());
    for path in others {
        let text = fs::read_to_string(path).unwrap();
        for word in ["sqlx::", "use sqlx", "SqliteConnection"] {
            // In quotes it is the word of a test like this one.
            let names = |line: &&str| line.contains(word) && !line.contains(&format!("\"{word}"));
            let found = text.lines().find(names);
            assert!(found.is_none(), "{}: {found:?}; see {}", path.display(), SPEAK_SQL[0]);
        }
    }
}

#[test]
fn only_the_store_names_sqlx_only_templates_name_tera_only_mail_names_lettre() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    files(&src, &mut found);
    for path in found {
        let room = room(&path, &src);
        let text = fs::read_to_string(&path).unwrap();
        for (library, home) in [("sqlx::", "store"), ("tera::", "templates"), ("lettre::", "mail")] {
            // In quotes it is a name in a log.
            let names = |line: &&str| line.contains(library) && !line.contains(&format!("\"{library}"));
            let found = text.lines().find(names);
            assert!(room == home || found.is_none(), "{} names {library}: {found:?}", path.display());
        }
    }
}

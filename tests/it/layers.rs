//! The house has walls: a module uses only those it is drawn above. A `use crate::` that is not in the table fails, and so
//! does a library outside its home, or the word of a kind where the table of kinds is to be asked.

use std::fs;
use std::path::{Path, PathBuf};

use shipby::domain::notice::NoticeKind;
use shipby::domain::order::Status;

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

/// What only SQLite understands, or understands in a way of its own.
const OF_SQLITE: &[&str] = &[
    "json_each",
    "jsonb_each",
    "json_group_array",
    "json_array(",
    "json_object(",
    "pragma",
    "begin immediate",
    "without rowid",
    "rowid",
    "vacuum",
    "indexed by",
    "changes()",
    "randomblob",
    "glob ",
    "strftime",
    "ifnull(",
    "+n.",
];

#[test]
fn what_only_sqlite_understands_stands_in_the_driver_alone() {
    let store = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store");
    let mut found = Vec::new();
    files(&store, &mut found);
    let mut wrong = Vec::new();
    for path in found.iter().filter(|path| !path.starts_with(store.join("sqlite"))) {
        let text = fs::read_to_string(path).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap();
        for (at, line) in code.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//")) {
            let names = OF_SQLITE.iter().filter(|word| line.contains(**word));
            wrong.extend(names.map(|word| format!("{}:{}: {word}", path.display(), at + 1)));
        }
        // Several statements in one text.
        let joined = code.match_indices(";\n").filter(|(at, _)| inside_a_text(code, *at));
        wrong.extend(joined.map(|(at, _)| format!("{}: several statements at {at}", path.display())));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Whether a place in a file lies within a text in quotes.
fn inside_a_text(code: &str, at: usize) -> bool {
    let before = code[..at].lines().filter(|line| !line.trim_start().starts_with("//"));
    before.map(|line| line.replace("\\\"", "").replace("'\"'", "").matches('"').count()).sum::<usize>() % 2
        == 1
}

/// Whether the quoted word between these names a field or a column: a line's units are shipped and cancelled too.
fn names_a_field(word: &str, before: &str, after: &str) -> bool {
    let heads_a_column = before.trim().is_empty() && after == ",";
    Status::from_word(word).is_some()
        && (before.ends_with("->> ") || after.starts_with(':') || heads_a_column)
}

#[test]
fn no_statement_and_no_command_knows_the_word_of_a_kind() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut found, mut wrong) = (Vec::new(), Vec::new());
    files(&src.join("store"), &mut found);
    files(&src.join("cli"), &mut found);
    for path in found {
        let text = fs::read_to_string(&path).unwrap();
        let code = text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//"));
        for (at, line) in code {
            for kind in NoticeKind::ALL {
                for quoted in [format!("'{kind}'"), format!("\"{kind}\"")] {
                    let known = |(at, _): &(usize, &str)| {
                        names_a_field(kind.as_str(), &line[..*at], &line[at + quoted.len()..])
                    };
                    if line.match_indices(&quoted).any(|found| !known(&found)) {
                        wrong.push(format!("{}:{}: {quoted}", path.display(), at + 1));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "ask NoticeKind::rules(), or a column of notices:\n{}", wrong.join("\n"));
}

//! The house has walls: a module uses only those it is drawn above. A `use crate::` that is not in the table fails, and so
//! does a library outside its home, or the word of a kind where the table of kinds is to be asked.

use std::fs;
use std::path::{Path, PathBuf};

use shipby::domain::notice::NoticeKind;
use shipby::domain::order::Status;

/// Who may use whom (beside themselves). `cli` and `daemon` may use anything.
const ARROWS: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("clock", &["domain"]),
    ("config", &["domain"]),
    ("wakeup", &["domain"]),
    ("telemetry", &["config"]),
    ("unit", &["config"]),
    ("wording", &[]),
    ("store", &["domain"]),
    ("templates", &["domain"]),
    ("mail", &["domain"]),
    ("intake", &["domain", "store"]),
    ("planner", &["domain", "store"]),
    ("bounces", &["clock", "domain", "mail", "store"]),
    ("digest", &["wakeup", "clock", "config", "domain", "mail", "store", "wording"]),
    ("dispatcher", &["domain", "store", "templates", "mail", "clock", "config", "telemetry"]),
    ("wiring", &["wakeup", "clock", "config", "digest", "dispatcher", "mail", "store", "templates"]),
    ("simulation", &["clock", "dispatcher", "domain", "intake", "planner", "store"]),
];

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
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

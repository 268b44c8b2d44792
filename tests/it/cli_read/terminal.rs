//! What a terminal is given: nothing that somebody wrote into config.toml can turn or break a line there.

use super::house::{CONFIG, House, story};

/// A verb of each sort: those that read, that change, that send, that look at templates, and the daemon.
const VERBS: &[&[&str]] = &[
    &["check"],
    &["why", "1042"],
    &["history", "1042"],
    &["show", "4f1a"],
    &["upcoming"],
    &["digest"],
    &["queue", "list"],
    &["queue", "hold", "state:failed"],
    &["order", "list"],
    &["order", "show", "1042"],
    &["order", "address", "1042", "ana@example.org"],
    &["suppress", "list"],
    &["suppress", "add", "ana@example.com"],
    &["pause", "--all", "--reason", "stocktaking"],
    &["resume", "--all"],
    &["eta", "set", "KETTLE-01", "2026-03-27"],
    &["receive", "KETTLE-01", "3"],
    &["ship", "1042"],
    &["cancel", "1042", "--by", "customer"],
    &["refund", "1042", "--amount", "10 EUR"],
    &["import", "facts.jsonl"],
    &["simulate", "facts.jsonl"],
    &["template", "check"],
    &["template", "preview", "date_slip"],
    &["template", "diff", "date_slip"],
    &["template", "send-test", "date_slip", "--to", "us@tableware.example"],
    &["bounce"],
    &["recover"],
    &["serve"],
];

/// What turns a line, breaks it, or acts on a terminal.
fn harmful(c: char) -> bool {
    c != '\n' && c.is_control()
        || ('\u{2028}'..='\u{202e}').contains(&c)
        || ('\u{2066}'..='\u{2069}').contains(&c)
}

fn house(config: &str) -> House {
    let house = House::new("live");
    std::fs::write(house.path("config.toml"), config).unwrap();
    let facts: String = story().iter().map(|fact| format!("{fact}\n")).collect();
    std::fs::write(house.path("facts.jsonl"), facts).unwrap();
    house
}

/// What each of these verbs says, and how it ends.
fn said<'a>(house: &House, verbs: impl IntoIterator<Item = &'a &'a [&'a str]>) -> Vec<(i32, String)> {
    let run = |verb: &&[&str]| {
        let (code, out, err) = house.run(verb);
        let shown = out + &err;
        assert!(!shown.contains(harmful), "{verb:?}: {shown:?}");
        (code, shown)
    };
    verbs.into_iter().map(run).collect()
}

#[test]
fn a_value_that_is_refused_is_quoted_harmless_by_every_verb() {
    let house = house("[shop]\ntimezone = \"Europe/\u{202e}nil\u{2028}reB\"\n\"na\u{2066}me\" = 1\n");
    let json: &[&str] = &["why", "1042", "--json"];
    for (code, shown) in said(&house, VERBS.iter().chain([&json])) {
        // A mail that came back is to be handed in again.
        assert!([75, 78].contains(&code), "{shown}");
        assert!(shown.replace(r"\\", r"\").contains(r"Europe/\u{202e}nil\u{2028}reB"), "{shown}");
    }
}

#[test]
fn a_value_that_is_taken_and_fails_later_is_quoted_harmless_by_every_verb() {
    let config = CONFIG.replace("MODE", "redirect").replace("us@tableware", "u\u{202e}s@tableware");
    let config = config + "[log]\nformat = \"text\"\n";
    let nowhere = house(&format!("{config}[database]\nurl = \"no\u{202e}/such\u{2028}.db\"\n"));
    let failed = said(&nowhere, VERBS).into_iter().filter(|(code, _)| *code != 0).count();
    assert!(failed > VERBS.len() / 2, "{failed}");

    let house =
        house(&format!("{config}[templates]\ndir = \"t\u{2066}\"\n[smtp]\nca_file = \"\u{2029}.pem\"\n"));
    std::fs::create_dir(house.path("t\u{2066}")).unwrap();
    let verbs = VERBS.iter().filter(|verb| ["check", "template", "serve"].contains(&verb[0]));
    assert!(said(&house, verbs).iter().all(|(code, _)| *code != 0));
}

//! `simulate`: what it says, how it ends, what it leaves, and that it is what the daemon would have done.

use serde_json::{Value, json};
use shipby::catcher::{Answer, Catcher, Script};
use shipby::domain::reply::Phase;
use shipby::templates::TemplateSet;

use super::house::{House, order, story};

/// A shop's folder with its facts as `facts.jsonl`.
fn house(facts: &[Value]) -> House {
    let house = House::new("live");
    let lines: String = facts.iter().map(|fact| format!("{fact}\n")).collect();
    std::fs::write(house.path("facts.jsonl"), lines).unwrap();
    house
}

fn lines(house: &House, file: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(house.path(file)).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Subjects of the mails in a folder, in the order of their names.
fn subjects(house: &House, folder: &str) -> Vec<String> {
    let mut mails: Vec<_> =
        std::fs::read_dir(house.path(folder)).unwrap().map(|mail| mail.unwrap().path()).collect();
    mails.sort();
    let subject = |path| {
        let bytes = std::fs::read(path).unwrap();
        let mail = mail_parser::MessageParser::default().parse(&bytes).unwrap();
        mail.subject().unwrap().to_owned()
    };
    mails.iter().map(subject).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_simulation_says_what_went_out_what_was_decided_otherwise_and_the_longest_silence() {
    let house = house(&story());
    insta::assert_snapshot!("simulate", house.prints(&["simulate", "facts.jsonl", "--until", "2026-03-31"]));
    assert!(!house.path("shipby.db").exists(), "it has a database of its own");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_leaves_every_decision_and_every_mail_where_it_is_asked_to() {
    let house = house(&story());
    let args = ["simulate", "facts.jsonl", "--decisions", "decisions.jsonl", "--mails", "mails"];
    let told = house.json(&args);
    let accepted = told["notices"].as_object().unwrap().values();
    let accepted: u64 = accepted.map(|of| of["accepted"].as_u64().unwrap()).sum();
    let decisions = lines(&house, "decisions.jsonl");
    let mut told: Vec<&str> = decisions
        .iter()
        .filter(|d| d["state"] == "accepted")
        .map(|d| d["subject"].as_str().unwrap())
        .collect();
    let mut subjects = subjects(&house, "mails");
    assert_eq!(subjects.len() as u64, accepted);
    told.sort_unstable();
    subjects.sort_unstable();
    assert_eq!(told, subjects);
    // Of an earlier run nothing stays but what is not ours.
    std::fs::write(house.path("mails").join("0123456789abcdef.eml"), "").unwrap();
    std::fs::write(house.path("mails").join("mine.eml"), "").unwrap();
    house.json(&args);
    assert_eq!(std::fs::read_dir(house.path("mails")).unwrap().count() as u64, accepted + 1);
    assert!(decisions.iter().any(|d| d["reason"] == "clock_restarted"), "what was not mailed is there too");
}

#[tokio::test(flavor = "multi_thread")]
async fn why_a_mail_that_was_begun_came_to_nothing_is_counted_with_all_that_was_decided_otherwise() {
    let placed = "2026-03-02T08:14:00Z";
    let order = json!({"fact": "order", "at": placed, "order": "1", "placed_at": placed,
        "customer": {"email": "ana@example.com"},
        "lines": [{"id": "1", "sku": "K", "title": "Kettle", "quantity": 1, "kind": "backorder"}]});
    let cancel =
        json!({"fact": "cancel", "at": "2026-03-02T08:14:20Z", "id": "C-1", "order": "1", "by": "customer"});
    let house = house(&[order, cancel]);
    let script = Script::new(|dialogue| match (dialogue.phase, dialogue.attempt) {
        (Phase::Body, 1) => Answer::reply("451 4.3.0 later"),
        _ => Answer::Usual,
    });
    let catcher = Catcher::start(script).await.unwrap();
    let server = catcher.addr().to_string();
    let args =
        ["simulate", "facts.jsonl", "--until", "2026-03-03", "--smtp", &server, "--decisions", "all.jsonl"];
    let told = house.json(&args);
    assert_eq!(told["decisions"]["confirmation"]["order_closed"], 1, "{told}");
    let reasons = lines(&house, "all.jsonl").iter().filter(|line| !line["reason"].is_null()).count() as u64;
    let kinds = told["decisions"].as_object().unwrap().values();
    let counted: u64 =
        kinds.flat_map(|of| of.as_object().unwrap().values()).map(|n| n.as_u64().unwrap()).sum();
    assert_eq!(counted, reasons);
}

#[tokio::test(flavor = "multi_thread")]
async fn over_smtp_the_same_goes_out_as_where_it_is_only_kept() {
    let house = house(&story());
    let catcher = Catcher::start(Script::default()).await.unwrap();
    let server = catcher.addr().to_string();
    let kept = house.json(&["simulate", "facts.jsonl"]);
    assert_eq!(house.json(&["simulate", "facts.jsonl", "--smtp", &server]), kept);
    let accepted: u64 =
        kept["notices"].as_object().unwrap().values().map(|of| of["accepted"].as_u64().unwrap()).sum();
    assert_eq!(catcher.stop().await.len() as u64, accepted);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fact_that_cannot_be_is_named_with_its_line_and_one_without_a_time_stops_it() {
    let too_late = json!({"fact": "cancel", "at": "2026-03-18T12:00:00Z", "id": "C-9", "order": "9999", "by": "customer"});
    let mut facts = story();
    facts.push(too_late);
    let (code, out, err) = house(&facts).run(&["simulate", "facts.jsonl"]);
    assert_eq!(code, 3, "{err}");
    assert_eq!(err, "facts.jsonl:10 refused: there is no order 9999; record the order first\n");
    assert!(out.starts_with("10 facts up to 2026-03-18 12:00 UTC, 1 refused\n"), "{out}");

    facts[1].as_object_mut().unwrap().remove("at");
    let (code, out, err) = house(&facts).run(&["simulate", "facts.jsonl"]);
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(err.contains("a fact has no \"at\"; a simulation needs the time of each"), "{err}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_that_cannot_be_written_is_held_and_what_follows_is_what_the_daemon_would_do() {
    let order = |number: &str| order(number, "2026-03-02T08:14:00Z", Some("ana@example.com"), 1);
    let later =
        json!({"fact": "receipt", "at": "2026-03-25T08:00:00Z", "id": "R-1", "sku": "CUP-03", "quantity": 1});
    let house = house(&[order("1042"), order("1043"), later]);
    for (name, text) in TemplateSet::compiled_in().unwrap().files() {
        let path = house.path("templates").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let fails = "{% if order.number == \"1043\" %}{{ order.number - 1 }}{% endif %}";
        let fails = if name.ends_with("confirmation/subject.txt") { fails } else { "" };
        std::fs::write(path, format!("{fails}{text}")).unwrap();
    }
    let args = ["simulate", "facts.jsonl", "--decisions", "decisions.jsonl", "--mails", "mails", "--json"];
    let (code, out, err) = house.run(&args);
    assert_eq!(code, 0, "{err}");
    let told: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(told["notices"]["confirmation"], json!({"accepted": 1, "held": 1}));
    let decisions = lines(&house, "decisions.jsonl");
    let held: Vec<&Value> = decisions.iter().filter(|d| d["state"] == "held").collect();
    assert_eq!(held.len(), 1);
    assert_eq!((&held[0]["order_number"], &held[0]["reason"]), (&json!("1043"), &json!("fault")));
    assert!(held[0]["reply"].as_str().unwrap().contains("confirmation/subject.txt:1:"), "{}", held[0]);
    // The other order's weeks go on as if nothing were wrong, and this one's do too.
    let weeks = |number: &str| {
        decisions.iter().filter(|d| d["order_number"] == number && d["state"] == "accepted").count()
    };
    assert!(weeks("1042") > 2 && weeks("1043") > 1, "{decisions:?}");
    assert_eq!(subjects(&house, "mails").len(), weeks("1042") + weeks("1043"));
}

//! `check`: what it proves, how it words it, and that it changes nothing.

use serde_json::json;
use shipby::catcher::{Answer, Catcher, Script};
use shipby::dispatcher::Transport;
use shipby::domain::reply::Phase;

use super::house::{CONFIG, House, story};

#[tokio::test(flavor = "multi_thread")]
async fn check_proves_what_there_is_and_changes_nothing() {
    let house = House::new("live");
    insta::assert_snapshot!("check_before_the_first_start", house.prints(&["check"]));
    assert_eq!(std::fs::read_dir(house.folder.path()).unwrap().count(), 1, "check made something");

    house.play(Transport::Capture, &story()[..4], "2026-03-02T09:00:00Z").await;
    let before = std::fs::read(house.path("shipby.db")).unwrap();
    let checked = house.json(&["check"]);
    let schema = std::fs::read_dir("migrations").unwrap().map(|file| file.unwrap().file_name());
    let schema: u32 = schema.filter_map(|name| name.to_str()?.get(..4)?.parse().ok()).max().unwrap();
    let words = format!("schema {schema}, integrity ok, 3 open orders");
    assert_eq!(checked["parts"][1]["words"], words);
    assert_eq!((&checked["schema"], &checked["failures"]), (&json!("shipby.check/1"), &json!(0)));
    assert!(std::fs::read(house.path("shipby.db")).unwrap() == before);
    let beside: Vec<_> =
        std::fs::read_dir(house.folder.path()).unwrap().map(|f| f.unwrap().file_name()).collect();
    assert_eq!(beside.len(), 2, "{beside:?}");

    std::fs::create_dir_all(house.path("templates")).unwrap();
    let (code, out, _) = house.run(&["check"]);
    assert_eq!(code, 78);
    assert!(
        out.contains("templates  fail  ./templates/base.html") || out.contains("templates  fail"),
        "{out}"
    );
    std::fs::remove_dir(house.path("templates")).unwrap();

    std::fs::write(house.path("shipby.db"), "not a database, but long enough to be looked at".repeat(40))
        .unwrap();
    let (code, out, _) = house.run(&["check"]);
    assert_eq!(code, 69);
    assert!(out.contains("database   fail  shipby.db: file is not a database"), "{out}");
}

#[tokio::test(flavor = "multi_thread")]
async fn check_counts_warnings_and_faults_of_the_configuration() {
    let house = House::new("live");
    std::fs::write(house.path("config.toml"), "").unwrap();
    insta::assert_snapshot!("check_warns", house.prints(&["check"]));
    assert_eq!(house.run(&["check", "--strict"]).0, 3);
    std::fs::write(house.path("config.toml"), "[shop]\nnaem = \"A\"\n[delivery]\nmode = \"on\"\n").unwrap();
    let (code, out, _) = house.run(&["check"]);
    assert_eq!(code, 78);
    insta::assert_snapshot!("check_fails", out);
    assert_eq!(house.run(&["why", "1042"]).0, 78);
    assert_eq!(house.run(&["unit"]).0, 78);
    let nowhere = CONFIG.replace("MODE", "live") + "[database]\nurl = \"no/such/folder.db\"\n";
    std::fs::write(house.path("config.toml"), nowhere).unwrap();
    let (code, out, _) = house.run(&["check"]);
    assert_eq!(code, 69);
    assert!(out.contains("database   fail  no/such/folder.db: there is no folder no/such"), "{out}");
}

#[test]
fn check_warns_of_a_shop_whose_language_has_no_templates() {
    let house = House::new("live");
    let dutch = CONFIG.replace("MODE", "live").replace("[shop]", "[shop]\nlocale = \"nl\"");
    std::fs::write(house.path("config.toml"), dutch).unwrap();
    let checked = house.json(&["check"]);
    assert_eq!(checked["parts"][2]["state"], "warn");
    assert_eq!(
        checked["parts"][2]["details"],
        json!([
            "[shop] locale = \"nl\": there are no templates in it, only in en, de, es, fr; customers who gave no \
             language are written to in English"
        ])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn check_logs_in_at_the_mail_server_and_sends_nothing() {
    let house = House::new("live");
    let at = |port: u16| {
        let smtp = format!("[smtp]\nhost = \"127.0.0.1\"\nport = {port}\n");
        std::fs::write(house.path("config.toml"), CONFIG.replace("MODE", "live") + &smtp).unwrap();
        let (code, out, _) = house.run(&["check", "--smtp"]);
        (code, out.lines().find(|line| line.starts_with("smtp")).unwrap().replace(&port.to_string(), "PORT"))
    };
    let catcher = Catcher::start(Script::usual()).await.unwrap();
    let (code, line) = tokio::task::block_in_place(|| at(catcher.addr().port()));
    assert_eq!(
        (code, line.as_str()),
        (0, "smtp       ok    127.0.0.1 port PORT (no encryption), no login asked for; nothing sent")
    );
    assert_eq!(catcher.count(), 0);

    let busy = Catcher::start(Script::at(Phase::Greeting, Answer::reply("421 4.3.2 busy"))).await.unwrap();
    let (code, line) = tokio::task::block_in_place(|| at(busy.addr().port()));
    assert_eq!(code, 75, "{line}");
    assert!(line.contains("421 4.3.2 busy"), "{line}");

    let shut = Catcher::start(Script::at(Phase::Greeting, Answer::reply("554 5.7.1 not you"))).await.unwrap();
    let (code, line) = tokio::task::block_in_place(|| at(shut.addr().port()));
    assert_eq!(code, 78, "{line}");
    assert!(line.contains("554 5.7.1 not you"), "{line}");
}

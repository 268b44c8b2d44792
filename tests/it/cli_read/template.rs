//! `template vars`, `preview`, `diff`, `send-test`: an edit is looked at before a customer sees it, and nothing is told.

use mail_parser::MessageParser;
use shipby::catcher::{Answer, Catcher, Script};
use shipby::domain::reply::Phase;
use shipby::templates::{COMPILED_IN, TemplateSet};

use super::house::{CONFIG, House, slip};
use crate::template_check::files_of;

/// A folder of templates beside the configuration: English and other `languages`.
fn with_templates(house: &House, languages: &[&str]) {
    files_of(languages).for_each(|(name, text)| edit(house, name, text));
}

fn edit(house: &House, name: &str, text: &str) {
    let path = house.path("templates").join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

#[test]
fn the_readme_beside_the_templates_is_what_the_types_say() {
    let house = House::new("live");
    let readme = concat!(env!("CARGO_MANIFEST_DIR"), "/templates/README.md");
    let written = std::fs::read_to_string(readme).unwrap();
    assert!(
        house.prints(&["template", "vars", "--markdown"]) == written,
        "write it anew: shipby template vars --markdown > templates/README.md"
    );
}

#[test]
fn list_names_the_kinds_and_the_samples_that_preview_takes() {
    let house = House::new("live");
    let kinds = house.prints(&["template", "list"]);
    assert!(kinds.lines().any(|line| line.starts_with("update_48h") && line.ends_with("  text")), "{kinds}");
    let samples = house.prints(&["template", "list", "restock"]);
    for name in samples.lines().take(3) {
        assert_eq!(house.json(&["template", "preview", "restock", "--sample", name])["about"], name);
    }
    let listed =
        house.json(&["template", "list", "restock"])["kinds"][0]["samples"].as_array().unwrap().len();
    assert!(listed >= 20 && listed == samples.lines().count());
}

#[test]
fn vars_lists_what_a_kind_can_say_with_an_example() {
    let house = House::new("live");
    let shipped = house.prints(&["template", "vars", "shipped"]);
    let tracking = shipped.lines().find(|line| line.starts_with("shipments.items[].tracking ")).unwrap();
    let words: Vec<&str> = tracking.split_whitespace().take(9).collect();
    assert_eq!(words[1..].join(" "), "text where the shop gave none JD0146000012 The");
    let json = house.json(&["template", "vars", "overdue"]);
    let of = |name: &str| json["variables"].as_array().unwrap().iter().find(|v| v["name"] == name).cloned();
    assert_eq!(of("missed").unwrap()["type"], "date");
    assert_eq!(of("shipments.items[].tracking"), None, "no overdue mail has one");
    assert_eq!(house.run(&["template", "vars", "overdu"]).0, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preview_shows_a_sample_or_a_real_order_at_any_moment_and_changes_nothing() {
    let house = slip().await;
    house.prints(&["why", "1042"]); // opened for the first time, the file is given another kind of journal
    let before = std::fs::read(house.path("shipby.db")).unwrap();
    let sample = house.prints(&["template", "preview", "overdue"]);
    assert!(
        sample.starts_with("overdue\nSubject: Your order 1042 is late: we missed 20 March\n\nHello Ana,\n"),
        "{sample}"
    );
    let real = |args: &[&str]| {
        let all = ["template", "preview", "weekly_status", "--order", "1042"];
        house.prints(&all.iter().chain(args).copied().collect::<Vec<_>>())
    };
    let now = real(&["--at", "2026-03-18T11:00:00Z"]);
    assert!(now.contains("Subject: Update on your backorder: Kettle, still 31 March"), "{now}");
    let later = real(&["--at", "2026-04-10T11:00:00Z", "--text"]);
    assert!(
        later.starts_with("Hello Ana,") && later.contains("31 March 2026. There is no new date yet."),
        "{later}"
    );
    assert!(real(&["--html"]).contains("<!DOCTYPE html>"));
    let raw = real(&["--raw"]);
    assert!(raw.contains("\r\nTo: Ana <ana@example.com>\r\n"), "{raw}");
    assert_eq!(
        house.json(&["template", "preview", "restock", "--sample", "restock; paid"])["about"],
        "restock; paid"
    );
    assert!(std::fs::read(house.path("shipby.db")).unwrap() == before);

    assert_eq!(house.run(&["template", "preview", "restock", "--order", "9"]).0, 4);
    let (code, _, err) = house.run(&["template", "preview", "restock", "--sample", "restok"]);
    assert_eq!(
        (code, err.trim()),
        (4, "shipby: there is no sample \"restok\" of this kind; the nearest is \"restock\"")
    );
    assert_eq!(house.run(&["template", "preview", "update_48h", "--html"]).0, 4);
}

#[test]
fn a_preview_is_in_the_language_asked_for_and_one_without_templates_is_refused() {
    let house = House::new("live");
    let german = house.prints(&["template", "preview", "date_slip", "--lang", "de-AT", "--html"]);
    assert!(german.contains("<html lang=\"de\"") && german.contains("März"), "{german}");
    let (code, _, err) = house.run(&["template", "preview", "date_slip", "--lang", "nl"]);
    assert_eq!((code, err.trim()), (4, "shipby: there are no templates in \"nl\", only in en, de, es, fr"));
}

#[test]
fn a_preview_page_is_one_file_that_loads_nothing_and_shows_the_findings() {
    let house = House::new("live");
    with_templates(&house, &[]);
    edit(&house, "overdue/subject.txt", "Order {{ order.number }} ships <soon>, soon");
    let (code, page, said) =
        house.run(&["template", "preview", "overdue", "--open", "--sample", "overdue", "--json"]);
    // A machine without a desktop is told to open the page itself.
    assert!(code == 0 && (said.is_empty() || said.starts_with("shipby: xdg-open does not start")), "{said}");
    let page: serde_json::Value = serde_json::from_str(&page).unwrap();
    let path = std::path::PathBuf::from(page["page"].as_str().unwrap());
    let html = std::fs::read_to_string(&path).unwrap();
    std::fs::remove_file(path).unwrap();
    assert!(html.contains("default-src 'none'") && html.matches("<iframe").count() == 2, "{html}");
    assert_eq!(html.matches("<pre").count(), 2);
    assert!(html.contains("Order 1042 ships &lt;soon&gt;, soon"));
    assert!(html.contains("overdue/subject.txt:1:40 L05 vague word"), "{html}");
    edit(&house, "overdue/subject.txt", "{{ order.number");
    let (code, _, err) = house.run(&["template", "preview", "overdue"]);
    assert_eq!(code, 78);
    assert!(err.contains("overdue/subject.txt:1:16"), "{err}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_diff_shows_the_mail_before_and_after_an_edit() {
    let house = slip().await;
    with_templates(&house, &[]);
    let same = house.prints(&["template", "diff", "restock"]);
    assert_eq!(same, "the edit changes nothing in this mail (restock; the built-in set)\n");
    edit(&house, "restock/subject.txt", "Order {{ order.number }} is here");
    let diff = house.prints(&["template", "diff", "restock", "--order", "1042"]);
    assert!(
        diff.starts_with(
            "--- subject, the built-in set\n+++ subject, edited\n\
             - Your order 1042 is being prepared for shipment\n+ Order 1042 is here\n"
        ),
        "{diff}"
    );
    let store = shipby::store::Store::open_existing(&house.path("shipby.db")).await.unwrap();
    let set = TemplateSet::draft(&house.path("templates")).unwrap();
    store.keep_template_set(set.hash(), set.files(), super::house::instant(super::house::AT)).await.unwrap();
    store.close().await;
    edit(&house, "restock/subject.txt", "Order {{ order.number }} is there");
    let json = house.json(&["template", "diff", "restock"]);
    assert_eq!((&json["in_use"], &json["same"]), (&"the set in use".into(), &false.into()));
    assert_eq!(json["before"]["subject"], "Order 1042 is here");
    assert_eq!(json["after"]["subject"], "Order 1042 is there");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_mail_is_marked_leads_nowhere_and_tells_no_customer_anything() {
    let house = slip().await;
    let catcher = Catcher::start(Script::usual()).await.unwrap();
    let configure = |mode: &str, more: &str, port: u16| {
        let config = CONFIG.replace("MODE", mode).replace("[delivery]", &format!("[delivery]\n{more}"));
        let pages = "cancel_url = \"https://tableware.example/cancel/{order}\"\n[delivery]";
        let smtp = format!("[smtp]\nhost = \"127.0.0.1\"\nport = {port}\n");
        std::fs::write(house.path("config.toml"), config.replace("[delivery]", pages) + &smtp).unwrap();
    };
    let send = |more: &[&str]| {
        let all = ["template", "send-test", "weekly_status", "--to", "me@tableware.example"];
        tokio::task::block_in_place(|| house.run(&all.iter().chain(more).copied().collect::<Vec<_>>()))
    };
    configure("live", "", catcher.addr().port());
    house.prints(&["why", "1042"]); // opened for the first time, the file is given another kind of journal
    let before = std::fs::read(house.path("shipby.db")).unwrap();
    let (code, out, err) = send(&["--order", "1042"]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.starts_with("the mail server took it for me@tableware.example: 250"), "{out}");
    let mail = catcher.mails().remove(0);
    assert_eq!(mail.to, ["me@tableware.example"]);
    let message = MessageParser::default().parse(&mail.bytes).unwrap();
    assert!(message.subject().unwrap().starts_with("[TEST] Update on your backorder: Kettle"));
    for body in [message.body_text(0).unwrap(), message.body_html(0).unwrap()] {
        assert!(body.contains("https://test.invalid/cancel/1042"), "{body}");
        assert!(!body.contains("https://tableware") && !body.contains("mailto:orders"), "{body}");
    }
    assert!(std::fs::read(house.path("shipby.db")).unwrap() == before, "something was recorded");

    configure("redirect", "", catcher.addr().port());
    assert_eq!(send(&[]).0, 0);
    let redirected = catcher.mails().remove(1);
    assert_eq!(redirected.to, ["us@tableware.example"]);
    let message = MessageParser::default().parse(&redirected.bytes).unwrap();
    assert!(message.subject().unwrap().starts_with("[for me@tableware.example] [TEST] "));

    configure("capture", "", 1);
    let (code, out, _) = send(&[]);
    assert!(
        code == 0 && out.starts_with("mode capture: nothing left this machine; the mail is in "),
        "{out}"
    );
    let kept = std::fs::read_dir(house.path("captured")).unwrap().next().unwrap().unwrap().path();
    assert!(String::from_utf8(std::fs::read(kept).unwrap()).unwrap().contains("[TEST]"));

    configure("live", "allow_recipients = [\"@other.example\"]", catcher.addr().port());
    assert_eq!(send(&[]).0, 5);
    let busy = Catcher::start(Script::at(Phase::Rcpt, Answer::reply("451 4.7.1 later"))).await.unwrap();
    configure("live", "", busy.addr().port());
    let (code, _, err) = send(&[]);
    assert!(code == 75 && err.contains("451 4.7.1 later"), "{err}");
    assert_eq!(catcher.count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn show_says_when_the_templates_have_changed_since_a_mail_was_written() {
    let house = slip().await;
    let history = house.json(&["history", "1042"]);
    let text = history.to_string();
    let id = text.split("\"notice\":\"").nth(1).unwrap().split('"').next().unwrap();
    assert_eq!(house.json(&["show", id])["templates_changed_since"], false);
    assert!(!house.prints(&["show", id]).contains("templates have changed"));
    with_templates(&house, &["de", "es", "fr"]);
    assert_eq!(house.json(&["show", id])["templates_changed_since"], false, "the same files elsewhere");
    edit(
        &house,
        "base.txt",
        &(COMPILED_IN.iter().find(|(n, _)| *n == "base.txt").unwrap().1.to_owned() + "\nBye"),
    );
    assert!(house.prints(&["show", id]).contains("\nthe templates have changed since it was written\n"));
    assert_eq!(house.json(&["show", id])["templates_changed_since"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn check_names_every_fault_of_the_templates_and_says_what_goes_on_meanwhile() {
    let house = slip().await;
    with_templates(&house, &[]);
    edit(&house, "restock/subject.txt", "{{ order.numbr }}");
    edit(&house, "overdue/subject.txt", "{% if %}");
    let (code, out, _) = house.run(&["check"]);
    assert_eq!(code, 78);
    assert!(
        out.contains("templates/overdue/subject.txt:1:7 E02 ")
            && out.contains("templates/restock/subject.txt:1:10 L04 "),
        "{out}"
    );
    assert!(
        out.contains("no set of this folder ever passed: `shipby serve` does not start with it"),
        "{out}"
    );
    let store = shipby::store::Store::open_existing(&house.path("shipby.db")).await.unwrap();
    let set = TemplateSet::compiled_in().unwrap();
    store.keep_template_set(set.hash(), set.files(), super::house::instant(super::house::AT)).await.unwrap();
    let kept = store.last_template_set().await.unwrap().unwrap();
    assert_eq!((kept.hash.as_str(), &kept.files), (set.hash(), set.files()));
    store.close().await;
    let (_, out, _) = house.run(&["check"]);
    assert!(
        out.contains("mails are written with the set that passed on Wed 18 Mar 2026 12:00:00 CET"),
        "{out}"
    );
}

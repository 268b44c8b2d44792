//! The checker of templates: each rule fires and can be silenced, everything wrong is told at once, and no edit, however
//! odd, does more than be refused.

use std::path::Path;
use std::time::Duration;

use assert_cmd::Command;
use serde_json::Value;
use shipby::templates::{COMPILED_IN, Code, RULES, Report, Source, check_within};
use tempfile::TempDir;

/// How long a check may take on a busy machine.
pub const LIMIT: Duration = Duration::from_secs(300);

/// The compiled-in files of English and of other `languages`.
pub fn files_of(languages: &[&str]) -> impl Iterator<Item = (&'static str, &'static str)> {
    COMPILED_IN.iter().copied().filter(|(name, _)| {
        let first = name.split('/').next().unwrap();
        first.len() != 2 || languages.contains(&first)
    })
}

/// A folder with the compiled-in English, which is as good as all languages for most faults and quicker to check.
fn folder() -> TempDir {
    folder_of(&[])
}

/// The same with other `languages`.
pub fn folder_of(languages: &[&str]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    files_of(languages).for_each(|(name, text)| put(dir.path(), name, text));
    dir
}

/// Writes a file of a set.
pub fn put(dir: &Path, name: &str, text: impl AsRef<[u8]>) {
    let path = dir.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

fn read(dir: &Path, name: &str) -> String {
    std::fs::read_to_string(dir.join(name)).unwrap()
}

fn check(dir: &Path) -> Report {
    check_within(LIMIT, Source::Folder(dir.to_owned()), None)
}

/// The findings without their messages: `overdue/body.txt:1:1 L01`.
fn places(report: &Report) -> Vec<String> {
    let place = |text: String| text.split(' ').take(2).collect::<Vec<_>>().join(" ");
    report.findings.iter().map(|finding| place(finding.to_string())).collect()
}

/// One fault for each rule that can be silenced, each in a file of its own.
const FAULTS: &[(Code, &str, &str)] = &[
    (Code::L01, "refunded/body.txt", "Refund for {{ order.number }}."),
    (Code::L02, "date_improved/body.txt", "Good news for {{ order.number }}: {{ shop.support_email }}"),
    (Code::L04, "overdue/body.txt", "{% if typo %}{% endif %}{% include \"restock/body.txt\" %}"),
    (Code::L05, "restock/body.txt", "It ships soon. {% include \"base.txt\" %}"),
    (Code::L06, "update_48h/subject.txt", "A coupon for {{ order.number }}"),
    (Code::L07, "weekly_status/body.html", "<p>{{ today | date }}</p>{% include \"base.html\" %}"),
    (Code::L08, "shipped/body.html", "<img src=\"https://a.example/x.gif\">{% include \"base.html\" %}"),
    (Code::L09, "shipped/subject.txt", "{% for n in range(end=151) %}x{% endfor %}"),
    (Code::L10, "cancelled/subject.txt", ""),
];

#[test]
fn the_compiled_in_set_is_without_an_error_or_a_warning_on_twenty_samples_of_each_kind() {
    let report = check_within(LIMIT, Source::CompiledIn, None);
    assert_eq!(places(&report), [""; 0]);
    assert!(report.samples >= 200 && report.mails == report.samples * report.languages.len());
}

#[test]
fn each_rule_fires_all_are_told_at_once_and_each_is_silenced_by_a_comment_with_a_reason() {
    let dir = folder();
    let mut expected = Vec::new();
    for (code, file, text) in FAULTS {
        let mut text = (*text).to_owned();
        if *code == Code::L10 {
            put(
                dir.path(),
                "cancelled/body.txt",
                "Cancelled. {{ shop.support_email }}\n{% if false %}{% endif %}\
                {% for line in waiting.items %}{% if line.date %}{{ line.date | date }}{% else %}There is no date yet.\
                {% endif %}{% endfor %}",
            );
            text = read(dir.path(), "cancelled/body.txt");
        }
        let file = if *code == Code::L10 { "cancelled/body.txt" } else { file };
        put(dir.path(), file, &text);
        expected.push((*code, file, text));
    }
    let report = check(dir.path());
    for (code, file, _) in &expected {
        let fired = report.findings.iter().any(|found| found.code == *code && found.file == *file);
        assert!(fired, "{} in {file}: {:#?}", code.as_str(), report.findings);
    }
    let silenceable = RULES.iter().filter(|rule| rule.silenceable).map(|rule| rule.code);
    assert_eq!(silenceable.collect::<Vec<_>>(), FAULTS.iter().map(|(code, ..)| *code).collect::<Vec<_>>());

    for (code, file, text) in &expected {
        // The comment is about its own rule only.
        put(dir.path(), file, format!("{{# lint:allow {} we know why #}}{text}", code.as_str()));
    }
    let silenced = check(dir.path());
    for (code, file, _) in &expected {
        let fires = silenced.findings.iter().any(|found| found.code == *code && found.file == *file);
        assert!(!fires, "{} in {file} is not silenced: {:#?}", code.as_str(), silenced.findings);
        let others = |report: &Report| {
            let here = report.findings.iter().filter(|found| found.file == *file && found.code != *code);
            here.map(|found| found.code).collect::<Vec<_>>()
        };
        assert_eq!(others(&silenced), others(&report), "{file}");
    }
}

#[test]
fn what_silences_nothing_is_told() {
    let dir = folder();
    let allow =
        "{# lint:allow L99 why #}{# lint:allow L05 #}\n{#- lint:allow L03 we like html -#}{# lint:allowed #}";
    put(dir.path(), "overdue/subject.txt", format!("{allow}Order {{{{ order.number }}}} is late"));
    let report = check(dir.path());
    let told: Vec<String> = report.findings.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "overdue/subject.txt:1:1 L00 lint:allow names no rule: \"L99\"; write a code, as in L05",
            "overdue/subject.txt:1:25 L00 lint:allow L05 gives no reason; write one behind the code",
            "overdue/subject.txt:2:1 L00 L03 cannot be silenced: the text part is missing or empty",
            "overdue/subject.txt:2:36 L00 lint:allow names no rule: \"ed\"; write a code, as in L05",
        ]
    );
    assert!(report.into_set().is_ok(), "a warning stands in nobody's way");
}

#[test]
fn a_fault_in_a_branch_that_no_sample_takes_is_found_with_its_place() {
    let dir = folder();
    let text = read(dir.path(), "shipped/subject.txt");
    put(
        dir.path(),
        "shipped/subject.txt",
        text + "\n{% if false %} It comes soon, {{ order.numbr }}{% endif %}",
    );
    let told: Vec<String> = check(dir.path()).findings.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "shipped/subject.txt:3:25 L05 vague word \"soon\"; say the date, or that there is none",
            "shipped/subject.txt:3:40 L04 Field `numbr` is not defined; the nearest known is `number`",
        ]
    );
}

#[test]
fn an_unknown_name_that_a_mail_fails_at_is_told_once_and_cannot_be_silenced_away() {
    let dir = folder();
    for (allow, expected) in [("", "1:10 L04"), ("{# lint:allow L04 it will come #}", "1:43 E03")] {
        put(dir.path(), "restock/subject.txt", format!("{allow}{{{{ order.numbr }}}}"));
        let report = check(dir.path());
        assert_eq!(places(&report), [format!("restock/subject.txt:{expected}")]);
        assert!(report.into_set().is_err());
    }
}

#[test]
fn a_folder_that_is_not_there_or_empty_is_one_fault() {
    let dir = folder();
    let told: Vec<String> = check(&dir.path().join("no")).findings.iter().map(ToString::to_string).collect();
    assert_eq!(told, [".:1:1 E01 cannot be read: No such file or directory (os error 2)"]);
    std::fs::create_dir(dir.path().join("no")).unwrap();
    assert_eq!(places(&check(&dir.path().join("no"))), [".:1:1 E01"]);
}

#[test]
fn a_text_part_that_is_missing_or_empty_is_refused() {
    let dir = folder();
    std::fs::remove_file(dir.path().join("overdue/body.txt")).unwrap();
    put(dir.path(), "restock/body.txt", "");
    put(dir.path(), "shipped/subject.txt", "");
    let found = places(&check(dir.path()));
    assert_eq!(
        found,
        ["overdue/body.txt:1:1 L03", "restock/body.txt:1:1 L03", "shipped/subject.txt:1:1 E03"]
    );
}

#[test]
fn a_mail_without_a_date_must_say_so_and_one_with_a_date_must_state_it() {
    let dir = folder();
    let body = |middle: &str| {
        format!(
            "Order {{{{ order.number }}}}: {{{{ shop.support_email }}}} {{{{ today | date }}}} \
             {{% for line in waiting.items %}}{middle}{{% endfor %}}"
        )
    };
    for (middle, findings) in [
        ("{% if line.date %}Ships by {{ line.date | date }}.{% else %}There is no date yet.{% endif %}", 0),
        ("Ships by {{ line.date | date }}.", 1),
        ("{% if line.date %}It has a date.{% else %}There is no date yet.{% endif %}", 1),
    ] {
        put(dir.path(), "update_48h/body.txt", body(middle));
        let found = places(&check(dir.path()));
        assert_eq!(found, vec!["update_48h/body.txt:1:1 L02"; findings], "{middle}");
    }
}

#[test]
fn every_broken_file_is_told_not_only_the_first() {
    let dir = folder();
    put(dir.path(), "overdue/body.txt", "{% if %}");
    put(dir.path(), "shipped/body.txt", "one\n{% if waited %}two");
    put(dir.path(), "restock/body.txt", "{% extends \"bse.txt\" %}");
    put(dir.path(), "refunded/body.txt", "{{ order.number | uper }}");
    put(dir.path(), "refunded/body.htm", "");
    put(dir.path(), "cancelled/body.txt", b"a\nb\xe9");
    put(dir.path(), "notes.txt", "");
    let report = check(dir.path());
    assert_eq!(
        places(&report),
        [
            "cancelled/body.txt:2:2 E01",
            "notes.txt:1:1 E01",
            "overdue/body.txt:1:7 E02",
            "refunded/body.htm:1:1 E01",
            "refunded/body.txt:1:19 E02",
            "restock/body.txt:1:1 E02",
            "shipped/body.txt:2:19 E02",
        ]
    );
    assert!(report.mails > 0, "the other kinds are tried all the same");
    let error = report.into_set().unwrap_err().to_string();
    assert_eq!(error, "cancelled/body.txt:2:2 is not valid UTF-8");
}

#[test]
fn a_fault_of_one_language_is_told_with_its_place_and_leaves_the_others_to_be_tried() {
    let dir = folder_of(&["de"]);
    let samples = check(dir.path()).samples;
    put(dir.path(), "de/restock/subject.txt", "{{ order.number }} kommt bald");
    put(dir.path(), "de/overdue/body.txt", "{% if %}");
    let report = check(dir.path());
    assert_eq!(places(&report), ["de/overdue/body.txt:1:7 E02", "de/restock/subject.txt:1:26 L05"]);
    assert!(report.mails > samples + samples / 2, "only one kind of German is left out");

    put(dir.path(), "de/say.txt", "{% if %}");
    put(dir.path(), "de-AT/restock/subject.txt", "{{ order.number }}");
    put(dir.path(), "update_48h/subject.txt", "A coupon for {{ order.number }}");
    let report = check(dir.path());
    let told = places(&report);
    assert!(told.contains(&"de/say.txt:1:7 E02".to_owned()), "{told:?}");
    assert!(told.contains(&"update_48h/subject.txt:1:3 L06".to_owned()), "{told:?}");
    assert_eq!((report.mails, report.languages.len()), (samples, 3), "German cannot be tried, English is");
}

#[test]
fn what_a_language_lacks_or_writes_wrongly_is_told() {
    let dir = folder_of(&["de"]);
    std::fs::remove_file(dir.path().join("de/overdue/body.txt")).unwrap();
    put(dir.path(), "de/language.toml", "direction = \"up\"");
    put(dir.path(), "de/update_48h/body.html", "");
    put(dir.path(), "nl/restock/body.txt", "x");
    let told = places(&check(dir.path()));
    assert_eq!(
        told,
        [
            "de/language.toml:1:13 E02",
            "de/overdue/body.txt:1:1 L03",
            "de/update_48h/body.html:1:1 E01",
            "nl/language.toml:1:1 E01",
            "nl/restock/subject.txt:1:1 E01",
            "nl/say.txt:1:1 E01",
        ]
    );
}

#[test]
fn html_that_is_made_of_a_text_is_held_to_what_html_is_held_to() {
    let dir = folder();
    let body = read(dir.path(), "overdue/body.txt");
    let at_line = body.lines().count() + 1;
    let image = "{% block sorry %}<img src=\"https://a.example/x.gif\">{% endblock sorry %}";
    put(dir.path(), "overdue/body.txt", format!("{body}{image}"));
    assert_eq!(places(&check(dir.path())), [format!("overdue/body.txt:{at_line}:18 L08")]);
}

#[test]
fn windows_files_with_a_mark_are_the_same_set_and_odd_files_are_answered() {
    let dir = folder();
    let plain = check(dir.path()).into_set().unwrap();
    for (name, text) in files_of(&[]) {
        put(dir.path(), name, format!("\u{feff}{}", text.replace('\n', "\r\n")));
    }
    assert_eq!(check(dir.path()).into_set().unwrap().hash(), plain.hash());
    put(dir.path(), "overdue/body.html", "x".repeat(5 << 20));
    std::fs::remove_file(dir.path().join("base.txt")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", dir.path().join("base.txt")).unwrap();
    std::os::unix::fs::symlink("/etc", dir.path().join("restocked")).unwrap();
    let report = check(dir.path());
    let told: Vec<String> = report.findings.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "base.txt:1:1 E01 is a link; put the file itself here",
            "overdue/body.html:1:1 E01 is longer than 1 MiB",
            "restocked:1:1 E01 is not a template; the nearest known is `restock`",
        ]
    );
}

#[test]
fn a_loop_that_does_not_end_is_given_up_and_one_that_prints_is_cut() {
    let dir = folder();
    let turns = |body: &str| {
        let ten = "{% for a in range(end=5000) %}{% for b in range(end=5000) %}";
        format!("{ten}{body}{{% endfor %}}{{% endfor %}}{{{{ order.number }}}} {{{{ shop.support_email }}}}")
    };
    put(dir.path(), "restock/subject.txt", turns("text"));
    let report = check(dir.path());
    assert_eq!(places(&report), ["restock/subject.txt:1:1 E04"]);
    put(dir.path(), "restock/subject.txt", turns("{% set x = b %}"));
    let report = check_within(Duration::from_secs(4), Source::Folder(dir.path().to_owned()), None);
    let told: Vec<String> = report.findings.iter().map(ToString::to_string).collect();
    assert!(
        told.len() == 1 && told[0].contains(" E04 this mail takes longer than 4 s to render"),
        "{told:?}"
    );
    assert!(report.into_set().is_err());
}

#[test]
fn the_command_tells_every_finding_with_its_place_and_ends_with_a_code() {
    let dir = folder();
    let run = |args: &[&str]| {
        let mut command = Command::cargo_bin("shipby").unwrap();
        let output = command.env_clear().current_dir(dir.path()).args(args).output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    };
    put(dir.path(), "overdue/subject.txt", "Order {{ order.number }} ships soon");
    let (code, out) = run(&["template", "check", "."]);
    assert_eq!(code, 0, "{out}");
    assert!(out.starts_with("./overdue/subject.txt:1:32 L05 vague word \"soon\""), "{out}");
    assert!(out.ends_with(" rendered, from .: 1 warning\n"), "{out}");
    assert_eq!(run(&["template", "check", ".", "--strict"]).0, 3);

    put(dir.path(), "overdue/subject.txt", "Order {{ order.numbr }} ships soon");
    let (code, out) = run(&["template", "check", ".", "--json"]);
    assert_eq!(code, 78);
    let json: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&json["errors"], &json["warnings"]), (&1.into(), &1.into()));
    assert_eq!(json["findings"][0]["code"], "L04");
    assert_eq!((&json["findings"][0]["line"], &json["findings"][0]["column"]), (&1.into(), &16.into()));
}

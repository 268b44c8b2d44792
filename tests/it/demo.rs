//! The demo tells the same story every time, and the story holds all it promises.

use assert_cmd::Command;

fn demo(folder: &std::path::Path) -> String {
    let run = Command::cargo_bin("shipby")
        .unwrap()
        .args(["demo", "--once", "--keep"])
        .arg(folder)
        .assert()
        .success();
    String::from_utf8(run.get_output().stdout.clone()).unwrap()
}

#[test]
fn the_demo_is_the_same_every_time_to_the_byte_and_leaves_its_mails() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("demo");
    let first = demo(&place);
    assert_eq!(first, demo(&place));
    insta::assert_snapshot!(first.replace(&place.display().to_string(), "DIR"));
    let mails = std::fs::read_dir(&place).unwrap();
    let count =
        mails.filter(|entry| entry.as_ref().unwrap().path().extension().is_some_and(|e| e == "eml")).count();
    assert!(first.contains(&format!("{count} mails taken by the mail server")), "{count}\n{first}");
}

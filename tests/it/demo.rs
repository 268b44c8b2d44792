//! The demo tells the same story every time, and the story holds all it promises.

use std::process::Stdio;

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

#[test]
fn who_reads_only_the_beginning_of_the_demo_sees_no_error() {
    let folder = tempfile::tempdir().unwrap();
    let mut demo = std::process::Command::new(assert_cmd::cargo::cargo_bin!("shipby"));
    demo.args(["demo", "--once", "--keep"]).arg(folder.path());
    let mut demo = demo.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(demo.stdout.take());
    let came = demo.wait_with_output().unwrap();
    assert_eq!((came.status.code(), String::from_utf8(came.stderr).unwrap().as_str()), (Some(0), ""));
}

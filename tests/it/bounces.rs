//! How mail that came back gets in: from a mail server's pipe, and from a Maildir.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use shipby::bounces::maildir::{Maildir, Turn};
use shipby::catcher::{Catcher, Script};
use shipby::clock::Clock;
use shipby::dispatcher::Transport;
use shipby::domain::notice::short_id;
use shipby::mail::MAX_RETURNED;
use shipby::store::{Claim, Durability, Owner, Store};
use shipby::wiring;
use tempfile::TempDir;

use crate::cli_read::house::{self, House};
use crate::support::app::{Differs, TestApp};
use crate::support::daemon;
use crate::support::facts::{order, supply};
use crate::support::mails::mail;
use crate::support::raw::Raw;

const BOUNCES: &str = "[bounces]\naddress = \"bounce@shop.example\"\n";

/// A shop whose order 1042 was confirmed to Ana; with that notice and its envelope sender.
async fn confirmed() -> (House, String, String) {
    let house = House::new("live");
    let config = std::fs::read_to_string(house.path("config.toml")).unwrap();
    std::fs::write(house.path("config.toml"), config + BOUNCES).unwrap();
    let catcher = Catcher::start(Script::default()).await.unwrap();
    let relay = wiring::local_relay("127.0.0.1", catcher.addr().port()).unwrap();
    let facts = [house::order("1042", "2026-03-02T08:14:00Z", Some("ana@example.com"), 1)];
    house.play(Transport::Smtp(Arc::new(relay)), &facts, "2026-03-02T09:00:00Z").await;
    let store = house.store().await;
    let notice = store.timeline("1042").await.unwrap()[0].notice.clone().unwrap();
    let sender = wiring::verp(&house.config(), &store).unwrap().unwrap().sender(&notice);
    store.close().await;
    (house, notice, sender)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bounce_from_the_pipe_is_taken_in_and_said_in_a_sentence() {
    let (house, notice, sender) = confirmed().await;
    let postfix = mail("postfix", &notice, &sender);
    let done = format!(
        "Notice {} of order 1042 came back: it counts as not heard, and the address gets no mail from now on; \
         ask the customer for another.\n",
        short_id(&notice)
    );
    assert_eq!(house.run_on(&["bounce", &sender], &postfix), (0, done, String::new()));
    let known = (0, "Ignored: it was reported before.\n".to_owned(), String::new());
    assert_eq!(house.run_on(&["bounce"], &postfix), known);
    let history = house.prints(&["history", "1042", "--at", house::AT]);
    let told = "confirmation  bounced  Order 1042 confirmed: ships by 20 March  550 5.1.1 <ana@example.com>";
    assert!(
        history.contains(told) && history.contains("the address is dead; ask the customer for another"),
        "{history}"
    );
    let why = house.prints(&["why", "1042", "--at", house::AT]);
    assert!(
        why.contains("confirmation  bounced  550 5.1.1") && why.contains("(told 20 Mar since the checkout)"),
        "{why}"
    );
    let shown = house.prints(&["show", &notice]);
    assert!(
        shown.contains("came back") && shown.contains("User unknown in virtual mailbox table"),
        "{shown}"
    );
    let reports = house.json(&["show", &notice])["reports"].clone();
    assert_eq!((&reports[0]["fate"], &reports[0]["attempt"]), (&json!("failed"), &json!(1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_none_of_ours_is_taken_from_the_pipe_to_its_end_and_forgotten() {
    let (house, notice, sender) = confirmed().await;
    let forged = sender.replace(&notice, "0123456789abcdef");
    let mut huge = mail("vacation", &notice, &sender);
    huge.resize(3 * MAX_RETURNED, b'\n');
    for (mail, why) in [
        (Vec::new(), "it is no bounce and no complaint"),
        (huge, "it is no bounce and no complaint"),
        (mail("postfix", &notice, &forged), "its token is not one of ours"),
    ] {
        let ignored = (0, format!("Ignored: {why}.\n"), String::new());
        assert_eq!(house.run_on(&["bounce"], &mail), ignored);
    }
    let token = format!("x{sender}");
    let (code, out, _) = house.run_on(&["bounce", &token, "--json"], &mail("delayed", &notice, &sender));
    let out: serde_json::Value = serde_json::from_str(&out).unwrap();
    let (schema, result) = (json!("shipby.bounce/1"), json!("applied"));
    assert_eq!(
        (code, &out["schema"], &out["result"], &out["fate"]),
        (0, &schema, &result, &json!("delayed"))
    );
    assert_eq!(
        house.run_on(&["bounce", &forged], &mail("exim", &notice, &sender)).1,
        "Ignored: its token is not one of ours.\n"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_may_be_mended_is_asked_for_again() {
    let (house, notice, sender) = confirmed().await;
    let postfix = mail("postfix", &notice, &sender);
    let again = |house: &House, says: &str| {
        let (code, out, err) = house.run_on(&["bounce"], &postfix);
        assert_eq!((code, out.as_str()), (75, ""), "{err}");
        assert!(err.contains(says) && err.contains("hand it in again"), "{err}");
    };
    let config = std::fs::read_to_string(house.path("config.toml")).unwrap();
    std::fs::write(house.path("config.toml"), format!("{config}adress = 1\n")).unwrap();
    again(&house, "unknown key");
    std::fs::write(house.path("config.toml"), config).unwrap();
    std::fs::rename(house.path("shipby.db"), house.path("away.db")).unwrap();
    again(&house, "there is no database yet");
    std::fs::rename(house.path("away.db"), house.path("shipby.db")).unwrap();

    let mut other = Raw::at(&house.path("shipby.db")).await;
    other.lock_writes().await;
    again(&house, "database is locked");
    other.unlock_writes().await;
    assert!(house.run_on(&["bounce"], &postfix).1.contains("came back"));
}

/// A Maildir, and what looks into it.
fn maildir(shop: &TestApp) -> (TempDir, Maildir) {
    let folder = tempfile::tempdir().unwrap();
    for name in ["new", "cur", "tmp"] {
        std::fs::create_dir(folder.path().join(name)).unwrap();
    }
    let verp = wiring::verp(&shop.config, shop.store()).unwrap();
    let clock = Clock::Simulated(shop.sim.hand.clone());
    let policy = shop.sim.policy.clone();
    let maildir = Maildir::new(folder.path().to_owned(), shop.store().clone(), verp, clock, policy);
    (folder, maildir)
}

async fn shop() -> (TestApp, Vec<u8>) {
    let keys = [("BOUNCES__ADDRESS", "bounce@shop.example")];
    let mut shop = TestApp::with("2026-03-02T08:00:00Z", Differs { keys: &keys, ..Differs::default() }).await;
    shop.facts([supply("2026-03-16"), order("1")]).await;
    let notice = shop.kept("1", "confirmation").await.entry.notice.unwrap();
    let postfix = mail("postfix", &notice, &shop.catcher.mails()[0].from);
    (shop, postfix)
}

fn names(folder: &Path, of: &str) -> Vec<String> {
    let entries = std::fs::read_dir(folder.join(of)).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn what_is_new_in_the_maildir_is_taken_in_once_and_moved_as_seen() {
    let (shop, postfix) = shop().await;
    let (folder, mut maildir) = maildir(&shop);
    let put = |name: &str, mail: &[u8]| std::fs::write(folder.path().join("new").join(name), mail).unwrap();
    put("1.a.host", &postfix);
    put("2.b.host", &postfix);
    put("3.c.host", b"Subject: hello\r\n\r\nHello.");
    put("4.d.host:2,", b"");
    std::fs::write(folder.path().join("cur/3.c.host:2,S"), b"one of that name").unwrap();
    assert_eq!(maildir.turn().await.unwrap(), Turn { applied: 1, more: false });
    assert_eq!(shop.state("1", "confirmation").await, "bounced");
    let seen = ["1.a.host:2,S", "2.b.host:2,S", "3.c.host.1:2,S", "3.c.host:2,S", "4.d.host:2,S"];
    assert_eq!(
        (names(folder.path(), "new"), names(folder.path(), "cur")),
        (vec![], seen.map(str::to_owned).to_vec())
    );
    assert_eq!(std::fs::read(folder.path().join("cur/1.a.host:2,S")).unwrap(), postfix);
    assert_eq!(maildir.turn().await.unwrap(), Turn::default());
}

#[tokio::test]
async fn what_cannot_be_read_is_moved_unseen_and_what_cannot_be_moved_is_not_read_again() {
    let (shop, postfix) = shop().await;
    let (folder, mut maildir) = maildir(&shop);
    let new = |name: &str| folder.path().join("new").join(name);
    std::fs::create_dir(new("folder")).unwrap();
    std::os::unix::fs::symlink("/dev/zero", new("link")).unwrap();
    assert_eq!(maildir.turn().await.unwrap(), Turn::default());
    assert_eq!(names(folder.path(), "cur"), ["folder:2,", "link:2,"]);

    std::fs::remove_dir(folder.path().join("cur/folder:2,")).unwrap();
    std::fs::remove_dir_all(folder.path().join("cur")).unwrap();
    std::fs::write(new("mail"), &postfix).unwrap();
    assert_eq!(maildir.turn().await.unwrap(), Turn { applied: 1, more: false });
    std::fs::create_dir(folder.path().join("cur")).unwrap();
    assert_eq!(maildir.turn().await.unwrap(), Turn::default());
    assert_eq!(names(folder.path(), "new"), ["mail"], "it is not lost");
    std::fs::remove_dir_all(folder.path()).unwrap();
    assert_eq!(maildir.turn().await.unwrap(), Turn::default(), "the folder may come back");
}

#[tokio::test]
async fn a_bounce_that_comes_while_a_mail_of_its_order_leaves_waits_and_holds_up_no_other() {
    let (mut shop, postfix) = shop().await;
    shop.fact(order("2")).await;
    let second = shop.kept("2", "confirmation").await.entry.notice.unwrap();
    let second = mail("full", &second, &shop.catcher.mails()[1].from);
    let (folder, mut maildir) = maildir(&shop);
    shop.travel(chrono::TimeDelta::minutes(1)).await;
    shop.only_record(supply("2026-03-27"), shipby::domain::order::apply::Notify::All).await;
    let later = shop.now() + chrono::TimeDelta::hours(1);
    for _ in 0..3 {
        shipby::planner::turn(shop.store(), &shop.sim.policy, later).await.unwrap();
    }
    let ready = shop.store().ready(later, 10).await.unwrap();
    let first = ready.iter().find(|ready| ready.order.number == "1").unwrap();
    let claim = Claim { notices: vec![(first.id.clone(), first.revision)], ..Claim::default() };
    shop.store().claim(Owner { name: "test", mode: "live" }, later, claim).await.unwrap();
    std::fs::write(folder.path().join("new/1"), &postfix).unwrap();
    std::fs::write(folder.path().join("new/2"), &second).unwrap();
    assert_eq!(maildir.turn().await.unwrap(), Turn { applied: 1, more: false });
    assert_eq!(
        (names(folder.path(), "new"), shop.state("2", "confirmation").await),
        (vec!["1".into()], "bounced".into())
    );
    shop.store().release("test", &[(first.id.clone(), later)], None, later).await.unwrap();
    assert_eq!(maildir.turn().await.unwrap(), Turn { applied: 1, more: false });
    assert_eq!(shop.state("1", "confirmation").await, "bounced");
}

#[tokio::test]
async fn a_full_maildir_is_taken_in_parts() {
    let (shop, _) = shop().await;
    let (folder, mut maildir) = maildir(&shop);
    for n in 0..150 {
        std::fs::write(folder.path().join(format!("new/{n:03}")), b"Subject: hello\r\n\r\nHello.").unwrap();
    }
    assert_eq!(maildir.turn().await.unwrap(), Turn { applied: 0, more: true });
    assert_eq!(names(folder.path(), "new").first().map(String::as_str), Some("100"));
    assert_eq!(maildir.turn().await.unwrap(), Turn::default());
    assert_eq!(names(folder.path(), "cur").len(), 150);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_daemon_takes_in_what_is_dropped_into_its_maildir() {
    let catcher = Catcher::start(Script::default()).await.unwrap();
    let house = daemon::House::live(catcher.addr().port());
    let folder: PathBuf = house.config().parent().unwrap().join("bounces");
    for name in ["new", "cur", "tmp"] {
        std::fs::create_dir_all(folder.join(name)).unwrap();
    }
    let config = std::fs::read_to_string(house.config()).unwrap();
    std::fs::write(house.config(), format!("{config}{BOUNCES}maildir = \"bounces\"\n")).unwrap();
    let mut daemon = house.serve();
    let store = Store::open(&house.database(), Durability::Full).await.unwrap();
    daemon::record(&store, [order("1")]).await;
    let patience = Duration::from_secs(30);
    let caught = daemon::until(patience, async || catcher.mails().pop()).await;
    let accepted = async || {
        let timeline = store.timeline("1").await.unwrap();
        timeline.into_iter().find(|entry| entry.state == "accepted").and_then(|entry| entry.notice)
    };
    let notice = daemon::until(patience, accepted).await;
    let tmp = folder.join("tmp/mail");
    std::fs::write(&tmp, mail("postfix", &notice, &caught.from)).unwrap();
    std::fs::rename(tmp, folder.join("new/1772439249.1.host")).unwrap();
    let seen = async || Some(names(&folder, "cur")).filter(|names| names.len() == 1);
    let seen = daemon::until(patience, seen).await;
    assert!(seen[0].ends_with(":2,S"), "{seen:?}");
    assert_eq!(store.timeline("1").await.unwrap()[0].state, "bounced");
    daemon.signal("TERM");
    assert!(daemon.ended().success());
    assert!(
        !house.log().contains("ana@example.com") && house.log().contains("a mail came back"),
        "{}",
        house.log()
    );
}

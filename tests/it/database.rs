//! The built binary and a database that is locked, full, not to be written, damaged, older or newer: nothing is sent whose
//! outcome cannot be stored, and nothing is ever made anew over what was there.
//!
//! Here, and nowhere else beside [`Raw`], a test speaks SQL: about SQLite's own file, its schema's versions and its pages.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::Duration;

use shipby::catcher::{Answer, Catcher, Script};
use shipby::domain::notice::{KindRules, NoticeKind, Topic};
use shipby::domain::reply::Phase;
use shipby::store::{Durability, Lock, Store, StoreError};
use sqlx::{Connection, SqliteConnection};
use tokio::sync::Notify;

use crate::support::app::TestApp;
use crate::support::daemon::{House, record, until};
use crate::support::disk::Disk;
use crate::support::facts::{order, order_of};
use crate::support::raw::Raw;

const LONG: Duration = Duration::from_secs(30);

/// A connection to the file, made where there is none.
async fn raw(path: &Path) -> SqliteConnection {
    SqliteConnection::connect(&format!("sqlite://{}?mode=rwc", path.display())).await.unwrap()
}

/// A relay that tells of the first mail it is given, and takes a while over it.
async fn telling() -> (Arc<Notify>, Catcher) {
    let told = Arc::new(Notify::new());
    let tell = told.clone();
    let script = Script::new(move |dialogue| {
        if dialogue.phase == Phase::Body && dialogue.to == "c0@example.com" {
            tell.notify_one();
            return Answer::After(Duration::from_millis(300), Box::new(Answer::Usual));
        }
        Answer::Usual
    });
    (told, Catcher::start(script).await.unwrap())
}

/// One command beside the daemon.
fn shipby(house: &House, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shipby"));
    command.arg("--config").arg(house.config()).args(args).output().unwrap()
}

/// The lines that say what is wrong.
fn errors(said: &Output) -> Vec<String> {
    let lines = String::from_utf8_lossy(&said.stderr).into_owned();
    lines.lines().filter(|line| line.starts_with("shipby: ")).map(str::to_owned).collect()
}

/// The daemon's own errors.
fn logged_errors(house: &House) -> Vec<String> {
    house.log().lines().filter(|line| line.contains("\"level\":\"ERROR\"")).map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_relay_said_waits_for_a_locked_database_and_a_command_is_told_to_come_again() {
    let (told, catcher) = telling().await;
    let house = House::live(catcher.addr().port());
    let mut daemon = house.serve();
    let store = house.store().await;
    let mut locked = Raw::at(&house.database()).await;
    record(&store, [order_of("0", "c0@example.com")]).await;
    tokio::time::timeout(LONG, told.notified()).await.unwrap();
    locked.lock_writes().await;
    let refused = shipby(&house, &["receive", "KETTLE", "3"]);
    assert_eq!(refused.status.code(), Some(69));
    let words = "database is locked by another program for longer than is waited for; try again later";
    assert_eq!(errors(&refused), [format!("shipby: {}: {words}", house.database().display())]);
    house.hear_log("what the relay said cannot be stored");
    assert_eq!(store.timeline("0").await.unwrap()[0].state, "sending");
    locked.unlock_writes().await;
    let accepted =
        async || store.timeline("0").await.unwrap().pop().filter(|entry| entry.state == "accepted");
    assert_eq!(until(LONG, accepted).await.attempts, 1);
    assert_eq!(catcher.count(), 1);
    daemon.signal("TERM");
    assert_eq!(daemon.ended().code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_full_disk_nothing_more_leaves_facts_are_refused_and_it_goes_on_by_itself_once_there_is_room() {
    const ORDERS: usize = 20;
    let Some(disk) = Disk::small(16) else { return };
    let filler = disk.filler();
    let fill = filler.clone();
    let fills = Script::new(move |dialogue| {
        if dialogue.phase == Phase::Body && dialogue.attempt == 1 && dialogue.to == "c0@example.com" {
            fill.fill();
        }
        Answer::Usual
    });
    let catcher = Catcher::start(fills).await.unwrap();
    let house = House::live_in(disk.path(), catcher.addr().port());
    let mut daemon = house.serve();
    let store = house.store().await;
    let orders = (0..ORDERS).map(|n| order_of(&format!("{n:02}"), &format!("c{n}@example.com")));
    record(&store, orders).await;
    house.hear_log("what the relay said cannot be stored");
    let before = catcher.count();
    let refused = shipby(&house, &["receive", "KETTLE", "3"]);
    assert_eq!((refused.status.code(), errors(&refused).len()), (Some(69), 1), "{refused:?}");
    assert!(errors(&refused)[0].contains("disk is full"), "{refused:?}");
    assert_eq!(catcher.count(), before, "nothing leaves whose outcome cannot be stored");
    filler.clear();
    let accepted = async || {
        let states = store.counts().await.unwrap().notices.remove("confirmation").unwrap();
        (states.get("accepted") == Some(&(ORDERS as i64))).then_some(states)
    };
    assert_eq!(until(LONG, accepted).await.len(), 1, "no doubt is left");
    assert_eq!(catcher.count(), ORDERS as u64, "nothing came twice");
    assert!(shipby(&house, &["receive", "KETTLE", "3"]).status.success());
    daemon.signal("TERM");
    assert_eq!(daemon.ended().code(), Some(0));
}

/// The daemon as somebody who may not write what others own.
fn serve_as_a_stranger(house: &House, binary: &Path) -> Output {
    let mut command = Command::new(binary);
    command.arg("--config").arg(house.config()).arg("serve").env_remove("RUST_LOG");
    if Command::new("id").arg("-u").output().unwrap().stdout == b"0\n" {
        command.uid(65534).gid(65534);
    }
    command.output().unwrap()
}

fn allow(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[tokio::test]
async fn a_folder_or_a_file_that_may_only_be_read_ends_the_start_with_one_line_that_names_it() {
    let house = House::quiet();
    house.store().await.close().await;
    let (database, folder) = (house.database(), house.config().parent().unwrap().to_owned());
    let before = std::fs::read(&database).unwrap();
    // The built binary may lie where a stranger cannot go.
    let binary = folder.join("shipby");
    std::fs::copy(env!("CARGO_BIN_EXE_shipby"), &binary).unwrap();
    allow(&house.config(), 0o644);
    allow(&database, 0o644);
    allow(&folder, 0o555);
    let refused = serve_as_a_stranger(&house, &binary);
    let lock = format!("{}.lock", database.display());
    assert_eq!(refused.status.code(), Some(69));
    assert_eq!(
        errors(&refused),
        [format!(
            "shipby: {lock}: Permission denied (os error 13); its folder must belong to whom shipby runs as"
        )]
    );
    allow(&folder, 0o777);
    allow(&database, 0o444);
    let refused = serve_as_a_stranger(&house, &binary);
    assert_eq!(refused.status.code(), Some(69));
    assert_eq!(
        errors(&refused),
        [format!("shipby: {}: attempt to write a readonly database", database.display())]
    );
    assert_eq!(std::fs::read(&database).unwrap(), before);
}

/// Makes it a database that a later shipby has brought to a version.
async fn make_newer(path: &Path, version: i64) {
    const LATER: &str =
        "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
        values ($1, 'later', true, x'00', 0)";
    let mut conn = raw(path).await;
    sqlx::query(LATER).bind(version).execute(&mut conn).await.unwrap();
    conn.close().await.unwrap();
}

#[tokio::test]
async fn a_newer_schema_ends_the_start_with_both_versions_and_nothing_is_touched() {
    let house = House::quiet();
    house.store().await.close().await;
    make_newer(&house.database(), 99).await;
    let before = std::fs::read(house.database()).unwrap();
    for args in [&["serve"][..], &["upcoming"]] {
        let refused = shipby(&house, args);
        assert_eq!(refused.status.code(), Some(69), "{args:?}");
        let said = errors(&refused);
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].contains("newer shipby (schema 99, this one knows"), "{said:?}");
    }
    assert_eq!(std::fs::read(house.database()).unwrap(), before);
}

#[tokio::test]
async fn a_newer_schema_is_refused_with_both_versions_and_left_alone() {
    let shop = TestApp::start("2026-03-02T08:00:00Z").await;
    make_newer(shop.database(), 9999).await;
    let error = Store::open(shop.database(), Durability::Full).await.unwrap_err();
    let StoreError::Newer { found: 9999, known, .. } = error else { panic!("{error:?}") };
    let path = shop.database().display();
    assert_eq!(
        error.to_string(),
        format!(
            "{path} was written by a newer shipby (schema 9999, this one knows {known}); nothing was touched"
        )
    );
}

#[tokio::test]
async fn a_database_that_cannot_be_written_is_refused_by_its_path() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shipby.db");
    Store::open(&path, Durability::Full).await.unwrap().close().await;
    // What a read-only file is to others, this is to root as well: a version that may be read only.
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[18] = 3;
    std::fs::write(&path, bytes).unwrap();
    let error = Store::open(&path, Durability::Full).await.unwrap_err();
    assert!(matches!(error, StoreError::Open { .. }), "{error:?}");
    assert_eq!(error.to_string(), format!("{}: attempt to write a readonly database", path.display()));
    let nowhere = folder.path().join("no/such/folder/shipby.db");
    let error = Store::open(&nowhere, Durability::Full).await.unwrap_err();
    assert_eq!(error.to_string(), format!("{}: unable to open database file", nowhere.display()));
}

/// A database as an older shipby made it, with a pause on it.
pub async fn older(path: &Path) {
    let mut conn = raw(path).await;
    sqlx::query("pragma journal_mode = wal").execute(&mut conn).await.unwrap();
    sqlx::migrate!().run_to(7, &mut conn).await.unwrap();
    let pause = "insert into pauses (scope, subject, reason, since) values ('all', '', 'stock count', 1)";
    sqlx::query(pause).execute(&mut conn).await.unwrap();
    conn.close().await.unwrap();
}

pub async fn version(path: &Path) -> i64 {
    let newest = "select max(version) from _sqlx_migrations";
    sqlx::query_scalar(newest).fetch_one(&mut raw(path).await).await.unwrap()
}

#[tokio::test]
async fn an_older_schema_is_brought_up_to_date_over_a_copy_of_the_database_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shipby.db");
    older(&path).await;
    let store = Store::open(&path, Durability::Full).await.unwrap();
    let pauses = store.pauses("2026-03-02T08:00:00Z".parse().unwrap()).await.unwrap();
    assert_eq!(pauses.iter().map(|pause| pause.reason.as_str()).collect::<Vec<_>>(), ["stock count"]);
    store.close().await;
    assert!(version(&path).await > 7);
    let copy = folder.path().join("shipby.db.schema-7.bak");
    assert_eq!(version(&copy).await, 7);
    let reason: String =
        sqlx::query_scalar("select reason from pauses").fetch_one(&mut raw(&copy).await).await.unwrap();
    assert_eq!(reason, "stock count");
    // Once it is up to date, nothing more is copied.
    std::fs::remove_file(&copy).unwrap();
    Store::open(&path, Durability::Full).await.unwrap().close().await;
    assert!(!copy.exists());
}

/// What statements ask of a notice: that it must be known, tells an event, is the first word, may repeat, loses its use
/// and is renewable.
type Asked = (bool, bool, bool, bool, bool, bool);

#[tokio::test]
async fn notices_of_an_older_schema_have_the_rules_of_their_kinds_once_it_is_up_to_date() {
    use NoticeKind::{
        Cancelled, Confirmation, DateImproved, DateSlip, Overdue, Refunded, Restock, Shipped, Update48h,
        WeeklyStatus,
    };
    const NOTICE: &str =
        "insert into notices (id, order_number, kind, occasion, state, email, includes, lines, news,
        planned_at, useful_until, urgency, settled_at)
        values ($1, '1', $1, $1, 'accepted', 'a@b.example', '[]', '[]', '[]', 1, 1, 1, 1)";
    const ASKED: &str = "select must_be_known, tells_event, is_first, may_repeat, loses_use, is_renewable
        from notices where kind = $1";
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shipby.db");
    let mut conn = raw(&path).await;
    sqlx::migrate!().run_to(16, &mut conn).await.unwrap();
    let order =
        "insert into orders (number, at, placed_at, recorded_at, status) values ('1', 0, 0, 0, 'waiting')";
    sqlx::query(order).execute(&mut conn).await.unwrap();
    let then = [
        Cancelled,
        Refunded,
        Shipped,
        Confirmation,
        Restock,
        DateSlip,
        Overdue,
        DateImproved,
        Update48h,
        WeeklyStatus,
    ];
    for kind in then {
        sqlx::query(NOTICE).bind(kind.as_str()).execute(&mut conn).await.unwrap();
    }
    conn.close().await.unwrap();
    Store::open(&path, Durability::Full).await.unwrap().close().await;
    for kind in then {
        let asked: Asked =
            sqlx::query_as(ASKED).bind(kind.as_str()).fetch_one(&mut raw(&path).await).await.unwrap();
        let KindRules { topic, must_be_known, may_repeat, loses_use, is_renewable, .. } = kind.rules();
        let (tells_event, is_first) = (topic == Topic::Event, topic == Topic::Order);
        assert_eq!(
            asked,
            (must_be_known, tells_event, is_first, may_repeat, loses_use, is_renewable),
            "{kind}"
        );
    }
}

#[tokio::test]
async fn a_step_of_the_schema_that_fails_leaves_the_database_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shipby.db");
    older(&path).await;
    // In the way of a later step than the first that is missing.
    sqlx::query("create table held_back (x)").execute(&mut raw(&path).await).await.unwrap();
    let error = Store::open(&path, Durability::Full).await.unwrap_err().to_string();
    assert!(error.contains("nothing was changed") && error.contains("held_back"), "{error}");
    assert_eq!(version(&path).await, 7);
    let made = "select count(*) from sqlite_master where name = 'suppressions'";
    let made: i64 = sqlx::query_scalar(made).fetch_one(&mut raw(&path).await).await.unwrap();
    assert_eq!(made, 0, "a step before it stayed");
}

#[tokio::test]
async fn while_a_daemon_works_on_an_older_schema_no_command_changes_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shipby.db");
    older(&path).await;
    let lock = Lock::take(&path).unwrap();
    let error = Store::open(&path, Durability::Full).await.unwrap_err();
    assert!(matches!(error, StoreError::Older { found: 7, .. }), "{error}");
    assert_eq!(version(&path).await, 7);
    Store::open_owned(&lock).await.unwrap().close().await;
    assert!(version(&path).await > 7);
}

/// Overwrites pages of the file with what is no page.
async fn damage(path: &Path, table: &str) {
    let mut conn = raw(path).await;
    // All of it in the one file, or the log would heal it.
    sqlx::query("pragma wal_checkpoint(truncate)").execute(&mut conn).await.unwrap();
    let size: i64 = sqlx::query_scalar("pragma page_size").fetch_one(&mut conn).await.unwrap();
    let roots = "select rootpage from sqlite_master where tbl_name = $1";
    let roots: Vec<i64> = sqlx::query_scalar(roots).bind(table).fetch_all(&mut conn).await.unwrap();
    conn.close().await.unwrap();
    let mut bytes = std::fs::read(path).unwrap();
    for root in roots {
        let start = usize::try_from((root - 1) * size).unwrap();
        bytes[start..start + usize::try_from(size).unwrap()].fill(0xa5);
    }
    std::fs::write(path, bytes).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn over_a_damaged_database_nothing_is_sent_one_line_says_so_and_the_file_is_left_as_it_is() {
    let catcher = Catcher::start(Script::usual()).await.unwrap();
    let house = House::live(catcher.addr().port());
    let mut daemon = house.serve();
    daemon.signal("TERM");
    daemon.ended();
    let store = house.store().await;
    record(&store, [order("1"), order("2")]).await;
    store.close().await;
    damage(&house.database(), "lines").await;
    let before = std::fs::read(house.database()).unwrap();
    let mut daemon = house.start();
    house.hear_status("the database is damaged and nothing is sent; restore a backup");
    daemon.signal("TERM");
    assert_eq!(daemon.ended().code(), Some(0));
    assert_eq!(logged_errors(&house).len(), 1, "{:#?}", logged_errors(&house));
    assert_eq!(catcher.count(), 0);
    let after = std::fs::read(house.database()).unwrap();
    assert_eq!(after.len(), before.len());
    assert!(after.windows(64).any(|bytes| bytes == [0xa5; 64]), "the damage was written over");

    // What a start itself must read ends it.
    damage(&house.database(), "notices").await;
    let refused = shipby(&house, &["serve"]);
    assert_eq!(refused.status.code(), Some(69));
    let words = "shipby: database: database disk image is malformed: the file is damaged; restore a backup";
    assert_eq!(errors(&refused), [words]);
}

#[tokio::test]
async fn a_file_that_is_no_database_ends_the_start_with_one_line_and_is_left_as_it_is() {
    let house = House::quiet();
    let letter = "This is a letter, not a database.\n".repeat(200);
    std::fs::write(house.database(), &letter).unwrap();
    let refused = shipby(&house, &["serve"]);
    assert_eq!(refused.status.code(), Some(69));
    let path = house.database();
    assert_eq!(errors(&refused), [format!("shipby: {}: file is not a database", path.display())]);
    assert_eq!(std::fs::read_to_string(path).unwrap(), letter);
}

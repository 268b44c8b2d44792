//! What the service manager is told, and when: ready only once everything is there, alive only while the loops turn.

use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

use shipby::store::{Lock, StoreError};
use shipby::telemetry::{Supervisor, Watchdog};
use tokio_util::sync::CancellationToken;

use crate::database::{older, version};
use crate::support::daemon::{House, until};
use crate::support::raw::Raw;

const LONG: Duration = Duration::from_secs(30);
/// Long enough for what comes at once.
const SHORT: Duration = Duration::from_millis(400);

#[tokio::test(flavor = "multi_thread")]
async fn ready_is_said_when_the_database_is_ours_and_up_to_date_and_not_before() {
    let house = House::quiet();
    let path = house.database();
    older(&path).await;
    let others = Lock::take(&path).unwrap();
    let mut refused = house.start();
    assert_eq!(refused.ended().code(), Some(69));
    drop(others);
    assert_eq!(house.next_word(SHORT), None, "without the lock nothing is said");

    let mut in_the_way = Raw::at(&path).await;
    in_the_way.lock_writes().await;
    let daemon = house.start();
    let lock = house.config().with_file_name("shipby.db.lock");
    let is_locked = async || {
        let owner = std::fs::read_to_string(&lock).unwrap_or_default();
        (owner.trim() == daemon.id().to_string()).then_some(())
    };
    until(LONG, is_locked).await;
    assert_eq!(house.next_word(SHORT), None, "while the schema is old nothing is said");
    in_the_way.unlock_writes().await;
    house.apply_accepted("READY=1");
    assert!(version(&path).await > 7);
    assert!(matches!(Lock::take(&path), Err(StoreError::Locked { .. })));
}

#[test]
fn signs_of_life_come_as_long_as_the_daemon_works_and_end_when_it_is_told_to_stop() {
    let house = House::quiet();
    let mut daemon = house.start_with(&[("WATCHDOG_USEC", "300000")]);
    house.apply_accepted("READY=1");
    for _ in 0..5 {
        house.apply_accepted("WATCHDOG=1");
    }
    daemon.signal("TERM");
    house.apply_accepted("STOPPING=1");
    assert_eq!(daemon.ended().code(), Some(0));
    assert_eq!(house.next_word(SHORT), None);
}

/// In its environment the test below runs as the program that is supervised.
const SUPERVISED: &str = "SHIPBY_TEST_SUPERVISED";

/// A program with two loops under the watchdog; one turns whenever a byte comes in.
fn supervised() {
    let mut watchdog = Watchdog::default();
    let planner = watchdog.watch("planner", SHORT / 4);
    let _dispatcher = watchdog.watch("dispatcher", LONG);
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(watchdog.run(Supervisor::from_env(), CancellationToken::new()));
    });
    while std::io::stdin().read_exact(&mut [0]).is_ok() {
        planner.heartbeat();
    }
}

#[test]
fn a_loop_that_stands_still_ends_the_signs_of_life_until_it_turns_again() {
    if std::env::var_os(SUPERVISED).is_some() {
        return supervised();
    }
    let house = House::quiet();
    let mut command = Command::new(std::env::current_exe().unwrap());
    let name = "supervised::a_loop_that_stands_still_ends_the_signs_of_life_until_it_turns_again";
    command.args(["--exact", name, "--nocapture"]).env(SUPERVISED, "yes");
    command.env("NOTIFY_SOCKET", house.notify_socket()).env("WATCHDOG_USEC", "60000");
    let mut program = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let mut turn = program.stdin.take().unwrap();
    let mut turns_until = |word: &str| {
        let mut heard = None;
        for _ in 0..2_000 {
            turn.write_all(&[0]).unwrap();
            heard = house.next_word(SHORT / 40).or(heard);
            if heard.as_deref() == Some(word) {
                return;
            }
        }
        panic!("while it turned {word} was not heard, but {heard:?}");
    };
    turns_until("WATCHDOG=1");
    house.apply_accepted("STATUS=stalled: planner");
    assert_eq!(house.next_word(SHORT), None, "it stands still, and that was said once");
    turns_until("STATUS=");
    turns_until("WATCHDOG=1");
    drop(turn);
    assert!(program.wait().unwrap().success());
}

//! The built binary and a power cut at any moment: what it acknowledged is there afterwards, and the database is whole.

use std::collections::{BTreeSet, HashMap};
use std::process::{Command, Stdio};
use std::time::Duration;

use shipby::catcher::{Catcher, Script};

use crate::support::chance::Chance;
use crate::support::daemon::House;
use crate::support::facts::order_of;
use crate::support::power::{Disk, Event, can_be_recorded, events, recorder};
use crate::support::raw::Raw;

const LONG: Duration = Duration::from_secs(60);
const IMPORTS: usize = 12;
const ORDERS_EACH: usize = 10;

/// A daemon, and once there is leave imports beside it, one after the other; ends with the daemon.
const SCRIPT: &str = "shipby=$1 config=$2 leave=$3; shift 3
    $shipby --config $config serve &
    until [ -e $leave ]; do sleep 0.05; done
    for file; do $shipby --config $config import --notify all $file; done
    wait";

/// What was said to the outside so far, and must be so after a power cut.
#[derive(Default)]
struct Said {
    /// Files whose import ended well.
    imported: BTreeSet<String>,
    /// Notices whose body has begun to leave.
    begun: BTreeSet<String>,
    /// Notices after which the next body has left on the same connection.
    accepted: BTreeSet<String>,
    importing: HashMap<String, String>,
    last_on: HashMap<String, String>,
}

impl Said {
    /// Takes in an event; says whether there is more to be held to.
    fn take(&mut self, event: &Event) -> bool {
        match event {
            Event::Started { process, arguments } => {
                let file = arguments.rsplit(' ').next().filter(|word| word.ends_with(".jsonl"));
                self.importing.extend(file.map(|file| (process.clone(), file.to_owned())));
                false
            }
            Event::Ended { process, code } => {
                let file = self.importing.remove(process).filter(|_| code == "0");
                file.is_some_and(|file| self.imported.insert(file))
            }
            Event::Said { socket, bytes } => {
                let Some(notice) = notice_in(bytes) else { return false };
                self.accepted.extend(self.last_on.insert(socket.clone(), notice.clone()));
                self.begun.insert(notice)
            }
            _ => false,
        }
    }
}

/// The notice whose mail begins in these octets.
fn notice_in(bytes: &[u8]) -> Option<String> {
    const HEADER: &[u8] = b"X-Shipby-Notice: ";
    let at = bytes.windows(HEADER.len()).position(|window| window == HEADER)? + HEADER.len();
    Some(String::from_utf8(bytes[at..].iter().take_while(|byte| **byte > b' ').copied().collect()).unwrap())
}

/// Holds the database in a folder to what was said.
async fn keeps(folder: &std::path::Path, said: &Said, orders: &HashMap<String, Vec<String>>) {
    if said.imported.is_empty() {
        return;
    }
    let mut found = Raw::at(&folder.join("shipby.db")).await;
    assert_eq!(found.faults().await, "ok");
    let kept = found.order_numbers().await;
    for order in said.imported.iter().flat_map(|file| &orders[file]) {
        assert!(kept.contains(order), "order {order} was acknowledged");
    }
    let written = found.written_down().await;
    for notice in &said.begun {
        assert!(written.contains_key(notice), "the body of {notice} has begun to leave");
    }
    for notice in &said.accepted {
        assert_eq!(written[notice], "accepted", "{notice} was settled before the next body left");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_power_cut_at_any_moment_the_database_is_whole_and_has_all_that_was_acknowledged() {
    if !can_be_recorded() {
        return;
    }
    let catcher = Catcher::start(Script::usual()).await.unwrap();
    let house = House::live(catcher.addr().port());
    let folder = house.config().parent().unwrap().to_owned();
    let mut orders = HashMap::new();
    for import in 0..IMPORTS {
        let numbers: Vec<String> = (0..ORDERS_EACH).map(|n| format!("{import}-{n}")).collect();
        let lines = numbers.iter().map(|n| format!("{}\n", order_of(n, &format!("c{n}@example.com"))));
        let path = folder.join(format!("{import:02}.jsonl"));
        std::fs::write(&path, lines.collect::<String>()).unwrap();
        orders.insert(path.display().to_string(), numbers);
    }
    let mut files: Vec<&String> = orders.keys().collect();
    files.sort();
    let (trace, leave) = (folder.join("trace"), folder.join("leave"));
    let mut command = recorder(&trace);
    command.args(["sh", "-c", SCRIPT, "sh", env!("CARGO_BIN_EXE_shipby")]).args([&house.config(), &leave]);
    command.args(files).env("NOTIFY_SOCKET", house.notify_socket()).env_remove("RUST_LOG");
    let mut recorded = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    house.apply_accepted("READY=1");
    std::fs::write(leave, "").unwrap();
    tokio::time::timeout(LONG, catcher.wait_for((IMPORTS * ORDERS_EACH) as u64)).await.unwrap();
    let owner = std::fs::read_to_string(folder.join("shipby.db.lock")).unwrap();
    assert!(Command::new("kill").arg(owner.trim()).status().unwrap().success());
    recorded.wait().unwrap();

    let (mut disk, mut said, mut chance) = (Disk::default(), Said::default(), Chance::new());
    for event in events(&trace) {
        disk.take(&event);
        let more = said.take(&event);
        if more || chance.below(50) == 0 {
            for torn in [false, true] {
                let after = tempfile::tempdir().unwrap();
                disk.lay_out(after.path(), torn.then_some(&mut chance));
                keeps(after.path(), &said, &orders).await;
            }
        }
    }
    assert_eq!((said.imported.len(), said.begun.len()), (IMPORTS, IMPORTS * ORDERS_EACH));
    assert!(said.accepted.len() > said.begun.len() / 2, "{} were seen settled", said.accepted.len());
}

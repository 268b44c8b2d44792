//! A database that an earlier shipby wrote reads the same as it did then, and a daemon goes on with it.
//!
//! The fixture is a shop of 344 orders at one instant, [`AT`], as the schema 16 had it: captured, redirected, then live; orders
//! of every kind and language, some imported in silence; mails in every state that one can come to, for most of the reasons
//! there are; a change that is held, one that was released, one that was dropped and one that is still counted; pauses,
//! suppressions, incidents, mail that came back. A daemon died at that instant with five mails in its hands, and facts were
//! recorded after it. Beside it stands what the verbs printed of it then. Both were made once, by the shipby of that schema.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::process::Command;

use chrono::{SecondsFormat, TimeDelta};
use serde_json::Value;
use shipby::store::{Change, Durability, HistoryEntry, NoticeFilter, Store};

use crate::support::app::{Differs, SHOP, TestApp};

/// When the last daemon died, and when all questions are asked.
const AT: &str = "2026-04-02T09:30:00Z";

/// How the shop is configured beside [`SHOP`].
const KEYS: &[(&str, &str)] = &[
    ("SHOP__SUPPORT_EMAIL", "help@tableware.example"),
    ("SHOP__CANCEL_URL", "https://tableware.example/orders/{order}/cancel"),
    ("DELIVERY__BLAST_LIMIT", "10"),
    ("DELIVERY__BREAKER", "4"),
    ("BOUNCES__ADDRESS", "bounce@shop.example"),
    ("ALERTS__TO", "ops@tableware.example"),
];

const DATABASE: &[u8] = include_bytes!("fixtures/house_0016.db.zst");
const PRINTED: &[u8] = include_bytes!("fixtures/house_0016.txt.zst");

/// Before each command in the record.
const PROMPT: &str = "$ shipby ";

fn unpacked(packed: &[u8]) -> Vec<u8> {
    zstd::decode_all(packed).unwrap()
}

/// What a verb prints in this folder, and what it complains of.
fn printed(folder: &Path, command: &str) -> String {
    let mut shipby = Command::new(env!("CARGO_BIN_EXE_shipby"));
    shipby.current_dir(folder).env_clear().args(command.split(' '));
    shipby.envs(KEYS.iter().map(|(key, value)| (format!("SHIPBY__{key}"), value)));
    let output = shipby.output().unwrap();
    [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat()
}

/// A document with its fields in order, for theirs says nothing; any other text as it is but for its end.
fn comparable(text: &str) -> String {
    match serde_json::from_str::<Value>(text) {
        Ok(document) => format!("{document:#}"),
        Err(_) => text.trim_end().to_owned(),
    }
}

/// The first line that differs, with the one before it.
fn difference(command: &str, before: &str, now: &str) -> String {
    let (mut before, mut now, mut last) = (before.lines(), now.lines(), "");
    loop {
        match (before.next(), now.next()) {
            (Some(a), Some(b)) if a == b => last = a,
            (a, b) => {
                let [a, b] = [a, b].map(|line| line.unwrap_or("(the end)"));
                return format!("{PROMPT}{command}\n    {last}\n  - {a}\n  + {b}\n");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_schema_16_reads_the_same_as_it_did_then() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("config.toml"), SHOP).unwrap();
    std::fs::write(path("shipby.db"), unpacked(DATABASE)).unwrap();
    // Where there is a folder, the set in the database is the one in use, whatever the templates are today.
    std::fs::create_dir(path("templates")).unwrap();
    Store::open(&path("shipby.db"), Durability::Full).await.unwrap().close().await;

    let record = String::from_utf8(unpacked(PRINTED)).unwrap();
    let parts = format!("\n{record}");
    let commands: Vec<(&str, &str)> =
        parts.split(&format!("\n{PROMPT}")).skip(1).map(|part| part.split_once('\n').unwrap()).collect();
    assert_eq!(commands.len(), 1_201);
    let workers = std::thread::available_parallelism().map_or(2, usize::from);
    let now: Vec<String> = std::thread::scope(|scope| {
        let share = |part: &[(&str, &str)]| -> Vec<String> {
            part.iter().map(|(command, _)| printed(folder.path(), command)).collect()
        };
        let shares: Vec<_> = commands
            .chunks(commands.len().div_ceil(workers))
            .map(|part| scope.spawn(move || share(part)))
            .collect();
        shares.into_iter().flat_map(|share| share.join().unwrap()).collect()
    });
    let mut differs = Vec::new();
    for ((command, before), now) in commands.iter().zip(&now) {
        let (before, now) = (comparable(before), comparable(now));
        if before != now {
            differs.push(difference(command, &before, &now));
        }
    }
    if differs.is_empty() {
        return;
    }
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("house_0016.txt");
    let all = commands.iter().zip(&now).map(|((command, _), now)| format!("{PROMPT}{command}\n{now}"));
    std::fs::write(&kept, all.collect::<String>()).unwrap();
    panic!(
        "{} of {} verbs print something else; the first:\n{}all that they print now: {}",
        differs.len(),
        commands.len(),
        differs[..differs.len().min(10)].concat(),
        kept.display()
    );
}

/// All that is known of each order, by its number.
type Timelines = BTreeMap<String, Vec<HistoryEntry>>;

async fn timelines(shop: &TestApp) -> Timelines {
    let mut all = BTreeMap::new();
    for order in shop.store().list_orders(None, None, u32::MAX).await.unwrap() {
        let timeline = shop.timeline(&order.number).await;
        all.insert(order.number, timeline);
    }
    all
}

/// A shop whose daemon starts on the fixture, and how it was left. Nothing is sent yet.
async fn started() -> (TestApp, Timelines) {
    let database = unpacked(DATABASE);
    let mut shop = TestApp::on(&database, AT, Differs { keys: KEYS, ..Differs::default() }).await;
    let before = timelines(&shop).await;
    assert_eq!(before.len(), 344);
    assert_eq!(shop.restart().await, (1, 2), "one mail had not begun to leave, and of two nobody knows");
    (shop, before)
}

/// Nothing went out that need not, and all that changed since `before`, an entry a line.
async fn what_became(shop: &TestApp, before: &Timelines) -> String {
    let after = timelines(shop).await;
    let mails = shop.mails();
    let ids: HashSet<&str> = mails.iter().map(|mail| mail.message_id.split('@').next().unwrap()).collect();
    assert_eq!(ids.len(), mails.len(), "each mail goes out once");
    for entry in before.values().flatten().filter(|entry| entry.state == "accepted") {
        let id = entry.notice.as_deref().unwrap();
        assert!(!ids.contains(id), "what the server had is not mailed again: {entry:#?}");
    }
    let accepted = NoticeFilter { state: Some("accepted".to_owned()), ..NoticeFilter::default() };
    let mut told = HashSet::new();
    for found in shop.store().find_notices(&accepted, u32::MAX).await.unwrap() {
        // What is told again on an occasion has a number behind its name.
        let occasion = found.entry.occasion.split('.').next().unwrap().to_owned();
        let what = (found.entry.order_number, occasion, found.email);
        assert!(told.insert(what.clone()), "told twice: {what:?}");
    }
    let entries = after.iter().flat_map(|(number, entries)| {
        assert!(entries.iter().all(|entry| entry.state != "sending"), "nothing is left in hand: {number}");
        entries.iter().filter(|entry| !before[number].contains(entry))
    });
    entries.map(in_a_line).collect::<Vec<_>>().join("\n")
}

/// `B-1  2026-04-03T08:00:00.000Z  weekly_status/2026-04-03  accepted  on try 2`.
fn in_a_line(entry: &HistoryEntry) -> String {
    let at = entry.instant().to_rfc3339_opts(SecondsFormat::Millis, true);
    let mut words = vec![entry.order_number.clone(), at, entry.occasion.clone(), entry.state.clone()];
    words.extend(entry.reason.clone());
    words.extend(entry.by_occasion.as_ref().map(|by| format!("by {by}")));
    words.extend((entry.attempts > 1).then(|| format!("on try {}", entry.attempts)));
    words.join("  ")
}

#[tokio::test]
async fn a_daemon_that_starts_on_it_settles_what_was_left_in_hand_and_mails_nobody_twice() {
    let (mut shop, before) = started().await;
    for (order, occasion, state, is_tried_again) in [
        ("H-1", "confirmation", "accepted", false),
        ("H-2", "confirmation", "in_doubt", true),
        ("H-3", "update_48h", "queued", true),
        ("H-4", "confirmation", "accepted", false),
        ("H-5", "update_48h", "in_doubt", false),
    ] {
        let entry = shop.kept(order, occasion).await.entry;
        assert_eq!((entry.state.as_str(), entry.next_try_at.is_some()), (state, is_tried_again), "{order}");
    }
    let tried = [shop.kept("H-2", "confirmation").await, shop.kept("H-3", "update_48h").await];

    shop.travel(TimeDelta::days(3)).await;
    for kept in tried {
        let id = kept.entry.notice.unwrap();
        let sent = shop.mails().into_iter().find(|mail| mail.message_id.starts_with(&id)).unwrap();
        assert_eq!(Some(sent.bytes), kept.bytes, "the second try is the first, byte for byte");
    }
    insta::assert_snapshot!("three_days_later", what_became(&shop, &before).await);
}

#[tokio::test]
async fn what_was_held_back_in_it_goes_out_when_it_is_let_go_and_what_came_to_nothing_is_tried_again() {
    let (mut shop, before) = started().await;
    shop.travel(TimeDelta::hours(1)).await;
    let (now, policy) = (shop.now(), shop.sim.policy.clone());
    for pause in shop.store().pauses(now).await.unwrap() {
        shop.store().resume(&pause.scope, now).await.unwrap();
    }
    let batches = shop.store().held_changes().await.unwrap();
    let held: Vec<_> =
        batches.iter().map(|batch| (batch.sku.as_str(), batch.counting, batch.notices)).collect();
    assert_eq!(held, [("MANY-HERE", false, 11), ("MANY-HELD", false, 12), ("MANY-NEW", false, 12)]);
    shop.store().release_batch(batches[0].id, now).await.unwrap();
    shop.store().release_batch(batches[1].id, now).await.unwrap();
    shop.store().drop_batch(batches[2].id, now, &policy).await.unwrap();
    for (change, state) in [
        (Change::Release, "held"),
        (Change::Retry, "failed"),
        (Change::Retry, "bounced"),
        (Change::Retry, "in_doubt"),
    ] {
        let filter = NoticeFilter { state: Some(state.to_owned()), ..NoticeFilter::default() };
        let chosen = shop.store().choose(change, &filter, now).await.unwrap();
        let done = shop.store().change(change, &chosen.ids, now, &policy).await.unwrap();
        assert_eq!(done, chosen.ids.len());
    }
    for one in shop.store().suppressions(None).await.unwrap() {
        shop.store().unsuppress(&one.address, now).await.unwrap();
    }
    shop.travel(TimeDelta::days(1)).await;
    insta::assert_snapshot!("let_go", what_became(&shop, &before).await);
}

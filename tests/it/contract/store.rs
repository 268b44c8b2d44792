//! The store as a whole: what the database refuses by itself, what is its own, who owns it, and its copy.

use std::collections::HashSet;

use shipby::domain::notice::{Notice, short_id};
use shipby::domain::order::apply::Notify as Tell;
use shipby::store::StoreError;

use super::driver::Driver;
use super::{START, planned, take};
use crate::support::app::TestApp;
use crate::support::facts::order;
use crate::support::raw::ErrorKind;

#[tokio::test]
async fn the_database_itself_refuses_what_must_never_be() {
    let shop = planned(&["1"]).await;
    let mut raw = shop.raw().await;
    let twice = raw.copy_notice(&[]).await.unwrap_err();
    assert!(twice.kind == ErrorKind::UniqueViolation && twice.words.contains("order_number"), "{twice:?}");
    let other_occasion = ("occasion", Some("update_48h"));
    let two_under_way = raw.copy_notice(&[other_occasion]).await.unwrap_err();
    assert_eq!(two_under_way.kind, ErrorKind::UniqueViolation, "{two_under_way:?}");
    for (what, came) in raw.write_the_forbidden().await {
        let refusal = came.expect_err(what);
        assert_ne!(refusal.kind, ErrorKind::Other, "{what}: {refusal:?}");
    }
    // Two that are settled stand side by side.
    let settled = [other_occasion, ("next_try_at", None), ("state", Some("skipped"))];
    raw.copy_notice(&settled).await.unwrap();
}

#[tokio::test]
async fn a_move_of_a_notice_that_is_not_legal_fails_wherever_a_story_makes_it() {
    let shop = planned(&["1"]).await;
    let refusal = shop.raw().await.bounce_all().await.unwrap_err();
    assert!(refusal.words.contains("a move that is not legal"), "{refusal:?}");
}

#[tokio::test]
async fn a_database_keeps_its_own_values_and_its_notices_their_ids() {
    let folder = tempfile::tempdir().unwrap();
    let place = Driver::TESTED.place(folder.path());
    let missing = Driver::TESTED.open_existing(&place).await.unwrap_err();
    assert!(matches!(missing, StoreError::Missing { .. }), "{missing}");
    let mut store = Driver::TESTED.open(&place).await.unwrap();
    assert_eq!(store.path(), place);
    store.set_meta("key", "old").await.unwrap();
    store.set_meta("key", "value").await.unwrap();
    let shop = planned(&["1"]).await;
    let notice = take(&shop, b"news").await.remove(0).notice;
    let first = store.notice_id("1", &notice);
    assert_ne!(first, store.notice_id("2", &notice));
    store.set_instance("another").await.unwrap();
    let id = store.notice_id("1", &notice);
    assert_ne!(id, first);
    store.close().await;
    assert!(Driver::TESTED.is_closed_well(&place));
    let store = Driver::TESTED.open_existing(&place).await.unwrap();
    assert_eq!(store.meta("key").await.unwrap().as_deref(), Some("value"));
    assert_eq!(store.meta("none").await.unwrap(), None);
    assert_eq!(store.notice_id("1", &notice), id);
}

#[tokio::test]
async fn notices_of_neighbouring_orders_lie_together_and_no_two_share_an_id() {
    let shop = planned(&["1"]).await;
    let notice = take(&shop, b"news").await.remove(0).notice;
    let store = shop.store();
    let ids: Vec<_> = (0..2_000).map(|n| store.notice_id(&format!("#{}", 98_500 + n), &notice)).collect();
    assert!(ids.is_sorted(), "across one digit more too");
    let others = ["A-98500", "B-98500", "98500", "098500", "x", "y", "ÿ", ""];
    let all: HashSet<_> =
        others.into_iter().map(|order| store.notice_id(order, &notice)).chain(ids).collect();
    assert_eq!(all.len(), 2_000 + others.len());
    assert!(all.iter().all(|id| id.len() == 16 && id.bytes().all(|byte| byte.is_ascii_hexdigit())));
    let other = Notice { occasion: "another".to_owned(), ..notice.clone() };
    assert_ne!(short_id(&store.notice_id("1", &other)), short_id(&store.notice_id("1", &notice)));
}

#[tokio::test]
async fn each_database_has_a_key_of_its_own_that_stays() {
    let (shop, other) = (TestApp::start(START).await, TestApp::start(START).await);
    let key = shop.store().bounce_key().to_owned();
    assert!(key.len() >= 16);
    assert_ne!(other.store().bounce_key(), key);
    assert_eq!(Driver::TESTED.open(shop.database()).await.unwrap().bounce_key(), key);
}

#[tokio::test]
async fn one_daemon_owns_a_database_at_a_time_and_others_may_work_on_it() {
    let shop = TestApp::start(START).await;
    let (lock, owner) = Driver::TESTED.open_owned(shop.database()).await.unwrap();
    let second = Driver::TESTED.open_owned(shop.database()).await.unwrap_err();
    assert!(matches!(second, StoreError::Locked { .. }), "{second}");
    shop.only_record(order("1"), Tell::All).await;
    assert_eq!(owner.order("1").await.unwrap().unwrap().number, "1");
    owner.close().await;
    drop(lock);
    Driver::TESTED.open_owned(shop.database()).await.unwrap();
}

#[tokio::test]
async fn a_copy_has_all_that_was_there_and_goes_its_own_way() {
    let shop = planned(&["1"]).await;
    let folder = tempfile::tempdir().unwrap();
    let place = Driver::TESTED.place(folder.path());
    shop.store().copy_to(&place).await.unwrap();
    let (order_then, timeline_then) = (shop.order("1").await, shop.timeline("1").await);
    shop.only_record(order("2"), Tell::All).await;
    let copy = Driver::TESTED.open_existing(&place).await.unwrap();
    assert_eq!(copy.order("1").await.unwrap(), Some(order_then));
    assert_eq!(copy.timeline("1").await.unwrap(), timeline_then);
    assert_eq!(copy.order("2").await.unwrap(), None);
    copy.set_meta("key", "value").await.unwrap();
    assert_eq!(shop.store().meta("key").await.unwrap(), None);
    copy.close().await;
}

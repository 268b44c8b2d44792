//! What ops are told and what they made: incidents, digests, template sets.

use chrono::{NaiveDate, TimeDelta};
use shipby::domain::incident::IncidentSubject;
use shipby::domain::notice::NoticeState;
use shipby::store::digest_id;

use super::START;
use crate::support::app::TestApp;

#[tokio::test]
async fn of_the_template_sets_that_passed_the_last_one_is_kept() {
    let shop = TestApp::start(START).await;
    let store = shop.store();
    assert_eq!(store.last_template_set().await.unwrap(), None);
    let files = |text: &str| [("base.txt".to_owned(), text.to_owned())].into();
    store.keep_template_set("one", &files("1"), shop.now()).await.unwrap();
    let later = shop.now() + TimeDelta::hours(1);
    store.keep_template_set("two", &files("2 ñ"), later).await.unwrap();
    // The same set again: it passed when it passed.
    store.keep_template_set("two", &files("2 ñ"), later + TimeDelta::hours(1)).await.unwrap();
    let kept = store.last_template_set().await.unwrap().unwrap();
    assert_eq!((kept.hash.as_str(), kept.kept_at, kept.files), ("two", later, files("2 ñ")));
    assert_eq!(shop.raw().await.count("template_sets").await, 1);
}

#[tokio::test]
async fn a_fault_of_the_templates_is_known_until_it_is_mended() {
    let shop = TestApp::start(START).await;
    let store = shop.store();
    assert_eq!(store.template_fault().await.unwrap(), None);
    store.note_template_fault(Some("base.txt:1:1 no end")).await.unwrap();
    assert_eq!(store.template_fault().await.unwrap().as_deref(), Some("base.txt:1:1 no end"));
    store.note_template_fault(None).await.unwrap();
    assert_eq!(store.template_fault().await.unwrap(), None);
}

#[tokio::test]
async fn of_an_incident_ops_are_told_once_when_it_begins_and_once_when_it_is_over() {
    let shop = TestApp::start(START).await;
    let (store, now) = (shop.store(), shop.now());
    assert!(!store.relay_works(now).await.unwrap(), "nobody said otherwise");
    assert!(store.relay_fails("connect: refused", now).await.unwrap());
    assert!(!store.relay_fails("connect: refused again", now).await.unwrap());
    let begun = store.untold_incidents(now).await.unwrap().remove(0);
    assert_eq!((&begun.matter, begun.words.as_str()), (&IncidentSubject::Relay, "connect: refused"));
    assert_eq!((begun.began, begun.ended), (now, None));
    store.keep_alert(&begun, now, "live", "The relay fails", "Mend it.").await.unwrap();
    assert!(store.untold_incidents(now).await.unwrap().is_empty());
    let later = now + TimeDelta::hours(1);
    assert!(store.relay_works(later).await.unwrap());
    let over = store.untold_incidents(later).await.unwrap().remove(0);
    assert_eq!((over.id, over.ended), (begun.id, Some(later)));
    store.keep_alert(&over, later, "live", "The relay works", "All is well.").await.unwrap();
    assert!(store.untold_incidents(later).await.unwrap().is_empty());
    // The first one never left: one word about both is enough.
    let mail = store.next_ops_mail(day("2026-03-02"), later).await.unwrap().unwrap();
    assert_eq!((mail.subject.as_str(), mail.day), ("The relay works", None));
    store.begin_ops_mail(&mail.id).await.unwrap();
    store.settle_ops_mail(&mail.id, "live", (NoticeState::Accepted, None), "250 ok", later).await.unwrap();
    assert_eq!(store.next_ops_mail(day("2026-03-02"), later).await.unwrap(), None);
}

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

#[tokio::test]
async fn a_day_has_one_digest_which_is_tried_until_it_is_settled() {
    let shop = TestApp::start(START).await;
    let (store, now, today) = (shop.store(), shop.now(), day("2026-03-02"));
    for body in ["first", "second"] {
        store.keep_digest(today, now, "live", "A digest", body).await.unwrap();
    }
    let kept = store.next_ops_mail(today, now).await.unwrap().unwrap();
    assert_eq!(
        (kept.id.as_str(), kept.body.as_str(), kept.mode.as_str()),
        (digest_id(today).as_str(), "first", "live")
    );
    assert_eq!((kept.day, kept.state, kept.attempts), (Some(today), NoticeState::Queued, 0));
    store.begin_ops_mail(&kept.id).await.unwrap();
    let begun = store.next_ops_mail(today, now).await.unwrap().unwrap();
    assert_eq!((begun.state, begun.next_try), (NoticeState::Sending, None));
    let again = now + TimeDelta::minutes(1);
    let deferred = (NoticeState::Deferred, Some(again));
    store.settle_ops_mail(&kept.id, "redirect", deferred, "451 later", now).await.unwrap();
    assert_eq!(store.next_ops_mail(today, now).await.unwrap(), None);
    let deferred = store.next_ops_mail(today, again).await.unwrap().unwrap();
    assert_eq!(
        (deferred.attempts, deferred.mode.as_str(), deferred.reply.as_deref()),
        (1, "redirect", Some("451 later"))
    );
    store.settle_ops_mail(&kept.id, "live", (NoticeState::Accepted, None), "250 ok", again).await.unwrap();
    assert_eq!(store.next_ops_mail(today, again).await.unwrap(), None);
    assert_eq!(store.last_digest(today).await.unwrap().unwrap().state, NoticeState::Accepted);
    assert_eq!(store.last_digest(day("2026-03-01")).await.unwrap(), None);
}

#[tokio::test]
async fn mails_to_ops_go_by_other_names_in_other_databases() {
    let (shop, other) = (TestApp::start(START).await, TestApp::start(START).await);
    let name = shop.store().ops_mail_name("alert-1-begins");
    assert!(name.starts_with("alert-1-begins-"), "{name}");
    assert_eq!(shop.store().ops_mail_name("alert-1-begins"), name);
    assert_ne!(other.store().ops_mail_name("alert-1-begins"), name);
}

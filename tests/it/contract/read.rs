//! What can be read back: all that was said and why, for support, for ops, and for who asks what a change would do.

use chrono::TimeDelta;
use serde_json::json;
use shipby::domain::fact::Source;
use shipby::domain::notice::{NoticeKind, NoticeState, Reason};
use shipby::domain::order::apply::Notify as Tell;
use shipby::domain::order::settle::Outcome;
use shipby::store::{NoticeFilter, Recorded};

use super::driver::Driver;
use super::{START, entry, planned, settle, settlement, take};
use crate::support::app::{TestApp, at};
use crate::support::facts::{order, order_of, receipt, shipment, supply};

#[tokio::test]
async fn everything_can_be_read_back() {
    let mut shop = TestApp::start(START).await;
    shop.fact(supply("2026-03-16")).await;
    shop.facts([order("1"), order("2"), order_of("3", "bo@example.com")]).await;
    shop.travel_to("2026-03-05T08:00:00Z").await;
    shop.fact(supply("2026-04-10")).await;
    shop.travel(TimeDelta::minutes(5)).await;
    shop.fact(supply("2026-03-16")).await;
    shop.travel_to("2026-03-06T08:00:00Z").await;
    shop.fact(shipment("S", "2")).await;
    let store = shop.store();
    let numbers = |orders: &[shipby::domain::order::Order]| {
        orders.iter().map(|order| order.number.clone()).collect::<Vec<_>>()
    };
    assert_eq!(store.orders_about("ana@example.com").await.unwrap(), ["1", "2"]);
    assert_eq!(numbers(&store.orders(&["1".into(), "3".into(), "9".into()]).await.unwrap()), ["1", "3"]);
    assert_eq!(store.open_orders("1", 10).await.unwrap(), ["3"]);
    let place = shop.order("3").await.lines[0].place.unwrap();
    assert_eq!((place.at, place.of), (2, 2));
    assert_eq!(store.order("9").await.unwrap(), None);
    let listed = store.list_orders(Some("waiting"), Some("KETTLE"), 10).await.unwrap();
    let shown: Vec<_> = listed.iter().map(|l| (l.number.as_str(), l.waits_for.as_deref())).collect();
    assert_eq!(shown, [("1", Some("KETTLE")), ("3", Some("KETTLE"))]);
    assert_eq!((listed[0].placed(), listed[0].heard()), (at(START), Some(at("2026-03-04T08:00:00Z"))));
    assert_eq!(store.list_orders(Some("shipped"), None, 10).await.unwrap()[0].number, "2");
    assert_eq!(store.supplies("KETTLE").await.unwrap()[0].supply, "PO-77");
    assert!(store.supplies("CUP").await.unwrap().is_empty());
    let counts = store.counts().await.unwrap();
    assert_eq!((counts.orders["waiting"], counts.orders["shipped"]), (2, 1));
    assert_eq!(counts.notices["confirmation"]["accepted"], 3);
    assert_eq!(counts.decisions["date_slip"]["still_holds"], 3);
    assert!(store.find_notices(&NoticeFilter::default(), 10).await.unwrap().is_empty());
    let silence = store.longest_silence(shop.now()).await.unwrap().unwrap();
    assert_eq!(silence.seconds, 48 * 3600);
}

#[tokio::test]
async fn all_that_was_said_can_be_read_a_page_at_a_time() {
    let mut shop = TestApp::start(START).await;
    shop.only_record(order("0"), Tell::Future).await;
    shop.facts([order("1"), order("2")]).await;
    let store = shop.store();
    let page = async |after: &str| {
        let entries = store.entries_after(after, 1).await.unwrap();
        entries.into_iter().map(|entry| (entry.order_number, entry.kind, entry.state)).collect::<Vec<_>>()
    };
    let accepted = |number: &str| (number.to_owned(), "confirmation".to_owned(), "accepted".to_owned());
    assert_eq!(page("").await, [accepted("1")], "an order that heard nothing is passed over");
    assert_eq!(page("1").await, [accepted("2")]);
    assert!(page("2").await.is_empty());
    let (mut after, mut bytes) = (String::new(), Vec::new());
    while let Some((notice, mail)) = store.messages_after(&after, 1).await.unwrap().pop() {
        assert_eq!(store.kept(&notice).await.unwrap()[0].bytes.as_ref(), Some(&mail));
        bytes.push(mail);
        after = notice;
    }
    bytes.sort();
    let mut mails: Vec<_> = shop.mails().into_iter().map(|mail| mail.bytes).collect();
    mails.sort();
    assert_eq!(bytes, mails);
}

#[tokio::test]
async fn support_finds_the_orders_and_notices_of_a_customer_and_their_tries() {
    let shop = planned(&["1", "2", "3"]).await;
    let store = shop.store();
    let tried = take(&shop, b"news").await.remove(0);
    settle(&shop, vec![settlement(&tried, Outcome::Deferred { attempt: 1 }, &shop)]).await;
    let tries = store.tries_of("1").await.unwrap();
    let said: Vec<_> = tries[&tried.id].iter().map(|t| (t.number, t.outcome.as_deref())).collect();
    assert_eq!(said, [(1, Some("deferred"))]);
    let next = store.next_tries(&["1".to_owned(), "2".to_owned()]).await.unwrap();
    assert_eq!(next.keys().collect::<Vec<_>>(), ["1"], "the others are in hand");
    assert!(next["1"] > shop.now());

    shop.pass(TimeDelta::seconds(1));
    shop.only_record(order_of("1", "ana@other.example"), Tell::All).await;
    assert_eq!(store.orders_about("ANA@other.example").await.unwrap(), ["1"]);
    assert_eq!(store.orders_about("1@example.com").await.unwrap(), ["1"], "something went there");
    let change = store.address_changes("1").await.unwrap().remove(0);
    assert_eq!((change.at, change.source.as_str()), (shop.now(), "import"));
    let addresses = (change.from.as_deref(), change.to.as_deref());
    assert_eq!(addresses, (Some("1@example.com"), Some("ana@other.example")));
    assert!(store.address_changes("2").await.unwrap().is_empty());

    let find = async |filter: NoticeFilter| {
        let found = store.find_notices(&filter, 10).await.unwrap();
        found.into_iter().map(|found| found.entry.order_number).collect::<Vec<_>>()
    };
    let all = NoticeFilter::default();
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(find(all.clone()).await.len(), 3);
    assert_eq!(store.find_notices(&all, 1).await.unwrap()[0].total, 3);
    assert_eq!(find(NoticeFilter { state: some("deferred"), ..all.clone() }).await, ["1"]);
    assert_eq!(find(NoticeFilter { to: some("2@example.com"), ..all.clone() }).await, ["2"]);
    assert_eq!(find(NoticeFilter { to: some("@example.com"), ..all.clone() }).await.len(), 3);
    assert_eq!(find(NoticeFilter { order: some("3"), ..all.clone() }).await, ["3"]);
    assert_eq!(find(NoticeFilter { notice: Some(tried.id[..6].to_owned()), ..all.clone() }).await, ["1"]);
    assert_eq!(find(NoticeFilter { sku: some("KETTLE"), mode: some("live"), ..all.clone() }).await.len(), 3);
    for none in [
        NoticeFilter { kind: some("shipped"), ..all.clone() },
        NoticeFilter { sku: some("CUP"), ..all.clone() },
        NoticeFilter { mode: some("capture"), ..all.clone() },
        NoticeFilter { before: Some(at(START)), ..all.clone() },
    ] {
        assert!(find(none.clone()).await.is_empty(), "{none:?}");
    }
}

#[tokio::test]
async fn who_said_what_of_a_sku_last_and_what_a_line_still_needs_are_known() {
    let mut shop = planned(&["1", "2"]).await;
    let before = shop.now();
    let word = async |shop: &TestApp, at| {
        let word = shop.store().last_word(&["KETTLE", "CUP"], at).await.unwrap();
        word.map(|word| (word.sku.clone(), word.supply.clone(), word.source.clone(), word.recorded()))
    };
    let said = |source: &str, at| Some(("KETTLE".to_owned(), "PO-77".to_owned(), source.to_owned(), at));
    assert_eq!(word(&shop, before).await, said("import", before));
    shop.travel(TimeDelta::hours(1)).await;
    shop.facts([supply("2026-03-27"), receipt("R", 1)]).await;
    assert_eq!(word(&shop, shop.now()).await, said("simulation", shop.now()));
    assert_eq!(word(&shop, before).await, said("import", before));
    assert_eq!(shop.store().last_word(&["CUP"], shop.now()).await.unwrap(), None);
    for (number, units) in [("1", 0), ("2", 1)] {
        let needed = shop.store().needed(number).await.unwrap().remove(0);
        assert_eq!(
            (needed.line.as_str(), needed.sku.as_str(), needed.units),
            ("1", "KETTLE", units),
            "{number}"
        );
    }
}

#[tokio::test]
async fn ops_are_told_which_orders_may_be_a_concern_and_why() {
    let mut shop = planned(&["1", "2", "3"]).await;
    let taken = take(&shop, b"news").await;
    let failed = Outcome::Failed(Reason::Content);
    settle(
        &shop,
        vec![settlement(&taken[0], failed, &shop), settlement(&taken[1], Outcome::Accepted, &shop)],
    )
    .await;
    shop.only_record(order("4"), Tell::Future).await;
    let mut unreachable = order("5");
    unreachable["customer"] = json!({"name": "Eve"});
    shop.only_record(unreachable, Tell::Future).await;
    let store = shop.store();
    let before = shop.now() - TimeDelta::hours(1);
    let told = "2026-03-20".parse().unwrap();
    assert_eq!(store.concerning(told, before).await.unwrap(), ["1", "2", "5"]);
    assert_eq!(store.concerning(told - TimeDelta::days(1), shop.now()).await.unwrap(), ["5"]);
    let troubles = store.troubles(&["1".to_owned(), "2".to_owned()], before).await.unwrap();
    assert_eq!(troubles.keys().collect::<Vec<_>>(), ["1"]);
    let trouble = troubles["1"][0];
    assert_eq!(
        (trouble.kind, trouble.state, trouble.at),
        (NoticeKind::Confirmation, NoticeState::Failed, shop.now())
    );
    assert!(store.troubles(&["1".to_owned()], shop.now()).await.unwrap().is_empty());

    let later = shop.now() + TimeDelta::hours(1);
    assert_eq!(store.authorized_before(shop.now(), 10).await.unwrap(), (0, vec![]));
    let (count, first) = store.authorized_before(later, 2).await.unwrap();
    assert_eq!((count, first.len()), (5, 2));
    shop.travel(TimeDelta::minutes(1)).await;
    shop.fact(shipment("S", "3")).await;
    assert_eq!(shop.store().authorized_before(later, 2).await.unwrap().0, 4);
}

#[tokio::test]
async fn it_can_be_asked_whom_a_change_would_mail_without_making_it() {
    let mut shop = TestApp::start(START).await;
    shop.facts([supply("2026-03-16"), order("1"), order("2")]).await;
    shop.travel(TimeDelta::hours(1)).await;
    let policy = shop.sim.policy.clone();
    let slip = entry(&shop, supply("2026-04-10"));
    let (recorded, impact) = shop.store().impact(&slip, shop.now(), &policy).await.unwrap();
    assert_eq!((recorded, impact.orders, impact.count()), (Recorded::Changed, 2, 2));
    assert_eq!(impact.mails[&NoticeKind::DateSlip].count, 2);
    assert_eq!(shop.store().uncovered_since(None).await.unwrap(), None);
    let stands = shop.store().supplies("KETTLE").await.unwrap().remove(0);
    assert_eq!(stands.eta.unwrap().to.to_string(), "2026-03-16");

    // The same of many facts, in a copy.
    let folder = tempfile::tempdir().unwrap();
    let place = Driver::TESTED.place(folder.path());
    shop.store().copy_to(&place).await.unwrap();
    let copy = Driver::TESTED.open_existing(&place).await.unwrap();
    copy.let_sleep(shop.now(), &policy).await.unwrap();
    assert_eq!(copy.impact_of_woken(shop.now(), &policy).await.unwrap().count(), 0);
    let facts = [slip, entry(&shop, order("3"))];
    copy.record(&facts, Source::Import, shop.now(), Tell::All, false).await.unwrap();
    let impact = copy.impact_of_woken(shop.now(), &policy).await.unwrap();
    assert_eq!((impact.orders, impact.mails[&NoticeKind::DateSlip].count), (3, 2));
    assert_eq!(impact.mails[&NoticeKind::Confirmation].count, 1);
    copy.close().await;
}

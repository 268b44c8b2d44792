//! Customers whose address gets no mail: what is skipped, who is told, and how it goes on with another address.

use chrono::TimeDelta;
use shipby::digest::{Asked, gather};
use shipby::domain::customer::EmailAddress;
use shipby::domain::risk::{DigestIssue, Watch};
use shipby::domain::suppression::{Cause, Suppression};

use crate::support::app::TestApp;
use crate::support::facts::{order, order_of, supply};

const START: &str = "2026-03-02T08:00:00Z";

async fn suppress(shop: &TestApp, address: &str) {
    let address = EmailAddress::parse(address).unwrap();
    let found = Suppression {
        address,
        cause: Cause::Bounced,
        reason: "5.1.1 unknown".to_owned(),
        since: shop.now(),
        notice: None,
    };
    assert!(shop.store().suppress(&found).await.unwrap());
}

async fn concerns(shop: &TestApp) -> Vec<(String, DigestIssue)> {
    let asked = Asked { zone: chrono_tz::Europe::Berlin, watch: Watch::default(), most: None };
    let digest = gather(shop.store(), shop.now(), asked).await.unwrap();
    let of_mail = digest.findings.into_iter().filter(|finding| finding.concern != DigestIssue::Authorization);
    of_mail.map(|finding| (finding.order, finding.concern)).collect()
}

#[tokio::test]
async fn a_suppressed_address_gets_no_mail_and_ops_hear_of_its_orders_once() {
    let mut shop = TestApp::start(START).await;
    shop.facts([order_of("1", "ana@example.com"), order_of("2", "bo@example.com")]).await;
    suppress(&shop, "ana@example.com").await;
    shop.fact(order_of("3", "ana@EXAMPLE.com")).await;
    shop.travel(TimeDelta::days(20)).await;
    assert_eq!(
        shop.kinds()[2..].iter().filter(|kind| !kind.starts_with("2 ")).count(),
        0,
        "{:?}",
        shop.kinds()
    );
    assert_eq!(
        shop.otherwise("1").await,
        [
            "Wed 04 Mar 09:00 update_48h skipped suppressed",
            "Mon 09 Mar 10:00 weekly_status/2026-03-09 skipped suppressed",
            "Mon 16 Mar 10:00 weekly_status/2026-03-16 skipped suppressed",
        ]
    );
    assert_eq!(shop.otherwise("3").await[0], "Mon 02 Mar 09:00 confirmation skipped suppressed");
    let told = |order: &str| (order.to_owned(), DigestIssue::Suppressed);
    assert_eq!(concerns(&shop).await, [told("1"), told("3")]);
}

#[tokio::test]
async fn another_address_hears_how_the_order_stands() {
    let mut shop = TestApp::start(START).await;
    shop.facts([supply("2026-03-27"), order_of("1", "ana@example.com")]).await;
    suppress(&shop, "ana@example.com").await;
    shop.travel(TimeDelta::hours(60)).await;
    let mut moved = order_of("1", "ana@other.example");
    moved["at"] = shop.now().to_rfc3339().into();
    shop.fact(moved).await;
    assert_eq!(shop.kinds(), ["1 confirmation", "1 confirmation"]);
    assert_eq!(shop.last_mail().to, "ana@other.example");
    assert_eq!(concerns(&shop).await, []);
}

#[tokio::test]
async fn an_address_that_is_let_go_is_told_how_things_stand_when_a_notice_is_due() {
    let mut shop = TestApp::start(START).await;
    shop.fact(order("1")).await;
    suppress(&shop, "ana@example.com").await;
    shop.travel_to("2026-03-10T12:00:00Z").await;
    let ana = EmailAddress::parse("ana@example.com").unwrap();
    assert_eq!(shop.kinds(), ["1 confirmation"]);
    let gone = shop.store().unsuppress(&ana, shop.now()).await.unwrap().unwrap();
    assert_eq!((gone.cause, gone.reason.as_str()), (Cause::Bounced, "5.1.1 unknown"));
    assert_eq!(shop.store().unsuppress(&ana, shop.now()).await.unwrap(), None);
    shop.settle().await;
    shop.travel(TimeDelta::days(1)).await;
    assert_eq!(shop.kinds(), ["1 confirmation", "1 weekly_status"]);
}

#[tokio::test]
async fn whoever_was_never_told_anything_gets_the_confirmation_once_the_address_is_let_go() {
    let mut shop = TestApp::start(START).await;
    suppress(&shop, "ana@example.com").await;
    shop.fact(order("1")).await;
    shop.travel(TimeDelta::hours(3)).await;
    assert_eq!(shop.kinds(), Vec::<String>::new());
    shop.store().unsuppress(&EmailAddress::parse("ana@example.com").unwrap(), shop.now()).await.unwrap();
    shop.settle().await;
    assert_eq!(shop.kinds(), ["1 confirmation"]);
}

//! The routine of a wait: confirmation, the update after 48 hours, the weekly status, and the hours of the day.

use chrono::{NaiveTime, Weekday};
use chrono_tz::{America::New_York, Europe::Berlin, Tz};

use super::super::calendar::SendDays;
use super::super::notice::{NoticeKind, NoticeState, Reason};
use super::super::policy::Policy;
use super::super::world::{Server, World, at, backorder, order_fact};
use super::{confirmed, kettle, since, stated};
use crate::domain::order::apply::Notify;

fn in_zone(zone: Tz, placed: &str, policy: Policy) -> World {
    let mut fact = order_fact(at(placed), vec![backorder("2026-12-20")]);
    fact.customer.timezone = Some(zone);
    World::with(policy, &fact, at(placed), Notify::All)
}

#[test]
fn a_wait_has_its_confirmation_its_update_and_its_weekly_status_until_the_date_is_missed() {
    let mut world = kettle();
    world.run_until("2026-04-01T00:00:00Z");
    let expected = [
        "03-02 08:14 confirmation",
        "03-04 08:14 update_48h",
        "03-11 10:00 weekly_status/2026-03-11",
        "03-18 10:00 weekly_status/2026-03-18",
        "03-21 10:00 overdue/2026-03-20",
        "03-28 10:00 weekly_status/2026-03-28",
    ];
    assert_eq!(world.mails(), expected);
    assert_eq!(stated(&world), ["-"], "no date in force, and the weekly status says so");
}

#[test]
fn the_confirmation_goes_out_at_any_hour() {
    let mut world = World::new("2026-03-02T03:00:00Z", vec![backorder("2026-03-20")]);
    world.run_until("2026-03-02T03:00:00Z");
    assert_eq!(world.mails(), ["03-02 03:00 confirmation"]);
    assert_eq!(stated(&world), ["2026-03-20"], "no supply ever covered it, so the checkout's date stands");
}

#[test]
fn without_a_date_from_anybody_the_confirmation_says_that_there_is_none() {
    let mut lines = vec![backorder("2026-03-20")];
    lines[0].promised = None;
    let mut world = World::new("2026-03-02T08:14:00Z", lines);
    world.run_until("2026-03-02T08:14:00Z");
    assert_eq!(stated(&world), ["-"]);
}

#[test]
fn a_confirmation_that_has_not_gone_out_takes_in_a_later_promise() {
    let mut world = kettle();
    world.eta("kettle", "2026-03-27");
    world.run_until("2026-03-04T00:00:00Z");
    assert_eq!(world.mails(), ["03-02 08:14 confirmation"], "and no slip comes after it");
    assert_eq!(stated(&world), ["2026-03-31"]);
    assert_eq!(world.order.lines[0].promised.map(|d| d.to_string()).as_deref(), Some("2026-03-20"));
}

#[test]
fn the_update_comes_after_48_elapsed_hours_in_the_next_open_window() {
    let mut world = in_zone(New_York, "2026-03-07T03:30:00Z", Policy::default());
    world.run_until("2026-03-10T00:00:00Z");
    // Ordered at 22:30, and the clocks change in between: 48 hours later it is 23:30.
    assert_eq!(world.mails(), ["03-07 03:30 confirmation", "03-09 12:00 update_48h"]);
}

#[test]
fn the_update_is_skipped_for_good_where_a_mail_went_out_in_the_last_day() {
    let mut world = confirmed();
    world.eta("kettle", "2026-03-27");
    world.run_until("2026-03-10T00:00:00Z");
    assert_eq!(since(&world), ["03-03 12:15 date_slip/1"]);
    assert_eq!(world.reasons(NoticeKind::Update48h), [Reason::RecentNotice]);
}

#[test]
fn the_update_is_dropped_24_hours_after_its_moment() {
    let mut world = confirmed();
    world.sleep_until("2026-03-05T08:15:00Z");
    world.run_until("2026-03-09T00:00:00Z");
    assert_eq!(since(&world), [""; 0]);
    assert_eq!(world.reasons(NoticeKind::Update48h), [Reason::TooLate]);

    let mut world = confirmed();
    world.sleep_until("2026-03-05T08:13:00Z");
    world.run_until("2026-03-09T00:00:00Z");
    assert_eq!(since(&world), ["03-05 08:13 update_48h"]);
}

#[test]
fn an_update_that_the_server_puts_off_is_dropped_as_well() {
    let mut world = confirmed();
    world.server = Server::Defers;
    world.run_until("2026-03-05T08:00:00Z");
    world.server = Server::Accepts;
    world.sleep_until("2026-03-05T08:15:00Z");
    world.run_until("2026-03-09T00:00:00Z");
    assert_eq!(since(&world), [""; 0]);
    assert_eq!(world.superseded, [("update_48h".to_owned(), Reason::Expired)]);
}

#[test]
fn where_the_window_opens_late_the_update_has_24_hours_from_there() {
    let days = SendDays::of([Weekday::Fri]).unwrap();
    let mut policy = Policy::default();
    policy.window.days = days;
    let mut world = in_zone(Tz::UTC, "2026-03-02T08:14:00Z", policy);
    world.run_until("2026-03-06T12:00:00Z");
    assert_eq!(since(&world), ["03-06 08:00 update_48h"]);
}

#[test]
fn after_a_restock_the_update_is_not_sent_at_all() {
    let mut world = kettle();
    world.run_until("2026-03-02T09:00:00Z");
    world.receive("kettle");
    world.run_until("2026-03-06T00:00:00Z");
    assert_eq!(since(&world), ["03-02 09:00 restock/1"]);
    assert_eq!(world.reasons(NoticeKind::Update48h), [Reason::AlreadyRestocked]);
}

#[test]
fn a_shipment_while_the_update_is_queued_drops_the_update() {
    let mut world = confirmed();
    world.server = Server::Defers;
    world.run_until("2026-03-04T08:20:00Z");
    assert!(world.order.under_way.as_ref().is_some_and(|u| u.notice.kind == NoticeKind::Update48h));
    world.server = Server::Accepts;
    assert!(world.ship(None));
    world.run_until("2026-03-20T00:00:00Z");
    assert_eq!(since(&world), ["03-04 08:20 shipped/S-1"]);
    assert_eq!(world.superseded, [("update_48h".to_owned(), Reason::OrderClosed)]);
}

#[test]
fn the_seven_days_run_from_the_last_notice_of_any_kind() {
    let mut world = confirmed();
    world.run_until("2026-03-10T12:00:00Z");
    world.eta("kettle", "2026-03-27");
    world.run_until("2026-03-18T00:00:00Z");
    let expected =
        ["03-04 08:14 update_48h", "03-10 12:15 date_slip/1", "03-17 10:00 weekly_status/2026-03-17"];
    assert_eq!(since(&world), expected);
    let restarted = world.decided.last().unwrap();
    assert_eq!(
        (restarted.occasion.as_str(), restarted.reason),
        ("weekly_status/2026-03-11", Reason::ClockRestarted)
    );
}

#[test]
fn a_second_notice_on_one_day_puts_no_weekly_status_off() {
    let mut world = confirmed();
    world.run_until("2026-03-11T12:00:00Z");
    world.eta("kettle", "2026-03-27");
    world.run_until("2026-03-18T12:00:00Z");
    assert_eq!(world.mails().last().unwrap(), "03-18 10:00 weekly_status/2026-03-18");
    assert_eq!(world.reasons(NoticeKind::WeeklyStatus), []);
}

#[test]
fn ten_o_clock_stays_ten_o_clock_when_the_clocks_change() {
    let mut world = in_zone(Berlin, "2026-03-20T12:00:00Z", Policy::default());
    world.order.contact.updated = true;
    world.run_until("2026-04-04T00:00:00Z");
    assert_eq!(
        since(&world),
        ["03-27 09:00 weekly_status/2026-03-27", "04-03 08:00 weekly_status/2026-04-03"]
    );
}

#[test]
fn a_time_of_status_that_does_not_exist_or_comes_twice_gives_one_weekly_status() {
    let night = |h, m| NaiveTime::from_hms_opt(h, m, 0).unwrap();
    let mut policy = Policy { status_at: night(2, 30), ..Policy::default() };
    policy.window.open = night(0, 0);
    let mut world = in_zone(New_York, "2026-03-01T17:00:00Z", policy.clone());
    world.order.contact.updated = true;
    world.run_until("2026-03-09T00:00:00Z");
    assert_eq!(since(&world), ["03-08 07:00 weekly_status/2026-03-08"]);

    policy.status_at = night(1, 30);
    let mut world = in_zone(New_York, "2026-10-25T17:00:00Z", policy);
    world.order.contact.updated = true;
    world.run_until("2026-11-02T00:00:00Z");
    assert_eq!(since(&world), ["11-01 05:30 weekly_status/2026-11-01"]);
}

#[test]
fn with_closed_days_the_weekly_status_goes_the_day_before() {
    let mut world = in_zone(Tz::UTC, "2026-03-01T12:00:00Z", Policy::default());
    world.order.contact.updated = true;
    let workdays = [Weekday::Mon, Weekday::Tue, Weekday::Wed, Weekday::Thu, Weekday::Fri];
    world.policy.window.days = SendDays::of(workdays).unwrap();
    world.run_until("2026-03-14T00:00:00Z");
    assert_eq!(
        since(&world),
        ["03-06 10:00 weekly_status/2026-03-06", "03-13 10:00 weekly_status/2026-03-13"]
    );
}

#[test]
fn a_status_every_other_day_is_no_flood_where_the_shop_sends_on_mondays_only() {
    let mut world = in_zone(Tz::UTC, "2026-03-02T12:00:00Z", Policy::default());
    world.order.contact.updated = true;
    (world.policy.status_every, world.policy.window.days) = (2, SendDays::of([Weekday::Mon]).unwrap());
    world.run_until("2026-03-17T00:00:00Z");
    assert_eq!(
        since(&world),
        ["03-09 10:00 weekly_status/2026-03-09", "03-16 10:00 weekly_status/2026-03-16"]
    );
}

#[test]
fn three_weeks_of_an_outage_are_caught_up_with_one_mail() {
    let mut world = confirmed();
    world.policy.buffer_days = 60;
    world.eta("kettle", "2026-04-20");
    world.sleep_until("2026-03-24T15:00:00Z");
    world.run_until("2026-03-25T00:00:00Z");
    assert_eq!(since(&world), ["03-24 15:00 date_slip/1"], "the newest true one");
    assert_eq!(world.reasons(NoticeKind::WeeklyStatus), [Reason::Merged]);
    world.run_until("2026-04-01T00:00:00Z");
    assert_eq!(world.mails().last().unwrap(), "03-31 10:00 weekly_status/2026-03-31");
}

#[test]
fn a_weekly_status_that_failed_is_due_anew_the_next_day_and_after_three_as_late_again() {
    let mut world = confirmed();
    world.run_until("2026-03-05T00:00:00Z");
    world.server = Server::Refuses;
    world.run_until("2026-03-22T00:00:00Z");
    let weekly = world.planned.iter().filter(|notice| notice.kind == NoticeKind::WeeklyStatus);
    let weekly: Vec<_> =
        weekly.map(|notice| notice.occasion.trim_start_matches("weekly_status/2026-")).collect();
    assert_eq!(weekly, ["03-11", "03-12", "03-13", "03-20"]);
    assert!(world.order.contact.status_failures >= 3, "a person is asked");
    world.server = Server::Accepts;
    world.run_until("2026-03-28T00:00:00Z");
    assert_eq!(world.order.contact.status_failures, 0);
}

#[test]
fn an_order_without_an_address_gets_nothing_until_it_has_one() {
    let mut world = kettle();
    world.readdress(None);
    world.run_until("2026-03-03T00:00:00Z");
    assert_eq!(world.mails(), [""; 0]);
    world.readdress(Some("ana@example.org"));
    world.run_until("2026-03-03T01:00:00Z");
    assert_eq!(world.mails(), ["03-03 00:00 confirmation"]);
}

#[test]
fn a_routine_notice_put_off_over_night_whose_facts_change_waits_for_the_morning() {
    let mut world = confirmed();
    world.run_until("2026-03-05T00:00:00Z");
    world.server = Server::Defers;
    world.run_until("2026-03-12T03:00:00Z");
    assert!(world.order.under_way.as_ref().is_some_and(|u| u.state == NoticeState::Deferred));
    world.receive("kettle");
    world.server = Server::Accepts;
    world.run_until("2026-03-12T12:00:00Z");
    assert_eq!(world.mails().last().unwrap(), "03-12 08:00 restock/1");
}

#[test]
fn what_is_due_is_merged_into_what_has_the_highest_rank() {
    let mut world = confirmed();
    world.run_until("2026-03-11T09:00:00Z");
    world.sleep_until("2026-03-11T10:00:00Z");
    assert!(world.ship(Some(&["kettle"])));
    world.upsert(|fact| {
        fact.lines.push(super::super::world::line("cup", super::super::fact::LineKind::Backorder, None))
    });
    world.refund();
    world.run_until("2026-03-11T10:00:00Z");
    assert_eq!(world.mails().last().unwrap(), "03-11 10:00 refunded/F-2");
    let merged: Vec<_> = world.last().includes.clone();
    assert_eq!(merged, [NoticeKind::Shipped, NoticeKind::WeeklyStatus]);
    assert_eq!(world.last().content.events.len(), 2);
}

//! Orders of several lines: each has its own dates, one mail is about all of them.

use super::super::fact::{LineKind, Partial};
use super::super::notice::{NoticeKind, Reason};
use super::super::order::Status;
use super::super::policy::Policy;
use super::super::world::{World, at, backorder, line, order_fact};
use super::{kettle, since, stated};
use crate::domain::order::apply::Notify;

/// A kettle for the 20th and a pot for the 25th, confirmed.
fn kettle_and_pot() -> World {
    let pot = line("pot", LineKind::Preorder, Some("2026-03-25"));
    let mut world = World::new("2026-03-02T08:14:00Z", vec![backorder("2026-03-20"), pot]);
    world.eta("kettle", "2026-03-16");
    world.eta("pot", "2026-03-21");
    world.run_until("2026-03-05T12:00:00Z");
    assert_eq!(world.mails(), ["03-02 08:14 confirmation", "03-04 08:14 update_48h"]);
    assert_eq!(stated(&world), ["2026-03-20", "2026-03-25"]);
    world
}

#[test]
fn two_dates_that_pass_on_different_days_are_two_overdues() {
    let mut world = kettle_and_pot();
    world.run_until("2026-03-27T00:00:00Z");
    let overdue: Vec<_> = world.mails().into_iter().filter(|mail| mail.contains("overdue")).collect();
    assert_eq!(overdue, ["03-21 10:00 overdue/2026-03-20", "03-26 10:00 overdue/2026-03-25"]);
}

#[test]
fn one_mail_tells_of_all_lines_that_moved() {
    let mut world = kettle_and_pot();
    world.eta("kettle", "2026-03-27");
    world.run_until("2026-03-05T12:10:00Z");
    world.eta("pot", "2026-04-06");
    world.run_until("2026-03-05T14:00:00Z");
    assert_eq!(world.mails()[2..], ["03-05 12:25 date_slip/1"]);
    assert_eq!(stated(&world), ["2026-03-31", "2026-04-10"]);
}

#[test]
fn under_split_goods_for_one_line_are_announced_in_the_window() {
    let mut world = kettle_and_pot();
    world.run_until("2026-03-05T22:00:00Z");
    world.receive("kettle");
    world.run_until("2026-03-06T12:00:00Z");
    assert_eq!(world.mails()[2..], ["03-06 08:00 restock/1"]);
    world.receive("pot");
    world.run_until("2026-03-06T13:00:00Z");
    assert_eq!(world.mails()[3..], ["03-06 12:00 restock/2"]);
}

#[test]
fn under_hold_goods_are_announced_when_all_lines_have_theirs() {
    let mut world = kettle_and_pot();
    world.upsert(|fact| fact.partial = Some(Partial::ShipTogether));
    world.receive("kettle");
    world.run_until("2026-03-06T12:00:00Z");
    assert_eq!(world.mails().len(), 2);
    world.receive("pot");
    world.run_until("2026-03-06T13:00:00Z");
    assert_eq!(world.mails()[2..], ["03-06 12:00 restock/1"]);
}

#[test]
fn under_hold_goods_that_are_ready_wait_for_the_others_and_miss_no_date() {
    let mut world = kettle_and_pot();
    world.upsert(|fact| fact.partial = Some(Partial::ShipTogether));
    world.receive("kettle");
    world.run_until("2026-03-06T12:00:00Z");
    world.eta("pot", "2026-04-06");
    world.run_until("2026-03-06T14:00:00Z");
    assert_eq!(world.mails()[2..], ["03-06 12:15 date_slip/1"]);
    assert_eq!(stated(&world), ["2026-04-10", "2026-04-10"], "they leave together");
    world.run_until("2026-04-06T12:00:00Z");
    assert!(!world.mails().iter().any(|mail| mail.contains("overdue")), "{:?}", world.mails());
    world.receive("pot");
    world.run_until("2026-04-06T13:00:00Z");
    assert_eq!(*world.mails().last().unwrap(), "04-06 12:00 restock/1");
    assert_eq!(world.last().includes, [], "nothing moved: {:?}", world.last());
    world.run_until("2026-04-12T00:00:00Z");
    assert_eq!(*world.mails().last().unwrap(), "04-11 10:00 overdue/2026-04-10");
}

#[test]
fn under_hold_what_was_ready_before_any_mail_said_so_is_not_late_once_all_is_here() {
    let mut world = kettle_and_pot();
    world.upsert(|fact| fact.partial = Some(Partial::ShipTogether));
    // The last mail before the 20th is that of the 11th, and it states the 20th for the kettle.
    world.run_until("2026-03-18T12:00:00Z");
    world.receive("kettle");
    world.run_until("2026-03-21T12:00:00Z");
    world.receive("pot");
    world.run_until("2026-03-21T13:00:00Z");
    assert_eq!(
        since(&world)[1..],
        [
            "03-11 10:00 weekly_status/2026-03-11",
            "03-18 10:00 weekly_status/2026-03-18",
            "03-21 12:00 restock/1"
        ]
    );
    assert_eq!(world.last().includes, []);
    assert_eq!(stated(&world), ["2026-03-25", "2026-03-25"]);
}

#[test]
fn under_hold_a_better_date_of_what_is_not_here_is_the_order_s() {
    let mut world = kettle_and_pot();
    world.upsert(|fact| fact.partial = Some(Partial::ShipTogether));
    world.receive("kettle");
    world.eta("pot", "2026-04-20");
    world.run_until("2026-03-12T12:00:00Z");
    assert_eq!(stated(&world), ["2026-04-24", "2026-04-24"]);
    world.eta("pot", "2026-04-01");
    world.run_until("2026-03-12T13:00:00Z");
    assert_eq!(*world.mails().last().unwrap(), "03-12 12:15 date_improved/2");
    assert_eq!(stated(&world), ["2026-04-05", "2026-04-05"], "the kettle only waits");
    world.run_until("2026-03-20T12:00:00Z");
    world.receive("pot");
    world.run_until("2026-03-20T13:00:00Z");
    assert_eq!(*world.mails().last().unwrap(), "03-20 12:00 restock/1");
    assert_eq!(stated(&world), ["2026-03-24", "2026-03-24"], "all is here");
}

#[test]
fn the_update_after_48_hours_is_due_where_a_confirmation_said_that_some_goods_are_here() {
    let pot = line("pot", LineKind::Preorder, Some("2026-03-25"));
    let mut world = World::new("2026-03-02T08:14:00Z", vec![backorder("2026-03-20"), pot]);
    world.upsert(|fact| fact.partial = Some(Partial::ShipTogether));
    world.receive("kettle");
    world.eta("pot", "2026-03-21");
    world.run_until("2026-03-05T12:00:00Z");
    assert_eq!(world.mails(), ["03-02 08:14 confirmation", "03-04 08:14 update_48h"]);
}

#[test]
fn goods_that_come_at_night_after_their_date_are_announced_in_the_window_with_the_date_they_bring() {
    let mut world = kettle();
    world.run_until("2026-03-22T03:00:00Z");
    assert_eq!(*world.mails().last().unwrap(), "03-21 10:00 overdue/2026-03-20");
    world.receive("kettle");
    world.run_until("2026-03-22T12:00:00Z");
    assert_eq!(*world.mails().last().unwrap(), "03-22 08:00 restock/1");
    assert_eq!(world.last().includes, [NoticeKind::DateSlip]);
    assert_eq!(stated(&world), ["2026-03-26"]);
}

#[test]
fn a_slip_at_night_tells_of_goods_that_came_too_and_says_that_it_did() {
    let mut world = kettle_and_pot();
    world.run_until("2026-03-05T22:00:00Z");
    world.receive("kettle");
    world.eta("pot", "2026-04-06");
    world.run_until("2026-03-06T12:00:00Z");
    assert_eq!(world.mails()[2..], ["03-05 22:15 date_slip/1"]);
    assert_eq!(world.last().includes, [NoticeKind::Restock]);
    assert_eq!(world.reasons(NoticeKind::Restock), [Reason::Merged]);
}

#[test]
fn goods_that_ship_in_the_same_moment_are_not_announced() {
    let mut world = kettle();
    world.run_until("2026-03-05T12:00:00Z");
    world.receive("kettle");
    assert!(world.ship(None));
    world.run_until("2026-03-30T00:00:00Z");
    assert_eq!(since(&world), ["03-04 08:14 update_48h", "03-05 12:00 shipped/S-1"]);
}

#[test]
fn goods_taken_back_are_announced_again_when_they_return() {
    let mut world = kettle();
    world.run_until("2026-03-05T12:00:00Z");
    world.receive("kettle");
    world.run_until("2026-03-05T13:00:00Z");
    world.eta("kettle", "2026-03-27");
    world.run_until("2026-03-05T14:00:00Z");
    world.receive("kettle");
    world.run_until("2026-03-05T15:00:00Z");
    assert_eq!(
        since(&world)[1..],
        ["03-05 12:00 restock/1", "03-05 13:15 date_slip/1", "03-05 14:00 restock/2"]
    );
}

#[test]
fn allocated_but_not_shipped_it_is_overdue_all_the_same() {
    let mut world = kettle();
    world.run_until("2026-03-16T12:00:00Z");
    world.receive("kettle");
    world.run_until("2026-03-29T00:00:00Z");
    assert_eq!(
        since(&world)[2..],
        ["03-16 12:00 restock/1", "03-21 10:00 overdue/2026-03-20", "03-28 10:00 weekly_status/2026-03-28"]
    );
}

#[test]
fn a_partial_shipment_states_the_dates_of_the_rest_and_uses_up_a_slip() {
    let mut world = kettle_and_pot();
    world.eta("pot", "2026-04-06");
    assert!(world.ship(Some(&["kettle"])));
    world.run_until("2026-03-08T00:00:00Z");
    assert_eq!(world.mails()[2..], ["03-05 12:00 shipped/S-1"], "and no slip comes after it");
    assert_eq!(world.last().includes, [NoticeKind::DateSlip]);
    assert_eq!(stated(&world), ["2026-04-10"]);
}

#[test]
fn a_cancelled_line_leaves_the_others_waiting() {
    let mut world = kettle_and_pot();
    assert!(world.cancel(Some(&["kettle"])));
    world.run_until("2026-03-12T12:00:00Z");
    assert_eq!(world.mails()[2..], ["03-05 12:00 cancelled/C-1", "03-12 10:00 weekly_status/2026-03-12"]);
    assert_eq!(stated(&world), ["2026-03-25"]);
}

#[test]
fn when_only_lines_in_stock_are_left_open_there_is_no_weekly_status() {
    let cup = line("cup", LineKind::InStock, None);
    let mut world = World::new("2026-03-02T08:14:00Z", vec![backorder("2026-03-20"), cup]);
    world.run_until("2026-03-05T12:00:00Z");
    assert!(world.ship(Some(&["kettle"])));
    world.run_until("2026-04-30T00:00:00Z");
    assert_eq!(world.order.status(), Status::Open);
    assert_eq!(since(&world)[1..], ["03-05 12:00 shipped/S-1"]);
}

#[test]
fn an_order_that_is_all_in_stock_gets_no_mail_at_all() {
    let mut world = World::new("2026-03-02T08:14:00Z", vec![line("cup", LineKind::InStock, None)]);
    world.run_until("2026-03-05T00:00:00Z");
    assert!(world.ship(None));
    world.refund();
    world.run_until("2026-04-30T00:00:00Z");
    assert_eq!(world.mails(), [""; 0]);
    assert!(world.order.events.is_empty(), "nor does it keep what it will never tell");
}

#[test]
fn handling_and_buffer_count_business_days_where_the_shop_does() {
    let mut policy = Policy { handling_days: 1, business_days: true, ..Policy::default() };
    policy.holidays.insert("2026-03-23".parse().unwrap());
    let mut fact = order_fact(at("2026-03-02T08:14:00Z"), vec![backorder("2026-03-20")]);
    fact.lines[0].promised = None;
    let mut world = World::with(policy, &fact, fact.at, Notify::All);
    world.eta("kettle", "2026-03-19"); // Thursday; Friday to handle; then Tue, Wed, Thu, Fri
    world.run_until("2026-03-02T08:14:00Z");
    assert_eq!(stated(&world), ["2026-03-27"]);
}

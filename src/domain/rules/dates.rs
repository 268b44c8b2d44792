//! Dates that move: slips, improvements, the settling of a change, and dates that pass.

use super::super::fact::LineKind;
use super::super::notice::{NoticeKind, Reason};
use super::super::policy::Policy;
use super::super::world::{World, at, backorder, coming, line, order_fact};
use super::{confirmed, kettle, since, stated};
use crate::domain::order::apply::Notify;

#[test]
fn a_slip_is_told_when_it_has_settled_at_any_hour() {
    let mut world = confirmed();
    world.run_until("2026-03-05T23:50:00Z");
    world.eta("kettle", "2026-03-27");
    world.run_until("2026-03-06T08:00:00Z");
    assert_eq!(since(&world), ["03-04 08:14 update_48h", "03-06 00:05 date_slip/1"]);
    assert_eq!(stated(&world), ["2026-03-31"]);
}

#[test]
fn a_delay_that_the_buffer_takes_moves_nobody() {
    let mut world = confirmed();
    world.eta("kettle", "2026-03-20");
    world.run_until("2026-03-10T00:00:00Z");
    assert_eq!(since(&world), ["03-04 08:14 update_48h"]);
    assert_eq!(world.reasons(NoticeKind::DateSlip), [Reason::StillHolds]);
}

#[test]
fn twenty_changes_in_an_hour_make_one_notice_at_most_an_hour_after_the_first() {
    let mut world = confirmed();
    for change in 0..20 {
        world.eta("kettle", if change % 2 == 0 { "2026-03-28" } else { "2026-03-29" });
        let next = world.now + chrono::TimeDelta::minutes(3);
        world.run(next);
    }
    world.run_until("2026-03-03T23:00:00Z");
    assert_eq!(since(&world), ["03-03 13:00 date_slip/1"]);
    assert_eq!(stated(&world), ["2026-04-02"]);
}

#[test]
fn a_change_back_within_the_settling_still_holds_and_mails_nobody() {
    let mut world = confirmed();
    world.eta("kettle", "2026-03-27");
    world.run_until("2026-03-03T12:10:00Z");
    world.eta("kettle", "2026-03-16");
    world.run_until("2026-03-03T13:00:00Z");
    assert_eq!(since(&world), [""; 0]);
    assert_eq!(world.reasons(NoticeKind::DateSlip), [Reason::StillHolds]);
}

#[test]
fn a_change_that_was_no_news_leaves_the_next_one_its_own_settling() {
    let mut world = confirmed();
    world.eta("kettle", "2026-03-17");
    world.run_until("2026-03-05T12:00:00Z");
    world.eta("kettle", "2026-03-27");
    world.run_until("2026-03-05T12:14:00Z");
    assert_eq!(since(&world), ["03-04 08:14 update_48h"]);
    world.run_until("2026-03-05T12:15:00Z");
    assert_eq!(world.mails().last().unwrap(), "03-05 12:15 date_slip/2");
}

#[test]
fn a_date_that_is_withdrawn_is_a_slip_that_says_there_is_none() {
    for gone in [super::super::supply::Cover::Nothing, coming(None)] {
        let mut world = confirmed();
        world.cover("kettle", &gone);
        world.run_until("2026-03-03T13:00:00Z");
        assert_eq!(since(&world), ["03-03 12:15 date_slip/1"]);
        assert_eq!(stated(&world), ["-"]);
        world.run_until("2026-03-31T00:00:00Z");
        assert!(!world.mails().iter().any(|mail| mail.contains("overdue")), "there is no date to miss");
    }
}

#[test]
fn the_first_date_after_none_is_good_news_in_the_window() {
    let mut world = confirmed();
    world.withdraw("kettle");
    world.run_until("2026-03-05T22:00:00Z");
    world.eta("kettle", "2026-04-10");
    world.run_until("2026-03-06T12:00:00Z");
    assert_eq!(since(&world), ["03-03 12:15 date_slip/1", "03-06 08:00 date_improved/2"]);
    assert_eq!(stated(&world), ["2026-04-14"]);
}

#[test]
fn an_earlier_date_is_told_from_improve_min_days_on() {
    let mut world = confirmed();
    world.eta("kettle", "2026-03-14"); // 18 March, two days earlier
    world.run_until("2026-03-05T12:00:00Z");
    assert_eq!(since(&world), ["03-04 08:14 update_48h"]);
    world.eta("kettle", "2026-03-13"); // 17 March, three days earlier
    world.run_until("2026-03-05T13:00:00Z");
    assert_eq!(world.mails().last().unwrap(), "03-05 12:15 date_improved/2");
    assert_eq!(stated(&world), ["2026-03-17"]);
}

#[test]
fn routine_news_waits_for_a_change_that_is_settling_and_rank_decides() {
    let mut world = confirmed();
    world.run_until("2026-03-11T09:55:00Z");
    world.eta("kettle", "2026-03-27");
    world.run_until("2026-03-11T12:00:00Z");
    assert_eq!(since(&world), ["03-04 08:14 update_48h", "03-11 10:10 date_slip/1"]);
    assert_eq!(world.reasons(NoticeKind::WeeklyStatus), [Reason::Merged]);

    let mut world = confirmed();
    world.run_until("2026-03-11T09:55:00Z");
    world.eta("kettle", "2026-03-17");
    world.run_until("2026-03-11T12:00:00Z");
    assert_eq!(since(&world), ["03-04 08:14 update_48h", "03-11 10:10 weekly_status/2026-03-11"]);
}

#[test]
fn the_same_date_again_is_no_change() {
    let mut world = confirmed();
    world.eta("kettle", "2026-03-16");
    assert_eq!(world.order.contact.debounce, None);
}

#[test]
fn an_expected_day_that_has_passed_is_no_ground_for_a_new_date() {
    let mut world = confirmed();
    world.run_until("2026-03-20T23:00:00Z");
    assert_eq!(stated(&world), ["2026-03-20"], "the 16th has passed, and told stands");
    world.run_until("2026-03-21T12:00:00Z");
    assert_eq!(world.mails().last().unwrap(), "03-21 10:00 overdue/2026-03-20");
}

#[test]
fn overdue_is_told_once_for_each_told_and_the_next_date_is_a_slip() {
    let mut world = confirmed();
    world.run_until("2026-03-22T00:00:00Z");
    assert_eq!(world.order.lines[0].told.map(|d| d.to_string()).as_deref(), Some("2026-03-20"), "told stays");
    world.eta("kettle", "2026-04-01");
    world.run_until("2026-03-22T01:00:00Z");
    assert_eq!(world.mails().last().unwrap(), "03-22 00:15 date_slip/1");
    world.run_until("2026-04-06T12:00:00Z");
    assert_eq!(world.mails().last().unwrap(), "04-06 10:00 overdue/2026-04-05");
    let overdue = world.mails().iter().filter(|mail| mail.contains("overdue")).count();
    assert_eq!(overdue, 2);
}

#[test]
fn a_withdrawal_after_overdue_is_no_news() {
    let mut world = confirmed();
    world.run_until("2026-03-22T00:00:00Z");
    let before = world.mails().len();
    world.withdraw("kettle");
    world.run_until("2026-03-27T00:00:00Z");
    assert_eq!(world.mails().len(), before);
}

#[test]
fn a_slip_covers_a_date_that_passes_while_it_settles() {
    let mut world = confirmed();
    world.run_until("2026-03-21T09:50:00Z");
    world.withdraw("kettle");
    world.run_until("2026-03-23T00:00:00Z");
    assert_eq!(world.mails().last().unwrap(), "03-21 10:05 date_slip/1");
    assert_eq!(world.last().includes, [NoticeKind::Overdue]);
}

#[test]
fn told_passes_at_the_shop_s_midnight_and_is_told_at_the_customer_s_ten_o_clock() {
    let shop = Policy { zone: chrono_tz::Europe::Berlin, ..Policy::default() };
    let mut fact = order_fact(at("2026-03-02T08:14:00Z"), vec![backorder("2026-03-20")]);
    fact.customer.timezone = Some(chrono_tz::America::Los_Angeles);
    let mut world = World::with(shop, &fact, fact.at, Notify::All);
    world.eta("kettle", "2026-03-16");
    world.run_until("2026-03-22T00:00:00Z");
    // In Berlin the 20th ends at 23:00Z, which is 16:00 of the 20th in Los Angeles.
    assert_eq!(world.mails().last().unwrap(), "03-21 17:00 overdue/2026-03-20");
}

#[test]
fn an_import_for_the_future_is_silent_about_the_past() {
    let mut fact = order_fact(at("2026-02-02T08:14:00Z"), vec![backorder("2026-02-20")]);
    fact.lines.push(line("pot", LineKind::Backorder, Some("2026-03-08")));
    let mut world = World::with(Policy::default(), &fact, at("2026-03-02T08:14:00Z"), Notify::Future);
    world.cover("pot", &coming(Some("2026-03-05".parse().unwrap())));
    world.run_until("2026-03-10T00:00:00Z");
    assert_eq!(world.mails(), ["03-09 10:00 overdue/2026-03-08"], "no overdue for 20 February");
    world.run_until("2026-03-17T00:00:00Z");
    assert_eq!(world.mails().last().unwrap(), "03-16 10:00 weekly_status/2026-03-16");
}

#[test]
fn an_old_order_recorded_at_night_is_caught_up_with_one_mail() {
    let fact = order_fact(at("2026-02-02T08:14:00Z"), vec![backorder("2026-02-20")]);
    let mut world = World::with(Policy::default(), &fact, at("2026-03-02T03:00:00Z"), Notify::All);
    world.eta("kettle", "2026-02-16");
    world.run_until("2026-03-08T23:00:00Z");
    assert_eq!(world.mails(), ["03-02 03:00 confirmation"]);
    assert_eq!(stated(&world), ["-"], "it says what was missed, and no overdue follows in the morning");
    world.run_until("2026-03-09T23:00:00Z");
    assert_eq!(world.mails().last().unwrap(), "03-09 10:00 weekly_status/2026-03-09");
}

#[test]
fn the_promise_of_goods_in_the_house_never_lies_in_the_past() {
    let mut world = kettle();
    world.order.lines[0].told = "2026-04-20".parse().ok();
    world.receive("kettle");
    world.sleep_until("2026-03-10T12:00:00Z");
    world.run_until("2026-03-10T12:00:00Z");
    assert_eq!(stated(&world), ["2026-04-20"]);
}

#[test]
fn a_date_missed_by_two_lines_one_after_the_other_is_two_notices() {
    let mut world = confirmed();
    world.run_until("2026-03-21T12:00:00Z");
    world.upsert(|fact| fact.lines.push(line("cup", LineKind::Backorder, Some("2026-03-20"))));
    world.run_until("2026-03-22T12:00:00Z");
    let overdue: Vec<_> = world.mails().into_iter().filter(|mail| mail.contains("overdue")).collect();
    assert_eq!(overdue, ["03-21 10:00 overdue/2026-03-20", "03-21 12:00 overdue/2026-03-20.2"]);
}

//! What a mail that came back does to what is told: it was not heard.

use super::super::world::World;
use super::{confirmed, since, stated};

fn told(world: &World) -> String {
    world.order.lines[0].told.map(|date| date.to_string()).unwrap_or_default()
}

/// Confirmed for the 20th; told at 12:15 on the 3rd that it is the 31st.
fn slipped() -> World {
    let mut world = confirmed();
    world.eta("kettle", "2026-03-27");
    world.run_until("2026-03-03T13:00:00Z");
    assert_eq!(
        (since(&world), told(&world)),
        (vec!["03-03 12:15 date_slip/1".to_owned()], "2026-03-31".to_owned())
    );
    world
}

#[test]
fn a_slip_that_came_back_was_not_told_and_the_next_regular_mail_states_it() {
    let mut world = slipped();
    world.bounce("date_slip/1");
    assert_eq!(told(&world), "2026-03-20");
    world.run_until("2026-03-04T12:00:00Z");
    assert_eq!(since(&world)[1..], ["03-04 08:14 update_48h"], "nothing was heard for 48 hours");
    assert_eq!((stated(&world), told(&world)), (vec!["2026-03-31".to_owned()], "2026-03-31".to_owned()));
}

#[test]
fn the_seven_days_run_from_the_last_mail_that_did_not_come_back() {
    let mut world = slipped();
    world.run_until("2026-03-05T12:00:00Z");
    assert_eq!(since(&world).len(), 1, "no update so soon after the slip");
    world.bounce("date_slip/1");
    world.run_until("2026-03-09T23:00:00Z");
    assert_eq!(since(&world)[1..], ["03-09 10:00 weekly_status/2026-03-09"]);
}

#[test]
fn what_was_told_again_since_stays_told() {
    let mut world = slipped();
    world.run_until("2026-03-10T12:00:00Z");
    assert_eq!(since(&world)[1..], ["03-10 10:00 weekly_status/2026-03-10"]);
    let mut before = world.order.clone();
    world.bounce("date_slip/1");
    before.superseded.push("date_slip/1".to_owned());
    assert_eq!(world.order, before);
}

#[test]
fn told_falls_back_to_what_the_mail_before_stated() {
    let mut world = slipped();
    world.eta("kettle", "2026-04-10");
    world.run_until("2026-03-03T18:00:00Z");
    assert_eq!(told(&world), "2026-04-14");
    world.bounce("date_slip/2");
    assert_eq!(told(&world), "2026-03-31");
    world.bounce("date_slip/1");
    assert_eq!(told(&world), "2026-03-20");
}

#[test]
fn what_came_back_from_the_old_address_is_told_to_the_new_one() {
    let mut world = slipped();
    world.bounce("date_slip/1");
    world.readdress(Some("ana@example.org"));
    world.run_until("2026-03-04T06:00:00Z");
    assert_eq!(since(&world)[1..], ["03-03 13:00 date_slip/2"]);
    assert_eq!(stated(&world), ["2026-03-31"]);
}

#[test]
fn what_comes_back_after_the_address_changed_keeps_nothing_from_the_new_one() {
    let mut world = slipped();
    world.readdress(Some("ana@example.org"));
    world.bounce("date_slip/1");
    assert_eq!((told(&world), world.order.lines[0].tried), ("2026-03-20".to_owned(), None));
    world.run_until("2026-03-04T06:00:00Z");
    assert_eq!(since(&world)[1..], ["03-03 13:00 date_slip/2"]);
    // Nor what comes back after the new one has heard it all.
    world.bounce("confirmation");
    assert_eq!(told(&world), "2026-03-31");
}

#[test]
fn a_weekly_status_that_comes_back_three_times_waits_for_a_person_and_not_for_an_answer() {
    let mut world = confirmed();
    world.run_until("2026-03-08T12:00:00Z");
    let before = since(&world).len();
    for (until, occasion) in [
        ("2026-03-11T10:00:00Z", "weekly_status/2026-03-11"),
        ("2026-03-12T10:00:00Z", "weekly_status/2026-03-12"),
        ("2026-03-13T10:00:00Z", "weekly_status/2026-03-13"),
        ("2026-03-20T10:00:00Z", "weekly_status/2026-03-20"),
    ] {
        world.run_until(until);
        world.bounce(occasion);
    }
    assert_eq!(world.order.contact.status_failures, 4);
    world.run_until("2026-03-26T12:00:00Z");
    let weekly: Vec<String> = since(&world).split_off(before);
    assert_eq!(weekly.iter().filter(|mail| mail.contains("weekly")).count(), 4, "{weekly:?}");
}

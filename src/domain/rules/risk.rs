//! What ops must know of an order, told as small stories.

use chrono::TimeDelta;

use super::super::calendar::{Instant, day_of, start_of};
use super::super::fact::{LineKind, Partial, Payment};
use super::super::notice::{NoticeKind, NoticeState};
use super::super::policy::Policy;
use super::super::risk::{Authorization, DigestIssue, FailedNotice, Finding, UNHEARD_FOR, Watch, findings};
use super::super::world::{Server, World, at, backorder, date, line, order_fact};
use super::kettle;
use crate::domain::order::apply::Notify;

const ZONE: chrono_tz::Tz = chrono_tz::UTC;

fn found_at(world: &World, troubles: &[FailedNotice], now: &str) -> Vec<Finding> {
    findings(&world.order, troubles, at(now), ZONE, &Watch::default())
}

/// `overdue 2026-03-20 kettle`, for each finding.
fn concerns(world: &World, now: &str) -> Vec<String> {
    let said = |finding: Finding| {
        let lines: Vec<_> = finding.lines.iter().map(|line| line.sku.as_str()).collect();
        format!("{} {} {}", finding.concern, finding.day, lines.join(" ")).trim_end().to_owned()
    };
    found_at(world, &[], now).into_iter().map(said).collect()
}

#[test]
fn a_told_date_is_at_risk_three_days_before_until_it_has_passed() {
    let world = kettle();
    assert!(concerns(&world, "2026-03-16T23:59:00Z").is_empty());
    assert_eq!(concerns(&world, "2026-03-17T00:00:00Z"), ["at_risk 2026-03-20 kettle"]);
    assert_eq!(concerns(&world, "2026-03-20T23:59:00Z"), ["at_risk 2026-03-20 kettle"]);
    assert_eq!(concerns(&world, "2026-03-21T00:00:00Z"), ["overdue 2026-03-20 kettle"]);
}

#[test]
fn goods_in_the_house_are_no_risk_but_overdue_when_they_have_not_shipped() {
    let mut world = kettle();
    world.run_until("2026-03-18T12:00:00Z");
    world.receive("kettle");
    assert!(concerns(&world, "2026-03-18T12:00:00Z").is_empty());
    assert_eq!(concerns(&world, "2026-03-21T08:00:00Z"), ["overdue 2026-03-20 kettle"]);
    assert!(found_at(&world, &[], "2026-03-21T08:00:00Z")[0].lines[0].cover.is_received());
    assert!(world.ship(None));
    assert!(concerns(&world, "2026-03-21T08:00:00Z").is_empty());
}

#[test]
fn an_order_is_named_once_for_each_concern_with_its_earliest_date_first() {
    let lines = vec![
        line("cup", LineKind::Backorder, Some("2026-03-19")),
        line("jug", LineKind::InStock, Some("2026-03-01")),
        backorder("2026-03-22"),
        line("pot", LineKind::Preorder, Some("2026-03-18")),
        line("tea", LineKind::Backorder, None),
    ];
    let world = World::new("2026-03-02T08:14:00Z", lines);
    assert_eq!(
        concerns(&world, "2026-03-20T08:00:00Z"),
        ["overdue 2026-03-18 pot cup", "at_risk 2026-03-22 kettle"]
    );
}

#[test]
fn a_date_missed_before_the_import_is_a_concern_of_its_own_until_there_is_a_new_one() {
    let placed = at("2026-02-01T08:00:00Z");
    let fact = order_fact(
        placed,
        vec![backorder("2026-02-20"), line("pot", LineKind::Backorder, Some("2026-03-10"))],
    );
    let mut world = World::with(Policy::default(), &fact, at("2026-03-02T08:00:00Z"), Notify::Future);
    assert_eq!(concerns(&world, "2026-03-03T08:00:00Z"), ["imported 2026-02-20 kettle"]);
    // What passes later is our own to tell.
    assert_eq!(
        concerns(&world, "2026-03-12T08:00:00Z"),
        ["imported 2026-02-20 kettle", "overdue 2026-03-10 pot"]
    );
    world.eta("kettle", "2026-03-30");
    world.run_until("2026-03-04T08:00:00Z");
    assert_eq!(concerns(&world, "2026-03-04T08:00:00Z"), [""; 0]);
}

#[test]
fn an_order_without_an_address_needs_a_person_while_it_waits() {
    let mut world = kettle();
    world.readdress(None);
    assert_eq!(concerns(&world, "2026-03-05T08:00:00Z"), ["no_address 2026-03-02"]);
    assert!(world.cancel(None));
    assert!(concerns(&world, "2026-03-05T08:00:00Z").is_empty());
}

#[test]
fn three_weekly_updates_that_failed_need_a_person_until_one_is_accepted() {
    let mut world = World::new("2026-03-02T08:14:00Z", vec![line("tea", LineKind::Backorder, None)]);
    world.run_until("2026-03-04T12:00:00Z");
    world.server = Server::Refuses;
    world.run_until("2026-03-12T12:00:00Z");
    assert!(concerns(&world, "2026-03-12T12:00:00Z").is_empty());
    world.run_until("2026-03-13T12:00:00Z");
    assert_eq!(concerns(&world, "2026-03-13T12:00:00Z"), ["silent 2026-03-04"]);
    world.server = Server::Accepts;
    world.run_until("2026-03-20T12:00:00Z");
    assert!(concerns(&world, "2026-03-20T12:00:00Z").is_empty());
}

#[test]
fn what_must_be_known_and_came_to_nothing_is_a_concern_until_a_later_mail_is_accepted() {
    let mut world = kettle();
    world.server = Server::Refuses;
    world.run_until("2026-03-02T09:00:00Z");
    let trouble = |kind, state| FailedNotice { kind, state, at: at("2026-03-02T08:14:00Z") };
    let unheard = |world: &World, trouble: FailedNotice, now: Instant| {
        let found = findings(&world.order, &[trouble], now, ZONE, &Watch::default());
        found
            .iter()
            .any(|finding| finding.concern == DigestIssue::Unheard && finding.notice == Some(trouble.kind))
    };
    let (soon, refused) =
        (at("2026-03-03T08:00:00Z"), trouble(NoticeKind::Confirmation, NoticeState::Failed));
    assert!(unheard(&world, refused, soon));
    assert!(unheard(&world, trouble(NoticeKind::DateSlip, NoticeState::InDoubt), soon));
    assert!(!unheard(&world, trouble(NoticeKind::WeeklyStatus, NoticeState::Failed), soon), "routine news");
    assert!(!unheard(&world, refused, refused.at + UNHEARD_FOR), "for two weeks");
    world.server = Server::Accepts;
    world.run_until("2026-03-05T08:00:00Z");
    assert!(!unheard(&world, refused, at("2026-03-05T08:00:00Z")));
    // What is held waits for a person however long, and whatever was accepted since.
    let held = found_at(&world, &[trouble(NoticeKind::Restock, NoticeState::Held)], "2026-05-01T08:00:00Z");
    assert!(
        held.iter().any(|finding| finding.concern == DigestIssue::Held && finding.day == date("2026-03-02"))
    );
}

fn authorized() -> World {
    let mut fact = order_fact(at("2026-03-02T08:14:00Z"), vec![line("tea", LineKind::Backorder, None)]);
    fact.payment = Some(Payment::Authorized);
    // Imported days after it was placed: the card was authorized then.
    fact.at = at("2026-03-05T08:00:00Z");
    World::with(Policy::default(), &fact, at("2026-03-05T08:00:00Z"), Notify::All)
}

fn until(world: &World) -> Option<String> {
    Authorization::of(&world.order, ZONE, &Watch::default()).map(|held| held.until.to_string())
}

#[test]
fn what_only_waits_for_the_rest_of_a_held_order_is_not_overdue() {
    let pot = line("pot", LineKind::Preorder, Some("2026-03-30"));
    let mut world = World::new("2026-03-02T08:14:00Z", vec![backorder("2026-03-20"), pot]);
    world.receive("kettle");
    assert_eq!(
        concerns(&world, "2026-03-22T12:00:00Z"),
        ["overdue 2026-03-20 kettle"],
        "by itself it could leave"
    );
    world.upsert(|fact| fact.partial = Some(Partial::ShipTogether));
    assert!(concerns(&world, "2026-03-22T12:00:00Z").is_empty());
    world.receive("pot");
    assert!(concerns(&world, "2026-03-22T12:00:00Z").is_empty());
    assert_eq!(concerns(&world, "2026-03-31T12:00:00Z"), ["overdue 2026-03-30 pot"]);
}

#[test]
fn an_authorization_ends_a_week_after_the_placing_or_after_it_was_told_anew() {
    let mut world = authorized();
    assert_eq!(until(&world).as_deref(), Some("2026-03-09"));
    world.run_until("2026-03-08T10:00:00Z");
    world.upsert(|fact| fact.payment = Some(Payment::Authorized));
    assert_eq!(until(&world).as_deref(), Some("2026-03-15"));
    world.upsert(|fact| fact.payment = Some(Payment::Paid));
    assert_eq!(until(&world), None);
    world.upsert(|fact| fact.payment = Some(Payment::Authorized));
    assert!(until(&world).is_some());
    assert!(world.ship(None));
    assert_eq!(until(&world), None, "the money was taken");
}

#[test]
fn an_authorization_is_due_three_days_before_its_end_and_from_then_on() {
    let world = authorized();
    let due = |now: &str| Authorization::finding(&world.order, at(now), ZONE, &Watch::default());
    assert_eq!(due("2026-03-05T23:59:00Z"), None);
    let found = due("2026-03-06T00:00:00Z").unwrap();
    assert_eq!((found.day, found.authorized), (date("2026-03-09"), Some(date("2026-03-02"))));
    assert!(due("2026-06-06T00:00:00Z").is_some());
}

#[test]
fn an_index_over_instants_finds_what_the_rule_finds_in_every_zone() {
    let watches = [(3, 7), (0, 1), (10, 7), (1, 365)];
    for zone in [ZONE, chrono_tz::Europe::Berlin, chrono_tz::America::New_York, chrono_tz::Pacific::Apia] {
        for (at_risk_days, authorization_days) in watches {
            let watch = Watch { at_risk_days, authorization_days, ..Watch::default() };
            // Two days on which clocks change are among these.
            let today = date("2026-04-01");
            let before = watch.authorized_before(today, zone);
            for minutes in [-1500, -61, -1, 0, 1, 61, 1500] {
                let since = before + TimeDelta::minutes(minutes);
                let day = day_of(since, zone);
                let held =
                    Authorization { since: day, until: day + TimeDelta::days(i64::from(authorization_days)) };
                assert_eq!(held.is_due(today, &watch), since < before, "{since} {zone} {watch:?}");
            }
            assert_eq!(start_of(day_of(before, zone), zone), before);
        }
    }
}

#[test]
fn of_authorizations_what_can_ship_comes_first_and_else_the_earliest() {
    let mut worlds = [authorized(), authorized(), authorized()];
    for (world, number) in worlds.iter_mut().zip(["1", "2", "3"]) {
        world.order.number = number.to_owned();
    }
    worlds[0].order.authorized_at = Some(at("2026-03-03T08:00:00Z"));
    worlds[2].order.authorized_at = Some(at("2026-03-04T08:00:00Z"));
    worlds[2].receive("tea");
    let now = at("2026-03-20T08:00:00Z");
    let found = |world: &World| Authorization::finding(&world.order, now, ZONE, &Watch::default());
    let mut all: Vec<_> = worlds.iter().filter_map(found).collect();
    all.sort_by_cached_key(Finding::rank);
    let numbers: Vec<_> = all.iter().map(|finding| finding.order.as_str()).collect();
    assert_eq!(numbers, ["3", "2", "1"]);
}

//! What a mail server's answer does to what is told: refusals, doubt, delays.

use super::super::notice::{NoticeKind, NoticeState, Reason};
use super::super::order::Tried;
use super::super::world::{Server, World};
use super::{confirmed, kettle, since, stated};

/// Confirmed for the 20th; a slip to the 31st is tried with `server` at 12:15.
fn slipping(server: Server) -> World {
    let mut world = confirmed();
    world.server = server;
    world.eta("kettle", "2026-03-27");
    world.run_until("2026-03-03T12:15:00Z");
    world
}

fn told(world: &World) -> String {
    world.order.lines[0].told.map(|date| date.to_string()).unwrap_or_default()
}

#[test]
fn told_changes_only_when_a_mail_was_accepted() {
    for server in [Server::Defers, Server::Refuses, Server::Breaks] {
        assert_eq!(told(&slipping(server)), "2026-03-20", "{server:?}");
    }
    assert_eq!(told(&slipping(Server::Accepts)), "2026-03-31");
}

#[test]
fn a_slip_that_was_refused_is_not_tried_again_until_the_weekly_status_says_it() {
    let mut world = slipping(Server::Refuses);
    world.server = Server::Accepts;
    world.run_until("2026-03-11T12:00:00Z");
    assert_eq!(since(&world)[1..], ["03-11 10:00 weekly_status/2026-03-11"]);
    assert_eq!(stated(&world), ["2026-03-31"]);
    assert_eq!(told(&world), "2026-03-31");
}

#[test]
fn a_doubtful_slip_is_tried_once_more_and_then_left() {
    let mut world = slipping(Server::Breaks);
    assert_eq!(world.order.under_way.as_ref().map(|u| u.state), Some(NoticeState::InDoubt));
    world.run_until("2026-03-03T12:30:00Z");
    assert_eq!(world.order.under_way, None);
    world.run_until("2026-03-04T00:00:00Z");
    assert_eq!(world.planned.len(), 2, "the confirmation and one slip");
}

#[test]
fn a_doubtful_slip_that_is_accepted_the_second_time_is_one_slip() {
    let mut world = slipping(Server::Breaks);
    world.server = Server::Accepts;
    world.run_until("2026-03-03T13:00:00Z");
    assert_eq!(since(&world), ["03-03 12:30 date_slip/1"]);
}

#[test]
fn after_a_doubtful_mail_a_change_back_is_news() {
    let mut world = slipping(Server::Breaks);
    world.run_until("2026-03-03T13:00:00Z");
    world.server = Server::Accepts;
    world.eta("kettle", "2026-03-16");
    world.run_until("2026-03-03T14:00:00Z");
    assert_eq!(since(&world), ["03-03 13:15 date_improved/2"]);
    assert_eq!(stated(&world), ["2026-03-20"]);
    assert_eq!(world.order.lines[0].tried, None);
}

#[test]
fn a_change_back_while_a_doubtful_mail_waits_for_its_second_try_is_news() {
    let mut world = slipping(Server::Breaks);
    world.server = Server::Accepts;
    world.run_until("2026-03-03T12:20:00Z");
    world.eta("kettle", "2026-03-16");
    world.run_until("2026-03-03T14:00:00Z");
    assert_eq!(since(&world), ["03-03 12:35 date_improved/2"]);
    assert_eq!(world.superseded, [("date_slip/1".to_owned(), Reason::FactsChanged)]);
}

#[test]
fn a_doubt_is_not_forgotten_when_the_second_try_is_put_off_or_refused() {
    for second in [Server::Defers, Server::Refuses] {
        let mut world = slipping(Server::Breaks);
        world.server = second;
        world.run_until("2026-03-03T12:40:00Z");
        world.server = Server::Accepts;
        world.eta("kettle", "2026-03-16");
        world.run_until("2026-03-03T14:00:00Z");
        assert_eq!(since(&world), ["03-03 12:55 date_improved/2"], "{second:?}");
    }
}

#[test]
fn without_a_doubt_a_change_back_is_no_news() {
    let mut world = slipping(Server::Defers);
    world.eta("kettle", "2026-03-16");
    world.server = Server::Accepts;
    world.run_until("2026-03-03T18:00:00Z");
    assert_eq!(since(&world), [""; 0]);
    assert_eq!(world.superseded, [("date_slip/1".to_owned(), Reason::FactsChanged)]);
}

#[test]
fn routine_news_in_doubt_is_not_tried_again() {
    let mut world = confirmed();
    world.server = Server::Breaks;
    world.run_until("2026-03-04T12:00:00Z");
    assert_eq!(world.planned.last().map(|notice| notice.kind), Some(NoticeKind::Update48h));
    assert_eq!(world.order.under_way, None);
    world.server = Server::Accepts;
    world.run_until("2026-03-09T12:00:00Z");
    assert_eq!(since(&world), ["03-09 10:00 weekly_status/2026-03-09"], "seven days from the confirmation");
}

#[test]
fn a_confirmation_in_doubt_whose_date_has_changed_is_replaced() {
    let mut world = kettle();
    world.server = Server::Breaks;
    world.run_until("2026-03-02T08:20:00Z");
    world.eta("kettle", "2026-03-27");
    world.server = Server::Accepts;
    world.run_until("2026-03-02T12:00:00Z");
    assert_eq!(world.mails(), ["03-02 08:20 confirmation.2"]);
    assert_eq!(stated(&world), ["2026-03-31"]);
}

#[test]
fn a_queued_mail_whose_date_passes_is_replaced_by_one_that_says_so() {
    let mut world = kettle();
    world.server = Server::Defers;
    world.order.lines[0].told = "2026-03-02".parse().ok();
    world.order.lines[0].cover = Default::default();
    world.order.lines[0].ever_covered = false;
    world.run_until("2026-03-03T00:00:00Z");
    world.server = Server::Accepts;
    world.run_until("2026-03-04T00:00:00Z");
    assert_eq!(world.accepted.len(), 1);
    assert_eq!((world.last().occasion.as_str(), stated(&world)), ("confirmation.2", vec!["-".to_owned()]));
}

#[test]
fn a_mail_that_stays_put_off_expires_after_five_days_and_the_weekly_status_goes_on() {
    let mut world = slipping(Server::Defers);
    world.run_until("2026-03-08T18:00:00Z");
    assert_eq!(world.order.under_way, None, "{:?}", world.order.under_way);
    let tried = Tried { date: "2026-03-31".parse().ok(), doubtful: false };
    assert_eq!(world.order.lines[0].tried, Some(tried));
    world.server = Server::Accepts;
    world.run_until("2026-03-10T00:00:00Z");
    assert_eq!(since(&world), ["03-09 10:00 weekly_status/2026-03-09"]);
}

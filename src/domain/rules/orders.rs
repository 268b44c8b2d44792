//! What happens to an order: shipped, cancelled, sent again by the shop, given another address.

use super::super::calendar::Instant;
use super::super::fact::{LineFact, LineKind, LineUnits};
use super::super::notice::Reason;
use super::super::order::{Order, Status};
use super::super::world::{Server, World, backorder, line};
use super::{confirmed, kettle, since, stated};

#[test]
fn a_closed_order_gets_nothing_but_its_own_closing_notices() {
    let mut world = confirmed();
    assert!(world.ship(None));
    world.run_until("2026-03-10T12:00:00Z");
    world.refund();
    world.run_until("2026-05-01T00:00:00Z");
    assert_eq!(since(&world), ["03-03 12:00 shipped/S-1", "03-10 12:00 refunded/F-2"]);
    assert_eq!(world.order.status(), Status::Shipped);
}

#[test]
fn what_was_queued_when_the_order_closes_is_superseded() {
    let mut world = confirmed();
    world.run_until("2026-03-11T09:00:00Z");
    world.server = Server::Defers;
    world.run_until("2026-03-11T11:00:00Z");
    assert!(world.cancel(None));
    world.server = Server::Accepts;
    world.run_until("2026-05-01T00:00:00Z");
    assert_eq!(since(&world)[1..], ["03-11 11:00 cancelled/C-1"]);
    assert_eq!(
        world.superseded.last().unwrap(),
        &("weekly_status/2026-03-11".to_owned(), Reason::OrderClosed)
    );
}

#[test]
fn a_fact_that_the_order_s_state_refuses_changes_nothing_and_mails_nobody() {
    let mut world = confirmed();
    assert!(world.cancel(None));
    world.run_until("2026-03-03T13:00:00Z");
    let before = world.order.clone();
    assert!(!world.ship(None) && !world.ship(Some(&["kettle"])) && !world.cancel(Some(&["nothing"])));
    assert_eq!(world.order, before);
}

#[test]
fn more_units_than_are_open_are_refused() {
    let mut world = confirmed();
    let lines = Some(vec![LineUnits { id: "kettle".into(), quantity: Some(2) }]);
    let fact = super::super::fact::ShipmentFact {
        at: world.now,
        id: "S".into(),
        order: "1042".into(),
        lines,
        carrier: None,
        tracking: None,
        url: None,
        handed_over: true,
    };
    let refused = world.order.ship(&fact, world.now).unwrap_err();
    assert_eq!(refused.to_string(), "line kettle of order 1042 has 1 open, not 2");
}

#[test]
fn a_label_is_no_shipment() {
    let mut world = confirmed();
    let now = world.now;
    let label = |handed_over| super::super::fact::ShipmentFact {
        at: now,
        id: "S".into(),
        order: "1042".into(),
        lines: None,
        carrier: None,
        tracking: None,
        url: None,
        handed_over,
    };
    world.order.ship(&label(false), now).unwrap();
    assert_eq!((world.order.status(), world.order.events.len()), (Status::Waiting, 0));
    world.order.ship(&label(true), now).unwrap();
    assert_eq!((world.order.status(), world.order.events.len()), (Status::Shipped, 1));
}

#[test]
fn a_changed_address_supersedes_what_is_not_accepted_and_one_mail_goes_to_the_new_one() {
    let mut world = confirmed();
    world.server = Server::Defers;
    world.eta("kettle", "2026-03-27");
    world.run_until("2026-03-03T12:30:00Z");
    world.readdress(Some("ana@example.org"));
    world.server = Server::Accepts;
    world.run_until("2026-03-04T12:00:00Z");
    assert_eq!(since(&world), ["03-03 12:30 date_slip/2"]);
    assert_eq!(world.superseded, [("date_slip/1".to_owned(), Reason::AddressChanged)]);
    assert_eq!(world.last().content.email.as_str(), "ana@example.org");
}

#[test]
fn what_the_old_address_refused_is_told_at_the_new_one() {
    let mut world = kettle();
    world.server = Server::Refuses;
    world.run_until("2026-03-02T09:00:00Z");
    world.server = Server::Accepts;
    world.run_until("2026-03-02T10:00:00Z");
    assert_eq!(world.mails(), [""; 0]);
    world.readdress(Some("ana@example.org"));
    world.run_until("2026-03-02T11:00:00Z");
    assert_eq!(world.mails(), ["03-02 10:00 confirmation.2"]);
}

#[test]
fn a_new_address_hears_how_it_stands_once_also_where_the_old_one_had_heard_it_all() {
    let mut world = confirmed();
    world.readdress(Some("ana@example.org"));
    world.run_until("2026-03-09T00:00:00Z");
    assert_eq!(since(&world), ["03-03 12:00 confirmation.2"], "and no update a day later");
    assert_eq!(
        (world.last().content.email.as_str(), stated(&world)),
        ("ana@example.org", vec!["2026-03-20".into()])
    );
    world.readdress(None);
    world.run_until("2026-03-09T12:00:00Z");
    world.readdress(Some("ana@example.org"));
    world.run_until("2026-03-11T00:00:00Z");
    assert_eq!(since(&world)[1..], ["03-10 10:00 weekly_status/2026-03-10"], "it came back to what it was");
}

#[test]
fn a_slip_that_the_old_address_refused_is_told_as_one_to_the_new() {
    let mut world = confirmed();
    world.server = Server::Refuses;
    world.eta("kettle", "2026-03-27");
    world.run_until("2026-03-03T14:00:00Z");
    world.server = Server::Accepts;
    world.readdress(Some("ana@example.org"));
    world.run_until("2026-03-04T12:00:00Z");
    assert_eq!(since(&world), ["03-03 14:00 date_slip/2"]);
    assert_eq!(stated(&world), ["2026-03-31"]);
}

#[test]
fn a_new_address_that_refuses_as_well_is_no_loop() {
    let mut world = confirmed();
    world.server = Server::Refuses;
    world.readdress(Some("ana@example.org"));
    world.run_until("2026-03-04T00:00:00Z");
    let occasions: Vec<_> = world.planned.iter().map(|notice| notice.occasion.as_str()).collect();
    assert_eq!(occasions, ["confirmation", "confirmation.2"]);
}

#[test]
fn a_closed_order_has_nothing_to_say_to_a_new_address() {
    let mut world = confirmed();
    assert!(world.ship(None));
    world.run_until("2026-03-03T14:00:00Z");
    world.readdress(Some("ana@example.org"));
    world.run_until("2026-03-30T00:00:00Z");
    assert_eq!(since(&world), ["03-03 12:00 shipped/S-1"]);
}

#[test]
fn an_order_stated_as_it_is_known_changes_nothing() {
    let cup = line("cup", LineKind::InStock, None);
    let pot = line("pot", LineKind::Backorder, None);
    let lost = line("lost", LineKind::Backorder, None);
    let mut world = World::new("2026-03-02T08:14:00Z", vec![backorder("2026-03-20"), cup, pot, lost]);
    world.upsert(|fact| fact.lines.truncate(3));
    assert!(world.ship(Some(&["kettle"])));
    assert!(world.cancel(Some(&["pot"])));
    let before = world.order.clone();
    world.order.upsert(&before.to_fact(before.at), world.now);
    let at = world.order.at;
    assert!(at > before.at);
    assert_eq!(world.order, Order { at, ..before });
}

#[test]
fn lines_that_an_export_numbers_anew_are_the_ones_they_were() {
    let numbered = |id: &str, sku: &str| LineFact { id: id.into(), ..line(sku, LineKind::Backorder, None) };
    let all = [numbered("1", "kettle"), numbered("2", "pot"), numbered("3", "cup")];
    let mut world = World::new("2026-03-02T08:14:00Z", all.to_vec());
    assert!(world.ship(Some(&["1"])));
    world.run_until("2026-03-03T12:00:00Z");
    let open = |world: &World| -> Vec<(String, String, u32)> {
        let lines = world.order.lines.iter();
        lines.map(|line| (line.id.clone(), line.sku.clone(), line.open())).collect()
    };
    let before = open(&world);
    // What has shipped is not exported any more, and the rows are numbered from 1.
    let rest = [numbered("1", "pot"), numbered("2", "cup")];
    for _ in 0..2 {
        world.upsert(|fact| fact.lines = rest.to_vec());
        assert_eq!(open(&world), before);
        world.run_until("2026-03-03T13:00:00Z");
    }
    assert!(!world.mails().iter().any(|mail| mail.contains("cancelled")), "{:?}", world.mails());
    // A new one takes no other's place, and one that is left out is cancelled as ever.
    world.upsert(|fact| fact.lines = vec![numbered("1", "cup"), numbered("2", "pan")]);
    let open = open(&world);
    let of = |sku: &str| open.iter().find(|line| line.1 == sku).map(|line| line.2);
    assert_eq!(
        [of("kettle"), of("pot"), of("cup"), of("pan")],
        [Some(0), Some(0), Some(1), Some(1)],
        "{open:?}"
    );
}

#[test]
fn a_line_that_is_raised_after_its_cancellation_keeps_the_checkout_s_date_where_no_supply_ever_covered_it() {
    let mut world = World::new("2026-03-02T08:14:00Z", vec![backorder("2026-03-30")]);
    world.run_until("2026-03-03T12:00:00Z");
    assert!(world.cancel(None));
    world.run_until("2026-03-04T12:00:00Z");
    world.upsert(|fact| fact.lines[0].quantity = 2);
    world.run_until("2026-03-12T12:00:00Z");
    assert_eq!(stated(&world), ["2026-03-30"]);
}

#[test]
fn a_line_whose_sku_changes_stays_that_line_unless_some_of_it_has_shipped() {
    let mut world = confirmed();
    world.upsert(|fact| fact.lines[0].sku = "kettle-02".into());
    assert_eq!((world.order.lines.len(), world.order.lines[0].sku.as_str()), (1, "kettle-02"));
    assert!(world.ship(None));
    world.upsert(|fact| fact.lines[0].sku = "kettle-03".into());
    let lines: Vec<_> =
        world.order.lines.iter().map(|line| (line.sku.as_str(), line.shipped, line.open())).collect();
    assert_eq!(lines, [("kettle-02", 1, 0), ("kettle-03", 0, 1)]);
}

/// What is known of each line after an export: its SKU, what has shipped and what is open, in the order of the lines.
fn after(
    known: &[(&str, &str, u32)],
    shipped: &[&str],
    export: &[(&str, &str, u32)],
) -> Vec<(String, u32, u32)> {
    let lines = |lines: &[(&str, &str, u32)]| -> Vec<LineFact> {
        let line = |(id, sku, quantity): &(&str, &str, u32)| LineFact {
            id: (*id).into(),
            quantity: *quantity,
            ..line(sku, LineKind::Backorder, None)
        };
        lines.iter().map(line).collect()
    };
    let mut world = World::new("2026-03-02T08:14:00Z", lines(known));
    if !shipped.is_empty() {
        assert!(world.ship(Some(shipped)));
    }
    world.run_until("2026-03-03T12:00:00Z");
    for _ in 0..2 {
        world.upsert(|fact| fact.lines = lines(export));
        world.run_until("2026-03-03T13:00:00Z");
    }
    let cancelled = world.mails().iter().filter(|mail| mail.contains("cancelled")).count();
    assert_eq!(cancelled, 0, "{:?}", world.order.lines);
    world.order.lines.iter().map(|line| (line.sku.clone(), line.shipped, line.open())).collect()
}

#[test]
fn a_row_that_an_export_puts_between_others_takes_the_place_of_none() {
    let told = |lines: &[(&str, u32, u32)]| -> Vec<(String, u32, u32)> {
        lines.iter().map(|(sku, shipped, open)| ((*sku).to_owned(), *shipped, *open)).collect()
    };
    let two = [("1", "a", 1), ("2", "b", 1)];
    // In the middle, before what has shipped; in front.
    let middle = [("1", "a", 1), ("2", "c", 1), ("3", "b", 1)];
    assert_eq!(after(&two, &["2"], &middle), told(&[("a", 0, 1), ("b", 1, 0), ("c", 0, 1)]));
    let front = [("1", "c", 1), ("2", "a", 1), ("3", "b", 1)];
    assert_eq!(after(&two, &[], &front), told(&[("a", 0, 1), ("b", 0, 1), ("c", 0, 1)]));
    // Exchanged where it stands.
    assert_eq!(after(&two, &["1"], &[("1", "a", 1), ("2", "c", 1)]), told(&[("a", 1, 0), ("c", 0, 1)]));
    // One SKU twice, turned round; the one that shipped left out.
    let twice = [("1", "a", 2), ("2", "a", 3)];
    assert_eq!(after(&twice, &[], &[("1", "a", 3), ("2", "a", 2)]), told(&[("a", 0, 2), ("a", 0, 3)]));
    assert_eq!(after(&twice, &["1"], &[("1", "a", 3)]), told(&[("a", 2, 0), ("a", 0, 3)]));
}

#[test]
fn an_older_order_fact_or_one_of_the_same_moment_changes_nothing() {
    let mut world = confirmed();
    let before = world.order.clone();
    let older: Instant = before.at;
    world.upsert(|fact| {
        fact.at = older;
        fact.lines[0].quantity = 5;
    });
    assert_eq!(world.order, before);
}

#[test]
fn a_line_left_out_or_lessened_is_cancelled_for_the_shop_s_part() {
    let mut world = confirmed();
    world.upsert(|fact| fact.lines[0].quantity = 3);
    world.run_until("2026-03-03T12:30:00Z");
    world.upsert(|fact| fact.lines[0].quantity = 2);
    world.run_until("2026-03-03T12:30:00Z");
    assert_eq!(world.mails().last().unwrap(), "03-03 12:30 cancelled/order@2026-03-03T12:30:00.000Z");
    world.upsert(|fact| fact.lines[0].id = "other".into());
    assert_eq!(world.order.lines[0].open(), 0);
    assert_eq!(world.order.status(), Status::Waiting);
}

#[test]
fn a_date_changed_at_the_checkout_counts_as_told() {
    let mut world = confirmed();
    world.upsert(|fact| fact.lines[0].promised = "2026-03-22".parse().ok());
    world.run_until("2026-03-11T12:00:00Z");
    assert_eq!(since(&world)[1..], ["03-11 10:00 weekly_status/2026-03-11"]);
    assert_eq!(world.order.lines[0].told, "2026-03-22".parse().ok());
    assert_eq!(stated(&world), ["2026-03-22"]);
}

#[test]
fn a_line_that_is_added_later_is_told_with_its_first_date() {
    let mut world = confirmed();
    world.upsert(|fact| fact.lines.push(line("pot", LineKind::Backorder, None)));
    world.eta("pot", "2026-04-01");
    world.run_until("2026-03-03T13:00:00Z");
    assert_eq!(since(&world), ["03-03 12:15 date_improved/1"]);
    assert_eq!(stated(&world), ["2026-03-20", "2026-04-05"]);
}

#[test]
fn an_order_that_is_opened_again_after_closing_is_kept_informed() {
    let mut world = confirmed();
    assert!(world.ship(None));
    world.run_until("2026-03-05T12:00:00Z");
    world.upsert(|fact| fact.lines[0].quantity = 2);
    world.run_until("2026-03-13T00:00:00Z");
    let expected = ["03-05 12:00 date_improved/1", "03-12 10:00 weekly_status/2026-03-12"];
    assert_eq!(since(&world)[1..], expected);
}

#[test]
fn a_line_opened_again_after_its_date_has_not_missed_it() {
    let mut world = confirmed();
    world.run_until("2026-03-17T12:00:00Z");
    assert!(world.ship(None));
    world.run_until("2026-04-01T12:00:00Z");
    let before = world.mails().len();
    world.upsert(|fact| fact.lines[0].quantity = 2);
    world.eta("kettle", "2026-04-10");
    world.run_until("2026-04-02T12:00:00Z");
    assert_eq!(world.mails()[before..], ["04-01 12:15 date_improved/1"], "and no overdue for 20 March");
    assert_eq!(stated(&world), ["2026-04-14"]);
}

#[test]
fn an_in_stock_order_that_comes_to_wait_is_confirmed() {
    let mut world =
        super::super::world::World::new("2026-03-02T08:14:00Z", vec![line("cup", LineKind::InStock, None)]);
    world.run_until("2026-03-12T12:00:00Z");
    world.upsert(|fact| fact.lines[0].kind = LineKind::Backorder);
    world.run_until("2026-03-14T12:00:00Z");
    assert_eq!(world.mails(), ["03-12 12:00 confirmation"]);
}

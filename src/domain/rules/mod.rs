//! Every rule about what is due when, told as a small story each.

mod bounces;
mod dates;
mod orders;
mod parts;
mod replies;
mod risk;
mod routine;
mod sending;

use super::world::{World, backorder};

/// An order of Monday, 2 March, 08:14 in UTC: one kettle, promised for the 20th, expected on the 16th.
fn kettle() -> World {
    let mut world = World::new("2026-03-02T08:14:00Z", vec![backorder("2026-03-20")]);
    world.eta("kettle", "2026-03-16");
    world
}

/// The same a day later: confirmed, and nothing due.
fn confirmed() -> World {
    let mut world = kettle();
    world.run_until("2026-03-03T12:00:00Z");
    assert_eq!(world.mails(), ["03-02 08:14 confirmation"]);
    world
}

/// The mails after the confirmation.
fn since(world: &World) -> Vec<String> {
    world.mails().split_off(1)
}

/// The dates that the last mail states, with `-` for none.
fn stated(world: &World) -> Vec<String> {
    world.stated().into_iter().map(|date| date.unwrap_or_else(|| "-".into())).collect()
}

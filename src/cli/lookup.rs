//! The order that a command names, or the words for that there is none.

use super::output::Stop;
use crate::domain::order::Order;
use crate::store::Store;

/// The order of that number.
pub(super) async fn the_order(store: &Store, number: &str) -> anyhow::Result<Order> {
    match store.order(number).await? {
        Some(order) => Ok(order),
        None => Err(Stop::not_found(no_order(store, number).await?)),
    }
}

/// Says that there is none. Shops print a # before numbers, and some systems count it in.
pub(super) async fn no_order(store: &Store, number: &str) -> anyhow::Result<String> {
    let other = number.strip_prefix('#').map_or_else(|| format!("#{number}"), str::to_owned);
    let near = store.order(&other).await?;
    let near = near.map_or_else(String::new, |near| format!("; did you mean {}?", for_a_shell(&near.number)));
    Ok(format!("there is no order {number:?}{near}"))
}

/// As it is written on a command line, where # begins a comment.
fn for_a_shell(number: &str) -> String {
    if number.starts_with('#') { format!("'{number}'") } else { number.to_owned() }
}

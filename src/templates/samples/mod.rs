//! Orders to try a set of templates on: every kind, and what bites (no date, many lines, odd names, parts, misses).
//!
//! The checker renders them all, and the tests too. They are made of the domain's own types and use no clock.

mod line;
mod stories;
mod story;
mod variations;

use story::Story;
pub use story::{Sample, policy};

use super::context::Shop;
use crate::domain::notice::NoticeKind;

/// A shop with pages of its own, and one that has none.
pub fn shops() -> [Shop; 2] {
    let page = |path: &str| Some(format!("https://tableware.example/{path}?order={{order}}"));
    let with_pages = Shop {
        name: "Fine Tableware".to_owned(),
        support_email: "help@tableware.example".to_owned(),
        status_url: page("status"),
        cancel_url: page("cancel"),
        locale: "en".to_owned(),
    };
    let without = Shop { status_url: None, cancel_url: None, ..with_pages.clone() };
    [with_pages, without]
}

/// The samples that every mail is looked at with, each kind at least once.
pub fn samples() -> Vec<Sample> {
    stories::stories().into_iter().filter_map(Story::sample).collect()
}

/// Every sample, and per kind every variation.
pub fn cases() -> Vec<Sample> {
    let mut all = [stories::stories(), stories::more_stories()].concat();
    let varied: Vec<Story> = NoticeKind::ALL.iter().flat_map(|kind| variations::of(*kind, &all)).collect();
    all.extend(varied);
    all.extend(stories::preorders());
    all.into_iter().filter_map(Story::sample).collect()
}

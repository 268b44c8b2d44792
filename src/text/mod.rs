//! What a value may look like, and what may be shown of it: one rule each, for whoever reads or prints such a value.
//!
//! Pure: texts and values go in and come out; nothing is read, looked up or printed here.

pub mod date;
pub mod duration;
mod format;
mod nearest;
mod printable;
mod tag;
pub mod url;
pub mod zone;

pub use format::{capital, count, either, grouped, list};
pub use nearest::{closest, nearest};
pub use printable::{breaks, excerpt, hides, is_dangerous, plain, plain_lines, turns};
pub use tag::is_language_tag;

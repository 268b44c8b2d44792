//! The mails: what they may say (`context`), how it is said (`set`; `voice` and `language` for one language), and what
//! they are tried on (`samples`).
//!
//! The only home of tera. Nothing in here reads a clock or decides whether a mail is due; the text of a mail is a
//! function of the order, the notice, the shop and the templates.

pub mod context;
mod error;
mod files;
mod filters;
mod gather;
mod language;
mod links;
mod names;
pub mod samples;
mod set;
mod voice;

pub use context::{MailContext, Shop, context};
pub use error::TemplateError;
pub use files::{COMPILED_IN, MAX_FILE, has_html};
pub use language::{Direction, Language};
pub use set::{MAX_SUBJECT, Rendered, TemplateSet};
pub use voice::MAX_RENDERED;

//! The mails: what they may say (`context`), how it is said (`set`; `voice` and `language` for one language), what they
//! are tried on (`samples`) and what they are held to (`rules`, `lint`).
//!
//! The only home of tera. Nothing in here reads a clock or decides whether a mail is due; the text of a mail is a
//! function of the order, the notice, the shop and the templates.

pub mod context;
mod current;
mod error;
mod files;
mod filters;
mod gather;
mod language;
mod links;
mod lint;
mod names;
mod place;
mod reference;
mod rules;
pub mod samples;
mod set;
mod voice;

pub use context::{MailContext, Shop, context};
pub use current::Current;
pub use error::TemplateError;
pub use files::{COMPILED_IN, Files, MAX_FILE, has_html};
pub use filters::escape;
pub use language::{Direction, Language, speaks};
pub use lint::{PATIENCE, Report, Source, check_folder, check_within, load_within};
pub use reference::{Variable, guide, variables};
pub use rules::{Code, Finding, RULES, Rule, Severity};
pub use set::{MAX_SUBJECT, Rendered, TemplateSet};
pub use voice::MAX_RENDERED;

//! The mails: what they may say (`context`), how it is said (`set`; `language` and `language_templates` for one
//! language), what they are tried on (`samples`) and what they are held to (`lint`).
//!
//! The only home of tera. Nothing in here reads a clock or decides whether a mail is due; the text of a mail is a
//! function of the order, the notice, the shop and the templates.

mod context;
mod context_builder;
mod current_templates;
mod error;
mod files;
mod filters;
mod guide;
mod language;
mod language_templates;
mod links;
mod lint;
mod path;
pub mod samples;
mod set;
mod variables;

pub use context::{MailContext, Shop};
pub use context_builder::context;
pub use current_templates::CurrentTemplates;
pub use error::TemplateError;
pub use files::{COMPILED_IN, Files, MAX_FILE, has_html};
pub use filters::escape;
pub use guide::guide;
pub use language::{Language, speaks};
pub use lint::{
    CHECK_TIMEOUT, Code, Finding, RULES, Report, Rule, Severity, Source, check_within, load_within,
};
pub use set::{Rendered, TemplateSet};
pub use variables::{Variable, variables};

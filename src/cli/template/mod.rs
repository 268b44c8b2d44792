//! `shipby template`: look at the mails, prove them, and try an edit before a customer sees it. Changes nothing.

mod check;
mod diff;
mod list;
mod mail;
mod page;
mod preview;
mod send_test;
mod vars;

use clap::Subcommand;

pub(super) use check::{findings, summary};

use super::{Answer, Call};
use crate::config::Config;
use crate::domain::notice::NoticeKind;
use crate::store::{Store, StoreError};
use crate::templates::{Source, TemplateError, TemplateSet};
use crate::wiring;

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Render every kind in every language with every sample, and read what no sample reaches.
    Check(check::Args),
    /// The kinds of mail, and the samples they are tried on.
    List(list::Args),
    /// What a template may use: name, type, when it is null, an example.
    Vars(vars::Args),
    /// A mail as the folder makes it, on a sample or a real order.
    Preview(preview::Args),
    /// A mail by the set in use and by the edited folder, line by line.
    Diff(diff::Args),
    /// Send one mail to yourself, marked as a test, with links that lead nowhere.
    SendTest(send_test::Args),
}

pub(super) async fn run(call: &Call, verb: &Verb) -> Answer {
    match verb {
        Verb::Check(args) => check::run(call, args),
        Verb::List(args) => list::run(call.json, args),
        Verb::Vars(args) => vars::run(call.json, args),
        Verb::Preview(args) => preview::run(call, args).await,
        Verb::Diff(args) => diff::run(call, args).await,
        Verb::SendTest(args) => send_test::run(call, args).await,
    }
}

/// A kind of notice by its name.
fn kind(word: &str) -> Result<NoticeKind, String> {
    NoticeKind::from_word(word).ok_or_else(|| {
        let known: Vec<&str> = NoticeKind::ALL.iter().map(|kind| kind.as_str()).collect();
        format!("no such kind; there are {}", known.join(", "))
    })
}

/// The set as it stands in the folder, checked or not: what is being edited may be looked at.
fn draft(config: &Config) -> Result<TemplateSet, TemplateError> {
    match wiring::template_source(config) {
        Source::CompiledIn => TemplateSet::compiled_in(),
        Source::Folder(dir) => TemplateSet::draft(&dir),
        Source::Kept(files) => TemplateSet::parse(files),
    }
}

/// The hash of the set that mails are written with now; None where no daemon has used the folder yet and it is broken.
pub(super) async fn hash_in_use(config: &Config, store: &Store) -> Result<Option<String>, StoreError> {
    let hash = |set: TemplateSet| set.hash().to_owned();
    Ok(match (wiring::template_source(config), store.last_template_set().await?) {
        (Source::Folder(_), Some(kept)) => Some(kept.hash),
        _ => draft(config).map(hash).ok(),
    })
}

/// The set that mails are written with now, and where it is from: the last good one, else the built-in one.
async fn in_use(call: &Call, config: &Config) -> anyhow::Result<(TemplateSet, String)> {
    let kept = match call.store(config).await {
        Ok(store) => {
            let kept = store.last_template_set().await?;
            store.close().await;
            kept
        }
        Err(StoreError::Missing { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    Ok(match kept {
        Some(kept) => (TemplateSet::parse(kept.files)?, "the set in use".to_owned()),
        None => (TemplateSet::compiled_in()?, "the built-in set".to_owned()),
    })
}

//! `shipby template`: look at the mails, prove them, and try an edit before a customer sees it. Changes nothing.

mod check;

use clap::Subcommand;

pub(super) use check::{findings, summary};

use super::{Answer, Call};

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Render every kind in every language with every sample, and read what no sample reaches.
    Check(check::Args),
}

pub(super) async fn run(call: &Call, verb: &Verb) -> Answer {
    match verb {
        Verb::Check(args) => check::run(call, args),
    }
}

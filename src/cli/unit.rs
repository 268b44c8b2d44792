//! `shipby unit`: the hardened systemd unit for this binary, configuration and database.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use serde_json::json;

use super::{Answer, Call, Exit, output};

#[derive(Debug, Args)]
pub(super) struct Unit {
    /// Where the binary will lie; without it where this one lies.
    #[arg(long, value_name = "PATH")]
    binary: Option<PathBuf>,
}

pub(super) fn run(call: &Call, asked: &Unit) -> Answer {
    let config = call.config()?;
    let binary = match &asked.binary {
        Some(binary) => binary.clone(),
        None => std::env::current_exe().context("this binary cannot be located; name it with --binary")?,
    };
    let absolute = |path: &PathBuf| {
        std::path::absolute(path).with_context(|| format!("{} has no absolute path", path.display()))
    };
    let (binary, file) = (absolute(&binary)?, absolute(&call.config)?);
    let database = absolute(&config.database.path)?;
    let maildir = config.bounces.maildir.as_ref().map(absolute).transpose()?;
    let unit = crate::unit::unit(&binary, &file, &database, maildir.as_deref());
    if call.json {
        let body = json!({"binary": binary, "config": file, "database": database, "unit": unit});
        output::json("shipby.unit/1", &body)?;
    } else {
        output::text(&unit)?;
    }
    Ok(Exit::Done)
}

//! `shipby template vars`: what a template may use, from the code's own types.

use serde_json::json;

use super::super::output;
use super::super::table::Table;
use super::super::{Answer, Exit};
use super::kind;
use crate::domain::notice::NoticeKind;
use crate::templates::{guide, variables};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// A kind of notice: what has a value in it, with its examples. Without it everything.
    #[arg(value_parser = kind)]
    kind: Option<NoticeKind>,
    /// Print templates/README.md: the guide for writers, this list and the rules.
    #[arg(long, conflicts_with = "kind")]
    markdown: bool,
}

pub(super) fn run(json: bool, args: &Args) -> Answer {
    if args.markdown {
        output::text(&guide())?;
        return Ok(Exit::Done);
    }
    let mut all = variables(args.kind);
    let before = all.len();
    if args.kind.is_some() {
        let given = |name: &str| format!("{name}.");
        let groups: Vec<String> =
            all.iter().filter(|v| v.example.is_some()).map(|variable| variable.name.clone()).collect();
        all.retain(|v| v.example.is_some() || groups.iter().any(|name| name.starts_with(&given(&v.name))));
    }
    if json {
        let body = json!({ "kind": args.kind, "variables": all });
        output::json("shipby.template.vars/1", &body)?;
        return Ok(Exit::Done);
    }
    let mut table = Table::headed(["name", "type", "null", "example", "meaning"]);
    let left_out = before - all.len();
    for variable in all {
        let absent = variable.absent.unwrap_or_else(|| "never".to_owned());
        table.row([
            variable.name,
            variable.kind,
            absent,
            variable.example.unwrap_or_default(),
            variable.meaning,
        ]);
    }
    let mut text = table.text();
    if left_out > 0 {
        text.push_str(&format!("{left_out} more are null or empty in every sample of this kind\n"));
    }
    output::text(&text)?;
    Ok(Exit::Done)
}

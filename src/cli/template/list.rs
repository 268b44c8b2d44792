//! `shipby template list`: the kinds of mail, and the samples they are tried on.

use serde_json::json;

use super::super::output;
use super::super::table::Table;
use super::super::{Answer, Exit};
use super::kind;
use crate::domain::notice::NoticeKind;
use crate::templates::{has_html, samples};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// A kind of notice: the names of its samples, for preview --sample. Without it all kinds.
    #[arg(value_parser = kind)]
    kind: Option<NoticeKind>,
}

pub(super) fn run(json: bool, args: &Args) -> Answer {
    let cases = samples::cases();
    let names = |kind: NoticeKind| -> Vec<&str> {
        let of_kind = cases.iter().filter(|case| case.notice.kind == kind);
        of_kind.map(|case| case.name.as_str()).collect()
    };
    let kinds: Vec<NoticeKind> = args.kind.map_or_else(|| NoticeKind::ALL.to_vec(), |kind| vec![kind]);
    if json {
        let row =
            |kind: &NoticeKind| json!({ "kind": kind, "html": has_html(*kind), "samples": names(*kind) });
        output::json(
            "shipby.template.list/1",
            &json!({ "kinds": kinds.iter().map(row).collect::<Vec<_>>() }),
        )?;
    } else if let Some(kind) = args.kind {
        output::text(&names(kind).iter().map(|name| format!("{name}\n")).collect::<String>())?;
    } else {
        let mut table = Table::headed(["kind", "samples", "parts"]).right(1);
        for kind in kinds {
            let parts = if has_html(kind) { "text and html" } else { "text" };
            table.row([kind.to_string(), names(kind).len().to_string(), parts.to_owned()]);
        }
        output::text(&table.text())?;
    }
    Ok(Exit::Done)
}

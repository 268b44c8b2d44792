//! `shipby template check`: everything that is wrong with a set, each with its place.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::super::{Answer, Call, Exit, output};
use crate::domain::notice::NoticeKind;
use crate::templates::{CHECK_TIMEOUT, Report, Source, check_within};
use crate::text::{count, list, plain};
use crate::wiring;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The folder; without it the configuration's, or the built-in set where there is no such folder.
    dir: Option<PathBuf>,
    /// Exit 3 where there are warnings.
    #[arg(long)]
    strict: bool,
}

pub(super) fn run(call: &Call, args: &Args) -> Answer {
    let (source, shop) = match &args.dir {
        Some(dir) => (Source::Folder(dir.clone()), None),
        None => {
            let config = call.config()?;
            (wiring::template_source(&config), Some(wiring::shop(&config)))
        }
    };
    let report = check_within(CHECK_TIMEOUT, source.clone(), shop);
    let (errors, warnings) = (report.errors().count(), report.warnings().count());
    let exit = match (errors, warnings) {
        (1.., _) => Exit::Config,
        (0, 1..) if args.strict => Exit::Rejects,
        _ => Exit::Done,
    };
    if call.json {
        let body = json!({
            "templates": source.to_string(), "kinds": NoticeKind::ALL.len(), "languages": report.languages,
            "samples": report.samples, "mails": report.mails, "findings": report.findings,
            "errors": errors, "warnings": warnings, "exit": exit as u8,
        });
        output::json("shipby.template.check/1", &body)?;
        return Ok(exit);
    }
    let mut text: String = findings(&report, &source).map(|line| format!("{line}\n")).collect();
    text.push_str(&format!("{}, from {}", summary(&report), plain(&source.to_string())));
    let counts = [(errors, "error", "errors"), (warnings, "warning", "warnings")];
    let found: Vec<String> =
        counts.iter().filter(|(n, ..)| *n > 0).map(|(n, one, many)| count(n, one, many)).collect();
    text.push_str(&if found.is_empty() {
        ": all well\n".to_owned()
    } else {
        format!(": {}\n", list(&found))
    });
    output::text(&text)?;
    Ok(exit)
}

/// Each finding as `file:line:column CODE message`, with the folder, so that an editor finds the place.
pub(in crate::cli) fn findings(report: &Report, source: &Source) -> impl Iterator<Item = String> {
    let folder = match source {
        Source::Folder(dir) => Some(dir.as_path()),
        Source::CompiledIn | Source::Kept(_) => None,
    };
    report.findings.iter().map(move |finding| {
        let place = folder.unwrap_or(Path::new("")).join(finding.to_string());
        plain(&place.display().to_string())
    })
}

/// What was tried.
pub(in crate::cli) fn summary(report: &Report) -> String {
    let languages = count(report.languages.len(), "language", "languages");
    format!("{} kinds in {languages}, {} samples rendered", NoticeKind::ALL.len(), report.samples)
}

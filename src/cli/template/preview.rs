//! `shipby template preview`: a mail as the edited folder makes it, on a sample or a real order.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::json;

use super::super::output::{self, Stop};
use super::super::{Answer, Call, Exit};
use super::mail::{Shown, Which};
use super::{draft, page};
use crate::config::Config;
use crate::domain::notice::NoticeKind;
use crate::templates::{CHECK_TIMEOUT, Finding, load_within};
use crate::text::plain_lines;
use crate::wiring;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    which: Which,
    /// Write one page with text and html at the widths of a phone and a desktop, and open it.
    #[arg(long, group = "form")]
    open: bool,
    /// The text part alone.
    #[arg(long, group = "form")]
    text: bool,
    /// The HTML part alone.
    #[arg(long, group = "form")]
    html: bool,
    /// The bytes of the mail.
    #[arg(long, group = "form")]
    raw: bool,
}

pub(super) async fn run(call: &Call, args: &Args) -> Answer {
    let config = call.config()?;
    let set = draft(&config)?;
    let subject = args.which.find(call, &config, &set).await?;
    let mail = subject.render(&set, &config)?;
    if args.raw {
        output::bytes(&subject.compose(&mail, &config, None, None)?)?;
    } else if args.text {
        output::text(&mail.text)?;
    } else if args.html {
        let none = || Stop::not_found(format!("{} is plain text only", args.which.kind));
        output::text(mail.html.as_deref().ok_or_else(none)?)?;
    } else if args.open {
        let (kind, about) = (args.which.kind.as_str(), subject.about.as_str());
        let page = page::page(kind, about, &mail, &findings(&config, args.which.kind));
        let path = write(kind, &page)?;
        open(&path);
        if call.json {
            output::json("shipby.template.preview/1", &json!({ "page": path }))?;
        } else {
            output::text(&format!("{}\n", path.display()))?;
        }
    } else if call.json {
        let findings = findings(&config, args.which.kind);
        let body = json!({
            "kind": args.which.kind, "about": subject.about, "mail": Shown::from(&mail), "findings": findings,
        });
        output::json("shipby.template.preview/1", &body)?;
    } else {
        let found: String =
            findings(&config, args.which.kind).iter().map(|finding| format!("{finding}\n")).collect();
        let shown = plain_lines(mail.text.trim_end());
        let end = if found.is_empty() { String::new() } else { format!("\n{found}") };
        output::text(&format!("{}\nSubject: {}\n\n{shown}\n{end}", subject.about, mail.subject))?;
    }
    Ok(Exit::Done)
}

/// What the checker has against the files of this kind and those that all kinds share, in any language.
fn findings(config: &Config, kind: NoticeKind) -> Vec<Finding> {
    let report = load_within(CHECK_TIMEOUT, wiring::template_source(config), Some(wiring::shop(config)));
    let about = |finding: &Finding| {
        let mut folders = finding.file.split('/').filter_map(NoticeKind::from_word);
        folders.next().is_none_or(|other| other == kind)
    };
    report.findings.into_iter().filter(about).collect()
}

/// A file that stays, with a name nobody can guess.
fn write(kind: &str, page: &str) -> anyhow::Result<PathBuf> {
    let mut file = tempfile::Builder::new().prefix(&format!("shipby-{kind}-")).suffix(".html").tempfile()?;
    file.write_all(page.as_bytes())?;
    Ok(file.keep()?.1)
}

/// Shows the page; where there is no browser its path is answer enough.
fn open(path: &Path) {
    let browser = std::env::var_os("BROWSER").unwrap_or_else(|| "xdg-open".into());
    let quiet = Command::new(&browser)
        .arg(path)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    if let Err(error) = quiet {
        output::message(&format!(
            "shipby: {} does not start ({error}); open the page yourself",
            browser.display()
        ));
    }
}

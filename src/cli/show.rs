//! `shipby show`: a mail exactly as it was sent, its parts, and every try to send it.

use std::io::IsTerminal;

use clap::Args;
use mail_parser::{Message, MessageParser, PartType};
use serde_json::json;

use super::format::{Local, mode_line, state};
use super::output::{self, Stop};
use super::parsers::AsOf;
use super::table::Table;
use super::timeline::tried_row;
use super::{Answer, Call, Exit, template};
use crate::domain::bounce::Fate;
use crate::store::{Kept, KeptReport};
use crate::text::{plain, plain_lines};

#[derive(Debug, Args)]
pub(super) struct Show {
    /// The id of a notice, the beginning of it, or the Message-ID of its mail.
    notice: String,
    /// The text part alone.
    #[arg(long, group = "part")]
    text: bool,
    /// The HTML part alone.
    #[arg(long, group = "part")]
    html: bool,
    /// The bytes as they were sent, and nothing else.
    #[arg(long, group = "part")]
    raw: bool,
    #[command(flatten)]
    as_of: AsOf,
}

/// The headers people ask for.
const HEADERS: [&str; 6] = ["From", "Reply-To", "To", "Subject", "Date", "Message-ID"];

pub(super) async fn run(call: &Call, show: &Show) -> Answer {
    let config = call.config()?;
    let id = id(&show.notice)?;
    let store = call.store(&config).await?;
    let mut found = store.kept(&id).await?;
    let in_use = template::hash_in_use(&config, &store).await?;
    store.close().await;
    let kept = match (found.pop(), found.pop()) {
        (None, _) => {
            return Err(Stop::not_found(format!("there is no notice {id:?}; `shipby history` lists them")));
        }
        (Some(one), None) => one,
        (Some(b), Some(a)) => {
            let names = [a, b].map(|kept| kept.entry.notice.unwrap_or_default());
            let said = format!("{id} begins {} and {}, if not more; write more of it", names[0], names[1]);
            return Err(Stop::usage(said));
        }
    };
    let local = Local { zone: config.policy().zone, now: show.as_of.now() };
    let parsed = kept.bytes.as_deref().and_then(|bytes| MessageParser::default().parse(bytes));
    if call.json {
        let mode = config.delivery.mode.as_str();
        output::json("shipby.show/1", &document(&kept, parsed.as_ref(), mode, in_use.as_deref()))?;
    } else if show.raw {
        output::bytes(kept.bytes.as_deref().ok_or_else(|| unwritten(&kept))?)?;
    } else if show.text || show.html {
        let mail = parsed.as_ref().ok_or_else(|| unwritten(&kept))?;
        let part = if show.text { text_part(mail) } else { html_part(mail) };
        let Some(part) = part else {
            let name = if show.text { "text" } else { "HTML" };
            return Err(Stop::not_found(format!("this {} has no {name} part", kept.entry.kind)));
        };
        // Into a file or a pipe it goes as it is; a terminal would act on what it holds.
        let shown = if std::io::stdout().is_terminal() { plain_lines(&part) } else { part };
        output::text(&shown)?;
    } else {
        output::text(&(mode_line(&config) + &for_people(&kept, parsed.as_ref(), local, in_use.as_deref())))?;
    }
    Ok(Exit::Done)
}

/// What was typed as the beginning of an id; `<ID@example.com>` names the notice as well.
fn id(typed: &str) -> anyhow::Result<String> {
    let bare = typed.trim().trim_matches(['<', '>']);
    let id = bare.split('@').next().unwrap_or(bare).to_ascii_lowercase();
    if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(Stop::usage(format!(
            "{typed:?} is no notice; ids are hex digits, `shipby history` lists them"
        )));
    }
    Ok(id)
}

/// Why there are no bytes to show.
fn why_unwritten(kept: &Kept) -> &'static str {
    if kept.entry.subject.is_some() {
        "its text is older than database.keep_bodies and was removed; subject and answers are kept"
    } else {
        "it was never written, so there is no text"
    }
}

fn unwritten(kept: &Kept) -> anyhow::Error {
    Stop::not_found(why_unwritten(kept))
}

fn text_part(mail: &Message<'_>) -> Option<String> {
    mail.text_bodies().find_map(|part| match &part.body {
        PartType::Text(text) => Some(text.replace("\r\n", "\n")),
        _ => None,
    })
}

fn html_part(mail: &Message<'_>) -> Option<String> {
    mail.html_bodies().find_map(|part| match &part.body {
        PartType::Html(html) => Some(html.replace("\r\n", "\n")),
        _ => None,
    })
}

/// A header decoded, in one line.
fn header(mail: &Message<'_>, name: &str) -> Option<String> {
    let addresses = |list: Option<&mail_parser::Address<'_>>| {
        let one = |address: &mail_parser::Addr<'_>| {
            let bare = address.address().unwrap_or_default().to_owned();
            address.name().map_or_else(|| bare.clone(), |name| format!("{name} <{bare}>"))
        };
        list.map(|list| list.iter().map(one).collect::<Vec<_>>().join(", "))
    };
    let value = match name {
        "From" => addresses(mail.from()),
        "Reply-To" => addresses(mail.reply_to()),
        "To" => addresses(mail.to()),
        "Subject" => mail.subject().map(str::to_owned),
        // As it stands: a date rewritten would not be the one that was sent.
        "Date" => mail.header_raw("Date").map(|raw| raw.trim().to_owned()),
        _ => mail.message_id().map(|id| format!("<{id}>")),
    };
    value.map(|value| plain(&value))
}

/// Whether the templates are others now than those it was written with.
fn changed_since(kept: &Kept, in_use: Option<&str>) -> bool {
    kept.template_hash.as_deref().zip(in_use).is_some_and(|(then, now)| then != now)
}

fn for_people(kept: &Kept, parsed: Option<&Message<'_>>, local: Local, in_use: Option<&str>) -> String {
    let entry = &kept.entry;
    let mut text = String::new();
    let mut head = Table::new();
    for name in HEADERS {
        if let Some(value) = parsed.and_then(|mail| header(mail, name)) {
            head.row([format!("{name}:"), value]);
        }
    }
    text.push_str(&head.text());
    match parsed {
        Some(mail) => {
            let body = text_part(mail).unwrap_or_default();
            text.push_str(&format!("\n{}\n\n", plain_lines(&body).trim_end()));
        }
        None => {
            let subject = entry.subject.as_deref().map(|subject| format!("Subject: {}\n", plain(subject)));
            text.push_str(&format!("{}{}\n\n", subject.unwrap_or_default(), why_unwritten(kept)));
        }
    }
    let id = entry.notice.as_deref().unwrap_or_default();
    text.push_str(&format!(
        "{} for order {}, {} ({id})\n",
        entry.occasion,
        entry.order_number,
        state(&entry.state, entry.mode.as_deref())
    ));
    if let Some(reason) = &entry.reason {
        text.push_str(&format!("{}\n", super::format::reason(reason, entry.by_occasion.as_deref())));
    }
    if changed_since(kept, in_use) {
        text.push_str("the templates have changed since it was written\n");
    }
    let mut tries = Table::new();
    for tried in &kept.attempts {
        tries.row(tried_row(tried, entry.mode.as_deref(), local));
    }
    for report in &kept.reports {
        tries.row(reported(report, local));
    }
    text.push_str(&tries.text());
    if let Some(next) = entry.next_try() {
        text.push_str(&format!("next try {}\n", local.time(next)));
    }
    text
}

fn reported(report: &KeptReport, local: Local) -> [String; 6] {
    let what = match Fate::from_word(&report.fate) {
        Some(Fate::Failed) => "came back",
        Some(Fate::Delayed) => "delayed",
        Some(Fate::Complaint) => "complaint",
        None => report.fate.as_str(),
    };
    let (at, words) = (local.exact(report.instant()), report.words.clone());
    let (phase, took) = ("after".to_owned(), "-".to_owned());
    [format!("attempt {}", report.attempt), at, phase, what.to_owned(), took, words]
}

fn document(
    kept: &Kept,
    parsed: Option<&Message<'_>>,
    mode: &str,
    in_use: Option<&str>,
) -> serde_json::Value {
    let entry = &kept.entry;
    let headers: serde_json::Map<String, serde_json::Value> = HEADERS
        .iter()
        .filter_map(|name| Some((*name, parsed.and_then(|mail| header(mail, name))?)))
        .map(|(name, value)| (name.to_ascii_lowercase().replace('-', "_"), value.into()))
        .collect();
    json!({
        "mode": mode,
        "notice": entry.notice,
        "order": entry.order_number,
        "kind": entry.kind,
        "occasion": entry.occasion,
        "state": entry.state,
        "sent_in_mode": entry.mode,
        "subject": entry.subject,
        "reason": entry.reason,
        "by": entry.by_occasion,
        "next_try_at": entry.next_try(),
        "headers": headers,
        "text": parsed.and_then(text_part),
        "html": parsed.and_then(html_part),
        "raw": kept.bytes.as_deref().map(String::from_utf8_lossy),
        "template_hash": kept.template_hash,
        "templates_changed_since": changed_since(kept, in_use),
        "attempts": kept.attempts,
        "reports": kept.reports,
    })
}

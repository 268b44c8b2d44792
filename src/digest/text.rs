//! How the digest is said: counts first, then the worst of each concern, what to do about it, and when the next comes.
//!
//! Compiled in and in English: ops read it, no customer does. No address stands in it.

use chrono::{Datelike, NaiveDate, NaiveTime};
use chrono_tz::Tz;

use super::{Digest, LISTED};
use crate::config::Mode;
use crate::domain::calendar::day_of;
use crate::domain::notice::NoticeState;
use crate::domain::pause::Setter;
use crate::domain::risk::{DigestIssue, Finding, Stuck};
use crate::domain::supply::Cover;
use crate::domain::suppression::Cause;
use crate::text::{capital, count, grouped, plain};

/// What stands above and below.
#[derive(Debug, Clone, Copy)]
pub struct Masthead<'a> {
    pub shop: &'a str,
    pub mode: &'a Mode,
    pub zone: Tz,
    /// When the next one comes; None: none is mailed.
    pub digest_at: Option<NaiveTime>,
}

/// Subject and text of a digest.
pub fn write(digest: &Digest, head: Masthead<'_>) -> (String, String) {
    let subject = format!("{}: {}", head.shop, subject(digest));
    let local = digest.at.with_timezone(&head.zone);
    let mut text = head.mode.sentence().map_or_else(String::new, |mode| format!("mode {mode}\n"));
    text.push_str(&format!("{}, {}\n\n", head.shop, local.format("%A %-d %B %Y, %H:%M")));
    let quiet = digest.counts.is_empty() && digest.batches.is_empty() && digest.pauses.is_empty();
    if quiet && digest.template_fault.is_none() {
        text.push_str("Nothing needs you today: no date that a customer was told is near or missed, and no mail came to nothing.\n");
    }
    let mut counts: Vec<(String, &str)> = Vec::new();
    if !digest.batches.is_empty() {
        counts.push((grouped(digest.batches.len()), "on hold: changes that would mail too many at one time"));
    }
    if !digest.pauses.is_empty() {
        counts.push((grouped(digest.pauses.len()), "paused: mail that waits until somebody resumes it"));
    }
    counts.extend(digest.counts.iter().map(|(concern, number)| (grouped(number), about(*concern).counted)));
    let wide = counts.iter().map(|(number, _)| number.len()).max().unwrap_or(0);
    for (number, counted) in &counts {
        text.push_str(&format!("{number:>wide$}  {counted}\n"));
    }
    if let Some(fault) = &digest.template_fault {
        text.push_str(&format!(
            "\nTHE TEMPLATES ARE BROKEN\n{}\nUntil that is mended, mails are written with the last set that passed. \
             `shipby template check` shows all of it.\n",
            plain(fault)
        ));
    }
    text.push_str(&held(digest));
    text.push_str(&paused(digest, head.zone));
    for concern in digest.counts.keys() {
        text.push_str(&section(digest, *concern));
    }
    text.push_str("\n-- \n");
    text.push_str(&match head.digest_at {
        Some(at) => format!(
            "Next digest {} at {} ({}). If it does not come, shipby is not running.\n",
            if local.time() < at { "today" } else { "tomorrow" },
            at.format("%H:%M"),
            head.zone
        ),
        None => "No digest is mailed: [alerts] to is not set, or digest = false.\n".to_owned(),
    });
    (subject, text)
}

fn subject(digest: &Digest) -> String {
    let held = Some(digest.batches.len()).filter(|held| *held > 0);
    let held = held.map(|held| format!("{} held", count(held, "change", "changes")));
    let paused = Some(digest.pauses.len()).filter(|paused| *paused > 0);
    let paused = paused.map(|paused| format!("{} of mail", count(paused, "pause", "pauses")));
    let counted = digest
        .counts
        .iter()
        .map(|(concern, number)| format!("{} {}", grouped(number), about(*concern).short));
    let broken = digest.template_fault.as_ref().map(|_| "the templates are broken".to_owned());
    let parts: Vec<String> = broken.into_iter().chain(held).chain(paused).chain(counted).collect();
    let day = digest.day.format("%-d %B");
    if parts.is_empty() {
        format!("nothing needs you on {day}")
    } else {
        format!("{} on {day}", parts.join(", "))
    }
}

fn held(digest: &Digest) -> String {
    if digest.batches.is_empty() {
        return String::new();
    }
    let mut text = "\nCHANGES HELD\n".to_owned();
    for batch in digest.batches.iter().take(LISTED) {
        let mails = count(batch.notices, "mail", "mails");
        let (sku, cause) = (plain(&batch.sku), plain(&batch.cause));
        text.push_str(&format!("- batch {}: {mails} because of {cause} of {sku}\n", batch.id));
    }
    if digest.batches.len() > LISTED {
        text.push_str(&format!("- and {} more\n", grouped(digest.batches.len() - LISTED)));
    }
    text.push_str(
        "To do: look at them with shipby queue list, then shipby queue release BATCH, or drop BATCH\n",
    );
    text
}

fn paused(digest: &Digest, zone: Tz) -> String {
    if digest.pauses.is_empty() {
        return String::new();
    }
    let mut text = "\nMAIL PAUSED\n".to_owned();
    for pause in digest.pauses.iter().take(LISTED) {
        let since = day_of_year(day_of(pause.since, zone), digest.day);
        let by = if pause.by == Setter::Shipby { " by shipby itself" } else { "" };
        let (what, why) = (capital(&plain(&pause.scope.mail())), plain(&pause.reason));
        let resume = plain(&pause.scope.to_resume());
        text.push_str(&format!("- {what}, since {since}{by}: {why} (shipby resume {resume})\n"));
    }
    if digest.pauses.len() > LISTED {
        text.push_str(&format!("- and {} more\n", grouped(digest.pauses.len() - LISTED)));
    }
    text.push_str(
        "To do: mend what is the matter, then resume it; what waited goes out if it is still true\n",
    );
    text
}

fn section(digest: &Digest, concern: DigestIssue) -> String {
    let about = about(concern);
    let mut text = format!("\n{}\n", about.title);
    let found: Vec<&Finding> = digest.findings.iter().filter(|finding| finding.concern == concern).collect();
    for finding in found.iter().take(LISTED) {
        text.push_str(&format!("- {}: {}\n", plain(&finding.order), said(finding, digest.day)));
    }
    let all = digest.counts.get(&concern).copied().unwrap_or(0);
    if all > LISTED {
        text.push_str(&format!(
            "- and {} more: shipby digest --json lists them all\n",
            grouped(all - LISTED)
        ));
    }
    text.push_str(&format!("To do: {}\n", about.to_do));
    text
}

/// How a concern is called and what is to be done about it.
struct About {
    /// In the subject, after a number.
    short: &'static str,
    /// In the list of counts, after a number.
    counted: &'static str,
    title: &'static str,
    to_do: &'static str,
}

fn about(concern: DigestIssue) -> About {
    match concern {
        DigestIssue::Overdue => About {
            short: "overdue",
            counted: "overdue: a date the customer was told has passed, and it has not shipped",
            title: "OVERDUE",
            to_do: "ship what is here; for the rest ask the supplier and set the new date: shipby eta set SKU DATE --reason TEXT",
        },
        DigestIssue::Held => About {
            short: "held",
            counted: "held: mails that wait until a person releases them",
            title: "HELD",
            to_do: "see why with: shipby queue list state:held; then shipby queue release state:held, or drop",
        },
        DigestIssue::Unheard => About {
            short: "unheard",
            counted: "unheard: mails that must be known and were refused, came back or may not have arrived",
            title: "UNHEARD",
            to_do: "reach the customer another way, and send the order again with an address that works; \
                    shipby history ORDER shows the mail server's words",
        },
        DigestIssue::Silent => About {
            short: "silent",
            counted: "silent: three weekly updates in a row came to nothing",
            title: "SILENT",
            to_do: "ask the customer for another address and send the order again with it",
        },
        DigestIssue::NoAddress => About {
            short: "without an address",
            counted: "without an address: nobody tells these customers anything",
            title: "WITHOUT AN ADDRESS",
            to_do: "reach the customer another way, or send the order again with an address",
        },
        DigestIssue::Suppressed => About {
            short: "with a dead address",
            counted: "with an address that gets no mail any more, or no routine news after a complaint",
            title: "WITH A DEAD ADDRESS",
            to_do: "ask the customer for another: shipby order address ORDER ADDRESS; if the address is good after all: \
                    shipby suppress remove ADDRESS",
        },
        DigestIssue::Imported => About {
            short: "missed before we took over",
            counted: "missed before we took the order over: no mail of ours says that the date has passed",
            title: "MISSED BEFORE WE TOOK OVER",
            to_do: "write to the customer yourself, or set the new date, which is then told: shipby eta set SKU DATE",
        },
        DigestIssue::AtRisk => About {
            short: "at risk",
            counted: "at risk: a date the customer was told is near, and the goods are not here",
            title: "AT RISK",
            to_do: "ask the supplier today; a new date set now reaches the customer before the old one has passed: \
                    shipby eta set SKU DATE --reason TEXT",
        },
        DigestIssue::Authorization => About {
            short: "to re-authorize",
            counted: "to re-authorize: the card's authorization ends or has ended",
            title: "TO RE-AUTHORIZE",
            to_do: "re-authorize before you ship, and send the order again as authorized",
        },
    }
}

fn said(finding: &Finding, today: NaiveDate) -> String {
    let day = |day: NaiveDate| day_of_year(day, today);
    let last = day(finding.day);
    match finding.concern {
        DigestIssue::Overdue | DigestIssue::Imported | DigestIssue::AtRisk => {
            let (line, more) = lines(finding, today);
            format!("{line}, told {last}, {}{more}", distance(finding.day, today))
        }
        DigestIssue::Authorization => {
            let since = finding.authorized.map_or_else(String::new, |since| format!(" of {}", day(since)));
            let ends = if finding.day < today { "ended" } else { "ends" };
            let here = finding.lines.iter().any(|line| line.cover.is_received());
            let here = if here { "; goods are here" } else { "" };
            format!("the authorization{since} {ends} on {last}{here}")
        }
        DigestIssue::Suppressed => {
            let why = finding.cause.map_or("suppressed", Cause::meaning);
            format!("{why}, since {last}")
        }
        DigestIssue::NoAddress => format!("placed on {last}"),
        DigestIssue::Silent => format!("the customer has heard nothing since {last}"),
        DigestIssue::Held | DigestIssue::Unheard => {
            let kind = finding.notice.map_or("mail", |kind| kind.as_str());
            let what = match finding.state {
                Some(NoticeState::Held) => "has been held since",
                Some(NoticeState::InDoubt) => "may not have arrived on",
                Some(NoticeState::Bounced) => "came back to us, accepted on",
                _ => "was refused on",
            };
            format!("{kind} {what} {last}")
        }
    }
}

/// The line told first, and behind the date what it is served from and how many more there are.
fn lines(finding: &Finding, today: NaiveDate) -> (String, String) {
    let Some(first) = finding.lines.first() else { return (String::new(), String::new()) };
    let mut more = format!("; {}", goods(first, today));
    if finding.lines.len() > 1 {
        more.push_str(&format!(", and {}", count(finding.lines.len() - 1, "more line", "more lines")));
    }
    (format!("{} × {}", grouped(first.units), plain(&first.sku)), more)
}

fn goods(line: &Stuck, today: NaiveDate) -> String {
    let day = |day: NaiveDate| day_of_year(day, today);
    match &line.cover {
        Cover::Received { .. } => "the goods are here".to_owned(),
        Cover::Nothing => "no supply covers it".to_owned(),
        Cover::Supply { supply, eta, .. } => {
            let supply = if supply.is_empty() { "its supply".to_owned() } else { plain(supply) };
            match eta {
                None => format!("{supply} has no date"),
                Some(eta) if eta.to < today => format!("{supply} was expected by {}", day(eta.to)),
                Some(eta) => format!("{supply} is expected by {}", day(eta.to)),
            }
        }
    }
}

fn distance(day: NaiveDate, today: NaiveDate) -> String {
    match (today - day).num_days() {
        0 => "today".to_owned(),
        -1 => "tomorrow".to_owned(),
        late if late > 0 => format!("{} late", count(late, "day", "days")),
        ahead => format!("in {} days", grouped(-ahead)),
    }
}

/// `9 March`; with the year when it is not this one.
fn day_of_year(day: NaiveDate, today: NaiveDate) -> String {
    let year = if day.year() == today.year() { "" } else { " %Y" };
    day.format(&format!("%-d %B{year}")).to_string()
}

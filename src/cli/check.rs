//! `shipby check`: proves configuration, database, templates and the login at the mail server; changes nothing.

use clap::Args;
use serde::Serialize;
use serde_json::json;

use super::format::{Local, mode_line};
use super::{Answer, Call, Exit, output, pause, template};
use crate::clock::{self, Clock};
use crate::config::{Config, ConfigError, Mode};
use crate::domain::calendar::Instant;
use crate::mail::{Connection, Failure, Security, Session};
use crate::store::{Inspection, StoreError, inspect};
use crate::templates::{CHECK_TIMEOUT, check_within, speaks};
use crate::text::{count, plain};
use crate::wiring;

#[derive(Debug, Args)]
pub(super) struct Check {
    /// Also connect to the mail server, secure the connection and log in; nothing is sent.
    #[arg(long)]
    smtp: bool,
    /// Exit 3 where there are warnings.
    #[arg(long)]
    strict: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Ok,
    Warn,
    Fail,
}

/// What was found out about one part.
#[derive(Debug, Serialize)]
struct Finding {
    name: &'static str,
    state: State,
    words: String,
    /// Each fault or warning by itself.
    details: Vec<String>,
    #[serde(skip)]
    exit: Exit,
}

impl Finding {
    fn ok(name: &'static str, words: impl Into<String>) -> Self {
        Self { name, state: State::Ok, words: words.into(), details: Vec::new(), exit: Exit::Done }
    }

    fn warn(name: &'static str, words: impl Into<String>, details: Vec<String>) -> Self {
        Self { state: State::Warn, details, ..Self::ok(name, words) }
    }

    fn fail(name: &'static str, exit: Exit, words: impl Into<String>) -> Self {
        Self { state: State::Fail, exit, ..Self::ok(name, words) }
    }
}

pub(super) async fn run(call: &Call, check: &Check) -> Answer {
    let (findings, config) = match call.config() {
        Ok(config) => (findings(&config, check.smtp).await, Some(config)),
        Err(error) => (vec![refused(call, &error)], None),
    };
    let warned = |finding: &Finding| match finding.state {
        State::Warn => finding.details.len().max(1),
        _ => 0,
    };
    let warnings: usize = findings.iter().map(warned).sum();
    let failures = findings.iter().filter(|finding| finding.state == State::Fail).count();
    // The first failure decides: what comes after it may be its consequence.
    let exit = match findings.iter().find(|finding| finding.state == State::Fail) {
        Some(failed) => failed.exit,
        None if check.strict && warnings > 0 => Exit::Rejects,
        None => Exit::Done,
    };
    if call.json {
        let mode = config.as_ref().map(|config| config.delivery.mode.as_str());
        let body = json!({
            "mode": mode, "parts": findings, "warnings": warnings, "failures": failures, "exit": exit as u8,
        });
        output::json("shipby.check/1", &body)?;
        return Ok(exit);
    }
    let mut text: String = findings.iter().map(line).collect();
    if let Some(config) = &config {
        text.push_str(&mode(config));
    }
    let mut ends = Vec::new();
    for (number, one, many) in [(failures, "failure", "failures"), (warnings, "warning", "warnings")] {
        if number > 0 {
            ends.push(count(number, one, many));
        }
    }
    if !ends.is_empty() {
        text.push_str(&format!("{}.\n", ends.join(", ")));
    }
    output::text(&text)?;
    Ok(exit)
}

fn line(finding: &Finding) -> String {
    let state = match finding.state {
        State::Ok => "ok",
        State::Warn => "warn",
        State::Fail => "fail",
    };
    let mut text = format!("{:<10} {state:<5} {}\n", finding.name, plain(&finding.words));
    for detail in &finding.details {
        text.push_str(&format!("{:17}{}\n", "", plain(detail)));
    }
    text
}

fn mode(config: &Config) -> String {
    match config.delivery.mode {
        Mode::Live => "mode live: mails go to customers.\n".to_owned(),
        _ => format!("{}. Set delivery.mode = \"live\" when ready.\n", mode_line(config).trim_end()),
    }
}

fn refused(call: &Call, error: &ConfigError) -> Finding {
    let details = error.problems.iter().map(ToString::to_string).collect();
    Finding { details, ..Finding::fail("config", Exit::Config, call.config.display().to_string()) }
}

async fn findings(config: &Config, smtp: bool) -> Vec<Finding> {
    let inspected = inspect(&config.database.path).await;
    let passed = inspected.as_ref().ok().and_then(|found| found.templates_passed);
    let mut findings = vec![configuration(config), database(config, inspected), templates(config, passed)];
    findings.extend(clock(Clock::System.now(), clock::built()));
    if smtp {
        findings.push(mail_server(config).await);
    }
    findings
}

fn configuration(config: &Config) -> Finding {
    let file = config.path.display().to_string();
    if let Err(error) = wiring::addresses(config) {
        return Finding::fail("config", Exit::Config, format!("{file}: {error}"));
    }
    // The mode has a line of its own.
    let warnings = config.warnings().iter().filter(|warning| warning.key != "delivery.mode");
    let details: Vec<String> = warnings.map(ToString::to_string).collect();
    if details.is_empty() { Finding::ok("config", file) } else { Finding::warn("config", file, details) }
}

fn database(config: &Config, inspected: Result<Inspection, StoreError>) -> Finding {
    let local = Local { zone: config.policy().zone, now: Clock::System.now() };
    let path = &config.database.path;
    match inspected {
        Ok(found) => stands(&found, local),
        Err(StoreError::Missing { .. }) => {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            match folder {
                Some(folder) if !folder.is_dir() => {
                    let words = format!("{}: there is no folder {}", path.display(), folder.display());
                    Finding::fail("database", Exit::Database, words)
                }
                _ => Finding::ok(
                    "database",
                    format!("{}: not made yet; `shipby serve` makes it", path.display()),
                ),
            }
        }
        Err(error) => Finding::fail("database", Exit::Database, error.to_string()),
    }
}

fn stands(found: &Inspection, local: Local) -> Finding {
    if let Some(damage) = &found.damage {
        let words = format!("schema {}, damaged: {damage}; restore a backup", found.schema);
        return Finding::fail("database", Exit::Database, words);
    }
    let orders = count(usize::try_from(found.open_orders).unwrap_or(0), "open order", "open orders");
    let words = format!("schema {}, integrity ok, {orders}", found.schema);
    let mut details = Vec::new();
    if found.schema < found.known {
        details.push(format!("`shipby serve` brings the schema to {} when it starts", found.known));
    }
    if found.for_a_person > 0 {
        let notices = usize::try_from(found.for_a_person).unwrap_or(0);
        let notices = count(notices, "notice needs a person", "notices need a person");
        details.push(format!("{notices}: shipby queue list"));
    }
    let paused = found.pauses.iter().filter(|pause| pause.in_force(local.now));
    details.extend(paused.map(|pause| pause::sentence(pause, local)));
    if details.is_empty() {
        Finding::ok("database", words)
    } else {
        Finding::warn("database", words, details)
    }
}

/// A clock that cannot be right; one that may be is not spoken of.
fn clock(now: Instant, built: Instant) -> Option<Finding> {
    let says = |at: Instant| at.format("%Y-%m-%d %H:%M UTC");
    let words = format!(
        "the system's clock says {}, which is before this shipby was built ({}); nothing is sent until it is right: \
         set it, as with timedatectl set-ntp true",
        says(now),
        says(built)
    );
    (now < built).then(|| Finding::fail("clock", Exit::Failed, words))
}

/// `passed`: when the last set passed that a daemon would go on with.
fn templates(config: &Config, passed: Option<Instant>) -> Finding {
    // The samples are rendered for the shop of this configuration too.
    let source = wiring::template_source(config);
    let report = check_within(CHECK_TIMEOUT, source.clone(), Some(wiring::shop(config)));
    let mut details: Vec<String> = template::findings(&report, &source).collect();
    let locale = &config.shop.locale;
    if !report.languages.is_empty() && !speaks(&report.languages, locale) {
        details.push(format!(
            "[shop] locale = {locale:?}: there are no templates in it, only in {}; customers who gave no language \
             are written to in English",
            report.languages.join(", ")
        ));
    }
    let words = format!("{}, from {source}", template::summary(&report));
    if report.errors().next().is_some() {
        details.push(match passed {
            Some(at) => {
                let local = Local { zone: config.policy().zone, now: Clock::System.now() };
                format!(
                    "until it is mended mails are written with the set that passed on {}",
                    local.exact(at)
                )
            }
            None => "no set of this folder ever passed: `shipby serve` does not start with it".to_owned(),
        });
        Finding { details, ..Finding::fail("templates", Exit::Config, words) }
    } else if details.is_empty() {
        Finding::ok("templates", words)
    } else {
        Finding::warn("templates", words, details)
    }
}

async fn mail_server(config: &Config) -> Finding {
    let relay = match wiring::relay(config) {
        Ok(relay) => relay,
        Err(error) => return Finding::fail("smtp", Exit::Config, error.to_string()),
    };
    match Connection::open(&relay).await {
        Ok(connection) => {
            let words = let_in(connection.session(), &relay.to_string(), relay.security());
            connection.quit().await;
            Finding::ok("smtp", words)
        }
        Err(failure) => {
            let exit = match failure {
                Failure::Temporary { .. } => Exit::MailLater,
                Failure::Config { .. } => Exit::Config,
                Failure::Permanent { .. } => Exit::Failed,
            };
            Finding::fail("smtp", exit, format!("{relay}: {failure}"))
        }
    }
}

fn let_in(session: &Session, relay: &str, security: Security) -> String {
    let tls = match (security, session.tls) {
        (Security::None, _) | (_, None) => String::new(),
        (_, Some(version)) => format!(", {version}"),
    };
    let login = session
        .authenticated
        .map_or_else(|| ", no login asked for".to_owned(), |mechanism| format!(", AUTH {mechanism} ok"));
    format!("{relay}{tls}{login}; nothing sent")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_before_the_build_fails_and_says_what_to_do() {
        let at = |text: &str| text.parse::<Instant>().unwrap();
        let found = clock(at("1970-01-01T00:03:00Z"), at("2026-11-20T09:00:00Z")).unwrap();
        assert_eq!((found.state, found.exit), (State::Fail, Exit::Failed));
        let says = "the system's clock says 1970-01-01 00:03 UTC, which is before this shipby was built \
            (2026-11-20 09:00 UTC); nothing is sent until it is right: set it, as with timedatectl set-ntp true";
        assert_eq!(found.words, says);
        assert!(clock(at("2026-11-20T09:00:00Z"), at("2026-11-20T09:00:00Z")).is_none());
    }
}

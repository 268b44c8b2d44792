//! `shipby check`: proves configuration, database, templates and the login at the mail server; changes nothing.

use clap::Args;
use serde::Serialize;
use serde_json::json;

use super::words::{count, mode_line, plain};
use super::{Answer, Call, Exit, output};
use crate::config::{Config, ConfigError, Mode};
use crate::mail::{Connection, Failure, Security, Session};
use crate::parts::{self, PartsError};
use crate::store::{Inspection, StoreError, inspect};
use crate::templates::{TemplateError, context, samples};

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
    let mut findings = vec![configuration(config), database(config).await, templates(config)];
    if smtp {
        findings.push(mail_server(config).await);
    }
    findings
}

fn configuration(config: &Config) -> Finding {
    let file = config.path.display().to_string();
    if let Err(error @ PartsError::Address(_)) = parts::desk(config) {
        return Finding::fail("config", Exit::Config, format!("{file}: {error}"));
    }
    // The mode has a line of its own.
    let warnings = config.warnings().iter().filter(|warning| warning.key != "delivery.mode");
    let details: Vec<String> = warnings.map(ToString::to_string).collect();
    if details.is_empty() { Finding::ok("config", file) } else { Finding::warn("config", file, details) }
}

async fn database(config: &Config) -> Finding {
    let path = &config.database.path;
    match inspect(path).await {
        Ok(found) => stands(&found),
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

fn stands(found: &Inspection) -> Finding {
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
    if details.is_empty() {
        Finding::ok("database", words)
    } else {
        Finding::warn("database", words, details)
    }
}

fn templates(config: &Config) -> Finding {
    let folder = parts::template_folder(config);
    let broken = |error: TemplateError| {
        let place = folder.map_or_else(String::new, |folder| format!("{}/", folder.display()));
        Finding::fail("templates", Exit::Config, format!("{place}{error}"))
    };
    let set = match parts::templates(config) {
        Ok(set) => set,
        Err(error) => return broken(error),
    };
    // Loading has proved the set with sample shops; here it meets the shop it is for.
    let (shop, policy) = (parts::shop(config), config.policy());
    let samples = samples::samples();
    for (sample, language) in samples.iter().flat_map(|s| set.languages().map(move |language| (s, language)))
    {
        let language = set.language(sample.notice.kind, Some(&language.tag), &shop.locale);
        let (order, notice) = (&sample.order, &sample.notice);
        let mail = context(order, notice, &shop, &policy, sample.next_news, sample.now, language);
        if let Err(mut error) = set.render(&mail) {
            error.message = format!("{} (in the sample `{}`)", error.message, sample.name);
            return broken(error);
        }
    }
    let mut kinds: Vec<_> = samples.iter().map(|sample| sample.notice.kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let from = folder.map_or_else(|| "the built-in set".to_owned(), |folder| folder.display().to_string());
    let languages = count(set.languages().count(), "language", "languages");
    let rendered =
        format!("{} kinds, {} samples rendered in {languages}, from {from}", kinds.len(), samples.len());
    Finding::ok("templates", rendered)
}

async fn mail_server(config: &Config) -> Finding {
    let relay = match parts::relay(config) {
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

//! From the values of single keys to a configuration: what must hold between them, and what can be run with but is hardly
//! meant.

use std::path::Path;

use chrono::TimeDelta;
use chrono_tz::Tz;

use super::document::PASSWORD;
use super::error::{Place, Problem, quoted};
use super::keys::{self, Values};
use super::places::is_loopback;
use super::reader::Reader;
use super::secret::{self, Login, Password, Source};
use super::types::{Allowed, Mode, Security};
use super::{Alerts, Bounces, Config, Database, Delivery, Smtp};
use crate::domain::calendar::SendWindow;
use crate::domain::customer::EmailAddress;
use crate::domain::policy::Policy;
use crate::domain::reply::Retry;
use crate::domain::risk::Watch;
use crate::text::duration;

/// The sender that the sample file names; nobody is served by mail from it.
const SAMPLE_SENDER: &str = "orders@example.com";

/// The configuration of the file at `path`. What is wrong with it is in `reader` then; None only if a default cannot be
/// read.
pub(super) fn build(path: &Path, reader: &mut Reader, credentials: Option<&Path>) -> Option<Config> {
    let folder = path.parent().unwrap_or(Path::new(""));
    let v = Values::read(reader)?;
    let mut config = Config {
        path: path.to_owned(),
        database: Database { path: folder.join(v.database.url), keep_bodies: v.database.keep_bodies },
        delivery: Delivery {
            mode: mode(reader, v.delivery.mode, v.delivery.redirect_to, &v.shop.from.address),
            allowed: Allowed::of(v.delivery.allow_recipients),
            concurrency: v.delivery.concurrency,
            breaker: v.delivery.breaker,
            rate: v.delivery.rate,
            grace: v.delivery.grace.to_std().unwrap_or_default(),
        },
        policy: Policy {
            zone: v.shop.timezone.unwrap_or(Tz::UTC),
            handling_days: v.promise.handling_days,
            buffer_days: v.promise.buffer_days,
            business_days: v.promise.business_days,
            holidays: v.promise.holidays.into_iter().collect(),
            improve_min_days: v.promise.improve_min_days,
            debounce: v.promise.settle,
            update_after: v.schedule.update_after,
            status_every: v.schedule.status_every,
            status_at: v.schedule.status_at,
            window: SendWindow {
                open: v.schedule.send_window.0,
                close: v.schedule.send_window.1,
                days: v.schedule.send_days,
            },
            partial: v.orders.partial,
            retry: retry(reader, v.delivery.retry),
            blast_limit: v.delivery.blast_limit,
        },
        shop: v.shop,
        smtp: smtp(reader, v.smtp, folder, credentials),
        bounces: Bounces { maildir: v.bounces.maildir.map(|maildir| folder.join(maildir)), ..v.bounces },
        templates: folder.join(v.templates.dir),
        housekeeping_at: v.schedule.housekeeping_at,
        alerts: Alerts { to: v.alerts.to, digest: v.alerts.digest, digest_at: v.schedule.digest_at },
        watch: Watch {
            at_risk_days: v.schedule.at_risk,
            authorization_days: v.orders.authorization_days,
            partial: v.orders.partial,
        },
        log: v.log,
        warnings: Vec::new(),
    };
    config.warnings = warnings(reader, &config);
    Some(config)
}

fn mode(reader: &mut Reader, word: &str, redirect_to: Option<EmailAddress>, sender: &EmailAddress) -> Mode {
    match (word, redirect_to) {
        ("redirect", Some(address)) => Mode::Redirect(address),
        ("redirect", None) if !reader.given("delivery.redirect_to") => {
            let message = "\"redirect\" needs an address to go to; set redirect_to = \"you@example.com\"";
            reader.refuse("delivery.mode", message);
            Mode::Capture
        }
        ("live", _) if sender.as_str() == SAMPLE_SENDER => {
            let message =
                "\"live\" would write to customers from the sample's address; set shop.from to your own";
            reader.refuse("delivery.mode", message);
            Mode::Live
        }
        ("live", _) => Mode::Live,
        _ => Mode::Capture,
    }
}

fn retry(reader: &mut Reader, delays: Vec<TimeDelta>) -> Retry {
    if !delays.is_empty() {
        return Retry { delays };
    }
    if !reader.problems.iter().any(|problem| problem.key == "delivery.retry") {
        let message = "is empty; write at least one wait, as in [\"1m\", \"5m\", \"30m\"]";
        reader.refuse("delivery.retry", message);
    }
    Retry::default()
}

fn smtp(reader: &mut Reader, smtp: keys::Smtp, folder: &Path, credentials: Option<&Path>) -> Smtp {
    let security = smtp.security;
    if security == Security::None && !is_loopback(&smtp.host) {
        // Said where people look: at the key they wrote.
        let key = if reader.given("smtp.security") { "smtp.security" } else { "smtp.host" };
        let host = quoted(&smtp.host);
        let message = format!(
            "nothing would protect the mail on its way to {host}; set security = \"starttls\" (or \"tls\"); \
             \"none\" is for this machine only"
        );
        reader.refuse(key, message);
    }
    let file = smtp.password_file.and_then(|name| {
        let found = secret::find(&name, folder, credentials);
        found.map_err(|message| reader.refuse("smtp.password_file", message)).ok()
    });
    let source = match (reader.password(), file) {
        (Some(text), _) => Some(Source::Given(Password::from(text))),
        (None, Some(path)) => Some(Source::File { path, place: reader.place("smtp.password_file") }),
        (None, None) => None,
    };
    Smtp {
        host: smtp.host,
        port: smtp.port.unwrap_or(security.port()),
        security,
        login: login(reader, smtp.username, source),
        ca_file: smtp.ca_file.map(|path| folder.join(path)),
        timeout: smtp.timeout.to_std().unwrap_or_default(),
        hello_name: smtp.hello_name,
    }
}

/// A user and a password go together.
fn login(reader: &mut Reader, username: Option<String>, source: Option<Source>) -> Option<Login> {
    match (username, source) {
        (Some(username), Some(source)) => return Some(Login { username, source }),
        (Some(_), None) if !reader.given("smtp.password_file") => {
            let message = "a user without a password; set password_file (or SHIPBY__SMTP__PASSWORD)";
            reader.refuse("smtp.username", message);
        }
        (None, Some(source)) => {
            let place = match source {
                Source::Given(_) => Place::Environment(PASSWORD.to_owned()),
                Source::File { place, .. } => place,
            };
            let message = "a password without a user; set username";
            reader.problems.push(Problem::new(place, "smtp.username", message));
        }
        _ => {}
    }
    None
}

/// What can be run with, but is hardly meant.
fn warnings(reader: &Reader, config: &Config) -> Vec<Problem> {
    let (policy, mut warnings) = (&config.policy, Vec::new());
    let mut warn = |key, message: &str| warnings.push(reader.problem(key, message));
    if !reader.given("shop.timezone") {
        warn("shop.timezone", "not set; dates and times are in UTC. Set timezone = \"Europe/Berlin\"");
    }
    if config.shop.from.address.as_str() == SAMPLE_SENDER {
        warn("shop.from", "still the sample's sender; mode = \"live\" will refuse it");
    }
    match &config.delivery.mode {
        Mode::Capture => {
            warn("delivery.mode", "capture: no customer gets mail. Set mode = \"live\" when ready");
        }
        Mode::Redirect(_) => {
            warn("delivery.mode", "redirect: no customer gets mail; all of it goes to redirect_to");
        }
        Mode::Live if !config.delivery.allowed.everyone() => {
            warn("delivery.allow_recipients", "not empty: all other customers get no mail");
        }
        Mode::Live => {}
    }
    if policy.status_at < policy.window.open || policy.status_at >= policy.window.close {
        let at = policy.status_at.format("%H:%M");
        let message = format!("{at} is outside send_window; the status goes out at its nearest end");
        warn("schedule.status_at", &message);
    }
    if policy.status_every > 7 {
        let span = duration::show(TimeDelta::days(policy.status_every.into()));
        warn("schedule.status_every", &format!("{span}: customers hear nothing for more than a week"));
    }
    if !policy.business_days && !policy.holidays.is_empty() {
        warn("promise.holidays", "without effect unless business_days = true");
    }
    if config.alerts.digest && config.alerts.to.is_none() {
        let message =
            "not set: nobody is mailed the daily digest. Set to = \"ops@example.com\", or digest = false";
        warn("alerts.to", message);
    }
    if let Some(maildir) = config.bounces.maildir.as_ref().filter(|maildir| !maildir.join("new").is_dir()) {
        let message = format!("{} is no Maildir; there is no folder \"new\" in it", maildir.display());
        warn("bounces.maildir", &message);
    }
    if reader.given("templates.dir") && !config.templates.is_dir() {
        warn("templates.dir", "there is no such folder; the built-in templates are used");
    }
    warnings
}

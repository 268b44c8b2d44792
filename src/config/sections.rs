//! Section by section: the keys, their defaults, their bounds, and what must hold between them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{NaiveTime, TimeDelta};
use tracing::Level;

use crate::domain::bounce::TOKEN;
use crate::domain::calendar::SendWindow;
use crate::domain::customer::EmailAddress;
use crate::domain::fact::Partial;
use crate::domain::policy::{LONGEST_DEBOUNCE, Policy};
use crate::domain::reply::Retry;
use crate::domain::risk::Watch;

use super::document::{PASSWORD, Value};
use super::error::{Place, Problem, quoted};
use super::reader::{Read, Reader};
use super::secret::{self, Login, Password, Source};
use super::types::{Allowed, Link, LogFormat, Mailbox, Mode, Pattern, Rate, Security, host, is_loopback};
use super::words::{self, duration, number, one_of, time};
use super::{Alerts, Bounces, Database, Delivery, LONGEST_GRACE, Log, Shop, Smtp};

/// The sender that the sample file names; nobody is served by mail from it.
const SAMPLE_SENDER: &str = "orders@example.com";

const DAY: TimeDelta = TimeDelta::days(1);
const YEAR: TimeDelta = TimeDelta::days(365);

pub(super) fn shop(reader: &mut Reader) -> Option<Shop> {
    let sample = Value::Text(format!("Example Shop <{SAMPLE_SENDER}>"));
    let from = Mailbox::read(&sample).ok()?;
    Some(Shop {
        name: reader.value("shop", "name", "Example Shop".to_owned(), words::some_text),
        from: reader.value("shop", "from", from, Mailbox::read),
        support_email: reader.optional("shop", "support_email", words::address),
        locale: reader.value("shop", "locale", "en".to_owned(), words::locale),
        status_url: reader.optional("shop", "status_url", Link::read),
        cancel_url: reader.optional("shop", "cancel_url", Link::read),
    })
}

pub(super) fn database(reader: &mut Reader, folder: &Path) -> Database {
    let path = reader.value("database", "url", PathBuf::from("shipby.db"), database_path);
    let keep = |value: &Value| duration(value, DAY, YEAR * 100);
    Database {
        path: folder.join(path),
        keep_bodies: reader.value("database", "keep_bodies", TimeDelta::days(540), keep),
    }
}

fn database_path(value: &Value) -> Read<PathBuf> {
    let word = words::text(value)?;
    let path = word.strip_prefix("sqlite://").or_else(|| word.strip_prefix("sqlite:")).unwrap_or(word);
    if path.contains("://") {
        return Err(format!("{} is no SQLite file; write a path such as \"shipby.db\"", quoted(word)));
    }
    if path.contains(":memory:") {
        return Err(
            "a database in memory forgets whom we wrote to; write a path such as \"shipby.db\"".to_owned()
        );
    }
    if path.is_empty() || path.ends_with('/') || path.contains('?') {
        return Err(format!("{} names no file; write a path such as \"shipby.db\"", quoted(word)));
    }
    Ok(PathBuf::from(path))
}

pub(super) fn delivery(reader: &mut Reader, sender: &EmailAddress) -> Delivery {
    let redirect_to = reader.optional("delivery", "redirect_to", words::address);
    let faults = reader.problems.len();
    let modes = [("capture", 0), ("redirect", 1), ("live", 2)];
    let mode = match reader.value("delivery", "mode", 0, |value| one_of(value, &modes)) {
        1 if redirect_to.is_none() && !reader.given("delivery", "redirect_to") => {
            let message = "\"redirect\" needs an address to go to; set redirect_to = \"you@example.com\"";
            reader.refuse("delivery", "mode", message);
            Mode::Capture
        }
        1 => redirect_to.map_or(Mode::Capture, Mode::Redirect),
        2 => Mode::Live,
        _ => Mode::Capture,
    };
    if mode == Mode::Live && sender.as_str() == SAMPLE_SENDER && reader.problems.len() == faults {
        let message =
            "\"live\" would write to customers from the sample's address; set shop.from to your own";
        reader.refuse("delivery", "mode", message);
    }
    let patterns = reader.list("delivery", "allow_recipients", Pattern::read).unwrap_or_default();
    let default_rate = Rate::read(&Value::Text("20/s".to_owned())).unwrap_or_default();
    Delivery {
        mode,
        allowed: Allowed::of(patterns),
        concurrency: usize::try_from(reader.value("delivery", "concurrency", 8, |v| number(v, 1, 100)))
            .unwrap_or(8),
        rate: reader.value("delivery", "rate", default_rate, Rate::read),
        breaker: reader.value("delivery", "breaker", 20, |value| number(value, 1, 10_000)),
        grace: grace(reader),
    }
}

fn grace(reader: &mut Reader) -> Duration {
    let longest = TimeDelta::from_std(LONGEST_GRACE).unwrap_or(TimeDelta::zero());
    let grace = |value: &Value| duration(value, TimeDelta::seconds(1), longest);
    reader.value("delivery", "grace", longest, grace).to_std().unwrap_or(LONGEST_GRACE)
}

fn retry(reader: &mut Reader) -> Retry {
    let wait = |value: &Value| duration(value, TimeDelta::milliseconds(1), DAY * 7);
    let faults = reader.problems.len();
    match reader.list("delivery", "retry", wait) {
        None => Retry::default(),
        Some(delays) if delays.is_empty() => {
            if reader.problems.len() == faults {
                let message = "is empty; write at least one wait, as in [\"1m\", \"5m\", \"30m\"]";
                reader.refuse("delivery", "retry", message);
            }
            Retry::default()
        }
        Some(delays) => Retry { delays },
    }
}

pub(super) fn smtp(reader: &mut Reader, folder: &Path, credentials: Option<&Path>) -> Smtp {
    let kinds = [("none", Security::None), ("starttls", Security::StartTls), ("tls", Security::Tls)];
    let host = reader.value("smtp", "host", "127.0.0.1".to_owned(), host);
    let security = reader.value("smtp", "security", Security::None, |value| one_of(value, &kinds));
    let port = reader.value("smtp", "port", u32::from(security.port()), |value| number(value, 1, 65_535));
    let timeout = |value: &Value| duration(value, TimeDelta::seconds(1), TimeDelta::hours(1));
    let timeout = reader.value("smtp", "timeout", TimeDelta::seconds(60), timeout);
    if security == Security::None && !is_loopback(&host) {
        // Said where people look: at the key they wrote.
        let key = if reader.given("smtp", "security") { "security" } else { "host" };
        let host = quoted(&host);
        let message = format!(
            "nothing would protect the mail on its way to {host}; set security = \"starttls\" (or \"tls\"); \
             \"none\" is for this machine only"
        );
        reader.refuse("smtp", key, message);
    }
    Smtp {
        host,
        port: u16::try_from(port).unwrap_or(security.port()),
        security,
        login: login(reader, folder, credentials),
        ca_file: reader.optional("smtp", "ca_file", words::some_text).map(|path| folder.join(path)),
        timeout: timeout.to_std().unwrap_or(Duration::from_secs(60)),
        hello_name: reader.optional("smtp", "hello_name", hello_name),
    }
}

fn hello_name(value: &Value) -> Read<String> {
    let name = host(value)?;
    match name.parse::<std::net::IpAddr>() {
        Ok(_) => {
            Err(format!("{} is an address; write this machine's name or leave the key out", quoted(&name)))
        }
        Err(_) => Ok(name),
    }
}

fn login(reader: &mut Reader, folder: &Path, credentials: Option<&Path>) -> Option<Login> {
    let username = reader.optional("smtp", "username", words::some_text);
    let file = reader.optional("smtp", "password_file", |value| password_file(value, folder, credentials));
    let place = reader.place("smtp", "password_file");
    let source = match (reader.password(), file) {
        (Some(text), _) => Some(Source::Given(Password::from(text))),
        (None, Some(path)) => Some(Source::File { path, place }),
        (None, None) => None,
    };
    match (username, source) {
        (Some(username), Some(source)) => Some(Login { username, source }),
        (Some(_), None) => {
            if !reader.given("smtp", "password_file") {
                let message = "a user without a password; set password_file (or SHIPBY__SMTP__PASSWORD)";
                reader.refuse("smtp", "username", message);
            }
            None
        }
        (None, Some(source)) => {
            let place = match source {
                Source::Given(_) => Place::Environment(PASSWORD.to_owned()),
                Source::File { place, .. } => place,
            };
            let message = "a password without a user; set username".to_owned();
            reader.problems.push(Problem { place, key: "smtp.username".to_owned(), message });
            None
        }
        (None, None) => None,
    }
}

/// Some(None) is a file of a credentials directory that this process does not have.
// What was read is never shown: people put the password itself here.
fn password_file(value: &Value, folder: &Path, credentials: Option<&Path>) -> Read<Option<PathBuf>> {
    let Value::Text(word) = value else {
        return Err("is no text; write the path of a file that holds the password".to_owned());
    };
    if word.chars().any(char::is_control) {
        return Err("holds a line break or another control character".to_owned());
    }
    let in_credentials = ["$CREDENTIALS_DIRECTORY/", "${CREDENTIALS_DIRECTORY}/"];
    let path = match in_credentials.iter().find_map(|prefix| word.strip_prefix(prefix)) {
        Some(name) => credentials.map(|credentials| credentials.join(name)),
        None if word.starts_with('$') => {
            return Err("no variable but $CREDENTIALS_DIRECTORY/ may stand here".to_owned());
        }
        None => Some(folder.join(word)),
    };
    path.as_deref().map_or(Ok(()), secret::check)?;
    Ok(path)
}

pub(super) fn bounces(reader: &mut Reader, folder: &Path) -> Bounces {
    let address = |value: &Value| {
        let address = words::address(value)?;
        let room = 64 - TOKEN;
        match address.as_str().split_once('@') {
            Some((local, _)) if local.len() > room => Err(format!(
                "{} leaves no room for the token of a notice; write at most {room} characters before the @",
                quoted(address.as_str())
            )),
            _ => Ok(address),
        }
    };
    Bounces {
        address: reader.optional("bounces", "address", address),
        maildir: reader.optional("bounces", "maildir", words::some_text).map(|path| folder.join(path)),
    }
}

pub(super) fn policy(reader: &mut Reader) -> Policy {
    let default = Policy::default();
    let zone = reader.value("shop", "timezone", default.zone, words::zone);
    let days = |value: &Value| number(value, 0, 365);
    let settle = |value: &Value| duration(value, TimeDelta::zero(), LONGEST_DEBOUNCE);
    let age = |value: &Value| duration(value, TimeDelta::minutes(1), DAY * 30);
    let partials: Vec<(&str, Partial)> = Partial::ALL.iter().map(|p| (p.as_str(), *p)).collect();
    Policy {
        zone,
        handling_days: reader.value("promise", "handling_days", default.handling_days, days),
        buffer_days: reader.value("promise", "buffer_days", default.buffer_days, days),
        business_days: reader.value("promise", "business_days", default.business_days, words::switch),
        holidays: reader.list("promise", "holidays", words::date).unwrap_or_default().into_iter().collect(),
        improve_min_days: reader
            .value("promise", "improve_min_days", default.improve_min_days, |v| number(v, 1, 365)),
        debounce: reader.value("promise", "settle", default.debounce, settle),
        update_after: reader.value("schedule", "update_after", default.update_after, age),
        status_every: reader.value("schedule", "status_every", default.status_every, whole_days),
        status_at: reader.value("schedule", "status_at", default.status_at, time),
        window: window(reader, default.window),
        partial: reader.value("orders", "partial", default.partial, |value| one_of(value, &partials)),
        retry: retry(reader),
        blast_limit: usize::try_from(
            reader.value("delivery", "blast_limit", 200, |v| number(v, 0, 10_000_000)),
        )
        .unwrap_or(200),
    }
}

/// What counts in civil days.
fn whole_days(value: &Value) -> Read<u32> {
    let span = duration(value, DAY, YEAR)?;
    let days = span.num_days();
    if TimeDelta::days(days) != span {
        return Err(format!("{} is no whole number of days; write \"{days}d\"", value.shown()));
    }
    u32::try_from(days).map_err(|_| format!("{} will not do", value.shown()))
}

fn window(reader: &mut Reader, default: SendWindow) -> SendWindow {
    let (open, close) = reader.value("schedule", "send_window", (default.open, default.close), words::hours);
    SendWindow { open, close, days: reader.value("schedule", "send_days", default.days, words::days) }
}

pub(super) fn housekeeping_at(reader: &mut Reader) -> NaiveTime {
    let half_past_three = NaiveTime::from_hms_opt(3, 30, 0).unwrap_or(NaiveTime::MIN);
    reader.value("schedule", "housekeeping_at", half_past_three, time)
}

pub(super) fn alerts(reader: &mut Reader) -> Alerts {
    let half_past_eight = NaiveTime::from_hms_opt(8, 30, 0).unwrap_or(NaiveTime::MIN);
    Alerts {
        to: reader.optional("alerts", "to", words::address),
        digest: reader.value("alerts", "digest", true, words::switch),
        digest_at: reader.value("schedule", "digest_at", half_past_eight, time),
    }
}

pub(super) fn watch(reader: &mut Reader, partial: Partial) -> Watch {
    let default = Watch::default();
    Watch {
        at_risk_days: reader.value("schedule", "at_risk", default.at_risk_days, whole_days),
        authorization_days: reader
            .value("orders", "authorization_days", default.authorization_days, |v| number(v, 1, 365)),
        partial,
    }
}

pub(super) fn templates(reader: &mut Reader, folder: &Path) -> PathBuf {
    folder.join(reader.value("templates", "dir", "templates".to_owned(), words::some_text))
}

pub(super) fn log(reader: &mut Reader) -> Log {
    let formats = [("auto", LogFormat::Auto), ("text", LogFormat::Text), ("json", LogFormat::Json)];
    let levels =
        [("error", Level::ERROR), ("warn", Level::WARN), ("info", Level::INFO), ("debug", Level::DEBUG)];
    Log {
        format: reader.value("log", "format", LogFormat::Auto, |value| one_of(value, &formats)),
        level: reader.value("log", "level", Level::INFO, |value| one_of(value, &levels)),
    }
}

/// What can be run with, but is hardly meant.
pub(super) fn warn(reader: &Reader, config: &super::Config) -> Vec<Problem> {
    let (policy, mut warnings) = (&config.policy, Vec::new());
    let mut warn = |section, key, message: String| warnings.push(reader.problem(section, key, message));
    if !reader.given("shop", "timezone") {
        warn(
            "shop",
            "timezone",
            "not set; dates and times are in UTC. Set timezone = \"Europe/Berlin\"".to_owned(),
        );
    }
    if config.shop.from.address.as_str() == SAMPLE_SENDER {
        warn("shop", "from", "still the sample's sender; mode = \"live\" will refuse it".to_owned());
    }
    match &config.delivery.mode {
        Mode::Capture => {
            warn(
                "delivery",
                "mode",
                "capture: no customer gets mail. Set mode = \"live\" when ready".to_owned(),
            );
        }
        Mode::Redirect(_) => {
            warn(
                "delivery",
                "mode",
                "redirect: no customer gets mail; all of it goes to redirect_to".to_owned(),
            );
        }
        Mode::Live if !config.delivery.allowed.everyone() => {
            warn("delivery", "allow_recipients", "not empty: all other customers get no mail".to_owned());
        }
        Mode::Live => {}
    }
    if policy.status_at < policy.window.open || policy.status_at >= policy.window.close {
        let at = policy.status_at.format("%H:%M");
        warn(
            "schedule",
            "status_at",
            format!("{at} is outside send_window; the status goes out at its nearest end"),
        );
    }
    if policy.status_every > 7 {
        let span = crate::text::duration::show(DAY * i32::try_from(policy.status_every).unwrap_or(i32::MAX));
        warn("schedule", "status_every", format!("{span}: customers hear nothing for more than a week"));
    }
    if !policy.business_days && !policy.holidays.is_empty() {
        warn("promise", "holidays", "without effect unless business_days = true".to_owned());
    }
    if config.alerts.digest && config.alerts.to.is_none() {
        warn(
            "alerts",
            "to",
            "not set: nobody is mailed the daily digest. Set to = \"ops@example.com\", or digest = false"
                .to_owned(),
        );
    }
    if let Some(maildir) = config.bounces.maildir.as_ref().filter(|maildir| !maildir.join("new").is_dir()) {
        let message = format!("{} is no Maildir; there is no folder \"new\" in it", maildir.display());
        warn("bounces", "maildir", message);
    }
    if reader.given("templates", "dir") && !config.templates.is_dir() {
        warn("templates", "dir", "there is no such folder; the built-in templates are used".to_owned());
    }
    warnings
}

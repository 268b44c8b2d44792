//! What the shop configured, read once at the start from `config.toml` and the environment.
//!
//! A [`Config`] that exists can be run with: every value is typed, every path absolute or relative to
//! the working directory, nothing is left to check. What is wrong is reported all at once, each fault
//! with its place and its mend. A key that does nothing does not exist.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{NaiveTime, TimeDelta};
use tracing::Level;

use crate::domain::customer::EmailAddress;
use crate::domain::policy::Policy;
use crate::domain::risk::Watch;

mod document;
mod error;
mod reader;
mod secret;
mod sections;
mod types;
mod words;

pub use document::{KEYS, Kind, variable};
pub use error::{ConfigError, Place, Problem};
pub use secret::{Credentials, Password};
pub use types::{Allowed, Link, LogFormat, Mailbox, Mode, Rate, Security};

use document::Document;
use reader::Reader;

/// The most that `[delivery] grace` may be: the unit gives the daemon a little more to stop.
pub const LONGEST_GRACE: Duration = Duration::from_secs(50);

/// The configuration of one shop.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The file it was read from, as it was named.
    pub path: PathBuf,
    pub shop: Shop,
    pub database: Database,
    pub delivery: Delivery,
    pub smtp: Smtp,
    pub bounces: Bounces,
    /// The folder of ops' templates; the built-in set is used if there is none.
    pub templates: PathBuf,
    /// When old bodies are thrown away and the database is tidied, in the shop's zone.
    pub housekeeping_at: NaiveTime,
    pub alerts: Alerts,
    /// When an order is brought to ops' attention.
    pub watch: Watch,
    pub log: Log,
    policy: Policy,
    warnings: Vec<Problem>,
}

/// Who writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shop {
    pub name: String,
    pub from: Mailbox,
    /// Where replies go; None: to `from`.
    pub support_email: Option<EmailAddress>,
    /// The language of customers who gave none (BCP 47).
    pub locale: String,
    /// The shop's own page of an order.
    pub status_url: Option<Link>,
    /// The shop's own page for cancelling an order.
    pub cancel_url: Option<Link>,
}

impl Shop {
    /// The address that people read.
    pub fn reply_to(&self) -> &EmailAddress {
        self.support_email.as_ref().unwrap_or(&self.from.address)
    }
}

/// What is remembered, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Database {
    /// The SQLite file.
    pub path: PathBuf,
    /// How long the text of a mail is kept.
    pub keep_bodies: TimeDelta,
}

/// How mail leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    pub mode: Mode,
    pub allowed: Allowed,
    /// Connections to the mail server at one time, from 1.
    pub concurrency: usize,
    /// So many refusals by policy in a row stop the sending.
    pub breaker: u32,
    /// None: as fast as the server takes it.
    pub rate: Option<Rate>,
    /// How long mails in flight may take to finish once the daemon is told to stop.
    pub grace: Duration,
}

/// The mail server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Smtp {
    /// A name or an address; an IPv6 address stands without brackets.
    pub host: String,
    pub port: u16,
    /// `None` only for a host on this machine.
    pub security: Security,
    /// Certificates to trust besides the system's, as PEM.
    pub ca_file: Option<PathBuf>,
    /// For connecting and for each command.
    pub timeout: Duration,
    /// How we introduce ourselves; None: as this machine is called.
    pub hello_name: Option<String>,
    login: Option<secret::Login>,
}

impl Smtp {
    /// How long the reply to the body may take: at least the 10 minutes of RFC 5321, 4.5.3.2.6, for who
    /// gives up sooner makes duplicates.
    pub fn body_timeout(&self) -> Duration {
        self.timeout.max(Duration::from_secs(600))
    }

    /// The user we log in as, if we do.
    pub fn username(&self) -> Option<&str> {
        self.login.as_ref().map(|login| login.username.as_str())
    }

    /// With what we log in; None if we don't. Reads the password's file, so ask once, at the start.
    pub fn credentials(&self) -> Result<Option<Credentials>, ConfigError> {
        self.login.as_ref().map(secret::Login::credentials).transpose()
    }
}

/// How mail that comes back reaches us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounces {
    /// The envelope sender is made of it, with a token for each notice; None: mails leave as from the shop's sender.
    pub address: Option<EmailAddress>,
    /// A Maildir to look into.
    pub maildir: Option<PathBuf>,
}

/// What ops hear by themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alerts {
    /// Where ops read mail; None: they are mailed nothing.
    pub to: Option<EmailAddress>,
    /// Whether the daily digest is mailed.
    pub digest: bool,
    /// When it is, in the shop's zone.
    pub digest_at: NaiveTime,
}

/// How much is logged, in which shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Log {
    pub format: LogFormat,
    pub level: Level,
}

/// This process's environment for [`Config::load`]. Unlike `std::env::vars` it stands text that is not UTF-8.
pub fn environment() -> impl Iterator<Item = (String, String)> {
    let text = |os: std::ffi::OsString| os.to_string_lossy().into_owned();
    std::env::vars_os().map(move |(name, value)| (text(name), text(value)))
}

impl Config {
    /// Reads the file at `path`; `env` (the process's environment) has the last word.
    pub fn load(path: &Path, env: impl Iterator<Item = (String, String)>) -> Result<Self, ConfigError> {
        let bytes = fs::read(path).map_err(|error| {
            let mend = match error.kind() {
                std::io::ErrorKind::NotFound => {
                    "; write one with `shipby init`, or name another with --config FILE"
                }
                _ => "",
            };
            ConfigError::of_file(path, format!("cannot be read: {}{mend}", secret::reason(&error)))
        })?;
        let text = String::from_utf8(bytes).map_err(|error| {
            let line = error
                .as_bytes()
                .iter()
                .take(error.utf8_error().valid_up_to())
                .filter(|b| **b == b'\n')
                .count();
            ConfigError::of_file(path, format!("is not text in UTF-8 (line {}); save it as UTF-8", line + 1))
        })?;
        Self::parse(path, &text, env)
    }

    /// Reads `text` as the file at `path`, which need not exist; relative paths count from its folder.
    pub fn parse(
        path: &Path,
        text: &str,
        env: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let env: Vec<_> = env.collect();
        let credentials = env.iter().find(|(name, _)| name == "CREDENTIALS_DIRECTORY");
        let credentials = credentials.map(|(_, folder)| PathBuf::from(folder));
        let mut document = Document::read(path, text);
        document.environment(env.into_iter());
        let mut reader = Reader::new(document);
        let config = Self::build(path, &mut reader, credentials.as_deref());
        match config {
            Some(config) if reader.problems.is_empty() => Ok(config),
            _ => Err(ConfigError::of(reader.problems)),
        }
    }

    fn build(path: &Path, reader: &mut Reader, credentials: Option<&Path>) -> Option<Self> {
        let folder = path.parent().unwrap_or(Path::new(""));
        let shop = sections::shop(reader)?;
        let delivery = sections::delivery(reader, &shop.from.address);
        let policy = sections::policy(reader);
        let mut config = Self {
            path: path.to_owned(),
            shop,
            database: sections::database(reader, folder),
            delivery,
            smtp: sections::smtp(reader, folder, credentials),
            templates: sections::templates(reader, folder),
            bounces: sections::bounces(reader, folder),
            housekeeping_at: sections::housekeeping_at(reader),
            alerts: sections::alerts(reader),
            watch: sections::watch(reader, policy.partial),
            log: sections::log(reader),
            policy,
            warnings: Vec::new(),
        };
        config.warnings = sections::warn(reader, &config);
        Some(config)
    }

    /// What the shop decided, as the rules want it.
    pub fn policy(&self) -> Policy {
        self.policy.clone()
    }

    /// What can be run with, but is hardly meant; `check` shows it.
    pub fn warnings(&self) -> &[Problem] {
        &self.warnings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_in_the_table_is_read_and_no_other() {
        let mut reader = Reader::new(Document::default());
        Config::build(Path::new("config.toml"), &mut reader, None).unwrap();
        let known: std::collections::BTreeSet<_> =
            KEYS.iter().map(|(section, key, _)| (*section, *key)).collect();
        assert_eq!(reader.asked, known);
        assert_eq!(KEYS.len(), known.len());
    }
}

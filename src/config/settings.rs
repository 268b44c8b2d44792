//! The configuration, ready to be run with. A section that is used as it is written is the table's own.

use std::path::PathBuf;
use std::time::Duration;

use chrono::{NaiveTime, TimeDelta};

use super::error::{ConfigError, Problem};
use super::keys::{Bounces, Log, Shop};
use super::secret::{Credentials, Login};
use super::types::{Allowed, Mode, Rate, Security};
use crate::domain::customer::EmailAddress;
use crate::domain::policy::Policy;
use crate::domain::risk::Watch;

/// The configuration of one shop.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The file it was read from, as it was named.
    pub path: PathBuf,
    /// Who writes.
    pub shop: Shop,
    pub database: Database,
    pub delivery: Delivery,
    pub smtp: Smtp,
    /// How mail that comes back reaches us.
    pub bounces: Bounces,
    /// The folder of ops' templates; the built-in set is used if there is none.
    pub templates: PathBuf,
    /// When old bodies are thrown away and the database is tidied, in the shop's zone.
    pub housekeeping_at: NaiveTime,
    pub alerts: Alerts,
    /// When an order is brought to ops' attention.
    pub watch: Watch,
    /// How much is logged, in which shape.
    pub log: Log,
    pub(super) policy: Policy,
    pub(super) warnings: Vec<Problem>,
}

impl Config {
    /// What the shop decided, as the rules want it.
    pub fn policy(&self) -> Policy {
        self.policy.clone()
    }

    /// What can be run with, but is hardly meant; `check` shows it.
    pub fn warnings(&self) -> &[Problem] {
        &self.warnings
    }
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
    pub(super) login: Option<Login>,
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
        self.login.as_ref().map(Login::credentials).transpose()
    }
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

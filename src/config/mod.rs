//! What the shop configured, read once at the start from `config.toml` and the environment.
//!
//! A [`Config`] that exists can be run with: every value is typed, every path absolute or relative to
//! the working directory, nothing is left to check. What is wrong is reported all at once, each fault
//! with its place and its mend. A key that does nothing does not exist.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

mod build;
mod document;
mod error;
mod keys;
mod parsers;
mod places;
mod reader;
mod secret;
mod settings;
mod types;
mod value;

pub use document::variable;
pub use error::{ConfigError, Place, Problem};
pub use keys::{Bounces, KEYS, Log, Shop, sample};
pub use secret::{Credentials, Password};
pub use settings::{Alerts, Config, Database, Delivery, Smtp};
pub use types::{Allowed, Link, LogFormat, Mailbox, Mode, Rate, Security};
pub use value::{Keys, Line};

use document::Document;
use reader::Reader;

/// The most that `[delivery] grace` may be: the unit gives the daemon a little more to stop.
pub const LONGEST_GRACE: Duration = Duration::from_secs(50);

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
        let mut document = Document::read(path, text, KEYS);
        document.environment(env.into_iter());
        let mut reader = Reader::new(document, Document::read(Path::new(""), &sample(), KEYS));
        let config = build::build(path, &mut reader, credentials.as_deref());
        match config {
            Some(config) if reader.problems.is_empty() => Ok(config),
            _ => Err(ConfigError::of(reader.problems)),
        }
    }
}

//! The one secret there is: the password for the mail server. It is never printed and lives in memory alone.
//!
//! It is read when it is needed, not with the configuration: `shipby why` is run by people who may not
//! read it. A file that everybody may read is refused at once.

use std::fmt;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::error::{ConfigError, Place, Problem};
use super::reader::Read;
use super::value::Value;

/// A password. Neither `Debug` nor an error shows it; there is no `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// The password itself, for the mail server only.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<String> for Password {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// With what we log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    pub username: String,
    pub password: Password,
}

/// A user and where the password is to be found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Login {
    pub username: String,
    pub source: Source,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    Given(Password),
    /// A file; `path` is None if it stands in a credentials directory that is not set in this process.
    File {
        path: Option<PathBuf>,
        place: Place,
    },
}

impl Login {
    pub(super) fn credentials(&self) -> Result<Credentials, ConfigError> {
        let password = match &self.source {
            Source::Given(password) => password.clone(),
            Source::File { path, place } => read(path.as_deref()).map_err(|message| {
                ConfigError::of(vec![Problem::new(place.clone(), "smtp.password_file", message)])
            })?,
        };
        Ok(Credentials { username: self.username.clone(), password })
    }
}

/// Before the name of a file in the directory of credentials that systemd makes.
const CREDENTIALS: [&str; 2] = ["$CREDENTIALS_DIRECTORY/", "${CREDENTIALS_DIRECTORY}/"];

/// Reads the name of the password's file.
// What was read is never shown: people put the password itself here.
pub(super) fn file(value: &Value) -> Read<String> {
    let Value::Text(name) = value else {
        return Err("is no text; write the path of a file that holds the password".to_owned());
    };
    if name.chars().any(char::is_control) {
        return Err("holds a line break or another control character".to_owned());
    }
    if name.starts_with('$') && !CREDENTIALS.iter().any(|prefix| name.starts_with(prefix)) {
        return Err("no variable but $CREDENTIALS_DIRECTORY/ may stand here".to_owned());
    }
    Ok(name.clone())
}

/// Where the file of that name is; None if there is no directory of credentials. One that everybody may read is refused.
pub(super) fn find(name: &str, folder: &Path, credentials: Option<&Path>) -> Result<Option<PathBuf>, String> {
    let path = match CREDENTIALS.iter().find_map(|prefix| name.strip_prefix(prefix)) {
        Some(name) => credentials.map(|credentials| credentials.join(name)),
        None => Some(folder.join(name)),
    };
    path.as_deref().map_or(Ok(()), check)?;
    Ok(path)
}

/// Refuses a file that everybody may read. One that cannot be looked at is left for [`Login::credentials`].
fn check(path: &Path) -> Result<(), String> {
    match fs::metadata(path) {
        Ok(file) if file.permissions().mode() & 0o007 != 0 => {
            let path = crate::text::plain(&path.to_string_lossy());
            Err(format!("everybody on this machine may read {path}; run: chmod 600 {path}"))
        }
        _ => Ok(()),
    }
}

// A name that does not exist is not shown: it may be the password itself, put in the wrong key.
fn read(path: Option<&Path>) -> Result<Password, String> {
    let path = path.ok_or(
        "$CREDENTIALS_DIRECTORY is not set here; systemd sets it for a unit that has LoadCredential= \
         (elsewhere use a plain path or SHIPBY__SMTP__PASSWORD)",
    )?;
    check(path)?;
    let text = fs::read_to_string(path)
        .map_err(|error| format!("the file it names cannot be read: {}", reason(&error)))?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    match text {
        "" => Err("the file it names is empty".to_owned()),
        text if text.chars().any(char::is_control) => {
            Err("the file it names holds more than one line or a control character".to_owned())
        }
        text => Ok(Password(text.to_owned())),
    }
}

/// Why the system refused, in words that do not change with its language.
pub(super) fn reason(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
        std::io::ErrorKind::PermissionDenied => "this user may not read it".to_owned(),
        std::io::ErrorKind::InvalidData => "it is not text in UTF-8".to_owned(),
        std::io::ErrorKind::IsADirectory => "it is a folder".to_owned(),
        _ => error.to_string(),
    }
}

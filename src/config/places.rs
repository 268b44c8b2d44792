//! How the value of a key that names a place is read: a file, a host, an address that mail goes to.

use std::net::IpAddr;
use std::path::PathBuf;

use super::error::quoted;
use super::parsers::{some_text, text};
use super::reader::Read;
use super::value::Value;
use crate::domain::bounce::TOKEN;
use crate::domain::customer::EmailAddress;

/// A file or a folder.
pub(super) fn path(value: &Value) -> Read<PathBuf> {
    some_text(value).map(PathBuf::from)
}

/// The file of the database.
pub(super) fn database_path(value: &Value) -> Read<PathBuf> {
    let word = text(value)?;
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

/// One address that a mail can be sent to.
pub(super) fn address(value: &Value) -> Read<EmailAddress> {
    let word = text(value)?;
    EmailAddress::parse(word).map_err(|fault| format!("{} is no mail address: {fault}", quoted(word)))
}

/// The address that mail comes back to; it leaves room for a token.
pub(super) fn bounce_address(value: &Value) -> Read<EmailAddress> {
    let address = address(value)?;
    let room = 64 - TOKEN;
    match address.as_str().split_once('@') {
        Some((local, _)) if local.len() > room => Err(format!(
            "{} leaves no room for the token of a notice; write at most {room} characters before the @",
            quoted(address.as_str())
        )),
        _ => Ok(address),
    }
}

/// A host's name or address, without a port.
pub(super) fn host(value: &Value) -> Read<String> {
    let word = text(value)?;
    let bare = word.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(word);
    if bare.parse::<IpAddr>().is_ok() {
        return Ok(bare.to_owned());
    }
    if word.contains("://") {
        return Err(format!("{} is a web address; write the host's name alone", quoted(word)));
    }
    if let Some((name, port)) = word.split_once(':').filter(|(_, port)| port.parse::<u16>().is_ok()) {
        return Err(format!(
            "{} holds a port; write host = {} and port = {port}",
            quoted(word),
            quoted(name)
        ));
    }
    let fits = |c: char| c.is_alphanumeric() || "-._".contains(c);
    if word.is_empty() || !word.chars().all(fits) || word.starts_with(['.', '-']) {
        return Err(format!("{} is no host's name; write it as in \"mail.example.com\"", quoted(word)));
    }
    Ok(word.to_owned())
}

/// This machine's name as others know it.
pub(super) fn hello_name(value: &Value) -> Read<String> {
    let name = host(value)?;
    match name.parse::<IpAddr>() {
        Ok(_) => {
            Err(format!("{} is an address; write this machine's name or leave the key out", quoted(&name)))
        }
        Err(_) => Ok(name),
    }
}

/// Whether a connection to `host` stays on this machine.
pub(super) fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

//! The relay we hand our mail to: where it is, how it is secured, how long we wait for it.
//!
//! What always holds: without TLS only this machine itself is spoken to, so neither mails nor passwords
//! leave it in clear; and a password is never shown, logged or formatted.

use std::{
    fmt,
    net::IpAddr,
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use lettre::transport::smtp::authentication::Credentials;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use thiserror::Error;

/// How the connection is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// Clear text; for this machine only.
    None,
    /// Clear text until STARTTLS, which is required (usually port 587).
    StartTls,
    /// TLS from the first octet (usually port 465).
    Tls,
}

/// How long to wait. A shorter `body` makes duplicates: the server may still be storing the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// Name lookup, TCP and TLS, each.
    pub connect: Duration,
    /// The whole reply to one command, or to one pipelined group.
    pub command: Duration,
    /// Writing the body, and again the whole reply to its final dot (RFC 5321, 4.5.3.2.6: 10 minutes).
    pub body: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        let minute = Duration::from_secs(60);
        Self { connect: minute, command: minute, body: 10 * minute }
    }
}

/// What the settings say about a relay, not yet checked.
#[derive(Debug, Clone)]
pub struct RelaySettings {
    /// A name, or an address literal with or without brackets.
    pub host: String,
    pub port: u16,
    pub security: Security,
    /// The name we give ourselves in EHLO.
    pub hello_name: String,
    pub credentials: Option<Credentials>,
    /// PEM certificates to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
    pub timeouts: Timeouts,
}

/// What is wrong with a relay's settings, and how to mend it.
#[derive(Debug, Error)]
pub enum RelayError {
    #[error("the relay's host {0:?} is neither a host name nor an IP address")]
    BadHost(String),
    #[error("the hello name {0:?} is no host name; set it to this machine's full name")]
    BadHelloName(String),
    #[error("{0} is not this machine: mail to it must be encrypted; set security to starttls or tls")]
    ClearText(String),
    #[error("cannot read certificates from {}: {why}", path.display())]
    CaFile { path: PathBuf, why: String },
    #[error("the system has no trusted certificates: {0}; install ca-certificates or set a ca_file")]
    NoRoots(String),
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
}

/// A relay whose settings have been checked and whose certificates have been read.
#[derive(Clone)]
pub struct Relay {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) security: Security,
    pub(super) hello_name: String,
    pub(super) credentials: Option<Credentials>,
    pub(super) tls: Option<TlsTarget>,
    pub(super) timeouts: Timeouts,
    /// It reads what comes behind the end of a message, as far as its connections have seen.
    pub(super) reads_ahead: Arc<AtomicBool>,
}

/// Whom a certificate must name, and whom we trust to say so.
#[derive(Clone)]
pub(super) struct TlsTarget {
    pub(super) name: ServerName<'static>,
    pub(super) config: Arc<ClientConfig>,
}

impl fmt::Debug for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relay")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("security", &self.security)
            .field("authenticated", &self.credentials.is_some())
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let security = match self.security {
            Security::None => "no encryption",
            Security::StartTls => "STARTTLS",
            Security::Tls => "TLS",
        };
        write!(f, "{} port {} ({security})", self.host, self.port)
    }
}

impl Relay {
    /// Checks the settings and reads the certificates (blocking file access; once at start and reload).
    pub fn new(settings: RelaySettings) -> Result<Self, RelayError> {
        let RelaySettings { host, port, security, hello_name, credentials, ca_file, timeouts } = settings;
        let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(&host).to_owned();
        let name = ServerName::try_from(bare.clone()).map_err(|_| RelayError::BadHost(host.clone()))?;
        if hello_name.is_empty() || !hello_name.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(RelayError::BadHelloName(hello_name));
        }
        let tls = match security {
            Security::None if !is_loopback(&bare) => return Err(RelayError::ClearText(host)),
            Security::None => None,
            Security::StartTls | Security::Tls => {
                Some(TlsTarget { name, config: Arc::new(client_config(ca_file.as_deref())?) })
            }
        };
        let reads_ahead = Arc::new(AtomicBool::new(true));
        Ok(Self { host: bare, port, security, hello_name, credentials, tls, timeouts, reads_ahead })
    }

    pub fn security(&self) -> Security {
        self.security
    }
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn client_config(ca_file: Option<&Path>) -> Result<ClientConfig, RelayError> {
    let roots = match ca_file {
        Some(path) => roots_from(path)?,
        None => system_roots()?,
    };
    // The provider is named, not taken from the process, so that no other crate's choice can matter.
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth())
}

fn roots_from(path: &Path) -> Result<RootCertStore, RelayError> {
    let fault = |why: String| RelayError::CaFile { path: path.to_owned(), why };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| fault(error.to_string()))? {
        let certificate = certificate.map_err(|error| fault(error.to_string()))?;
        roots.add(certificate).map_err(|error| fault(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(fault("it holds no certificate in PEM form".to_owned()));
    }
    Ok(roots)
}

fn system_roots() -> Result<RootCertStore, RelayError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // Systems carry a few certificates that are too old to parse; the others still count.
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let errors: Vec<String> = found.errors.iter().map(ToString::to_string).collect();
        return Err(RelayError::NoRoots(errors.join("; ")));
    }
    Ok(roots)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(host: &str, security: Security) -> RelaySettings {
        RelaySettings {
            host: host.to_owned(),
            port: 25,
            security,
            hello_name: "shop.example".to_owned(),
            credentials: Some(Credentials::new("clerk".to_owned(), "sesame".to_owned())),
            ca_file: None,
            timeouts: Timeouts::default(),
        }
    }

    #[test]
    fn clear_text_is_for_this_machine_only() {
        for host in ["localhost", "LOCALHOST", "127.0.0.1", "127.9.9.9", "::1", "[::1]"] {
            assert!(Relay::new(settings(host, Security::None)).is_ok(), "{host}");
        }
        for host in ["relay.example", "10.0.0.1", "127.0.0.1.example", "[2001:db8::1]", "localhost.example"] {
            let error = Relay::new(settings(host, Security::None)).unwrap_err();
            assert!(matches!(error, RelayError::ClearText(_)), "{host}: {error}");
        }
    }

    #[test]
    fn the_password_is_never_shown() {
        let relay = Relay::new(settings("localhost", Security::None)).unwrap();
        let shown = format!("{relay:?} {relay} {:?}", settings("localhost", Security::None));
        assert!(!shown.contains("sesame") && !shown.contains("clerk"), "{shown}");
    }

    #[test]
    fn a_name_that_would_break_the_dialogue_is_refused() {
        let mut wrong = settings("localhost", Security::None);
        wrong.hello_name = "shop\r\nMAIL FROM:<x>".to_owned();
        assert!(matches!(Relay::new(wrong), Err(RelayError::BadHelloName(_))));
        assert!(matches!(Relay::new(settings("no host", Security::Tls)), Err(RelayError::BadHost(_))));
    }

    #[test]
    fn a_missing_or_empty_ca_file_is_named() {
        let empty = tempfile::NamedTempFile::new().unwrap();
        for path in [empty.path().to_owned(), PathBuf::from("/nowhere/ca.pem")] {
            let wrong = RelaySettings { ca_file: Some(path.clone()), ..settings("localhost", Security::Tls) };
            let text = Relay::new(wrong).unwrap_err().to_string();
            assert!(text.contains(&path.display().to_string()), "{text}");
        }
    }
}

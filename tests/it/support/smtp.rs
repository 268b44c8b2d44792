//! A mail server that follows a script step by step, with TLS where asked: for what the catcher is too
//! polite to do.
//!
//! What always holds: each connection gets the next script; everything heard is kept for the test to read.

use std::{
    net::SocketAddr,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{
    ServerConfig,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};
use shipby::mail::{Credentials, Relay, RelaySettings, Security, Timeouts};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

/// One thing the server does.
#[derive(Clone)]
pub enum Step {
    /// Says these octets as they are, in one write.
    Raw(Vec<u8>),
    /// The same, octet by octet.
    Drip(&'static str),
    /// Reads a line; another one than expected ends the connection.
    Hear(&'static str),
    /// Reads up to a final dot.
    Body,
    /// Repeats these octets up to so many, or until nobody listens.
    Flood(&'static str, usize),
    /// Goes on inside TLS.
    Tls,
    Pause(Duration),
    /// Says nothing more and stays.
    Silence,
}

/// A line, ended properly.
pub fn say(line: &str) -> Step {
    Step::Raw(format!("{line}\r\n").into_bytes())
}

/// What every dialogue begins with; `offers` are the lines of the EHLO reply, in full.
pub fn hello(offers: &str) -> Vec<Step> {
    vec![say("220 here"), Step::Hear("EHLO "), say(offers)]
}

/// The envelope of a server without PIPELINING, up to its 354.
pub fn envelope() -> Vec<Step> {
    let mail = [Step::Hear("MAIL FROM:<"), say("250 ok"), Step::Hear("RCPT TO:<"), say("250 ok")];
    [mail.to_vec(), vec![Step::Hear("DATA"), say("354 go")]].concat()
}

pub struct Scripted {
    pub addr: SocketAddr,
    heard: Arc<Mutex<Vec<String>>>,
    flooded: Arc<Mutex<usize>>,
}

impl Scripted {
    pub async fn start(script: Vec<Step>) -> Self {
        Self::with_tls(script, None).await
    }

    pub async fn with_tls(script: Vec<Step>, tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (heard, flooded) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(0)));
        let server = Self { addr, heard: heard.clone(), flooded: flooded.clone() };
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            let mut player = Player { stream: Box::new(stream), input: Vec::new(), heard, flooded };
            for step in script {
                player = match (step, &tls) {
                    (Step::Tls, Some(config)) => match player.secure(config.clone()).await {
                        Some(player) => player,
                        None => return,
                    },
                    (step, _) => match player.play(step).await {
                        Some(player) => player,
                        None => return,
                    },
                };
            }
        });
        server
    }

    /// All lines heard so far, those inside TLS too.
    pub fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }

    /// How many octets of a flood were taken from us.
    pub fn flooded(&self) -> usize {
        *self.flooded.lock().unwrap()
    }
}

/// A stream, in clear or not.
pub trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Duplex for T {}

struct Player {
    stream: Box<dyn Duplex>,
    input: Vec<u8>,
    heard: Arc<Mutex<Vec<String>>>,
    flooded: Arc<Mutex<usize>>,
}

impl Player {
    async fn secure(mut self, config: Arc<ServerConfig>) -> Option<Self> {
        let stream = TlsAcceptor::from(config).accept(self.stream).await.ok()?;
        self.stream = Box::new(stream);
        Some(self)
    }

    async fn play(mut self, step: Step) -> Option<Self> {
        match step {
            Step::Raw(bytes) => {
                self.stream.write_all(&bytes).await.ok()?;
                self.stream.flush().await.ok()?;
            }
            Step::Drip(text) => {
                for byte in text.bytes() {
                    self.stream.write_all(&[byte]).await.ok()?;
                    self.stream.flush().await.ok()?;
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
            }
            Step::Hear(expected) => {
                let line = self.until(b"\r\n").await?;
                self.heard.lock().unwrap().push(line.clone());
                if !line.starts_with(expected) {
                    return None;
                }
            }
            Step::Body => {
                self.until(b"\r\n.\r\n").await?;
            }
            Step::Flood(text, total) => {
                let block = text.repeat(64 * 1024 / text.len());
                while *self.flooded.lock().unwrap() < total {
                    self.stream.write_all(block.as_bytes()).await.ok()?;
                    *self.flooded.lock().unwrap() += block.len();
                }
            }
            Step::Tls => panic!("this server has no certificate"),
            Step::Pause(wait) => tokio::time::sleep(wait).await,
            Step::Silence => std::future::pending().await,
        }
        Some(self)
    }

    async fn until(&mut self, end: &[u8]) -> Option<String> {
        loop {
            if let Some(at) = self.input.windows(end.len()).position(|window| window == end) {
                let text = self.input.drain(..at + end.len()).collect::<Vec<u8>>();
                return Some(String::from_utf8_lossy(&text).trim_end().to_owned());
            }
            if self.stream.read_buf(&mut self.input).await.ok()? == 0 {
                return None;
            }
        }
    }
}

/// An authority of our own, and a server's identity that it vouches for.
pub struct Identity {
    pub ca_pem: String,
    /// The server's certificate and its key, for a server that reads files.
    pub cert_pem: String,
    pub key_pem: String,
    pub server: Arc<ServerConfig>,
}

/// A certificate for `name`; `expired` ones ended in 2001.
pub fn identity(name: &str, expired: bool) -> Identity {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    if expired {
        params.not_before = rcgen::date_time_ymd(2000, 1, 1);
        params.not_after = rcgen::date_time_ymd(2001, 1, 1);
    }
    let certificate = params.signed_by(&key, &authority).unwrap();
    let secret = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let server = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], secret)
        .unwrap();
    Identity {
        ca_pem: authority.pem(),
        cert_pem: certificate.pem(),
        key_pem: key.serialize_pem(),
        server: Arc::new(server),
    }
}

/// Settings for a server on this machine, with time limits that only a broken test reaches.
pub fn settings(addr: SocketAddr) -> RelaySettings {
    let long = Duration::from_secs(20);
    RelaySettings {
        host: "localhost".to_owned(),
        port: addr.port(),
        security: Security::None,
        hello_name: "shop.example".to_owned(),
        credentials: None,
        ca_file: None,
        timeouts: Timeouts { connect: long, command: long, body: long },
    }
}

pub fn relay(addr: SocketAddr) -> Relay {
    Relay::new(settings(addr)).unwrap()
}

/// A relay that waits for nobody, for tests of silence.
pub fn hasty(addr: SocketAddr) -> Relay {
    let short = Duration::from_millis(300);
    let long = Duration::from_secs(20);
    Relay::new(RelaySettings {
        timeouts: Timeouts { connect: long, command: short, body: short },
        ..settings(addr)
    })
    .unwrap()
}

/// A relay with encryption, trusting the certificates in `ca_file`.
pub fn secure(addr: SocketAddr, security: Security, ca_file: &Path) -> Relay {
    Relay::new(RelaySettings { security, ca_file: Some(ca_file.to_owned()), ..settings(addr) }).unwrap()
}

/// A relay that wants to know who we are.
pub fn with_password(addr: SocketAddr) -> Relay {
    let credentials = Some(Credentials::new("clerk".to_owned(), "sesame".to_owned()));
    Relay::new(RelaySettings { credentials, ..settings(addr) }).unwrap()
}

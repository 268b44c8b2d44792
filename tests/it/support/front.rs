//! A door before a catcher: TLS and AUTH, for a server whose faults lie behind them, and the faults of the door itself.
//!
//! What always holds: behind the door every octet goes through as it is; what was said before TLS is kept for the test.

use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};

use tempfile::NamedTempFile;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::smtp::{Duplex, Identity, identity};

/// How one comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// STARTTLS, then AUTH PLAIN.
    StartTls,
    /// TLS from the first octet, then AUTH PLAIN.
    Tls,
}

/// How the door behaves.
#[derive(Clone)]
pub struct Door {
    pub way: Way,
    /// The reply to EHLO before TLS.
    pub offers: &'static str,
    /// The reply to STARTTLS; after a 220 comes TLS.
    pub starttls: &'static str,
    /// What the door says in clear in place of TLS.
    pub babble: Option<&'static str>,
    /// The reply to AUTH.
    pub auth: &'static str,
    pub identity: Arc<Identity>,
}

impl Door {
    /// One without faults.
    pub fn of(way: Way) -> Self {
        Self {
            way,
            offers: "250-front\r\n250 STARTTLS",
            starttls: "220 2.0.0 go ahead",
            babble: None,
            auth: "235 2.7.0 welcome",
            identity: Arc::new(identity("localhost", false)),
        }
    }
}

/// A door that is open. Its connections end with the test.
pub struct Front {
    pub way: Way,
    pub addr: SocketAddr,
    ca: NamedTempFile,
    in_clear: Arc<Mutex<Vec<String>>>,
}

impl Front {
    /// A door to the server at `behind`, on a free port.
    pub async fn start(door: Door, behind: SocketAddr) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let mut ca = NamedTempFile::new().unwrap();
        ca.write_all(door.identity.ca_pem.as_bytes()).unwrap();
        let (addr, in_clear) = (listener.local_addr().unwrap(), Arc::new(Mutex::new(Vec::new())));
        let front = Self { way: door.way, addr, ca, in_clear: in_clear.clone() };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(attend(stream, behind, door.clone(), in_clear.clone()));
            }
        });
        front
    }

    pub fn ca_file(&self) -> &Path {
        self.ca.path()
    }

    /// What we were told outside of TLS.
    pub fn in_clear(&self) -> Vec<String> {
        self.in_clear.lock().unwrap().clone()
    }
}

/// One connection to its end; a stream that fails is that end.
async fn attend(
    stream: TcpStream,
    behind: SocketAddr,
    door: Door,
    in_clear: Arc<Mutex<Vec<String>>>,
) -> std::io::Result<()> {
    let mut back = TcpStream::connect(behind).await?;
    let mut front: Box<dyn Duplex> = Box::new(stream);
    if door.way == Way::StartTls {
        loop {
            let line = line(&mut front, &mut back, "").await?;
            in_clear.lock().unwrap().push(line.clone());
            let answer = match line.get(..4) {
                Some("EHLO") => door.offers,
                Some("STAR") => door.starttls,
                _ => "502 5.5.1 not here",
            };
            say(&mut front, format!("{answer}\r\n").as_bytes()).await?;
            if line == "STARTTLS" && answer.starts_with("220") {
                break;
            }
        }
    }
    if let Some(babble) = door.babble {
        return say(&mut front, babble.as_bytes()).await;
    }
    front = Box::new(TlsAcceptor::from(door.identity.server.clone()).accept(front).await?);
    loop {
        let line = line(&mut front, &mut back, "250-front\r\n250-AUTH PLAIN\r\n").await?;
        if line.starts_with("AUTH") {
            say(&mut front, format!("{}\r\n", door.auth).as_bytes()).await?;
            if door.auth.starts_with("235") {
                break;
            }
        } else {
            back.write_all(format!("{line}\r\n").as_bytes()).await?;
        }
    }
    copy_bidirectional(&mut front, &mut back).await.map(drop)
}

/// The next line from the front. What comes from the back meanwhile goes through, a good reply to EHLO with the door's
/// offers before it.
async fn line(front: &mut Box<dyn Duplex>, back: &mut TcpStream, offers: &str) -> std::io::Result<String> {
    let mut line = Vec::new();
    let mut reply = Vec::with_capacity(4096);
    while !line.ends_with(b"\r\n") {
        tokio::select! {
            octet = front.read_u8() => line.push(octet?),
            read = back.read_buf(&mut reply) => {
                if read? == 0 {
                    front.shutdown().await?;
                    return Err(std::io::ErrorKind::UnexpectedEof.into());
                }
                if reply.starts_with(b"250-") {
                    front.write_all(offers.as_bytes()).await?;
                }
                say(front, &reply).await?;
                reply.clear();
            }
        }
    }
    Ok(String::from_utf8_lossy(&line).trim_end().to_owned())
}

async fn say(front: &mut Box<dyn Duplex>, text: &[u8]) -> std::io::Result<()> {
    front.write_all(text).await?;
    front.flush().await
}

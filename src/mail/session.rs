//! Opening a session: connect, greeting, EHLO, STARTTLS, AUTH.
//!
//! What always holds: required encryption is never left out, nothing said in clear is believed inside
//! TLS, and credentials go out only under TLS or on this machine.

use std::{io::Write, net::SocketAddr, time::Duration};

use lettre::transport::smtp::{
    authentication::{Credentials, Mechanism},
    commands::{Auth, Ehlo, Starttls},
    extension::ClientId,
};
use tokio::net::{TcpStream, lookup_host};

use super::{
    failure::{Failure, WireError},
    framing::Frame,
    relay::{Relay, Security, TlsTarget},
    wire::Wire,
};
use crate::domain::reply::Phase;
use crate::text::plain;

/// What a server said it can do, in its last EHLO reply.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Offers {
    pub pipelining: bool,
    pub smtputf8: bool,
    pub starttls: bool,
    pub auth_plain: bool,
    pub auth_login: bool,
    /// The largest message in octets, where the server announced one.
    pub size: Option<u64>,
    /// SIZE was offered at all, so that MAIL may carry it.
    pub size_known: bool,
}

impl Offers {
    /// Reads the lines after the first; keywords are case-insensitive (RFC 5321, 2.4).
    fn parse<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut offers = Self::default();
        for line in lines.skip(1) {
            let line = String::from_utf8_lossy(line).to_ascii_uppercase().replacen("AUTH=", "AUTH ", 1);
            let mut words = line.split_ascii_whitespace();
            match words.next() {
                Some("PIPELINING") => offers.pipelining = true,
                Some("SMTPUTF8") => offers.smtputf8 = true,
                Some("STARTTLS") => offers.starttls = true,
                Some("SIZE") => {
                    offers.size_known = true;
                    // 0 means that there is no fixed limit (RFC 1870).
                    offers.size = words.next().and_then(|word| word.parse().ok()).filter(|size| *size > 0);
                }
                Some("AUTH") => {
                    for mechanism in words {
                        offers.auth_plain |= mechanism == "PLAIN";
                        offers.auth_login |= mechanism == "LOGIN";
                    }
                }
                _ => {}
            }
        }
        offers
    }
}

/// What is known about the server once a session is open, for `check --smtp`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    pub peer: SocketAddr,
    /// The words of the 220 greeting.
    pub greeting: String,
    pub offers: Offers,
    /// "TLS 1.3" or "TLS 1.2"; `None` in clear text.
    pub tls: Option<&'static str>,
    /// The mechanism by which we were let in, "PLAIN" or "LOGIN".
    pub authenticated: Option<&'static str>,
}

/// Opens a session ready for its first message.
pub(super) async fn open(relay: &Relay) -> Result<(Wire, Session), Failure> {
    let (stream, peer) = connect(relay).await?;
    let mut wire = Wire::new(stream);
    if let (Security::Tls, Some(target)) = (relay.security, &relay.tls) {
        wire = secure(wire, target, relay.timeouts.connect).await?;
    }
    let limit = relay.timeouts.command;
    let frame = wire.reply(limit).await.map_err(|error| error.at(Phase::Greeting))?;
    let greeting = wire.framer.reply(&frame);
    if frame.code != 220 {
        return Err(Failure::turned_away(Phase::Greeting, greeting, "the relay turns us away"));
    }
    let mut offers = hello(&mut wire, relay).await?;
    if let (Security::StartTls, Some(target)) = (relay.security, &relay.tls) {
        start_tls(&mut wire, &offers, limit).await?;
        wire = secure(wire, target, relay.timeouts.connect).await?;
        // RFC 3207: all that was said before TLS is forgotten.
        offers = hello(&mut wire, relay).await?;
    }
    let mut authenticated = None;
    if let Some(credentials) = &relay.credentials {
        authenticated = Some(authenticate(&mut wire, &offers, credentials, limit).await?);
    }
    let tls = wire.tls_version();
    Ok((wire, Session { peer, greeting: greeting.text, offers, tls, authenticated }))
}

/// Tries the host's addresses in turn; each gets its share of the time.
async fn connect(relay: &Relay) -> Result<(TcpStream, SocketAddr), Failure> {
    let limit = relay.timeouts.connect;
    let failed = |why: String| Failure::temporary(Phase::Connect, why);
    let lookup = tokio::time::timeout(limit, lookup_host((relay.host.as_str(), relay.port))).await;
    let addresses: Vec<SocketAddr> = match lookup {
        Ok(Ok(found)) => found.collect(),
        Ok(Err(error)) => return Err(failed(format!("cannot look up {}: {error}", relay.host))),
        Err(_) => return Err(failed(format!("looking up {} took too long", relay.host))),
    };
    let share = limit / u32::try_from(addresses.len().max(1)).unwrap_or(u32::MAX);
    let mut last = format!("{} has no address", relay.host);
    for address in addresses {
        // A hosts file may give "localhost" to anybody; clear text stays here all the same.
        if relay.security == Security::None && !address.ip().is_loopback() {
            last = format!("{address} is not this machine, and no encryption is configured");
            continue;
        }
        match tokio::time::timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                // Without this, Nagle and delayed acknowledgement cost 44 ms a message.
                stream.set_nodelay(true).map_err(|error| failed(error.to_string()))?;
                return Ok((stream, address));
            }
            Ok(Err(error)) => last = format!("cannot connect to {address}: {error}"),
            Err(_) => last = format!("cannot connect to {address}: no answer in time"),
        }
    }
    Err(failed(last))
}

async fn secure(wire: Wire, target: &TlsTarget, limit: Duration) -> Result<Wire, Failure> {
    wire.secure(target, limit).await.map_err(|error| error.at(Phase::StartTls))
}

/// Sends one command line and waits for its reply.
async fn ask(
    wire: &mut Wire,
    phase: Phase,
    command: impl std::fmt::Display,
    limit: Duration,
) -> Result<Frame, Failure> {
    let asked = async {
        wire.clear_out();
        write!(wire.out, "{command}")?;
        wire.send_all(limit).await?;
        wire.reply(limit).await
    };
    asked.await.map_err(|error: WireError| error.at(phase))
}

async fn hello(wire: &mut Wire, relay: &Relay) -> Result<Offers, Failure> {
    let limit = relay.timeouts.command;
    let ehlo = Ehlo::new(ClientId::Domain(relay.hello_name.clone()));
    let frame = ask(wire, Phase::Hello, ehlo, limit).await?;
    if frame.class() == 2 {
        return Ok(Offers::parse(wire.framer.lines(&frame)));
    }
    let reply = wire.framer.reply(&frame);
    if !reply.is_permanent() {
        return Err(Failure::turned_away(Phase::Hello, reply, "the relay refuses EHLO"));
    }
    // RFC 5321, 3.2: a server that does not know EHLO is greeted with HELO and offers nothing.
    let frame = ask(wire, Phase::Hello, format!("HELO {}\r\n", relay.hello_name), limit).await?;
    if frame.class() == 2 {
        return Ok(Offers::default());
    }
    Err(Failure::turned_away(Phase::Hello, wire.framer.reply(&frame), "the relay refuses EHLO and HELO"))
}

async fn start_tls(wire: &mut Wire, offers: &Offers, limit: Duration) -> Result<(), Failure> {
    if !offers.starttls {
        return Err(Failure::config(Phase::StartTls, "STARTTLS is required and the relay does not offer it"));
    }
    let frame = ask(wire, Phase::StartTls, Starttls, limit).await?;
    if frame.code != 220 {
        let reply = wire.framer.reply(&frame);
        return Err(Failure::turned_away(Phase::StartTls, reply, "the relay refuses STARTTLS"));
    }
    if wire.framer.has_leftover() {
        // Somebody on the way may have put it there to have it believed inside TLS (CVE-2011-0411).
        let shown = plain(&String::from_utf8_lossy(wire.framer.leftover()));
        let shown: String = shown.chars().take(80).collect();
        return Err(Failure::config(
            Phase::StartTls,
            format!("clear text behind the 220 of STARTTLS: {shown}"),
        ));
    }
    Ok(())
}

async fn authenticate(
    wire: &mut Wire,
    offers: &Offers,
    credentials: &Credentials,
    limit: Duration,
) -> Result<&'static str, Failure> {
    let (name, mechanism) = match offers {
        Offers { auth_plain: true, .. } => ("PLAIN", Mechanism::Plain),
        Offers { auth_login: true, .. } => ("LOGIN", Mechanism::Login),
        _ => return Err(Failure::config(Phase::Auth, "the relay offers neither AUTH PLAIN nor AUTH LOGIN")),
    };
    // Servers word LOGIN's questions in many ways, but always ask for the name first.
    let questions: &[Option<&str>] = match mechanism {
        Mechanism::Plain => &[None],
        _ => &[None, Some("Username:"), Some("Password:")],
    };
    for (index, question) in questions.iter().enumerate() {
        let step = Auth::new(mechanism, credentials.clone(), question.map(str::to_owned));
        // Its error is not shown: it could carry the credentials one day.
        let step = step.map_err(|_| Failure::config(Phase::Auth, "the credentials cannot be sent"))?;
        let frame = ask(wire, Phase::Auth, step, limit).await;
        wire.out.fill(0);
        let frame = frame?;
        let expected = if index + 1 == questions.len() { 235 } else { 334 };
        if frame.code != expected {
            let reply = wire.framer.reply(&frame);
            return Err(Failure::turned_away(Phase::Auth, reply, "the relay refuses our credentials"));
        }
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_are_read_in_any_case_and_the_greeting_line_is_none_of_them() {
        let lines: [&[u8]; 6] =
            [b"PIPELINING", b"size 1000", b"Auth=plain LOGIN", b"smtpUTF8", b"StartTLS", b"X-OTHER \xff"];
        let offers = Offers::parse(lines.into_iter());
        assert!(!offers.pipelining && offers.smtputf8 && offers.starttls);
        assert!(offers.auth_plain && offers.auth_login);
        assert_eq!((offers.size, offers.size_known), (Some(1000), true));
    }

    #[test]
    fn a_size_of_nothing_is_no_limit() {
        let lines: [&[u8]; 2] = [b"relay.example", b"SIZE 0"];
        let offers = Offers::parse(lines.into_iter());
        assert_eq!((offers.size, offers.size_known), (None, true));
    }
}

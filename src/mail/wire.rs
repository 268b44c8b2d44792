//! The stream under an SMTP dialogue: plain or TLS, whole replies in, whole commands out, always in time.
//!
//! What always holds: every wait has an end, and no reply is read that was not asked for.

use std::{future::poll_fn, io, ops::Range, pin::Pin, task::Poll, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf},
    net::TcpStream,
    time::{Instant, timeout_at},
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{
    failure::WireError,
    framing::{Frame, Framer},
    relay::TlsTarget,
};

/// Octets asked of the stream at a time.
const CHUNK: usize = 4096;
/// A buffer grown beyond this by a large message is given back after it.
const KEPT_BUFFER: usize = 256 * 1024;

trait Duplex: AsyncRead + tokio::io::AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + tokio::io::AsyncWrite + Unpin + Send> Duplex for T {}

enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    fn duplex(&mut self) -> &mut dyn Duplex {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream) => stream.as_mut(),
        }
    }
}

/// One connection's octets.
pub(super) struct Wire {
    stream: Stream,
    pub(super) framer: Framer,
    /// What `send` writes; kept between commands so that its memory is reused.
    pub(super) out: Vec<u8>,
}

impl Wire {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self { stream: Stream::Plain(stream), framer: Framer::default(), out: Vec::with_capacity(CHUNK) }
    }

    /// Puts TLS over the stream. The caller has made sure that nothing received in clear is left.
    pub(super) async fn secure(self, target: &TlsTarget, limit: Duration) -> Result<Self, WireError> {
        let Stream::Plain(stream) = self.stream else {
            return Err(io::Error::other("the stream is already encrypted").into());
        };
        let connector = TlsConnector::from(target.config.clone());
        let handshake = connector.connect(target.name.clone(), stream);
        let stream = tokio::time::timeout(limit, handshake).await.map_err(|_| WireError::TimedOut)??;
        // A fresh framer: nothing that came in clear can be taken for something said inside TLS.
        Ok(Self { stream: Stream::Tls(Box::new(stream)), framer: Framer::default(), out: self.out })
    }

    /// "TLS 1.3" or "TLS 1.2" where the stream is encrypted.
    pub(super) fn tls_version(&self) -> Option<&'static str> {
        let Stream::Tls(stream) = &self.stream else { return None };
        match stream.get_ref().1.protocol_version() {
            Some(rustls::ProtocolVersion::TLSv1_3) => Some("TLS 1.3"),
            Some(rustls::ProtocolVersion::TLSv1_2) => Some("TLS 1.2"),
            _ => Some("TLS"),
        }
    }

    /// Writes `out[range]` within `limit`. On failure the first value is how far into `out` the stream took it.
    pub(super) async fn send(
        &mut self,
        range: Range<usize>,
        limit: Duration,
    ) -> Result<(), (usize, WireError)> {
        let mut written = range.start;
        let stream = self.stream.duplex();
        let writing = async {
            while written < range.end {
                match stream.write(&self.out[written..range.end]).await? {
                    0 => return Err(WireError::Closed),
                    octets => written += octets,
                }
            }
            Ok(stream.flush().await?)
        };
        let result = timeout_at(Instant::now() + limit, writing).await.unwrap_or(Err(WireError::TimedOut));
        result.map_err(|error| (written, error))
    }

    /// Writes all of `out` within `limit`.
    pub(super) async fn send_all(&mut self, limit: Duration) -> Result<(), WireError> {
        self.send(0..self.out.len(), limit).await.map_err(|(_, error)| error)
    }

    /// The next whole reply, all of it within `limit` however it drips.
    pub(super) async fn reply(&mut self, limit: Duration) -> Result<Frame, WireError> {
        if let Some(frame) = self.framer.take_reply()? {
            return Ok(frame);
        }
        let (stream, framer) = (self.stream.duplex(), &mut self.framer);
        let reading = async {
            loop {
                let intake = framer.intake();
                intake.reserve(CHUNK);
                if stream.read_buf(intake).await? == 0 {
                    return Err(WireError::Closed);
                }
                if let Some(frame) = framer.take_reply()? {
                    return Ok(frame);
                }
            }
        };
        timeout_at(Instant::now() + limit, reading).await.unwrap_or(Err(WireError::TimedOut))
    }

    /// Whether the server has spoken or closed without being asked. Does not wait.
    pub(super) async fn is_disturbed(&mut self) -> bool {
        if self.framer.has_leftover() {
            return true;
        }
        let stream = self.stream.duplex();
        let mut space = [0_u8; 1];
        let mut probe = ReadBuf::new(&mut space);
        // Ready means an octet, the end or an error; each of them ends the connection's use.
        poll_fn(|context| Poll::Ready(Pin::new(&mut *stream).poll_read(context, &mut probe).is_ready())).await
    }

    /// Forgets what was written, and the memory of an unusually large message.
    pub(super) fn clear_out(&mut self) {
        self.out.clear();
        if self.out.capacity() > KEPT_BUFFER {
            self.out.shrink_to(CHUNK);
        }
    }

    /// Ends the stream in good order; errors no longer matter.
    pub(super) async fn close(mut self) {
        let _ = self.stream.duplex().shutdown().await;
    }
}

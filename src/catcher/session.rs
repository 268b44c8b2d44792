//! One connection of the catcher: commands in, answers out.
//!
//! What always holds: replies to what came in together go out together, as a pipelining server's do, and
//! at most one message's announced size is held in memory.

use std::{
    io::{self, BufRead},
    sync::Arc,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::script::{Answer, Dialogue};
use super::shared::{Caught, Shared};
use crate::domain::reply::Phase;

const CHUNK: usize = 16 * 1024;
const MAX_COMMAND: usize = 4096;

/// Serves one connection to its end; errors of the stream are that end.
pub(super) async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    let connection = shared.connections.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1;
    let mut session = Session {
        stream,
        shared,
        connection,
        mail: 0,
        input: Vec::with_capacity(CHUNK),
        used: 0,
        output: Vec::with_capacity(1024),
        from: None,
        to: Vec::new(),
    };
    let _ = session.run().await;
}

/// Whether the dialogue goes on.
#[derive(PartialEq, Eq)]
enum Next {
    GoOn,
    End,
}

struct Session {
    stream: TcpStream,
    shared: Arc<Shared>,
    connection: u64,
    mail: u64,
    input: Vec<u8>,
    used: usize,
    output: Vec<u8>,
    from: Option<String>,
    to: Vec<String>,
}

impl Session {
    async fn run(&mut self) -> io::Result<()> {
        if self.answer(Phase::Greeting, || "220 catcher ESMTP".to_owned()).await? == Next::End {
            return Ok(());
        }
        while let Some(line) = self.line().await? {
            if self.command(&line).await? == Next::End {
                break;
            }
        }
        self.flush().await?;
        self.stream.shutdown().await
    }

    /// The next command line, once all earlier answers are on their way.
    async fn line(&mut self) -> io::Result<Option<String>> {
        loop {
            let fresh = &self.input[self.used..];
            if let Some(end) = fresh.iter().position(|byte| *byte == b'\n') {
                let line = String::from_utf8_lossy(&fresh[..end]).trim_end().to_owned();
                self.used += end + 1;
                return Ok(Some(line));
            }
            if fresh.len() > MAX_COMMAND || !self.read().await? {
                return Ok(None);
            }
        }
    }

    async fn read(&mut self) -> io::Result<bool> {
        self.flush().await?;
        self.input.drain(..self.used);
        self.used = 0;
        self.input.reserve(CHUNK);
        Ok(self.stream.read_buf(&mut self.input).await? > 0)
    }

    async fn flush(&mut self) -> io::Result<()> {
        self.stream.write_all(&self.output).await?;
        self.output.clear();
        Ok(())
    }

    fn say(&mut self, text: &str) {
        self.output.extend_from_slice(text.as_bytes());
        self.output.extend_from_slice(b"\r\n");
    }

    /// Asks the script and does as it says, with `usual` as the well-behaved answer.
    async fn answer(&mut self, phase: Phase, usual: impl FnOnce() -> String) -> io::Result<Next> {
        let answer = self.decide(phase).await;
        self.perform(answer, usual).await
    }

    /// The script's answer, after any wait it asked for.
    async fn decide(&mut self, phase: Phase) -> Answer {
        let Some(script) = &self.shared.settings.script.0 else { return Answer::Usual };
        let to = self.to.last().map_or("", String::as_str);
        let from = self.from.as_deref().unwrap_or_default();
        let attempt = self.shared.attempt(phase, to);
        let mut answer =
            script(&Dialogue { phase, connection: self.connection, mail: self.mail, from, to, attempt });
        while let Answer::After(wait, then) = answer {
            tokio::time::sleep(wait).await;
            answer = *then;
        }
        answer
    }

    async fn perform(&mut self, answer: Answer, usual: impl FnOnce() -> String) -> io::Result<Next> {
        match answer {
            Answer::Usual => self.say(&usual()),
            Answer::Reply(text) | Answer::TakeAndSay(text) => self.say(&text),
            Answer::Raw(bytes) => self.output.extend_from_slice(&bytes),
            Answer::Close(bytes) => {
                self.output.extend_from_slice(&bytes);
                return Ok(Next::End);
            }
            Answer::TakeAndClose | Answer::After(..) => return Ok(Next::End),
            Answer::Silence => {
                self.flush().await?;
                std::future::pending::<()>().await;
            }
        }
        Ok(Next::GoOn)
    }

    /// Whether the last answer begins with this class, which is how the catcher hears its own script.
    fn said(&self, from: usize, class: u8) -> bool {
        self.output.get(from) == Some(&class)
    }

    async fn command(&mut self, line: &str) -> io::Result<Next> {
        let verb = line.get(..4).unwrap_or(line).to_ascii_uppercase();
        let before = self.output.len();
        match verb.as_str() {
            "EHLO" => {
                self.forget();
                let hello = self.hello();
                self.answer(Phase::Hello, || hello).await
            }
            "HELO" => {
                self.forget();
                self.answer(Phase::Hello, || "250 catcher".to_owned()).await
            }
            "MAIL" if self.from.is_some() => Ok(self.plain("503 5.5.1 one mail at a time")),
            "MAIL" => {
                self.mail += 1;
                self.from = Some(address(line));
                let next = self.answer(Phase::Mail, || "250 2.1.0 ok".to_owned()).await?;
                if !self.said(before, b'2') {
                    self.from = None;
                }
                Ok(next)
            }
            "RCPT" => {
                let usual = if self.from.is_some() { "250 2.1.5 ok" } else { "503 5.5.1 MAIL comes first" };
                self.to.push(address(line));
                let next = self.answer(Phase::Rcpt, || usual.to_owned()).await?;
                if !self.said(before, b'2') {
                    self.to.pop();
                }
                Ok(next)
            }
            "DATA" => {
                // The script may answer 354 all the same, as some servers do.
                let usual = if self.to.is_empty() { "503 5.5.1 RCPT comes first" } else { "354 go on" };
                let next = self.answer(Phase::Data, || usual.to_owned()).await?;
                if next == Next::GoOn && self.said(before, b'3') { self.data().await } else { Ok(next) }
            }
            "RSET" => {
                self.forget();
                Ok(self.plain("250 2.0.0 ok"))
            }
            "NOOP" => Ok(self.plain("250 2.0.0 ok")),
            "QUIT" => {
                self.plain("221 2.0.0 bye");
                Ok(Next::End)
            }
            _ => Ok(self.plain("502 5.5.2 not known here")),
        }
    }

    fn plain(&mut self, text: &str) -> Next {
        self.say(text);
        Next::GoOn
    }

    fn hello(&self) -> String {
        let settings = &self.shared.settings;
        let mut lines = format!("250-catcher\r\n250-SIZE {}\r\n250-8BITMIME\r\n", settings.size);
        if settings.pipelining {
            lines.push_str("250-PIPELINING\r\n");
        }
        if settings.smtputf8 {
            lines.push_str("250-SMTPUTF8\r\n");
        }
        lines.push_str("250 ENHANCEDSTATUSCODES");
        lines
    }

    fn forget(&mut self) {
        self.from = None;
        self.to.clear();
    }

    /// Reads a message through its final dot and answers for it.
    async fn data(&mut self) -> io::Result<Next> {
        let keep = self.shared.settings.keep;
        let (mut bytes, mut size) = (Vec::new(), 0_usize);
        loop {
            let fresh = &self.input[self.used..];
            // A slice cannot fail to be read; this is the standard library's fast search for an octet.
            let end = (&mut &*fresh).skip_until(b'\n')?;
            let line = &fresh[..end];
            if !line.ends_with(b"\n") {
                if !self.read().await? {
                    return Ok(Next::End);
                }
                continue;
            }
            self.used += end;
            if line == b".\r\n" {
                break;
            }
            let line = line.strip_prefix(b".").unwrap_or(line);
            size += line.len();
            if keep && size <= self.shared.settings.size {
                bytes.extend_from_slice(line);
            }
        }
        let next = self.verdict(bytes, size).await;
        self.forget();
        next
    }

    async fn verdict(&mut self, bytes: Vec<u8>, size: usize) -> io::Result<Next> {
        if size > self.shared.settings.size {
            return Ok(self.plain("552 5.3.4 larger than announced"));
        }
        if self.to.is_empty() {
            return Ok(self.plain("554 5.5.1 no valid recipients"));
        }
        let answer = self.decide(Phase::Body).await;
        let taken = match &answer {
            Answer::Usual | Answer::TakeAndClose | Answer::TakeAndSay(_) => true,
            Answer::Reply(text) => text.starts_with('2'),
            _ => false,
        };
        let mut number = 0;
        if taken {
            let mail = Caught {
                from: self.from.take().unwrap_or_default(),
                to: std::mem::take(&mut self.to),
                bytes,
            };
            number = self.shared.take(self.shared.settings.keep.then_some(mail));
        }
        self.perform(answer, || format!("250 2.0.0 queued as {number:08x}")).await
    }
}

/// What stands between the angle brackets.
fn address(line: &str) -> String {
    let inside = line.split_once('<').and_then(|(_, rest)| rest.rsplit_once('>'));
    inside.map_or("", |(address, _)| address).to_owned()
}

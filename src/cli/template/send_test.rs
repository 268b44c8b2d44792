//! `shipby template send-test`: one mail to oneself over the configured relay, with links that lead nowhere. Nothing is
//! recorded: no customer was told anything.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;

use serde_json::json;

use super::super::output::{self, Stop};
use super::super::{Answer, Call, Exit};
use super::draft;
use super::mail::Which;
use crate::clock::Clock;
use crate::config::{Config, Mode};
use crate::domain::customer::EmailAddress;
use crate::domain::reply::Verdict;
use crate::mail::{Connection, Envelope, Failure, envelope_address};
use crate::templates::Rendered;
use crate::text::plain;
use crate::wiring;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    which: Which,
    /// Where it goes.
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    to: EmailAddress,
}

fn address(text: &str) -> Result<EmailAddress, String> {
    EmailAddress::parse(text).map_err(|fault| fault.to_string())
}

pub(super) async fn run(call: &Call, args: &Args) -> Answer {
    let config = call.config()?;
    if !config.delivery.allowed.allows(&args.to) {
        return Err(Stop::refused("the address is not in delivery.allow_recipients; nothing was sent"));
    }
    let set = draft(&config)?;
    let subject = args.which.find(call, &config, &set).await?;
    let mail = disarmed(subject.render(&set, &config)?);
    let (to, mail) = match &config.delivery.mode {
        Mode::Redirect(us) => {
            let subject = format!("[for {}] {}", args.to.as_str(), mail.subject);
            (us.as_str(), Rendered { subject, ..mail })
        }
        _ => (args.to.as_str(), mail),
    };
    let now = Clock::System.now();
    let bytes = subject.compose(&mail, &config, Some(to), Some(now))?;
    let words = match config.delivery.mode {
        Mode::Capture => {
            let path = keep(&config, &format!("test-{}.eml", now.timestamp_millis()), &bytes)?;
            format!("mode capture: nothing left this machine; the mail is in {}", path.display())
        }
        _ => match deliver(&config, to, &bytes).await? {
            (Exit::Done, reply) => format!("the mail server took it for {to}: {reply}"),
            (exit, reply) => return Err(Stop { exit, words: reply }.into()),
        },
    };
    if call.json {
        let body = json!({ "kind": args.which.kind, "about": subject.about, "to": to, "subject": mail.subject,
            "mode": config.delivery.mode.as_str(), "result": words });
        output::json("shipby.template.send-test/1", &body)?;
    } else {
        output::text(&format!("{}\n", plain(&words)))?;
    }
    Ok(Exit::Done)
}

/// The folder for what was captured, beside the database.
fn keep(config: &Config, name: &str, bytes: &[u8]) -> anyhow::Result<PathBuf> {
    let folder = config.database.path.with_file_name("captured");
    std::fs::create_dir_all(&folder)?;
    let path = folder.join(name);
    OpenOptions::new().write(true).create_new(true).open(&path)?.write_all(bytes)?;
    Ok(path)
}

/// How it ended, and the server's words.
async fn deliver(config: &Config, to: &str, bytes: &[u8]) -> anyhow::Result<(Exit, String)> {
    let relay = wiring::relay(config)?;
    let to = envelope_address(to).unwrap_or_else(|| to.to_owned());
    let sender = envelope_address(config.shop.from.address.as_str());
    let offered = async {
        let mut connection = Connection::open(&relay).await?;
        connection.envelope(Envelope { from: sender.as_deref(), to: &to, size: bytes.len() }).await?;
        Ok::<_, Failure>(connection)
    };
    let mut connection = match offered.await {
        Ok(connection) => connection,
        Err(failure) => {
            let exit = match failure {
                Failure::Temporary { .. } => Exit::MailLater,
                Failure::Config { .. } => Exit::Config,
                Failure::Permanent { .. } => Exit::Failed,
            };
            return Ok((exit, format!("{relay}: {failure}")));
        }
    };
    let verdict = connection.body(bytes).await;
    connection.quit().await;
    Ok(match verdict {
        Verdict::Accepted(reply) => (Exit::Done, reply.to_string()),
        Verdict::Temporary { reply, detail, .. } => {
            (Exit::MailLater, format!("{relay}: {}", reply.map_or(detail, |reply| reply.to_string())))
        }
        Verdict::Permanent { reply, .. } => (Exit::Failed, format!("{relay}: {reply}")),
        Verdict::Doubtful { detail } => {
            (Exit::Failed, format!("{relay}: {detail}; the server may have the mail or not"))
        }
    })
}

/// A mail that cannot be taken for a real one, and whose links lead nowhere: a click must not cancel an order.
fn disarmed(mail: Rendered) -> Rendered {
    Rendered {
        subject: format!("[TEST] {}", mail.subject),
        text: dead_links(&mail.text),
        html: mail.html.as_deref().map(dead_links),
    }
}

/// Every address in a link gives way to one that never exists (RFC 6761).
fn dead_links(text: &str) -> String {
    const SCHEMES: [(&str, &str); 3] =
        [("https://", "test.invalid"), ("http://", "test.invalid"), ("mailto:", "nobody@test.invalid")];
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let begins = |scheme: &&(&str, &str)| {
            rest.get(..scheme.0.len()).is_some_and(|s| s.eq_ignore_ascii_case(scheme.0))
        };
        let Some((scheme, nowhere)) = SCHEMES.iter().find(begins) else {
            out.push(c);
            rest = &rest[c.len_utf8()..];
            continue;
        };
        out.push_str(scheme);
        out.push_str(nowhere);
        let after = &rest[scheme.len()..];
        let ends = |c: char| c.is_whitespace() || "/?#\"'<>)&".contains(c);
        rest = &after[after.find(ends).unwrap_or(after.len())..];
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_link_of_a_test_mail_leads_anywhere() {
        assert_eq!(
            dead_links(
                "<a href=\"https://shop.example/c?order=1\">x</a> HTTP://a.example mailto:help@b.example?subject=x é"
            ),
            "<a href=\"https://test.invalid/c?order=1\">x</a> http://test.invalid mailto:nobody@test.invalid?subject=x é"
        );
    }
}

//! Every key there is, once: its section and name, what it holds, its default, how it is read and within which bounds,
//! and what config.toml says about it. Whatever needs to know the keys asks this table.
//!
//! A row is `name: type = how(literal, reader), "comment";`, its literal as TOML writes it. `how` is a method of
//! [`Reader`]: `value` and `list` have the literal for their default; for `optional` and `unset` it is an example, which
//! stands behind a `#`. A line above the row (`///`) is one above the key.

use std::path::PathBuf;

use chrono::{NaiveDate, NaiveTime, TimeDelta};
use chrono_tz::Tz;
use tracing::Level;

use super::LONGEST_GRACE;
use super::parsers::{
    date, days, duration, hours, locale, number, one_of, some_text, switch, time, whole_days, zone,
};
use super::places::{address, bounce_address, database_path, hello_name, host, path};
use super::reader::Reader;
use super::secret;
use super::types::{Link, LogFormat, Mailbox, Pattern, Rate, Security};
use super::value::{Keys, Line};
use crate::domain::calendar::SendDays;
use crate::domain::customer::EmailAddress;
use crate::domain::fact::Partial;
use crate::domain::policy::LONGEST_DEBOUNCE;

const INTRO: &str = "\
# shipby's configuration: complete, and safe as it stands. Nothing leaves this machine
# until delivery.mode is set to \"live\".
#
# Every key is here with its default; those without a default stand behind a #.
# Durations are a number and a unit: \"500ms\", \"60s\", \"15m\", \"48h\", \"7d\".
# Paths are relative to the folder of this file.
# Each key can be overridden by the environment: SHIPBY__DELIVERY__MODE=live.
# No secret belongs in this file. Prove your changes with: shipby check
";

macro_rules! keys {
    ($($section:ident: $values:ident {
        $($(#[doc = $above:literal])* $key:ident: $type:ty = $how:ident($literal:tt, $parse:expr) $(, $comment:literal)?;)*
    })*) => {
        /// Every key: section, name, and how it stands in config.toml, in the order of that file.
        pub const KEYS: Keys = &[$($((
            stringify!($section),
            stringify!($key),
            Line {
                id: concat!(stringify!($section), ".", stringify!($key)),
                literal: stringify!($literal),
                how: stringify!($how),
                above: &[$($above),*],
                comment: concat!($($comment)?),
            },
        )),*),*];

        /// What each key holds, by section.
        pub(super) struct Values {
            $(pub $section: $values),*
        }

        $(/// What stands under this section.
        #[derive(Debug, Clone, PartialEq)]
        pub struct $values {
            $($(#[doc = concat!("In config.toml: `` ", $comment, " ``")])? pub $key: $type),*
        })*

        impl Values {
            /// Reads all keys; None only if a default cannot be read.
            pub fn read(reader: &mut Reader) -> Option<Self> {
                Some(Self {
                    $($section: $values {
                        $($key: reader.$how(concat!(stringify!($section), ".", stringify!($key)), $parse)?),*
                    }),*
                })
            }
        }
    };
}

const DAY: TimeDelta = TimeDelta::days(1);
const HOUR: TimeDelta = TimeDelta::hours(1);
const MINUTE: TimeDelta = TimeDelta::minutes(1);
const SECOND: TimeDelta = TimeDelta::seconds(1);
const GRACE: TimeDelta = TimeDelta::seconds(LONGEST_GRACE.as_secs().cast_signed());
const LEVELS: [(&str, Level); 4] =
    [("error", Level::ERROR), ("warn", Level::WARN), ("info", Level::INFO), ("debug", Level::DEBUG)];

keys! {
    shop: Shop {
        name: String = value("Example Shop", some_text);
        from: Mailbox = value("Example Shop <orders@example.com>", Mailbox::read),
            "\"live\" refuses this sample address";
        support_email: Option<EmailAddress> = optional("help@example.com", address),
            "where replies go; without it to `from`";
        timezone: Option<Tz> = unset("Europe/Berlin", zone),
            "of dates and times; without it UTC, and a warning";
        locale: String = value("en", locale),
            "language of customers who gave none: en, de, es, fr, or a folder of templates";
        /// The shop's own pages of an order. Without them mails offer a reply instead.
        status_url: Option<Link> = optional("https://shop.example.com/orders/{order}", Link::read);
        cancel_url: Option<Link> = optional("https://shop.example.com/orders/{order}/cancel", Link::read);
    }
    database: Database {
        url: PathBuf = value("shipby.db", database_path), "an SQLite file, made when it does not exist";
        keep_bodies: TimeDelta = value("540d", duration(DAY, DAY * 36_500)),
            "how long the text of each mail is kept";
    }
    delivery: Delivery {
        mode: &'static str = value("capture", one_of(["capture", "redirect", "live"].map(|word| (word, word)))),
            "capture: nothing is sent | redirect | live";
        redirect_to: Option<EmailAddress> = optional("you@example.com", address),
            "for mode = \"redirect\": all mail goes here";
        allow_recipients: Vec<Pattern> = list([], Pattern::read),
            "if not empty, only these: [\"you@example.com\", \"@example.com\"]";
        concurrency: usize = value(8, number(1, 100)), "connections to the mail server at most, 1 to 100";
        rate: Option<Rate> = value("20/s", Rate::read), "also \"1200/m\", \"5000/h\", \"unlimited\"";
        blast_limit: usize = value(200, number(0, 10_000_000)),
            "a supply's change that would mail more waits for `shipby queue release`";
        breaker: u32 = value(20, number(1, 10_000)),
            "so many refusals by policy in a row stop the sending; one mail at a time probes";
        grace: TimeDelta = value("50s", duration(SECOND, GRACE)),
            "what is under way may take so long once shipby is told to stop; up to 50s";
        retry: Vec<TimeDelta> = list(["1m", "5m", "30m", "1h", "2h", "3h"], duration(TimeDelta::milliseconds(1), DAY * 7)),
            "waits after a temporary failure; the last one repeats";
    }
    smtp: Smtp {
        host: String = value("127.0.0.1", host);
        port: Option<u16> = unset(587, number(1, 65_535)), "without it what goes with security: 25, 587 or 465";
        security: Security = value("none", one_of(Security::ALL.map(|kind| (kind.as_str(), kind)))),
            "none: this machine only | starttls | tls";
        username: Option<String> = optional("shipby", some_text);
        /// The password stands in a file of its own (chmod 600), here one of systemd's credentials:
        password_file: Option<String> = optional("$CREDENTIALS_DIRECTORY/smtp_password", secret::file);
        ca_file: Option<PathBuf> = optional("ca.pem", path), "certificates to trust besides the system's";
        timeout: TimeDelta = value("60s", duration(SECOND, HOUR)), "to connect, and for each command";
        hello_name: Option<String> = optional("mail.example.com", hello_name),
            "how we introduce ourselves; else this machine's name";
    }
    bounces: Bounces {
        /// Where mail goes that comes back, and complaints; each mail then leaves as bounce+<token>@…, which names its notice:
        address: Option<EmailAddress> = optional("bounce@shop.example", bounce_address),
            "without it mails leave as `from`";
        /// The mail server hands it to `shipby bounce`, or drops it into a Maildir that is looked into every second:
        maildir: Option<PathBuf> = optional("/var/mail/bounce", path);
    }
    promise: Promise {
        handling_days: u32 = value(0, number(0, 365)), "from the goods' arrival until they can leave";
        buffer_days: u32 = value(4, number(0, 365)), "added on top: if it arrives in 10 days, say 14";
        business_days: bool = value(false, switch), "count both in business days";
        holidays: Vec<NaiveDate> = list([], date), "no business days either: [\"2026-12-25\", \"2026-12-26\"]";
        improve_min_days: u32 = value(3, number(1, 365)), "a date that much earlier is worth a mail";
        settle: TimeDelta = value("15m", duration(TimeDelta::zero(), LONGEST_DEBOUNCE)),
            "how long a new date must stand before it is told, up to 1h";
    }
    schedule: Schedule {
        update_after: TimeDelta = value("48h", duration(MINUTE, DAY * 30)),
            "age of an order at its short plain update";
        status_every: u32 = value("7d", whole_days), "the longest silence, in whole days";
        status_at: NaiveTime = value("10:00", time), "routine mails, in the customer's zone where known";
        send_window: (NaiveTime, NaiveTime) = value("08:00-20:00", hours), "routine mails keep to these hours";
        send_days: SendDays = value("mon-sun", days), "also \"mon-fri\", \"mon,wed,fri\"";
        at_risk: u32 = value("3d", whole_days), "ops hear of a date so long before it, if the goods are not here";
        digest_at: NaiveTime = value("08:30", time), "the daily digest for ops, in the shop's zone";
        housekeeping_at: NaiveTime = value("03:30", time), "old bodies go, the database is tidied";
    }
    orders: Orders {
        partial: Partial = value("split", one_of(Partial::ALL.iter().map(|partial| (partial.as_str(), *partial)))),
            "split: ship what is there | hold: all at once";
        authorization_days: u32 = value(7, number(1, 365)),
            "how long a card's authorization holds; told anew, it begins anew";
    }
    templates: Templates {
        dir: PathBuf = value("templates", path), "read again on every save; without it the built-in set";
    }
    alerts: Alerts {
        to: Option<EmailAddress> = optional("ops@example.com", address),
            "who is told what needs a person; without it nobody";
        digest: bool = value(true, switch), "one mail a day to them, also when there is nothing to tell";
    }
    log: Log {
        format: LogFormat = value("auto", one_of(LogFormat::WORDS)),
            "auto: text on a terminal, else json | text | json";
        level: Level = value("info", one_of(LEVELS)), "error | warn | info | debug";
    }
}

/// The text of config.toml: every key, with its default or an example.
pub fn sample() -> String {
    let mut text = INTRO.to_owned();
    let mut last = "";
    for (section, key, line) in KEYS {
        if *section != last {
            text.push_str(&format!("\n[{section}]\n"));
            last = section;
        }
        for above in line.above {
            text.push_str(&format!("#{above}\n"));
        }
        let hash = if matches!(line.how, "value" | "list") { "" } else { "# " };
        let pair = format!("{hash}{key} = {}", line.literal);
        match line.comment {
            "" => text.push_str(&pair),
            comment => text.push_str(&format!("{pair:<42}  # {comment}")),
        }
        text.push('\n');
    }
    text
}

//! What a configuration says when it is wrong, word for word, and what it is when it is right.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use shipby::config::{Config, KEYS, LogFormat, Mode, Place, Security, variable};
use shipby::domain::customer::EmailAddress;
use shipby::domain::policy::Policy;

const NO_ENV: [(&str, &str); 0] = [];

fn env(pairs: &[(&str, &str)]) -> impl Iterator<Item = (String, String)> {
    pairs.iter().map(|(name, text)| (name.to_string(), text.to_string())).collect::<Vec<_>>().into_iter()
}

fn parse(text: &str, pairs: &[(&str, &str)]) -> Result<Config, String> {
    Config::parse(Path::new("config.toml"), text, env(pairs)).map_err(|error| error.to_string())
}

fn good(text: &str) -> Config {
    parse(text, &NO_ENV).unwrap()
}

fn refused(text: &str) -> String {
    parse(text, &NO_ENV).unwrap_err()
}

fn sample() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config.toml")
}

#[test]
fn the_file_at_the_top_level_says_the_defaults_and_nothing_else() {
    let config = Config::load(&sample(), env(&[])).unwrap();
    let defaults = Config::parse(&sample(), "", env(&[])).unwrap();
    assert_eq!(config.shop, defaults.shop);
    assert_eq!(config.database, defaults.database);
    assert_eq!(config.delivery, defaults.delivery);
    assert_eq!(config.smtp, defaults.smtp);
    assert_eq!(config.bounces, defaults.bounces);
    assert_eq!(config.templates, defaults.templates);
    assert_eq!(config.housekeeping_at, defaults.housekeeping_at);
    assert_eq!(config.alerts, defaults.alerts);
    assert_eq!(config.watch, defaults.watch);
    assert_eq!(config.log, defaults.log);
    assert_eq!(config.policy(), defaults.policy());
    assert_eq!(config.policy(), Policy::default());
}

#[test]
fn the_file_at_the_top_level_is_safe_and_says_what_it_does_not_do() {
    let config = Config::load(&sample(), env(&[])).unwrap();
    assert_eq!(config.delivery.mode, Mode::Capture);
    assert_eq!((config.smtp.host.as_str(), config.smtp.port), ("127.0.0.1", 25));
    assert_eq!(config.database.path, sample().with_file_name("shipby.db"));
    let warned: Vec<_> = config.warnings().iter().map(|w| w.key.as_str()).collect();
    assert!(warned.starts_with(&["shop.timezone", "shop.from", "delivery.mode"]), "{warned:?}");
}

#[test]
fn the_file_at_the_top_level_is_written_from_the_table_of_keys() {
    if std::env::var_os("UPDATE_CONFIG").is_some() {
        fs::write(sample(), shipby::config::sample()).unwrap();
    }
    let text = fs::read_to_string(sample()).unwrap();
    assert!(
        text == shipby::config::sample(),
        "config.toml is made from src/config/keys.rs: UPDATE_CONFIG=1 cargo test --test it table_of_keys"
    );
}

#[test]
fn every_key_stands_in_the_file_at_the_top_level() {
    let text = fs::read_to_string(sample()).unwrap();
    let mut section = "";
    let mut shown = Vec::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            section = name;
        } else if let Some((key, _)) = line.trim_start_matches("# ").split_once(" = ") {
            shown.push((section, key));
        }
    }
    shown.retain(|(_, key)| !key.contains(' '));
    let known: Vec<_> = KEYS.iter().map(|(section, key, _)| (*section, *key)).collect();
    assert_eq!(shown, known);
}

/// The text of the sample with every example behind a `#` taken in.
#[test]
fn the_examples_in_the_file_at_the_top_level_are_good() {
    let text = fs::read_to_string(sample()).unwrap();
    let taken_in = |line: &str| match line.strip_prefix("# ") {
        Some(rest) if KEYS.iter().any(|(_, key, _)| rest.starts_with(&format!("{key} = "))) => {
            rest.to_owned()
        }
        _ => line.to_owned(),
    };
    let text: Vec<String> = text.lines().map(taken_in).collect();
    let config = good(&text.join("\n"));
    assert_eq!(config.policy().zone, chrono_tz::Europe::Berlin);
    assert_eq!(config.smtp.username(), Some("shipby"));
}

#[test]
fn every_fault_is_reported_at_once_with_its_place_and_its_mend() {
    let text = r#"
[shop]
timezone = "Berlin"
locale = "de_DE"
status_url = "shop.example.com/{order}"
colour = "red"

[delivery]
mode = "lvie"
concurency = 3
concurrency = 0
rate = "fast"
retry = ["1m", "5 minutes"]
allow_recipients = ["ana"]

[smtp]
host = "mail.example.com"
timeout = 60
username = "shipby"

[promise]
holidays = ["25.12.2026", 2026-12-26]
settle = "2h"

[schedule]
update_after = "48"
status_every = "12h"
status_at = "9:30"
send_window = "20:00-08:00"
send_days = "mon-fry"

[oders]
partial = "split"
"#;
    let expected = r#"
config.toml:3:12 shop.timezone: "Berlin" is no IANA time zone; did you mean "Europe/Berlin"?
config.toml:4:10 shop.locale: "de_DE" is no language tag; write one as in "en" or "de-AT"
config.toml:5:14 shop.status_url: "shop.example.com/{order}" is no web address; write it in full, as in "https://shop.example.com/orders/{order}"
config.toml:6:1 shop.colour: unknown key
config.toml:9:8 delivery.mode: "lvie" is none of capture, redirect, live; did you mean "live"?
config.toml:10:1 delivery.concurency: unknown key; did you mean "concurrency"?
config.toml:11:15 delivery.concurrency: 0 will not do; write a number from 1 to 100
config.toml:12:8 delivery.rate: "fast" is no rate; write "20/s", "1200/m", "5000/h", or "unlimited"
config.toml:13:16 delivery.retry: "5 minutes" is no duration; write "5m" (a number and one of ms, s, m, h, d)
config.toml:14:21 delivery.allow_recipients: "ana" is neither a mail address nor a domain such as "@example.com": there is no @
config.toml:17:8 smtp.host: nothing would protect the mail on its way to "mail.example.com"; set security = "starttls" (or "tls"); "none" is for this machine only
config.toml:18:11 smtp.timeout: 60 has no unit; write a text such as "60s" (a number and one of ms, s, m, h, d)
config.toml:19:12 smtp.username: a user without a password; set password_file (or SHIPBY__SMTP__PASSWORD)
config.toml:22:13 promise.holidays: "25.12.2026" is no day of the calendar; write it as in "2026-12-25"
config.toml:23:10 promise.settle: "2h" will not do; write a duration from 0s to 1h
config.toml:26:16 schedule.update_after: "48" is no duration; write such as "48h" or "15m" (a number and one of ms, s, m, h, d)
config.toml:27:16 schedule.status_every: "12h" will not do; write a duration from 1d to 365d
config.toml:28:13 schedule.status_at: "9:30" is no time of day; write "09:30"
config.toml:29:15 schedule.send_window: "20:00-08:00" closes before it opens; a window lies within one day, as in "08:00-20:00"
config.toml:30:13 schedule.send_days: "fry" is none of mon, tue, wed, thu, fri, sat, sun; did you mean "fri"?
config.toml:32:2 oders: unknown section; did you mean "orders"?"#;
    assert_eq!(refused(text), expected.trim_start());
}

#[test]
fn a_key_in_the_wrong_place_is_told_where_it_stands() {
    assert_eq!(
        refused("mode = \"live\""),
        "config.toml:1:1 mode: unknown key here; mode stands under [delivery]"
    );
    assert_eq!(
        refused("[smtp]\nrate = \"1/s\""),
        "config.toml:2:1 smtp.rate: unknown key here; rate stands under [delivery]"
    );
    assert_eq!(refused("shop = 3"), "config.toml:1:1 shop: is a section; write [shop] on a line of its own");
}

#[test]
fn a_mistyped_password_is_in_no_message() {
    let cases = [
        (
            "[smtp]\npassword = \"hunter2\"",
            "config.toml:2:1 smtp.password: no secret stands in this file; write it to a file of its own (chmod 600) and use password_file",
        ),
        ("[smtp]\npasword_file = \"hunter2", "config.toml:2:24: not TOML: "),
        ("[smtp]\npassword_file = hunter2", "config.toml:2:17: not TOML: "),
        ("[smtp]\npassword_file = hunter2\"\n[shop]\nname = x", "config.toml:2:17: not TOML: "),
        (
            "[smtp]\nhost = \"smtps://shipby:hunter2@mail.example.com\"",
            "config.toml:2:8 smtp.host: \"smtps://…@mail.example.com\" is a web address; write the host's name alone",
        ),
        (
            "[database]\nurl = \"postgres://shipby:hunter2@db/shipby\"",
            "config.toml:2:7 database.url: \"postgres://…@db/shipby\" is no SQLite file; write a path such as \"shipby.db\"",
        ),
    ];
    for (text, expected) in cases {
        let message = refused(text);
        assert!(message.starts_with(expected), "{message}");
        assert!(!message.contains("hunter2"), "{message}");
    }
    let config = good("[smtp]\nusername = \"shipby\"\npassword_file = \"hunter2\"");
    let message = config.smtp.credentials().unwrap_err().to_string();
    assert_eq!(
        message,
        "config.toml:3:17 smtp.password_file: the file it names cannot be read: there is no such file"
    );
}

#[test]
fn the_modes_need_what_they_need() {
    assert_eq!(
        refused("[delivery]\nmode = \"redirect\""),
        "config.toml:2:8 delivery.mode: \"redirect\" needs an address to go to; set redirect_to = \"you@example.com\""
    );
    assert_eq!(
        refused("[delivery]\nmode = \"live\""),
        "config.toml:2:8 delivery.mode: \"live\" would write to customers from the sample's address; set shop.from to your own"
    );
    let config = good("[delivery]\nmode = \"redirect\"\nredirect_to = \"me@shop.example\"");
    assert_eq!(config.delivery.mode, Mode::Redirect(EmailAddress::parse("me@shop.example").unwrap()));
    let config = good(
        "[delivery]\nmode = \"live\"\n[shop]\nfrom = '\"Shop, Inc.\" <o@shop.example>'\ntimezone = \"UTC\"\n\
        [alerts]\nto = \"ops@shop.example\"",
    );
    assert_eq!(config.delivery.mode, Mode::Live);
    assert_eq!(config.shop.from.name.as_deref(), Some("Shop, Inc."));
    assert_eq!(config.shop.reply_to().as_str(), "o@shop.example");
    assert_eq!(config.warnings(), []);
}

#[test]
fn ops_say_what_they_want_to_hear_and_when() {
    let config = good(
        "[schedule]\nat_risk = \"5d\"\ndigest_at = \"07:15\"\n[orders]\nauthorization_days = 30\n\
         [alerts]\nto = \"ops@shop.example\"\ndigest = false",
    );
    assert_eq!((config.watch.at_risk_days, config.watch.authorization_days), (5, 30));
    assert_eq!(config.alerts.to, EmailAddress::parse("ops@shop.example").ok());
    assert_eq!((config.alerts.digest, config.alerts.digest_at.to_string().as_str()), (false, "07:15:00"));
    let usual = good("");
    assert_eq!((usual.watch.at_risk_days, usual.watch.authorization_days), (3, 7));
    assert_eq!((usual.alerts.to, usual.alerts.digest_at.to_string().as_str()), (None, "08:30:00"));
    assert!(usual.alerts.digest);
    let expected = r#"
config.toml:2:11 schedule.at_risk: "36h" is no whole number of days; write "1d"
config.toml:3:13 schedule.digest_at: "8:30" is no time of day; write "08:30"
config.toml:5:22 orders.authorization_days: 0 will not do; write a number from 1 to 365
config.toml:7:6 alerts.to: "ops" is no mail address: there is no @
config.toml:8:10 alerts.digest: "daily" is neither true nor false
config.toml:9:1 alerts.heartbeat: unknown key"#;
    let text = "[schedule]\nat_risk = \"36h\"\ndigest_at = \"8:30\"\n[orders]\nauthorization_days = 0\n\
        [alerts]\nto = \"ops\"\ndigest = \"daily\"\nheartbeat = true";
    assert_eq!(refused(text), expected.trim_start());
}

#[test]
fn where_mail_comes_back_to_leaves_room_for_a_token_and_a_maildir_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let text = "[bounces]\naddress = \"Bounce@Shop.example\"\nmaildir = \"bounces\"";
    let config = || Config::parse(&folder.path().join("config.toml"), text, env(&[])).unwrap();
    assert_eq!(config().bounces.address.unwrap().as_str(), "Bounce@shop.example");
    assert_eq!(config().bounces.maildir, Some(folder.path().join("bounces")));
    let warned = |config: Config| config.warnings().iter().any(|warning| warning.key == "bounces.maildir");
    assert!(warned(config()));
    std::fs::create_dir_all(folder.path().join("bounces/new")).unwrap();
    assert!(!warned(config()));
    let long = "returned-mail-of-the-shop-of";
    assert_eq!(
        refused(&format!("[bounces]\naddress = \"{long}@shop.example\"")),
        format!(
            "config.toml:2:11 bounces.address: \"{long}@shop.example\" leaves no room for the token of a notice; \
             write at most 27 characters before the @"
        )
    );
}

#[test]
fn without_an_address_of_ops_it_is_said_that_nobody_gets_the_digest() {
    let warned = |text: &str| good(text).warnings().iter().any(|warning| warning.key == "alerts.to");
    assert!(warned(""));
    assert!(!warned("[alerts]\nto = \"ops@shop.example\""));
    assert!(!warned("[alerts]\ndigest = false"));
}

#[test]
fn the_environment_has_the_last_word_on_every_key() {
    let pairs = [
        ("SHIPBY__DELIVERY__CONCURRENCY", "3"),
        ("SHIPBY__DELIVERY__RATE", "0"),
        ("SHIPBY__DELIVERY__RETRY", "1s, 500ms"),
        ("SHIPBY__PROMISE__BUSINESS_DAYS", "true"),
        ("SHIPBY__LOG__FORMAT", "json"),
        ("SHIPBY_CONFIG", "not ours"),
    ];
    let config = parse("[delivery]\nconcurrency = 5", &pairs).unwrap();
    assert_eq!(config.delivery.concurrency, 3);
    assert_eq!(config.delivery.rate, None);
    assert_eq!(config.policy().retry.delays.len(), 2);
    assert!(config.policy().business_days);
    assert_eq!(config.log.format, LogFormat::Json);
    for (section, key, _) in KEYS {
        let name = variable(section, key);
        // A line break is good for no key, so each must be found and refused.
        let message = parse("", &[(&name, "\n,\u{1}")]).unwrap_err();
        assert!(message.starts_with(&format!("{name} {section}.{key}: ")), "{message}");
    }
}

#[test]
fn a_variable_that_is_no_key_is_refused_with_the_nearest() {
    let message = parse("", &[("SHIPBY__DELIVERY__MOD", "live")]).unwrap_err();
    assert_eq!(
        message,
        "SHIPBY__DELIVERY__MOD: is no key of the configuration; did you mean \"SHIPBY__DELIVERY__MODE\"?"
    );
    let message = parse("", &[("SHIPBY__DELIVERY__MODE", "lve")]).unwrap_err();
    assert_eq!(
        message,
        "SHIPBY__DELIVERY__MODE delivery.mode: \"lve\" is none of capture, redirect, live; did you mean \"live\"?"
    );
}

#[test]
fn the_password_comes_from_a_file_that_only_its_owner_reads() {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("smtp_password");
    fs::write(&secret, "hunter2 \n").unwrap();
    let mode = |bits| fs::set_permissions(&secret, fs::Permissions::from_mode(bits)).unwrap();
    let file = folder.path().join("config.toml");
    let credentials = [("CREDENTIALS_DIRECTORY", folder.path().to_str().unwrap())];

    mode(0o600);
    for name in ["smtp_password", "$CREDENTIALS_DIRECTORY/smtp_password"] {
        let text = format!("[smtp]\nusername = \"shipby\"\npassword_file = \"{name}\"");
        let config = Config::parse(&file, &text, env(&credentials)).unwrap();
        let login = config.smtp.credentials().unwrap().unwrap();
        assert_eq!((login.username.as_str(), login.password.reveal()), ("shipby", "hunter2 "));
        assert!(!format!("{config:?} {login:?}").contains("hunter2"));
    }

    mode(0o644);
    let text = "[smtp]\nusername = \"shipby\"\npassword_file = \"smtp_password\"";
    let message = Config::parse(&file, text, env(&[])).unwrap_err().to_string();
    let (file, secret) = (file.display(), secret.display());
    assert_eq!(
        message,
        format!(
            "{file}:3:17 smtp.password_file: everybody on this machine may read {secret}; run: chmod 600 {secret}"
        )
    );
}

#[test]
fn a_credential_of_systemd_is_missed_only_where_it_is_needed() {
    let config =
        good("[smtp]\nusername = \"shipby\"\npassword_file = \"$CREDENTIALS_DIRECTORY/smtp_password\"");
    let message = config.smtp.credentials().unwrap_err().to_string();
    assert!(
        message.starts_with("config.toml:3:17 smtp.password_file: $CREDENTIALS_DIRECTORY is not set here; "),
        "{message}"
    );
}

#[test]
fn the_environment_may_give_the_password() {
    let config = parse("[smtp]\nusername = \"shipby\"", &[("SHIPBY__SMTP__PASSWORD", "hunter2")]).unwrap();
    assert_eq!(config.smtp.credentials().unwrap().unwrap().password.reveal(), "hunter2");
    assert!(!format!("{config:?}").contains("hunter2"));
}

#[test]
fn a_missing_file_says_how_to_get_one() {
    let message = Config::load(Path::new("/nowhere/config.toml"), env(&[])).unwrap_err().to_string();
    assert_eq!(
        message,
        "/nowhere/config.toml: cannot be read: there is no such file; write one with `shipby init`, or name another with --config FILE"
    );
}

#[test]
fn ports_go_with_the_security_and_loopback_needs_none() {
    let secured =
        |security| good(&format!("[smtp]\nhost = \"mail.example.com\"\nsecurity = \"{security}\"")).smtp;
    assert_eq!((secured("starttls").port, secured("starttls").security), (587, Security::StartTls));
    assert_eq!((secured("tls").port, secured("tls").security), (465, Security::Tls));
    for host in ["localhost", "127.0.0.1", "::1", "[::1]"] {
        assert_eq!(good(&format!("[smtp]\nhost = \"{host}\"")).smtp.port, 25);
    }
    assert_eq!(
        refused("[smtp]\nhost = \"localhost:2525\""),
        "config.toml:2:8 smtp.host: \"localhost:2525\" holds a port; write host = \"localhost\" and port = 2525"
    );
    assert_eq!(good("[smtp]\ntimeout = \"5s\"").smtp.body_timeout().as_secs(), 600);
}

#[test]
fn only_those_who_are_allowed_are_allowed() {
    let config = good("[delivery]\nallow_recipients = [\"Ana@example.com\", \"@Shop.example\"]");
    let allows = |address: &str| config.delivery.allowed.allows(&EmailAddress::parse(address).unwrap());
    assert!(allows("ana@example.com") && allows("x@SHOP.example"));
    assert!(!allows("ben@example.com") && !allows("x@sub.shop.example") && !allows("x@badshop.example"));
}

#[test]
fn a_link_takes_any_order_number_and_no_other_placeholder() {
    let config = good("[shop]\nstatus_url = \"https://shop.example/o/{order}?ref=mail\"");
    let link = config.shop.status_url.unwrap();
    assert_eq!(link.for_order("10/42 ä&x"), "https://shop.example/o/10%2F42%20%C3%A4%26x?ref=mail");
    for (url, why) in [
        ("https://shop.example/{number}", "has a placeholder that is not {order}, the only one there is"),
        ("https://{order}.example/", "has a placeholder in the host's name; {order} may stand after it only"),
        ("https:///orders", "names no host; write it as in \"https://shop.example.com/orders/{order}\""),
    ] {
        let message = refused(&format!("[shop]\nstatus_url = \"{url}\""));
        assert_eq!(message, format!("config.toml:2:14 shop.status_url: \"{url}\" {why}"));
    }
    let message = refused("[shop]\ncancel_url = \"javascript:alert(1)\"");
    assert!(message.contains("\"javascript:alert(1)\" is no web address"), "{message}");
}

#[test]
fn a_status_outside_the_window_is_a_warning_with_its_place() {
    let config = good("[schedule]\nstatus_at = \"21:00\"\nsend_window = \"00:00-24:00\"");
    assert!(config.warnings().iter().all(|w| w.key != "schedule.status_at"));
    let config = good("[schedule]\nstatus_at = \"21:00\"");
    let warning = config.warnings().iter().find(|w| w.key == "schedule.status_at").unwrap();
    assert_eq!(warning.place, Place::File { path: "config.toml".into(), line: 2, column: 13 });
    assert_eq!(warning.message, "21:00 is outside send_window; the status goes out at its nearest end");
}

#[test]
fn paths_count_from_the_folder_of_the_file() {
    let at = |text: &str| Config::parse(Path::new("/etc/shipby/config.toml"), text, env(&[])).unwrap();
    assert_eq!(at("").templates, Path::new("/etc/shipby/templates"));
    for url in ["shipby.db", "sqlite:shipby.db", "sqlite://shipby.db"] {
        let config = at(&format!("[database]\nurl = \"{url}\""));
        assert_eq!(config.database.path, Path::new("/etc/shipby/shipby.db"));
    }
    assert_eq!(at("[database]\nurl = \"sqlite:///var/lib/s.db\"").database.path, Path::new("/var/lib/s.db"));
}

#[test]
fn an_empty_text_is_the_same_as_no_text() {
    assert!(refused("[delivery]\nmode = \"redirect\"\nredirect_to = \"\"").contains("set redirect_to"));
    assert!(
        refused("[smtp]\nusername = \"shipby\"\npassword_file = \"\"").contains("a user without a password")
    );
    assert_eq!(good("[shop]\nstatus_url = \"\"").shop.status_url, None);
    assert_eq!(parse("", &[("SHIPBY__SMTP__USERNAME", "")]).unwrap().smtp.username(), None);
}

#[test]
fn a_password_without_a_user_is_refused_where_it_came_from() {
    let message = parse("", &[("SHIPBY__SMTP__PASSWORD", "hunter2")]).unwrap_err();
    assert_eq!(message, "SHIPBY__SMTP__PASSWORD smtp.username: a password without a user; set username");
}

#[test]
fn files_of_other_editors_are_read_and_numbers_as_toml_writes_them() {
    let config = good("\u{feff}[smtp]\r\nport = 0x19\r\n[delivery]\r\nconcurrency = +1_0\r\n");
    assert_eq!((config.smtp.port, config.delivery.concurrency), (25, 10));
    assert_eq!(
        refused("[smtp]\nport = 99999999999999999999"),
        "config.toml:2:8 smtp.port: a number far too large is no whole number; write one from 1 to 65535"
    );
    assert_eq!(refused("\u{feff}bad = 1"), "config.toml:1:1 bad: unknown key");
    let twice = refused("[log]\nlevel = \"info\"\n[log]\nlevel = \"warn\"");
    assert!(twice.starts_with("config.toml:3:") && twice.contains("not TOML: duplicate key"), "{twice}");
}

#[test]
fn an_offset_is_no_zone_and_nothing_that_is_hours_off_is_offered_for_it() {
    for zone in
        ["GMT+2", "GMT-5", "UTC+2", "UTC+02:00", "+02:00", "-05:00", "Etc/UTC+2", "PST", "BST", "CEST"]
    {
        assert_eq!(
            refused(&format!("[shop]\ntimezone = \"{zone}\"")),
            format!(
                "config.toml:2:12 shop.timezone: \"{zone}\" is no IANA time zone; write one as in \"Europe/Berlin\""
            )
        );
    }
    assert!(refused("[shop]\ntimezone = \"new york\"").ends_with("; did you mean \"America/New_York\"?"));
}

#[test]
fn what_is_quoted_cannot_turn_or_break_the_line_it_stands_on() {
    let text = "[shop]\ntimezone = \"Euro\u{2028}pe\u{202e}\"\n\"na\u{202e}me\" = 1\n[\"\u{2066}\"]\n[smtp]\nhost = \"\u{200f}\"";
    let expected = r#"
config.toml:2:12 shop.timezone: "Euro\u{2028}pe\u{202e}" is no IANA time zone; write one as in "Europe/Berlin"
config.toml:3:1 shop.na\u{202e}me: unknown key; did you mean "name"?
config.toml:4:2 \u{2066}: unknown section
config.toml:6:8 smtp.host: "\u{200f}" is no host's name; write it as in "mail.example.com""#;
    assert_eq!(refused(text), expected.trim_start());
    let twice = refused("[shop]\n\"\u{202e}\" = 1\n\"\u{202e}\" = 2");
    assert!(twice.contains("not TOML: ") && !twice.contains('\u{202e}'), "{twice}");
}

proptest::proptest! {
    /// Whatever is typed into the sample, it is read or refused with one line per fault.
    #[test]
    fn no_text_breaks_the_reader(at in 0usize..4000, text in "\\PC{0,12}|[\\[\\]\"=\n\\\\#{}0-9a-z.:-]{0,12}") {
        let mut sample = fs::read_to_string(sample()).unwrap();
        let at = (at.min(sample.len())..=sample.len()).find(|at| sample.is_char_boundary(*at)).unwrap();
        sample.insert_str(at, &text);
        if let Err(error) = Config::parse(Path::new("config.toml"), &sample, env(&[])) {
            proptest::prop_assert_eq!(error.to_string().lines().count(), error.problems.len());
        }
    }
}

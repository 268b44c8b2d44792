//! What the configuration asks for, made: what renders, the relay, the dispatcher.

use std::sync::Arc;

use crate::clock::{self, Clock};
use crate::config::{self, Config, ConfigError};
use crate::digest::{Asked, Carrier, Courier, LISTED};
use crate::dispatcher::{Dispatcher, MailRenderer, Settings, Transport};
use crate::mail::{
    ComposeError, Credentials, Mailbox, Relay, RelayError, RelaySettings, Security, Timeouts, Verp,
};
use crate::store::Store;
use crate::templates::{
    CHECK_TIMEOUT, CurrentTemplates, Shop, Source, TemplateError, TemplateSet, load_within,
};
use crate::wakeup::Daily;

/// Why the parts cannot be made as the configuration asks.
#[derive(Debug, thiserror::Error)]
pub enum WiringError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Template(#[from] TemplateError),
    #[error("{0}")]
    Relay(#[from] RelayError),
    #[error("shop.from, shop.support_email, bounces.address or alerts.to: {0}")]
    Address(#[from] ComposeError),
}

/// The template set in `[templates] dir`, or the compiled-in one where there is no such folder.
///
/// # Errors
/// With file, line and column if the folder's set cannot be used.
pub fn templates(config: &Config) -> Result<TemplateSet, TemplateError> {
    load_within(CHECK_TIMEOUT, template_source(config), None).into_set()
}

/// What the templates may say of the shop.
pub fn shop(config: &Config) -> Shop {
    let link = |link: &Option<config::Link>| link.as_ref().map(|link| link.as_str().to_owned());
    Shop {
        name: config.shop.name.clone(),
        support_email: config.shop.reply_to().as_str().to_owned(),
        status_url: link(&config.shop.status_url),
        cancel_url: link(&config.shop.cancel_url),
        locale: config.shop.locale.clone(),
    }
}

/// Everything a mail is written with.
///
/// # Errors
/// If the templates or the shop's addresses cannot be used.
pub fn renderer(config: &Config) -> Result<MailRenderer, WiringError> {
    desk_with(config, CurrentTemplates::new(templates(config)?), None)
}

fn desk_with(
    config: &Config,
    templates: CurrentTemplates,
    verp: Option<Verp>,
) -> Result<MailRenderer, WiringError> {
    let (from, reply_to) = addresses(config)?;
    Ok(MailRenderer { templates, shop: shop(config), from, reply_to, verp })
}

/// What names a notice in the envelope's sender; None where no address for bounces is configured.
///
/// # Errors
/// If a token does not fit into that address.
pub fn verp(config: &Config, store: &Store) -> Result<Option<Verp>, WiringError> {
    let address = config.bounces.address.as_ref();
    Ok(address.map(|address| Verp::new(address.as_str(), store.bounce_key())).transpose()?)
}

/// Who the mails are from, and where replies go if that is another address.
///
/// # Errors
/// If one of them is no address.
pub fn addresses(config: &Config) -> Result<(Mailbox, Option<Mailbox>), WiringError> {
    let from = &config.shop.from;
    let support = config.shop.support_email.as_ref();
    let reply_to = support.map(|email| Mailbox::new("support address", None, email.as_str())).transpose()?;
    Ok((Mailbox::new("sender", from.name.as_deref(), from.address.as_str())?, reply_to))
}

/// The relay of `[smtp]`; reads the password.
///
/// # Errors
/// If the settings do not go together, or a file they name cannot be read.
pub fn relay(config: &Config) -> Result<Relay, WiringError> {
    let smtp = &config.smtp;
    let credentials =
        smtp.credentials()?.map(|c| Credentials::new(c.username, c.password.reveal().to_owned()));
    let domain = config.shop.from.address.domain();
    Ok(Relay::new(RelaySettings {
        host: smtp.host.clone(),
        port: smtp.port,
        security: match smtp.security {
            config::Security::None => Security::None,
            config::Security::StartTls => Security::StartTls,
            config::Security::Tls => Security::Tls,
        },
        hello_name: smtp.hello_name.clone().unwrap_or_else(|| domain.to_owned()),
        credentials,
        ca_file: smtp.ca_file.clone(),
        timeouts: Timeouts { connect: smtp.timeout, command: smtp.timeout, body: smtp.body_timeout() },
    })?)
}

/// A relay on this machine without encryption, for a catcher or a test.
///
/// # Errors
/// If `host` is not this machine.
pub fn local_relay(host: &str, port: u16) -> Result<Relay, RelayError> {
    Relay::new(RelaySettings {
        host: host.to_owned(),
        port,
        security: Security::None,
        hello_name: "localhost".to_owned(),
        credentials: None,
        ca_file: None,
        timeouts: Timeouts::default(),
    })
}

/// The dispatcher the configuration asks for, with the templates as they are now.
///
/// # Errors
/// If one of its parts cannot be made.
pub fn dispatcher(
    config: &Config,
    store: Store,
    clock: Clock,
    owner: String,
) -> Result<Dispatcher, WiringError> {
    dispatcher_with(config, store, clock, owner, CurrentTemplates::new(templates(config)?))
}

/// The same with templates that may change while it works.
///
/// # Errors
/// If one of its parts cannot be made.
pub fn dispatcher_with(
    config: &Config,
    store: Store,
    clock: Clock,
    owner: String,
    templates: CurrentTemplates,
) -> Result<Dispatcher, WiringError> {
    let transport = match config.delivery.mode {
        config::Mode::Capture => Transport::Capture,
        _ => Transport::Smtp(Arc::new(relay(config)?)),
    };
    let renderer = desk_with(config, templates, verp(config, &store)?)?;
    let mode = config.delivery.mode.clone();
    let settings = Settings { rate: config.delivery.rate, ..settings(config, owner, mode) };
    Ok(Dispatcher::new(store, clock, transport, renderer, settings))
}

/// The dispatcher of a simulation, which knows no rate: its clock stands still while it sends.
///
/// # Errors
/// If one of its parts cannot be made.
pub fn simulated(
    config: &Config,
    store: Store,
    clock: Clock,
    owner: &str,
    transport: Transport,
) -> Result<Dispatcher, WiringError> {
    let mode = match transport {
        Transport::Capture => config::Mode::Capture,
        Transport::Smtp(_) => config::Mode::Live,
    };
    let settings = settings(config, owner.to_owned(), mode);
    Ok(Dispatcher::new(store, clock, transport, renderer(config)?, settings))
}

fn settings(config: &Config, owner: String, mode: config::Mode) -> Settings {
    Settings {
        owner,
        mode,
        allowed: config.delivery.allowed.clone(),
        concurrency: config.delivery.concurrency,
        rate: None,
        breaker: config.delivery.breaker,
        policy: config.policy(),
        built: clock::built(),
    }
}

/// Who brings ops the daily digest, where they want it, and alerts; None where the configuration names nobody.
///
/// # Errors
/// If one of its parts cannot be made.
pub fn courier(config: &Config, store: Store, clock: Clock) -> Result<Option<Courier>, WiringError> {
    let Some(to) = config.alerts.to.as_ref() else { return Ok(None) };
    let (from, policy) = (&config.shop.from, config.policy());
    Ok(Some(Courier {
        store,
        clock,
        carrier: match config.delivery.mode {
            config::Mode::Capture => Carrier::Capture,
            _ => Carrier::Smtp(Arc::new(relay(config)?)),
        },
        mode: config.delivery.mode.clone(),
        shop: config.shop.name.clone(),
        from: Mailbox::new("sender", from.name.as_deref(), from.address.as_str())?,
        to: Mailbox::new("address of ops", None, to.as_str())?,
        daily: config.alerts.digest.then_some(Daily { at: config.alerts.digest_at, zone: policy.zone }),
        asked: Asked { zone: policy.zone, watch: config.watch, most: Some(LISTED) },
        retry: policy.retry,
    }))
}

/// Where the configuration's templates are: its folder, or compiled in where there is no such folder.
pub fn template_source(config: &Config) -> Source {
    if config.templates.is_dir() { Source::Folder(config.templates.clone()) } else { Source::CompiledIn }
}

//! The command line: a file per verb. Results go to stdout, messages to stderr; see [`Exit`] for the codes.

mod address;
mod batches;
mod bounce;
mod cancel;
mod change;
mod check;
mod demo;
mod digest;
mod eta;
mod filter;
mod forecast;
mod format;
mod history;
mod impact;
mod import;
mod init;
mod lookup;
mod notice_row;
mod order;
mod output;
mod parsers;
mod pause;
mod progress;
mod promise_breakdown;
mod queue;
mod receive;
mod recover;
mod refund;
mod rejects;
mod serve;
mod ship;
mod show;
mod simulate;
mod single;
mod suppress;
mod table;
mod template;
mod timeline;
mod unit;
mod upcoming;
mod why;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::{self, Config, ConfigError};
use crate::store::{Store, StoreError};
use crate::templates::TemplateError;
use crate::text::plain_lines;
use crate::wiring::WiringError;

/// Keeps customers informed while they wait for backordered and preordered goods.
#[derive(Debug, Parser)]
#[command(name = "shipby", version, max_term_width = 100)]
pub struct Cli {
    /// The configuration.
    #[arg(long, global = true, value_name = "FILE", default_value = "config.toml")]
    config: PathBuf,
    /// Answer as one JSON document with stable field names.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run the daemon.
    Serve,
    /// Prove configuration, database, templates and mail server; change nothing.
    Check(check::Check),
    /// Five weeks of a shop's life in seconds: simulated clock, the real code, a real SMTP dialogue.
    Demo(demo::Args),
    /// Replay dated facts through the real planner and dispatcher on a simulated clock.
    Simulate(simulate::Args),
    /// Write config.toml and templates to start from.
    Init(init::Args),
    /// Take in facts from a file: JSONL, or CSV of the kind named.
    Import(import::Args),
    /// Look at orders; give one another address.
    #[command(subcommand)]
    Order(order::Orders),
    /// When goods are expected.
    #[command(subcommand)]
    Eta(eta::Verb),
    /// Goods have arrived.
    Receive(receive::Args),
    /// Goods of an order were handed to a carrier.
    Ship(ship::Args),
    /// An order, or lines of it, was called off.
    Cancel(cancel::Args),
    /// Money of an order was given back.
    Refund(refund::Args),
    /// Everything we told a customer.
    History(history::History),
    /// A mail as it was sent, and what became of it.
    Show(show::Show),
    /// The decisions about an order so far and the next ones, with their reasons.
    Why(why::Why),
    /// What will go out if nothing changes.
    Upcoming(upcoming::Upcoming),
    /// What needs a person today, as the daily mail to ops says it.
    Digest(digest::Digest),
    /// Look at what is not settled; try it again, hold it, release or drop it.
    #[command(subcommand)]
    Queue(queue::Queue),
    /// Hold mail back: all of it, or what is about a SKU or an order.
    Pause(pause::Pausing),
    /// End a pause; what waited goes out if it is still true.
    Resume(pause::Resuming),
    /// Take in a mail that came back: a bounce or a complaint, on stdin.
    Bounce(bounce::Bounce),
    /// Addresses that get no mail any more.
    #[command(subcommand)]
    Suppress(suppress::Verb),
    /// Look at the mails, prove them, try an edit.
    #[command(subcommand)]
    Template(template::Verb),
    /// After a backup was restored: hold all that came due since, for it may have been sent already.
    Recover(recover::Args),
    /// Print the hardened systemd unit.
    Unit(unit::Unit),
}

/// How a command ended; the number is its exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    Done = 0,
    Failed = 1,
    Usage = 2,
    /// Done, but with rejects or warnings.
    Rejects = 3,
    NotFound = 4,
    /// The order's state does not take it.
    Refused = 5,
    /// The database cannot be reached.
    Database = 69,
    /// The mail server said: later; or we say so to it.
    MailLater = 75,
    Config = 78,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// What a verb answers: how it ended, or why it could not be done.
type Answer = anyhow::Result<Exit>;

/// What every verb is given.
#[derive(Debug)]
struct Call {
    config: PathBuf,
    json: bool,
}

impl Call {
    fn config(&self) -> Result<Config, ConfigError> {
        Config::load(&self.config, config::environment())
    }

    /// The database of the configuration, which must exist.
    async fn store(&self, config: &Config) -> Result<Store, StoreError> {
        Store::open_existing(&config.database.path).await
    }
}

/// Parses the command line and does what it says.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let call = Call { config: cli.config, json: cli.json };
    // A simulation does one thing after the other; waking other threads for it would cost more than the work.
    let mut builder = match cli.verb {
        Verb::Simulate(_) => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    let runtime = match builder.enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("shipby: {error}");
            return Exit::Failed.into();
        }
    };
    let answer = runtime.block_on(async {
        match cli.verb {
            Verb::Serve => serve::run(&call).await,
            Verb::Demo(args) => demo::run(args).await,
            Verb::Simulate(args) => simulate::run(&call, args).await,
            Verb::Check(check) => check::run(&call, &check).await,
            Verb::Order(orders) => order::run(&call, &orders).await,
            Verb::History(history) => history::run(&call, &history).await,
            Verb::Show(show) => show::run(&call, &show).await,
            Verb::Why(why) => why::run(&call, &why).await,
            Verb::Upcoming(upcoming) => upcoming::run(&call, &upcoming).await,
            Verb::Digest(digest) => digest::run(&call, &digest).await,
            Verb::Queue(queue) => queue::run(&call, &queue).await,
            Verb::Pause(args) => pause::pause(&call, &args).await,
            Verb::Resume(args) => pause::resume(&call, &args).await,
            Verb::Bounce(bounce) => bounce::run(&call, &bounce).await,
            Verb::Suppress(verb) => suppress::run(&call, &verb).await,
            Verb::Template(verb) => template::run(&call, &verb).await,
            Verb::Recover(args) => recover::run(&call, &args).await,
            Verb::Unit(unit) => unit::run(&call, &unit),
            Verb::Init(args) => init::run(&call, &args),
            Verb::Import(args) => import::run(&call, &args).await,
            Verb::Eta(verb) => eta::run(&call, &verb).await,
            Verb::Receive(args) => receive::run(&call, &args).await,
            Verb::Ship(args) => ship::run(&call, &args).await,
            Verb::Cancel(args) => cancel::run(&call, &args).await,
            Verb::Refund(args) => refund::run(&call, &args).await,
        }
    });
    match answer {
        Ok(exit) => exit.into(),
        Err(error) => {
            let exit = exit_of(&error);
            if call.json {
                let error = plain_lines(&format!("{error:#}"));
                eprintln!("{}", serde_json::json!({ "error": error, "exit": exit as u8 }));
            } else {
                output::message(&format!("shipby: {error:#}"));
            }
            exit.into()
        }
    }
}

/// The code an error ends with.
fn exit_of(error: &anyhow::Error) -> Exit {
    let is_config = error.downcast_ref::<ConfigError>().is_some()
        || error.downcast_ref::<WiringError>().is_some()
        || error.downcast_ref::<TemplateError>().is_some();
    if is_config {
        Exit::Config
    } else if error.downcast_ref::<StoreError>().is_some() {
        Exit::Database
    } else {
        error.downcast_ref::<output::Stop>().map_or(Exit::Failed, |stop| stop.exit)
    }
}

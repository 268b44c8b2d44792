//! `shipby serve`: the daemon.

use super::{Answer, Call, Exit};
use crate::clock::Clock;
use crate::{daemon, telemetry};

pub(super) async fn run(call: &Call) -> Answer {
    let config = call.config()?;
    let rust_log = std::env::var("RUST_LOG").ok();
    telemetry::init(config.log.format.json(), config.log.level, rust_log.as_deref())?;
    for warning in config.warnings() {
        tracing::warn!("{warning}");
    }
    daemon::serve(&config, Clock::System).await?;
    Ok(Exit::Done)
}

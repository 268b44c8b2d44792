//! The daemon: one owner per database, one loop per duty, each woken when there is work and by the monotonic clock.
//!
//! Being woken is only haste: what must happen is in the database first. Each loop also wakes every second, for
//! cron stands still when the wall clock jumps back.

mod database_faults;
mod status_line;
mod templates;

use std::time::Duration;

use anyhow::Context;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::bounces::maildir::Maildir;
use crate::clock::{self, Clock};
use crate::config::{Config, Mode};
use crate::digest::Courier;
use crate::dispatcher::Dispatcher;
use crate::domain::policy::Policy;
use crate::planner;
use crate::store::{Lock, Store, StoreError};
use crate::telemetry::{Heartbeat, Supervisor, Watchdog};
use crate::wakeup::{Cron, Daily, EVERY_MINUTE, EVERY_SECOND, Wakeup};
use crate::wiring;
use database_faults::DatabaseFaults;
use status_line::StatusLine;
use templates::Templates;

/// The longest a loop may stand still before the service manager is told.
const STALLED: Duration = Duration::from_secs(120);

/// Runs until it is told to stop (SIGTERM, SIGINT); then finishes what is in flight.
///
/// # Errors
/// If it cannot start: another daemon owns the database, or a part cannot be made as the configuration asks.
pub async fn serve(config: &Config, clock: Clock) -> anyhow::Result<()> {
    let supervisor = Supervisor::from_env();
    let mut signals = StopSignals::listen()?;
    // Heard from the first moment too: unheard it would end us.
    let hangup = signal(SignalKind::hangup())?;
    let path = &config.database.path;
    let lock = Lock::take(path)?;
    let store = Store::open_owned(&lock).await?;
    let policy = config.policy();
    let now = clock.now();
    let owner = format!("{}-{}", std::process::id(), now.timestamp_millis());
    let templates = Templates::open(config, store.clone(), clock.clone(), supervisor.clone()).await?;
    let dispatcher =
        wiring::dispatcher_with(config, store.clone(), clock.clone(), owner, templates.current.clone())?;
    let courier = wiring::courier(config, store.clone(), clock.clone())?;
    let (back, doubtful) = store.recover(now, &policy).await?;
    if back + doubtful > 0 {
        tracing::warn!(back, doubtful, "the last daemon left notices in its hands: taken back, or in doubt");
    }
    enter_mode(&store, config, &clock).await?;

    let stop = CancellationToken::new();
    let (plan, dispatch, keep_house) = (Wakeup::default(), Wakeup::default(), Wakeup::default());
    let tell_ops = Wakeup::default();
    let lines = vec![
        (EVERY_SECOND, plan.clone()),
        (EVERY_SECOND, dispatch.clone()),
        (EVERY_MINUTE, keep_house.clone()),
        (EVERY_MINUTE, tell_ops.clone()),
    ];
    let cron = Cron::start(lines).await.context("the bells cannot be rung")?;
    let mut watchdog = Watchdog::default();
    let faults = DatabaseFaults::new(supervisor.clone(), path.clone());
    let duty = |wakeup: &Wakeup, other: &Wakeup, heartbeat: Heartbeat| Duty {
        store: store.clone(),
        clock: clock.clone(),
        policy: policy.clone(),
        wakeup: wakeup.clone(),
        other: other.clone(),
        heartbeat,
        stop: stop.clone(),
        faults: faults.clone(),
    };
    let mut duties = JoinSet::new();
    duties.spawn(duty(&plan, &dispatch, watchdog.watch("planner", STALLED)).plan());
    // A mail may take as long as its relay: the body's reply alone has ten minutes.
    let patient = config.smtp.body_timeout() + 4 * config.smtp.timeout + STALLED;
    duties.spawn(
        duty(&dispatch, &plan, watchdog.watch("dispatcher", patient))
            .dispatch(dispatcher, supervisor.clone()),
    );
    let daily = Daily { at: config.housekeeping_at, zone: policy.zone };
    let keep = config.database.keep_bodies;
    duties.spawn(duty(&keep_house, &plan, watchdog.watch("housekeeping", STALLED)).keep_house(daily, keep));
    if let Some(courier) = courier {
        duties.spawn(duty(&tell_ops, &plan, watchdog.watch("digest", patient)).tell_ops(courier));
    }
    if let Some(folder) = config.bounces.maildir.clone() {
        let verp = wiring::verp(config, &store)?;
        let maildir = Maildir::new(folder, store.clone(), verp, clock.clone(), policy.clone());
        // No cron line rings for it: it looks every second.
        duties
            .spawn(duty(&Wakeup::default(), &plan, watchdog.watch("bounces", STALLED)).take_bounces(maildir));
    }
    duties.spawn(templates.watch(hangup, watchdog.watch("templates", STALLED), stop.clone()));
    duties.spawn(watchdog.run(supervisor.clone(), stop.clone()));

    supervisor.ready();
    tracing::info!(database = %path.display(), mode = config.delivery.mode.as_str(), "ready");
    signals.told_to_stop().await;
    tracing::info!("stopping: what is in flight is finished first");
    supervisor.stopping();
    stop.cancel();
    cron.stop().await;
    let finished = async { while duties.join_next().await.is_some() {} };
    tokio::select! {
        () = finished => {}
        () = tokio::time::sleep(config.delivery.grace) => tracing::warn!("the relay did not answer in time"),
        () = signals.told_to_stop() => {}
    }
    duties.shutdown().await;
    if !faults.is_damage() {
        // What had begun to leave and got no answer is in doubt from here on, not only at the next start.
        store.recover(clock.now(), &policy).await?;
    }
    store.close().await;
    Ok(())
}

/// With the first live start open orders are taken as imported with `--notify future`: what was captured or
/// redirected told the customers nothing.
async fn enter_mode(store: &Store, config: &Config, clock: &Clock) -> anyhow::Result<()> {
    const MODE: &str = "mode";
    let mode = config.delivery.mode.as_str();
    let last = store.meta(MODE).await?;
    if last.as_deref() != Some(mode) {
        // A database that no daemon has served yet holds nothing that went elsewhere.
        if config.delivery.mode == Mode::Live && last.is_some() {
            let orders = store.go_live(clock.now()).await?;
            tracing::info!(orders, "live from now on; open orders are taken as they stand");
        }
        store.set_meta(MODE, mode).await?;
    }
    Ok(())
}

/// SIGTERM and SIGINT. Heard from the first moment, so that being stopped while starting is no crash.
struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    fn listen() -> std::io::Result<Self> {
        let terminate = signal(SignalKind::terminate())?;
        Ok(Self { terminate, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn told_to_stop(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// A loop with one duty.
struct Duty {
    store: Store,
    clock: Clock,
    policy: Policy,
    wakeup: Wakeup,
    /// Rung when this duty has made work for the other.
    other: Wakeup,
    heartbeat: Heartbeat,
    stop: CancellationToken,
    faults: DatabaseFaults,
}

impl Duty {
    /// Waits to be woken or for a second; false once it is over. Over a damaged database there is nothing but the end.
    async fn next(&self) -> bool {
        loop {
            self.heartbeat.heartbeat();
            let goes_on = tokio::select! {
                _ = self.wakeup.wait_or(Duration::from_secs(1)) => !self.stop.is_cancelled(),
                () = self.stop.cancelled() => false,
            };
            if !goes_on || !self.faults.is_damage() {
                return goes_on;
            }
        }
    }

    async fn plan(self) {
        let mut waking = true;
        loop {
            let now = self.clock.now();
            let planned = planner::turn(&self.store, &self.policy, now).await;
            if self.faults.take("planning failed", planned).is_some_and(|counts| counts.queued > 0) {
                self.other.call();
            }
            if waking {
                // Behind what is due: a changed policy must not keep anybody waiting.
                let woken = planner::wake_after_change(&self.store, &self.policy, now).await;
                match self.faults.take("open orders could not be woken", woken) {
                    Some(more) => waking = more,
                    // Not at once: the next turn is soon enough.
                    None if !self.next().await => return,
                    None => continue,
                }
                if waking && !self.stop.is_cancelled() {
                    self.heartbeat.heartbeat();
                    continue;
                }
            }
            if !self.next().await {
                return;
            }
        }
    }

    async fn dispatch(self, mut dispatcher: Dispatcher, supervisor: Supervisor) {
        let mut status_line = StatusLine::new(self.policy.zone);
        dispatcher.heartbeats(self.heartbeat.clone());
        loop {
            let drained = dispatcher.drain(&self.stop).await;
            if let Some(report) = self.faults.take("nothing is sent whose outcome cannot be stored", drained)
            {
                if report.settled > 0 || report.relay_down.is_some() {
                    self.other.call();
                }
                status_line.take(report);
            }
            let pauses = self.store.pauses(self.clock.now()).await;
            if let Some(pauses) = self.faults.take("what is paused cannot be read", pauses) {
                status_line.paused_by(pauses);
            }
            if let Some(text) = status_line.news() {
                supervisor.status("mail", &text);
            }
            if !self.next().await {
                dispatcher.close().await;
                return;
            }
        }
    }

    /// A connection of its own: customers' mail never waits for it.
    async fn tell_ops(self, courier: Courier) {
        loop {
            // A clock before this program was made knows no days.
            if self.clock.is_right(clock::built()) {
                self.faults.take("ops could not be written to", courier.turn(&self.stop).await);
            }
            if !self.next().await {
                return;
            }
        }
    }

    async fn take_bounces(self, mut maildir: Maildir) {
        loop {
            let turn = self.faults.take("mail that came back waits", maildir.turn().await);
            if turn.as_ref().is_some_and(|turn| turn.applied > 0) {
                self.other.call();
            }
            if turn.is_some_and(|turn| turn.more) && !self.stop.is_cancelled() {
                self.heartbeat.heartbeat();
                continue;
            }
            if !self.next().await {
                return;
            }
        }
    }

    async fn keep_house(self, daily: Daily, keep: chrono::TimeDelta) {
        loop {
            let kept = self.house_kept(daily, keep).await;
            if let Some(Some(bodies)) = self.faults.take("the house could not be kept", kept) {
                tracing::info!(bodies, "house kept: old mails' texts removed");
            }
            if !self.next().await {
                return;
            }
        }
    }

    /// Once a day: how many old mails' texts were removed.
    async fn house_kept(&self, daily: Daily, keep: chrono::TimeDelta) -> Result<Option<u64>, StoreError> {
        const LAST: &str = "housekeeping";
        let now = self.clock.now();
        let last = self.store.meta(LAST).await?.and_then(|day| day.parse().ok());
        let Some(today) = daily.due(now, last) else { return Ok(None) };
        let bodies = self.store.forget_bodies(now - keep).await?;
        self.store.set_meta(LAST, &today.to_string()).await?;
        Ok(Some(bodies))
    }
}

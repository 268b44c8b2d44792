//! What wakes the loops that do the work. Being woken is only haste.
//!
//! What must happen is in the database before anybody is woken, and every loop also wakes by itself on
//! the monotonic clock: cron stands still when the wall clock jumps back. tokio-cron-scheduler decides
//! nothing and does no work here; it wakes.

use std::sync::Arc;
use std::time::Duration;

use chrono::{NaiveDate, NaiveTime};
use chrono_tz::Tz;
use tokio::sync::Notify;
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};
use tokio_util::sync::CancellationToken;

use crate::domain::calendar::{Instant, day_of, instant_of};

/// Wakes one loop: all clones wake the same one.
#[derive(Debug, Clone, Default)]
pub struct Wakeup(Arc<Notify>);

/// What ended a wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Woken {
    Called,
    /// Nobody called for as long as was to be waited.
    Alone,
}

impl Wakeup {
    /// Wakes the loop, now or as soon as it waits. Calls that are not heard yet count once.
    pub fn call(&self) {
        self.0.notify_one();
    }

    /// Waits for a call, but no longer than `limit`. A call is not lost when this future is dropped.
    pub async fn wait_or(&self, limit: Duration) -> Woken {
        match tokio::time::timeout(limit, self.0.notified()).await {
            Ok(()) => Woken::Called,
            Err(_) => Woken::Alone,
        }
    }
}

/// A cron line in UTC with six fields: at each second.
pub const EVERY_SECOND: &str = "* * * * * *";
/// At each full minute. Daily duties take this and ask [`Daily`]: cron knows no zones that can be trusted.
pub const EVERY_MINUTE: &str = "0 * * * * *";

/// The cron that wakes loops.
pub struct Cron {
    scheduler: JobScheduler,
    stopped: CancellationToken,
}

impl Cron {
    /// Wakes each by its cron line (six fields, UTC) until stopped.
    pub async fn start(lines: Vec<(&'static str, Wakeup)>) -> Result<Self, JobSchedulerError> {
        let scheduler = JobScheduler::new().await?;
        let stopped = CancellationToken::new();
        for (line, wakeup) in lines {
            let stopped = stopped.clone();
            let job = Job::new(line, move |_, _| {
                // A tick can still come after `shutdown`.
                if !stopped.is_cancelled() {
                    wakeup.call();
                }
            })?;
            scheduler.add(job).await?;
        }
        scheduler.start().await?;
        Ok(Self { scheduler, stopped })
    }

    /// Nobody is woken after this. There is no work to wait for.
    pub async fn stop(mut self) {
        self.stopped.cancel();
        if let Err(error) = self.scheduler.shutdown().await {
            tracing::debug!(%error, "cron did not shut down");
        }
    }
}

/// A duty of once a civil day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Daily {
    pub at: NaiveTime,
    pub zone: Tz,
}

impl Daily {
    /// The day to do the duty for, if it is time and was not done: `last` is the day it was last done for.
    /// Days that were slept through are not made up for, and a clock set back repeats none.
    pub fn due(&self, now: Instant, last: Option<NaiveDate>) -> Option<NaiveDate> {
        let today = day_of(now, self.zone);
        let time = now >= instant_of(today.and_time(self.at), self.zone);
        (time && last.is_none_or(|last| last < today)).then_some(today)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_call_before_the_wait_is_heard_and_two_count_once() {
        let wakeup = Wakeup::default();
        wakeup.call();
        wakeup.clone().call();
        assert_eq!(wakeup.wait_or(Duration::from_secs(10)).await, Woken::Called);
        assert_eq!(wakeup.wait_or(Duration::from_millis(5)).await, Woken::Alone);
    }

    #[tokio::test]
    async fn cron_calls_until_it_is_stopped() {
        let wakeup = Wakeup::default();
        let cron = Cron::start(vec![(EVERY_SECOND, wakeup.clone())]).await.unwrap();
        assert_eq!(wakeup.wait_or(Duration::from_secs(20)).await, Woken::Called);
        cron.stop().await;
        while wakeup.wait_or(Duration::from_millis(1)).await == Woken::Called {}
        assert_eq!(wakeup.wait_or(Duration::from_millis(1500)).await, Woken::Alone);
    }

    #[tokio::test]
    async fn a_bad_cron_line_is_refused() {
        assert!(Cron::start(vec![("* * * * *", Wakeup::default())]).await.is_err());
        assert!(Cron::start(vec![(EVERY_MINUTE, Wakeup::default())]).await.is_ok());
    }

    #[test]
    fn a_daily_duty_comes_once_a_civil_day_also_when_the_clocks_change() {
        let at = |text: &str| text.parse::<Instant>().unwrap();
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        let daily = Daily { at: NaiveTime::from_hms_opt(2, 30, 0).unwrap(), zone: chrono_tz::Europe::Berlin };
        // 02:30 does not exist on 29 March and comes twice on 25 October.
        assert_eq!(daily.due(at("2026-03-29T00:59:59Z"), None), None);
        assert_eq!(daily.due(at("2026-03-29T01:00:00Z"), Some(day("2026-03-28"))), Some(day("2026-03-29")));
        assert_eq!(daily.due(at("2026-10-25T00:30:00Z"), None), Some(day("2026-10-25")));
        assert_eq!(daily.due(at("2026-10-25T01:30:00Z"), Some(day("2026-10-25"))), None);
        // Asleep for days, then set back.
        assert_eq!(daily.due(at("2026-11-05T12:00:00Z"), Some(day("2026-10-25"))), Some(day("2026-11-05")));
        assert_eq!(daily.due(at("2026-11-04T12:00:00Z"), Some(day("2026-11-05"))), None);
    }
}

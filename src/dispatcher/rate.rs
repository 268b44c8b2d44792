//! The rate at which mails may leave: a token bucket of one second's worth, shared by all connections.

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::config::Rate;

/// Lets mails pass at a rate; without one it is never in the way.
#[derive(Debug)]
pub(super) struct RateLimiter {
    interval: Option<Duration>,
    /// When the bucket would be full again.
    full_at: Mutex<Instant>,
}

impl RateLimiter {
    pub fn new(rate: Option<Rate>) -> Self {
        let interval = rate.map(|rate| Duration::from_secs_f64(1.0 / rate.per_second()));
        Self { interval, full_at: Mutex::new(Instant::now()) }
    }

    /// Whether mails may have to wait.
    pub fn limits(&self) -> bool {
        self.interval.is_some()
    }

    /// Waits for this mail's turn, at `share` of the rate.
    pub async fn pass(&self, share: f64) {
        let Some(interval) = self.interval else { return };
        let interval = interval.div_f64(share);
        let turn = {
            let mut full_at = self.full_at.lock().await;
            *full_at = (*full_at).max(Instant::now()) + interval;
            // The bucket holds a second's worth, at least one mail.
            full_at.checked_sub(Duration::from_secs(1).max(interval))
        };
        if let Some(turn) = turn {
            tokio::time::sleep_until(turn).await;
        }
    }
}

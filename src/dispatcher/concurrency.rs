//! How many connections work at one time: few at first, more while the relay keeps up, fewer when it asks for less.
//!
//! What always holds: at least one may work, and no more than the configuration allows.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Connections before anything is known of the relay.
const FIRST: usize = 2;
/// Mails accepted for one connection more, and for a step of the rate, once the relay has asked for less.
const PATIENCE: usize = 50;
const STEP: f64 = 0.125;
/// The least part of the rate.
const LEAST: f64 = 0.0625;

/// The number of connections that may work, shared by all of them and kept from run to run.
#[derive(Debug)]
pub(super) struct ConcurrencyLimit {
    most: usize,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug)]
struct State {
    allowed: usize,
    working: usize,
    /// Mails accepted since the last change.
    accepted: usize,
    /// The relay has asked for less, or takes no more: from then on it grows slowly.
    careful: bool,
    /// The part of the configured rate at which mails leave.
    share: f64,
    /// Counts how often it was narrowed.
    narrowed: u32,
}

/// A connection's leave to work, given back when dropped.
#[derive(Debug)]
pub(super) struct Permit {
    concurrency: Arc<ConcurrencyLimit>,
    counted: bool,
}

impl ConcurrencyLimit {
    pub fn new(most: usize) -> Self {
        let most = most.max(1);
        let state = State {
            allowed: most.min(FIRST),
            working: 0,
            accepted: 0,
            careful: false,
            share: 1.0,
            narrowed: 0,
        };
        Self { most, state: Mutex::new(state), changed: Notify::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place, if there is room for one more.
    pub fn place(self: &Arc<Self>) -> Option<Permit> {
        let mut state = self.state();
        (state.working < state.allowed).then(|| {
            state.working += 1;
            Permit { concurrency: self.clone(), counted: true }
        })
    }

    /// Waits until there is room for one more; None once the run is `over`.
    pub async fn enter(self: &Arc<Self>, over: &CancellationToken) -> Option<Permit> {
        loop {
            // Asked for before the look, so that no change between the two is missed.
            let changed = self.changed.notified();
            if let Some(place) = self.place() {
                return Some(place);
            }
            tokio::select! {
                () = changed => {}
                () = over.cancelled() => return None,
            }
        }
    }

    /// A mail was accepted: twice as many may work after as many mails; where it is careful, one more after [`PATIENCE`],
    /// and a step faster.
    pub fn keeps_up(&self) {
        let mut state = self.state();
        if state.allowed == self.most && state.share >= 1.0 {
            return;
        }
        state.accepted += 1;
        let (needed, more) = if state.careful { (PATIENCE, 1) } else { (state.allowed, state.allowed) };
        if state.accepted >= needed {
            state.accepted = 0;
            state.allowed = (state.allowed + more).min(self.most);
            state.share = (state.share + STEP).min(1.0);
            drop(state);
            self.changed.notify_waiters();
        }
    }

    /// A connection waits long for an answer: one more may work in its place, where the relay has not asked for less.
    pub fn is_kept_waiting(&self) {
        let mut state = self.state();
        if !state.careful && state.allowed < self.most {
            state.allowed += 1;
            drop(state);
            self.changed.notify_waiters();
        }
    }

    /// What an answer that asks for less is held against: those to mails from before the last one ask for nothing new.
    pub fn moment(&self) -> u32 {
        self.state().narrowed
    }

    /// The relay asked for less, in answer to a mail that was offered at `moment`: half as many work, at half the rate.
    pub fn is_asked_for_less(&self, moment: u32) {
        let mut state = self.state();
        if state.narrowed == moment {
            let half = state.allowed.div_ceil(2).min(state.allowed - 1);
            state.narrow(half);
            state.share = (state.share / 2.0).max(LEAST);
        }
    }

    /// The relay takes no more connections than those that work beside this one.
    pub fn is_full(&self) {
        let mut state = self.state();
        let others = state.working.saturating_sub(1);
        if others < state.allowed {
            state.narrow(others);
        }
    }

    /// Whether more work than may.
    pub fn is_surpassed(&self) -> bool {
        let state = self.state();
        state.working > state.allowed
    }

    /// The part of the configured rate at which mails may leave.
    pub fn share(&self) -> f64 {
        self.state().share
    }
}

impl State {
    fn narrow(&mut self, to: usize) {
        self.allowed = to.max(1);
        self.accepted = 0;
        self.careful = true;
        self.narrowed += 1;
    }
}

impl Permit {
    /// Gives the place back where more work than may.
    pub fn is_one_too_many(&mut self) -> bool {
        let mut state = self.concurrency.state();
        let surplus = self.counted && state.working > state.allowed;
        if surplus {
            state.working -= 1;
            self.counted = false;
        }
        surplus
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if self.counted {
            self.concurrency.state().working -= 1;
            self.concurrency.changed.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many may work after so many accepted mails.
    fn after(concurrency: &ConcurrencyLimit, mails: usize) -> usize {
        (0..mails).for_each(|_| concurrency.keeps_up());
        concurrency.state().allowed
    }

    #[test]
    fn it_grows_fast_at_first_and_slowly_once_the_relay_has_asked_for_less() {
        let concurrency = ConcurrencyLimit::new(20);
        assert_eq!(after(&concurrency, 1), 2);
        assert_eq!([after(&concurrency, 1), after(&concurrency, 4), after(&concurrency, 8)], [4, 8, 16]);
        assert_eq!(after(&concurrency, 100), 20, "no more than are configured");
        concurrency.is_asked_for_less(concurrency.moment());
        assert_eq!(after(&concurrency, 0), 10);
        assert_eq!(concurrency.share().to_string(), "0.5");
        assert_eq!([after(&concurrency, 49), after(&concurrency, 1), after(&concurrency, 450)], [10, 11, 20]);
        assert_eq!(concurrency.share().to_string(), "1");
    }

    #[test]
    fn answers_to_mails_of_the_same_moment_ask_for_less_once_and_one_always_works() {
        let concurrency = ConcurrencyLimit::new(16);
        after(&concurrency, 100);
        let moment = concurrency.moment();
        (0..16).for_each(|_| concurrency.is_asked_for_less(moment));
        assert_eq!(after(&concurrency, 0), 8);
        (0..9).for_each(|_| concurrency.is_asked_for_less(concurrency.moment()));
        assert_eq!(after(&concurrency, 0), 1);
        assert_eq!(concurrency.share().to_string(), "0.0625");
        let single = ConcurrencyLimit::new(1);
        single.is_asked_for_less(single.moment());
        assert_eq!((after(&single, 0), single.share().to_string().as_str()), (1, "0.5"));
        after(&single, 200);
        assert_eq!(single.share().to_string(), "1", "it recovers with one connection too");
    }

    #[tokio::test]
    async fn who_waits_is_let_in_when_there_is_room_and_let_go_when_the_run_is_over() {
        let (concurrency, over) = (Arc::new(ConcurrencyLimit::new(4)), CancellationToken::new());
        let first = concurrency.enter(&over).await.unwrap();
        let mut second = concurrency.enter(&over).await.unwrap();
        let third = async { concurrency.enter(&over).await.is_some() };
        let leaves = async { drop(first) };
        assert!(tokio::join!(third, leaves).0);
        let waits = async { concurrency.enter(&over).await.is_some() };
        let grows = async { after(&concurrency, 2) };
        assert_eq!(tokio::join!(waits, grows), (true, 4));
        assert!(!second.is_one_too_many());
        concurrency.is_full();
        assert_eq!(after(&concurrency, 0), 1, "none other works: one of them may");
        assert_eq!(concurrency.share().to_string(), "1", "it was not asked to be slower");
        assert!(!second.is_one_too_many(), "only one is counted still");
        let ends = async { over.cancel() };
        let waits = async { concurrency.enter(&over).await.is_none() };
        assert!(tokio::join!(waits, ends).0);
    }
}

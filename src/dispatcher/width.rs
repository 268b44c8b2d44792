//! How many connections work at one time: few at first, more while the relay keeps up, fewer when it asks for less.
//!
//! What always holds: at least one may work, and no more than the configuration allows.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Connections before anything is known of the relay.
const FIRST: usize = 2;
/// Mails accepted for one connection more, once the relay has asked for less.
const PATIENCE: usize = 50;

/// The number of connections that may work, shared by all of them and kept from run to run.
#[derive(Debug)]
pub(super) struct Width {
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
    /// The relay has asked for less: from then on it grows slowly.
    careful: bool,
    /// Counts how often it was narrowed.
    narrowed: u32,
}

/// A connection's leave to work, given back when dropped.
#[derive(Debug)]
pub(super) struct Place<'a> {
    width: &'a Width,
    counted: bool,
}

impl Width {
    pub fn new(most: usize) -> Self {
        let most = most.max(1);
        let state = State { allowed: most.min(FIRST), working: 0, accepted: 0, careful: false, narrowed: 0 };
        Self { most, state: Mutex::new(state), changed: Notify::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until there is room for one more; None once the run is `over`.
    pub async fn enter(&self, over: &CancellationToken) -> Option<Place<'_>> {
        loop {
            // Asked for before the look, so that no change between the two is missed.
            let changed = self.changed.notified();
            {
                let mut state = self.state();
                if state.working < state.allowed {
                    state.working += 1;
                    return Some(Place { width: self, counted: true });
                }
            }
            tokio::select! {
                () = changed => {}
                () = over.cancelled() => return None,
            }
        }
    }

    /// A mail was accepted: twice as many may work after as many mails, one more after [`PATIENCE`] where it is careful.
    pub fn keeps_up(&self) {
        let mut state = self.state();
        if state.allowed == self.most {
            return;
        }
        state.accepted += 1;
        let (needed, more) = if state.careful { (PATIENCE, 1) } else { (state.allowed, state.allowed) };
        if state.accepted >= needed {
            state.accepted = 0;
            state.allowed = (state.allowed + more).min(self.most);
            drop(state);
            self.changed.notify_waiters();
        }
    }

    /// What an answer that asks for less is held against: those to mails from before the last one ask for nothing new.
    pub fn moment(&self) -> u32 {
        self.state().narrowed
    }

    /// The relay asked for less, in answer to a mail that was offered at `moment`: half as many work.
    pub fn is_asked_for_less(&self, moment: u32) {
        let mut state = self.state();
        if state.narrowed == moment {
            let half = state.allowed.div_ceil(2).min(state.allowed - 1);
            state.narrow(half);
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

    /// The part of the configured rate at which mails may leave: less only where the relay has asked for it.
    pub fn share(&self) -> f64 {
        let state = self.state();
        let part = |count: usize| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
        if state.careful { part(state.allowed) / part(self.most) } else { 1.0 }
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

impl Place<'_> {
    /// Gives the place back where more work than may.
    pub fn is_one_too_many(&mut self) -> bool {
        let mut state = self.width.state();
        let surplus = self.counted && state.working > state.allowed;
        if surplus {
            state.working -= 1;
            self.counted = false;
        }
        surplus
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if self.counted {
            self.width.state().working -= 1;
            self.width.changed.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many may work after so many accepted mails.
    fn after(width: &Width, mails: usize) -> usize {
        (0..mails).for_each(|_| width.keeps_up());
        width.state().allowed
    }

    #[test]
    fn it_grows_fast_at_first_and_slowly_once_the_relay_has_asked_for_less() {
        let width = Width::new(20);
        assert_eq!(after(&width, 1), 2);
        assert_eq!([after(&width, 1), after(&width, 4), after(&width, 8)], [4, 8, 16]);
        assert_eq!(after(&width, 100), 20, "no more than are configured");
        width.is_asked_for_less(width.moment());
        assert_eq!(after(&width, 0), 10);
        assert!((width.share() - 0.5).abs() < 1e-9);
        assert_eq!([after(&width, 49), after(&width, 1), after(&width, 450)], [10, 11, 20]);
        assert!((width.share() - 1.0).abs() < 1e-9);
    }

    #[test]
    fn answers_to_mails_of_the_same_moment_ask_for_less_once_and_one_always_works() {
        let width = Width::new(16);
        after(&width, 100);
        let moment = width.moment();
        (0..16).for_each(|_| width.is_asked_for_less(moment));
        assert_eq!(after(&width, 0), 8);
        (0..9).for_each(|_| width.is_asked_for_less(width.moment()));
        assert_eq!(after(&width, 0), 1);
        assert_eq!(Width::new(1).state().allowed, 1);
    }

    #[tokio::test]
    async fn who_waits_is_let_in_when_there_is_room_and_let_go_when_the_run_is_over() {
        let (width, over) = (Width::new(4), CancellationToken::new());
        let first = width.enter(&over).await.unwrap();
        let mut second = width.enter(&over).await.unwrap();
        let third = async { width.enter(&over).await.is_some() };
        let leaves = async { drop(first) };
        assert!(tokio::join!(third, leaves).0);
        let waits = async { width.enter(&over).await.is_some() };
        let grows = async { after(&width, 2) };
        assert_eq!(tokio::join!(waits, grows), (true, 4));
        assert!(!second.is_one_too_many());
        width.is_full();
        assert_eq!(after(&width, 0), 1, "none other works: one of them may");
        assert!(!second.is_one_too_many(), "only one is counted still");
        let ends = async { over.cancel() };
        let waits = async { width.enter(&over).await.is_none() };
        assert!(tokio::join!(waits, ends).0);
    }
}

//! Chance for tests that try what nobody foresees. A seed decides; it is shown when a test fails.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::ops::Range;
use std::time::Duration;

/// Random numbers enough for this (SplitMix64), shown with its seed when a test panics.
pub struct Chance {
    seed: u64,
    state: u64,
}

impl Chance {
    pub fn new() -> Self {
        let seed = RandomState::new().build_hasher().finish();
        Self { seed, state: seed }
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }

    pub fn millis(&mut self, range: Range<u64>) -> Duration {
        Duration::from_millis(range.start + self.below(range.end - range.start))
    }
}

impl Drop for Chance {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("chance came from the seed {}", self.seed);
        }
    }
}

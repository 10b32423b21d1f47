//! Numbers that a failed test can be given again.

#![expect(clippy::print_stderr, reason = "a failure must be repeatable")]

use std::env;

use crate::harness;

pub(crate) struct Random(u64);

impl Random {
    /// Draws a seed and says it, or takes it from `WGFORM_TEST_SEED`.
    pub(crate) fn new() -> Self {
        let drawn = harness::now().as_millisecond().unsigned_abs();
        let seed = number("WGFORM_TEST_SEED", drawn);
        eprintln!("WGFORM_TEST_SEED={seed}");
        Self(seed)
    }

    /// Returns the numbers of one round, whatever was drawn before it.
    pub(crate) fn of(&self, round: u64) -> Self {
        Self(self.0 ^ round.wrapping_mul(0xd134_2543_de82_ef95))
    }

    /// Returns a number from 0 to 1, by splitmix64.
    pub(crate) fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// Reads a number from the environment.
pub(crate) fn number(name: &str, otherwise: u64) -> u64 {
    env::var(name).map_or(otherwise, |text| text.parse().expect("a number"))
}

//! Randomness as a trait, so that a simulation repeats under its seed.

use std::fmt;

use parking_lot::Mutex;
use rand::rngs::{OsRng, StdRng};
use rand::{RngCore, SeedableRng, TryRngCore};

/// The only way the log draws random numbers.
pub trait Random: Send + Sync + fmt::Debug {
    /// A uniformly distributed number.
    fn next_u64(&self) -> u64;

    /// A number in `0..bound`; 0 if `bound` is 0. The bias of the multiplication is below 2⁻³²
    /// for bounds below 2³².
    fn below(&self, bound: u64) -> u64 {
        let wide = u128::from(self.next_u64()) * u128::from(bound);
        u64::try_from(wide >> 64).unwrap_or(0)
    }

    /// Sixteen random bytes, for a version 4 UUID.
    fn bytes16(&self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.next_u64().to_le_bytes());
        bytes[8..].copy_from_slice(&self.next_u64().to_le_bytes());
        bytes
    }
}

/// The operating system's entropy.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsRandom;

impl Random for OsRandom {
    fn next_u64(&self) -> u64 {
        // The thread-local generator is seeded from the same source and cannot fail.
        OsRng
            .try_next_u64()
            .unwrap_or_else(|_| rand::rng().next_u64())
    }
}

/// A reproducible generator: the same seed and the same calls give the same numbers.
#[derive(Debug)]
pub struct SeededRandom(Mutex<StdRng>);

impl SeededRandom {
    /// A generator that starts from `seed`.
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(StdRng::seed_from_u64(seed)))
    }
}

impl Random for SeededRandom {
    fn next_u64(&self) -> u64 {
        self.0.lock().next_u64()
    }
}

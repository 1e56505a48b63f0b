//! Disk, clock and randomness as traits, real and simulated.
//!
//! Everything in the log that touches a file, reads the time or draws a random number does it
//! through one of these traits, so that a whole node runs in one thread under a seed.
//!
//! - [`disk`]: [`Disk`] and [`DiskFile`], blocking positional file access.
//! - [`real`]: [`RealDisk`], the operating system's files.
//! - [`clock`]: [`Clock`], monotonic and wall time; [`SystemClock`].
//! - [`random`]: [`Random`]; [`OsRandom`] and [`SeededRandom`].
//! - [`sim`]: a disk that can lose, tear and reorder what was not synced, and a clock set by hand.

pub mod clock;
pub mod disk;
pub mod random;
pub mod real;
pub mod sim;

pub use clock::{Clock, Now, SystemClock, Timestamp};
pub use disk::{DirEntry, Disk, DiskFile, DiskLock, Space};
pub use random::{OsRandom, Random, SeededRandom};
pub use real::RealDisk;

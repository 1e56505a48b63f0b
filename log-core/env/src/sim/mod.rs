//! Simulated disk and clock.
//!
//! [`SimDisk`] is a directory tree in memory that tells what was synced from what was only
//! written. [`SimDisk::crash`] cuts the power: synced bytes and names stay, and of everything else
//! each 512 B or 4 KiB block and each name is kept, lost or left at an older state, as the seed
//! says. Every change to the disk is a numbered operation, and an observer sees each before it
//! happens, with an image of the disk as it then is: that is how a test cuts the power everywhere.

mod clock;
mod crash;
mod disk;
mod faults;
mod tree;

pub use clock::SimClock;
pub use crash::Survival;
pub use disk::{Observer, Operation, SimDisk};
pub use faults::Fault;

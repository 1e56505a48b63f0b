//! Disk, clock and randomness as traits, real and simulated.

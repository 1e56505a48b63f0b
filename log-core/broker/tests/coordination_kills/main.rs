//! Transactions on a broker that is killed, in a process of its own.
//!
//! Apart from the tests in process: a process that is being started holds the locks of this one for
//! a moment, and a broker that comes back in that moment would find its directory locked.

#[cfg(test)]
mod kills;
#[cfg(test)]
#[allow(
    dead_code,
    reason = "shared with the tests in process, which use more of it"
)]
#[path = "../coordination/node.rs"]
mod node;

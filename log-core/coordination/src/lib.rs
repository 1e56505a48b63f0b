//! Consumer groups and transactions as state machines without I/O.
//!
//! A machine owns no socket, file, clock or source of randomness: it is stepped with inputs and
//! answers with effects, in order, for the caller to carry out. One machine stands behind each
//! partition of an internal topic, and everything it promises to a client is in that partition
//! before the promise leaves: a reply is held back inside the machine until the caller has
//! reported the append it depends on as durable.
//!
//! - [`groups`]: consumer groups, classic and of KIP-848, and committed offsets, over
//!   `__consumer_offsets`.
//! - [`transactions`]: producer ids, epochs and transactions, over `__transaction_state`.
//! - [`placement`]: which partition of an internal topic answers for a name.
//!
//! # The life of a machine
//!
//! 1. It is made empty and replays its partition, entry by entry (`load`).
//! 2. `finish_loading` starts its timers; until then every request is answered with
//!    `COORDINATOR_LOAD_IN_PROGRESS`.
//! 3. It is stepped. Effects are carried out in order; every `Append` is reported back, either as
//!    durable or as failed.
//! 4. A failed append ends it: what it holds in memory is ahead of its log, so it answers
//!    everything in flight with a retriable error and asks to be replaced by a freshly loaded one.

pub mod groups;
pub mod placement;
pub mod transactions;

mod append;
mod outbox;
mod time;
mod timers;
mod token;

pub use append::{Append, AppendId, LogEntry, Marker, ProducerIdentity, Record};
pub use time::{Now, Time, Timestamp};
pub use token::Token;

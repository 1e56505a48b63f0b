//! Producer ids, epochs and transactions (KIP-98, KIP-360, KIP-588, KIP-890).
//!
//! One [`TransactionCoordinator`] per partition of `__transaction_state` holds the transactional
//! ids placed there. A transaction is `Empty` (never begun since its producer was initialised),
//! `Ongoing`, `PrepareCommit` or `PrepareAbort` (decided: from here on it cannot end otherwise),
//! and `CompleteCommit` or `CompleteAbort` (every partition has its marker).
//!
//! The decision is durable before the first marker is written and before the producer is told;
//! after a crash, markers of decided transactions are written again, which does no harm where
//! they are there already.
//!
//! Where Kafka answers `CONCURRENT_TRANSACTIONS` because a decided transaction has not completed,
//! the request waits here for the completion, for a bounded time, and is then answered as if it
//! had come later. A producer that restarts is thus let in as soon as its old transaction is
//! aborted, without a retry.
//!
//! Clients of transaction.version 1 send EndTxn, Produce and AddPartitionsToTxn on different
//! connections; a request that is delayed beyond the end of its transaction can reach the next one
//! of the same producer. With version 2 each end gives the producer a new epoch, and a write adds
//! its partition by itself, so that what comes late is fenced. The two can alternate under one
//! transactional id: a request's version says which rules it is judged by. What the coordinator
//! decides by itself (a timeout, another instance of the producer) follows version 2.

mod add_partitions;
mod config;
mod coordinator;
mod effect;
mod end;
mod errors;
mod expiry;
mod init;
mod input;
mod load;
mod parked;
mod records;
mod step;
mod summary;
mod transaction;
mod verify;

pub use config::TransactionConfig;
pub use coordinator::TransactionCoordinator;
pub use effect::{Effect, Response, WriteMarkers};
pub use input::{Input, Request, TransactionFilter, WriteInTransaction};
pub use load::LoadError;
pub use summary::{STATE_NAMES, TransactionSummary};

//! Looking on, or in between, at what a consumer returns and commits (KIP-42).

use std::collections::HashMap;
use std::fmt;

use super::FetchedBatches;
use crate::{OffsetAndMetadata, TopicPartition};

/// Called in the order of `interceptor.classes`; what one returns the next is given.
///
/// Calls come from inside polls and commits and hold them up.
pub trait ConsumerInterceptor: Send + Sync {
    /// A poll is about to return `batches`; it returns what this returns. Positions move on all
    /// the same over what is left out.
    fn on_consume(&self, batches: FetchedBatches) -> FetchedBatches {
        batches
    }

    /// These offsets have been committed.
    fn on_commit(&self, offsets: &HashMap<TopicPartition, OffsetAndMetadata>) {
        let _ = offsets;
    }
}

impl fmt::Debug for dyn ConsumerInterceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ConsumerInterceptor")
    }
}

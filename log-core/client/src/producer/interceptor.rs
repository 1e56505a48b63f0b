//! Looking on, or in between, at what a producer sends (KIP-42).

use std::fmt;
use std::time::Duration;

use super::ProducerRecord;
use crate::TopicPartition;
use crate::error::ClientError;

/// Called in the order of `interceptor.classes`; what one returns the next is given.
///
/// [`on_send`](Self::on_send) sees the records of [`Producer::send`](crate::Producer::send);
/// records that are encoded straight into their batch, by
/// [`Producer::append`](crate::Producer::append) and appenders, pass it by.
/// [`on_acknowledgement`](Self::on_acknowledgement) sees every batch, once. Calls come from the
/// sending of records and hold it up.
pub trait ProducerInterceptor: Send + Sync {
    /// A record is about to be sent; what is sent is what this returns.
    fn on_send(&self, record: ProducerRecord) -> ProducerRecord {
        record
    }

    /// A batch is acknowledged, or has failed for good.
    fn on_acknowledgement(&self, batch: &AcknowledgedBatch<'_>) {
        let _ = batch;
    }
}

impl fmt::Debug for dyn ProducerInterceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProducerInterceptor")
    }
}

/// What became of a batch.
#[derive(Debug)]
pub struct AcknowledgedBatch<'a> {
    /// Where it went.
    pub partition: &'a TopicPartition,
    /// How many records were in it.
    pub record_count: i32,
    /// The offset of its first record, or why it failed. `None` with `acks=0`.
    pub base_offset: Result<Option<i64>, &'a ClientError>,
    /// The time since its first record was appended.
    pub took: Duration,
}

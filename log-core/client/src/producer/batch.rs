//! A batch on its way from the first append to its answer.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use headwater_wire::records::{BatchBuilder, BatchError, patch_producer_state};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::delivery::{BatchResult, Outcome, outcome};
use super::sequence::Identity;
use super::split::Parts;
use crate::TopicPartition;

/// A batch and how often it was sent.
pub(crate) struct Batch {
    pub(crate) partition: TopicPartition,
    content: Content,
    pub(crate) records: i32,
    pub(crate) created: Instant,
    pub(crate) attempts: u32,
    /// When it may go out again after a failure.
    pub(crate) retry_at: Option<Instant>,
    /// Its first sequence number, from its first sending on.
    pub(crate) sequence: Option<i32>,
    /// Whether it was the first not known to be in the log when it went out last.
    pub(crate) sent_first: bool,
    /// Bytes of `buffer.memory` that it holds.
    pub(crate) reserved: usize,
    /// Its key in the list of batches that a flush waits for.
    pub(crate) ticket: u64,
    pub(super) done: Done,
    pub(crate) outcome: Outcome,
}

/// Who is told what becomes of a batch.
pub(super) enum Done {
    Whole(oneshot::Sender<BatchResult>),
    /// It is a part of another, from the record at this place on.
    Part(Arc<Parts>, i32),
    /// Its parts are told.
    Gone,
}

enum Content {
    Open(BatchBuilder),
    Built(Bytes),
    /// Building failed, or is under way.
    Gone,
}

impl Batch {
    pub(crate) fn new(
        partition: TopicPartition,
        builder: BatchBuilder,
        reserved: usize,
        ticket: u64,
        now: Instant,
    ) -> Self {
        let (done, outcome) = outcome();
        Self {
            partition,
            content: Content::Open(builder),
            records: 0,
            created: now,
            attempts: 0,
            retry_at: None,
            sequence: None,
            sent_first: false,
            reserved,
            ticket,
            done: Done::Whole(done),
            outcome,
        }
    }

    /// A part of this batch, as old as it.
    pub(super) fn part(
        &self,
        builder: BatchBuilder,
        records: i32,
        done: Done,
        reserved: usize,
        sequence: Option<i32>,
    ) -> Self {
        Self {
            partition: self.partition.clone(),
            content: Content::Open(builder),
            records,
            created: self.created,
            attempts: self.attempts,
            retry_at: None,
            sequence,
            sent_first: false,
            reserved,
            ticket: self.ticket,
            done,
            outcome: self.outcome.clone(),
        }
    }

    /// The bytes as they went out.
    pub(super) fn bytes(&self) -> Option<Bytes> {
        match &self.content {
            Content::Built(bytes) => Some(bytes.clone()),
            _ => None,
        }
    }

    /// The builder, while records can still be appended.
    #[inline]
    pub(crate) fn builder(&mut self) -> Option<&mut BatchBuilder> {
        match &mut self.content {
            Content::Open(builder) => Some(builder),
            _ => None,
        }
    }

    /// Bytes so far: before compression while it is open, as they go out afterwards.
    pub(crate) fn size(&self) -> usize {
        match &self.content {
            Content::Open(builder) => builder.size_in_bytes(),
            Content::Built(bytes) => bytes.len(),
            Content::Gone => 0,
        }
    }

    /// The bytes to send, stamped with the producer's identity and this batch's sequence number.
    ///
    /// Compresses at the first call; a later one only patches what has changed.
    pub(crate) fn build(&mut self, identity: Option<Identity>) -> Result<Bytes, BatchError> {
        let bytes = match std::mem::replace(&mut self.content, Content::Gone) {
            Content::Open(mut builder) => {
                if let (Some(identity), Some(sequence)) = (identity, self.sequence) {
                    builder.set_producer_state(identity.id, identity.epoch, sequence);
                }
                builder.build()?
            }
            Content::Built(bytes) => match (identity, self.sequence) {
                (Some(identity), Some(sequence)) => stamp(bytes, identity, sequence)?,
                _ => bytes,
            },
            Content::Gone => return Err(BatchError::Empty),
        };
        self.content = Content::Built(bytes.clone());
        Ok(bytes)
    }

    /// Tells everybody who waits. False if other parts of the same batch are still under way.
    pub(crate) fn finish(self, result: BatchResult) -> bool {
        match self.done {
            Done::Whole(done) => {
                // Nobody may be waiting: then nobody cares.
                let _ = done.send(result);
                true
            }
            Done::Part(parts, first_index) => parts.finish(first_index, result),
            Done::Gone => false,
        }
    }
}

/// Rewrites identity and sequence where they differ from what the batch was built with.
fn stamp(bytes: Bytes, identity: Identity, sequence: i32) -> Result<Bytes, BatchError> {
    let header = headwater_wire::records::BatchHeader::parse(&bytes)?;
    let stamped = (
        header.producer_id,
        header.producer_epoch,
        header.base_sequence,
    );
    if stamped == (identity.id, identity.epoch, sequence) {
        return Ok(bytes);
    }
    // Copies only if an earlier request still holds the bytes.
    let mut bytes = bytes
        .try_into_mut()
        .unwrap_or_else(|shared| BytesMut::from(&shared[..]));
    patch_producer_state(&mut bytes, identity.id, identity.epoch, sequence)?;
    Ok(bytes.freeze())
}

#[cfg(test)]
mod tests {
    use headwater_wire::records::{BatchOptions, RecordBatch};

    use super::*;

    #[test]
    fn a_batch_is_built_once_and_restamped_after_that() {
        let builder = BatchBuilder::new(BatchOptions::default());
        let partition = TopicPartition::new("t", 0);
        let mut batch = Batch::new(partition, builder, 0, 0, Instant::now());
        let builder = batch.builder().expect("open");
        builder
            .append(7, Some(b"k"), Some(b"v"), &[])
            .expect("fits");
        for (epoch, sequence) in [(0, 5), (0, 5), (1, 0)] {
            batch.sequence = Some(sequence);
            let mut bytes = batch
                .build(Some(Identity { id: 9, epoch }))
                .expect("builds");
            let built = RecordBatch::split_from(&mut bytes)
                .expect("valid")
                .expect("whole");
            built.verify_crc().expect("the checksum holds");
            let header = built.header;
            assert_eq!((header.producer_id, header.producer_epoch), (9, epoch));
            assert_eq!(header.base_sequence, sequence);
        }
        assert!(batch.builder().is_none());
    }
}

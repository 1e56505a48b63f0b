//! One partition's checkpoint.

use crate::encoding::{Fields, PutFields};
use crate::id::TopicPartitionId;
use crate::lsn::Lsn;
use crate::partition::{AbortedTransaction, LeaderEpochs, put_aborted, take_aborted};
use crate::producers::ProducerStates;

/// The growing segment at the checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SegmentEnd {
    pub(crate) base_offset: i64,
    /// Its size in bytes.
    pub(crate) position: u64,
}

/// A partition as its synced segments have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CheckpointEntry {
    pub(crate) id: TopicPartitionId,
    /// Which incarnation's journal `lsn` is of.
    pub(crate) incarnation: u64,
    /// Last frame covered.
    pub(crate) lsn: Lsn,
    pub(crate) generation: u64,
    /// Whether what follows the checkpoint is found by scanning rather than in the journal.
    pub(crate) is_relaxed: bool,
    pub(crate) log_start: i64,
    pub(crate) end: i64,
    pub(crate) segment: Option<SegmentEnd>,
    pub(crate) leader_epoch: i32,
    pub(crate) epochs: LeaderEpochs,
    pub(crate) producers: ProducerStates,
    /// Aborted transactions of the growing segment.
    pub(crate) aborted: Vec<AbortedTransaction>,
}

impl CheckpointEntry {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(128);
        out.put(self.id.topic.as_bytes());
        out.put_i32(self.id.partition);
        out.put_u64(self.incarnation);
        out.put_u64(self.lsn.get());
        out.put_u64(self.generation);
        out.put_u32(self.is_relaxed.into());
        out.put_i64(self.log_start);
        out.put_i64(self.end);
        out.put_i64(self.segment.map_or(-1, |segment| segment.base_offset));
        out.put_u64(self.segment.map_or(0, |segment| segment.position));
        out.put_i32(self.leader_epoch);
        self.epochs.encode(&mut out);
        self.producers.encode(&mut out);
        put_aborted(&mut out, &self.aborted);
        out
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut fields = Fields::new(bytes);
        let id = TopicPartitionId {
            topic: fields.uuid()?,
            partition: fields.i32()?,
        };
        let incarnation = fields.u64()?;
        let lsn = Lsn::new(fields.u64()?);
        let generation = fields.u64()?;
        let is_relaxed = fields.u32()? != 0;
        let log_start = fields.i64()?;
        let end = fields.i64()?;
        let base_offset = fields.i64()?;
        let position = fields.u64()?;
        let entry = Self {
            id,
            incarnation,
            lsn,
            generation,
            is_relaxed,
            log_start,
            end,
            segment: (base_offset >= 0).then_some(SegmentEnd {
                base_offset,
                position,
            }),
            leader_epoch: fields.i32()?,
            epochs: LeaderEpochs::decode(&mut fields)?,
            producers: ProducerStates::decode(&mut fields)?,
            aborted: take_aborted(&mut fields)?,
        };
        fields.is_empty().then_some(entry)
    }
}

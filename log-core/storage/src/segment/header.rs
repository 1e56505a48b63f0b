//! The first bytes of a segment file: whose it is, and what compaction made of it.

use std::path::Path;

use crate::encoding::{Fields, PutFields};
use crate::error::{Corruption, OpenError};
use crate::id::TopicPartitionId;
use crate::sealed::FORMAT_VERSION;

/// Bytes before the first batch.
pub(crate) const SEGMENT_HEADER: u64 = 64;

/// On disk, the covered end of a segment that is not clean yet is subtracted from this.
const PARTLY_CLEAN: i64 = -2;

const MAGIC: [u8; 8] = *b"HWSEGMNT";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    pub(crate) id: TopicPartitionId,
    pub(crate) base_offset: i64,
    /// How often compaction rewrote it; its index says the same number or is stale.
    pub(crate) revision: u32,
    /// If compaction wrote it: all segments from `base_offset` to here are in it.
    pub(crate) covered_end: Option<i64>,
    /// Compaction has compared all of it with itself and everything before it. Without, it may hold
    /// several records of a key.
    pub(crate) is_clean: bool,
}

impl SegmentHeader {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(SEGMENT_HEADER as usize);
        out.put(&MAGIC);
        out.put_u32(FORMAT_VERSION);
        out.put_u32(self.revision);
        out.put(self.id.topic.as_bytes());
        out.put_i32(self.id.partition);
        out.put_i64(self.base_offset);
        out.put_i64(match self.covered_end {
            Some(end) if self.is_clean => end,
            Some(end) => PARTLY_CLEAN - end,
            None => -1,
        });
        let crc = crc32c::crc32c(&out);
        out.put_u32(crc);
        out.resize(SEGMENT_HEADER as usize, 0);
        out
    }

    /// `None` if the bytes are not a segment's header.
    fn fields(bytes: &[u8]) -> Option<(Self, u32)> {
        let mut fields = Fields::new(bytes);
        if fields.take(8)? != MAGIC {
            return None;
        }
        let version = fields.u32()?;
        let revision = fields.u32()?;
        let id = TopicPartitionId {
            topic: fields.uuid()?,
            partition: fields.i32()?,
        };
        let base_offset = fields.i64()?;
        let covered_end = fields.i64()?;
        let crc = fields.u32()?;
        let is_clean = covered_end >= 0;
        let covered_end = match covered_end {
            0.. => Some(covered_end),
            -1 => None,
            _ => Some(PARTLY_CLEAN.checked_sub(covered_end)?),
        };
        (crc32c::crc32c(bytes.get(..52)?) == crc).then_some((
            Self {
                id,
                base_offset,
                revision,
                covered_end,
                is_clean,
            },
            version,
        ))
    }

    /// # Errors
    /// [`OpenError::NewerFormat`] for a newer build's file, else a [`Corruption`] inside.
    pub(crate) fn decode(bytes: &[u8], path: &Path) -> Result<Self, OpenError> {
        match Self::fields(bytes) {
            Some((_, found)) if found > FORMAT_VERSION => Err(OpenError::NewerFormat {
                path: path.to_owned(),
                found,
                known: FORMAT_VERSION,
            }),
            Some((header, _)) => Ok(header),
            None => Err(OpenError::Corrupt(Corruption {
                path: path.to_owned(),
                position: 0,
                reason: "it does not start with a segment's header".to_owned(),
            })),
        }
    }
}

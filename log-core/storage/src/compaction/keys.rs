//! The latest offset of each key.

use std::collections::BTreeMap;

use headwater_wire::records::RecordBatch;

/// Bytes that an entry takes besides its key, about.
const ENTRY_OVERHEAD: usize = 64;

/// Latest offsets of the keys of a stretch of log, within a memory limit.
#[derive(Debug)]
pub(crate) struct LatestOffsets {
    offsets: BTreeMap<Box<[u8]>, i64>,
    bytes: usize,
    limit: usize,
}

impl LatestOffsets {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            offsets: BTreeMap::new(),
            bytes: 0,
            limit,
        }
    }

    /// Takes the keys of a batch, all of them or, once there is no memory for more, none: false.
    /// The first batch is always taken, so that whoever goes on behind what was taken gets on.
    pub(crate) fn note(&mut self, batch: &RecordBatch) -> bool {
        if self.bytes >= self.limit && !self.offsets.is_empty() {
            return false;
        }
        // Records that cannot be read are no reason to lose any: their batch stays as it is.
        let Ok(records) = batch.records() else {
            return true;
        };
        for record in records.iter() {
            let Ok(record) = record else { return true };
            let Some(key) = record.key else { continue };
            if let Some(offset) = self.offsets.get_mut(key) {
                *offset = record.offset;
                continue;
            }
            self.bytes += key.len() + ENTRY_OVERHEAD;
            self.offsets.insert(key.into(), record.offset);
        }
        true
    }

    pub(crate) fn is_latest(&self, key: &[u8], offset: i64) -> bool {
        self.offsets.get(key).is_none_or(|latest| *latest <= offset)
    }
}

//! Producer state as bytes, in checkpoints and beside segments.

use super::ProducerStates;
use super::entry::{BATCHES, BatchMark, Producer};
use crate::encoding::{Fields, PutFields};

impl ProducerStates {
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.put_len(self.producers.len());
        for (id, producer) in &self.producers {
            out.put_i64(*id);
            out.put_i16(producer.epoch);
            out.put_i32(producer.coordinator_epoch);
            out.put_i64(producer.last_timestamp);
            out.put_i64(producer.transaction_start.unwrap_or(-1));
            out.put_len(producer.batches().len());
            for batch in producer.batches() {
                out.put_i32(batch.last_sequence);
                out.put_i32(batch.offset_delta);
                out.put_i64(batch.last_offset);
            }
        }
    }

    /// `None` for bytes that [`ProducerStates::encode`] did not write.
    pub(crate) fn decode(fields: &mut Fields<'_>) -> Option<Self> {
        let mut states = Self::default();
        for _ in 0..fields.u32()? {
            let id = fields.i64()?;
            let mut producer = Producer::new(fields.i16()?);
            producer.coordinator_epoch = fields.i32()?;
            producer.last_timestamp = fields.i64()?;
            let start = fields.i64()?;
            if start >= 0 {
                producer.transaction_start = Some(start);
                states.open.insert((start, id));
            }
            let batches = fields.u32()?;
            if batches as usize > BATCHES {
                return None;
            }
            for _ in 0..batches {
                producer.push(BatchMark {
                    last_sequence: fields.i32()?,
                    offset_delta: fields.i32()?,
                    last_offset: fields.i64()?,
                });
            }
            states.producers.insert(id, producer);
        }
        Some(states)
    }
}

//! Leaving out the records of aborted transactions (read_committed, KIP-98).

use std::collections::HashSet;

use headwater_wire::messages::fetch::AbortedTransaction;
use headwater_wire::records::{BatchError, ControlMarker, RecordBatch, TransactionResult};

/// Decides batch by batch, in offset order, over one fetched stretch of a partition.
pub(crate) struct AbortedFilter {
    /// The aborted transactions not begun yet, the first at the end.
    to_begin: Vec<(i64, i64)>,
    /// Producers whose aborted transaction is under way.
    aborting: HashSet<i64>,
}

impl AbortedFilter {
    /// A filter for a stretch with these aborted transactions.
    pub(crate) fn new(aborted: &[AbortedTransaction]) -> Self {
        let mut to_begin: Vec<(i64, i64)> = aborted
            .iter()
            .map(|aborted| (aborted.first_offset, aborted.producer_id))
            .collect();
        to_begin.sort_unstable_by(|a, b| b.cmp(a));
        Self {
            to_begin,
            aborting: HashSet::new(),
        }
    }

    /// Whether the batch is of a committed transaction or of none. Never true for control batches.
    ///
    /// # Errors
    /// A control batch that cannot be read.
    pub(crate) fn admits(&mut self, batch: &RecordBatch) -> Result<bool, BatchError> {
        let header = &batch.header;
        let last_offset = header.last_offset();
        while let Some((_, producer)) = self.to_begin.pop_if(|(first, _)| *first <= last_offset) {
            self.aborting.insert(producer);
        }
        if header.is_control() {
            if is_abort(batch)? {
                self.aborting.remove(&header.producer_id);
            }
            return Ok(false);
        }
        Ok(!(header.is_transactional() && self.aborting.contains(&header.producer_id)))
    }
}

fn is_abort(batch: &RecordBatch) -> Result<bool, BatchError> {
    let records = batch.records()?;
    let Some(first) = records.iter().next() else {
        return Ok(false);
    };
    let marker = ControlMarker::parse(&first?)?;
    Ok(marker.is_some_and(|marker| marker.result == TransactionResult::Abort))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use headwater_wire::records::{BatchBuilder, BatchOptions, control_batch, patch_assigned};

    use super::*;

    fn at(bytes: Bytes, offset: i64) -> RecordBatch {
        let mut bytes = bytes.to_vec();
        patch_assigned(&mut bytes, offset, 0).expect("a header");
        let mut bytes = Bytes::from(bytes);
        RecordBatch::split_from(&mut bytes)
            .expect("valid")
            .expect("whole")
    }

    fn data(offset: i64, producer_id: i64, is_transactional: bool) -> RecordBatch {
        let options = BatchOptions {
            producer_id,
            is_transactional,
            ..BatchOptions::default()
        };
        let mut builder = BatchBuilder::new(options);
        builder.append(0, None, None, &[]).expect("fits");
        at(builder.build().expect("has a record"), offset)
    }

    fn marker(offset: i64, producer_id: i64, result: TransactionResult) -> RecordBatch {
        let marker = ControlMarker {
            result,
            coordinator_epoch: 0,
        };
        at(
            control_batch(marker, producer_id, 0, 0).expect("builds"),
            offset,
        )
    }

    #[test]
    fn aborted_batches_and_markers_are_left_out_and_others_stay() {
        let aborted = |producer_id, first_offset| AbortedTransaction {
            producer_id,
            first_offset,
        };
        let mut filter = AbortedFilter::new(&[aborted(1, 10), aborted(2, 2), aborted(1, 0)]);
        let log = [
            (data(0, 1, true), false),
            (data(1, 3, true), true),
            (data(2, 2, true), false),
            (data(3, 7, false), true),
            (marker(4, 1, TransactionResult::Abort), false),
            (data(5, 1, true), true),
            (marker(6, 1, TransactionResult::Commit), false),
            (marker(7, 2, TransactionResult::Abort), false),
            (data(8, 2, true), true),
            (data(10, 1, true), false),
            (data(11, 1, true), false),
            (marker(12, 1, TransactionResult::Abort), false),
            (data(13, 1, true), true),
        ];
        for (batch, expected) in log {
            let admitted = filter.admits(&batch).expect("readable");
            assert_eq!(admitted, expected, "at {}", batch.header.base_offset);
        }
    }

    #[test]
    fn a_transaction_that_began_before_the_stretch_is_known_all_the_same() {
        let aborted = AbortedTransaction {
            producer_id: 1,
            first_offset: 3,
        };
        let mut filter = AbortedFilter::new(&[aborted]);
        assert!(!filter.admits(&data(20, 1, true)).expect("readable"));
    }
}

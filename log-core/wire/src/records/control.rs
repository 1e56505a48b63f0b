use bytes::Bytes;

use super::{BatchBuilder, BatchError, BatchOptions, RecordRef};

/// How a transaction ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TransactionResult {
    /// Its records are to be ignored.
    Abort,
    /// Its records count.
    Commit,
}

/// The control record that ends a transaction in a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ControlMarker {
    /// How the transaction ended.
    pub result: TransactionResult,
    /// Epoch of the transaction coordinator that decided it.
    pub coordinator_epoch: i32,
}

impl ControlMarker {
    /// Reads the marker in a record of a control batch.
    ///
    /// `None` for control records of other kinds, such as those of a Raft log.
    ///
    /// # Errors
    /// [`BatchError::Control`] if key or value are not what Kafka writes.
    pub fn parse(record: &RecordRef<'_>) -> Result<Option<Self>, BatchError> {
        let key = record.key.and_then(|key| key.first_chunk::<4>());
        let Some(&[version_high, version_low, kind_high, kind_low]) = key else {
            return Err(BatchError::Control("its key is not a version and a type"));
        };
        if i16::from_be_bytes([version_high, version_low]) < 0 {
            return Err(BatchError::Control("its key has a negative version"));
        }
        let result = match i16::from_be_bytes([kind_high, kind_low]) {
            0 => TransactionResult::Abort,
            1 => TransactionResult::Commit,
            _ => return Ok(None),
        };
        let value = record.value.and_then(|value| value.first_chunk::<6>());
        let Some(&[version_high, version_low, ref epoch @ ..]) = value else {
            return Err(BatchError::Control(
                "its value is not a version and a coordinator epoch",
            ));
        };
        if i16::from_be_bytes([version_high, version_low]) < 0 {
            return Err(BatchError::Control("its value has a negative version"));
        }
        Ok(Some(Self {
            result,
            coordinator_epoch: i32::from_be_bytes(*epoch),
        }))
    }

    fn key(self) -> [u8; 4] {
        match self.result {
            TransactionResult::Abort => [0, 0, 0, 0],
            TransactionResult::Commit => [0, 0, 0, 1],
        }
    }

    fn value(self) -> [u8; 6] {
        let [a, b, c, d] = self.coordinator_epoch.to_be_bytes();
        [0, 0, a, b, c, d]
    }
}

/// Builds the batch that ends a transaction of a producer: one control record at `timestamp` (ms).
///
/// Base offset and leader epoch are still to be assigned.
///
/// # Errors
/// None that a marker can cause; the signature is [`BatchBuilder::build`]'s.
pub fn control_batch(
    marker: ControlMarker,
    producer_id: i64,
    producer_epoch: i16,
    timestamp: i64,
) -> Result<Bytes, BatchError> {
    let mut builder = BatchBuilder::with_capacity(
        BatchOptions {
            producer_id,
            producer_epoch,
            is_transactional: true,
            is_control: true,
            ..BatchOptions::default()
        },
        32,
    );
    builder.append(timestamp, Some(&marker.key()), Some(&marker.value()), &[])?;
    builder.build()
}

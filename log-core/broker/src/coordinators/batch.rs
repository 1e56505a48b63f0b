//! Record batches of the internal topics, from and to what the machines know.

use bytes::Bytes;
use headwater_coordination::{Append, LogEntry, Marker, ProducerIdentity, Record, Timestamp};
use headwater_wire::records::{
    BATCH_HEADER_LEN, BatchBuilder, BatchError, BatchOptions, ControlMarker, RecordBatch,
    TransactionResult, control_batch,
};

/// The batch for an append made at `at`.
pub(super) fn encode(append: &Append, at: Timestamp) -> Result<RecordBatch, BatchError> {
    match append {
        Append::Records(records) => encode_records(BatchOptions::default(), records, at),
        Append::Transactional(producer, records) => {
            let options = BatchOptions {
                producer_id: producer.id,
                producer_epoch: producer.epoch,
                is_transactional: true,
                ..BatchOptions::default()
            };
            encode_records(options, records, at)
        }
        Append::Marker(marker) => encode_marker(marker, at),
    }
}

/// The control batch that ends a transaction.
pub(super) fn encode_marker(marker: &Marker, at: Timestamp) -> Result<RecordBatch, BatchError> {
    let result = if marker.committed {
        TransactionResult::Commit
    } else {
        TransactionResult::Abort
    };
    let control = ControlMarker {
        result,
        coordinator_epoch: marker.coordinator_epoch,
    };
    let producer = marker.producer;
    whole(control_batch(
        control,
        producer.id,
        producer.epoch,
        at.as_millis(),
    )?)
}

fn encode_records(
    options: BatchOptions,
    records: &[Record],
    at: Timestamp,
) -> Result<RecordBatch, BatchError> {
    let mut builder = BatchBuilder::new(options);
    for record in records {
        builder.append(
            at.as_millis(),
            Some(&record.key),
            record.value.as_deref(),
            &[],
        )?;
    }
    whole(builder.build()?)
}

/// A batch that was just built, as the log takes it.
fn whole(mut bytes: Bytes) -> Result<RecordBatch, BatchError> {
    let available = bytes.len();
    let needed = BATCH_HEADER_LEN.max(available.saturating_add(1));
    RecordBatch::split_from(&mut bytes)?.ok_or(BatchError::Truncated { available, needed })
}

/// Hands every entry of a batch to `each`.
pub(super) fn replay<E: From<BatchError>>(
    batch: &RecordBatch,
    mut each: impl FnMut(LogEntry<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let header = batch.header;
    let producer = ProducerIdentity {
        id: header.producer_id,
        epoch: header.producer_epoch,
    };
    for record in batch.records()?.iter() {
        let record = record?;
        if header.is_control() {
            if let Some(control) = ControlMarker::parse(&record)? {
                each(LogEntry::Marker(Marker {
                    producer,
                    coordinator_epoch: control.coordinator_epoch,
                    committed: control.result == TransactionResult::Commit,
                    bumps_epoch: false,
                }))?;
            }
        } else if let Some(key) = record.key {
            each(LogEntry::Record {
                key,
                value: record.value,
                producer: header.is_transactional().then_some(producer),
            })?;
        }
    }
    Ok(())
}

//! Batches of the log as chunks.
//!
//! Per record: one pass over its length prefixes; keys and values stay in the batch's own buffer.

use std::sync::Arc;

use headwater_wire::records::{BatchError, RecordBatch, RecordRef};

use super::{EngineError, Header, Headers, RawChunk, RawColumn, RowMeta};

/// The records of `batch` as columns over its buffer.
pub(super) fn parse(
    batch: &RecordBatch,
    topic: &str,
    partition: i32,
) -> Result<RawChunk, EngineError> {
    let failed = |error: BatchError| EngineError::Batch {
        topic: topic.to_owned(),
        partition,
        reason: error.to_string(),
    };
    let records = batch.records().map_err(failed)?;
    let rows = usize::try_from(records.header().record_count).unwrap_or(0);
    // A header may lie about its count; the body bounds it.
    let rows = rows.min(records.body().len());
    let mut keys = Vec::with_capacity(rows);
    let mut values = Vec::with_capacity(rows);
    let mut meta = RowMeta {
        timestamps: Vec::with_capacity(rows),
        offsets: Vec::with_capacity(rows),
        headers: None,
    };
    for record in records.iter() {
        let record = record.map_err(failed)?;
        keys.push(record.key_range());
        values.push(record.value_range());
        if !record.headers.is_empty() || meta.headers.is_some() {
            let before = meta.timestamps.len();
            let none: Headers = Arc::new([]);
            let all = meta.headers.get_or_insert_with(|| vec![none; before]);
            all.push(headers_of(&record, records.body()).map_err(failed)?);
        }
        meta.timestamps.push(record.timestamp);
        meta.offsets.push(record.offset);
    }
    Ok(RawChunk {
        keys: RawColumn::new(records.body().clone(), keys),
        values: RawColumn::new(records.body().clone(), values),
        meta,
    })
}

fn headers_of(record: &RecordRef<'_>, body: &bytes::Bytes) -> Result<Headers, BatchError> {
    let mut headers = Vec::with_capacity(record.headers.len());
    for header in record.headers.iter() {
        let header = header?;
        let value = header.value.map(|value| body.slice_ref(value));
        headers.push(Header {
            key: header.key.to_owned(),
            value,
        });
    }
    Ok(headers.into())
}

//! Cutting a batch that the broker finds too large into smaller ones.

use std::sync::Arc;

use headwater_wire::records::{BatchBuilder, BatchError, BatchOptions, Header, RecordBatch};
use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::batch::{Batch, Done};
use super::delivery::{Appended, BatchResult, Part};

/// The parts of a batch that was split: the result of the whole is there once all of theirs are.
pub(crate) struct Parts(Mutex<Open>);

struct Open {
    left: usize,
    parts: Vec<Part>,
    done: Option<oneshot::Sender<BatchResult>>,
}

impl Parts {
    fn new(done: oneshot::Sender<BatchResult>) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Open {
            left: 1,
            parts: Vec::new(),
            done: Some(done),
        })))
    }

    /// A part has become this many.
    fn grow(&self, count: usize) {
        self.0.lock().left += count.saturating_sub(1);
    }

    /// A part is settled. True if it was the last.
    pub(super) fn finish(&self, first_index: i32, result: BatchResult) -> bool {
        let mut open = self.0.lock();
        open.left = open.left.saturating_sub(1);
        open.parts.push(Part {
            first_index,
            result,
        });
        if open.left > 0 {
            return false;
        }
        let mut parts = std::mem::take(&mut open.parts);
        parts.sort_by_key(|part| part.first_index);
        let base_offset = parts.first().and_then(|part| match &part.result {
            Ok(appended) => appended.base_offset,
            Err(_) => None,
        });
        let whole = Appended {
            base_offset,
            log_append_time: None,
            parts: Some(parts.into()),
        };
        if let Some(done) = open.done.take() {
            // Nobody may be waiting: then nobody cares.
            let _ = done.send(Ok(whole));
        }
        true
    }
}

/// Splits a batch of more than one record in two at least, none of them above `size_max` if its
/// records allow it. The parts share the sequence numbers of the whole in order; the first has its
/// memory.
///
/// # Errors
/// The batch as it was, if its records cannot be read.
#[expect(
    clippy::result_large_err,
    reason = "it moves from the sender's hands and back once in a rare failure"
)]
pub(super) fn split(
    mut batch: Batch,
    options: &BatchOptions,
    size_max: usize,
) -> Result<Vec<Batch>, (Batch, BatchError)> {
    let builders = match rebuild(&batch, options, size_max) {
        Ok(builders) => builders,
        Err(error) => return Err((batch, error)),
    };
    let (parts, mut first_index) = match std::mem::replace(&mut batch.done, Done::Gone) {
        Done::Whole(done) => (Parts::new(done), 0),
        Done::Part(parts, first_index) => (parts, first_index),
        Done::Gone => return Err((batch, BatchError::Empty)),
    };
    parts.grow(builders.len());
    let mut reserved = std::mem::take(&mut batch.reserved);
    let mut sequence = batch.sequence;
    let made = builders.into_iter().map(|(builder, records)| {
        let part = batch.part(
            builder,
            records,
            Done::Part(parts.clone(), first_index),
            std::mem::take(&mut reserved),
            sequence,
        );
        first_index += records;
        sequence = sequence.map(|base| super::sequence::advance(base, records));
        part
    });
    Ok(made.collect())
}

fn rebuild(
    batch: &Batch,
    options: &BatchOptions,
    size_max: usize,
) -> Result<Vec<(BatchBuilder, i32)>, BatchError> {
    let mut bytes = batch.bytes().ok_or(BatchError::Empty)?;
    let whole = RecordBatch::split_from(&mut bytes)?.ok_or(BatchError::Empty)?;
    let records = whole.records()?;
    let count_max = (batch.records - 1).max(1);
    let mut builders: Vec<(BatchBuilder, i32)> = Vec::new();
    for record in records.iter() {
        let record = record?;
        let mut headers = Vec::with_capacity(record.headers.len());
        for header in record.headers.iter() {
            let header = header?;
            headers.push(Header {
                key: header.key,
                value: header.value,
            });
        }
        let most = BatchBuilder::record_size_max(record.key, record.value, &headers);
        let fits = builders.last().is_some_and(|(builder, count)| {
            *count < count_max && builder.size_in_bytes() + most <= size_max
        });
        if !fits {
            builders.push((BatchBuilder::new(options.clone()), 0));
        }
        if let Some((builder, count)) = builders.last_mut() {
            builder.append(record.timestamp, record.key, record.value, &headers)?;
            *count += 1;
        }
    }
    Ok(builders)
}

#[cfg(test)]
mod tests;

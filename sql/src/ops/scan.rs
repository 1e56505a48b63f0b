//! Records of a topic to rows.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int32Array, Int64Array, RecordBatch};
use arrow::array::{RecordBatchOptions, StringArray, TimestampMillisecondArray};
use arrow::datatypes::{SchemaRef, TimestampMillisecondType};

use super::rows::{Kinds, Rows};
use crate::SqlError;
use crate::format::JsonReader;

/// A record as it lies in its topic.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Record<'a> {
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) value: Option<&'a [u8]>,
    /// Milliseconds since the epoch.
    pub(crate) timestamp: i64,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
}

/// Where a column of the rows comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ScanColumn {
    /// Column of the JSON reader.
    Value(usize),
    /// The record's timestamp.
    Timestamp,
    /// The record's key as text, null if it has none or is not UTF-8.
    Key,
    /// The partition.
    Partition,
    /// The offset.
    Offset,
}

/// Where the event time of a row comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EventTime {
    /// The record's timestamp.
    Record,
    /// A column of the JSON reader, of type TIMESTAMP in ms.
    Column(usize),
}

/// How the records of a topic become rows.
#[derive(Debug, Clone)]
pub(crate) struct ScanPlan {
    pub(crate) reader: JsonReader,
    pub(crate) columns: Vec<ScanColumn>,
    pub(crate) schema: SchemaRef,
    pub(crate) event_time: EventTime,
}

/// Rows read from records, and how many records gave none.
pub(crate) struct Scanned {
    pub(crate) rows: Rows,
    /// Records that are no row: not JSON of the declared types, or without an event time.
    pub(crate) bad: u64,
    /// What is wrong with the first bad one.
    pub(crate) reason: Option<String>,
}

/// Rows read from records with the position of each row's record.
pub(crate) struct Positioned {
    pub(crate) batch: RecordBatch,
    pub(crate) positions: Vec<usize>,
    pub(crate) bad: u64,
    pub(crate) reason: Option<String>,
}

impl ScanPlan {
    /// Decodes `records` of a stream. Tombstones are no rows and are passed over.
    ///
    /// # Errors
    /// [`SqlError`] only if Arrow refuses the schema: bad records are counted, not failed on.
    pub(crate) fn scan(&self, records: &[Record<'_>]) -> Result<Scanned, SqlError> {
        let (scanned, timestamps) = self.read(records)?;
        let rows = Rows {
            batch: scanned.batch,
            timestamps: timestamps.into(),
            kinds: Kinds::Insert,
        };
        Ok(Scanned {
            rows,
            bad: scanned.bad,
            reason: scanned.reason,
        })
    }

    /// Decodes `records` of a table.
    ///
    /// # Errors
    /// As [`ScanPlan::scan`].
    pub(crate) fn scan_with_positions(
        &self,
        records: &[Record<'_>],
    ) -> Result<Positioned, SqlError> {
        Ok(self.read(records)?.0)
    }

    fn read(&self, records: &[Record<'_>]) -> Result<(Positioned, Vec<i64>), SqlError> {
        let mut positions = Vec::with_capacity(records.len());
        let mut values = Vec::with_capacity(records.len());
        for (position, record) in records.iter().enumerate() {
            if let Some(value) = record.value {
                positions.push(position);
                values.push(value);
            }
        }
        let mut read = self.reader.read(&values)?;
        let mut bad = read.bad.len() as u64;
        if !read.bad.is_empty() {
            let mut next_bad = read.bad.iter().copied().peekable();
            let mut at = 0;
            positions.retain(|_| {
                let keep = next_bad.next_if_eq(&at).is_none();
                at += 1;
                keep
            });
        }
        if let EventTime::Column(column) = self.event_time {
            let times = read.batch.column(column);
            if times.null_count() > 0 {
                let present = arrow::compute::is_not_null(times)?;
                bad += times.null_count() as u64;
                read.reason
                    .get_or_insert_with(|| "the event time is null".to_owned());
                read.batch = arrow::compute::filter_record_batch(&read.batch, &present)?;
                let mut bits = present.values().iter();
                positions.retain(|_| bits.next().unwrap_or(false));
            }
        }
        let kept: Vec<&Record<'_>> = positions.iter().filter_map(|i| records.get(*i)).collect();
        let timestamps = match self.event_time {
            EventTime::Record => kept.iter().map(|r| r.timestamp).collect(),
            EventTime::Column(column) => {
                let times = read.batch.column(column);
                times
                    .as_primitive::<TimestampMillisecondType>()
                    .values()
                    .to_vec()
            }
        };
        let columns = self
            .columns
            .iter()
            .map(|c| column(*c, &read.batch, &kept))
            .collect();
        let options = RecordBatchOptions::new().with_row_count(Some(kept.len()));
        let batch = RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)?;
        Ok((
            Positioned {
                batch,
                positions,
                bad,
                reason: read.reason,
            },
            timestamps,
        ))
    }
}

fn column(column: ScanColumn, batch: &RecordBatch, records: &[&Record<'_>]) -> ArrayRef {
    match column {
        ScanColumn::Value(i) => Arc::clone(batch.column(i)),
        ScanColumn::Timestamp => Arc::new(TimestampMillisecondArray::from_iter_values(
            records.iter().map(|r| r.timestamp),
        )),
        ScanColumn::Key => Arc::new(
            records
                .iter()
                .map(|r| r.key.and_then(|k| std::str::from_utf8(k).ok()))
                .collect::<StringArray>(),
        ),
        ScanColumn::Partition => Arc::new(Int32Array::from_iter_values(
            records.iter().map(|r| r.partition),
        )),
        ScanColumn::Offset => Arc::new(Int64Array::from_iter_values(
            records.iter().map(|r| r.offset),
        )),
    }
}

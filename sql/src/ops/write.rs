//! Rows to records: of a repartition topic, and of a view's topic.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use bytes::Bytes;
use datafusion::physical_expr::PhysicalExpr;

use super::rows::{Kinds, Rows, canonical};
use crate::SqlError;
use crate::codec::{KeyEncoder, RowCodec};
use crate::format::{KeyWriter, write_json_rows};

/// A record to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OutRecord {
    pub(crate) key: Option<Bytes>,
    pub(crate) value: Option<Bytes>,
    pub(crate) timestamp: i64,
}

/// How the key of a shuffled row is written. The key decides the partition.
#[derive(Debug, Clone)]
pub(crate) enum ShuffleKey {
    /// Our own bytes: rows with equal keys meet, which is all that grouping needs.
    Encoded,
    /// The bytes that the records of a table's topic have, so that rows meet the table's.
    Table(KeyWriter),
}

/// Sends rows to where their key belongs, through a repartition topic.
#[derive(Debug, Clone)]
pub(crate) struct Shuffle {
    pub(crate) key: Vec<Arc<dyn PhysicalExpr>>,
    pub(crate) key_form: ShuffleKey,
    /// Rows without a whole key are left out: nothing could come of them.
    pub(crate) drops_null_keys: bool,
    pub(crate) codec: RowCodec,
}

impl Shuffle {
    /// Encodes `rows`, which must be inserts.
    ///
    /// # Errors
    /// Whatever a key expression fails with.
    pub(crate) fn write(&self, rows: &Rows) -> Result<Vec<OutRecord>, SqlError> {
        let columns = self
            .key
            .iter()
            .map(|e| Ok(canonical(e.evaluate(&rows.batch)?.into_array(rows.len())?)))
            .collect::<Result<Vec<ArrayRef>, SqlError>>()?;
        let encoder = KeyEncoder::new(&columns)?;
        let mut table_keys = match &self.key_form {
            ShuffleKey::Encoded => None,
            ShuffleKey::Table(writer) => Some(writer.write(&columns, rows.len())?),
        };
        let row_encoder = self.codec.encoder(rows.batch.columns());
        let mut records = Vec::with_capacity(rows.len());
        let mut bytes = Vec::with_capacity(rows.len() * 64);
        let mut ends = Vec::with_capacity(rows.len());
        for (row, timestamp) in rows.timestamps.iter().enumerate() {
            let has_null = encoder.has_null(row);
            if self.drops_null_keys && has_null {
                continue;
            }
            let start = bytes.len();
            let key = match &mut table_keys {
                None => {
                    encoder.encode(row, &mut bytes);
                    None
                }
                Some(_) if has_null => None,
                Some(keys) => keys.get_mut(row).and_then(Option::take),
            };
            let middle = bytes.len();
            row_encoder.encode(row, &mut bytes);
            ends.push((start, middle, bytes.len()));
            records.push(OutRecord {
                key,
                value: None,
                timestamp: *timestamp,
            });
        }
        // One allocation holds the keys and values of the batch; records are slices of it.
        let bytes = Bytes::from(bytes);
        for (record, (start, middle, end)) in records.iter_mut().zip(ends) {
            if table_keys.is_none() {
                record.key = Some(bytes.slice(start..middle));
            }
            record.value = Some(bytes.slice(middle..end));
        }
        Ok(records)
    }

    /// Decodes the values of a repartition topic's records, each with its timestamp.
    ///
    /// # Errors
    /// [`SqlError::Data`] if they were written by another plan or are damaged.
    pub(crate) fn read(&self, values: &[(&[u8], i64)]) -> Result<Rows, SqlError> {
        let mut decoder = self.codec.decoder(values.len());
        let mut timestamps = Vec::with_capacity(values.len());
        for (value, timestamp) in values {
            decoder.push(value)?;
            timestamps.push(*timestamp);
        }
        Ok(Rows {
            batch: decoder.finish()?,
            timestamps: timestamps.into(),
            kinds: Kinds::Insert,
        })
    }
}

/// Writes a view's rows as JSON.
#[derive(Debug, Clone)]
pub(crate) struct Sink {
    /// The view's columns are the first so many of the rows.
    pub(crate) columns: usize,
    /// Where the key's columns are among those of the rows; none: the records have no key.
    pub(crate) key: Option<(Vec<usize>, KeyWriter)>,
}

impl Sink {
    /// Encodes `rows`: inserts and upserts with a value, deletes as tombstones.
    ///
    /// # Errors
    /// [`SqlError::Query`] for types without a JSON form.
    pub(crate) fn write(&self, rows: &Rows) -> Result<Vec<OutRecord>, SqlError> {
        let visible: Vec<usize> = (0..self.columns).collect();
        let visible: RecordBatch = rows.batch.project(&visible)?;
        let values = write_json_rows(&visible)?;
        let mut keys = match &self.key {
            None => vec![None; rows.len()],
            Some((key, writer)) => {
                let columns: Vec<ArrayRef> = key
                    .iter()
                    .map(|i| Arc::clone(rows.batch.column(*i)))
                    .collect();
                writer.write(&columns, rows.len())?
            }
        };
        let records = values
            .into_iter()
            .enumerate()
            .map(|(row, value)| OutRecord {
                key: keys.get_mut(row).and_then(Option::take),
                value: match &rows.kinds {
                    Kinds::Insert => Some(value),
                    Kinds::Upsert(bits) => bits.value(row).then_some(value),
                },
                timestamp: rows.timestamps.get(row).copied().unwrap_or_default(),
            });
        Ok(records.collect())
    }
}

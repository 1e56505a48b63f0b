//! A stream joined with a table: each row meets the table's row of its key as it stands.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch, UInt32Array};
use arrow::buffer::BooleanBuffer;
use arrow::compute::{is_not_null, take};
use arrow::datatypes::SchemaRef;
use bytes::Bytes;
use datafusion::physical_expr::PhysicalExpr;

use super::calc::{Calc, evaluate_mask};
use super::rows::Rows;
use super::scan::{Record, ScanPlan};
use super::state::State;
use crate::SqlError;
use crate::codec::{KeyEncoder, RowCodec};
use crate::format::KeyWriter;

/// What happens to a row of the stream without a match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JoinKind {
    /// It is left out.
    Inner,
    /// It goes on with nulls for the table's columns.
    Left,
}

/// The table's side: how its records become rows and what is done to those before they match.
#[derive(Debug, Clone)]
pub(crate) struct TableSide {
    /// Name of the table, for messages.
    pub(crate) name: String,
    /// Topic of the table, for messages.
    pub(crate) topic: String,
    /// Decodes the wanted columns and those of the primary key.
    pub(crate) scan: ScanPlan,
    /// The primary key's columns in the scan's schema.
    pub(crate) key: Vec<usize>,
    /// How the topic's keys follow from the primary key, if they must: to be checked.
    pub(crate) key_writer: Option<KeyWriter>,
    /// Bytes of stored rows, with the scan's schema.
    pub(crate) codec: RowCodec,
    /// Filters and projections between the table and the join.
    pub(crate) steps: Vec<Calc>,
}

/// A stream-table join.
#[derive(Debug, Clone)]
pub(crate) struct JoinPlan {
    pub(crate) kind: JoinKind,
    pub(crate) table: TableSide,
    /// Of the stream's rows, what equals the table's primary key, in that order and of its types.
    pub(crate) stream_key: Vec<Arc<dyn PhysicalExpr>>,
    /// Further conditions, over the joined columns.
    pub(crate) residual: Option<Arc<dyn PhysicalExpr>>,
    /// Whether the stream's columns come first.
    pub(crate) is_stream_left: bool,
    /// The joined columns, all nullable.
    pub(crate) schema: SchemaRef,
}

/// Key, new value (none: removed) and timestamp of an entry of a store.
pub(crate) type Change = (Bytes, Option<Bytes>, i64);

/// What records of the table change, in order.
#[derive(Debug, Default)]
pub(crate) struct TableChanges {
    /// Primary key → row.
    pub(crate) rows: Vec<Change>,
    /// The record's key → primary key.
    pub(crate) keys: Vec<Change>,
    /// Records that are no row.
    pub(crate) bad: u64,
    /// What is wrong with the first of them.
    pub(crate) reason: Option<String>,
}

impl TableChanges {
    fn add_bad(&mut self, bad: u64, reason: impl FnOnce() -> String) {
        if bad > 0 {
            self.bad += bad;
            self.reason.get_or_insert_with(reason);
        }
    }
}

/// Finds the value of a key.
pub(crate) type Lookup<'a> = dyn FnMut(&[u8]) -> Result<Option<Bytes>, SqlError> + 'a;

/// The stored keys under the changes of the batch at hand.
struct Keys<'a, 'l> {
    stored: &'a mut Lookup<'l>,
    changed: HashMap<Vec<u8>, Option<Bytes>>,
}

impl Keys<'_, '_> {
    fn get(&mut self, key: &[u8]) -> Result<Option<Bytes>, SqlError> {
        match self.changed.get(key) {
            Some(value) => Ok(value.clone()),
            None => (self.stored)(key),
        }
    }

    fn set(
        &mut self,
        key: &[u8],
        value: Option<Bytes>,
        timestamp: i64,
        changes: &mut TableChanges,
    ) {
        self.changed.insert(key.to_vec(), value.clone());
        changes
            .keys
            .push((Bytes::copy_from_slice(key), value, timestamp));
    }
}

impl JoinPlan {
    /// What records of the table change in the rows (primary key → row) and in the keys (the
    /// record's key → primary key, by which a tombstone finds its row). `stored_key` looks up the
    /// latter as they were before.
    ///
    /// # Errors
    /// [`SqlError::Data`] if a record's key is not the one its primary key is declared to give:
    /// the table would then not be partitioned as the join needs it.
    pub(crate) fn update_table(
        &self,
        records: &[Record<'_>],
        stored_key: &mut Lookup<'_>,
    ) -> Result<TableChanges, SqlError> {
        let mut changes = TableChanges::default();
        let mut keys = Keys {
            stored: stored_key,
            changed: HashMap::new(),
        };
        let mut start = 0;
        // Tombstones are rare and split the run, so that a key's records stay in order.
        for (i, record) in records.iter().enumerate() {
            if record.value.is_none() {
                let run = records.get(start..i).unwrap_or_default();
                self.upsert_rows(run, &mut keys, &mut changes)?;
                start = i + 1;
                if let Some(key) = record.key
                    && let Some(primary) = keys.get(key)?
                {
                    changes.rows.push((primary, None, record.timestamp));
                    keys.set(key, None, record.timestamp, &mut changes);
                }
            }
        }
        let run = records.get(start..).unwrap_or_default();
        self.upsert_rows(run, &mut keys, &mut changes)?;
        Ok(changes)
    }

    fn upsert_rows(
        &self,
        records: &[Record<'_>],
        keys: &mut Keys<'_, '_>,
        changes: &mut TableChanges,
    ) -> Result<(), SqlError> {
        if records.is_empty() {
            return Ok(());
        }
        let with_key: Vec<Record<'_>> = records
            .iter()
            .filter(|r| r.key.is_some())
            .copied()
            .collect();
        changes.add_bad((records.len() - with_key.len()) as u64, || {
            "a record of a table has no key".to_owned()
        });
        let scanned = self.table.scan.scan_with_positions(&with_key)?;
        changes.add_bad(scanned.bad, || scanned.reason.unwrap_or_default());
        let batch = &scanned.batch;
        let primary: Vec<ArrayRef> = self
            .table
            .key
            .iter()
            .map(|i| Arc::clone(batch.column(*i)))
            .collect();
        let expected = match &self.table.key_writer {
            Some(writer) => Some(writer.write(&primary, batch.num_rows())?),
            None => None,
        };
        let key_encoder = KeyEncoder::new(&primary)?;
        let row_encoder = self.table.codec.encoder(batch.columns());
        for (row, position) in scanned.positions.iter().enumerate() {
            let Some(record) = with_key.get(*position) else {
                continue;
            };
            let Some(record_key) = record.key else {
                continue;
            };
            if key_encoder.has_null(row) {
                changes.add_bad(1, || "a primary key column is null".to_owned());
                continue;
            }
            if let Some(expected) = expected.as_ref().and_then(|e| e.get(row)) {
                self.check_key(record, record_key, expected.as_deref())?;
            }
            let mut primary = Vec::new();
            key_encoder.encode(row, &mut primary);
            let primary = Bytes::from(primary);
            match keys.get(record_key)? {
                Some(before) if before == primary => {}
                before => {
                    if let Some(before) = before {
                        changes.rows.push((before, None, record.timestamp));
                    }
                    keys.set(record_key, Some(primary.clone()), record.timestamp, changes);
                }
            }
            let mut value = Vec::new();
            row_encoder.encode(row, &mut value);
            changes
                .rows
                .push((primary, Some(value.into()), record.timestamp));
        }
        Ok(())
    }

    fn check_key(
        &self,
        record: &Record<'_>,
        found: &[u8],
        expected: Option<&[u8]>,
    ) -> Result<(), SqlError> {
        if expected == Some(found) {
            return Ok(());
        }
        Err(SqlError::Data(format!(
            "table {}: the record at {}-{}@{} has the key {}, its primary key gives {}; declare \
             the key_format the topic's keys have, or use a topic of one partition",
            self.table.name,
            self.table.topic,
            record.partition,
            record.offset,
            String::from_utf8_lossy(found),
            expected.map_or("none".into(), String::from_utf8_lossy),
        )))
    }

    /// Joins `rows` of the stream with the table as `state` holds it.
    ///
    /// # Errors
    /// Whatever an expression fails with, or a stored row that cannot be read.
    pub(crate) fn probe(&self, rows: &Rows, state: &mut dyn State) -> Result<Rows, SqlError> {
        let keys = self
            .stream_key
            .iter()
            .map(|e| e.evaluate(&rows.batch)?.into_array(rows.len()))
            .collect::<Result<Vec<_>, _>>()?;
        let (table, mut matches) = self.look_up(&keys, rows.len(), state)?;
        let (table, passes) = self.apply_steps(table)?;
        if passes.has_false() {
            matches = matches
                .iter()
                .map(|m| m.filter(|i| passes.value(*i as usize)))
                .collect();
        }
        let mut joined = self.combine(&rows.batch, &table, &matches)?;
        if let Some(residual) = &self.residual {
            let mask = evaluate_mask(residual, &joined)?;
            let kept: UInt32Array = matches
                .iter()
                .zip(mask.values().iter())
                .map(|(m, pass)| m.filter(|_| pass))
                .collect();
            if kept.null_count() != matches.null_count() {
                joined = self.combine(&rows.batch, &table, &kept)?;
                matches = kept;
            }
        }
        let joined = Rows {
            batch: joined,
            ..rows.clone()
        };
        match self.kind {
            JoinKind::Inner if matches.null_count() > 0 => joined.filter(&is_not_null(&matches)?),
            _ => Ok(joined),
        }
    }

    /// The distinct table rows that the keys meet, and for each key which of them.
    fn look_up(
        &self,
        keys: &[ArrayRef],
        len: usize,
        state: &mut dyn State,
    ) -> Result<(RecordBatch, UInt32Array), SqlError> {
        let encoder = KeyEncoder::new(keys)?;
        let mut found: HashMap<Vec<u8>, Option<u32>> = HashMap::new();
        let mut decoder = self.table.codec.decoder(16);
        let mut distinct = 0;
        let mut matches = Vec::with_capacity(len);
        let mut key = Vec::new();
        for row in 0..len {
            if encoder.has_null(row) {
                matches.push(None);
                continue;
            }
            key.clear();
            encoder.encode(row, &mut key);
            if let Some(known) = found.get(&key) {
                matches.push(*known);
                continue;
            }
            let index = match state.get(&key)? {
                None => None,
                Some(value) => {
                    decoder.push(&value)?;
                    distinct += 1;
                    Some(distinct - 1)
                }
            };
            if let Entry::Vacant(entry) = found.entry(key.clone()) {
                entry.insert(index);
            }
            matches.push(index);
        }
        Ok((decoder.finish()?, UInt32Array::from(matches)))
    }

    /// The table's rows after its own filters and projections, and which rows pass the filters.
    fn apply_steps(&self, mut table: RecordBatch) -> Result<(RecordBatch, BooleanArray), SqlError> {
        let mut passes = BooleanArray::new(BooleanBuffer::new_set(table.num_rows()), None);
        for step in &self.table.steps {
            passes = step.passing(&table, passes)?;
            table = step.project_passing(&table, &passes)?;
        }
        Ok((table, passes))
    }

    fn combine(
        &self,
        stream: &RecordBatch,
        table: &RecordBatch,
        matches: &UInt32Array,
    ) -> Result<RecordBatch, SqlError> {
        let taken = table
            .columns()
            .iter()
            .map(|c| take(c.as_ref(), matches, None))
            .collect::<Result<Vec<_>, _>>()?;
        let stream = stream.columns().iter().cloned();
        let columns: Vec<ArrayRef> = if self.is_stream_left {
            stream.chain(taken).collect()
        } else {
            taken.into_iter().chain(stream).collect()
        };
        let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(matches.len()));
        Ok(RecordBatch::try_new_with_options(
            self.schema.clone(),
            columns,
            &options,
        )?)
    }
}

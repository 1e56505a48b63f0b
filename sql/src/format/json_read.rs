//! JSON objects to Arrow columns. Only the wanted columns are decoded. A record that is not one
//! JSON object of the declared types is told apart from its neighbours.

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;
use arrow_json::reader::{Decoder, ReaderBuilder};

use crate::SqlError;

/// Decodes the JSON objects of records.
#[derive(Debug, Clone)]
pub(crate) struct JsonReader {
    schema: SchemaRef,
}

/// What [`JsonReader::read`] made of some records.
pub(crate) struct JsonRows {
    /// The rows of the good records, in order.
    pub(crate) batch: RecordBatch,
    /// Positions of the bad records in the input, with what is wrong with the first of them.
    pub(crate) bad: Vec<usize>,
    /// What is wrong with the first bad record.
    pub(crate) reason: Option<String>,
}

impl JsonReader {
    /// A reader of the columns of `schema`, by name; other members are skipped.
    pub(crate) fn new(schema: SchemaRef) -> Self {
        Self { schema }
    }

    /// The columns that are decoded.
    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Decodes `records`, one JSON object each.
    ///
    /// # Errors
    /// [`SqlError::Query`] if Arrow refuses the schema; bad records are no error.
    pub(crate) fn read(&self, records: &[&[u8]]) -> Result<JsonRows, SqlError> {
        // arrow-json fails as a whole, so the common case is tried first and only a batch with a
        // bad record in it pays for looking at each.
        if let Some(batch) = self.read_all(records)? {
            return Ok(JsonRows {
                batch,
                bad: Vec::new(),
                reason: None,
            });
        }
        let mut good = Vec::new();
        let mut bad = Vec::new();
        let mut reason = None;
        for (i, record) in records.iter().enumerate() {
            match self.read_one(record) {
                Ok(batch) => good.push(batch),
                Err(text) => {
                    bad.push(i);
                    reason.get_or_insert(text);
                }
            }
        }
        Ok(JsonRows {
            batch: concat_batches(&self.schema, &good)?,
            bad,
            reason,
        })
    }

    fn decoder(&self, rows: usize) -> Result<Decoder, SqlError> {
        Ok(ReaderBuilder::new(self.schema.clone())
            .with_batch_size(rows.max(1))
            .build_decoder()?)
    }

    fn read_all(&self, records: &[&[u8]]) -> Result<Option<RecordBatch>, SqlError> {
        // One row more than there are records, so that a record with two objects shows.
        let mut decoder = self.decoder(records.len() + 1)?;
        for (i, record) in records.iter().enumerate() {
            let whole = decoder
                .decode(record)
                .is_ok_and(|read| read == record.len());
            if !whole || decoder.has_partial_record() || decoder.len() != i + 1 {
                return Ok(None);
            }
        }
        if records.is_empty() {
            return Ok(Some(RecordBatch::new_empty(self.schema.clone())));
        }
        match decoder.flush() {
            Ok(Some(batch)) if batch.num_rows() == records.len() => Ok(Some(batch)),
            _ => Ok(None),
        }
    }

    fn read_one(&self, record: &[u8]) -> Result<RecordBatch, String> {
        let mut decoder = self.decoder(2).map_err(|e| e.to_string())?;
        let read = decoder.decode(record).map_err(|e| e.to_string())?;
        if decoder.has_partial_record() {
            return Err("the JSON text ends too early".to_owned());
        }
        if read != record.len() || decoder.len() != 1 {
            return Err("not one JSON object".to_owned());
        }
        match decoder.flush() {
            Ok(Some(batch)) => Ok(batch),
            Ok(None) => Err("no JSON object".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Array, AsArray};
    use arrow::datatypes::{
        DataType, Field, Int64Type, Schema, TimeUnit, TimestampMillisecondType,
    };

    use super::*;

    fn reader() -> JsonReader {
        JsonReader::new(Arc::new(Schema::new(vec![
            Field::new("n", DataType::Int64, true),
            Field::new("at", DataType::Timestamp(TimeUnit::Millisecond, None), true),
        ])))
    }

    #[test]
    fn decodes_wanted_columns_only() {
        let rows = reader()
            .read(&[
                br#"{"x":[1,{"y":null}],"n":7,"at":"2013-01-01T10:00:00Z"}"#,
                br#" {"n":null} "#,
            ])
            .unwrap();
        assert!(rows.bad.is_empty(), "{:?}", rows.reason);
        assert_eq!(rows.batch.column(0).as_primitive::<Int64Type>().value(0), 7);
        let at = rows
            .batch
            .column(1)
            .as_primitive::<TimestampMillisecondType>();
        assert_eq!(at.value(0), 1_357_034_400_000);
        assert!(rows.batch.column(0).is_null(1) && at.is_null(1));
    }

    #[test]
    fn bad_records_leave_their_neighbours_alone() {
        let rows = reader()
            .read(&[
                br#"{"n":1}"#,
                br#"{"n":2"#,
                br#","at":null}"#,
                br#"{"n":"two"}"#,
                br#"{"n":3}{"n":4}"#,
                b"",
                br#"[1]"#,
                br#"{"n":5}"#,
            ])
            .unwrap();
        assert_eq!(rows.bad, [1, 2, 3, 4, 5, 6]);
        assert_eq!(
            rows.batch.column(0).as_primitive::<Int64Type>().values(),
            &[1, 5]
        );
        assert!(rows.reason.is_some());
    }
}

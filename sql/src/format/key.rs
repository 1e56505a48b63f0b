//! How the key of a record is written.

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use bytes::Bytes;
use std::sync::Arc;

use super::write_json_rows;
use crate::SqlError;

/// How the key bytes of a topic's records follow from its key columns (`key_format`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyFormat {
    /// The single key column's text, without quotes.
    String,
    /// A JSON object of the key columns in their declared order, without spaces.
    Json,
}

impl std::str::FromStr for KeyFormat {
    type Err = SqlError;

    fn from_str(text: &str) -> Result<Self, SqlError> {
        match text.to_lowercase().as_str() {
            "string" | "kafka" => Ok(KeyFormat::String),
            "json" => Ok(KeyFormat::Json),
            other => Err(SqlError::InvalidDefinition(format!(
                "key_format {other}; there are string and json"
            ))),
        }
    }
}

impl std::fmt::Display for KeyFormat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            KeyFormat::String => "string",
            KeyFormat::Json => "json",
        })
    }
}

/// Writes the keys of rows.
#[derive(Debug, Clone)]
pub(crate) struct KeyWriter {
    format: KeyFormat,
    names: Vec<String>,
}

impl KeyWriter {
    /// A writer of keys with these columns.
    ///
    /// # Errors
    /// [`SqlError::InvalidDefinition`] if the format cannot hold that many columns.
    pub(crate) fn new(format: KeyFormat, names: Vec<String>) -> Result<Self, SqlError> {
        if format == KeyFormat::String && names.len() != 1 {
            return Err(SqlError::InvalidDefinition(format!(
                "key_format string holds one column, the key has {}; use json",
                names.len()
            )));
        }
        Ok(Self { format, names })
    }

    /// The key of each row. Under [`KeyFormat::String`] a null has no key.
    pub(crate) fn write(
        &self,
        columns: &[ArrayRef],
        rows: usize,
    ) -> Result<Vec<Option<Bytes>>, SqlError> {
        match (self.format, columns) {
            (KeyFormat::String, [column]) => text_keys(column),
            _ if columns.is_empty() => Ok(vec![Some(Bytes::from_static(b"{}")); rows]),
            _ => {
                let fields: Vec<Field> = columns
                    .iter()
                    .zip(&self.names)
                    .map(|(c, name)| Field::new(name, c.data_type().clone(), true))
                    .collect();
                let schema = Arc::new(Schema::new(fields));
                let batch = RecordBatch::try_new(schema, columns.to_vec())?;
                Ok(write_json_rows(&batch)?.into_iter().map(Some).collect())
            }
        }
    }
}

fn text_keys(column: &ArrayRef) -> Result<Vec<Option<Bytes>>, SqlError> {
    let options = match column.data_type() {
        DataType::Timestamp(..) => {
            FormatOptions::new().with_timestamp_format(Some("%Y-%m-%dT%H:%M:%S%.fZ"))
        }
        _ => FormatOptions::new(),
    };
    let formatter = ArrayFormatter::try_new(column.as_ref(), &options)?;
    Ok((0..column.len())
        .map(|row| (!column.is_null(row)).then(|| Bytes::from(formatter.value(row).to_string())))
        .collect())
}

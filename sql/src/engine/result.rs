//! What a statement returns.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use futures::StreamExt;
use futures::stream::BoxStream;

use crate::SqlError;

/// The columns and rows of a statement's result.
pub struct SqlResult {
    /// What was done, in PostgreSQL's words: `SELECT`, `CREATE MATERIALIZED VIEW`, …
    pub tag: String,
    /// Columns. None for statements that return no rows.
    pub schema: SchemaRef,
    /// The rows, in batches.
    pub rows: BoxStream<'static, Result<RecordBatch, SqlError>>,
    /// Whether the rows do not end by themselves (`EMIT CHANGES`).
    pub is_unbounded: bool,
}

impl SqlResult {
    /// All rows of a result that ends.
    ///
    /// # Errors
    /// The first failure of the query.
    pub async fn collect(self) -> Result<Vec<RecordBatch>, SqlError> {
        let mut rows = self.rows;
        let mut batches = Vec::new();
        while let Some(batch) = rows.next().await {
            batches.push(batch?);
        }
        Ok(batches)
    }

    pub(super) fn done(tag: &str) -> Self {
        Self {
            tag: tag.to_owned(),
            schema: Arc::new(Schema::empty()),
            rows: futures::stream::empty().boxed(),
            is_unbounded: false,
        }
    }

    pub(super) fn batch(tag: &str, batch: RecordBatch) -> Self {
        Self {
            tag: tag.to_owned(),
            schema: batch.schema(),
            rows: futures::stream::iter([Ok(batch)]).boxed(),
            is_unbounded: false,
        }
    }
}

impl std::fmt::Debug for SqlResult {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqlResult")
            .field("tag", &self.tag)
            .field("schema", &self.schema)
            .field("is_unbounded", &self.is_unbounded)
            .finish_non_exhaustive()
    }
}

/// Columns of text with these names.
pub(super) fn text_schema(names: &[&str]) -> SchemaRef {
    let fields: Vec<Field> = names
        .iter()
        .map(|n| Field::new(*n, DataType::Utf8, true))
        .collect();
    Arc::new(Schema::new(fields))
}

/// Rows of text.
pub(super) fn text_rows(
    names: &[&str],
    rows: &[Vec<Option<String>>],
) -> Result<RecordBatch, SqlError> {
    let columns = (0..names.len())
        .map(|i| {
            let column: StringArray = rows
                .iter()
                .map(|row| row.get(i).cloned().flatten())
                .collect();
            Arc::new(column) as ArrayRef
        })
        .collect();
    Ok(RecordBatch::try_new(text_schema(names), columns)?)
}

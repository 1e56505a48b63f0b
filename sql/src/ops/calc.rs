//! Filter and projection in one step.

use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch, RecordBatchOptions};
use arrow::compute::prep_null_mask_filter;
use arrow::datatypes::SchemaRef;
use datafusion::physical_expr::PhysicalExpr;

use super::rows::{Kinds, Rows};
use crate::SqlError;

/// Keeps the rows for which the predicate holds and computes the output columns of those.
#[derive(Debug, Clone)]
pub(crate) struct Calc {
    /// Rows for which this is not true are left out; of upserts, they become deletes.
    pub(crate) predicate: Option<Arc<dyn PhysicalExpr>>,
    /// One expression a column; none: the columns stay as they are.
    pub(crate) columns: Option<Vec<Arc<dyn PhysicalExpr>>>,
    /// Schema of the output.
    pub(crate) schema: SchemaRef,
}

impl Calc {
    /// Applies the step.
    ///
    /// # Errors
    /// Whatever an expression fails with, such as a division by zero.
    pub(crate) fn apply(&self, rows: Rows) -> Result<Rows, SqlError> {
        let mut rows = match &self.predicate {
            None => rows,
            Some(predicate) => {
                let mask = evaluate_mask(predicate, &rows.batch)?;
                match &rows.kinds {
                    Kinds::Insert if mask.true_count() == mask.len() => rows,
                    Kinds::Insert => rows.filter(&mask)?,
                    Kinds::Upsert(bits) => {
                        let kinds = Kinds::Upsert(bits & mask.values());
                        Rows { kinds, ..rows }
                    }
                }
            }
        };
        rows.batch = self.project(&rows.batch)?;
        Ok(rows)
    }

    /// The output columns for rows that have passed.
    pub(crate) fn project(&self, batch: &RecordBatch) -> Result<RecordBatch, SqlError> {
        let Some(columns) = &self.columns else {
            return Ok(batch.clone());
        };
        let arrays = columns
            .iter()
            .map(|c| c.evaluate(batch)?.into_array(batch.num_rows()))
            .collect::<Result<Vec<_>, _>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        Ok(RecordBatch::try_new_with_options(
            self.schema.clone(),
            arrays,
            &options,
        )?)
    }
}

/// The predicate for each row, null counting as false.
pub(crate) fn evaluate_mask(
    predicate: &Arc<dyn PhysicalExpr>,
    batch: &RecordBatch,
) -> Result<BooleanArray, SqlError> {
    let array = predicate.evaluate(batch)?.into_array(batch.num_rows())?;
    let mask = array.as_boolean_opt().ok_or_else(|| {
        SqlError::Unsupported(format!("{predicate} as a condition: it is no boolean"))
    })?;
    Ok(if mask.null_count() > 0 {
        prep_null_mask_filter(mask)
    } else {
        mask.clone()
    })
}

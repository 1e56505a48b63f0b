//! Filter and projection in one step.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, RecordBatchOptions};
use arrow::buffer::BooleanBuffer;
use arrow::compute::{and, prep_null_mask_filter};
use arrow::datatypes::{Schema, SchemaRef};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;

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
        let present = match &rows.kinds {
            Kinds::Upsert(bits) => BooleanArray::new(bits.clone(), None),
            Kinds::Insert => BooleanArray::new(BooleanBuffer::new_set(rows.len()), None),
        };
        let passing = self.passing(&rows.batch, present)?;
        match &rows.kinds {
            Kinds::Insert => {
                let rows = if passing.has_false() {
                    rows.filter(&passing)?
                } else {
                    rows
                };
                let batch = self.project(&rows.batch)?;
                Ok(Rows { batch, ..rows })
            }
            Kinds::Upsert(_) => {
                let batch = self.project_passing(&rows.batch, &passing)?;
                let kinds = Kinds::Upsert(passing.values().clone());
                Ok(Rows {
                    batch,
                    kinds,
                    ..rows
                })
            }
        }
    }

    /// The rows among `present` for which the predicate holds. It is not asked about the others:
    /// it may fail on what an earlier step has left out.
    pub(crate) fn passing(
        &self,
        batch: &RecordBatch,
        present: BooleanArray,
    ) -> Result<BooleanArray, SqlError> {
        let Some(predicate) = &self.predicate else {
            return Ok(present);
        };
        let holds = predicate.evaluate_selection(batch, &present)?;
        let mask = mask_of(predicate, &holds.into_array(batch.num_rows())?)?;
        Ok(and(&mask, &present)?)
    }

    /// The output columns, computed for the `passing` rows alone. The others keep the columns that
    /// are passed on as they are, among them every key.
    pub(crate) fn project_passing(
        &self,
        batch: &RecordBatch,
        passing: &BooleanArray,
    ) -> Result<RecordBatch, SqlError> {
        let Some(columns) = self.columns.as_ref().filter(|_| passing.has_false()) else {
            return self.project(batch);
        };
        let compute = |column: &Arc<dyn PhysicalExpr>| {
            let value = match column.downcast_ref::<Column>() {
                Some(column) => column.evaluate(batch),
                None => column.evaluate_selection(batch, passing),
            };
            value?.into_array(batch.num_rows())
        };
        let arrays = columns.iter().map(compute).collect::<Result<Vec<_>, _>>()?;
        let nullable = self.schema.fields().iter();
        let nullable = nullable.map(|field| field.as_ref().clone().with_nullable(true));
        let schema = Arc::new(Schema::new(nullable.collect::<Vec<_>>()));
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        Ok(RecordBatch::try_new_with_options(schema, arrays, &options)?)
    }

    fn project(&self, batch: &RecordBatch) -> Result<RecordBatch, SqlError> {
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
    mask_of(predicate, &array)
}

fn mask_of(predicate: &Arc<dyn PhysicalExpr>, array: &ArrayRef) -> Result<BooleanArray, SqlError> {
    let mask = array.as_boolean_opt().ok_or_else(|| {
        SqlError::Unsupported(format!("{predicate} as a condition: it is no boolean"))
    })?;
    Ok(if mask.null_count() > 0 {
        prep_null_mask_filter(mask)
    } else {
        mask.clone()
    })
}

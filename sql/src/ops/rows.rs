//! What flows between operators.

use arrow::array::{ArrayRef, AsArray, Float32Array, Float64Array, Int64Array};
use arrow::array::{BooleanArray, RecordBatch};
use arrow::buffer::{BooleanBuffer, ScalarBuffer};
use arrow::compute::{filter, filter_record_batch};
use arrow::datatypes::{DataType, Float32Type, Float64Type, Int64Type};
use std::sync::Arc;

use crate::SqlError;

/// What each row does to the result, carried beside the data.
#[derive(Debug, Clone)]
pub(crate) enum Kinds {
    /// Every row is new.
    Insert,
    /// A set bit replaces the row of the same key, a clear one deletes it.
    Upsert(BooleanBuffer),
}

/// Some rows with what is known of each beside its columns.
#[derive(Debug, Clone)]
pub(crate) struct Rows {
    /// The columns.
    pub(crate) batch: RecordBatch,
    /// Event time of each row, ms since the epoch.
    pub(crate) timestamps: ScalarBuffer<i64>,
    /// Insert, upsert or delete.
    pub(crate) kinds: Kinds,
}

impl Rows {
    pub(crate) fn len(&self) -> usize {
        self.batch.num_rows()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The rows for which `mask` is true.
    pub(crate) fn filter(&self, mask: &BooleanArray) -> Result<Rows, SqlError> {
        let timestamps = Int64Array::new(self.timestamps.clone(), None);
        let kinds = match &self.kinds {
            Kinds::Insert => Kinds::Insert,
            Kinds::Upsert(bits) => {
                let bits = filter(&BooleanArray::new(bits.clone(), None), mask)?;
                Kinds::Upsert(bits.as_boolean().values().clone())
            }
        };
        Ok(Rows {
            batch: filter_record_batch(&self.batch, mask)?,
            timestamps: filter(&timestamps, mask)?
                .as_primitive::<Int64Type>()
                .values()
                .clone(),
            kinds,
        })
    }
}

/// Floats that are equal get equal bits, so that a group has one key.
pub(super) fn canonical(array: ArrayRef) -> ArrayRef {
    macro_rules! canonical {
        ($t:ty, $array:ty, $f:ty) => {{
            let mapped: $array = array.as_primitive::<$t>().unary(|v: $f| {
                if v.is_nan() {
                    <$f>::NAN
                } else if v == 0.0 {
                    0.0
                } else {
                    v
                }
            });
            Arc::new(mapped)
        }};
    }
    match array.data_type() {
        DataType::Float32 => canonical!(Float32Type, Float32Array, f32),
        DataType::Float64 => canonical!(Float64Type, Float64Array, f64),
        _ => array,
    }
}

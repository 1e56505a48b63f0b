//! How a record changes an aggregate.

use crate::engine::{EngineError, TaskContext};

use super::super::Data;
use super::super::rows::Rows;

/// How records of keys `K` and values `V` change an aggregate `A`.
pub(in crate::dsl) trait Fold<K, V, A>: Send + Sync + 'static {
    /// Decodes what [`add`](Self::add) looks at.
    fn prepare(&self, rows: &mut Rows<K, V>, cx: &mut TaskContext<'_>) -> Result<(), EngineError>;

    /// Adds the record at `row`.
    fn add(&self, rows: &Rows<K, V>, row: usize, aggregate: &mut Option<A>);
}

/// Counts records; looks at nothing.
pub(in crate::dsl) struct Count;

impl<K: Data, V: Data> Fold<K, V, i64> for Count {
    fn prepare(&self, _: &mut Rows<K, V>, _: &mut TaskContext<'_>) -> Result<(), EngineError> {
        Ok(())
    }

    #[inline]
    fn add(&self, _rows: &Rows<K, V>, _row: usize, aggregate: &mut Option<i64>) {
        *aggregate.get_or_insert(0) += 1;
    }
}

/// Combines values with each other.
pub(in crate::dsl) struct Reduce<F>(pub(in crate::dsl) F);

impl<K: Data, V: Data, F> Fold<K, V, V> for Reduce<F>
where
    F: Fn(&V, &V) -> V + Send + Sync + 'static,
{
    fn prepare(&self, rows: &mut Rows<K, V>, cx: &mut TaskContext<'_>) -> Result<(), EngineError> {
        rows.decode_values(cx)
    }

    #[inline]
    fn add(&self, rows: &Rows<K, V>, row: usize, aggregate: &mut Option<V>) {
        let Some(value) = rows.values.value(row) else {
            return;
        };
        *aggregate = Some(match aggregate.as_ref() {
            Some(so_far) => (self.0)(so_far, value),
            None => value.clone(),
        });
    }
}

/// Adds keys and values to something else.
pub(in crate::dsl) struct Aggregate<I, F> {
    pub(in crate::dsl) init: I,
    pub(in crate::dsl) add: F,
}

impl<K: Data, V: Data, A, I, F> Fold<K, V, A> for Aggregate<I, F>
where
    I: Fn() -> A + Send + Sync + 'static,
    F: Fn(&K, &V, &mut A) + Send + Sync + 'static,
{
    fn prepare(&self, rows: &mut Rows<K, V>, cx: &mut TaskContext<'_>) -> Result<(), EngineError> {
        rows.decode(cx)
    }

    #[inline]
    fn add(&self, rows: &Rows<K, V>, row: usize, aggregate: &mut Option<A>) {
        let (Some(key), Some(value)) = (rows.keys.value(row), rows.values.value(row)) else {
            return;
        };
        (self.add)(key, value, aggregate.get_or_insert_with(&self.init));
    }
}

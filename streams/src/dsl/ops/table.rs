//! Operators on the changes of a table.

use std::sync::Arc;

use crate::engine::{Chunk, OperatorFactory};

use super::super::Data;
use super::super::rows::{Column, Rows, TableRows};
use super::batch_operator;

/// Rows that do not fit become deletions; a deletion of what had not been there either is no change.
pub(in crate::dsl) fn filter<K: Data, V: Data>(
    keep: Arc<impl Fn(&K, &V) -> bool + Send + Sync + 'static>,
) -> OperatorFactory {
    batch_operator(move |mut rows: TableRows<K, V>, cx| {
        rows.decode_keys(cx)?;
        let sift = |column: &mut Vec<Option<V>>, keys: &[K]| {
            for (value, key) in column.iter_mut().zip(keys) {
                if value.as_ref().is_some_and(|value| !keep(key, value)) {
                    *value = None;
                }
            }
        };
        sift(&mut rows.new, rows.keys.values());
        if let Some(old) = &mut rows.old {
            sift(old, rows.keys.values());
        }
        if let Some(old) = &rows.old {
            let changes: Vec<bool> = rows
                .new
                .iter()
                .zip(old)
                .map(|(new, old)| new.is_some() || old.is_some())
                .collect();
            rows.retain(&changes);
        }
        cx.forward(Chunk::columnar(rows));
        Ok(())
    })
}

pub(in crate::dsl) fn map_values<K: Data, V: Data, V2: Data>(
    f: Arc<impl Fn(&K, &V) -> V2 + Send + Sync + 'static>,
) -> OperatorFactory {
    batch_operator(move |mut rows: TableRows<K, V>, cx| {
        rows.decode_keys(cx)?;
        let apply = |column: &[Option<V>]| -> Vec<Option<V2>> {
            let pairs = column.iter().zip(rows.keys.values());
            pairs
                .map(|(value, key)| value.as_ref().map(|value| f(key, value)))
                .collect()
        };
        let new = apply(&rows.new);
        let old = rows.old.as_deref().map(apply);
        cx.forward(Chunk::columnar(TableRows {
            keys: rows.keys,
            new,
            old,
            meta: rows.meta,
        }));
        Ok(())
    })
}

pub(in crate::dsl) fn to_stream<K: Data, V: Data>() -> OperatorFactory {
    batch_operator(move |rows: TableRows<K, V>, cx| {
        let values = Column::typed(rows.new);
        cx.forward(Chunk::columnar(Rows {
            keys: rows.keys,
            values,
            meta: rows.meta,
        }));
        Ok(())
    })
}

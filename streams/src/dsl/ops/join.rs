//! A stream joined with the table of its moment.

use std::sync::Arc;

use crate::codec::Codec;
use crate::engine::{Chunk, OperatorFactory};

use super::super::Data;
use super::super::rows::Rows;
use super::batch_operator;
use super::view::TableView;

/// What becomes of a record of the stream that has no key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::dsl) enum NullKey {
    /// It is dropped and counted.
    Dropped,
    /// It is joined with nothing (KIP-962).
    FindsNothing,
}

/// Result timestamps are the greater of both sides'. A null value is dropped and counted; a record
/// that `join` makes nothing of has no result.
pub(in crate::dsl) fn factory<K: Data, V: Data, VT: Data, R: Data>(
    null_key: NullKey,
    key: Arc<dyn Codec<K>>,
    value: Option<Arc<dyn Codec<V>>>,
    table: Arc<dyn TableView<VT>>,
    join: impl Fn(&V, Option<&VT>) -> Option<R> + Send + Sync + 'static,
) -> OperatorFactory {
    batch_operator(move |mut rows: Rows<K, V>, cx| {
        rows.decode_values(cx)?;
        let keys = rows.keys.encode(&key, "key", cx.node())?;
        let mut keep = vec![false; rows.len()];
        let mut results = Vec::with_capacity(rows.len());
        let mut dropped = 0;
        let records = rows
            .values
            .values()
            .iter()
            .zip(&mut rows.meta.timestamps)
            .zip(&mut keep);
        for (row, ((record, timestamp), keep)) in records.enumerate() {
            let key = keys.get(row);
            let unusable = key.is_none() && null_key == NullKey::Dropped;
            if unusable || rows.values.is_null(row, value.as_ref()) {
                dropped += 1;
                continue;
            }
            let mut matched = |found: Option<(&VT, i64)>| {
                if let Some(result) = join(record, found.map(|(row, _)| row)) {
                    *timestamp = found.map_or(*timestamp, |(_, at)| at.max(*timestamp));
                    results.push(result);
                    *keep = true;
                }
            };
            match key {
                Some(key) => table.look(cx, key, &mut matched)?,
                None => matched(None),
            }
        }
        cx.count_dropped(dropped);
        rows.retain(&keep);
        cx.forward(Chunk::columnar(rows.with_values(results)));
        Ok(())
    })
}

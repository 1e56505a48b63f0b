//! Typed columns as bytes for a topic.

use std::sync::Arc;

use crate::codec::Codec;
use crate::engine::{Chunk, OperatorFactory, RawChunk};

use super::super::Data;
use super::super::rows::Rows;
use super::batch_operator;

/// What happens to records without a key on their way to a topic.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::dsl) enum NullKeys {
    /// They go to any partition.
    Keep,
    /// They are dropped and counted: whoever reads the topic has no use for them.
    Drop,
}

pub(in crate::dsl) fn encode<K: Data, V: Data>(
    key: Arc<dyn Codec<K>>,
    value: Arc<dyn Codec<V>>,
    null_keys: NullKeys,
) -> OperatorFactory {
    batch_operator(move |mut rows: Rows<K, V>, cx| {
        let mut keys = rows.keys.encode(&key, "key", cx.node())?;
        if null_keys == NullKeys::Drop && keys.iter().any(|key| key.is_none()) {
            let keep: Vec<bool> = keys.iter().map(|key| key.is_some()).collect();
            let kept = keep.iter().filter(|keep| **keep).count();
            cx.count_dropped((rows.len() - kept) as u64);
            keys.retain(&keep);
            rows.retain(&keep);
        }
        let values = rows.values.encode(&value, "value", cx.node())?;
        cx.forward(Chunk::Raw(RawChunk {
            keys,
            values,
            meta: rows.meta,
        }));
        Ok(())
    })
}

//! Bytes from a topic as typed columns, not decoded yet.

use std::sync::Arc;

use crate::codec::Codec;
use crate::engine::{Chunk, EngineError, Operator, OperatorFactory, TaskContext};

use super::super::Data;
use super::super::rows::{Column, Rows};

struct Decode<K, V> {
    key: Arc<dyn Codec<K>>,
    value: Arc<dyn Codec<V>>,
}

impl<K: Data, V: Data> Operator for Decode<K, V> {
    fn process(
        &mut self,
        _port: usize,
        chunk: Chunk,
        cx: &mut TaskContext<'_>,
    ) -> Result<(), EngineError> {
        let raw = chunk.into_raw(cx.node())?;
        cx.forward(Chunk::columnar(Rows {
            keys: Column::raw(raw.keys, self.key.clone()),
            values: Column::raw(raw.values, self.value.clone()),
            meta: raw.meta,
        }));
        Ok(())
    }
}

pub(in crate::dsl) fn decode<K: Data, V: Data>(
    key: Arc<dyn Codec<K>>,
    value: Arc<dyn Codec<V>>,
) -> OperatorFactory {
    Arc::new(move || {
        Box::new(Decode {
            key: key.clone(),
            value: value.clone(),
        })
    })
}

//! A topic as a table: writes what it reads to its store, as it was read.

use std::sync::Arc;

use bytes::Bytes;

use crate::codec::Codec;
use crate::engine::{Chunk, EngineError, Operator, OperatorFactory, TaskContext};
use crate::state::TableCache;

use super::super::Data;
use super::super::rows::{Changes, Rows};
use super::{SendOld, cache_failed};

struct TableSource<K, V> {
    name: Arc<str>,
    key: Arc<dyn Codec<K>>,
    value: Arc<dyn Codec<V>>,
    send_old: bool,
}

pub(in crate::dsl) fn factory<K: Data, V: Data>(
    name: &str,
    key: &Arc<dyn Codec<K>>,
    value: &Arc<dyn Codec<V>>,
    send_old: &SendOld,
) -> OperatorFactory {
    let name: Arc<str> = name.into();
    let (key, value, send_old) = (key.clone(), value.clone(), send_old.clone());
    Arc::new(move || {
        Box::new(TableSource {
            name: name.clone(),
            key: key.clone(),
            value: value.clone(),
            send_old: send_old.is_wanted(),
        })
    })
}

impl<K: Data, V: Data> Operator for TableSource<K, V> {
    fn process(
        &mut self,
        _port: usize,
        chunk: Chunk,
        cx: &mut TaskContext<'_>,
    ) -> Result<(), EngineError> {
        let rows: Rows<K, V> = chunk.downcast(&self.name)?;
        let keys = rows.keys.encode(&self.key, "key", &self.name)?;
        let values = rows.values.encode(&self.value, "value", &self.name)?;
        let (bytes, has_children) = (cx.cache_bytes(), cx.has_children());
        let skips = cx.skips_undecodable();
        let (topic, partition) = cx.input();
        let topic = topic.to_owned();
        let mut out = Changes::new(self.send_old);
        let mut dropped = 0;
        let (cache, store) = cx.cached_store(0, || TableCache::new(self.value.clone(), bytes))?;
        for (row, timestamp) in rows.meta.timestamps.iter().copied().enumerate() {
            let Some(key) = keys.get(row) else {
                dropped += 1;
                continue;
            };
            let value = match values
                .get(row)
                .map(|bytes| self.value.decode(bytes))
                .transpose()
            {
                Ok(value) => value,
                Err(_) if skips => {
                    dropped += 1;
                    continue;
                }
                Err(source) => {
                    return Err(EngineError::Decode {
                        node: self.name.to_string(),
                        part: "value",
                        topic,
                        partition,
                        offset: rows.meta.offsets.get(row).copied().unwrap_or(-1),
                        source,
                    });
                }
            };
            let old = if self.send_old {
                let at = cache
                    .lookup(store, key)
                    .map_err(|error| cache_failed(&self.name, error))?;
                cache.table().slot(at).value.clone()
            } else {
                None
            };
            // Copies: a slice would keep the whole fetched batch in memory.
            let stored = values.get(row).map(Bytes::copy_from_slice);
            store.put(Bytes::copy_from_slice(key), stored, timestamp);
            if has_children {
                out.push(key, &[], value.clone(), old, timestamp);
            }
            cache.replace(key, value, timestamp);
        }
        cx.count_dropped(dropped);
        cx.forward(Chunk::columnar(out.finish(&self.key)));
        Ok(())
    }
}

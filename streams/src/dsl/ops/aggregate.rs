//! Aggregates by key.
//!
//! Per record: a hash of the key's bytes, a probe, the fold. Aggregates stay typed and are encoded
//! once for each commit that changed them.

use std::marker::PhantomData;
use std::sync::Arc;

use crate::codec::Codec;
use crate::engine::{Chunk, EngineError, Operator, OperatorFactory, TaskContext};
use crate::state::TableCache;

use super::super::Data;
use super::super::rows::{Changes, Rows};
use super::fold::Fold;
use super::{SendOld, cache_failed};

/// What an aggregate is made of.
pub(in crate::dsl) struct Spec<K, V, A, F> {
    pub(in crate::dsl) name: String,
    pub(in crate::dsl) key: Arc<dyn Codec<K>>,
    /// Tells nulls among typed values.
    pub(in crate::dsl) value: Option<Arc<dyn Codec<V>>>,
    pub(in crate::dsl) result: Arc<dyn Codec<A>>,
    pub(in crate::dsl) fold: Arc<F>,
    pub(in crate::dsl) caching: bool,
    pub(in crate::dsl) send_old: SendOld,
}

struct Aggregate<K, V, A, F> {
    spec: Arc<Spec<K, V, A, F>>,
    send_old: bool,
    marker: PhantomData<fn(V)>,
}

pub(in crate::dsl) fn factory<K, V, A, F>(spec: Spec<K, V, A, F>) -> OperatorFactory
where
    K: Data,
    V: Data,
    A: Data,
    F: Fold<K, V, A>,
{
    let spec = Arc::new(spec);
    Arc::new(move || {
        let send_old = spec.send_old.is_wanted();
        Box::new(Aggregate {
            spec: spec.clone(),
            send_old,
            marker: PhantomData,
        })
    })
}

impl<K: Data, V: Data, A: Data, F: Fold<K, V, A>> Aggregate<K, V, A, F> {
    fn holds_back(&self, cx: &TaskContext<'_>) -> bool {
        self.spec.caching && cx.caching()
    }
}

impl<K: Data, V: Data, A: Data, F: Fold<K, V, A>> Operator for Aggregate<K, V, A, F> {
    fn process(
        &mut self,
        _port: usize,
        chunk: Chunk,
        cx: &mut TaskContext<'_>,
    ) -> Result<(), EngineError> {
        let spec = &*self.spec;
        let mut rows: Rows<K, V> = chunk.downcast(&spec.name)?;
        // Only a record without a null counts; what is not looked at is not decoded.
        let before = rows.len();
        spec.fold.prepare(&mut rows, cx)?;
        debug_assert!(rows.len() <= before);
        let keys = rows.keys.encode(&spec.key, "key", &spec.name)?;
        let at_once = !self.holds_back(cx);
        let (send_old, has_children) = (self.send_old, cx.has_children());
        let bytes = cx.cache_bytes();
        let mut out = Changes::new(send_old);
        let mut dropped = 0;
        let (cache, store) = cx.cached_store(0, || TableCache::new(spec.result.clone(), bytes))?;
        for (row, timestamp) in rows.meta.timestamps.iter().enumerate() {
            let Some(key) = keys.get(row) else {
                dropped += 1;
                continue;
            };
            if rows.values.is_null(row, spec.value.as_ref()) {
                dropped += 1;
                continue;
            }
            let at = cache
                .lookup(store, key)
                .map_err(|error| cache_failed(&spec.name, error))?;
            let first = cache.table().mark_dirty(at);
            let slot = cache.table().slot_mut(at);
            if send_old && (first || at_once) {
                slot.before = slot.value.clone();
            }
            spec.fold.add(&rows, row, &mut slot.value);
            slot.timestamp = slot.timestamp.max(*timestamp);
            if at_once && has_children {
                out.push(
                    key,
                    &[],
                    slot.value.clone(),
                    slot.before.take(),
                    slot.timestamp,
                );
            }
        }
        cx.count_dropped(dropped);
        cx.forward(Chunk::columnar(out.finish(&spec.key)));
        Ok(())
    }

    fn flush(&mut self, cx: &mut TaskContext<'_>) -> Result<(), EngineError> {
        let spec = &*self.spec;
        let emit = self.holds_back(cx) && cx.has_children();
        let mut out = Changes::new(self.send_old);
        let bytes = cx.cache_bytes();
        let (cache, store) = cx.cached_store(0, || TableCache::new(spec.result.clone(), bytes))?;
        let flushed = cache.flush(store, |slot| {
            let before = slot.before.take();
            if emit {
                out.push(slot.key(), &[], slot.value.clone(), before, slot.timestamp);
            }
        });
        flushed.map_err(|error| cache_failed(&spec.name, error))?;
        cx.forward(Chunk::columnar(out.finish(&spec.key)));
        Ok(())
    }
}

//! Aggregates by key and window.
//!
//! Per record: the window's table (remembered while it stays the same), then as without windows.

use std::marker::PhantomData;
use std::ops::{Bound, ControlFlow};
use std::sync::Arc;

use crate::codec::{Codec, Windowed};
use crate::engine::{Chunk, EngineError, Operator, OperatorFactory, TaskContext};
use crate::state::WindowCache;

use super::super::rows::{Changes, Rows};
use super::super::{Data, TimeWindows};
use super::fold::Fold;
use super::{SendOld, cache_failed};

/// What a windowed aggregate is made of.
pub(in crate::dsl) struct Spec<K, A, F> {
    pub(in crate::dsl) name: String,
    pub(in crate::dsl) key: Arc<dyn Codec<K>>,
    pub(in crate::dsl) windowed_key: Arc<dyn Codec<Windowed<K>>>,
    pub(in crate::dsl) result: Arc<dyn Codec<A>>,
    pub(in crate::dsl) windows: TimeWindows,
    pub(in crate::dsl) fold: Arc<F>,
    pub(in crate::dsl) caching: bool,
    pub(in crate::dsl) send_old: SendOld,
}

struct WindowAggregate<K, V, A, F> {
    spec: Arc<Spec<K, A, F>>,
    send_old: bool,
    /// Greatest timestamp seen, which closes windows; survives restarts as a mark.
    observed: i64,
    /// Start of the oldest window that may be in the store.
    oldest: i64,
    marker: PhantomData<fn(V)>,
}

/// Name of the mark that keeps the observed time.
const OBSERVED: &str = "t";

pub(in crate::dsl) fn factory<K, V, A, F>(spec: Spec<K, A, F>) -> OperatorFactory
where
    K: Data,
    V: Data,
    A: Data,
    F: Fold<K, V, A>,
{
    let spec = Arc::new(spec);
    Arc::new(move || {
        Box::new(WindowAggregate::<K, V, A, F> {
            spec: spec.clone(),
            send_old: spec.send_old.is_wanted(),
            observed: -1,
            oldest: i64::MAX,
            marker: PhantomData,
        })
    })
}

impl<K: Data, V: Data, A: Data, F: Fold<K, V, A>> WindowAggregate<K, V, A, F> {
    fn holds_back(&self, cx: &TaskContext<'_>) -> bool {
        self.spec.caching && cx.caching()
    }

    /// Start of the oldest window in the store.
    fn find_oldest(&mut self, cx: &mut TaskContext<'_>) -> Result<(), EngineError> {
        let mut oldest = i64::MAX;
        let store = cx.store(0)?.bytes();
        store.scan(Bound::Unbounded, Bound::Unbounded, &mut |key, _, _| {
            if let Some(start) = key.first_chunk::<8>() {
                oldest = i64::from_be_bytes(*start);
            }
            ControlFlow::Break(())
        })?;
        self.oldest = oldest;
        Ok(())
    }

    /// Deletes windows that have closed: no record can change them any more.
    fn expire(&mut self, cx: &mut TaskContext<'_>) -> Result<(), EngineError> {
        let windows = &self.spec.windows;
        let closed = self.observed.saturating_sub(windows.grace_ms());
        let first_open = closed.saturating_sub(windows.size_ms()).saturating_add(1);
        if self.oldest >= first_open {
            return Ok(());
        }
        let (result, bytes) = (self.spec.result.clone(), cx.cache_bytes());
        let (cache, store) = cx.cached_store(0, || WindowCache::<A>::new(result, bytes))?;
        cache.expire(store, first_open, self.observed)?;
        self.find_oldest(cx)
    }
}

impl<K: Data, V: Data, A: Data, F: Fold<K, V, A>> Operator for WindowAggregate<K, V, A, F> {
    fn init(&mut self, cx: &mut TaskContext<'_>) -> Result<(), EngineError> {
        self.observed = cx.mark(OBSERVED).unwrap_or(-1);
        self.find_oldest(cx)
    }

    fn process(
        &mut self,
        _port: usize,
        chunk: Chunk,
        cx: &mut TaskContext<'_>,
    ) -> Result<(), EngineError> {
        let spec = &*self.spec;
        let mut rows: Rows<K, V> = chunk.downcast(&spec.name)?;
        spec.fold.prepare(&mut rows, cx)?;
        let keys = rows.keys.encode(&spec.key, "key", &spec.name)?;
        let at_once = !(spec.caching && cx.caching());
        let (send_old, has_children) = (self.send_old, cx.has_children());
        let bytes = cx.cache_bytes();
        let mut out = Changes::new(send_old);
        let (mut dropped, mut late) = (0, 0);
        let mut observed = self.observed;
        let (cache, store) =
            cx.cached_store(0, || WindowCache::<A>::new(spec.result.clone(), bytes))?;
        let mut current = None;
        for (row, timestamp) in rows.meta.timestamps.iter().copied().enumerate() {
            let Some(key) = keys.get(row) else {
                dropped += 1;
                continue;
            };
            observed = observed.max(timestamp);
            let closed = observed.saturating_sub(spec.windows.grace_ms());
            for start in spec.windows.starts(timestamp) {
                if spec.windows.window(start).end <= closed {
                    late += 1;
                    continue;
                }
                if !matches!(&current, Some((at, _)) if *at == start) {
                    self.oldest = self.oldest.min(start);
                    current = Some((start, cache.window(start)));
                }
                let Some((_, window)) = &mut current else {
                    continue;
                };
                let at = window
                    .lookup(store, key)
                    .map_err(|error| cache_failed(&spec.name, error))?;
                let first = window.mark_dirty(at);
                let slot = window.table.slot_mut(at);
                if send_old && (first || at_once) {
                    slot.before = slot.value.clone();
                }
                spec.fold.add(&rows, row, &mut slot.value);
                slot.timestamp = slot.timestamp.max(timestamp);
                if at_once && has_children {
                    let (value, before) = (slot.value.clone(), slot.before.take());
                    out.push(key, &start.to_be_bytes(), value, before, slot.timestamp);
                }
            }
        }
        self.observed = observed;
        cx.count_dropped(dropped);
        cx.count_late(late);
        cx.forward(Chunk::columnar(out.finish(&spec.windowed_key)));
        Ok(())
    }

    fn flush(&mut self, cx: &mut TaskContext<'_>) -> Result<(), EngineError> {
        let spec = self.spec.clone();
        let emit = self.holds_back(cx) && cx.has_children();
        let mut out = Changes::new(self.send_old);
        let bytes = cx.cache_bytes();
        let (cache, store) =
            cx.cached_store(0, || WindowCache::<A>::new(spec.result.clone(), bytes))?;
        let flushed = cache.flush(store, |start, slot| {
            let before = slot.before.take();
            if emit {
                let start = start.to_be_bytes();
                out.push(
                    slot.key(),
                    &start,
                    slot.value.clone(),
                    before,
                    slot.timestamp,
                );
            }
        });
        flushed.map_err(|error| cache_failed(&spec.name, error))?;
        self.expire(cx)?;
        if self.observed >= 0 {
            cx.set_mark(OBSERVED, self.observed);
        }
        cx.forward(Chunk::columnar(out.finish(&spec.windowed_key)));
        Ok(())
    }
}

//! How a join looks into a table: its store, through whatever was done to the table since.

use std::sync::Arc;

use crate::codec::{self, Codec};
use crate::engine::{EngineError, TaskContext};
use crate::state::{TableCache, WindowCache};

use super::super::Data;
use super::cache_failed;

/// Called with the row and its timestamp (ms), if there is one.
pub(in crate::dsl) type Found<'a, V> = dyn FnMut(Option<(&V, i64)>) + 'a;

/// A table as a join sees it. The store is the joining operator's first.
pub(in crate::dsl) trait TableView<V>: Send + Sync {
    /// Calls `found` with the row of `key`.
    fn look(
        &self,
        cx: &mut TaskContext<'_>,
        key: &[u8],
        found: &mut Found<'_, V>,
    ) -> Result<(), EngineError>;
}

struct Stored<V>(Arc<dyn Codec<V>>);

impl<V: Data> TableView<V> for Stored<V> {
    fn look(
        &self,
        cx: &mut TaskContext<'_>,
        key: &[u8],
        found: &mut Found<'_, V>,
    ) -> Result<(), EngineError> {
        let bytes = cx.cache_bytes();
        let (cache, store) = cx.cached_store(0, || TableCache::new(self.0.clone(), bytes))?;
        match cache.lookup(store, key) {
            Ok(at) => {
                let slot = cache.table().slot_mut(at);
                found(slot.value.as_ref().map(|value| (value, slot.timestamp)));
                Ok(())
            }
            Err(error) => Err(cache_failed(cx.node(), error)),
        }
    }
}

/// The rows of the store themselves.
pub(in crate::dsl) fn stored<V: Data>(codec: Arc<dyn Codec<V>>) -> Arc<dyn TableView<V>> {
    Arc::new(Stored(codec))
}

struct StoredWindows<V>(Arc<dyn Codec<V>>);

impl<V: Data> TableView<V> for StoredWindows<V> {
    fn look(
        &self,
        cx: &mut TaskContext<'_>,
        key: &[u8],
        found: &mut Found<'_, V>,
    ) -> Result<(), EngineError> {
        let Some((key, start)) = key.split_last_chunk::<8>() else {
            found(None);
            return Ok(());
        };
        let bytes = cx.cache_bytes();
        let (cache, store) = cx.cached_store(0, || WindowCache::new(self.0.clone(), bytes))?;
        let mut window = cache.window(i64::from_be_bytes(*start));
        match window.lookup(store, key) {
            Ok(at) => {
                let slot = window.table.slot_mut(at);
                found(slot.value.as_ref().map(|value| (value, slot.timestamp)));
                Ok(())
            }
            Err(error) => Err(cache_failed(cx.node(), error)),
        }
    }
}

/// The rows of a window store, by windowed keys.
pub(in crate::dsl) fn windowed<V: Data>(codec: Arc<dyn Codec<V>>) -> Arc<dyn TableView<V>> {
    Arc::new(StoredWindows(codec))
}

struct Derived<K, V, F> {
    parent: Arc<dyn TableView<V>>,
    key: Arc<dyn Codec<K>>,
    f: Arc<F>,
}

impl<K: Data, V: Data, V2: Data, F> TableView<V2> for Derived<K, V, F>
where
    F: Fn(&K, &V) -> Option<V2> + Send + Sync,
{
    fn look(
        &self,
        cx: &mut TaskContext<'_>,
        key: &[u8],
        found: &mut Found<'_, V2>,
    ) -> Result<(), EngineError> {
        let failed = |source| EngineError::Operator {
            node: cx.node().to_owned(),
            source: Box::new(source),
        };
        let typed = codec::decode(&*self.key, Some(key)).map_err(failed)?;
        self.parent.look(cx, key, &mut |row| {
            let derived = row.and_then(|(value, at)| Some(((self.f)(&typed, value)?, at)));
            found(derived.as_ref().map(|(value, at)| (value, *at)));
        })
    }
}

/// Rows of `parent` that `f` makes something of.
pub(in crate::dsl) fn derived<K: Data, V: Data, V2: Data>(
    parent: Arc<dyn TableView<V>>,
    key: Arc<dyn Codec<K>>,
    f: Arc<impl Fn(&K, &V) -> Option<V2> + Send + Sync + 'static>,
) -> Arc<dyn TableView<V2>> {
    Arc::new(Derived { parent, key, f })
}

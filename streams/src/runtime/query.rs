//! Interactive queries: committed state of this instance, typed.

use std::marker::PhantomData;
use std::ops::{Bound, ControlFlow};
use std::sync::Arc;

use crate::StreamsError;
use crate::codec::{Codec, Window, Windowed, encode};
use crate::state::{StoreView, window_key};

/// The partitions of a key-value store that are on this instance, as of the last commits.
pub struct ReadOnlyStore<K, V> {
    views: Vec<StoreView>,
    key: Arc<dyn Codec<K>>,
    value: Arc<dyn Codec<V>>,
}

impl<K, V> ReadOnlyStore<K, V> {
    pub(super) fn new(
        views: Vec<StoreView>,
        key: Arc<dyn Codec<K>>,
        value: Arc<dyn Codec<V>>,
    ) -> Self {
        Self { views, key, value }
    }

    /// The value of `key`, if it is here.
    ///
    /// # Errors
    /// If the store fails, or key or value does not fit its codec.
    pub fn get(&self, key: &K) -> Result<Option<V>, StreamsError> {
        let key = encode(&*self.key, key)?.unwrap_or_default();
        for view in &self.views {
            if let Some((value, _)) = view.get(&key)? {
                return Ok(Some(self.value.decode(&value)?));
            }
        }
        Ok(None)
    }

    /// Visits all entries, partition by partition, each in the order of its keys' bytes.
    ///
    /// # Errors
    /// If the store fails, or an entry does not decode.
    pub fn for_each(
        &self,
        mut visit: impl FnMut(K, V) -> ControlFlow<()>,
    ) -> Result<(), StreamsError> {
        let mut failure = None;
        for view in &self.views {
            view.scan(
                Bound::Unbounded,
                Bound::Unbounded,
                &mut |key, value, _| match (self.key.decode(key), self.value.decode(value)) {
                    (Ok(key), Ok(value)) => visit(key, value),
                    (Err(error), _) | (_, Err(error)) => {
                        failure = Some(error);
                        ControlFlow::Break(())
                    }
                },
            )?;
        }
        failure.map_or(Ok(()), |error| Err(error.into()))
    }
}

/// The partitions of a window store that are on this instance, as of the last commits.
pub struct ReadOnlyWindowStore<K, V> {
    views: Vec<StoreView>,
    key: Arc<dyn Codec<K>>,
    value: Arc<dyn Codec<V>>,
    size_ms: i64,
    marker: PhantomData<fn(K)>,
}

impl<K, V> ReadOnlyWindowStore<K, V> {
    pub(super) fn new(
        views: Vec<StoreView>,
        key: Arc<dyn Codec<K>>,
        value: Arc<dyn Codec<V>>,
        size_ms: i64,
    ) -> Self {
        Self {
            views,
            key,
            value,
            size_ms,
            marker: PhantomData,
        }
    }

    /// The value of `key` in the window that starts at `start` (ms).
    ///
    /// # Errors
    /// If the store fails, or key or value does not fit its codec.
    pub fn get(&self, key: &K, start: i64) -> Result<Option<V>, StreamsError> {
        let key = encode(&*self.key, key)?.unwrap_or_default();
        for view in &self.views {
            if let Some((value, _)) = view.get(&window_key(start, &key))? {
                return Ok(Some(self.value.decode(&value)?));
            }
        }
        Ok(None)
    }

    /// Visits the windows that start in `starts` (ms, end exclusive), in the order of time within
    /// each partition.
    ///
    /// # Errors
    /// If the store fails, or an entry does not decode.
    pub fn for_each(
        &self,
        starts: std::ops::Range<i64>,
        mut visit: impl FnMut(Windowed<K>, V) -> ControlFlow<()>,
    ) -> Result<(), StreamsError> {
        let (from, to) = (starts.start.to_be_bytes(), starts.end.to_be_bytes());
        let mut failure = None;
        for view in &self.views {
            view.scan(
                Bound::Included(&from),
                Bound::Excluded(&to),
                &mut |key, value, _| {
                    let Some((start, key)) = key.split_first_chunk::<8>() else {
                        return ControlFlow::Continue(());
                    };
                    let start = i64::from_be_bytes(*start);
                    let window = Window {
                        start,
                        end: start.saturating_add(self.size_ms),
                    };
                    match (self.key.decode(key), self.value.decode(value)) {
                        (Ok(key), Ok(value)) => visit(Windowed { key, window }, value),
                        (Err(error), _) | (_, Err(error)) => {
                            failure = Some(error);
                            ControlFlow::Break(())
                        }
                    }
                },
            )?;
        }
        failure.map_or(Ok(()), |error| Err(error.into()))
    }
}

//! Records brought together by key, and what is made of them.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::codec::{Codec, Windowed, WindowedCodec};
use crate::state::StoreSpec;

use super::ops::fold::{Aggregate, Count, Fold, Reduce};
use super::options::{Grouped, Materialized};
use super::{Data, KStream, KTable, TimeWindows, ops};

const AGGREGATE: &str = "KSTREAM-AGGREGATE-";
const REDUCE: &str = "KSTREAM-REDUCE-";

/// A stream grouped by key.
#[derive(Clone)]
pub struct KGroupedStream<K, V> {
    stream: KStream<K, V>,
    grouped: Grouped<K, V>,
    /// The repartitioned stream, kept to be used again if the user named its topic.
    repartitioned: Arc<Mutex<Option<KStream<K, V>>>>,
}

impl<K: Data, V: Data> KGroupedStream<K, V> {
    pub(super) fn new(stream: KStream<K, V>, grouped: Grouped<K, V>) -> Self {
        Self {
            stream,
            grouped,
            repartitioned: Arc::default(),
        }
    }

    /// Counts the records of each key. Null keys and values do not count.
    pub fn count(&self, materialized: impl Into<Materialized<i64>>) -> KTable<K, i64> {
        self.fold(AGGREGATE, Count, materialized.into())
    }

    /// Combines the values of each key, two by two: what is so far, then the new one.
    pub fn reduce(
        &self,
        f: impl Fn(&V, &V) -> V + Send + Sync + 'static,
        materialized: impl Into<Materialized<V>>,
    ) -> KTable<K, V> {
        let mut materialized = materialized.into();
        if materialized.value.is_none() {
            materialized.value = self.value_codec();
        }
        self.fold(REDUCE, Reduce(f), materialized)
    }

    /// Adds the records of each key to something that `init` makes.
    pub fn aggregate<A: Data>(
        &self,
        init: impl Fn() -> A + Send + Sync + 'static,
        add: impl Fn(&K, &V, &mut A) + Send + Sync + 'static,
        materialized: impl Into<Materialized<A>>,
    ) -> KTable<K, A> {
        self.fold(AGGREGATE, Aggregate { init, add }, materialized.into())
    }

    /// The same in windows.
    #[must_use]
    pub fn windowed_by(&self, windows: TimeWindows) -> TimeWindowedKStream<K, V> {
        TimeWindowedKStream {
            grouped: self.clone(),
            windows,
        }
    }

    fn value_codec(&self) -> Option<Arc<dyn Codec<V>>> {
        self.grouped
            .value
            .clone()
            .or_else(|| self.stream.value_codec())
    }

    /// The stream that lies as it is grouped; repartitioned if need be.
    fn stream_for(&self, node: &str, store: &str) -> (KStream<K, V>, Arc<dyn Codec<K>>) {
        let builder = self.stream.builder();
        let key = self.grouped.key.clone().or_else(|| self.stream.key_codec());
        let key = builder.codec_or(key, node, "key");
        if !self.stream.is_rekeyed() {
            return (self.stream.clone(), key);
        }
        let mut kept = self.repartitioned.lock();
        if let (Some(stream), Some(_)) = (&*kept, &self.grouped.name) {
            // As in Kafka, which counts the names before it finds that it does not need them.
            for prefix in ["KSTREAM-SINK-", "KSTREAM-FILTER-", "KSTREAM-SOURCE-"] {
                let _ = builder.generate(prefix);
            }
            return (stream.clone(), key);
        }
        let value = builder.codec_or(self.value_codec(), node, "value");
        let topic = self.grouped.name.as_deref().unwrap_or(store);
        let partitions = self.grouped.partitions;
        let stream = self
            .stream
            .repartition(topic, partitions, key.clone(), value);
        *kept = Some(stream.clone());
        (stream, key)
    }

    fn fold<A: Data, F: Fold<K, V, A>>(
        &self,
        prefix: &str,
        fold: F,
        materialized: Materialized<A>,
    ) -> KTable<K, A> {
        let builder = self.stream.builder().clone();
        let name = builder.generate(prefix);
        let (stream, key) = self.stream_for(&name, &materialized.store);
        let result = builder.codec_or(materialized.value.clone(), &name, "value");
        let send_old = ops::SendOld::default();
        let operator = ops::aggregate::factory(ops::aggregate::Spec {
            name: name.clone(),
            key: key.clone(),
            value: stream.value_codec(),
            result: result.clone(),
            fold: Arc::new(fold),
            caching: materialized.caching,
            send_old: send_old.clone(),
        });
        let store = builder.add_store(StoreSpec::key_value(&materialized.store), &materialized);
        let node = builder.add_operator(&name, operator, &[stream.node()], &[&store]);
        let view = ops::view::stored(result.clone());
        let sources = stream.sources().clone();
        KTable::new(builder, node, key, result, view, store, sources, send_old)
    }
}

/// A stream grouped by key and window.
#[derive(Clone)]
pub struct TimeWindowedKStream<K, V> {
    grouped: KGroupedStream<K, V>,
    windows: TimeWindows,
}

impl<K: Data, V: Data> TimeWindowedKStream<K, V> {
    /// Counts the records of each key and window. Null keys do not count.
    pub fn count(&self, materialized: impl Into<Materialized<i64>>) -> KTable<Windowed<K>, i64> {
        self.fold(AGGREGATE, Count, materialized.into())
    }

    /// Combines the values of each key and window, two by two: what is so far, then the new one.
    pub fn reduce(
        &self,
        f: impl Fn(&V, &V) -> V + Send + Sync + 'static,
        materialized: impl Into<Materialized<V>>,
    ) -> KTable<Windowed<K>, V> {
        let mut materialized = materialized.into();
        if materialized.value.is_none() {
            materialized.value = self.grouped.value_codec();
        }
        self.fold(REDUCE, Reduce(f), materialized)
    }

    /// Adds the records of each key and window to something that `init` makes.
    pub fn aggregate<A: Data>(
        &self,
        init: impl Fn() -> A + Send + Sync + 'static,
        add: impl Fn(&K, &V, &mut A) + Send + Sync + 'static,
        materialized: impl Into<Materialized<A>>,
    ) -> KTable<Windowed<K>, A> {
        self.fold(AGGREGATE, Aggregate { init, add }, materialized.into())
    }

    fn fold<A: Data, F: Fold<K, V, A>>(
        &self,
        prefix: &str,
        fold: F,
        materialized: Materialized<A>,
    ) -> KTable<Windowed<K>, A> {
        let builder = self.grouped.stream.builder().clone();
        let name = builder.generate(prefix);
        let (stream, key) = self.grouped.stream_for(&name, &materialized.store);
        let result = builder.codec_or(materialized.value.clone(), &name, "value");
        let windowed_key: Arc<dyn Codec<Windowed<K>>> =
            Arc::new(WindowedCodec::new(key.clone(), self.windows.size_ms()));
        let send_old = ops::SendOld::default();
        let operator = ops::window_aggregate::factory::<K, V, A, F>(ops::window_aggregate::Spec {
            name: name.clone(),
            key,
            windowed_key: windowed_key.clone(),
            result: result.clone(),
            windows: self.windows,
            fold: Arc::new(fold),
            caching: materialized.caching,
            send_old: send_old.clone(),
        });
        let store = builder.add_store(StoreSpec::window(&materialized.store), &materialized);
        let node = builder.add_operator(&name, operator, &[stream.node()], &[&store]);
        let view = ops::view::windowed(result.clone());
        let sources = stream.sources().clone();
        KTable::new(
            builder,
            node,
            windowed_key,
            result,
            view,
            store,
            sources,
            send_old,
        )
    }
}

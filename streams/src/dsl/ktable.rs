//! A table: the latest value of each key, changing.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::codec::{Codec, Nullable};
use crate::engine::NodeId;

use super::options::Produced;
use super::{Data, KStream, StreamsBuilder, ops};

/// A changing table. A clone is the same table.
#[derive(Clone)]
pub struct KTable<K, V> {
    pub(super) builder: StreamsBuilder,
    pub(super) node: NodeId,
    pub(super) key: Arc<dyn Codec<K>>,
    /// `None` for values that only pass through and have no codec.
    pub(super) value: Option<Arc<dyn Codec<V>>>,
    pub(super) view: Arc<dyn ops::view::TableView<V>>,
    /// The store that its rows lie in, or are derived from.
    pub(super) store: String,
    pub(super) sources: BTreeSet<NodeId>,
    send_old: ops::SendOld,
}

impl<K: Data, V: Data> KTable<K, V> {
    #[allow(clippy::too_many_arguments)] // The parts of a table, none of which goes without another.
    pub(super) fn new(
        builder: StreamsBuilder,
        node: NodeId,
        key: Arc<dyn Codec<K>>,
        value: Arc<dyn Codec<V>>,
        view: Arc<dyn ops::view::TableView<V>>,
        store: String,
        sources: BTreeSet<NodeId>,
        send_old: ops::SendOld,
    ) -> Self {
        Self {
            builder,
            node,
            key,
            value: Some(value),
            view,
            store,
            sources,
            send_old,
        }
    }

    /// Rows that `predicate` is true of. One that ceases to fit is deleted downstream.
    #[must_use]
    pub fn filter(&self, predicate: impl Fn(&K, &V) -> bool + Send + Sync + 'static) -> Self {
        self.sift(Arc::new(predicate))
    }

    /// Rows that `predicate` is false of.
    #[must_use]
    pub fn filter_not(&self, predicate: impl Fn(&K, &V) -> bool + Send + Sync + 'static) -> Self {
        self.sift(Arc::new(move |key: &K, value: &V| !predicate(key, value)))
    }

    fn sift(&self, keep: Arc<impl Fn(&K, &V) -> bool + Send + Sync + 'static>) -> Self {
        self.send_old.request();
        let name = self.builder.generate("KTABLE-FILTER-");
        let operator = ops::table::filter(keep.clone());
        let node = self
            .builder
            .add_operator(&name, operator, &[self.node], &[]);
        let pass = move |key: &K, value: &V| keep(key, value).then(|| value.clone());
        let view = ops::view::derived(self.view.clone(), self.key.clone(), Arc::new(pass));
        Self {
            node,
            view,
            ..self.clone()
        }
    }

    /// Rows with other values.
    #[must_use]
    pub fn map_values<V2: Data>(
        &self,
        f: impl Fn(&V) -> V2 + Send + Sync + 'static,
    ) -> KTable<K, V2> {
        self.map_values_with_key(move |_, value| f(value))
    }

    /// Rows with other values, which depend on their keys.
    #[must_use]
    pub fn map_values_with_key<V2: Data>(
        &self,
        f: impl Fn(&K, &V) -> V2 + Send + Sync + 'static,
    ) -> KTable<K, V2> {
        let f = Arc::new(f);
        let name = self.builder.generate("KTABLE-MAPVALUES-");
        let operator = ops::table::map_values(f.clone());
        let node = self
            .builder
            .add_operator(&name, operator, &[self.node], &[]);
        let some = move |key: &K, value: &V| Some(f(key, value));
        KTable {
            builder: self.builder.clone(),
            node,
            key: self.key.clone(),
            value: self.builder.known_codec::<V2>(),
            view: ops::view::derived(self.view.clone(), self.key.clone(), Arc::new(some)),
            store: self.store.clone(),
            sources: self.sources.clone(),
            send_old: self.send_old.clone(),
        }
    }

    /// The changes as a stream: each new value, `None` for a deleted row. See
    /// [`KStream::drop_tombstones`].
    #[must_use]
    pub fn to_stream(&self) -> KStream<K, Option<V>> {
        let name = self.builder.generate("KTABLE-TOSTREAM-");
        let operator = ops::table::to_stream::<K, V>();
        let node = self
            .builder
            .add_operator(&name, operator, &[self.node], &[]);
        let value: Option<Arc<dyn Codec<Option<V>>>> = self
            .value
            .clone()
            .map(|codec| Arc::new(Nullable(codec)) as _);
        let sources = self.sources.clone();
        KStream::derived(
            self.builder.clone(),
            node,
            name,
            Some(self.key.clone()),
            value,
            sources,
        )
    }

    /// Writes the changes to a topic, deletions as null.
    pub fn to(&self, produced: impl Into<Produced<K, Option<V>>>) {
        self.to_stream().to(produced);
    }
}

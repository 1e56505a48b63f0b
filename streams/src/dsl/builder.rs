//! Where a topology begins.

use std::any::type_name;
use std::collections::BTreeSet;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::codec::{Codec, Codecs, Json};
use crate::engine::{
    NodeId, OperatorFactory, RepartitionSpec, SinkSpec, SourceRole, SourceSpec, TopicRef, Topology,
    TopologyBuilder, TopologyError,
};
use crate::state::StoreSpec;

use super::options::{Consumed, Materialized};
use super::{Data, KStream, KTable, ops};

/// Builds a topology out of streams and tables. Clones build the same one.
#[derive(Clone, Default)]
pub struct StreamsBuilder {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    topology: TopologyBuilder,
    codecs: Codecs,
    /// The number in the next generated name.
    next_name: u64,
    errors: Vec<TopologyError>,
}

impl StreamsBuilder {
    /// A builder of an empty topology.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes `codec` the one of its type (and, with null, of the type's `Option`) wherever no other
    /// is named from here on.
    pub fn codec<T: 'static>(&self, codec: impl Codec<T> + 'static) -> &Self {
        self.inner.lock().codecs.add(codec);
        self
    }

    /// Makes JSON the codec of `T`.
    pub fn json<T: serde::Serialize + serde::de::DeserializeOwned + 'static>(&self) -> &Self {
        self.codec(Json::<T>::new())
    }

    /// The records of a topic, or of several.
    pub fn stream<K: Data, V: Data>(&self, consumed: impl Into<Consumed<K, V>>) -> KStream<K, V> {
        let consumed = consumed.into();
        let name = self.generate(SOURCE);
        let key = self.codec_or(consumed.key.clone(), &name, "key");
        let value = self.codec_or(consumed.value.clone(), &name, "value");
        let source = SourceSpec {
            name: name.clone(),
            topics: consumed
                .topics
                .iter()
                .cloned()
                .map(TopicRef::External)
                .collect(),
            role: SourceRole::Stream,
            offset_reset: consumed.offset_reset,
            timestamp_extractor: consumed.timestamp_extractor.clone(),
            operator: ops::source::decode(key.clone(), value.clone()),
        };
        let node = self.with(|topology| topology.add_source(source));
        KStream::new(self.clone(), node, name, key, value, BTreeSet::from([node]))
    }

    /// A topic as a table: of each key the latest record counts, a null value deletes. Kept in the
    /// store that `materialized` names.
    pub fn table<K: Data, V: Data>(
        &self,
        consumed: impl Into<Consumed<K, V>>,
        materialized: impl Into<Materialized<V>>,
    ) -> KTable<K, V> {
        let consumed = consumed.into();
        let materialized = materialized.into();
        let source_name = self.generate(SOURCE);
        let name = self.generate("KTABLE-SOURCE-");
        let key = self.codec_or(consumed.key.clone(), &source_name, "key");
        let value = consumed
            .value
            .clone()
            .or_else(|| materialized.value.clone());
        let value = self.codec_or(value, &source_name, "value");
        let source = SourceSpec {
            name: source_name,
            topics: consumed
                .topics
                .iter()
                .cloned()
                .map(TopicRef::External)
                .collect(),
            role: SourceRole::Table,
            offset_reset: consumed.offset_reset,
            timestamp_extractor: consumed.timestamp_extractor.clone(),
            operator: ops::source::decode(key.clone(), value.clone()),
        };
        let send_old = ops::SendOld::default();
        let operator = ops::table_source::factory(&name, &key, &value, &send_old);
        let store = self.add_store(StoreSpec::key_value(&materialized.store), &materialized);
        let (source, node) = self.with(|topology| {
            let source = topology.add_source(source);
            let stores = [store.as_str()];
            (
                source,
                topology.add_operator(name, operator, &[source], &stores),
            )
        });
        let view = ops::view::stored(value.clone());
        let sources = BTreeSet::from([source]);
        KTable::new(
            self.clone(),
            node,
            key,
            value,
            view,
            store,
            sources,
            send_old,
        )
    }

    /// The topology so far. The builder and its streams stay usable.
    ///
    /// # Errors
    /// [`TopologyError`] if a codec is missing or the graph makes no sense.
    pub fn build(&self) -> Result<Topology, TopologyError> {
        let inner = self.inner.lock();
        match inner.errors.first() {
            Some(error) => Err(error.clone()),
            None => inner.topology.build(),
        }
    }

    pub(super) fn generate(&self, prefix: &str) -> String {
        let mut inner = self.inner.lock();
        let number = inner.next_name;
        inner.next_name += 1;
        format!("{prefix}{number:010}")
    }

    pub(super) fn with<R>(&self, change: impl FnOnce(&mut TopologyBuilder) -> R) -> R {
        change(&mut self.inner.lock().topology)
    }

    /// A codec by type, if there is one.
    pub(super) fn known_codec<T: 'static>(&self) -> Option<Arc<dyn Codec<T>>> {
        self.inner.lock().codecs.get::<T>()
    }

    /// `codec`, else that of the type. If there is none, building fails, naming `node`.
    pub(super) fn codec_or<T: 'static>(
        &self,
        codec: Option<Arc<dyn Codec<T>>>,
        node: &str,
        part: &'static str,
    ) -> Arc<dyn Codec<T>> {
        if let Some(codec) = codec.or_else(|| self.known_codec::<T>()) {
            return codec;
        }
        let type_name = type_name::<T>();
        self.fail(TopologyError::NoCodec {
            node: node.to_owned(),
            part,
            type_name,
        });
        Arc::new(NoCodec(type_name))
    }

    pub(super) fn fail(&self, error: TopologyError) {
        self.inner.lock().errors.push(error);
    }

    pub(super) fn add_operator(
        &self,
        name: &str,
        factory: OperatorFactory,
        parents: &[NodeId],
        stores: &[&str],
    ) -> NodeId {
        self.with(|topology| topology.add_operator(name, factory, parents, stores))
    }

    pub(super) fn add_sink(&self, sink: SinkSpec, parent: NodeId) -> NodeId {
        self.with(|topology| topology.add_sink(sink, &[parent]))
    }

    pub(super) fn add_repartition(&self, spec: RepartitionSpec) {
        self.with(|topology| topology.add_repartition(spec));
    }

    /// Adds the store and returns its name.
    pub(super) fn add_store<V>(
        &self,
        mut spec: StoreSpec,
        materialized: &Materialized<V>,
    ) -> String {
        spec.changelog = materialized.changelog;
        spec.changelog_config
            .extend(materialized.changelog_config.clone());
        let name = spec.name.clone();
        self.with(|topology| topology.add_store(spec));
        name
    }
}

pub(super) const SOURCE: &str = "KSTREAM-SOURCE-";

/// Stands where a codec is missing until building fails for it.
struct NoCodec(&'static str);

impl<T> Codec<T> for NoCodec {
    fn encode(&self, _value: &T, _out: &mut Vec<u8>) -> Result<(), crate::codec::CodecError> {
        Err(crate::codec::CodecError::Other(
            format!("no codec for {}", self.0).into(),
        ))
    }

    fn decode(&self, _bytes: &[u8]) -> Result<T, crate::codec::CodecError> {
        Err(crate::codec::CodecError::Other(
            format!("no codec for {}", self.0).into(),
        ))
    }
}

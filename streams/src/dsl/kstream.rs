//! A stream of records.

use std::collections::BTreeSet;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::codec::Codec;
use crate::engine::{
    NodeId, OperatorFactory, PassThrough, RepartitionSpec, SinkSpec, SourceSpec, TopicRef,
};

use super::builder::SOURCE;
use super::ops::join::NullKey;
use super::ops::sink::NullKeys;
use super::ops::stateless;
use super::options::{Grouped, Joined, Produced};
use super::{Data, KGroupedStream, KTable, StreamsBuilder, ops};

/// A key type that finds rows of a table with keys `K`: `K` itself, or `Option<K>`, whose `None`
/// finds nothing.
pub trait JoinKey<K> {}

impl<K> JoinKey<K> for K {}

impl<K> JoinKey<K> for Option<K> {}

/// A stream of records. A clone is the same stream; using it twice sends its records both ways.
pub struct KStream<K, V> {
    builder: StreamsBuilder,
    node: NodeId,
    name: String,
    key: Option<Arc<dyn Codec<K>>>,
    value: Option<Arc<dyn Codec<V>>>,
    /// Whether the key may have changed since the records last came from a topic.
    rekeyed: bool,
    sources: BTreeSet<NodeId>,
    /// The repartitioned twin for joins, made when first needed.
    repartitioned: Arc<Mutex<Option<(NodeId, String)>>>,
    /// Name for the next operator.
    next_name: Option<String>,
}

impl<K, V> Clone for KStream<K, V> {
    fn clone(&self) -> Self {
        Self {
            builder: self.builder.clone(),
            node: self.node,
            name: self.name.clone(),
            key: self.key.clone(),
            value: self.value.clone(),
            rekeyed: self.rekeyed,
            sources: self.sources.clone(),
            repartitioned: self.repartitioned.clone(),
            next_name: self.next_name.clone(),
        }
    }
}

impl<K: Data, V: Data> KStream<K, V> {
    pub(super) fn new(
        builder: StreamsBuilder,
        node: NodeId,
        name: String,
        key: Arc<dyn Codec<K>>,
        value: Arc<dyn Codec<V>>,
        sources: BTreeSet<NodeId>,
    ) -> Self {
        Self::derived(builder, node, name, Some(key), Some(value), sources)
    }

    pub(super) fn derived(
        builder: StreamsBuilder,
        node: NodeId,
        name: String,
        key: Option<Arc<dyn Codec<K>>>,
        value: Option<Arc<dyn Codec<V>>>,
        sources: BTreeSet<NodeId>,
    ) -> Self {
        let repartitioned = Arc::default();
        Self {
            builder,
            node,
            name,
            key,
            value,
            rekeyed: false,
            sources,
            repartitioned,
            next_name: None,
        }
    }

    /// The same stream, whose next operator gets this name instead of a generated one.
    #[must_use]
    pub fn named(&self, name: impl Into<String>) -> Self {
        Self {
            next_name: Some(name.into()),
            ..self.clone()
        }
    }

    /// The number of a generated name is used up even if another is given, as in Kafka: giving one
    /// node a name must not rename others.
    fn operator_name(&self, prefix: &str) -> String {
        let generated = self.builder.generate(prefix);
        self.next_name.clone().unwrap_or(generated)
    }

    fn add<K2: Data, V2: Data>(
        &self,
        prefix: &str,
        operator: OperatorFactory,
        key: Option<Arc<dyn Codec<K2>>>,
        value: Option<Arc<dyn Codec<V2>>>,
        changes_key: bool,
    ) -> KStream<K2, V2> {
        let name = self.operator_name(prefix);
        self.add_named(name, operator, key, value, changes_key)
    }

    fn add_named<K2: Data, V2: Data>(
        &self,
        name: String,
        operator: OperatorFactory,
        key: Option<Arc<dyn Codec<K2>>>,
        value: Option<Arc<dyn Codec<V2>>>,
        changes_key: bool,
    ) -> KStream<K2, V2> {
        let node = self
            .builder
            .add_operator(&name, operator, &[self.node], &[]);
        let sources = self.sources.clone();
        KStream {
            rekeyed: self.rekeyed || changes_key,
            ..KStream::derived(self.builder.clone(), node, name, key, value, sources)
        }
    }

    fn known<T: 'static>(&self) -> Option<Arc<dyn Codec<T>>> {
        self.builder.known_codec::<T>()
    }

    /// Records that `predicate` is true of.
    #[must_use]
    pub fn filter(&self, predicate: impl Fn(&K, &V) -> bool + Send + Sync + 'static) -> Self {
        let operator = stateless::filter(true, predicate);
        self.add(
            "KSTREAM-FILTER-",
            operator,
            self.key.clone(),
            self.value.clone(),
            false,
        )
    }

    /// Records that `predicate` is false of.
    #[must_use]
    pub fn filter_not(&self, predicate: impl Fn(&K, &V) -> bool + Send + Sync + 'static) -> Self {
        let operator = stateless::filter(false, predicate);
        self.add(
            "KSTREAM-FILTER-",
            operator,
            self.key.clone(),
            self.value.clone(),
            false,
        )
    }

    /// Each record as another.
    #[must_use]
    pub fn map<K2: Data, V2: Data>(
        &self,
        f: impl Fn(&K, &V) -> (K2, V2) + Send + Sync + 'static,
    ) -> KStream<K2, V2> {
        self.add(
            "KSTREAM-MAP-",
            stateless::map(f),
            self.known(),
            self.known(),
            true,
        )
    }

    /// Each record with another value.
    #[must_use]
    pub fn map_values<V2: Data>(
        &self,
        f: impl Fn(&V) -> V2 + Send + Sync + 'static,
    ) -> KStream<K, V2> {
        let operator = stateless::map_values::<K, V, V2>(f);
        self.add(
            "KSTREAM-MAPVALUES-",
            operator,
            self.key.clone(),
            self.known(),
            false,
        )
    }

    /// Each record with another value, which depends on the key.
    #[must_use]
    pub fn map_values_with_key<V2: Data>(
        &self,
        f: impl Fn(&K, &V) -> V2 + Send + Sync + 'static,
    ) -> KStream<K, V2> {
        let operator = stateless::map_values_with_key(f);
        self.add(
            "KSTREAM-MAPVALUES-",
            operator,
            self.key.clone(),
            self.known(),
            false,
        )
    }

    /// Each record as any number of others, which `f` pushes.
    #[must_use]
    pub fn flat_map<K2: Data, V2: Data>(
        &self,
        f: impl Fn(&K, &V, &mut Vec<(K2, V2)>) + Send + Sync + 'static,
    ) -> KStream<K2, V2> {
        self.add(
            "KSTREAM-FLATMAP-",
            stateless::flat_map(f),
            self.known(),
            self.known(),
            true,
        )
    }

    /// Each record with any number of other values, which `f` pushes.
    #[must_use]
    pub fn flat_map_values<V2: Data>(
        &self,
        f: impl Fn(&V, &mut Vec<V2>) + Send + Sync + 'static,
    ) -> KStream<K, V2> {
        let operator = stateless::flat_map_values::<K, V, V2>(f);
        self.add(
            "KSTREAM-FLATMAPVALUES-",
            operator,
            self.key.clone(),
            self.known(),
            false,
        )
    }

    /// Each record with another key.
    #[must_use]
    pub fn select_key<K2: Data>(
        &self,
        f: impl Fn(&K, &V) -> K2 + Send + Sync + 'static,
    ) -> KStream<K2, V> {
        let operator = stateless::select_key(f);
        self.add(
            "KSTREAM-KEY-SELECT-",
            operator,
            self.known(),
            self.value.clone(),
            true,
        )
    }

    /// Shows each record to `f`.
    #[must_use]
    pub fn peek(&self, f: impl Fn(&K, &V) + Send + Sync + 'static) -> Self {
        let operator = stateless::peek(f);
        self.add(
            "KSTREAM-PEEK-",
            operator,
            self.key.clone(),
            self.value.clone(),
            false,
        )
    }

    /// Shows each record to `f`, and ends.
    pub fn foreach(&self, f: impl Fn(&K, &V) + Send + Sync + 'static) {
        let operator = stateless::peek(f);
        let _: Self = self.add(
            "KSTREAM-FOREACH-",
            operator,
            self.key.clone(),
            self.value.clone(),
            false,
        );
    }

    /// The records of both streams.
    #[must_use]
    pub fn merge(&self, other: &Self) -> Self {
        let name = self.operator_name("KSTREAM-MERGE-");
        let parents = [self.node, other.node];
        let node = self
            .builder
            .add_operator(&name, PassThrough::factory(), &parents, &[]);
        let sources = self.sources.union(&other.sources).copied().collect();
        // Both were keyed by one type, but perhaps with two codecs: columns know their own.
        let (key, value) = (self.key.clone(), self.value.clone());
        Self {
            rekeyed: self.rekeyed || other.rekeyed,
            ..Self::derived(self.builder.clone(), node, name, key, value, sources)
        }
    }

    /// Divides the stream: each record goes to the first branch whose predicate is true of it.
    #[must_use]
    pub fn split(&self) -> BranchedKStream<K, V> {
        let name = self.operator_name("KSTREAM-BRANCH-");
        let predicates = Arc::default();
        let operator = ops::branch::factory(&predicates);
        let root = self.add_named(name, operator, self.key.clone(), self.value.clone(), false);
        BranchedKStream {
            root,
            predicates,
            branches: 0,
        }
    }

    /// Writes the records to a topic.
    pub fn to(&self, produced: impl Into<Produced<K, V>>) {
        let produced = produced.into();
        let name = self.operator_name("KSTREAM-SINK-");
        let key = self.codec_or_own_key(produced.key.clone(), &name);
        let value = self.codec_or_own_value(produced.value.clone(), &name);
        let sink = SinkSpec {
            name,
            topic: TopicRef::External(produced.topic),
            partitioner: produced.partitioner,
            operator: ops::sink::encode(key, value, NullKeys::Keep),
        };
        self.builder.add_sink(sink, self.node);
    }

    fn codec_or_own_key(&self, codec: Option<Arc<dyn Codec<K>>>, node: &str) -> Arc<dyn Codec<K>> {
        self.builder
            .codec_or(codec.or_else(|| self.key.clone()), node, "key")
    }

    fn codec_or_own_value(
        &self,
        codec: Option<Arc<dyn Codec<V>>>,
        node: &str,
    ) -> Arc<dyn Codec<V>> {
        self.builder
            .codec_or(codec.or_else(|| self.value.clone()), node, "value")
    }

    /// Groups by another key. If results of it are asked for, the records travel through a
    /// repartition topic.
    #[must_use]
    pub fn group_by<K2: Data>(
        &self,
        f: impl Fn(&K, &V) -> K2 + Send + Sync + 'static,
    ) -> KGroupedStream<K2, V> {
        self.group_by_with(f, Grouped::default())
    }

    /// [`group_by`](Self::group_by) with a name for the repartition topic, or other codecs.
    #[must_use]
    pub fn group_by_with<K2: Data>(
        &self,
        f: impl Fn(&K, &V) -> K2 + Send + Sync + 'static,
        grouped: Grouped<K2, V>,
    ) -> KGroupedStream<K2, V> {
        let named = match &grouped.name {
            Some(name) => self.named(name),
            None => self.clone(),
        };
        KGroupedStream::new(named.select_key(f), grouped)
    }

    /// Groups by the key as it is. If it may have changed since the records came from a topic, they
    /// travel through a repartition topic.
    #[must_use]
    pub fn group_by_key(&self) -> KGroupedStream<K, V> {
        self.group_by_key_with(Grouped::default())
    }

    /// [`group_by_key`](Self::group_by_key) with a name for the repartition topic, or other codecs.
    #[must_use]
    pub fn group_by_key_with(&self, grouped: Grouped<K, V>) -> KGroupedStream<K, V> {
        KGroupedStream::new(self.clone(), grouped)
    }

    /// Each record with the row of its key in `table`; records without one are dropped.
    #[must_use]
    pub fn join<KT: Data, VT: Data, R: Data>(
        &self,
        table: &KTable<KT, VT>,
        join: impl Fn(&V, &VT) -> R + Send + Sync + 'static,
    ) -> KStream<K, R>
    where
        K: JoinKey<KT>,
    {
        self.join_with(table, join, Joined::default())
    }

    /// [`join`](Self::join) with a name or other codecs.
    #[must_use]
    pub fn join_with<KT: Data, VT: Data, R: Data>(
        &self,
        table: &KTable<KT, VT>,
        join: impl Fn(&V, &VT) -> R + Send + Sync + 'static,
        joined: Joined<K, V>,
    ) -> KStream<K, R>
    where
        K: JoinKey<KT>,
    {
        let join = move |value: &V, row: Option<&VT>| row.map(|row| join(value, row));
        self.join_table(table, NullKey::Dropped, "KSTREAM-JOIN-", joined, join)
    }

    /// Each record with the row of its key in `table`, if there is one.
    #[must_use]
    pub fn left_join<KT: Data, VT: Data, R: Data>(
        &self,
        table: &KTable<KT, VT>,
        join: impl Fn(&V, Option<&VT>) -> R + Send + Sync + 'static,
    ) -> KStream<K, R>
    where
        K: JoinKey<KT>,
    {
        self.left_join_with(table, join, Joined::default())
    }

    /// [`left_join`](Self::left_join) with a name or other codecs.
    #[must_use]
    pub fn left_join_with<KT: Data, VT: Data, R: Data>(
        &self,
        table: &KTable<KT, VT>,
        join: impl Fn(&V, Option<&VT>) -> R + Send + Sync + 'static,
        joined: Joined<K, V>,
    ) -> KStream<K, R>
    where
        K: JoinKey<KT>,
    {
        let join = move |value: &V, row: Option<&VT>| Some(join(value, row));
        self.join_table(
            table,
            NullKey::FindsNothing,
            "KSTREAM-LEFTJOIN-",
            joined,
            join,
        )
    }

    fn join_table<KT: Data, VT: Data, R: Data>(
        &self,
        table: &KTable<KT, VT>,
        null_key: NullKey,
        prefix: &str,
        joined: Joined<K, V>,
        join: impl Fn(&V, Option<&VT>) -> Option<R> + Send + Sync + 'static,
    ) -> KStream<K, R> {
        let stream = match self.rekeyed {
            true => self.repartition_for_join(&joined),
            false => self.clone(),
        };
        let generated = stream.builder.generate(prefix);
        let name = joined
            .name
            .clone()
            .or_else(|| self.next_name.clone())
            .unwrap_or(generated);
        let key = stream.codec_or_own_key(joined.key.clone(), &name);
        let operator = ops::join::factory(
            null_key,
            key.clone(),
            stream.value.clone(),
            table.view.clone(),
            join,
        );
        let stores = [table.store.as_str()];
        let node = stream
            .builder
            .add_operator(&name, operator, &[stream.node], &stores);
        let sources: BTreeSet<NodeId> = stream.sources.union(&table.sources).copied().collect();
        let all: Vec<NodeId> = sources.iter().copied().collect();
        stream.builder.with(|topology| topology.copartition(&all));
        let value = stream.known();
        KStream::derived(
            stream.builder.clone(),
            node,
            name,
            Some(key),
            value,
            sources,
        )
    }

    /// Records without a key travel too: a left join wants them, an inner one drops and counts them.
    fn repartition_for_join(&self, joined: &Joined<K, V>) -> Self {
        let base = joined.name.clone().unwrap_or_else(|| self.name.clone());
        let names = RepartitionNames::new(&self.builder, &base);
        let key = self.codec_or_own_key(joined.key.clone(), &names.filter);
        let value = self.codec_or_own_value(joined.value.clone(), &names.filter);
        let mut shared = self.repartitioned.lock();
        let node = match &*shared {
            Some((node, topic)) if *topic == names.topic => *node,
            _ => {
                let spec = RepartitionSpec::new(names.topic.clone());
                self.insert_repartition(&names, spec, &key, &value, NullKeys::Keep)
            }
        };
        *shared = Some((node, names.topic));
        let sources = BTreeSet::from([node]);
        Self::new(
            self.builder.clone(),
            node,
            names.source,
            key,
            value,
            sources,
        )
    }

    /// Sends the records through a repartition topic, for a grouping.
    pub(super) fn repartition(
        &self,
        topic: &str,
        partitions: Option<i32>,
        key: Arc<dyn Codec<K>>,
        value: Arc<dyn Codec<V>>,
    ) -> Self {
        let names = RepartitionNames::new(&self.builder, topic);
        let spec = RepartitionSpec {
            partitions,
            ..RepartitionSpec::new(names.topic.clone())
        };
        let node = self.insert_repartition(&names, spec, &key, &value, NullKeys::Drop);
        let sources = BTreeSet::from([node]);
        Self::new(
            self.builder.clone(),
            node,
            names.source,
            key,
            value,
            sources,
        )
    }

    fn insert_repartition(
        &self,
        names: &RepartitionNames,
        spec: RepartitionSpec,
        key: &Arc<dyn Codec<K>>,
        value: &Arc<dyn Codec<V>>,
        null_keys: NullKeys,
    ) -> NodeId {
        let topic = spec.topic();
        self.builder.add_repartition(spec);
        let encode = ops::sink::encode(key.clone(), value.clone(), null_keys);
        let filter = self
            .builder
            .add_operator(&names.filter, encode, &[self.node], &[]);
        self.builder
            .add_sink(SinkSpec::new(names.sink.clone(), topic.clone()), filter);
        let source = SourceSpec {
            operator: ops::source::decode(key.clone(), value.clone()),
            ..SourceSpec::new(names.source.clone(), topic)
        };
        self.builder.with(|topology| topology.add_source(source))
    }

    pub(super) fn is_rekeyed(&self) -> bool {
        self.rekeyed
    }

    pub(super) fn node(&self) -> NodeId {
        self.node
    }

    pub(super) fn builder(&self) -> &StreamsBuilder {
        &self.builder
    }

    pub(super) fn sources(&self) -> &BTreeSet<NodeId> {
        &self.sources
    }

    pub(super) fn key_codec(&self) -> Option<Arc<dyn Codec<K>>> {
        self.key.clone()
    }

    pub(super) fn value_codec(&self) -> Option<Arc<dyn Codec<V>>> {
        self.value.clone()
    }
}

impl<K: Data, V: Data> KStream<K, Option<V>> {
    /// The records that have a value.
    #[must_use]
    pub fn drop_tombstones(&self) -> KStream<K, V> {
        self.flat_map_values(|value, out| out.extend(value.clone()))
    }
}

/// Names of the nodes around a repartition topic: generated ones if the topic is named after a
/// generated name. Three numbers are used up in any case, as in Kafka.
struct RepartitionNames {
    topic: String,
    sink: String,
    filter: String,
    source: String,
}

impl RepartitionNames {
    fn new(builder: &StreamsBuilder, base: &str) -> Self {
        let sink = builder.generate("KSTREAM-SINK-");
        let filter = builder.generate("KSTREAM-FILTER-");
        let source = builder.generate(SOURCE);
        let topic = format!("{base}-repartition");
        let is_generated = base.starts_with("KSTREAM")
            && base.rsplit('-').next().is_some_and(|last| {
                last.len() == 10 && last.bytes().all(|byte| byte.is_ascii_digit())
            });
        if is_generated {
            return Self {
                topic,
                sink,
                filter,
                source,
            };
        }
        Self {
            sink: format!("{topic}-sink"),
            filter: format!("{topic}-filter"),
            source: format!("{topic}-source"),
            topic,
        }
    }
}

/// A stream being divided.
pub struct BranchedKStream<K, V> {
    root: KStream<K, V>,
    predicates: ops::branch::Predicates<K, V>,
    branches: usize,
}

impl<K: Data, V: Data> BranchedKStream<K, V> {
    /// The records that `predicate` is true of and that no earlier branch took.
    pub fn branch(
        &mut self,
        predicate: impl Fn(&K, &V) -> bool + Send + Sync + 'static,
    ) -> KStream<K, V> {
        self.branches += 1;
        let suffix = self.branches.to_string();
        self.add(&suffix, Arc::new(predicate))
    }

    /// [`branch`](Self::branch), whose node is named after the split and `name`.
    pub fn branch_named(
        &mut self,
        name: &str,
        predicate: impl Fn(&K, &V) -> bool + Send + Sync + 'static,
    ) -> KStream<K, V> {
        self.branches += 1;
        self.add(name, Arc::new(predicate))
    }

    /// The records that no branch took.
    pub fn default_branch(mut self) -> KStream<K, V> {
        self.add("0", Arc::new(|_: &K, _: &V| true))
    }

    /// [`default_branch`](Self::default_branch), whose node is named after the split and `name`.
    pub fn default_branch_named(mut self, name: &str) -> KStream<K, V> {
        self.add(name, Arc::new(|_: &K, _: &V| true))
    }

    fn add(&mut self, suffix: &str, predicate: ops::branch::Predicate<K, V>) -> KStream<K, V> {
        self.predicates.lock().push(predicate);
        // The number is used up although the name comes from the split, as in Kafka.
        let _ = self.root.builder.generate("KSTREAM-BRANCHCHILD-");
        let name = format!("{}{suffix}", self.root.name);
        let (key, value) = (self.root.key.clone(), self.root.value.clone());
        self.root
            .add_named(name, PassThrough::factory(), key, value, false)
    }
}

//! Options of sources, sinks, groupings and stores. Each can be made from a plain name.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::codec::Codec;
use crate::engine::{OffsetReset, Partitioner, TimestampExtractor};

/// What to read and how.
#[derive(Clone)]
pub struct Consumed<K, V> {
    pub(super) topics: Vec<String>,
    pub(super) key: Option<Arc<dyn Codec<K>>>,
    pub(super) value: Option<Arc<dyn Codec<V>>>,
    pub(super) timestamp_extractor: Option<TimestampExtractor>,
    pub(super) offset_reset: OffsetReset,
}

impl<K, V> Consumed<K, V> {
    /// One topic, with the codecs of the types, from the earliest record.
    pub fn from_topic(topic: impl Into<String>) -> Self {
        Self::from_topics([topic])
    }

    /// Several topics as one stream.
    pub fn from_topics(topics: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            topics: topics.into_iter().map(Into::into).collect(),
            key: None,
            value: None,
            timestamp_extractor: None,
            offset_reset: OffsetReset::Earliest,
        }
    }

    /// Reads keys with `codec`.
    #[must_use]
    pub fn key(self, codec: impl Codec<K> + 'static) -> Self {
        Self {
            key: Some(Arc::new(codec)),
            ..self
        }
    }

    /// Reads values with `codec`.
    #[must_use]
    pub fn value(self, codec: impl Codec<V> + 'static) -> Self {
        Self {
            value: Some(Arc::new(codec)),
            ..self
        }
    }

    /// Takes timestamps (ms) from key, value and the record's own timestamp instead of the record.
    /// A negative one drops the record.
    #[must_use]
    pub fn timestamp(
        self,
        extract: impl Fn(Option<&[u8]>, Option<&[u8]>, i64) -> i64 + Send + Sync + 'static,
    ) -> Self {
        Self {
            timestamp_extractor: Some(Arc::new(extract)),
            ..self
        }
    }

    /// Where to begin when nothing has been committed yet.
    #[must_use]
    pub fn offset_reset(self, offset_reset: OffsetReset) -> Self {
        Self {
            offset_reset,
            ..self
        }
    }
}

impl<K, V> From<&str> for Consumed<K, V> {
    fn from(topic: &str) -> Self {
        Self::from_topic(topic)
    }
}

impl<K, V> From<String> for Consumed<K, V> {
    fn from(topic: String) -> Self {
        Self::from_topic(topic)
    }
}

/// Where to write and how.
#[derive(Clone)]
pub struct Produced<K, V> {
    pub(super) topic: String,
    pub(super) key: Option<Arc<dyn Codec<K>>>,
    pub(super) value: Option<Arc<dyn Codec<V>>>,
    pub(super) partitioner: Option<Partitioner>,
}

impl<K, V> Produced<K, V> {
    /// One topic, with the stream's codecs, partitioned by key as Kafka's producer does.
    pub fn to_topic(topic: impl Into<String>) -> Self {
        Self {
            topic: topic.into(),
            key: None,
            value: None,
            partitioner: None,
        }
    }

    /// Writes keys with `codec`.
    #[must_use]
    pub fn key(self, codec: impl Codec<K> + 'static) -> Self {
        Self {
            key: Some(Arc::new(codec)),
            ..self
        }
    }

    /// Writes values with `codec`.
    #[must_use]
    pub fn value(self, codec: impl Codec<V> + 'static) -> Self {
        Self {
            value: Some(Arc::new(codec)),
            ..self
        }
    }

    /// Chooses the partition from the bytes of key and value and the number of partitions.
    #[must_use]
    pub fn partitioner(
        self,
        choose: impl Fn(Option<&[u8]>, Option<&[u8]>, i32) -> i32 + Send + Sync + 'static,
    ) -> Self {
        Self {
            partitioner: Some(Arc::new(choose)),
            ..self
        }
    }
}

impl<K, V> From<&str> for Produced<K, V> {
    fn from(topic: &str) -> Self {
        Self::to_topic(topic)
    }
}

impl<K, V> From<String> for Produced<K, V> {
    fn from(topic: String) -> Self {
        Self::to_topic(topic)
    }
}

/// How records are brought together by key, if they have to travel for it.
#[derive(Clone)]
pub struct Grouped<K, V> {
    pub(super) name: Option<String>,
    pub(super) key: Option<Arc<dyn Codec<K>>>,
    pub(super) value: Option<Arc<dyn Codec<V>>>,
    pub(super) partitions: Option<i32>,
}

impl<K, V> Default for Grouped<K, V> {
    fn default() -> Self {
        Self {
            name: None,
            key: None,
            value: None,
            partitions: None,
        }
    }
}

impl<K, V> Grouped<K, V> {
    /// The repartition topic is `<application>-<name>-repartition`.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: Some(name.into()),
            ..Self::default()
        }
    }

    /// Keys travel and are stored with `codec`.
    #[must_use]
    pub fn key(self, codec: impl Codec<K> + 'static) -> Self {
        Self {
            key: Some(Arc::new(codec)),
            ..self
        }
    }

    /// Values travel with `codec`.
    #[must_use]
    pub fn value(self, codec: impl Codec<V> + 'static) -> Self {
        Self {
            value: Some(Arc::new(codec)),
            ..self
        }
    }

    /// Number of partitions of the repartition topic, if there is one.
    #[must_use]
    pub fn partitions(self, partitions: i32) -> Self {
        Self {
            partitions: Some(partitions),
            ..self
        }
    }
}

/// How a stream is joined with a table.
#[derive(Clone)]
pub struct Joined<K, V> {
    pub(super) name: Option<String>,
    pub(super) key: Option<Arc<dyn Codec<K>>>,
    pub(super) value: Option<Arc<dyn Codec<V>>>,
}

impl<K, V> Default for Joined<K, V> {
    fn default() -> Self {
        Self {
            name: None,
            key: None,
            value: None,
        }
    }
}

impl<K, V> Joined<K, V> {
    /// Names the node, and the repartition topic if one is needed.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: Some(name.into()),
            ..Self::default()
        }
    }

    /// Keys of the stream travel with `codec`. It must give the same bytes as that of the table.
    #[must_use]
    pub fn key(self, codec: impl Codec<K> + 'static) -> Self {
        Self {
            key: Some(Arc::new(codec)),
            ..self
        }
    }

    /// Values of the stream travel with `codec`.
    #[must_use]
    pub fn value(self, codec: impl Codec<V> + 'static) -> Self {
        Self {
            value: Some(Arc::new(codec)),
            ..self
        }
    }
}

/// A store and what lies in it. There is no default: a store's name is its identity across versions
/// of the topology.
#[derive(Clone)]
pub struct Materialized<V> {
    pub(super) store: String,
    pub(super) value: Option<Arc<dyn Codec<V>>>,
    pub(super) caching: bool,
    pub(super) changelog: bool,
    pub(super) changelog_config: BTreeMap<String, String>,
}

impl<V> Materialized<V> {
    /// A store with a changelog, cached, with the codec of the type.
    pub fn named(store: impl Into<String>) -> Self {
        Self {
            store: store.into(),
            value: None,
            caching: true,
            changelog: true,
            changelog_config: BTreeMap::new(),
        }
    }

    /// Stores values with `codec`.
    #[must_use]
    pub fn value(self, codec: impl Codec<V> + 'static) -> Self {
        Self {
            value: Some(Arc::new(codec)),
            ..self
        }
    }

    /// Hands on every update instead of the last one of each commit.
    #[must_use]
    pub fn without_caching(self) -> Self {
        Self {
            caching: false,
            ..self
        }
    }

    /// Keeps no changelog: contents do not survive a crash or a move to another instance.
    #[must_use]
    pub fn without_changelog(self) -> Self {
        Self {
            changelog: false,
            ..self
        }
    }

    /// A topic config of the changelog.
    #[must_use]
    pub fn changelog_config(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.changelog_config.insert(key.into(), value.into());
        self
    }
}

impl<V> From<&str> for Materialized<V> {
    fn from(store: &str) -> Self {
        Self::named(store)
    }
}

impl<V> From<String> for Materialized<V> {
    fn from(store: String) -> Self {
        Self::named(store)
    }
}

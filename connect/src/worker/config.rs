//! What a worker is configured with.

use std::time::Duration;

use crate::config::Properties;
use crate::plugins::Plugins;
use crate::store::TopicRequest;

/// A converter's class and settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConverterSettings {
    /// The class, by any of its names.
    pub class: String,
    /// Its settings, named without the prefix.
    pub settings: Properties,
}

impl ConverterSettings {
    /// A class with its defaults.
    pub fn new(class: &str) -> Self {
        Self {
            class: class.to_owned(),
            settings: Properties::new(),
        }
    }

    /// Adds a setting.
    pub fn with(mut self, key: &str, value: &str) -> Self {
        self.settings.insert(key.to_owned(), value.to_owned());
        self
    }
}

/// A worker's settings. Names are Kafka Connect's; where a default differs, it says so.
#[derive(Clone, Debug)]
pub struct WorkerConfig {
    /// `group.id`: part of the transactional ids of its producers. `connect-cluster`.
    pub group_id: String,
    /// What statuses name as the worker, `host:port` of its REST interface.
    pub worker_id: String,
    /// `config.storage.topic`; it has one partition. `connect-configs`.
    pub config_storage_topic: String,
    /// `offset.storage.topic`. `connect-offsets`.
    pub offset_storage_topic: String,
    /// `offset.storage.partitions`. 25.
    pub offset_storage_partitions: i32,
    /// `status.storage.topic`. `connect-status`.
    pub status_storage_topic: String,
    /// `status.storage.partitions`. 5.
    pub status_storage_partitions: i32,
    /// `*.storage.replication.factor`; -1, the broker's default, where Kafka Connect has 3.
    pub storage_replication_factor: i16,
    /// Configuration of the internal topics when they are created, beside
    /// `cleanup.policy=compact`. `retention.ms=-1`.
    pub storage_topic_configs: Properties,
    /// `key.converter`. Strings; Kafka Connect has no default.
    pub key_converter: ConverterSettings,
    /// `value.converter`. JSON without schemas; Kafka Connect has no default.
    pub value_converter: ConverterSettings,
    /// `header.converter`. Bytes as they are, where Kafka Connect guesses types.
    pub header_converter: ConverterSettings,
    /// `exactly.once.source.support`: rows and their offsets are committed in one transaction.
    /// On, where Kafka Connect has it off.
    pub exactly_once_source: bool,
    /// `offset.flush.interval.ms`: how often sinks commit, and sources that are not exactly-once.
    /// 5 s, where Kafka Connect has 60 s. A sink also commits when no records come for a moment.
    pub offset_flush_interval: Duration,
    /// `task.shutdown.graceful.timeout.ms`: how long tasks may take to stop, all together. 5 s.
    pub task_shutdown_graceful_timeout: Duration,
    /// `topic.creation.enable`: sources create topics by their `topic.creation.*`. On.
    pub topic_creation_enable: bool,
    /// The connectors and converters there are.
    pub plugins: Plugins,
}

impl Default for WorkerConfig {
    fn default() -> Self {
        let keep = [("retention.ms".to_owned(), "-1".to_owned())];
        Self {
            group_id: "connect-cluster".to_owned(),
            worker_id: "127.0.0.1:8083".to_owned(),
            config_storage_topic: "connect-configs".to_owned(),
            offset_storage_topic: "connect-offsets".to_owned(),
            offset_storage_partitions: 25,
            status_storage_topic: "connect-status".to_owned(),
            status_storage_partitions: 5,
            storage_replication_factor: -1,
            storage_topic_configs: keep.into_iter().collect(),
            key_converter: ConverterSettings::new("StringConverter"),
            value_converter: ConverterSettings::new("JsonConverter")
                .with("schemas.enable", "false"),
            header_converter: ConverterSettings::new("ByteArrayConverter"),
            exactly_once_source: true,
            offset_flush_interval: Duration::from_secs(5),
            task_shutdown_graceful_timeout: Duration::from_secs(5),
            topic_creation_enable: true,
            plugins: Plugins::default(),
        }
    }
}

impl WorkerConfig {
    /// The topics that a worker keeps its own things in.
    pub(crate) fn internal_topics(&self) -> [TopicRequest; 3] {
        let topic = |name: &str, partitions: i32| {
            let mut configs = self.storage_topic_configs.clone();
            configs.insert("cleanup.policy".to_owned(), "compact".to_owned());
            let replication_factor = self.storage_replication_factor;
            TopicRequest {
                name: name.to_owned(),
                partitions,
                replication_factor,
                configs,
            }
        };
        [
            topic(&self.config_storage_topic, 1),
            topic(&self.offset_storage_topic, self.offset_storage_partitions),
            topic(&self.status_storage_topic, self.status_storage_partitions),
        ]
    }
}

//! A topic's configuration, typed.

use std::collections::BTreeMap;
use std::time::Duration;

use headwater_storage::LogConfig;
use headwater_wire::records::Compression;

use super::topic_defaults::TopicDefaults;
use super::topic_keys::{TOPIC_KEYS, TopicKey, topic_key};
use super::value::Value;

/// A topic's configuration with every default filled in.
#[derive(Debug, Clone, PartialEq)]
pub struct TopicConfig {
    /// What its partitions' logs are kept by.
    pub log: LogConfig,
    /// `max.message.bytes`: largest batch accepted.
    pub max_message_bytes: u32,
    /// `message.timestamp.before.max.ms`; `None` accepts any age.
    pub timestamp_before_max: Option<Duration>,
    /// `message.timestamp.after.max.ms`; `None` accepts any time in the future.
    pub timestamp_after_max: Option<Duration>,
    /// `min.insync.replicas`.
    pub min_insync_replicas: u32,
    /// `compression.type`; `None` stores batches as their producers compressed them.
    pub compression: Option<Compression>,
    /// The level of `compression`, for the codecs that have levels: `compression.gzip.level` and
    /// its like.
    pub compression_level: Option<i32>,
    /// Levels by codec, before it is known which counts.
    pub(super) levels: CompressionLevels,
}

/// `compression.gzip.level` and `compression.zstd.level` (KIP-390).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct CompressionLevels {
    pub(super) gzip: Option<i32>,
    pub(super) zstd: i32,
}

/// Why a topic configuration was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTopicConfig {
    /// There is no such setting.
    #[error("unknown topic config name: {0}")]
    UnknownName(String),
    /// The setting does not take this value.
    #[error("invalid value {value} for configuration {name}: {reason}")]
    Value {
        /// Name of the setting.
        name: String,
        /// The value refused.
        value: String,
        /// What is expected.
        reason: String,
    },
    /// Two settings contradict each other.
    #[error(
        "min.compaction.lag.ms, {least}, is more than max.compaction.lag.ms, {most}: no record could be compacted in time"
    )]
    CompactionLags {
        /// `min.compaction.lag.ms`.
        least: u128,
        /// `max.compaction.lag.ms`.
        most: u128,
    },
}

impl TopicConfig {
    /// Builds the configuration of a topic that sets `values`.
    ///
    /// # Errors
    /// [`InvalidTopicConfig`] for an unknown name, a value that cannot be, or two that contradict
    /// each other.
    pub fn new(
        defaults: &TopicDefaults,
        values: &BTreeMap<String, String>,
    ) -> Result<Self, InvalidTopicConfig> {
        if let Some(name) = values.keys().find(|name| topic_key(name).is_none()) {
            return Err(InvalidTopicConfig::UnknownName(name.clone()));
        }
        let mut config = Self::unset();
        for key in TOPIC_KEYS {
            let own = values.get(key.name).map(String::as_str);
            let text = own.or_else(|| defaults.get(key.name)).or(key.default);
            if let Some(text) = text {
                key.apply(&mut config, text)?;
            }
        }
        config.compression_level = match config.compression {
            Some(Compression::Gzip) => config.levels.gzip,
            Some(Compression::Zstd) => Some(config.levels.zstd),
            Some(Compression::Snappy | Compression::Lz4 | Compression::None) | None => None,
        };
        let lags = (config.log.min_compaction_lag, config.log.max_compaction_lag);
        if let (least, Some(most)) = lags
            && least > most
        {
            return Err(InvalidTopicConfig::CompactionLags {
                least: least.as_millis(),
                most: most.as_millis(),
            });
        }
        Ok(config)
    }

    /// The configuration of a topic that sets nothing. `defaults` were checked when they were made.
    pub(crate) fn of_defaults(defaults: &TopicDefaults) -> Self {
        let built_in = TopicDefaults::default();
        let nothing = BTreeMap::new();
        Self::new(defaults, &nothing)
            .or_else(|_| Self::new(&built_in, &nothing))
            .unwrap_or_else(|_| Self::unset())
    }

    /// A blank that the keys fill in, every one of them.
    fn unset() -> Self {
        Self {
            log: LogConfig::default(),
            max_message_bytes: 0,
            timestamp_before_max: None,
            timestamp_after_max: None,
            min_insync_replicas: 1,
            compression: None,
            compression_level: None,
            levels: CompressionLevels::default(),
        }
    }
}

impl TopicKey {
    /// Reads `text`, checks it and puts it into `config`.
    fn apply(&self, config: &mut TopicConfig, text: &str) -> Result<(), InvalidTopicConfig> {
        let value = self.read(text)?;
        (self.apply)(config, value);
        Ok(())
    }

    /// Reads `text` and checks it.
    ///
    /// # Errors
    /// [`InvalidTopicConfig::Value`].
    pub fn read(&self, text: &str) -> Result<Value, InvalidTopicConfig> {
        let refused = |reason| InvalidTopicConfig::Value {
            name: self.name.to_owned(),
            value: text.to_owned(),
            reason,
        };
        let value = self.shape.read(text).map_err(refused)?;
        match self.only {
            Some(only) if value.to_string() != only.value => Err(refused(format!(
                "only {} is possible: {}",
                only.value, only.reason
            ))),
            _ => Ok(value),
        }
    }
}

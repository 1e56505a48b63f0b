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

/// `compression.gzip.level`, `compression.lz4.level` and `compression.zstd.level` (KIP-390).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct CompressionLevels {
    pub(super) gzip: Option<i32>,
    pub(super) lz4: i32,
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
        config.choose_level();
        config.check_lags()?;
        Ok(config)
    }

    /// The configuration of a topic that is there and sets `values`, whatever became of them since
    /// they were accepted: each setting counts by itself. Returned beside it is why settings were
    /// left out.
    ///
    /// A setting that cannot be read gives way to the topic's default. Of two that contradict each
    /// other the topic's own stays and the inherited one gives way; between two of the same origin
    /// `max.compaction.lag.ms` does.
    pub(crate) fn in_force(
        defaults: &TopicDefaults,
        values: &BTreeMap<String, String>,
    ) -> (Self, Vec<InvalidTopicConfig>) {
        let unknown = values.keys().filter(|name| topic_key(name).is_none());
        let mut faults: Vec<_> = unknown
            .map(|name| InvalidTopicConfig::UnknownName(name.clone()))
            .collect();
        let mut config = Self::unset();
        for key in TOPIC_KEYS {
            let own = values.get(key.name).map(String::as_str);
            let candidates = [own, defaults.get(key.name), key.default];
            for text in candidates.into_iter().flatten() {
                match key.apply(&mut config, text) {
                    Ok(()) => break,
                    Err(fault) => faults.push(fault),
                }
            }
        }
        config.choose_level();
        if let Err(fault) = config.check_lags() {
            faults.push(fault);
            let log = &mut config.log;
            let is_own = |name| values.contains_key(name);
            if is_own("max.compaction.lag.ms") && !is_own("min.compaction.lag.ms") {
                log.min_compaction_lag = log.max_compaction_lag.unwrap_or_default();
            } else {
                log.max_compaction_lag = Some(log.min_compaction_lag);
            }
        }
        (config, faults)
    }

    fn choose_level(&mut self) {
        self.compression_level = match self.compression {
            Some(Compression::Gzip) => self.levels.gzip,
            Some(Compression::Zstd) => Some(self.levels.zstd),
            Some(Compression::Lz4) => Some(self.levels.lz4),
            Some(Compression::Snappy | Compression::None) | None => None,
        };
    }

    fn check_lags(&self) -> Result<(), InvalidTopicConfig> {
        match (self.log.min_compaction_lag, self.log.max_compaction_lag) {
            (least, Some(most)) if least > most => Err(InvalidTopicConfig::CompactionLags {
                least: least.as_millis(),
                most: most.as_millis(),
            }),
            _ => Ok(()),
        }
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use super::{InvalidTopicConfig, TopicConfig};
    use crate::config::TopicDefaults;

    fn values(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        pairs.iter().map(owned).collect()
    }

    #[test]
    fn one_setting_that_cannot_be_takes_no_other_with_it() {
        let own = values(&[
            ("cleanup.policy", "compact"),
            ("retention.ms", "-1"),
            ("max.message.bytes", "a lot"),
            ("of.a.later.release", "1"),
        ]);
        let (config, faults) = TopicConfig::in_force(&TopicDefaults::default(), &own);
        assert!(config.log.cleanup.compact && !config.log.cleanup.delete);
        assert_eq!(config.log.retention, None);
        assert_eq!(config.max_message_bytes, 1_048_588, "its default");
        assert_eq!(faults.len(), 2, "{faults:?}");
    }

    #[test]
    fn of_lags_that_contradict_each_other_the_topics_own_counts() {
        let mut defaults = TopicDefaults::default();
        defaults.set("log.cleaner.max.compaction.lag.ms", "1000".into());
        let own = values(&[
            ("cleanup.policy", "compact"),
            ("min.compaction.lag.ms", "5000"),
        ]);
        let (config, faults) = TopicConfig::in_force(&defaults, &own);
        let five = Duration::from_secs(5);
        assert!(matches!(
            faults[..],
            [InvalidTopicConfig::CompactionLags { .. }]
        ));
        assert_eq!(config.log.min_compaction_lag, five);
        assert_eq!(config.log.max_compaction_lag, Some(five));
        assert!(config.log.cleanup.compact && !config.log.cleanup.delete);

        let mut defaults = TopicDefaults::default();
        defaults.set("log.cleaner.min.compaction.lag.ms", "9000".into());
        let own = values(&[("max.compaction.lag.ms", "5000")]);
        let (config, _) = TopicConfig::in_force(&defaults, &own);
        assert_eq!(config.log.min_compaction_lag, five);
        assert_eq!(config.log.max_compaction_lag, Some(five));

        let own = values(&[
            ("max.compaction.lag.ms", "1000"),
            ("min.compaction.lag.ms", "5000"),
        ]);
        let (config, _) = TopicConfig::in_force(&TopicDefaults::default(), &own);
        assert_eq!(
            config.log.max_compaction_lag,
            Some(five),
            "nothing is compacted early"
        );
    }
}

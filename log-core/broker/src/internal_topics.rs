//! The topics in which groups and transactions live.

use std::collections::BTreeMap;
use std::sync::Arc;

use headwater_storage::{CleanupPolicy, Durability, LogConfig};
use headwater_wire::ErrorCode;

use crate::config::TopicConfig;
use crate::node::Node;
use crate::topic_creation::TopicRefused;
use crate::topics::Topic;

/// Committed offsets and groups.
pub(crate) const CONSUMER_OFFSETS: &str = "__consumer_offsets";
/// Transactional ids and the state of their transactions.
pub(crate) const TRANSACTION_STATE: &str = "__transaction_state";

/// Whether clients must keep their hands off the topic.
pub(crate) fn is_internal(name: &str) -> bool {
    name == CONSUMER_OFFSETS || name == TRANSACTION_STATE
}

/// Checks that a topic of this name may be kept so. Groups and transactions are told that they are
/// on disk, and are read back from the first record on: nothing of them may be lost with the power,
/// nor with time.
pub(crate) fn check_config(name: &str, config: &TopicConfig) -> Result<(), TopicRefused> {
    if !is_internal(name) || is_kept(&config.log) {
        return Ok(());
    }
    Err(TopicRefused::new(
        ErrorCode::InvalidConfig,
        format!(
            "groups and transactions are kept in topic {name}: it has to have durability=fsync and cleanup.policy=compact"
        ),
    ))
}

/// Has an internal topic synced and compacted, whatever its configuration says. Returns whether
/// that said something else.
pub(crate) fn keep(name: &str, config: &mut TopicConfig) -> bool {
    if !is_internal(name) || is_kept(&config.log) {
        return false;
    }
    config.log.durability = Durability::Fsync;
    config.log.cleanup = COMPACT;
    true
}

const COMPACT: CleanupPolicy = CleanupPolicy {
    delete: false,
    compact: true,
};

fn is_kept(log: &LogConfig) -> bool {
    log.durability == Durability::Fsync && log.cleanup == COMPACT
}

impl Node {
    /// The internal topic of this name, created if it is not there yet.
    pub(crate) async fn internal_topic(&self, name: &str) -> Result<Arc<Topic>, TopicRefused> {
        if let Some(topic) = self.topics.load().by_name(name) {
            return Ok(Arc::clone(topic));
        }
        let settings = &self.config.settings;
        let (partitions, factor) = match name {
            CONSUMER_OFFSETS => (
                settings.offsets_topic_partitions,
                settings.offsets_topic_replication_factor,
            ),
            _ => (
                settings.transaction_topic_partitions,
                settings.transaction_topic_replication_factor,
            ),
        };
        let _one_at_a_time = self.changing_configs.lock().await;
        let configs = self.internal_topic_configs(name);
        let replicas = self.place_replicas(partitions, factor)?;
        let created = match self.check_new_topic(name, replicas, configs) {
            Ok(topic) => self.create_topic(topic).await,
            Err(refused) => Err(refused),
        };
        match created {
            Ok(()) => {}
            // Somebody else was faster.
            Err(refused) if refused.code == ErrorCode::TopicAlreadyExists => {}
            Err(refused) => return Err(refused),
        }
        self.topics.load().by_name(name).cloned().ok_or_else(|| {
            TopicRefused::new(
                ErrorCode::CoordinatorNotAvailable,
                format!("internal topic {name} was deleted while it was created"),
            )
        })
    }

    /// The configuration that an internal topic is created with.
    pub(crate) fn internal_topic_configs(&self, name: &str) -> BTreeMap<String, String> {
        let settings = &self.config.settings;
        let segment_bytes = match name {
            CONSUMER_OFFSETS => settings.offsets_topic_segment_bytes,
            _ => settings.transaction_topic_segment_bytes,
        };
        // Compacted from the first segment on, small segments so that there is something closed
        // to compact; fsync whatever the broker's default for topics is.
        let configs = [
            ("cleanup.policy", "compact".to_owned()),
            ("compression.type", "producer".to_owned()),
            ("durability", "fsync".to_owned()),
            ("segment.bytes", segment_bytes.to_string()),
        ];
        let configs = configs.map(|(name, value)| (name.to_owned(), value));
        let mut configs = BTreeMap::from(configs);
        if name == TRANSACTION_STATE {
            let replicas = settings.transaction_topic_min_insync_replicas;
            configs.insert("min.insync.replicas".to_owned(), replicas.to_string());
        }
        configs
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{CONSUMER_OFFSETS, check_config, keep};
    use crate::config::{TopicConfig, TopicDefaults};

    fn config(pairs: &[(&str, &str)]) -> TopicConfig {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let values: BTreeMap<_, _> = pairs.iter().map(owned).collect();
        TopicConfig::new(&TopicDefaults::default(), &values).expect("valid")
    }

    #[test]
    fn what_groups_are_kept_in_is_synced_and_compacted() {
        for unsafe_one in [
            &[("durability", "relaxed"), ("cleanup.policy", "compact")][..],
            &[("cleanup.policy", "delete")],
            &[("cleanup.policy", "compact,delete")],
            &[],
        ] {
            let mut config = config(unsafe_one);
            assert!(check_config(CONSUMER_OFFSETS, &config).is_err());
            assert_eq!(check_config("t", &config), Ok(()));
            assert!(!keep("t", &mut config));
            assert!(keep(CONSUMER_OFFSETS, &mut config), "{unsafe_one:?}");
            assert_eq!(check_config(CONSUMER_OFFSETS, &config), Ok(()));
            assert!(!keep(CONSUMER_OFFSETS, &mut config));
        }
    }
}

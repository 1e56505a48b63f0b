//! The topics in which groups and transactions live.

use std::collections::BTreeMap;
use std::sync::Arc;

use headwater_wire::ErrorCode;

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

//! The metadata as of one position in the quorum's log.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::FinalizedFeatures;

/// Everything the quorum agreed on up to one position of its log. Immutable once published:
/// readers hold an `Arc` of it and see one consistent state.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ClusterImage {
    /// Id of the cluster; empty until it is formatted.
    pub cluster_id: String,
    /// Topics by id.
    pub topics: BTreeMap<Uuid, Arc<TopicImage>>,
    /// Ids of the topics by name.
    pub names: BTreeMap<String, Uuid>,
    /// Registered brokers by id.
    pub brokers: BTreeMap<i32, BrokerImage>,
    /// First producer id nobody was given yet.
    pub next_producer_id: i64,
    /// Configuration that was set on anything but topics.
    #[serde(default)]
    pub configs: Arc<ConfigImage>,
    /// Levels of the cluster's features.
    #[serde(default)]
    pub features: FinalizedFeatures,
}

/// Configuration that was set while the cluster runs, by name of what it is set on. What sets
/// nothing is not there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigImage {
    /// Of brokers, by their id; under the empty name what counts for all of them (KIP-226).
    pub brokers: BTreeMap<String, BTreeMap<String, String>>,
    /// Of consumer groups (KIP-848).
    pub groups: BTreeMap<String, BTreeMap<String, String>>,
    /// Of client metrics subscriptions (KIP-714).
    pub client_metrics: BTreeMap<String, BTreeMap<String, String>>,
}

impl ConfigImage {
    /// What is set on all resources of a kind.
    pub fn of(&self, kind: ConfigKind) -> &BTreeMap<String, BTreeMap<String, String>> {
        match kind {
            ConfigKind::Broker => &self.brokers,
            ConfigKind::Group => &self.groups,
            ConfigKind::ClientMetrics => &self.client_metrics,
        }
    }

    pub(super) fn of_mut(
        &mut self,
        kind: ConfigKind,
    ) -> &mut BTreeMap<String, BTreeMap<String, String>> {
        match kind {
            ConfigKind::Broker => &mut self.brokers,
            ConfigKind::Group => &mut self.groups,
            ConfigKind::ClientMetrics => &mut self.client_metrics,
        }
    }
}

/// What has a configuration besides topics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConfigKind {
    /// A broker, or under the empty name all of them.
    Broker,
    /// A consumer group.
    Group,
    /// A client metrics subscription.
    ClientMetrics,
}

impl ClusterImage {
    /// The topic of this name.
    pub fn topic(&self, name: &str) -> Option<&Arc<TopicImage>> {
        self.names.get(name).and_then(|id| self.topics.get(id))
    }
}

/// One topic.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TopicImage {
    /// Id, never used twice.
    pub id: Uuid,
    /// Name.
    pub name: String,
    /// Partitions, indexed by partition number.
    pub partitions: Vec<PartitionImage>,
    /// Configuration that was set on the topic.
    pub configs: BTreeMap<String, String>,
}

impl TopicImage {
    /// Number of partitions.
    pub fn partition_count(&self) -> i32 {
        i32::try_from(self.partitions.len()).unwrap_or(i32::MAX)
    }
}

/// One partition's place in the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionImage {
    /// Broker that leads it.
    pub leader: i32,
    /// Number of leaderships it has had, from 0.
    pub leader_epoch: i32,
    /// Brokers that keep a copy, the preferred leader first.
    pub replicas: Vec<i32>,
    /// Replicas that are in sync.
    pub isr: Vec<i32>,
}

/// One registered broker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrokerImage {
    /// Random id of the running process.
    pub incarnation: Uuid,
    /// Epoch of the registration (KIP-380).
    pub epoch: i64,
    /// Host clients are told to connect to.
    pub host: String,
    /// Port clients are told to connect to.
    pub port: u16,
    /// `broker.rack`, if set.
    pub rack: Option<String>,
}

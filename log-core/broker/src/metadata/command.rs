//! Changes to the metadata, as they stand in the quorum's log.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::ConfigKind;

/// A change to the metadata. Serialised into the quorum's log, so variants are only ever added.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// Gives the cluster its id. Only the first one counts; later ones are answered with the id
    /// the cluster has.
    FormatCluster {
        /// 16 random bytes in URL-safe base64, as Kafka writes a cluster id.
        cluster_id: String,
    },
    /// Announces a broker's process. Each start of a broker is a new registration.
    RegisterBroker {
        /// `node.id` of the broker.
        id: i32,
        /// Random id of this run of the process.
        incarnation: Uuid,
        /// Host clients are told to connect to.
        host: String,
        /// Port clients are told to connect to.
        port: u16,
        /// `broker.rack`, if set.
        rack: Option<String>,
    },
    /// Creates one topic.
    CreateTopic(NewTopic),
    /// Deletes the topic with this id, whatever its name is by then.
    DeleteTopic {
        /// Id of the topic.
        id: Uuid,
    },
    /// Adds partitions after the existing ones.
    AddPartitions {
        /// Id of the topic.
        id: Uuid,
        /// How many partitions the proposer saw. Another number by now rejects the command.
        expected: i32,
        /// Replicas of each new partition, the preferred leader first.
        replicas: Vec<Vec<i32>>,
    },
    /// Sets and removes configuration values of a topic.
    ChangeTopicConfig {
        /// Id of the topic.
        id: Uuid,
        /// Values by name; `None` returns the name to its default.
        changes: BTreeMap<String, Option<String>>,
    },
    /// Sets and removes configuration values of anything but a topic.
    ChangeConfig {
        /// What is configured.
        kind: ConfigKind,
        /// Its name.
        name: String,
        /// Values by name; `None` returns the name to its default.
        changes: BTreeMap<String, Option<String>>,
    },
    /// Takes a block of producer ids that nobody else will be given.
    AllocateProducerIds {
        /// Broker that takes the block.
        broker_id: i32,
        /// Its registration's epoch; another one rejects the command.
        broker_epoch: i64,
        /// Number of ids wanted, at least 1.
        count: i32,
    },
    /// Sets levels of features.
    FinalizeFeatures {
        /// Epoch of the levels the proposer saw. Another one by now rejects the command.
        expected: i64,
        /// Levels by name; the others stay as they are.
        levels: BTreeMap<String, i16>,
    },
}

/// A topic to create.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NewTopic {
    /// Valid, unused name.
    pub name: String,
    /// Fresh random id.
    pub id: Uuid,
    /// Replicas of each partition, the preferred leader first.
    pub replicas: Vec<Vec<i32>>,
    /// Validated configuration that differs from the defaults.
    pub configs: BTreeMap<String, String>,
}

/// What an applied command answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Outcome {
    /// The change is made and there is nothing more to say. Also the answer to the quorum's own
    /// entries.
    Done,
    /// The cluster's id, new or as it was.
    ClusterId(String),
    /// A broker's epoch (KIP-380): it grows with every registration.
    BrokerEpoch(i64),
    /// First id of a block of producer ids.
    ProducerIds {
        /// First id of the block.
        first: i64,
        /// Number of ids in the block.
        count: i32,
    },
    /// Nothing was changed.
    Rejected(CommandError),
}

/// Why a command changed nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum CommandError {
    /// Another topic has this name.
    #[error("topic {name} already exists")]
    TopicExists {
        /// The name.
        name: String,
    },
    /// A topic id is used twice.
    #[error("topic id {id} is taken by topic {name}")]
    TopicIdTaken {
        /// The id.
        id: Uuid,
        /// Name of the topic that has it.
        name: String,
    },
    /// No topic has this id (any more).
    #[error("no topic has id {id}")]
    UnknownTopic {
        /// The id.
        id: Uuid,
    },
    /// The number of partitions changed since the proposer looked.
    #[error("topic {name} has {actual} partitions, not {expected}; try again")]
    PartitionCountChanged {
        /// Name of the topic.
        name: String,
        /// What the proposer saw.
        expected: i32,
        /// What there is.
        actual: i32,
    },
    /// The broker is not registered, or has been started again since.
    #[error("broker {id} is not registered with epoch {epoch}; register again")]
    StaleBroker {
        /// The broker.
        id: i32,
        /// The epoch it named.
        epoch: i64,
    },
    /// The features changed since the proposer looked.
    #[error("the features are of epoch {actual}, not {expected}; try again")]
    FeaturesChanged {
        /// What the proposer saw.
        expected: i64,
        /// What there is.
        actual: i64,
    },
    /// Producer ids are used up, or the block asked for is not positive.
    #[error("cannot allocate a block of {count} producer ids from {next} on")]
    ProducerIds {
        /// Size asked for.
        count: i32,
        /// Next free id.
        next: i64,
    },
}

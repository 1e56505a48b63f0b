//! Making topics: names, placement of replicas, and the way to the metadata quorum.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use headwater_wire::ErrorCode;
use uuid::Uuid;

use crate::config::{InvalidTopicConfig, TopicConfig};
use crate::internal_topics;
use crate::metadata::{Command, CommandError, NewTopic, Outcome};
use crate::node::Node;
use crate::quorum::QuorumError;

/// Longest topic name. Kafka keeps room for a partition number in a file name of 255.
const NAME_MAX: usize = 249;
/// Partitions that one request may create, as Kafka has it. Each costs memory for as long as it
/// exists.
pub(crate) const PARTITIONS_MAX: usize = 10_000;

/// Why a topic was not created or changed, as clients are told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct TopicRefused {
    pub(crate) code: ErrorCode,
    pub(crate) message: String,
}

impl TopicRefused {
    pub(crate) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }
}

impl TopicRefused {
    /// A request would create more partitions than one may.
    pub(crate) fn too_many_partitions() -> Self {
        Self::new(
            ErrorCode::PolicyViolation,
            format!("one request may create {PARTITIONS_MAX} partitions at most"),
        )
    }

    /// The client gave no time to work in.
    pub(crate) fn timed_out() -> Self {
        let error = ErrorCode::RequestTimedOut;
        Self::new(error, error.message())
    }
}

impl From<QuorumError> for TopicRefused {
    fn from(error: QuorumError) -> Self {
        let code = match error {
            QuorumError::NotLeader { .. } => ErrorCode::NotController,
            QuorumError::NoMajority => ErrorCode::RequestTimedOut,
            QuorumError::Stopped { .. } => ErrorCode::BrokerNotAvailable,
        };
        Self::new(code, error.to_string())
    }
}

impl From<CommandError> for TopicRefused {
    fn from(error: CommandError) -> Self {
        let code = match error {
            CommandError::TopicExists { .. } => ErrorCode::TopicAlreadyExists,
            CommandError::UnknownTopic { .. } => ErrorCode::UnknownTopicId,
            CommandError::PartitionCountChanged { .. } => ErrorCode::InvalidPartitions,
            CommandError::StaleBroker { .. } => ErrorCode::StaleBrokerEpoch,
            CommandError::FeaturesChanged { .. } => ErrorCode::FeatureUpdateFailed,
            CommandError::TopicIdTaken { .. } | CommandError::ProducerIds { .. } => {
                ErrorCode::UnknownServerError
            }
        };
        Self::new(code, error.to_string())
    }
}

impl From<InvalidTopicConfig> for TopicRefused {
    fn from(error: InvalidTopicConfig) -> Self {
        Self::new(ErrorCode::InvalidConfig, error.to_string())
    }
}

/// Checks a topic name by Kafka's rules.
pub(crate) fn check_name(name: &str) -> Result<(), TopicRefused> {
    let reason = if name.is_empty() {
        "it is empty".to_owned()
    } else if name == "." || name == ".." {
        "it must not be . or ..".to_owned()
    } else if name.len() > NAME_MAX {
        format!("it is longer than {NAME_MAX} characters")
    } else if !name
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
    {
        "only letters, digits, dots, underscores and dashes may stand in it".to_owned()
    } else {
        return Ok(());
    };
    Err(TopicRefused::new(
        ErrorCode::InvalidTopicException,
        format!("topic name {name:?} is invalid: {reason}"),
    ))
}

impl Node {
    /// Checks that a topic of this name can be created.
    pub(crate) fn check_name_is_free(&self, name: &str) -> Result<(), TopicRefused> {
        check_name(name)?;
        let topics = self.topics.load();
        if topics.by_name(name).is_some() {
            let message = format!("topic {name} already exists");
            return Err(TopicRefused::new(ErrorCode::TopicAlreadyExists, message));
        }
        // Metrics write dots as underscores, so two topics must not differ in these alone.
        let folded = name.replace('.', "_");
        if let Some(other) = topics
            .image
            .names
            .keys()
            .find(|other| other.replace('.', "_") == folded)
        {
            let message = format!("topic {name} collides with existing topic {other}");
            return Err(TopicRefused::new(ErrorCode::InvalidTopicException, message));
        }
        Ok(())
    }

    /// Checks that a topic of this name can be configured so.
    pub(crate) fn check_topic_configs(
        &self,
        name: &str,
        configs: &BTreeMap<String, String>,
    ) -> Result<(), TopicRefused> {
        let config = TopicConfig::new(self.live.load().topic_defaults(), configs)?;
        internal_topics::check_config(name, &config)
    }

    /// Checks everything about a topic to be created, without creating it.
    pub(crate) fn check_new_topic(
        &self,
        name: &str,
        replicas: Vec<Vec<i32>>,
        configs: BTreeMap<String, String>,
    ) -> Result<NewTopic, TopicRefused> {
        self.check_name_is_free(name)?;
        self.check_topic_configs(name, &configs)?;
        Ok(self.new_topic(name, replicas, configs))
    }

    /// A topic to be created, of which everything was checked.
    pub(crate) fn new_topic(
        &self,
        name: &str,
        replicas: Vec<Vec<i32>>,
        configs: BTreeMap<String, String>,
    ) -> NewTopic {
        let id = uuid::Builder::from_random_bytes(self.random.bytes16()).into_uuid();
        NewTopic {
            name: name.to_owned(),
            id,
            replicas,
            configs,
        }
    }

    /// Creates a checked topic. On return its partitions are there.
    pub(crate) async fn create_topic(&self, topic: NewTopic) -> Result<(), TopicRefused> {
        self.change_metadata(Command::CreateTopic(topic))
            .await
            .map(drop)
    }

    /// Submits a command and brings the node's topics up to date with it.
    pub(crate) async fn change_metadata(&self, command: Command) -> Result<Outcome, TopicRefused> {
        let outcome = self.quorum.submit(command).await?;
        let (topics, quorum) = (Arc::clone(&self.topics), Arc::clone(&self.quorum));
        let followed = tokio::task::spawn_blocking(move || topics.follow(&*quorum)).await;
        match followed {
            Ok(Ok(true)) => self.housekeeper.remove_deleted(),
            Ok(Ok(false)) => {}
            Ok(Err(stopped)) => {
                return Err(TopicRefused::new(
                    ErrorCode::KafkaStorageError,
                    stopped.to_string(),
                ));
            }
            Err(failed) => {
                return Err(TopicRefused::new(
                    ErrorCode::UnknownServerError,
                    failed.to_string(),
                ));
            }
        }
        match outcome {
            Outcome::Rejected(error) => Err(error.into()),
            outcome => Ok(outcome),
        }
    }

    /// Replicas for `partitions` new partitions (-1: the default number) of `factor` copies each
    /// (-1: the default).
    pub(crate) fn place_replicas(
        &self,
        partitions: i32,
        factor: i16,
    ) -> Result<Vec<Vec<i32>>, TopicRefused> {
        let count = if partitions == -1 {
            self.config.settings.num_partitions
        } else {
            partitions
        };
        if count < 1 {
            return Err(TopicRefused::new(
                ErrorCode::InvalidPartitions,
                format!("number of partitions {count} is not at least 1"),
            ));
        }
        if count.unsigned_abs() as usize > PARTITIONS_MAX {
            return Err(TopicRefused::too_many_partitions());
        }
        let topics = self.topics.load();
        let brokers: Vec<i32> = topics.image.brokers.keys().copied().collect();
        let wanted = match factor {
            -1 => self.config.settings.default_replication_factor,
            factor => factor,
        };
        let copies = usize::try_from(wanted).unwrap_or(0);
        if copies == 0 || copies > brokers.len() {
            return Err(TopicRefused::new(
                ErrorCode::InvalidReplicationFactor,
                format!(
                    "replication factor {wanted} is not between 1 and the number of brokers, {}",
                    brokers.len()
                ),
            ));
        }
        let placed = (0..count.unsigned_abs() as usize).map(|partition| {
            brokers
                .iter()
                .cycle()
                .skip(partition % brokers.len())
                .take(copies)
                .copied()
                .collect()
        });
        Ok(placed.collect())
    }

    /// Checks a partition's replicas that a client chose.
    pub(crate) fn check_replicas(&self, replicas: &[i32]) -> Result<(), TopicRefused> {
        let topics = self.topics.load();
        let mut seen = HashSet::new();
        let known = |id: &i32| topics.image.brokers.contains_key(id);
        if replicas.is_empty() || !replicas.iter().all(|id| known(id) && seen.insert(*id)) {
            return Err(TopicRefused::new(
                ErrorCode::InvalidReplicaAssignment,
                format!("replicas {replicas:?} are not distinct, known brokers"),
            ));
        }
        Ok(())
    }

    /// The id of a topic by name, or the error that there is none.
    pub(crate) fn topic_id(&self, name: &str) -> Result<Uuid, TopicRefused> {
        let topics = self.topics.load();
        topics
            .by_name(name)
            .map(|topic| topic.image.id)
            .ok_or_else(|| {
                TopicRefused::new(
                    ErrorCode::UnknownTopicOrPartition,
                    format!("topic {name} does not exist"),
                )
            })
    }
}

#[cfg(test)]
mod tests {
    use super::check_name;

    #[test]
    fn names_are_checked_by_kafkas_rules() {
        for good in ["a", "A.b_c-9", "__consumer_offsets", &"x".repeat(249)] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        for bad in ["", ".", "..", "a b", "ä", "a/b", &"x".repeat(250)] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }
}

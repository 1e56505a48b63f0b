//! From one image to the next.

use std::collections::BTreeMap;
use std::sync::Arc;

use uuid::Uuid;

use super::{BrokerImage, ClusterImage, Command, CommandError, ConfigKind, NewTopic, Outcome};
use super::{PartitionImage, TopicImage};

impl ClusterImage {
    /// Applies `command`, which stands at `index` of the quorum's log.
    pub fn apply(&mut self, index: u64, command: &Command) -> Outcome {
        let result = match command {
            Command::FormatCluster { cluster_id } => Ok(self.format(cluster_id)),
            Command::RegisterBroker {
                id,
                incarnation,
                host,
                port,
                rack,
            } => {
                let epoch = i64::try_from(index).unwrap_or(i64::MAX);
                let broker = BrokerImage {
                    incarnation: *incarnation,
                    epoch,
                    host: host.clone(),
                    port: *port,
                    rack: rack.clone(),
                };
                self.brokers.insert(*id, broker);
                Ok(Outcome::BrokerEpoch(epoch))
            }
            Command::CreateTopic(topic) => self.create_topic(topic),
            Command::DeleteTopic { id } => self.delete_topic(*id),
            Command::AddPartitions {
                id,
                expected,
                replicas,
            } => self.add_partitions(*id, *expected, replicas),
            Command::ChangeTopicConfig { id, changes } => self.change_topic_config(*id, changes),
            Command::ChangeConfig {
                kind,
                name,
                changes,
            } => Ok(self.change_config(*kind, name, changes)),
            Command::AllocateProducerIds {
                broker_id,
                broker_epoch,
                count,
            } => self.allocate_producer_ids(*broker_id, *broker_epoch, *count),
            Command::FinalizeFeatures { expected, levels } => {
                self.finalize_features(index, *expected, levels)
            }
        };
        result.unwrap_or_else(Outcome::Rejected)
    }

    fn format(&mut self, cluster_id: &str) -> Outcome {
        if self.cluster_id.is_empty() {
            self.cluster_id = cluster_id.to_owned();
        }
        Outcome::ClusterId(self.cluster_id.clone())
    }

    fn create_topic(&mut self, topic: &NewTopic) -> Result<Outcome, CommandError> {
        if self.names.contains_key(&topic.name) {
            return Err(CommandError::TopicExists {
                name: topic.name.clone(),
            });
        }
        if let Some(other) = self.topics.get(&topic.id) {
            return Err(CommandError::TopicIdTaken {
                id: topic.id,
                name: other.name.clone(),
            });
        }
        self.names.insert(topic.name.clone(), topic.id);
        let image = TopicImage {
            id: topic.id,
            name: topic.name.clone(),
            partitions: topic
                .replicas
                .iter()
                .map(|replicas| first_leadership(replicas))
                .collect(),
            configs: topic.configs.clone(),
        };
        self.topics.insert(topic.id, Arc::new(image));
        Ok(Outcome::Done)
    }

    fn delete_topic(&mut self, id: Uuid) -> Result<Outcome, CommandError> {
        let topic = self
            .topics
            .remove(&id)
            .ok_or(CommandError::UnknownTopic { id })?;
        self.names.remove(&topic.name);
        Ok(Outcome::Done)
    }

    fn add_partitions(
        &mut self,
        id: Uuid,
        expected: i32,
        replicas: &[Vec<i32>],
    ) -> Result<Outcome, CommandError> {
        let topic = self
            .topics
            .get_mut(&id)
            .ok_or(CommandError::UnknownTopic { id })?;
        let actual = topic.partition_count();
        if actual != expected {
            let name = topic.name.clone();
            return Err(CommandError::PartitionCountChanged {
                name,
                expected,
                actual,
            });
        }
        let new = replicas.iter().map(|replicas| first_leadership(replicas));
        Arc::make_mut(topic).partitions.extend(new);
        Ok(Outcome::Done)
    }

    fn change_topic_config(
        &mut self,
        id: Uuid,
        changes: &BTreeMap<String, Option<String>>,
    ) -> Result<Outcome, CommandError> {
        let topic = self
            .topics
            .get_mut(&id)
            .ok_or(CommandError::UnknownTopic { id })?;
        set_values(&mut Arc::make_mut(topic).configs, changes);
        Ok(Outcome::Done)
    }

    fn change_config(
        &mut self,
        kind: ConfigKind,
        name: &str,
        changes: &BTreeMap<String, Option<String>>,
    ) -> Outcome {
        let all = Arc::make_mut(&mut self.configs).of_mut(kind);
        let values = all.entry(name.to_owned()).or_default();
        set_values(values, changes);
        if values.is_empty() {
            all.remove(name);
        }
        Outcome::Done
    }

    fn allocate_producer_ids(
        &mut self,
        broker_id: i32,
        broker_epoch: i64,
        count: i32,
    ) -> Result<Outcome, CommandError> {
        if self
            .brokers
            .get(&broker_id)
            .is_none_or(|broker| broker.epoch != broker_epoch)
        {
            return Err(CommandError::StaleBroker {
                id: broker_id,
                epoch: broker_epoch,
            });
        }
        let first = self.next_producer_id;
        let next = (count > 0)
            .then(|| first.checked_add(i64::from(count)))
            .flatten();
        self.next_producer_id = next.ok_or(CommandError::ProducerIds { count, next: first })?;
        Ok(Outcome::ProducerIds { first, count })
    }
}

fn set_values(values: &mut BTreeMap<String, String>, changes: &BTreeMap<String, Option<String>>) {
    for (name, value) in changes {
        match value {
            Some(value) => values.insert(name.clone(), value.clone()),
            None => values.remove(name),
        };
    }
}

impl ClusterImage {
    fn finalize_features(
        &mut self,
        index: u64,
        expected: i64,
        levels: &BTreeMap<String, i16>,
    ) -> Result<Outcome, CommandError> {
        let actual = self.features.epoch;
        if actual != expected {
            return Err(CommandError::FeaturesChanged { expected, actual });
        }
        self.features.epoch = i64::try_from(index).unwrap_or(i64::MAX);
        let set = levels.iter().map(|(name, level)| (name.clone(), *level));
        self.features.levels.extend(set);
        Ok(Outcome::Done)
    }
}

fn first_leadership(replicas: &[i32]) -> PartitionImage {
    PartitionImage {
        leader: replicas.first().copied().unwrap_or(-1),
        leader_epoch: 0,
        replicas: replicas.to_vec(),
        isr: replicas.to_vec(),
    }
}

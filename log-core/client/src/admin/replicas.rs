//! Which nodes have a partition, and which of them leads it.

use std::collections::{BTreeMap, HashMap};

use headwater_wire::ErrorCode;
use headwater_wire::messages::alter_partition_reassignments::{
    AlterPartitionReassignmentsRequest, ReassignablePartition, ReassignableTopic,
};
use headwater_wire::messages::elect_leaders::{ElectLeadersRequest, TopicPartitions};
use headwater_wire::messages::list_partition_reassignments::{
    ListPartitionReassignmentsRequest, ListPartitionReassignmentsTopics,
};

use super::drive::{Results, by_topic, checked};
use super::{Admin, millis};
use crate::TopicPartition;
use crate::error::ClientError;

/// Who may be elected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ElectionType {
    /// The first of the replicas, if it is in sync.
    Preferred,
    /// Any replica, also one that has lost records, where none in sync is left.
    Unclean,
}

/// A reassignment under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionReassignment {
    /// The nodes that have the partition or are getting it.
    pub replicas: Vec<i32>,
    /// Those of them that are getting it.
    pub adding_replicas: Vec<i32>,
    /// Those of them that will lose it.
    pub removing_replicas: Vec<i32>,
}

impl Admin {
    /// Elects the leaders of partitions, or of all. Each partition has its own result; one whose
    /// leader is already the right one is [`ErrorCode::ElectionNotNeeded`], and left out where all
    /// are meant.
    ///
    /// # Errors
    /// The controller's, or a timeout.
    pub async fn elect_leaders(
        &self,
        election: ElectionType,
        partitions: Option<&[TopicPartition]>,
    ) -> Result<HashMap<TopicPartition, Result<(), ClientError>>, ClientError> {
        let operation = "electing leaders";
        let timeout_ms = millis(self.limit());
        let build = |_| ElectLeadersRequest {
            election_type: match election {
                ElectionType::Preferred => 0,
                ElectionType::Unclean => 1,
            },
            topic_partitions: partitions.map(|partitions| {
                let topics = by_topic(partitions).into_iter();
                topics
                    .map(|(topic, partitions)| TopicPartitions { topic, partitions })
                    .collect()
            }),
            timeout_ms,
        };
        let response = self
            .ask_controller(operation, build, |response| (response.error_code, None))
            .await?;
        let mut results = Results::new();
        for topic in response.replica_election_results {
            let name: std::sync::Arc<str> = topic.topic.into();
            for answer in topic.partition_result {
                let at = TopicPartition::new(name.clone(), answer.partition_id);
                let is_idle = answer.error_code == ErrorCode::ElectionNotNeeded.code();
                if is_idle && partitions.is_none() {
                    continue;
                }
                let electing = || format!("electing a leader of {at}");
                let elected = checked(answer.error_code, answer.error_message, electing);
                results.insert(at, elected);
            }
        }
        Ok(results)
    }

    /// Gives partitions to other nodes (KIP-455), the preferred leader first; `None` ends a
    /// reassignment under way. Returns once they have begun. Each partition has its own result.
    ///
    /// # Errors
    /// The controller's, or a timeout.
    pub async fn alter_partition_reassignments(
        &self,
        reassignments: &HashMap<TopicPartition, Option<Vec<i32>>>,
    ) -> Result<HashMap<TopicPartition, Result<(), ClientError>>, ClientError> {
        let operation = "reassigning partitions";
        let timeout_ms = millis(self.limit());
        let build = |_| {
            let topics = by_topic(reassignments.keys()).into_iter();
            let topics = topics.map(|(name, indexes)| {
                let topic: std::sync::Arc<str> = name.as_str().into();
                let partitions = indexes.into_iter().map(|partition_index| {
                    let at = TopicPartition::new(topic.clone(), partition_index);
                    ReassignablePartition {
                        partition_index,
                        replicas: reassignments.get(&at).cloned().flatten(),
                    }
                });
                ReassignableTopic {
                    partitions: partitions.collect(),
                    name,
                }
            });
            AlterPartitionReassignmentsRequest {
                timeout_ms,
                allow_replication_factor_change: true,
                topics: topics.collect(),
            }
        };
        let response = self
            .ask_controller(operation, build, |response| {
                (response.error_code, response.error_message.clone())
            })
            .await?;
        let mut results = Results::new();
        for topic in response.responses {
            let name: std::sync::Arc<str> = topic.name.into();
            for answer in topic.partitions {
                let at = TopicPartition::new(name.clone(), answer.partition_index);
                let reassigning = || format!("reassigning {at}");
                let begun = checked(answer.error_code, answer.error_message, reassigning);
                results.insert(at, begun);
            }
        }
        Ok(results)
    }

    /// Reassignments under way: of `partitions`, or all there are.
    ///
    /// # Errors
    /// The controller's, or a timeout.
    pub async fn list_partition_reassignments(
        &self,
        partitions: Option<&[TopicPartition]>,
    ) -> Result<BTreeMap<TopicPartition, PartitionReassignment>, ClientError> {
        let operation = "listing reassignments";
        let timeout_ms = millis(self.limit());
        let build = |_| ListPartitionReassignmentsRequest {
            timeout_ms,
            topics: partitions.map(|partitions| {
                let topics = by_topic(partitions).into_iter();
                let named =
                    topics.map(
                        |(name, partition_indexes)| ListPartitionReassignmentsTopics {
                            name,
                            partition_indexes,
                        },
                    );
                named.collect()
            }),
        };
        let response = self
            .ask_controller(operation, build, |response| {
                (response.error_code, response.error_message.clone())
            })
            .await?;
        let mut found = BTreeMap::new();
        for topic in response.topics {
            let name: std::sync::Arc<str> = topic.name.into();
            for partition in topic.partitions {
                let reassignment = PartitionReassignment {
                    replicas: partition.replicas,
                    adding_replicas: partition.adding_replicas,
                    removing_replicas: partition.removing_replicas,
                };
                let at = TopicPartition::new(name.clone(), partition.partition_index);
                found.insert(at, reassignment);
            }
        }
        Ok(found)
    }
}

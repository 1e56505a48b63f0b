//! Topics as the cluster knows them now, with everything it tells of their partitions.

use std::collections::HashMap;
use std::sync::Arc;

use headwater_wire::messages::describe_topic_partitions::{
    Cursor, DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponsePartition,
    DescribeTopicPartitionsResponseTopic, TopicRequest,
};
use headwater_wire::messages::metadata::{
    MetadataRequest, MetadataRequestTopic, MetadataResponsePartition, MetadataResponseTopic,
};
use uuid::Uuid;

use super::Admin;
use super::drive::{checked, unanswered};
use crate::error::ClientError;
use crate::retry::Retry;
use crate::transport::Target;

/// The most partitions asked for at once, as in Kafka's admin.
const PAGE_PARTITIONS: i32 = 2000;

/// A topic with its partitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicDescription {
    /// Its name.
    pub name: Arc<str>,
    /// Its id; nil if the broker has none.
    pub id: Uuid,
    /// Whether it is one of the log's own.
    pub is_internal: bool,
    /// Its partitions, by index.
    pub partitions: Vec<PartitionDescription>,
}

impl TopicDescription {
    /// Number of partitions.
    pub fn partition_count(&self) -> i32 {
        i32::try_from(self.partitions.len()).unwrap_or(i32::MAX)
    }
}

/// A partition and the nodes that have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionDescription {
    /// Its index.
    pub partition: i32,
    /// The node that leads it; `None` while there is none.
    pub leader: Option<i32>,
    /// The leader's epoch, -1 if not told.
    pub leader_epoch: i32,
    /// The nodes that are to have it, the preferred leader first.
    pub replicas: Vec<i32>,
    /// Those of them that are in sync.
    pub isr: Vec<i32>,
    /// Those that may lead without loss though they are out of sync (KIP-966); `None` if not told.
    pub eligible_leader_replicas: Option<Vec<i32>>,
    /// Those that could do so last (KIP-966); `None` if not told.
    pub last_known_elr: Option<Vec<i32>>,
    /// Those that are down.
    pub offline_replicas: Vec<i32>,
}

impl Admin {
    /// These topics, each as the cluster knows it now: page by page (KIP-966), or from metadata
    /// where the broker is older than that.
    ///
    /// # Errors
    /// If nothing could be asked; each topic has its own result.
    pub async fn describe_topics(
        &self,
        names: &[&str],
    ) -> Result<HashMap<String, Result<TopicDescription, ClientError>>, ClientError> {
        let mut retry = self.retry("describing topics");
        if names.is_empty() {
            return Ok(HashMap::new());
        }
        let mut described = match self.describe_in_pages(names, &mut retry).await {
            Err(ClientError::UnsupportedVersion { .. }) => {
                let named = names.iter().map(|name| MetadataRequestTopic {
                    name: Some((*name).to_owned()),
                    ..MetadataRequestTopic::default()
                });
                let found = self
                    .describe_by_metadata(named.collect(), &mut retry)
                    .await?;
                let named = |(name, _, topic): Described| Some((name?, topic));
                found.into_iter().filter_map(named).collect()
            }
            described => described?,
        };
        for name in names {
            described
                .entry((*name).to_owned())
                .or_insert_with(|| Err(unanswered(describing(name))));
        }
        Ok(described)
    }

    /// Topics by their ids (KIP-516).
    ///
    /// # Errors
    /// If nothing could be asked; each topic has its own result.
    pub async fn describe_topics_by_id(
        &self,
        ids: &[Uuid],
    ) -> Result<HashMap<Uuid, Result<TopicDescription, ClientError>>, ClientError> {
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        let mut retry = self.retry("describing topics");
        let asked = ids.iter().map(|id| MetadataRequestTopic {
            topic_id: *id,
            name: None,
        });
        let found = self
            .describe_by_metadata(asked.collect(), &mut retry)
            .await?;
        let mut described: HashMap<_, _> = found
            .into_iter()
            .map(|(_, id, topic)| (id, topic))
            .collect();
        for id in ids {
            described
                .entry(*id)
                .or_insert_with(|| Err(unanswered(describing(&id.to_string()))));
        }
        Ok(described)
    }

    async fn describe_in_pages(
        &self,
        names: &[&str],
        retry: &mut Retry,
    ) -> Result<HashMap<String, Result<TopicDescription, ClientError>>, ClientError> {
        // The broker answers in the order of names, and goes on behind its cursor.
        let mut names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        names.sort();
        names.dedup();
        let mut described: HashMap<String, Result<TopicDescription, ClientError>> = HashMap::new();
        let mut cursor: Option<Cursor> = None;
        loop {
            let build = |_| DescribeTopicPartitionsRequest {
                topics: names
                    .iter()
                    .filter(|name| cursor.as_ref().is_none_or(|at| **name >= at.topic_name))
                    .map(|name| TopicRequest { name: name.clone() })
                    .collect(),
                response_partition_limit: PAGE_PARTITIONS,
                cursor: cursor.clone(),
            };
            let response = self.ask(Target::Any, retry, i16::MAX, build).await?;
            for topic in response.topics {
                let Some(name) = topic.name.clone() else {
                    continue;
                };
                let page = of_page(topic);
                match (described.get_mut(&name), page) {
                    (Some(Ok(known)), Ok(page)) => known.partitions.extend(page.partitions),
                    (_, page) => drop(described.insert(name, page)),
                }
            }
            let Some(next) = response.next_cursor else {
                break;
            };
            let place = |cursor: &Cursor| (cursor.topic_name.clone(), cursor.partition_index);
            if cursor
                .as_ref()
                .is_some_and(|before| place(&next) <= place(before))
            {
                let reason = "the cursor of the response does not advance".to_owned();
                return Err(ClientError::Protocol {
                    operation: describing(&next.topic_name),
                    reason,
                });
            }
            cursor = Some(next);
        }
        for topic in described.values_mut().flatten() {
            topic
                .partitions
                .sort_by_key(|partition| partition.partition);
            topic
                .partitions
                .dedup_by_key(|partition| partition.partition);
        }
        Ok(described)
    }

    async fn describe_by_metadata(
        &self,
        topics: Vec<MetadataRequestTopic>,
        retry: &mut Retry,
    ) -> Result<Vec<Described>, ClientError> {
        let build = |_| MetadataRequest {
            topics: Some(topics.clone()),
            allow_auto_topic_creation: false,
            ..MetadataRequest::default()
        };
        let response = self.ask(Target::Any, retry, i16::MAX, build).await?;
        checked(response.error_code, None, || "describing topics".to_owned())?;
        let found = response.topics.into_iter().map(|topic| {
            let (name, id) = (topic.name.clone(), topic.topic_id);
            (name, id, of_metadata(topic))
        });
        Ok(found.collect())
    }
}

type Described = (Option<String>, Uuid, Result<TopicDescription, ClientError>);

fn describing(topic: &str) -> String {
    format!("describing topic {topic}")
}

fn of_page(topic: DescribeTopicPartitionsResponseTopic) -> Result<TopicDescription, ClientError> {
    let name = topic.name.unwrap_or_default();
    checked(topic.error_code, None, || describing(&name))?;
    let read = |partition: DescribeTopicPartitionsResponsePartition| PartitionDescription {
        partition: partition.partition_index,
        leader: Some(partition.leader_id).filter(|leader| *leader >= 0),
        leader_epoch: partition.leader_epoch,
        replicas: partition.replica_nodes,
        isr: partition.isr_nodes,
        eligible_leader_replicas: partition.eligible_leader_replicas,
        last_known_elr: partition.last_known_elr,
        offline_replicas: partition.offline_replicas,
    };
    Ok(TopicDescription {
        name: name.into(),
        id: topic.topic_id,
        is_internal: topic.is_internal,
        partitions: topic.partitions.into_iter().map(read).collect(),
    })
}

fn of_metadata(topic: MetadataResponseTopic) -> Result<TopicDescription, ClientError> {
    let id = topic.topic_id;
    let name = topic.name.unwrap_or_else(|| id.to_string());
    checked(topic.error_code, None, || describing(&name))?;
    let read = |partition: MetadataResponsePartition| PartitionDescription {
        partition: partition.partition_index,
        leader: Some(partition.leader_id).filter(|leader| *leader >= 0),
        leader_epoch: partition.leader_epoch,
        replicas: partition.replica_nodes,
        isr: partition.isr_nodes,
        eligible_leader_replicas: None,
        last_known_elr: None,
        offline_replicas: partition.offline_replicas,
    };
    let mut partitions: Vec<_> = topic.partitions.into_iter().map(read).collect();
    partitions.sort_by_key(|partition| partition.partition);
    Ok(TopicDescription {
        name: name.into(),
        id,
        is_internal: topic.is_internal,
        partitions,
    })
}

//! Topics: created, deleted, enlarged, listed.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use headwater_wire::ErrorCode;
use headwater_wire::messages::create_partitions::{
    CreatePartitionsAssignment, CreatePartitionsRequest, CreatePartitionsTopic,
};
use headwater_wire::messages::create_topics::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig, CreatableTopicResult,
    CreateTopicsRequest,
};
use headwater_wire::messages::delete_topics::{DeleteTopicState, DeleteTopicsRequest};
use uuid::Uuid;

use super::drive::{Results, checked, unanswered};
use super::{Admin, millis};
use crate::cluster::Topics;
use crate::error::ClientError;
use crate::metadata::TopicView;
use crate::transport::Target;

/// A topic to be created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTopic {
    /// Its name.
    pub name: String,
    /// Number of partitions; -1 leaves it to the broker (`num.partitions`), and is needed with
    /// `replicas_assignments`.
    pub partitions: i32,
    /// Number of replicas; -1 leaves it to the broker (`default.replication.factor`).
    pub replication_factor: i16,
    /// The nodes of each partition, the preferred leader first; empty leaves them to the broker.
    pub replicas_assignments: BTreeMap<i32, Vec<i32>>,
    /// Configurations, such as `cleanup.policy`.
    pub configs: Vec<(String, String)>,
}

impl NewTopic {
    /// A topic with the broker's replication factor.
    pub fn new(name: impl Into<String>, partitions: i32) -> Self {
        Self {
            name: name.into(),
            partitions,
            replication_factor: -1,
            replicas_assignments: BTreeMap::new(),
            configs: Vec::new(),
        }
    }

    /// A topic with one partition for each list of nodes.
    pub fn with_assignments(name: impl Into<String>, replicas: Vec<Vec<i32>>) -> Self {
        let mut topic = Self::new(name, -1);
        topic.replicas_assignments = (0..).zip(replicas).collect();
        topic
    }

    /// Sets a configuration.
    pub fn config(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.configs.push((name.into(), value.into()));
        self
    }
}

/// Partitions to be added to a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPartitions {
    /// How many the topic is to have then.
    pub total: i32,
    /// The nodes of each new partition; `None` leaves them to the broker.
    pub assignments: Option<Vec<Vec<i32>>>,
}

impl From<i32> for NewPartitions {
    fn from(total: i32) -> Self {
        Self {
            total,
            assignments: None,
        }
    }
}

impl Admin {
    /// Creates a topic and returns it as the cluster then knows it.
    ///
    /// # Errors
    /// The broker's, such as [`ErrorCode::TopicAlreadyExists`] in [`ClientError::code`].
    pub async fn create_topic(&self, topic: NewTopic) -> Result<Arc<TopicView>, ClientError> {
        let name = topic.name.clone();
        let created = self.create_topics(vec![topic]).await?;
        created
            .into_iter()
            .find(|(created, _)| *created == name)
            .map_or_else(|| Err(unanswered(creating(&name))), |(_, result)| result)
    }

    /// Creates topics, and waits until metadata has them, so that they can be used at once.
    ///
    /// # Errors
    /// If nothing could be asked; each topic has its own result.
    pub async fn create_topics(
        &self,
        topics: Vec<NewTopic>,
    ) -> Result<HashMap<String, Result<Arc<TopicView>, ClientError>>, ClientError> {
        let mut retry = self.retry("creating topics");
        let results = self.ask_to_create(topics, false, &mut retry).await?;
        let mut views = HashMap::with_capacity(results.len());
        for (name, result) in results {
            let result = match result {
                Err(failed) => Err(failed),
                Ok(_) => {
                    let topic: Arc<str> = name.as_str().into();
                    self.cluster
                        .topic(&self.channel, &topic, false, retry.remaining())
                        .await
                }
            };
            views.insert(name, result);
        }
        Ok(views)
    }

    /// Asks whether topics could be created, and creates none (KIP-4's validate-only).
    ///
    /// # Errors
    /// If nothing could be asked; each topic has its own result.
    pub async fn validate_topics(
        &self,
        topics: Vec<NewTopic>,
    ) -> Result<HashMap<String, Result<(), ClientError>>, ClientError> {
        let mut retry = self.retry("validating topics");
        let results = self.ask_to_create(topics, true, &mut retry).await?;
        let results = results.into_iter();
        Ok(results
            .map(|(name, result)| (name, result.map(|_| ())))
            .collect())
    }

    async fn ask_to_create(
        &self,
        mut open: Vec<NewTopic>,
        validate_only: bool,
        retry: &mut crate::retry::Retry,
    ) -> Result<Results<String, CreatableTopicResult>, ClientError> {
        let mut results = HashMap::new();
        while !open.is_empty() {
            let target = self.controller();
            let response = self.ask(target, retry, i16::MAX, |_| {
                create_request(&open, validate_only, self.limit())
            });
            let mut passing = None;
            for mut result in response.await?.topics {
                let name = result.name.clone();
                let message = result.error_message.take();
                match checked(result.error_code, message, || creating(&name)) {
                    // Not by this node: its leader is elsewhere or just being chosen.
                    Err(error) if error.is_retriable() => passing = Some(error),
                    checked => {
                        open.retain(|topic| topic.name != name);
                        results.insert(name, checked.map(|()| result));
                    }
                }
            }
            match passing {
                Some(error) => retry.pause(error).await?,
                None => results.extend(open.drain(..).map(|topic| {
                    let error = unanswered(creating(&topic.name));
                    (topic.name, Err(error))
                })),
            }
        }
        Ok(results)
    }

    /// Deletes topics with all their records.
    ///
    /// # Errors
    /// If nothing could be asked; each topic has its own result.
    pub async fn delete_topics(
        &self,
        names: &[&str],
    ) -> Result<HashMap<String, Result<(), ClientError>>, ClientError> {
        let state = |name: &String| DeleteTopicState {
            name: Some(name.clone()),
            ..DeleteTopicState::default()
        };
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        self.ask_to_delete(names, state, |name, _| name.clone())
            .await
    }

    /// Deletes topics with all their records, by their ids, so that one made anew under the same
    /// name is not meant (KIP-516).
    ///
    /// # Errors
    /// If nothing could be asked, also of a broker older than topic ids; each topic has its own
    /// result.
    pub async fn delete_topics_by_id(
        &self,
        ids: &[Uuid],
    ) -> Result<HashMap<Uuid, Result<(), ClientError>>, ClientError> {
        let state = |id: &Uuid| DeleteTopicState {
            name: None,
            topic_id: *id,
        };
        self.ask_to_delete(ids.to_vec(), state, |_, id| Some(id))
            .await
    }

    async fn ask_to_delete<K>(
        &self,
        mut open: Vec<K>,
        state: impl Fn(&K) -> DeleteTopicState,
        key: impl Fn(&Option<String>, Uuid) -> Option<K>,
    ) -> Result<Results<K, ()>, ClientError>
    where
        K: Clone + Eq + std::hash::Hash + std::fmt::Display,
    {
        let mut retry = self.retry("deleting topics");
        let timeout_ms = millis(self.limit());
        let mut results = HashMap::new();
        while !open.is_empty() {
            let build = |version: i16| {
                let states = open.iter().map(&state);
                let (topics, topic_names) = match version >= 6 {
                    true => (states.collect(), Vec::new()),
                    false => (Vec::new(), states.filter_map(|state| state.name).collect()),
                };
                DeleteTopicsRequest {
                    topics,
                    topic_names,
                    timeout_ms,
                }
            };
            let response = self.ask(self.controller(), &mut retry, i16::MAX, build);
            let mut passing = None;
            for result in response.await?.responses {
                let Some(key) = key(&result.name, result.topic_id) else {
                    continue;
                };
                let operation = || format!("deleting topic {key}");
                match checked(result.error_code, result.error_message, operation) {
                    Err(error) if error.code() == Some(ErrorCode::NotController) => {
                        passing = Some(error);
                    }
                    deleted => {
                        if let (Ok(()), Some(name)) = (&deleted, &result.name) {
                            self.cluster.metadata.forget_topic(name);
                        }
                        open.retain(|open| *open != key);
                        results.insert(key, deleted);
                    }
                }
            }
            match passing {
                Some(error) => retry.pause(error).await?,
                None => results.extend(open.drain(..).map(|key| {
                    let error = unanswered(format!("deleting topic {key}"));
                    (key, Err(error))
                })),
            }
        }
        Ok(results)
    }

    /// Raises the number of partitions of a topic, and waits until metadata has them.
    ///
    /// # Errors
    /// The broker's, such as [`ErrorCode::InvalidPartitions`] if it has as many already.
    pub async fn create_partitions(
        &self,
        topic: &str,
        partitions: impl Into<NewPartitions>,
    ) -> Result<(), ClientError> {
        let NewPartitions { total, assignments } = partitions.into();
        let operation = format!("creating partitions of {topic}");
        let mut retry = self.retry(operation.clone());
        let timeout_ms = millis(self.limit());
        let build = |_| CreatePartitionsRequest {
            topics: vec![CreatePartitionsTopic {
                name: topic.to_owned(),
                count: total,
                assignments: assignments.as_ref().map(|assignments| {
                    let assignments = assignments.iter().cloned();
                    assignments
                        .map(|broker_ids| CreatePartitionsAssignment { broker_ids })
                        .collect()
                }),
            }],
            timeout_ms,
            validate_only: false,
        };
        loop {
            let response = self
                .ask(self.controller(), &mut retry, i16::MAX, build)
                .await?;
            let Some(result) = response.results.into_iter().next() else {
                return Err(unanswered(operation));
            };
            match checked(result.error_code, result.error_message, || {
                operation.clone()
            }) {
                Ok(()) => break,
                Err(error) if error.code() == Some(ErrorCode::NotController) => {
                    retry.pause(error).await?;
                }
                Err(error) => return Err(error),
            }
        }
        let name: Arc<str> = topic.into();
        loop {
            let named = [name.clone()];
            self.cluster
                .refresh(
                    &self.channel,
                    Topics::Named(&named),
                    false,
                    retry.remaining(),
                )
                .await?;
            let view = self.cluster.view();
            if view
                .topics
                .get(&name)
                .is_some_and(|topic| topic.partition_count() >= total)
            {
                return Ok(());
            }
            retry
                .pause_anyway(ClientError::broker(
                    &operation,
                    ErrorCode::LeaderNotAvailable,
                ))
                .await?;
        }
    }

    /// Every topic of the cluster, by name.
    ///
    /// # Errors
    /// A timeout, or what the transport fails with.
    pub async fn list_topics(&self) -> Result<Vec<Arc<TopicView>>, ClientError> {
        let mut retry = self.retry("listing topics");
        let listed = loop {
            let remaining = retry.remaining();
            match self.cluster.list_topics(&self.channel, remaining).await {
                Ok(listed) => break listed,
                Err(error) => retry.pause(error).await?,
            }
        };
        Ok(listed)
    }

    /// The node to ask for changes; any, if metadata names none: nodes pass such requests on.
    pub(super) fn controller(&self) -> Target {
        let view = self.cluster.view();
        let controller = view.controller.filter(|id| view.nodes.contains_key(id));
        controller.map_or(Target::Any, Target::Node)
    }
}

fn creating(topic: &str) -> String {
    format!("creating topic {topic}")
}

fn create_request(
    topics: &[NewTopic],
    validate_only: bool,
    limit: std::time::Duration,
) -> CreateTopicsRequest {
    let topics = topics.iter().map(|topic| CreatableTopic {
        name: topic.name.clone(),
        num_partitions: match topic.replicas_assignments.is_empty() {
            true => topic.partitions,
            false => -1,
        },
        replication_factor: topic.replication_factor,
        assignments: topic
            .replicas_assignments
            .iter()
            .map(|(partition, nodes)| CreatableReplicaAssignment {
                partition_index: *partition,
                broker_ids: nodes.clone(),
            })
            .collect(),
        configs: topic
            .configs
            .iter()
            .map(|(name, value)| CreatableTopicConfig {
                name: name.clone(),
                value: Some(value.clone()),
            })
            .collect(),
    });
    CreateTopicsRequest {
        topics: topics.collect(),
        timeout_ms: millis(limit),
        validate_only,
    }
}

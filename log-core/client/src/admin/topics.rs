//! Topics: created, deleted, enlarged, looked at.

use std::collections::HashMap;
use std::sync::Arc;

use headwater_wire::ErrorCode;
use headwater_wire::messages::create_partitions::{CreatePartitionsRequest, CreatePartitionsTopic};
use headwater_wire::messages::create_topics::{
    CreatableTopic, CreatableTopicConfig, CreateTopicsRequest,
};
use headwater_wire::messages::delete_topics::{DeleteTopicState, DeleteTopicsRequest};

use super::{Admin, millis};
use crate::cluster::{Topics, topic_error};
use crate::error::ClientError;
use crate::metadata::TopicView;
use crate::transport::Target;

/// A topic to be created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTopic {
    /// Its name.
    pub name: String,
    /// Number of partitions; -1 leaves it to the broker (`num.partitions`).
    pub partitions: i32,
    /// Number of replicas; -1 leaves it to the broker (`default.replication.factor`).
    pub replication_factor: i16,
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
            configs: Vec::new(),
        }
    }

    /// Sets a configuration.
    pub fn config(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.configs.push((name.into(), value.into()));
        self
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
            .map_or_else(
                || {
                    Err(ClientError::broker(
                        creating(&name),
                        ErrorCode::UnknownServerError,
                    ))
                },
                |(_, result)| result,
            )
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
        let mut open = topics;
        let mut results = HashMap::new();
        while !open.is_empty() {
            let target = self.controller();
            let response = self.ask(target, &mut retry, i16::MAX, |_| {
                create_request(&open, self.limit())
            });
            let mut passing = None;
            for result in response.await?.topics {
                let code = ErrorCode::from_code(result.error_code);
                let error =
                    ClientError::broker_says(creating(&result.name), code, result.error_message);
                // Not by this node: its leader is elsewhere or just being chosen.
                if code == ErrorCode::NotController
                    || (code.is_retriable() && code != ErrorCode::None)
                {
                    passing = Some(error);
                    continue;
                }
                open.retain(|topic| topic.name != result.name);
                let result_of = if code == ErrorCode::None {
                    None
                } else {
                    Some(Err(error))
                };
                results.insert(result.name, result_of);
            }
            match passing {
                Some(error) => retry.pause(error).await?,
                None => {
                    for topic in open.drain(..) {
                        let error = ClientError::broker(
                            creating(&topic.name),
                            ErrorCode::UnknownServerError,
                        );
                        results.insert(topic.name, Some(Err(error)));
                    }
                }
            }
        }
        let mut views = HashMap::with_capacity(results.len());
        for (name, result) in results {
            let result = match result {
                Some(failed) => failed,
                None => {
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

    /// Deletes topics with all their records.
    ///
    /// # Errors
    /// If nothing could be asked; each topic has its own result.
    pub async fn delete_topics(
        &self,
        names: &[&str],
    ) -> Result<HashMap<String, Result<(), ClientError>>, ClientError> {
        let mut retry = self.retry("deleting topics");
        let timeout_ms = millis(self.limit());
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let build = |version: i16| {
            let mut request = DeleteTopicsRequest {
                timeout_ms,
                ..Default::default()
            };
            if version >= 6 {
                let states = names.iter().map(|name| DeleteTopicState {
                    name: Some(name.clone()),
                    ..DeleteTopicState::default()
                });
                request.topics = states.collect();
            } else {
                request.topic_names.clone_from(&names);
            }
            request
        };
        let response = self
            .ask(self.controller(), &mut retry, i16::MAX, build)
            .await?;
        let results = response.responses.into_iter().filter_map(|result| {
            let name = result.name?;
            let code = ErrorCode::from_code(result.error_code);
            let done = if code == ErrorCode::None {
                self.cluster.metadata.forget_topic(&name);
                Ok(())
            } else {
                let operation = format!("deleting topic {name}");
                Err(ClientError::broker_says(
                    operation,
                    code,
                    result.error_message,
                ))
            };
            Some((name, done))
        });
        Ok(results.collect())
    }

    /// Raises the number of partitions of a topic to `total`.
    ///
    /// # Errors
    /// The broker's, such as [`ErrorCode::InvalidPartitions`] if it has as many already.
    pub async fn create_partitions(&self, topic: &str, total: i32) -> Result<(), ClientError> {
        let operation = format!("creating partitions of {topic}");
        let mut retry = self.retry(operation.clone());
        let timeout_ms = millis(self.limit());
        let build = |_| CreatePartitionsRequest {
            topics: vec![CreatePartitionsTopic {
                name: topic.to_owned(),
                count: total,
                assignments: None,
            }],
            timeout_ms,
            validate_only: false,
        };
        let response = self
            .ask(self.controller(), &mut retry, i16::MAX, build)
            .await?;
        for result in response.results {
            let code = ErrorCode::from_code(result.error_code);
            if code != ErrorCode::None {
                return Err(ClientError::broker_says(
                    operation,
                    code,
                    result.error_message,
                ));
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

    /// These topics, each as the cluster knows it now.
    ///
    /// # Errors
    /// If nothing could be asked; each topic has its own result.
    pub async fn describe_topics(
        &self,
        names: &[&str],
    ) -> Result<HashMap<String, Result<Arc<TopicView>, ClientError>>, ClientError> {
        let mut retry = self.retry("describing topics");
        let topics: Vec<Arc<str>> = names.iter().map(|name| (*name).into()).collect();
        if topics.is_empty() {
            return Ok(HashMap::new());
        }
        let errors = loop {
            let named = Topics::Named(&topics);
            let remaining = retry.remaining();
            match self
                .cluster
                .refresh(&self.channel, named, false, remaining)
                .await
            {
                Ok(errors) => break errors,
                Err(error) => retry.pause(error).await?,
            }
        };
        let view = self.cluster.view();
        let results = topics.iter().map(|name| {
            let error = errors.iter().find(|error| error.topic == *name);
            let result = match (error, view.topics.get(name)) {
                (None, Some(topic)) => Ok(topic.clone()),
                (Some(error), _) => Err(topic_error(error)),
                (None, None) => Err(ClientError::broker(
                    format!("describing topic {name}"),
                    ErrorCode::UnknownTopicOrPartition,
                )),
            };
            (name.to_string(), result)
        });
        Ok(results.collect())
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

fn create_request(topics: &[NewTopic], limit: std::time::Duration) -> CreateTopicsRequest {
    let topics = topics.iter().map(|topic| CreatableTopic {
        name: topic.name.clone(),
        num_partitions: topic.partitions,
        replication_factor: topic.replication_factor,
        assignments: Vec::new(),
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
        validate_only: false,
    }
}

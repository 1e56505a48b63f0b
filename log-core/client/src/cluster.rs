//! A cluster as everything in this crate shares it: how to reach it, and what is known of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use headwater_wire::ErrorCode;
use headwater_wire::messages::metadata::{MetadataRequest, MetadataRequestTopic};
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::OnceCell;
use tokio::time::Instant;
use uuid::Uuid;

use crate::config::{ClientConfig, MetadataRecoveryStrategy};
use crate::error::ClientError;
use crate::metadata::{ClusterView, Metadata, TopicError, TopicView};
use crate::retry::Retry;
use crate::transport::{Channel, Features, LocalNode, ServedVersions, Target};

/// How nodes are reached.
pub(crate) enum Transport {
    Tcp,
    Local(Arc<dyn LocalNode>),
}

/// Configuration, transport and metadata of one cluster.
pub(crate) struct Cluster {
    pub(crate) config: ClientConfig,
    pub(crate) transport: Transport,
    pub(crate) metadata: Metadata,
    pub(crate) runtime: Handle,
    pub(crate) reach: Reach,
    /// The latest word of any node.
    pub(crate) features: Mutex<Features>,
    /// What the node of this process serves, once it has been asked.
    pub(crate) local_versions: OnceCell<ServedVersions>,
}

/// Whether the cluster has been reached, and since when it has not.
#[derive(Default)]
pub(crate) struct Reach {
    /// Whether any connection was ever made.
    was_reached: AtomicBool,
    /// When the first try to reach any node failed.
    first_failure: Mutex<Option<Instant>>,
    /// Since when metadata could not be had.
    without_metadata: Mutex<Option<Instant>>,
}

impl Reach {
    /// A connection was made.
    pub(crate) fn reached(&self) {
        self.was_reached.store(true, Ordering::Release);
    }

    /// No node could be reached. Returns how long that has been so, if none ever was.
    pub(crate) fn failed(&self) -> Option<Duration> {
        if self.was_reached.load(Ordering::Acquire) {
            return None;
        }
        let first = *self.first_failure.lock().get_or_insert_with(Instant::now);
        Some(first.elapsed())
    }
}

/// The topics of a metadata request.
pub(crate) enum Topics<'a> {
    All,
    Named(&'a [Arc<str>]),
    /// Those with these ids, whose names are not known.
    Ids(&'a [Uuid]),
}

impl Cluster {
    /// What is known now.
    pub(crate) fn view(&self) -> Arc<ClusterView> {
        self.metadata.view()
    }

    /// Asks for metadata once, and returns the topics in error.
    pub(crate) async fn refresh(
        &self,
        channel: &Channel,
        topics: Topics<'_>,
        allow_auto_topic_creation: bool,
        limit: Duration,
    ) -> Result<Vec<TopicError>, ClientError> {
        let is_complete = matches!(topics, Topics::All);
        let names = match topics {
            Topics::All => None,
            Topics::Named(names) => Some(
                names
                    .iter()
                    .map(|name| MetadataRequestTopic {
                        name: Some(name.to_string()),
                        ..MetadataRequestTopic::default()
                    })
                    .collect(),
            ),
            Topics::Ids(ids) => Some(
                ids.iter()
                    .map(|id| MetadataRequestTopic {
                        topic_id: *id,
                        name: None,
                    })
                    .collect(),
            ),
        };
        let request = MetadataRequest {
            topics: names,
            allow_auto_topic_creation,
            ..MetadataRequest::default()
        };
        let limit = limit.min(self.config.request_timeout);
        let mut is_again = false;
        loop {
            let request = request.clone();
            let response = channel.call(Target::Any, limit, i16::MAX, |_| request);
            let response = response.await.inspect_err(|_| self.without_metadata())?;
            let code = ErrorCode::from_code(response.error_code);
            if code == ErrorCode::RebootstrapRequired && self.rebootstraps() && !is_again {
                // What is known belongs to another cluster, or to one that is no more (KIP-1102).
                self.metadata.forget_nodes();
                is_again = true;
                continue;
            }
            if code != ErrorCode::None {
                return Err(ClientError::broker("asking for metadata", code));
            }
            *self.reach.without_metadata.lock() = None;
            return Ok(self.metadata.apply(response, is_complete));
        }
    }

    /// A node told of the cluster's features. Nodes that are behind tell what was.
    pub(crate) fn heard_of_features(&self, features: Features) {
        let mut known = self.features.lock();
        if features.epoch >= known.epoch {
            *known = features;
        }
    }

    /// Whether transactions are of version 2 (KIP-890).
    pub(crate) fn has_transactions_v2(&self) -> bool {
        self.features.lock().transaction_version >= 2
    }

    /// Whether the bootstrap servers are asked again when no known node answers.
    pub(crate) fn rebootstraps(&self) -> bool {
        self.config.metadata_recovery_strategy == MetadataRecoveryStrategy::Rebootstrap
    }

    /// Metadata could not be had: after long enough, not from the nodes known so far any more.
    fn without_metadata(&self) {
        let mut since = self.reach.without_metadata.lock();
        let began = *since.get_or_insert_with(Instant::now);
        let trigger = self.config.metadata_recovery_rebootstrap_trigger;
        if self.rebootstraps() && began.elapsed() >= trigger {
            *since = None;
            self.metadata.forget_nodes();
        }
    }

    /// Every topic of the cluster, by name. The cache then has these and no others.
    pub(crate) async fn list_topics(
        &self,
        channel: &Channel,
        limit: Duration,
    ) -> Result<Vec<Arc<TopicView>>, ClientError> {
        self.refresh(channel, Topics::All, false, limit).await?;
        let view = self.view();
        let mut topics: Vec<Arc<TopicView>> = view.topics.values().cloned().collect();
        topics.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(topics)
    }

    /// The topic, asked for until it is there or `limit` has passed.
    ///
    /// # Errors
    /// What metadata says of the topic, or a timeout naming it.
    pub(crate) async fn topic(
        &self,
        channel: &Channel,
        name: &Arc<str>,
        allow_auto_topic_creation: bool,
        limit: Duration,
    ) -> Result<Arc<TopicView>, ClientError> {
        let mut retry = Retry::new(format!("finding topic {name}"), limit, &self.config);
        loop {
            if let Some(topic) = self.view().topics.get(name) {
                return Ok(topic.clone());
            }
            let named = [name.clone()];
            let refreshed = self.refresh(
                channel,
                Topics::Named(&named),
                allow_auto_topic_creation,
                retry.remaining(),
            );
            let failure = match refreshed.await {
                Ok(errors) => match errors.into_iter().find(|error| error.topic == *name) {
                    Some(error) => topic_error(&error),
                    None => missing(name),
                },
                Err(error) => error,
            };
            if let Some(topic) = self.view().topics.get(name) {
                return Ok(topic.clone());
            }
            retry.pause(failure).await?;
        }
    }
}

/// The error of a topic that metadata could not tell of.
pub(crate) fn topic_error(error: &TopicError) -> ClientError {
    ClientError::broker(format!("finding topic {}", error.topic), error.error)
}

fn missing(name: &str) -> ClientError {
    ClientError::broker(
        format!("finding topic {name}"),
        ErrorCode::UnknownTopicOrPartition,
    )
}

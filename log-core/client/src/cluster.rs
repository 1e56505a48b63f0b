//! A cluster as everything in this crate shares it: how to reach it, and what is known of it.

use std::sync::Arc;
use std::time::Duration;

use headwater_wire::ErrorCode;
use headwater_wire::messages::metadata::{MetadataRequest, MetadataRequestTopic};
use tokio::runtime::Handle;

use crate::config::ClientConfig;
use crate::error::ClientError;
use crate::metadata::{ClusterView, Metadata, TopicError, TopicView};
use crate::retry::Retry;
use crate::transport::{Channel, LocalNode, Target};

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
}

/// The topics of a metadata request.
pub(crate) enum Topics<'a> {
    All,
    Named(&'a [Arc<str>]),
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
        };
        let limit = limit.min(self.config.request_timeout);
        let response = channel.call(Target::Any, limit, i16::MAX, |_| MetadataRequest {
            topics: names,
            allow_auto_topic_creation,
            ..MetadataRequest::default()
        });
        let response = response.await?;
        let code = ErrorCode::from_code(response.error_code);
        if code != ErrorCode::None {
            return Err(ClientError::broker("asking for metadata", code));
        }
        Ok(self.metadata.apply(response, is_complete))
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

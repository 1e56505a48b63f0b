//! Making sure that a topic is there.

use headwater_client::admin::NewTopic;
use headwater_client::{Client, ClientError};
use headwater_wire::ErrorCode;

use crate::config::Properties;

/// A topic as it is to be created if it is not there.
#[derive(Clone, Debug)]
pub(crate) struct TopicRequest {
    pub(crate) name: String,
    /// -1 is the broker's default.
    pub(crate) partitions: i32,
    /// -1 is the broker's default.
    pub(crate) replication_factor: i16,
    pub(crate) configs: Properties,
}

/// Creates the topic unless it is there; then it is taken as it is.
pub(crate) async fn ensure_topic(client: &Client, topic: &TopicRequest) -> Result<(), ClientError> {
    let mut new = NewTopic::new(&topic.name, topic.partitions);
    new.replication_factor = topic.replication_factor;
    new.configs = topic.configs.clone().into_iter().collect();
    match client.admin().create_topic(new).await {
        Err(error) if error.code() != Some(ErrorCode::TopicAlreadyExists) => Err(error),
        _ => Ok(()),
    }
}

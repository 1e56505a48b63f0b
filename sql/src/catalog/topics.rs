//! Topics that relations need.

use headwater_client::admin::NewTopic;
use headwater_client::{Client, TopicPartition};

use crate::SqlError;

/// Kafka's error codes for a topic that exists, and for one that does not.
const TOPIC_ALREADY_EXISTS: i16 = 36;
const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;

/// Creates `topic` unless there is one of its name.
///
/// # Errors
/// [`SqlError::Log`].
pub(crate) async fn ensure_topic(client: &Client, topic: NewTopic) -> Result<(), SqlError> {
    match client.admin().create_topic(topic).await {
        Ok(_) => Ok(()),
        Err(error)
            if error
                .code()
                .is_some_and(|c| c.code() == TOPIC_ALREADY_EXISTS) =>
        {
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

/// Number of partitions of `topic`.
///
/// # Errors
/// [`SqlError::InvalidDefinition`] if there is no such topic, else [`SqlError::Log`].
pub(crate) async fn partition_count(client: &Client, topic: &str) -> Result<i32, SqlError> {
    let found = client
        .admin()
        .describe_topics(&[topic])
        .await?
        .remove(topic);
    match found {
        Some(Ok(view)) => Ok(i32::try_from(view.partitions.len()).unwrap_or(i32::MAX)),
        Some(Err(error))
            if error
                .code()
                .is_none_or(|c| c.code() != UNKNOWN_TOPIC_OR_PARTITION) =>
        {
            Err(error.into())
        }
        _ => Err(SqlError::InvalidDefinition(format!(
            "topic {topic} does not exist; create it first"
        ))),
    }
}

/// All partitions of a topic of `count` partitions.
pub(crate) fn all_partitions(topic: &str, count: i32) -> Vec<TopicPartition> {
    let topic: std::sync::Arc<str> = topic.into();
    (0..count)
        .map(|p| TopicPartition::new(std::sync::Arc::clone(&topic), p))
        .collect()
}

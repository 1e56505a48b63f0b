//! Deleting topics.

use uuid::Uuid;

use crate::Message;

/// Deletes topics.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(key = DeleteTopics, response = DeleteTopicsResponse, versions = "1-6", flexible = "4+")]
pub struct DeleteTopicsRequest {
    /// Topics, one by one.
    #[kafka(versions = "6+")]
    pub topics: Vec<DeleteTopicState>,
    /// Names of the topics.
    #[kafka(versions = "0-5", ignorable)]
    pub topic_names: Vec<String>,
    /// Milliseconds that the broker has for it.
    #[kafka(versions = "0+")]
    pub timeout_ms: i32,
}

/// A topic to delete, by name or by id.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct DeleteTopicState {
    /// Name of the topic.
    #[kafka(versions = "6+", nullable = "6+", default = null)]
    pub name: Option<String>,
    /// Id of the topic, all zeros if unknown.
    #[kafka(versions = "6+")]
    pub topic_id: Uuid,
}

/// What became of each topic.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(versions = "1-6", flexible = "4+")]
pub struct DeleteTopicsResponse {
    /// Milliseconds that the broker held the answer back because of a quota.
    #[kafka(versions = "1+", ignorable)]
    pub throttle_time_ms: i32,
    /// Results, one by one.
    #[kafka(versions = "0+")]
    pub responses: Vec<DeletableTopicResult>,
}

/// What became of a topic.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct DeletableTopicResult {
    /// Name of the topic.
    #[kafka(versions = "0+", nullable = "6+")]
    pub name: Option<String>,
    /// Id of the topic, all zeros if unknown.
    #[kafka(versions = "6+", ignorable)]
    pub topic_id: Uuid,
    /// Error, 0 for none.
    #[kafka(versions = "0+")]
    pub error_code: i16,
    /// What went wrong, in words.
    #[kafka(versions = "5+", nullable = "5+", default = null, ignorable)]
    pub error_message: Option<String>,
}

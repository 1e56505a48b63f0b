//! Describing the new consumer groups (KIP-848).

use uuid::Uuid;

use crate::Message;

/// Asks for the state of groups.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(
    key = ConsumerGroupDescribe,
    response = ConsumerGroupDescribeResponse,
    versions = "0-1",
    flexible = "0+"
)]
pub struct ConsumerGroupDescribeRequest {
    /// Ids of the groups.
    #[kafka(versions = "0+")]
    pub group_ids: Vec<String>,
    /// Whether to answer what the client may do with the groups.
    #[kafka(versions = "0+")]
    pub include_authorized_operations: bool,
}

/// The state of the groups.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(versions = "0-1", flexible = "0+")]
pub struct ConsumerGroupDescribeResponse {
    /// Milliseconds that the broker held the answer back because of a quota.
    #[kafka(versions = "0+")]
    pub throttle_time_ms: i32,
    /// Groups, one by one.
    #[kafka(versions = "0+")]
    pub groups: Vec<DescribedGroup>,
}

/// A group.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct DescribedGroup {
    /// Error, 0 for none.
    #[kafka(versions = "0+")]
    pub error_code: i16,
    /// What went wrong, in words.
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub error_message: Option<String>,
    /// Id of the group.
    #[kafka(versions = "0+")]
    pub group_id: String,
    /// Name of the state, empty on failure.
    #[kafka(versions = "0+")]
    pub group_state: String,
    /// Epoch of the group.
    #[kafka(versions = "0+")]
    pub group_epoch: i32,
    /// Epoch of the target assignment.
    #[kafka(versions = "0+")]
    pub assignment_epoch: i32,
    /// Assignor in use.
    #[kafka(versions = "0+")]
    pub assignor_name: String,
    /// Members, one by one.
    #[kafka(versions = "0+")]
    pub members: Vec<Member>,
    /// Operations that the client may do with the group, as a bit field; `i32::MIN` if not asked
    /// for.
    #[kafka(versions = "0+", default = i32::MIN)]
    pub authorized_operations: i32,
}

/// A member of a group.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct Member {
    /// Id of the member.
    #[kafka(versions = "0+")]
    pub member_id: String,
    /// Id of a static member; null if dynamic.
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub instance_id: Option<String>,
    /// Rack of the member.
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub rack_id: Option<String>,
    /// Epoch of the member.
    #[kafka(versions = "0+")]
    pub member_epoch: i32,
    /// Client id of the member.
    #[kafka(versions = "0+")]
    pub client_id: String,
    /// Host of the member.
    #[kafka(versions = "0+")]
    pub client_host: String,
    /// Topics that the member wants.
    #[kafka(versions = "0+")]
    pub subscribed_topic_names: Vec<String>,
    /// Pattern of the topics that the member wants; null if there is none.
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub subscribed_topic_regex: Option<String>,
    /// Partitions that the member works on.
    #[kafka(versions = "0+")]
    pub assignment: Assignment,
    /// Partitions that the member shall work on.
    #[kafka(versions = "0+")]
    pub target_assignment: Assignment,
    /// Protocol of the member: 0 classic, 1 consumer, -1 unknown (KIP-1099).
    #[kafka(versions = "1+", default = -1, ignorable)]
    pub member_type: i8,
}

/// Partitions of a topic.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct TopicPartitions {
    /// Id of the topic.
    #[kafka(versions = "0+")]
    pub topic_id: Uuid,
    /// Name of the topic.
    #[kafka(versions = "0+")]
    pub topic_name: String,
    /// Indexes of the partitions.
    #[kafka(versions = "0+")]
    pub partitions: Vec<i32>,
}

/// Partitions of a member.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct Assignment {
    /// Partitions by topic.
    #[kafka(versions = "0+")]
    pub topic_partitions: Vec<TopicPartitions>,
}

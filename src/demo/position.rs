//! The ends of what is read.

use std::collections::HashMap;

use headwater_client::{Admin, ClientError, IsolationLevel, TopicPartition};

/// Ends of partitions, by partition.
pub(super) type Ends = HashMap<TopicPartition, i64>;

/// The ends of all partitions of `topics`: of what is committed, or with transactions that are
/// still open.
pub(super) async fn ends(
    admin: &Admin,
    topics: &[&str],
    isolation: IsolationLevel,
) -> Result<Ends, ClientError> {
    let mut partitions = Vec::new();
    for (name, topic) in admin.describe_topics(topics).await? {
        let of_topic = topic?.partitions.into_iter();
        partitions.extend(of_topic.map(|at| TopicPartition::new(name.as_str(), at.partition)));
    }
    admin.end_offsets(&partitions, isolation).await
}

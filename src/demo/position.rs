//! The ends of what is read.

use std::collections::HashMap;

use headwater_client::admin::OffsetSpec;
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
    let mut wanted = HashMap::new();
    for (name, topic) in admin.describe_topics(topics).await? {
        for partition in &topic?.partitions {
            let partition = TopicPartition::new(name.as_str(), partition.partition);
            wanted.insert(partition, OffsetSpec::Latest);
        }
    }
    let mut ends = HashMap::new();
    for (partition, end) in admin.list_offsets(&wanted, isolation).await {
        ends.insert(partition, end?.map_or(0, |end| end.offset));
    }
    Ok(ends)
}

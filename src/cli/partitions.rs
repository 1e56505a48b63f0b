//! Partitions as the metadata know them, which answer at once: what is asked of partitions that are
//! not there is asked again until the time is up.

use std::collections::BTreeSet;

use anyhow::{Context, bail, ensure};

use headwater_client::{Admin, ClientError, TopicPartition};
use headwater_wire::ErrorCode;

/// The partitions of a topic with these indexes, or all of them without any.
///
/// # Errors
/// If there is no such topic, or no such partition of it.
pub(super) async fn of_topic(
    admin: &Admin,
    topic: &str,
    indexes: &[i32],
) -> anyhow::Result<Vec<TopicPartition>> {
    let described = admin.describe_topics(&[topic]).await?.remove(topic);
    let described = described.with_context(|| format!("the broker did not describe {topic}"))?;
    let count = match described {
        Err(error) if is_absent(&error) => bail!("there is no topic {topic}"),
        described => described?.partition_count(),
    };
    let every: Vec<i32> = (0..count).collect();
    let named = if indexes.is_empty() { &every } else { indexes };
    for index in named {
        ensure!(
            (0..count).contains(index),
            "{topic} has partitions 0 to {}, not {index}",
            count - 1
        );
    }
    let partitions = named.iter().map(|index| TopicPartition::new(topic, *index));
    Ok(partitions.collect())
}

/// Those of `partitions` that do not exist, in their order.
///
/// # Errors
/// If the metadata could not be had.
pub(super) async fn absent(
    admin: &Admin,
    partitions: impl IntoIterator<Item = &TopicPartition>,
) -> anyhow::Result<Vec<TopicPartition>> {
    let partitions: BTreeSet<&TopicPartition> = partitions.into_iter().collect();
    let names: BTreeSet<&str> = partitions.iter().map(|at| &*at.topic).collect();
    let names: Vec<&str> = names.into_iter().collect();
    let described = admin.describe_topics(&names).await?;
    let is_gone = |at: &&TopicPartition| match described.get(&*at.topic) {
        Some(Ok(topic)) => !(0..topic.partition_count()).contains(&at.partition),
        Some(Err(error)) => is_absent(error),
        None => false,
    };
    Ok(partitions.into_iter().filter(is_gone).cloned().collect())
}

/// Whether the broker says that there is no such topic.
pub(super) fn is_absent(error: &ClientError) -> bool {
    error.code() == Some(ErrorCode::UnknownTopicOrPartition)
}

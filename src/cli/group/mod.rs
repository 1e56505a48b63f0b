//! `headwater group`: groups listed and described, their offsets set, members and groups removed.

mod delete;
mod describe;
mod reset;
mod reset_file;

use std::collections::BTreeSet;

use anyhow::bail;
use clap::Subcommand;

use headwater_client::{Admin, TopicPartition};
use headwater_wire::ErrorCode;

#[derive(Debug, Subcommand)]
pub(super) enum Group {
    /// Groups with their state and protocol
    List(describe::List),
    /// Committed offsets, lag and members of groups
    Describe(describe::Describe),
    /// Set the committed offsets of a group without members; tells what it would do without
    /// --execute
    ResetOffsets(reset::ResetOffsets),
    /// Delete groups without members, and their offsets
    Delete(delete::Delete),
    /// Delete committed offsets of a group
    DeleteOffsets(delete::DeleteOffsets),
    /// Put members out of a group
    RemoveMembers(delete::RemoveMembers),
}

impl Group {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::List(list) => list.run().await,
            Self::Describe(describe) => describe.run().await,
            Self::ResetOffsets(reset) => reset.run().await,
            Self::Delete(delete) => delete.run().await,
            Self::DeleteOffsets(delete) => delete.run().await,
            Self::RemoveMembers(remove) => remove.run().await,
        }
    }
}

/// A topic, or some partitions of it: `TOPIC` or `TOPIC:0,1`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct TopicScope {
    topic: String,
    partitions: Option<Vec<i32>>,
}

fn topic_scope(text: &str) -> Result<TopicScope, String> {
    let Some((topic, partitions)) = text.split_once(':') else {
        return Ok(TopicScope {
            topic: text.to_owned(),
            partitions: None,
        });
    };
    let partitions = partitions.split(',').map(str::parse);
    let partitions = partitions.collect::<Result<Vec<i32>, _>>();
    Ok(TopicScope {
        topic: topic.to_owned(),
        partitions: Some(partitions.map_err(|_| format!("{text:?} is not TOPIC or TOPIC:0,1"))?),
    })
}

/// The partitions that `scopes` name, each of which must exist.
async fn partitions(admin: &Admin, scopes: &[TopicScope]) -> anyhow::Result<Vec<TopicPartition>> {
    let names: Vec<&str> = scopes.iter().map(|scope| scope.topic.as_str()).collect();
    let mut described = admin.describe_topics(&names).await?;
    let mut partitions = Vec::new();
    for scope in scopes {
        let name = &scope.topic;
        let count = match described.get(name) {
            Some(Ok(topic)) => topic.partition_count(),
            _ => match described.remove(name) {
                Some(Err(error)) => return Err(error.into()),
                _ => bail!("the broker did not describe topic {name}"),
            },
        };
        let indexes = match &scope.partitions {
            Some(indexes) => indexes.clone(),
            None => (0..count).collect(),
        };
        for index in indexes {
            if !(0..count).contains(&index) {
                bail!("{name} has partitions 0 to {}, not {index}", count - 1);
            }
            partitions.push(TopicPartition::new(name.as_str(), index));
        }
    }
    partitions.sort();
    partitions.dedup();
    Ok(partitions)
}

/// Those of `partitions` that do not exist, in their order. Asked of the metadata first, which
/// answers at once: an offset of what is not there is asked for again until the time is up.
async fn absent(
    admin: &Admin,
    partitions: &[TopicPartition],
) -> anyhow::Result<Vec<TopicPartition>> {
    let names: BTreeSet<&str> = partitions.iter().map(|at| &*at.topic).collect();
    let names: Vec<&str> = names.into_iter().collect();
    let described = admin.describe_topics(&names).await?;
    let is_absent = |at: &&TopicPartition| match described.get(&*at.topic) {
        Some(Ok(topic)) => at.partition >= topic.partition_count(),
        Some(Err(error)) => error.code() == Some(ErrorCode::UnknownTopicOrPartition),
        None => false,
    };
    let mut absent: Vec<_> = partitions.iter().filter(is_absent).cloned().collect();
    absent.sort();
    Ok(absent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_a_topic_or_some_partitions_of_it() {
        let scope = topic_scope("flights:0,2").expect("a scope");
        assert_eq!(scope.topic, "flights");
        assert_eq!(scope.partitions, Some(vec![0, 2]));
        assert_eq!(topic_scope("flights").expect("a scope").partitions, None);
        assert!(topic_scope("flights:one").is_err());
    }
}

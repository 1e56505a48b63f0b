//! `headwater group`: groups listed and described, their offsets set, members and groups removed.

mod delete;
mod describe;
mod reset;
mod reset_file;

use clap::Subcommand;

use headwater_client::{Admin, TopicPartition};

use super::partitions::of_topic;

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
    let mut partitions = Vec::new();
    for scope in scopes {
        let indexes = scope.partitions.as_deref().unwrap_or_default();
        partitions.extend(of_topic(admin, &scope.topic, indexes).await?);
    }
    partitions.sort();
    partitions.dedup();
    Ok(partitions)
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

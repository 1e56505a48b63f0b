//! Groups, their offsets and their members removed.

use std::collections::BTreeMap;

use anyhow::bail;
use clap::Args;

use headwater_client::admin::MemberToRemove;

use super::{TopicScope, partitions, topic_scope};
use crate::cli::bootstrap::Bootstrap;
use crate::cli::output::Failures;

#[derive(Debug, Args)]
pub(in crate::cli) struct Delete {
    /// The groups' names
    #[arg(required = true)]
    names: Vec<String>,
    #[command(flatten)]
    bootstrap: Bootstrap,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct DeleteOffsets {
    /// The group's name
    group: String,
    /// A topic, or some partitions of it; may be given again
    #[arg(long = "topic", value_name = "TOPIC[:0,1]", required = true, value_parser = topic_scope)]
    topics: Vec<TopicScope>,
    #[command(flatten)]
    bootstrap: Bootstrap,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct RemoveMembers {
    /// The group's name
    group: String,
    /// A member's id
    #[arg(long = "member", value_name = "ID")]
    members: Vec<String>,
    /// A static member's group.instance.id
    #[arg(long = "instance", value_name = "ID")]
    instances: Vec<String>,
    /// Every member
    #[arg(long, conflicts_with_all = ["members", "instances"])]
    all: bool,
    /// Why, for the coordinator's log
    #[arg(long, default_value = "removed by an administrator")]
    reason: String,
    #[command(flatten)]
    bootstrap: Bootstrap,
}

impl Delete {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let admin = self.bootstrap.admin().await?;
        let names: Vec<&str> = self.names.iter().map(String::as_str).collect();
        let deleted: BTreeMap<_, _> = admin.delete_groups(&names).await?.into_iter().collect();
        let mut failures = Failures::default();
        for (name, deleted) in deleted {
            if failures.take(deleted).is_some() {
                eprintln!("deleted {name}");
            }
        }
        failures.into_result()
    }
}

impl DeleteOffsets {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let admin = self.bootstrap.admin().await?;
        let partitions = partitions(&admin, &self.topics).await?;
        let deleted = admin.delete_group_offsets(&self.group, &partitions).await?;
        let deleted: BTreeMap<_, _> = deleted.into_iter().collect();
        let mut failures = Failures::default();
        for (partition, deleted) in deleted {
            if failures.take(deleted).is_some() {
                eprintln!("deleted the offset of {partition}");
            }
        }
        failures.into_result()
    }
}

impl RemoveMembers {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let admin = self.bootstrap.admin().await?;
        let mut members: Vec<MemberToRemove> = Vec::new();
        if self.all {
            let mut described = admin.describe_groups(&[&self.group]).await?;
            let Some(group) = described.remove(&self.group) else {
                bail!("the broker did not describe group {}", self.group);
            };
            members.extend(group?.members.into_iter().map(
                |member| match member.group_instance_id {
                    Some(id) => MemberToRemove::Static(id),
                    None => MemberToRemove::Dynamic(member.member_id),
                },
            ));
        }
        members.extend(self.members.into_iter().map(MemberToRemove::Dynamic));
        members.extend(self.instances.into_iter().map(MemberToRemove::Static));
        if members.is_empty() {
            match self.all {
                true => eprintln!("group {} has no members", self.group),
                false => bail!("name --member, --instance or --all"),
            }
            return Ok(());
        }
        let removed = admin
            .remove_members_from_consumer_group(&self.group, &members, &self.reason)
            .await?;
        let mut failures = Failures::default();
        for (member, removed) in removed {
            if failures.take(removed).is_some() {
                eprintln!("removed {member}");
            }
        }
        failures.into_result()
    }
}

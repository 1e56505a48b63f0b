//! `headwater group`: list and describe consumer groups.

use std::collections::{BTreeMap, HashMap};

use anyhow::bail;
use clap::{Args, Subcommand};

use headwater_client::admin::{
    GroupDescription, GroupMember, GroupState, ListGroupsOptions, OffsetSpec,
};
use headwater_client::{IsolationLevel, TopicPartition};

use super::bootstrap::Bootstrap;
use super::output::{Format, print_heading, print_rows};

#[derive(Debug, Subcommand)]
pub(super) enum Group {
    /// Groups with their state and protocol
    List(List),
    /// Committed offsets, lag and members of a group
    Describe(Describe),
}

#[derive(Debug, Args)]
pub(super) struct List {
    /// How the groups are printed
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    bootstrap: Bootstrap,
}

#[derive(Debug, Args)]
pub(super) struct Describe {
    /// The group's name
    name: String,
    /// How the partitions are printed
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    bootstrap: Bootstrap,
}

impl Group {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::List(list) => list.run().await,
            Self::Describe(describe) => describe.run().await,
        }
    }
}

impl List {
    async fn run(self) -> anyhow::Result<()> {
        let admin = self.bootstrap.client()?.admin();
        let mut groups = admin.list_groups(&ListGroupsOptions::default()).await?;
        groups.sort_by(|a, b| a.group_id.cmp(&b.group_id));
        let rows: Vec<_> = groups
            .into_iter()
            .map(|group| vec![group.group_id, group.state.to_string(), group.protocol_type])
            .collect();
        print_rows(self.format, &["group", "state", "protocol_type"], &rows)
    }
}

impl Describe {
    async fn run(self) -> anyhow::Result<()> {
        let admin = self.bootstrap.client()?.admin();
        let group = match admin
            .describe_groups(&[&self.name])
            .await?
            .remove(&self.name)
        {
            Some(group) => group?,
            None => bail!("the broker did not describe group {}", self.name),
        };
        let offsets = admin.list_group_offsets(&self.name, None, false).await?;
        if group.state == GroupState::Dead && offsets.is_empty() {
            bail!("there is no group {}", self.name);
        }
        let (name, members) = (&self.name, group.members.len());
        print_heading(
            self.format,
            &format!("{name}: {}, {members} members", group.state),
        )?;
        let ends: HashMap<_, _> = offsets
            .keys()
            .map(|partition| (partition.clone(), OffsetSpec::Latest))
            .collect();
        let mut ends = admin
            .list_offsets(&ends, IsolationLevel::ReadUncommitted)
            .await;
        let owners = owners(&group);
        let offsets: BTreeMap<_, _> = offsets.into_iter().collect();
        let mut rows = Vec::new();
        for (partition, committed) in offsets {
            let end = match ends.remove(&partition) {
                Some(end) => end?.map(|end| end.offset),
                None => None,
            };
            let lag = end.map_or("-".to_owned(), |end| {
                (end - committed.offset).max(0).to_string()
            });
            rows.push(vec![
                partition.topic.to_string(),
                partition.partition.to_string(),
                committed.offset.to_string(),
                end.map_or("-".to_owned(), |end| end.to_string()),
                lag,
                owners.get(&partition).cloned().unwrap_or("-".to_owned()),
            ]);
        }
        let header = ["topic", "partition", "offset", "end", "lag", "member"];
        print_rows(self.format, &header, &rows)
    }
}

fn owners(group: &GroupDescription) -> HashMap<TopicPartition, String> {
    let of = |member: &GroupMember| {
        let name = member
            .group_instance_id
            .clone()
            .unwrap_or_else(|| member.member_id.clone());
        let partitions = member.assignment.clone();
        partitions
            .into_iter()
            .map(move |partition| (partition, name.clone()))
            .collect::<Vec<_>>()
    };
    group.members.iter().flat_map(of).collect()
}

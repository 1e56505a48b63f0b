//! Groups listed and described.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use anyhow::bail;
use clap::Args;
use serde_json::{Value, json};

use headwater_client::admin::{
    GroupDescription, GroupMember, GroupState, GroupType, ListGroupsOptions, OffsetSpec,
};
use headwater_client::{Admin, IsolationLevel, OffsetAndMetadata, TopicPartition};

use crate::cli::bootstrap::Bootstrap;
use crate::cli::names::{each_once, one_of};
use crate::cli::output::{Failures, Format, object, print_heading, print_json, print_rows};
use crate::cli::partitions::absent;

#[derive(Debug, Args)]
pub(in crate::cli) struct List {
    /// Only groups in this state, such as Stable or Empty
    #[arg(long = "state", value_name = "STATE", value_parser = state)]
    states: Vec<String>,
    /// Only groups of this type: classic, consumer, share or streams
    #[arg(long = "type", value_name = "TYPE", value_parser = group_type)]
    types: Vec<String>,
    /// How the groups are printed
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    bootstrap: Bootstrap,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Describe {
    /// The groups' names
    #[arg(required_unless_present = "all")]
    names: Vec<String>,
    /// Every group
    #[arg(long, conflicts_with = "names")]
    all: bool,
    /// Prints members in place of offsets
    #[arg(short, long)]
    members: bool,
    /// How the offsets or members are printed; json: one object a group with both
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    bootstrap: Bootstrap,
}

fn state(name: &str) -> Result<String, String> {
    one_of(name, GroupState::NAMES)
}

fn group_type(name: &str) -> Result<String, String> {
    one_of(name, GroupType::NAMES)
}

impl List {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let admin = self.bootstrap.admin().await?;
        let options = ListGroupsOptions {
            states: self.states,
            types: self.types,
        };
        let groups = admin.list_groups(&options).await?;
        let rows = groups.into_iter().map(|group| {
            vec![
                json!(group.group_id),
                json!(group.state.name()),
                json!(group.group_type.name()),
                json!(group.protocol_type),
            ]
        });
        let header = ["group", "state", "type", "protocol_type"];
        print_rows(self.format, &header, &rows.collect::<Vec<_>>())
    }
}

const OFFSETS: [&str; 9] = [
    "group",
    "topic",
    "partition",
    "offset",
    "end",
    "lag",
    "member",
    "client",
    "metadata",
];

const MEMBERS: [&str; 10] = [
    "group",
    "member",
    "instance",
    "client",
    "host",
    "rack",
    "epoch",
    "topics",
    "partitions",
    "target",
];

impl Describe {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let admin = self.bootstrap.admin().await?;
        let mut names = each_once(self.names);
        if self.all {
            let groups = admin.list_groups(&ListGroupsOptions::default()).await?;
            names = groups.into_iter().map(|group| group.group_id).collect();
        }
        let asked: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut described = admin.describe_groups(&asked).await?;
        let all_offsets = names.iter().map(|name| (name.clone(), None)).collect();
        let mut offsets = admin
            .list_consumer_group_offsets(&all_offsets, false)
            .await?;
        let mut failures = Failures::default();
        let mut rows = Vec::new();
        for name in &names {
            let (Some(group), Some(offsets)) = (described.remove(name), offsets.remove(name))
            else {
                bail!("the broker did not describe group {name}");
            };
            let Some(group) = failures.take(found(name, group, &offsets)) else {
                continue;
            };
            let Some(offsets) = failures.take(offsets) else {
                continue;
            };
            let of_group = rows_of_offsets(&admin, &group, offsets).await?;
            let members = group
                .members
                .iter()
                .map(|member| row_of_member(&group, member));
            let members: Vec<_> = members.collect();
            if self.format == Format::Json {
                print_json(&of_json(&group, &of_group, &members))?;
                continue;
            }
            print_heading(self.format, &heading(&group))?;
            rows.extend(if self.members { members } else { of_group });
        }
        if self.format == Format::Csv || !rows.is_empty() {
            let header: &[&str] = if self.members { &MEMBERS } else { &OFFSETS };
            print_rows(self.format, header, &rows)?;
        }
        failures.into_result()
    }
}

/// A group that is dead and has no offsets does not exist.
fn found(
    name: &str,
    group: Result<GroupDescription, headwater_client::ClientError>,
    offsets: &Result<HashMap<TopicPartition, OffsetAndMetadata>, headwater_client::ClientError>,
) -> anyhow::Result<GroupDescription> {
    let has_none = offsets.as_ref().is_ok_and(HashMap::is_empty);
    match group {
        Ok(group) if group.state == GroupState::Dead && has_none => {
            bail!("there is no group {name}")
        }
        Err(error) if error.code() == Some(headwater_wire::ErrorCode::GroupIdNotFound) => {
            bail!("there is no group {name}")
        }
        group => Ok(group?),
    }
}

fn heading(group: &GroupDescription) -> String {
    let protocol = match group.protocol.is_empty() {
        true => String::new(),
        false => format!(", {}", group.protocol),
    };
    format!(
        "{}: {}, {}{protocol}, {} members, coordinated by node {}",
        group.group_id,
        group.state,
        group.group_type,
        group.members.len(),
        group.coordinator
    )
}

fn of_json(group: &GroupDescription, offsets: &[Vec<Value>], members: &[Vec<Value>]) -> Value {
    let inner = |header: &[&str], rows: &[Vec<Value>]| {
        let rows = rows.iter().map(|row| {
            object(
                header.get(1..).unwrap_or_default(),
                row.get(1..).unwrap_or_default(),
            )
        });
        rows.collect::<Vec<_>>()
    };
    let lag: i64 = offsets.iter().filter_map(|row| row.get(5)?.as_i64()).sum();
    json!({
        "group": group.group_id,
        "type": group.group_type.name(),
        "state": group.state.name(),
        "protocol_type": group.protocol_type,
        "protocol": group.protocol,
        "coordinator": group.coordinator,
        "epoch": group.epoch,
        "lag": lag,
        "offsets": inner(&OFFSETS, offsets),
        "members": inner(&MEMBERS, members),
    })
}

/// A row for each partition that has a committed offset or a member, in the order of [`OFFSETS`].
async fn rows_of_offsets(
    admin: &Admin,
    group: &GroupDescription,
    offsets: HashMap<TopicPartition, OffsetAndMetadata>,
) -> anyhow::Result<Vec<Vec<Value>>> {
    let mut owners: BTreeMap<TopicPartition, &GroupMember> = BTreeMap::new();
    for member in &group.members {
        let assignment = member.assignment.iter();
        owners.extend(assignment.map(|partition| (partition.clone(), member)));
    }
    let partitions: BTreeSet<&TopicPartition> = offsets.keys().chain(owners.keys()).collect();
    let gone = absent(admin, partitions.iter().copied()).await?;
    let there = partitions.iter().filter(|at| !gone.contains(at));
    let wanted = there
        .map(|at| ((*at).clone(), OffsetSpec::Latest))
        .collect();
    let ends = admin
        .list_offsets(&wanted, IsolationLevel::ReadUncommitted)
        .await;
    let row = |at: &TopicPartition| {
        let committed = offsets.get(at);
        // A topic that is gone has no end, and its offsets stay until they expire.
        let end = match ends.get(at) {
            Some(Ok(Some(end))) => Some(end.offset),
            _ => None,
        };
        let lag = committed.zip(end).map(|(at, end)| (end - at.offset).max(0));
        let owner = owners.get(at);
        let name = |member: &&GroupMember| {
            let id = member.group_instance_id.as_ref();
            id.unwrap_or(&member.member_id).clone()
        };
        vec![
            json!(group.group_id),
            json!(&*at.topic),
            json!(at.partition),
            json!(committed.map(|at| at.offset)),
            json!(end),
            json!(lag),
            json!(owner.map(name)),
            json!(owner.map(|member| &member.client_id)),
            json!(
                committed
                    .map(|at| &at.metadata)
                    .filter(|metadata| !metadata.is_empty())
            ),
        ]
    };
    Ok(partitions.into_iter().map(row).collect())
}

fn row_of_member(group: &GroupDescription, member: &GroupMember) -> Vec<Value> {
    let names = |partitions: &[TopicPartition]| {
        let names = partitions.iter().map(|partition| partition.to_string());
        names.collect::<Vec<_>>()
    };
    let mut topics = member.subscribed_topics.clone();
    topics.extend(member.subscribed_topic_regex.clone());
    vec![
        json!(group.group_id),
        json!(member.member_id),
        json!(member.group_instance_id),
        json!(member.client_id),
        json!(member.client_host),
        json!(member.rack_id),
        json!(member.epoch),
        json!(topics),
        json!(names(&member.assignment)),
        json!(member.target_assignment.as_deref().map(names)),
    ]
}

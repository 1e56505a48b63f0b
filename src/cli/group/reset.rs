//! Committed offsets of a group, set anew.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::bail;
use clap::Args;
use serde_json::json;

use headwater_client::admin::{GroupState, OffsetSpec};
use headwater_client::{Admin, IsolationLevel, OffsetAndMetadata, TopicPartition};

use super::{TopicScope, partitions, reset_file, topic_scope};
use crate::cli::bootstrap::Bootstrap;
use crate::cli::output::{Failures, Format, print_rows};
use crate::cli::partitions::absent;
use crate::cli::times;

#[derive(Debug, Args)]
pub(in crate::cli) struct ResetOffsets {
    /// The group's name
    group: String,
    /// A topic, or some partitions of it; may be given again
    #[arg(long = "topic", value_name = "TOPIC[:0,1]", value_parser = topic_scope)]
    topics: Vec<TopicScope>,
    /// All partitions that the group has committed offsets of
    #[arg(long, conflicts_with = "topics")]
    all_topics: bool,
    #[command(flatten)]
    target: Target,
    /// Only prints the new offsets, which is also what happens without --execute
    #[arg(long, conflicts_with = "execute")]
    dry_run: bool,
    /// Sets the offsets
    #[arg(long)]
    execute: bool,
    /// How the offsets are printed
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    bootstrap: Bootstrap,
}

/// Where the offsets go.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Target {
    /// To the first record
    #[arg(long)]
    to_earliest: bool,
    /// To the end
    #[arg(long)]
    to_latest: bool,
    /// To the first record at or after a time
    #[arg(long, value_name = "TIME", value_parser = times::timestamp)]
    to_datetime: Option<i64>,
    /// To the first record at or after this long ago, such as 2h or PT2H
    #[arg(long, value_name = "DURATION", value_parser = times::duration)]
    by_duration: Option<Duration>,
    /// Forward by so many records, or back if negative
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    shift_by: Option<i64>,
    /// To an offset
    #[arg(long, value_name = "OFFSET", value_parser = clap::value_parser!(i64).range(0..))]
    to_offset: Option<i64>,
    /// To where they are; to the end where there are none
    #[arg(long)]
    to_current: bool,
    /// To those of a CSV file with lines TOPIC,PARTITION,OFFSET
    #[arg(long, value_name = "FILE", conflicts_with_all = ["topics", "all_topics"])]
    from_file: Option<PathBuf>,
}

type Offsets = HashMap<TopicPartition, i64>;

impl ResetOffsets {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let admin = self.bootstrap.admin().await?;
        self.check_inactive(&admin).await?;
        let current = admin.list_group_offsets(&self.group, None, true).await?;
        let current: Offsets = current.into_iter().map(|(at, c)| (at, c.offset)).collect();
        let new = self.new_offsets(&admin, &current).await?;
        if new.is_empty() {
            bail!(
                "nothing to reset: group {} has no offsets there",
                self.group
            );
        }
        let mut failures = Failures::default();
        let mut done = new.clone();
        if self.execute {
            let offsets = new
                .iter()
                .map(|(at, offset)| (at.clone(), OffsetAndMetadata::new(*offset)));
            let offsets = offsets.collect();
            for (at, altered) in admin.alter_group_offsets(&self.group, &offsets).await? {
                if failures.take(altered).is_none() {
                    done.remove(&at);
                }
            }
        }
        let rows = done.iter().map(|(at, offset)| {
            vec![
                json!(self.group),
                json!(&*at.topic),
                json!(at.partition),
                json!(current.get(at)),
                json!(offset),
            ]
        });
        let header = ["group", "topic", "partition", "current", "new"];
        let printed = print_rows(self.format, &header, &rows.collect::<Vec<_>>());
        if !self.execute {
            eprintln!("nothing is changed; give --execute to set these offsets");
        }
        failures.after(printed)
    }

    /// Members would commit their own positions over the new offsets.
    async fn check_inactive(&self, admin: &Admin) -> anyhow::Result<()> {
        let mut described = admin.describe_groups(&[&self.group]).await?;
        match described.remove(&self.group) {
            Some(Ok(group)) => match group.state {
                GroupState::Empty | GroupState::Dead => Ok(()),
                state => bail!(
                    "group {} is {state}: stop its members, then reset its offsets",
                    self.group
                ),
            },
            // Offsets may be set for a group to come.
            Some(Err(error))
                if error.code() == Some(headwater_wire::ErrorCode::GroupIdNotFound) =>
            {
                Ok(())
            }
            Some(Err(error)) => Err(error.into()),
            None => bail!("the broker did not describe group {}", self.group),
        }
    }

    async fn new_offsets(
        &self,
        admin: &Admin,
        current: &Offsets,
    ) -> anyhow::Result<BTreeMap<TopicPartition, i64>> {
        let target = &self.target;
        if let Some(path) = &target.from_file {
            let named = reset_file::read(path, &self.group)?;
            let at: Vec<_> = named.keys().cloned().collect();
            if let Some(gone) = absent(admin, &at).await?.first() {
                bail!("{} names {gone}, which does not exist", path.display());
            }
            return within(admin, &at, named).await;
        }
        let scope = match (self.all_topics, self.topics.is_empty()) {
            (true, _) => {
                let mut there: Vec<_> = current.keys().cloned().collect();
                for gone in absent(admin, &there).await? {
                    eprintln!("{gone} does not exist any more: its offset is left as it is");
                    there.retain(|at| *at != gone);
                }
                there
            }
            (false, false) => partitions(admin, &self.topics).await?,
            (false, true) => bail!("name --topic TOPIC, or --all-topics"),
        };
        if target.to_earliest {
            return listed(admin, &scope, OffsetSpec::Earliest).await;
        }
        if target.to_latest {
            return listed(admin, &scope, OffsetSpec::Latest).await;
        }
        let ago = target.by_duration.map(|ago| {
            let ago = i64::try_from(ago.as_millis()).unwrap_or(i64::MAX);
            chrono::Utc::now().timestamp_millis().saturating_sub(ago)
        });
        if let Some(timestamp) = target.to_datetime.or(ago) {
            return listed(admin, &scope, OffsetSpec::Timestamp(timestamp)).await;
        }
        if let Some(offset) = target.to_offset {
            let named = scope.iter().map(|at| (at.clone(), offset)).collect();
            return within(admin, &scope, named).await;
        }
        if let Some(shift) = target.shift_by {
            let mut named = Offsets::new();
            for at in &scope {
                let Some(offset) = current.get(at) else {
                    bail!(
                        "group {} has no committed offset of {at} to shift",
                        self.group
                    );
                };
                named.insert(at.clone(), offset.saturating_add(shift));
            }
            return within(admin, &scope, named).await;
        }
        let (known, unknown): (Vec<_>, Vec<_>) =
            scope.into_iter().partition(|at| current.contains_key(at));
        let mut new = listed(admin, &unknown, OffsetSpec::Latest).await?;
        new.extend(known.into_iter().filter_map(|at| {
            let offset = *current.get(&at)?;
            Some((at, offset))
        }));
        Ok(new)
    }
}

/// The offsets that `spec` names; the end where no record is that young.
async fn listed(
    admin: &Admin,
    partitions: &[TopicPartition],
    spec: OffsetSpec,
) -> anyhow::Result<BTreeMap<TopicPartition, i64>> {
    let isolation = IsolationLevel::ReadUncommitted;
    let wanted = partitions.iter().map(|at| (at.clone(), spec)).collect();
    let mut offsets = BTreeMap::new();
    let mut beyond = Vec::new();
    for (at, found) in admin.list_offsets(&wanted, isolation).await {
        match found? {
            Some(found) => drop(offsets.insert(at, found.offset)),
            None => beyond.push(at),
        }
    }
    offsets.extend(admin.end_offsets(&beyond, isolation).await?);
    Ok(offsets)
}

/// `named`, but no further than each partition begins and ends.
async fn within(
    admin: &Admin,
    partitions: &[TopicPartition],
    named: Offsets,
) -> anyhow::Result<BTreeMap<TopicPartition, i64>> {
    let starts = listed(admin, partitions, OffsetSpec::Earliest).await?;
    let ends = listed(admin, partitions, OffsetSpec::Latest).await?;
    let new = named.into_iter().map(|(at, offset)| {
        let start = starts.get(&at).copied().unwrap_or_default();
        let end = ends.get(&at).copied().unwrap_or_default().max(start);
        let possible = offset.clamp(start, end);
        if possible != offset {
            eprintln!("{at} has offsets {start} to {end}: taking {possible} for {offset}");
        }
        (at, possible)
    });
    Ok(new.collect())
}

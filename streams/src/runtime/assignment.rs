//! Who of the group runs which tasks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use headwater_client::{
    Assignor, ClientError, MemberAssignment, MemberSubscription, TopicPartition,
};
use serde::{Deserialize, Serialize};

use crate::engine::TaskId;

/// Gives whole tasks to members: to whom has them now, else to a process that has their state, else
/// to whom has fewest.
pub(super) struct TaskAssignor {
    /// The tasks and what each reads.
    tasks: BTreeMap<TaskId, Vec<TopicPartition>>,
    process: String,
    /// Tasks whose state lies in this process's directory.
    with_state: Vec<TaskId>,
}

/// What a member tells of itself.
#[derive(Debug, Default, Serialize, Deserialize)]
struct MemberInfo {
    #[serde(rename = "p")]
    process: String,
    /// Tasks whose state its process has, as `(sub-topology, partition)`.
    #[serde(rename = "s", default)]
    with_state: BTreeSet<(u32, i32)>,
}

impl TaskAssignor {
    pub(super) fn new(
        tasks: &BTreeMap<TaskId, Vec<String>>,
        process: String,
        with_state: Vec<TaskId>,
    ) -> Arc<Self> {
        Arc::new(Self {
            tasks: partitions_of(tasks),
            process,
            with_state,
        })
    }

    /// The tasks all of whose partitions are among `partitions`.
    pub(super) fn tasks_of(&self, partitions: &BTreeSet<TopicPartition>) -> BTreeSet<TaskId> {
        let own = self
            .tasks
            .iter()
            .filter(|(_, reads)| reads.iter().all(|p| partitions.contains(p)));
        own.map(|(id, _)| *id).collect()
    }

    pub(super) fn partitions(&self, task: TaskId) -> &[TopicPartition] {
        self.tasks.get(&task).map_or(&[], Vec::as_slice)
    }
}

fn partitions_of(tasks: &BTreeMap<TaskId, Vec<String>>) -> BTreeMap<TaskId, Vec<TopicPartition>> {
    let reads = |id: &TaskId, topics: &[String]| {
        topics
            .iter()
            .map(|topic| TopicPartition::new(topic.as_str(), id.partition))
            .collect()
    };
    tasks
        .iter()
        .map(|(id, topics)| (*id, reads(id, topics)))
        .collect()
}

/// A member while tasks are dealt out.
struct Share<'a> {
    member: &'a String,
    process: String,
    with_state: BTreeSet<(u32, i32)>,
    owned: BTreeSet<TaskId>,
    tasks: Vec<TaskId>,
}

/// Deals `tasks` out. No member gets two more than another. Members come in the order in which ties
/// go to them.
fn deal(tasks: impl Iterator<Item = TaskId> + Clone, shares: &mut [Share<'_>]) {
    let count = tasks.clone().count();
    if shares.is_empty() {
        return;
    }
    let most = count.div_ceil(shares.len());
    // So many members may have `most`; the others get one less.
    let mut full_places = match count % shares.len() {
        0 => shares.len(),
        rest => rest,
    };
    let mut left = Vec::new();
    for task in tasks {
        let owner = shares.iter_mut().find(|share| share.owned.contains(&task));
        match owner {
            Some(share) if share.tasks.len() + 1 < most => share.tasks.push(task),
            Some(share) if share.tasks.len() + 1 == most && full_places > 0 => {
                full_places -= 1;
                share.tasks.push(task);
            }
            _ => left.push(task),
        }
    }
    for task in left {
        let key = (task.subtopology, task.partition);
        let fewest = shares
            .iter()
            .map(|share| share.tasks.len())
            .min()
            .unwrap_or(0);
        let has_state = |share: &Share<'_>| share.with_state.contains(&key);
        let open = |share: &Share<'_>| share.tasks.len() <= fewest;
        let chosen = shares
            .iter()
            .position(|share| open(share) && has_state(share))
            .or_else(|| shares.iter().position(open));
        if let Some(share) = chosen.and_then(|at| shares.get_mut(at)) {
            share.tasks.push(task);
        }
    }
}

#[async_trait]
impl Assignor for TaskAssignor {
    fn name(&self) -> &str {
        "headwater-streams"
    }

    fn subscription_user_data(&self, _topics: &BTreeSet<String>) -> Option<Bytes> {
        let with_state = self
            .with_state
            .iter()
            .map(|task| (task.subtopology, task.partition))
            .collect();
        let info = MemberInfo {
            process: self.process.clone(),
            with_state,
        };
        serde_json::to_vec(&info).ok().map(Bytes::from)
    }

    async fn assign(
        &self,
        _topics: &BTreeMap<String, i32>,
        members: &BTreeMap<String, MemberSubscription>,
    ) -> Result<BTreeMap<String, MemberAssignment>, ClientError> {
        let mut shares: Vec<Share<'_>> = members
            .iter()
            .map(|(member, subscription)| {
                let data = subscription.user_data.as_deref().unwrap_or(b"{}");
                let info: MemberInfo = serde_json::from_slice(data).unwrap_or_default();
                let owned = subscription.owned_partitions.iter().cloned().collect();
                Share {
                    member,
                    process: info.process,
                    with_state: info.with_state,
                    owned: self.tasks_of(&owned),
                    tasks: Vec::new(),
                }
            })
            .collect();
        // By instance, so that shares stay when members restart; interleaving the processes spreads
        // tasks over them before their second threads.
        let instance = |share: &Share<'_>| {
            members
                .get(share.member)
                .and_then(|member| member.group_instance_id.clone())
        };
        shares.sort_by_cached_key(|share| {
            let thread = instance(share).and_then(|id| id.rsplit('-').next().map(str::to_owned));
            (thread, share.process.clone(), share.member.clone())
        });
        // By partition first: a member that keeps or gets some gets some of every sub-topology, so
        // that state and load are spread.
        let mut order: Vec<TaskId> = self.tasks.keys().copied().collect();
        order.sort_by_key(|task| (task.partition, task.subtopology));
        deal(order.into_iter(), &mut shares);
        let assigned = shares.into_iter().map(|share| {
            let reads = share
                .tasks
                .iter()
                .flat_map(|task| self.partitions(*task))
                .cloned();
            let partitions = reads.collect();
            (
                share.member.clone(),
                MemberAssignment {
                    partitions,
                    user_data: None,
                },
            )
        });
        Ok(assigned.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share<'a>(member: &'a String, owned: &[i32], with_state: &[i32]) -> Share<'a> {
        let task = |partition: &i32| TaskId {
            subtopology: 0,
            partition: *partition,
        };
        Share {
            member,
            process: member.clone(),
            with_state: with_state.iter().map(|partition| (0, *partition)).collect(),
            owned: owned.iter().map(task).collect(),
            tasks: Vec::new(),
        }
    }

    fn deal_out(count: i32, mut shares: Vec<Share<'_>>) -> Vec<Vec<i32>> {
        let tasks = (0..count).map(|partition| TaskId {
            subtopology: 0,
            partition,
        });
        deal(tasks, &mut shares);
        let of = |share: &Share<'_>| share.tasks.iter().map(|task| task.partition).collect();
        shares.iter().map(of).collect()
    }

    #[test]
    fn tasks_stay_with_their_owner_and_only_the_surplus_moves() {
        let (a, b) = ("a".to_owned(), "b".to_owned());
        let dealt = deal_out(4, vec![share(&a, &[0, 1, 2, 3], &[]), share(&b, &[], &[])]);
        assert_eq!(dealt, [vec![0, 1], vec![2, 3]]);
        let dealt = deal_out(4, vec![share(&a, &[2, 3], &[]), share(&b, &[0], &[])]);
        assert_eq!(dealt, [vec![2, 3], vec![0, 1]]);
    }

    #[test]
    fn a_process_with_the_state_of_a_task_gets_it() {
        let (a, b) = ("a".to_owned(), "b".to_owned());
        let dealt = deal_out(2, vec![share(&a, &[], &[1]), share(&b, &[], &[0])]);
        assert_eq!(dealt, [vec![1], vec![0]]);
    }

    #[test]
    fn shares_differ_by_one_at_most() {
        let names: Vec<String> = (0..4).map(|n| format!("m{n}")).collect();
        for count in 0..20 {
            let shares = names
                .iter()
                .map(|name| share(name, &[0, 1, 2, 3, 4, 5], &[]))
                .collect();
            let dealt = deal_out(count, shares);
            let sizes: Vec<usize> = dealt.iter().map(Vec::len).collect();
            assert!(
                sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 1,
                "{sizes:?}"
            );
            assert_eq!(sizes.iter().sum::<usize>(), usize::try_from(count).unwrap());
        }
    }
}

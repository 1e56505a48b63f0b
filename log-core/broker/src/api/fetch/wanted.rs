//! The partitions a fetch is about, one by one.

use std::collections::HashMap;
use std::sync::Arc;

use headwater_wire::ErrorCode;
use headwater_wire::messages::fetch::{
    FetchPartition, FetchRequest, FetchableTopicResponse, PartitionData,
};
use uuid::Uuid;

use super::super::Located;
use crate::topics::TopicMap;

/// First version that names topics by their ids (KIP-516).
const IDS_FROM: i16 = 13;

/// How the requests of a version name topics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Naming {
    /// By name: what was deleted and made again is the same topic.
    Names,
    /// By id.
    Ids,
}

impl Naming {
    pub(super) fn of(version: i16) -> Self {
        if version >= IDS_FROM {
            Self::Ids
        } else {
            Self::Names
        }
    }
}

/// A topic as a fetch names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TopicRef {
    pub(super) naming: Naming,
    pub(super) id: Uuid,
    /// With ids, the name the id had when a session first saw it; empty if it had none.
    pub(super) name: Arc<str>,
}

/// A partition and what to fetch of it.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    pub(super) topic: TopicRef,
    pub(super) asked: FetchPartition,
}

/// Why a wanted partition is not read.
pub(super) enum NotFound {
    /// The cluster has no such topic or partition. There is nothing to wait for.
    Absent(ErrorCode),
    /// The name stands for another topic by now.
    Changed,
}

impl Wanted {
    /// Everything that `request` names, in its order. A partition that a topic lists twice counts
    /// as it stands last.
    pub(super) fn all_of(request: &mut FetchRequest, naming: Naming) -> Vec<Self> {
        let count = request.topics.iter().map(|topic| topic.partitions.len());
        let mut all = Vec::with_capacity(count.sum());
        for topic in std::mem::take(&mut request.topics) {
            let named = TopicRef {
                naming,
                id: topic.topic_id,
                name: Arc::from(match naming {
                    Naming::Names => topic.topic,
                    Naming::Ids => String::new(),
                }),
            };
            let partitions = if is_ascending(&topic.partitions) {
                topic.partitions
            } else {
                last_of_each(topic.partitions)
            };
            all.extend(partitions.into_iter().map(|asked| Self {
                topic: named.clone(),
                asked,
            }));
        }
        all
    }
}

fn is_ascending(partitions: &[FetchPartition]) -> bool {
    partitions.is_sorted_by(|before, after| before.partition < after.partition)
}

fn last_of_each(partitions: Vec<FetchPartition>) -> Vec<FetchPartition> {
    let mut places = HashMap::with_capacity(partitions.len());
    let mut kept: Vec<FetchPartition> = Vec::with_capacity(partitions.len());
    for partition in partitions {
        let place = *places.entry(partition.partition).or_insert(kept.len());
        match kept.get_mut(place) {
            Some(before) => *before = partition,
            None => kept.push(partition),
        }
    }
    kept
}

impl TopicRef {
    /// Finds the log of partition `index`.
    pub(super) fn locate<'a>(
        &self,
        topics: &'a TopicMap,
        index: i32,
    ) -> Result<Located<'a>, NotFound> {
        let topic = match self.naming {
            Naming::Names => topics
                .by_name(&self.name)
                .ok_or(NotFound::Absent(ErrorCode::UnknownTopicOrPartition))?,
            Naming::Ids => match topics.by_id(self.id) {
                Some(topic) => topic,
                None if self.name.is_empty() => {
                    return Err(NotFound::Absent(ErrorCode::UnknownTopicId));
                }
                None if topics.by_name(&self.name).is_some() => return Err(NotFound::Changed),
                None => return Err(NotFound::Absent(ErrorCode::UnknownTopicOrPartition)),
            },
        };
        topic.locate(index).map_err(NotFound::Absent)
    }

    fn is_same_topic(&self, other: &FetchableTopicResponse) -> bool {
        match self.naming {
            Naming::Names => *self.name == *other.topic,
            Naming::Ids => self.id == other.topic_id,
        }
    }
}

/// Puts answers under their topics. The order stays, so a topic whose partitions do not stand
/// together is there more than once.
pub(super) fn by_topic(
    answers: impl Iterator<Item = (TopicRef, PartitionData)>,
) -> Vec<FetchableTopicResponse> {
    let mut topics: Vec<FetchableTopicResponse> = Vec::new();
    for (topic, data) in answers {
        match topics.last_mut() {
            Some(last) if topic.is_same_topic(last) => last.partitions.push(data),
            _ => topics.push(FetchableTopicResponse {
                topic: match topic.naming {
                    Naming::Names => topic.name.to_string(),
                    Naming::Ids => String::new(),
                },
                topic_id: match topic.naming {
                    Naming::Names => Uuid::nil(),
                    Naming::Ids => topic.id,
                },
                partitions: vec![data],
            }),
        }
    }
    topics
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partition(partition: i32, fetch_offset: i64) -> FetchPartition {
        FetchPartition {
            partition,
            fetch_offset,
            ..Default::default()
        }
    }

    #[test]
    fn a_partition_listed_twice_counts_as_it_stands_last() {
        let kept = last_of_each(vec![partition(3, 1), partition(1, 2), partition(3, 5)]);
        assert_eq!(kept, [partition(3, 5), partition(1, 2)]);
    }
}

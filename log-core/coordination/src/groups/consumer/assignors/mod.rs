//! The assignors that the coordinator computes target assignments with.

mod balancer;
mod heterogeneous;
mod homogeneous;
mod range;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use uuid::Uuid;

use super::assignment::Partitions;
use crate::groups::member::MemberId;
use crate::placement::java_hash;

/// An assignor on the server (`group.consumer.assignors`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Assignor {
    /// As even as possible over all partitions together, moving as little as possible.
    Uniform,
    /// Ranges of each topic by itself, so that the same partitions of topics of one size meet in
    /// one member.
    Range,
}

impl Assignor {
    /// Kafka's name for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Uniform => "uniform",
            Self::Range => "range",
        }
    }

    /// The assignor with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Uniform, Self::Range]
            .into_iter()
            .find(|assignor| assignor.name() == name)
    }

    /// A partition of every subscribed topic for exactly one of its subscribers.
    pub(in crate::groups) fn assign(self, spec: &Spec<'_>) -> BTreeMap<MemberId, Partitions> {
        match self {
            _ if spec.members.is_empty() => BTreeMap::new(),
            Self::Range => range::assign(spec),
            Self::Uniform if spec.is_homogeneous => homogeneous::assign(spec),
            Self::Uniform => heterogeneous::assign(spec),
        }
    }
}

/// What an assignor is told.
pub(in crate::groups) struct Spec<'a> {
    /// In the order of [`in_kafkas_order`].
    pub(in crate::groups) members: Vec<MemberSpec<'a>>,
    /// Number of partitions of every topic that somebody subscribes to.
    pub(in crate::groups) partition_counts: &'a BTreeMap<Uuid, i32>,
    /// Whether all members subscribe to the same topics.
    pub(in crate::groups) is_homogeneous: bool,
}

/// A member as an assignor sees it.
pub(in crate::groups) struct MemberSpec<'a> {
    pub(in crate::groups) id: &'a MemberId,
    pub(in crate::groups) instance_id: Option<&'a str>,
    /// Topics it subscribes to; all of them exist.
    pub(in crate::groups) topics: Rc<BTreeSet<Uuid>>,
    /// Its part of the target assignment before.
    pub(in crate::groups) target: &'a Partitions,
}

impl Spec<'_> {
    fn partition_count(&self, topic: Uuid) -> i32 {
        self.partition_counts.get(&topic).copied().unwrap_or(0)
    }
}

/// Puts members into the order in which Kafka's assignors come by them: that of a Java hash map
/// with their ids as keys. Who of equals gets one partition more depends on it, so with it the
/// same members get the same.
pub(in crate::groups) fn in_kafkas_order<T>(members: &mut [T], id: impl Fn(&T) -> &str) {
    let mut buckets = 16_u32;
    while members.len() > buckets as usize / 4 * 3 && buckets < 1 << 30 {
        buckets *= 2;
    }
    members.sort_by_cached_key(|member| {
        let id = id(member);
        let hash = java_hash(id).cast_unsigned();
        ((hash ^ (hash >> 16)) & (buckets - 1), id.to_owned())
    });
}

//! Who of a group gets which partitions: decided by the member that leads the group.

mod cooperative;
#[cfg(test)]
mod fixture;
mod range;
mod round_robin;
mod sticky;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;

pub use cooperative::CooperativeStickyAssignor;
pub use range::RangeAssignor;
pub use round_robin::RoundRobinAssignor;
pub use sticky::StickyAssignor;

use super::ConsumerGroupMetadata;
use crate::TopicPartition;
use crate::error::ClientError;

/// A way to divide partitions among the members of a group.
///
/// Every member sends its subscription with the assignor's own `user_data`; the leader's
/// [`assign`](Self::assign) divides, and every member is given its share with whatever the leader
/// added for it.
#[async_trait]
pub trait Assignor: Send + Sync {
    /// The protocol's name. All members of a group must share one.
    fn name(&self) -> &str;

    /// What this member tells the leader with its subscription to `topics`.
    fn subscription_user_data(&self, topics: &BTreeSet<String>) -> Option<Bytes> {
        let _ = topics;
        None
    }

    /// As [`subscription_user_data`](Self::subscription_user_data), for assignors that also want to
    /// tell what the member had until now.
    fn user_data(&self, subscription: &MemberSubscription) -> Option<Bytes> {
        self.subscription_user_data(&subscription.topics)
    }

    /// How partitions are handed over. A cooperative assignor must give nobody what another member
    /// still owns.
    fn rebalance_protocol(&self) -> RebalanceProtocol {
        RebalanceProtocol::Eager
    }

    /// Divides `topics` among the members; called on the leader only.
    ///
    /// It may take its time, within `max.poll.interval.ms`: create topics, say, and give out
    /// partitions of topics that nobody subscribed to.
    ///
    /// # Errors
    /// Whatever makes an assignment impossible; the rebalance is then tried again if the error is
    /// retriable, and fails the poll otherwise.
    async fn assign(
        &self,
        topics: &TopicPartitions,
        members: &BTreeMap<String, MemberSubscription>,
    ) -> Result<BTreeMap<String, MemberAssignment>, ClientError>;

    /// Called on every member with what it was given, before the rebalance listener is.
    fn on_assignment(&self, assignment: &MemberAssignment, group: &ConsumerGroupMetadata) {
        let _ = (assignment, group);
    }
}

/// What becomes of a member's partitions while its group rebalances (KIP-429).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RebalanceProtocol {
    /// It gives all of them up first.
    Eager,
    /// It keeps them, and gives up only what the new assignment takes away.
    Cooperative,
}

impl fmt::Debug for dyn Assignor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Assignor").field(&self.name()).finish()
    }
}

/// Number of partitions of every subscribed topic that exists.
pub type TopicPartitions = BTreeMap<String, i32>;

/// What one member wants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemberSubscription {
    /// The topics it subscribes to.
    pub topics: BTreeSet<String>,
    /// What its assignor added.
    pub user_data: Option<Bytes>,
    /// The partitions it had before this rebalance, if it says so.
    pub owned_partitions: Vec<TopicPartition>,
    /// The generation it had them in.
    pub generation_id: Option<i32>,
    /// Its `group.instance.id`, if it is static.
    pub group_instance_id: Option<String>,
    /// Its `client.rack`.
    pub rack_id: Option<String>,
}

/// What one member gets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemberAssignment {
    /// Its partitions.
    pub partitions: Vec<TopicPartition>,
    /// What the leader's assignor added.
    pub user_data: Option<Bytes>,
}

/// Members in the order in which assignors count them: static ones first, by their instance id,
/// so that shares stay when members restart; then the others by member id.
fn in_order(members: &BTreeMap<String, MemberSubscription>) -> Vec<&String> {
    let mut ids: Vec<&String> = members.keys().collect();
    ids.sort_by_key(|id| {
        let instance = members
            .get(*id)
            .and_then(|member| member.group_instance_id.as_deref());
        (instance.is_none(), instance, *id)
    });
    ids
}

/// An empty share for every member.
fn empty_shares(
    members: &BTreeMap<String, MemberSubscription>,
) -> BTreeMap<String, MemberAssignment> {
    members
        .keys()
        .map(|id| (id.clone(), MemberAssignment::default()))
        .collect()
}

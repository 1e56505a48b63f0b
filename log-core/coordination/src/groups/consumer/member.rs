//! A member of a group of the consumer protocol.

use std::collections::BTreeSet;
use std::time::Duration;

use headwater_wire::internal::consumer_group::{
    ClassicMemberMetadata, ConsumerGroupMemberMetadataValue,
};

use super::assignment::Held;
use crate::groups::input::Client;
use crate::groups::member::{MemberId, millis};

/// How far a member is on the way to its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::groups) enum MemberState {
    /// It has what it is to have.
    Stable,
    /// It has to give up partitions before it can go on.
    UnrevokedPartitions,
    /// It waits for partitions that others have to give up.
    UnreleasedPartitions,
    /// A later version wrote a state that this one does not know.
    Unknown,
}

impl MemberState {
    /// As Kafka writes it down.
    pub(in crate::groups) fn code(self) -> i8 {
        match self {
            Self::Stable => 0,
            Self::UnrevokedPartitions => 1,
            Self::UnreleasedPartitions => 2,
            Self::Unknown => 127,
        }
    }

    pub(in crate::groups) fn from_code(code: i8) -> Self {
        match code {
            0 => Self::Stable,
            1 => Self::UnrevokedPartitions,
            2 => Self::UnreleasedPartitions,
            _ => Self::Unknown,
        }
    }
}

/// Epoch of a member that joins.
pub(in crate::groups) const JOINING: i32 = 0;
/// Epoch of a member that leaves.
pub(in crate::groups) const LEAVING: i32 = -1;
/// Epoch of a static member that leaves to come back (KIP-345).
pub(in crate::groups) const LEAVING_FOR_A_WHILE: i32 = -2;

/// What a member says about itself.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(in crate::groups) struct Metadata {
    pub(in crate::groups) instance_id: Option<String>,
    pub(in crate::groups) rack_id: Option<String>,
    pub(in crate::groups) client: Client,
    pub(in crate::groups) topics: BTreeSet<String>,
    /// Empty for none.
    pub(in crate::groups) regex: String,
    /// In milliseconds, -1 if it was never said.
    pub(in crate::groups) rebalance_timeout_ms: i32,
    pub(in crate::groups) assignor: Option<String>,
    /// Set for a member that uses the classic protocol.
    pub(in crate::groups) classic: Option<ClassicMemberMetadata>,
}

impl Metadata {
    pub(in crate::groups) fn to_value(&self) -> ConsumerGroupMemberMetadataValue {
        ConsumerGroupMemberMetadataValue {
            instance_id: self.instance_id.clone(),
            rack_id: self.rack_id.clone(),
            client_id: self.client.id.clone(),
            client_host: self.client.host.clone(),
            subscribed_topic_names: self.topics.iter().cloned().collect(),
            subscribed_topic_regex: Some(self.regex.clone()),
            rebalance_timeout_ms: self.rebalance_timeout_ms,
            server_assignor: self.assignor.clone(),
            classic_member_metadata: self.classic.clone(),
        }
    }

    pub(in crate::groups) fn from_value(value: ConsumerGroupMemberMetadataValue) -> Self {
        Self {
            instance_id: value.instance_id,
            rack_id: value.rack_id,
            client: Client {
                id: value.client_id,
                host: value.client_host,
            },
            topics: value.subscribed_topic_names.into_iter().collect(),
            regex: value.subscribed_topic_regex.unwrap_or_default(),
            rebalance_timeout_ms: value.rebalance_timeout_ms,
            assignor: value.server_assignor,
            classic: value.classic_member_metadata,
        }
    }
}

/// What a member has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::groups) struct Current {
    pub(in crate::groups) epoch: i32,
    /// The answer with the newer epoch may have been lost, so that the member still uses this one.
    pub(in crate::groups) previous_epoch: i32,
    pub(in crate::groups) state: MemberState,
    pub(in crate::groups) assigned: Held,
    pub(in crate::groups) revoking: Held,
}

impl Default for Current {
    fn default() -> Self {
        Self {
            epoch: JOINING,
            previous_epoch: -1,
            state: MemberState::Stable,
            assigned: Held::new(),
            revoking: Held::new(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::groups) struct ConsumerMember {
    pub(in crate::groups) id: MemberId,
    pub(in crate::groups) metadata: Metadata,
    pub(in crate::groups) current: Current,
}

impl ConsumerMember {
    pub(in crate::groups) fn new(id: MemberId) -> Self {
        let metadata = Metadata {
            rebalance_timeout_ms: -1,
            ..Metadata::default()
        };
        Self {
            id,
            metadata,
            current: Current::default(),
        }
    }

    pub(in crate::groups) fn uses_classic_protocol(&self) -> bool {
        self.metadata.classic.is_some()
    }

    pub(in crate::groups) fn is_reconciled_to(&self, epoch: i32) -> bool {
        self.current.state == MemberState::Stable && self.current.epoch == epoch
    }

    pub(in crate::groups) fn rebalance_timeout(&self) -> Duration {
        millis(self.metadata.rebalance_timeout_ms)
    }

    /// The session timeout of a member that chose its own.
    pub(in crate::groups) fn classic_session_timeout(&self) -> Option<Duration> {
        let classic = self.metadata.classic.as_ref()?;
        Some(millis(classic.session_timeout_ms))
    }

    /// The protocol that a classic member is told the group uses: the one it likes best.
    pub(in crate::groups) fn classic_protocol_name(&self) -> Option<&str> {
        let classic = self.metadata.classic.as_ref()?;
        let protocol = classic.supported_protocols.first()?;
        Some(&protocol.name)
    }
}

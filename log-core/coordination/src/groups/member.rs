//! A member of a group.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use headwater_wire::messages::join_group::{JoinGroupRequest, JoinGroupRequestProtocol};

use super::input::Client;
use crate::Token;

/// Longest name in bytes, so that a member id made from it still fits in a string of the protocol.
pub(super) const NAME_MAX: usize = 32_000;

/// The id of a member.
pub(super) type MemberId = Arc<str>;

/// A JoinGroup or SyncGroup that waits for the rest of the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Waiting {
    pub(super) token: Token,
    pub(super) version: i16,
}

/// One protocol a member supports, with what it tells the leader under it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Protocol {
    pub(super) name: String,
    pub(super) metadata: Bytes,
}

#[derive(Debug)]
pub(super) struct Member {
    pub(super) id: MemberId,
    pub(super) instance_id: Option<String>,
    pub(super) client: Client,
    pub(super) rebalance_timeout: Duration,
    pub(super) session_timeout: Duration,
    /// In the member's order of preference.
    pub(super) protocols: Vec<Protocol>,
    pub(super) assignment: Bytes,
    pub(super) joining: Option<Waiting>,
    pub(super) syncing: Option<Waiting>,
    /// Has not completed a join yet, so it cannot heartbeat and may be dropped while it waits.
    pub(super) is_new: bool,
}

impl Member {
    pub(super) fn new(id: MemberId, request: &JoinGroupRequest, client: Client) -> Self {
        let mut member = Self {
            id,
            instance_id: request.group_instance_id.clone(),
            client,
            rebalance_timeout: Duration::ZERO,
            session_timeout: Duration::ZERO,
            protocols: Vec::new(),
            assignment: Bytes::new(),
            joining: None,
            syncing: None,
            is_new: true,
        };
        member.update(request);
        member
    }

    /// Takes over what the member now says about itself.
    pub(super) fn update(&mut self, request: &JoinGroupRequest) {
        self.session_timeout = millis(request.session_timeout_ms);
        // Version 0 has no rebalance timeout; the session timeout stands in for it (KIP-62).
        self.rebalance_timeout = if request.rebalance_timeout_ms < 0 {
            self.session_timeout
        } else {
            millis(request.rebalance_timeout_ms)
        };
        self.protocols = request
            .protocols
            .iter()
            .map(|protocol| Protocol {
                name: protocol.name.clone(),
                metadata: protocol.metadata.clone(),
            })
            .collect();
    }

    /// Whether the member supports exactly these protocols, with the same metadata.
    pub(super) fn matches(&self, protocols: &[JoinGroupRequestProtocol]) -> bool {
        self.protocols.len() == protocols.len()
            && self
                .protocols
                .iter()
                .zip(protocols)
                .all(|(ours, theirs)| ours.name == theirs.name && ours.metadata == theirs.metadata)
    }

    pub(super) fn supports(&self, protocol: &str) -> bool {
        self.protocols.iter().any(|ours| ours.name == protocol)
    }

    /// What the member says under `protocol`; empty if it does not support it.
    pub(super) fn metadata(&self, protocol: &str) -> Bytes {
        self.protocols
            .iter()
            .find(|ours| ours.name == protocol)
            .map(|ours| ours.metadata.clone())
            .unwrap_or_default()
    }

    /// Whether silence is to be expected: the coordinator owes the member an answer.
    pub(super) fn is_excused_from_heartbeats(&self) -> bool {
        !self.is_new && (self.joining.is_some() || self.syncing.is_some())
    }
}

pub(super) fn millis(value: i32) -> Duration {
    Duration::from_millis(u64::try_from(value).unwrap_or(0))
}

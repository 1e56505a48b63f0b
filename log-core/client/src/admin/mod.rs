//! Looking after topics, groups, offsets and configurations.

mod cluster;
mod configs;
mod describe_groups;
mod describe_topics;
mod drive;
mod features;
mod group_offsets;
mod groups;
mod log_dirs;
mod named;
mod offsets;
mod quorum;
mod replicas;
mod topics;
mod transactions;

use std::sync::Arc;
use std::time::Duration;

use headwater_wire::{Request, RequestKind, ResponseKind};

pub use cluster::ClusterDescription;
pub use configs::{
    ConfigChange, ConfigEntry, ConfigResource, ConfigSource, ConfigSynonym, ConfigType,
    DescribeConfigsOptions,
};
pub use describe_groups::{GroupDescription, GroupMember};
pub use describe_topics::{PartitionDescription, TopicDescription};
pub use features::{FeatureMetadata, FeatureUpdate};
pub use groups::{GroupListing, GroupState, GroupType, ListGroupsOptions, MemberToRemove};
pub use log_dirs::{LogDirDescription, ReplicaInfo};
pub use offsets::OffsetSpec;
pub use quorum::{QuorumInfo, ReplicaState};
pub use replicas::{ElectionType, PartitionReassignment};
pub use topics::{NewPartitions, NewTopic};
pub use transactions::{
    AbortTransactionSpec, FencedProducer, ListTransactionsOptions, ProducerState,
    TransactionDescription, TransactionListing, TransactionState,
};

use crate::cluster::Cluster;
use crate::error::ClientError;
use crate::retry::Retry;
use crate::transport::{Channel, Target};

/// Administers a cluster. Cheap to clone.
///
/// Calls take at most `default.api.timeout.ms`, retries of what passes included. Where a call takes
/// several things, each has its own result, and the call itself fails only if nothing could be
/// asked.
#[derive(Clone)]
pub struct Admin {
    cluster: Arc<Cluster>,
    channel: Arc<Channel>,
}

impl std::fmt::Debug for Admin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Admin").finish_non_exhaustive()
    }
}

impl Admin {
    pub(crate) fn new(cluster: Arc<Cluster>, channel: Arc<Channel>) -> Self {
        Self { cluster, channel }
    }

    fn limit(&self) -> Duration {
        self.cluster.config.default_api_timeout
    }

    fn retry(&self, operation: impl Into<String>) -> Retry {
        Retry::new(operation, self.limit(), &self.cluster.config)
    }

    /// Asks `target`, again after failures of the transport that may pass.
    async fn ask<R>(
        &self,
        target: Target,
        retry: &mut Retry,
        max_version: i16,
        build: impl Fn(i16) -> R,
    ) -> Result<R::Response, ClientError>
    where
        R: Request + Into<RequestKind>,
        R::Response: TryFrom<ResponseKind>,
    {
        loop {
            let limit = retry.remaining().min(self.cluster.config.request_timeout);
            match self.channel.call(target, limit, max_version, &build).await {
                Ok(response) => return Ok(response),
                Err(error) => retry.pause(error).await?,
            }
        }
    }
}

impl Admin {
    /// As [`Admin::ask`], of the controller, and again while its answer as a whole is an error that
    /// passes. `outcome` reads that error and its message off the answer.
    async fn ask_controller<R>(
        &self,
        operation: &'static str,
        build: impl Fn(i16) -> R,
        outcome: impl Fn(&R::Response) -> (i16, Option<String>),
    ) -> Result<R::Response, ClientError>
    where
        R: Request + Into<RequestKind>,
        R::Response: TryFrom<ResponseKind>,
    {
        let mut retry = self.retry(operation);
        loop {
            let response = self
                .ask(self.controller(), &mut retry, i16::MAX, &build)
                .await?;
            let (code, message) = outcome(&response);
            match drive::checked(code, message, || operation.to_owned()) {
                Ok(()) => return Ok(response),
                Err(error) => retry.pause(error).await?,
            }
        }
    }

    /// As [`Admin::ask`], of a node that may not have been heard of yet.
    async fn ask_known<R>(
        &self,
        target: Target,
        retry: &mut Retry,
        build: impl Fn(i16) -> R,
    ) -> Result<R::Response, ClientError>
    where
        R: Request + Into<RequestKind>,
        R::Response: TryFrom<ResponseKind>,
    {
        if let Target::Node(id) = target
            && !self.cluster.view().nodes.contains_key(&id)
            && !self.nodes(retry).await?.contains(&id)
        {
            return Err(ClientError::UnknownNode(id));
        }
        self.ask(target, retry, i16::MAX, build).await
    }
}

/// Milliseconds for a field of 32 bits.
fn millis(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}

//! Requests and what answers them: one file per API key, one signature, one table.
//!
//! A handler has two halves. [`Handler::start`] runs at once, in the order in which a connection's
//! requests arrive, and never waits: appends and steps of the state machines happen there, which is
//! what keeps a producer's batches in order. What has to wait (for the disk, for data, for the
//! metadata quorum) is the future in the [`Reply`]. Futures of one connection run side by side;
//! their answers leave in the order of the requests. What would keep a thread from other
//! connections for long, to decompress a batch and compress it again, is not done by `start` but
//! handed back as [`Reply::Laborious`]: it is done elsewhere while the connection is not read.

mod add_offsets_to_txn;
mod add_partitions_to_txn;
mod alter_configs;
mod alter_partition_reassignments;
mod alter_replica_log_dirs;
mod api_versions;
mod authorized_operations;
mod configs;
mod consumer_group_describe;
mod consumer_group_heartbeat;
mod coordinated;
mod create_partitions;
mod create_topics;
mod delete_groups;
mod delete_records;
mod delete_topics;
mod describe_cluster;
mod describe_configs;
mod describe_groups;
mod describe_log_dirs;
mod describe_producers;
mod describe_quorum;
mod describe_topic_partitions;
mod describe_transactions;
mod elect_leaders;
mod end_txn;
mod fetch;
mod find_coordinator;
mod heartbeat;
mod incremental_alter_configs;
mod init_producer_id;
mod join_group;
mod leave_group;
mod list_config_resources;
mod list_groups;
mod list_offsets;
mod list_partition_reassignments;
mod list_transactions;
mod measured;
mod metadata;
mod offset_commit;
mod offset_delete;
mod offset_fetch;
mod offset_for_leader_epoch;
mod partition;
mod produce;
mod reply;
mod sync_group;
mod txn_offset_commit;
mod update_features;
mod write_txn_markers;

use std::sync::{Arc, LazyLock};

use headwater_wire::{ApiKey, RequestKind, ResponseKind, catalog};

use crate::context::RequestContext;
use crate::node::Node;

pub(crate) use api_versions::{own_versions, response as api_versions_response};
pub(crate) use fetch::FetchSessions;
pub(crate) use partition::{Located, check_leader_epoch};
pub(crate) use reply::{Answer, Handler, Reply};

/// A handler without its types: what the table holds.
type Start = fn(&Arc<Node>, &RequestContext, RequestKind) -> Option<Reply<ResponseKind>>;

/// One line of the table.
pub(crate) struct Entry {
    key: ApiKey,
    start: Start,
}

impl Entry {
    /// The line for `H`.
    pub(crate) fn of<H: Handler>() -> Self {
        Self {
            key: H::KEY,
            start: reply::erased::<H>,
        }
    }
}

/// Every API this broker serves. ApiVersions is made from it.
static TABLE: LazyLock<Vec<Entry>> = LazyLock::new(|| {
    let mut table = vec![
        Entry::of::<alter_partition_reassignments::AlterPartitionReassignments>(),
        Entry::of::<describe_quorum::DescribeQuorum>(),
        Entry::of::<elect_leaders::ElectLeaders>(),
        Entry::of::<list_partition_reassignments::ListPartitionReassignments>(),
        Entry::of::<update_features::UpdateFeatures>(),
        Entry::of::<produce::Produce>(),
        Entry::of::<fetch::Fetch>(),
        Entry::of::<list_offsets::ListOffsets>(),
        Entry::of::<metadata::Metadata>(),
        Entry::of::<api_versions::ApiVersions>(),
        Entry::of::<create_topics::CreateTopics>(),
        Entry::of::<delete_topics::DeleteTopics>(),
        Entry::of::<delete_records::DeleteRecords>(),
        Entry::of::<offset_for_leader_epoch::OffsetForLeaderEpoch>(),
        Entry::of::<describe_configs::DescribeConfigs>(),
        Entry::of::<alter_configs::AlterConfigs>(),
        Entry::of::<alter_replica_log_dirs::AlterReplicaLogDirs>(),
        Entry::of::<describe_log_dirs::DescribeLogDirs>(),
        Entry::of::<list_config_resources::ListConfigResources>(),
        Entry::of::<create_partitions::CreatePartitions>(),
        Entry::of::<incremental_alter_configs::IncrementalAlterConfigs>(),
        Entry::of::<describe_cluster::DescribeCluster>(),
        Entry::of::<describe_topic_partitions::DescribeTopicPartitions>(),
        Entry::of::<add_offsets_to_txn::AddOffsetsToTxn>(),
        Entry::of::<add_partitions_to_txn::AddPartitionsToTxn>(),
        Entry::of::<consumer_group_describe::ConsumerGroupDescribe>(),
        Entry::of::<consumer_group_heartbeat::ConsumerGroupHeartbeat>(),
        Entry::of::<delete_groups::DeleteGroups>(),
        Entry::of::<describe_groups::DescribeGroups>(),
        Entry::of::<end_txn::EndTxn>(),
        Entry::of::<find_coordinator::FindCoordinator>(),
        Entry::of::<heartbeat::Heartbeat>(),
        Entry::of::<init_producer_id::InitProducerId>(),
        Entry::of::<join_group::JoinGroup>(),
        Entry::of::<leave_group::LeaveGroup>(),
        Entry::of::<list_groups::ListGroups>(),
        Entry::of::<offset_commit::OffsetCommit>(),
        Entry::of::<offset_delete::OffsetDelete>(),
        Entry::of::<offset_fetch::OffsetFetch>(),
        Entry::of::<sync_group::SyncGroup>(),
        Entry::of::<txn_offset_commit::TxnOffsetCommit>(),
        Entry::of::<describe_producers::DescribeProducers>(),
        Entry::of::<describe_transactions::DescribeTransactions>(),
        Entry::of::<list_transactions::ListTransactions>(),
        Entry::of::<write_txn_markers::WriteTxnMarkers>(),
    ];
    table.sort_by_key(|entry| entry.key);
    table
});

/// Whether the broker serves this API.
pub(crate) fn is_served(key: ApiKey) -> bool {
    entry(key).is_some()
}

/// Whether the broker serves this API in this version.
pub(crate) fn is_served_in(key: ApiKey, version: i16) -> bool {
    is_served(key) && catalog::find(key).is_some_and(|api| api.has_version(version))
}

/// The APIs the broker serves, in the order of their keys.
pub(crate) fn served() -> impl Iterator<Item = ApiKey> {
    TABLE.iter().map(|entry| entry.key)
}

/// Starts `request` on the handler for its key. `None` if there is none.
pub(crate) fn start(
    node: &Arc<Node>,
    context: &RequestContext,
    request: RequestKind,
) -> Option<Reply<ResponseKind>> {
    entry(request.key()).and_then(|entry| (entry.start)(node, context, request))
}

fn entry(key: ApiKey) -> Option<&'static Entry> {
    TABLE
        .binary_search_by_key(&key, |entry| entry.key)
        .ok()
        .and_then(|at| TABLE.get(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_catalog_has_is_served_and_nothing_else() {
        let served: Vec<_> = served().collect();
        let listed: Vec<_> = catalog::APIS.iter().map(|api| api.key).collect();
        assert_eq!(served, listed);
    }
}

//! The APIs whose messages this crate has: the one table of keys, versions and encodings.
//!
//! ApiVersions, headers, [`RequestKind`](crate::RequestKind) and the page in the documentation all
//! follow from it. The broker serves all of them and nothing else, as a test there holds.

use crate::codec::{Field, Message, Request, Structure};
use crate::{ApiKey, messages};

/// Calls `$callback` with the APIs in the order of their keys: name, module, request, response.
macro_rules! each_api {
    ($callback:ident) => {
        $callback! {
            Produce: produce, ProduceRequest, ProduceResponse;
            Fetch: fetch, FetchRequest, FetchResponse;
            ListOffsets: list_offsets, ListOffsetsRequest, ListOffsetsResponse;
            Metadata: metadata, MetadataRequest, MetadataResponse;
            OffsetCommit: offset_commit, OffsetCommitRequest, OffsetCommitResponse;
            OffsetFetch: offset_fetch, OffsetFetchRequest, OffsetFetchResponse;
            FindCoordinator: find_coordinator, FindCoordinatorRequest, FindCoordinatorResponse;
            JoinGroup: join_group, JoinGroupRequest, JoinGroupResponse;
            Heartbeat: heartbeat, HeartbeatRequest, HeartbeatResponse;
            LeaveGroup: leave_group, LeaveGroupRequest, LeaveGroupResponse;
            SyncGroup: sync_group, SyncGroupRequest, SyncGroupResponse;
            DescribeGroups: describe_groups, DescribeGroupsRequest, DescribeGroupsResponse;
            ListGroups: list_groups, ListGroupsRequest, ListGroupsResponse;
            ApiVersions: api_versions, ApiVersionsRequest, ApiVersionsResponse;
            CreateTopics: create_topics, CreateTopicsRequest, CreateTopicsResponse;
            DeleteTopics: delete_topics, DeleteTopicsRequest, DeleteTopicsResponse;
            DeleteRecords: delete_records, DeleteRecordsRequest, DeleteRecordsResponse;
            InitProducerId: init_producer_id, InitProducerIdRequest, InitProducerIdResponse;
            OffsetForLeaderEpoch:
                offset_for_leader_epoch, OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse;
            AddPartitionsToTxn:
                add_partitions_to_txn, AddPartitionsToTxnRequest, AddPartitionsToTxnResponse;
            AddOffsetsToTxn: add_offsets_to_txn, AddOffsetsToTxnRequest, AddOffsetsToTxnResponse;
            EndTxn: end_txn, EndTxnRequest, EndTxnResponse;
            WriteTxnMarkers: write_txn_markers, WriteTxnMarkersRequest, WriteTxnMarkersResponse;
            TxnOffsetCommit: txn_offset_commit, TxnOffsetCommitRequest, TxnOffsetCommitResponse;
            DescribeConfigs: describe_configs, DescribeConfigsRequest, DescribeConfigsResponse;
            AlterConfigs: alter_configs, AlterConfigsRequest, AlterConfigsResponse;
            AlterReplicaLogDirs:
                alter_replica_log_dirs, AlterReplicaLogDirsRequest, AlterReplicaLogDirsResponse;
            DescribeLogDirs: describe_log_dirs, DescribeLogDirsRequest, DescribeLogDirsResponse;
            CreatePartitions: create_partitions, CreatePartitionsRequest, CreatePartitionsResponse;
            DeleteGroups: delete_groups, DeleteGroupsRequest, DeleteGroupsResponse;
            ElectLeaders: elect_leaders, ElectLeadersRequest, ElectLeadersResponse;
            IncrementalAlterConfigs:
                incremental_alter_configs, IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse;
            AlterPartitionReassignments:
                alter_partition_reassignments, AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse;
            ListPartitionReassignments:
                list_partition_reassignments, ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse;
            OffsetDelete: offset_delete, OffsetDeleteRequest, OffsetDeleteResponse;
            DescribeQuorum: describe_quorum, DescribeQuorumRequest, DescribeQuorumResponse;
            UpdateFeatures: update_features, UpdateFeaturesRequest, UpdateFeaturesResponse;
            DescribeCluster: describe_cluster, DescribeClusterRequest, DescribeClusterResponse;
            DescribeProducers:
                describe_producers, DescribeProducersRequest, DescribeProducersResponse;
            DescribeTransactions:
                describe_transactions, DescribeTransactionsRequest, DescribeTransactionsResponse;
            ListTransactions: list_transactions, ListTransactionsRequest, ListTransactionsResponse;
            ConsumerGroupHeartbeat:
                consumer_group_heartbeat, ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse;
            ConsumerGroupDescribe:
                consumer_group_describe, ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse;
            ListConfigResources:
                list_config_resources, ListConfigResourcesRequest, ListConfigResourcesResponse;
            DescribeTopicPartitions:
                describe_topic_partitions, DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse;
        }
    };
}
pub(crate) use each_api;

/// One API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Api {
    /// Its key.
    pub key: ApiKey,
    /// Lowest version there is.
    pub min_version: i16,
    /// Highest version there is, of those that Kafka 4.3 regards as stable.
    pub max_version: i16,
    /// First version in the flexible encoding; `i16::MAX` if there is none.
    pub flexible_from: i16,
}

impl Api {
    /// Its name as Kafka spells it.
    pub fn name(&self) -> &'static str {
        self.key.name()
    }

    /// Whether the API has this version.
    pub fn has_version(&self, version: i16) -> bool {
        (self.min_version..=self.max_version).contains(&version)
    }

    /// Lowest version to name in ApiVersions.
    ///
    /// For Produce that is 0 though such requests are refused: older librdkafka takes a broker
    /// without it for one that lacks features (KAFKA-18659).
    pub fn advertised_min_version(&self) -> i16 {
        if self.key == ApiKey::Produce {
            0
        } else {
            self.min_version
        }
    }
}

macro_rules! table {
    ($($name:ident: $module:ident, $request:ident, $response:ident;)+) => {
        &[$(Api {
            key: ApiKey::$name,
            min_version: messages::$module::$request::MIN_VERSION,
            max_version: messages::$module::$request::MAX_VERSION,
            flexible_from: messages::$module::$request::FLEXIBLE_FROM,
        }),+]
    };
}

/// Every API, in the order of the keys.
pub static APIS: &[Api] = each_api!(table);

macro_rules! lookup {
    ($($name:ident: $module:ident, $request:ident, $response:ident;)+) => {
        /// The API with this key, if it is in the table.
        pub fn find(key: ApiKey) -> Option<Api> {
            match key {
                $(<messages::$module::$request as Request>::KEY => Some(Api {
                    key,
                    min_version: messages::$module::$request::MIN_VERSION,
                    max_version: messages::$module::$request::MAX_VERSION,
                    flexible_from: messages::$module::$request::FLEXIBLE_FROM,
                }),)+
                _ => None,
            }
        }
    };
}

each_api!(lookup);

macro_rules! schemas {
    ($($name:ident: $module:ident, $request:ident, $response:ident;)+) => {
        /// The fields of the API's request and of its response, if it is in the table.
        pub fn schema(key: ApiKey) -> Option<(&'static [Field], &'static [Field])> {
            match key {
                $(ApiKey::$name => Some((
                    messages::$module::$request::FIELDS,
                    messages::$module::$response::FIELDS,
                )),)+
                _ => None,
            }
        }
    };
}

each_api!(schemas);

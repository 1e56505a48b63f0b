//! Every API in every version, with a request that changes nothing.

use headwater_wire::ApiKey::{self, *};
use headwater_wire::catalog;
use headwater_wire::codec::Tree;
use uuid::Uuid;

use crate::object::{NULL, object};
use crate::run::Run;

/// Sends every API of the catalog in each of its versions.
pub(crate) async fn every_version(run: &mut Run) {
    for api in catalog::APIS {
        for version in api.min_version..=api.max_version {
            if let Some(body) = nothing(run, api.key, version) {
                run.call(api.key, version, body).await;
            }
        }
    }
}

/// A request about what is not there.
fn nothing(run: &Run, key: ApiKey, version: i16) -> Option<Tree> {
    let name = run.name("nobody");
    let id = Uuid::from_u128(0xdead);
    let names = || vec![name.clone()];
    let none = Vec::<Tree>::new;
    Some(match key {
        Produce => object! { acks: 1, timeout_ms: 100, topic_data: [object! {
            name: &name,
            topic_id: id,
            partition_data: [object! { index: 0, records: NULL }],
        }] },
        Fetch => object! {
            replica_id: -1,
            max_bytes: 1000,
            session_epoch: -1,
            topics: [object! { topic: &name, topic_id: id, partitions: [object! {
                partition: 0,
                current_leader_epoch: -1,
                last_fetched_epoch: -1,
                log_start_offset: -1,
                partition_max_bytes: 100,
            }] }],
        },
        ListOffsets => object! { replica_id: -1, topics: [object! {
            name: &name,
            partitions: [object! {
                partition_index: 0,
                current_leader_epoch: -1,
                timestamp: -1_i64,
            }],
        }] },
        // Below version 4 it would make the topic, and in version 0 none means all.
        Metadata => object! { topics: none() },
        OffsetCommit => object! {
            group_id: &name,
            generation_id_or_member_epoch: 3,
            member_id: "who",
            retention_time_ms: -1_i64,
            topics: [object! { name: &name, topic_id: id, partitions: [object! {
                partition_index: 0,
                committed_offset: 3_i64,
                committed_leader_epoch: -1,
                committed_metadata: "m",
            }] }],
        },
        OffsetFetch => object! {
            group_id: &name,
            topics: [object! { name: &name, partition_indexes: [0, 1] }],
            groups: [object! { group_id: &name, member_epoch: -1, topics: [object! {
                name: &name,
                topic_id: id,
                partition_indexes: [0, 1],
            }] }],
        },
        FindCoordinator => object! { key: &name, key_type: 0, coordinator_keys: names() },
        JoinGroup => object! {
            group_id: &name,
            session_timeout_ms: 1,
            rebalance_timeout_ms: 1,
            member_id: "",
            protocol_type: "consumer",
        },
        Heartbeat => object! { group_id: &name, generation_id: 1, member_id: "who" },
        LeaveGroup => object! {
            group_id: &name,
            member_id: "who",
            members: [object! { member_id: "who" }],
        },
        SyncGroup => object! {
            group_id: &name,
            generation_id: 1,
            member_id: "who",
            protocol_type: "consumer",
            protocol_name: "range",
        },
        DescribeGroups => object! { groups: names(), include_authorized_operations: version >= 3 },
        ListGroups | SaslHandshake => object! {},
        ApiVersions => object! { client_software_name: "sweep", client_software_version: "1" },
        CreateTopics => object! {
            topics: [object! { name: &name, num_partitions: 1, replication_factor: 1 }],
            timeout_ms: 1000,
            validate_only: true,
        },
        DeleteTopics => object! {
            topics: [object! { name: &name, topic_id: Uuid::nil() }],
            topic_names: names(),
            timeout_ms: 1000,
        },
        DeleteRecords => object! { timeout_ms: 1000, topics: [object! {
            name: &name,
            partitions: [object! { partition_index: 0, offset: 0_i64 }],
        }] },
        InitProducerId => object! {
            transactional_id: "",
            transaction_timeout_ms: 1000,
            producer_id: -1_i64,
            producer_epoch: -1,
        },
        OffsetForLeaderEpoch => object! { replica_id: -1, topics: [object! {
            topic: &name,
            partitions: [object! { partition: 0, current_leader_epoch: -1, leader_epoch: 0 }],
        }] },
        AddPartitionsToTxn => {
            let topic = object! { name: &name, partitions: [0] };
            object! {
                transactions: [object! {
                    transactional_id: &name,
                    producer_id: 5_i64,
                    topics: [&topic],
                }],
                v3_and_below_transactional_id: &name,
                v3_and_below_producer_id: 5_i64,
                v3_and_below_topics: [&topic],
            }
        }
        AddOffsetsToTxn => object! { transactional_id: &name, producer_id: 5_i64, group_id: &name },
        EndTxn => object! { transactional_id: &name, producer_id: 5_i64 },
        WriteTxnMarkers => object! { markers: none() },
        TxnOffsetCommit => object! {
            transactional_id: &name,
            group_id: &name,
            producer_id: 5_i64,
            generation_id: -1,
            topics: [object! { name: &name, partitions: [object! {
                partition_index: 0,
                committed_offset: 3_i64,
                committed_leader_epoch: -1,
                committed_metadata: "m",
            }] }],
        },
        DescribeConfigs => object! { resources: [object! {
            resource_type: 2,
            resource_name: &name,
            configuration_keys: NULL,
        }] },
        AlterConfigs | IncrementalAlterConfigs => object! {
            resources: [object! { resource_type: 2, resource_name: &name, configs: none() }],
            validate_only: true,
        },
        AlterReplicaLogDirs => object! { dirs: none() },
        DescribeLogDirs => object! { topics: [object! { topic: &name, partitions: [0] }] },
        CreatePartitions => object! {
            topics: [object! { name: &name, count: 2, assignments: NULL }],
            timeout_ms: 1000,
            validate_only: true,
        },
        DeleteGroups => object! { groups_names: names() },
        ElectLeaders => object! {
            topic_partitions: [object! { topic: &name, partitions: [0] }],
            timeout_ms: 1000,
        },
        AlterPartitionReassignments => object! { timeout_ms: 1000, topics: [object! {
            name: &name,
            partitions: [object! { partition_index: 0, replicas: [1] }],
        }] },
        ListPartitionReassignments => object! {
            timeout_ms: 1000,
            topics: [object! { name: &name, partition_indexes: [0] }],
        },
        OffsetDelete => object! { group_id: &name, topics: [object! {
            name: &name,
            partitions: [object! { partition_index: 0 }],
        }] },
        DescribeQuorum => object! { topics: none() },
        UpdateFeatures => object! { timeout_ms: 1000, validate_only: true },
        DescribeCluster => object! { endpoint_type: 1 },
        DescribeProducers => object! {
            topics: [object! { name: &name, partition_indexes: [0] }],
        },
        DescribeTransactions => object! { transactional_ids: names() },
        ListTransactions => object! { duration_filter: -1_i64, state_filters: ["NoSuch"] },
        ConsumerGroupHeartbeat => object! {
            group_id: &name,
            member_id: "who",
            member_epoch: 3,
            rebalance_timeout_ms: -1,
        },
        ConsumerGroupDescribe => object! { group_ids: names() },
        ListConfigResources => object! { resource_types: [2_i8] },
        DescribeTopicPartitions => object! {
            topics: [object! { name: &name }],
            response_partition_limit: 10,
        },
        _ => return None,
    })
}

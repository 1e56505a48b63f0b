//! Every message in every version, against `kafka-protocol` as the oracle.
//!
//! Bytes are made from the schema that the attributes describe, with seeds as values. Both codecs
//! must read all of them and write the same bytes again, so neither a version, a default, a tag nor
//! a type can be off. `kafka-protocol` follows Kafka 4.1; what is newer than that is listed.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests count as outside tests"
)]

mod batches;
mod generate;

use std::collections::BTreeSet;

use bytes::{Bytes, BytesMut};
use headwater_wire::{Decoder, EncodeError, Encoder, Message, catalog, messages};
use kafka_protocol::protocol as oracle;

/// Seeds for each version of each message.
const SEEDS: u64 = 60;

/// Versions that Kafka 4.3 has and the oracle has not.
const NEWER: [(&str, i16); 8] = [
    ("DescribeLogDirsRequest", 5),
    ("DescribeLogDirsResponse", 5),
    ("ListOffsetsRequest", 11),
    ("ListOffsetsResponse", 11),
    ("OffsetCommitRequest", 10),
    ("OffsetFetchRequest", 10),
    ("WriteTxnMarkersRequest", 2),
    ("WriteTxnMarkersResponse", 2),
];

fn read<M: Message>(bytes: &Bytes, version: i16) -> M {
    let mut input = Decoder::new(bytes.clone());
    let message = M::decode(&mut input, version)
        .unwrap_or_else(|error| panic!("{} {version}: {error}: {bytes:?}", M::NAME));
    assert_eq!(input.remaining(), 0, "{} {version} leaves bytes", M::NAME);
    message
}

fn write<M: Message>(message: &M, version: i16) -> Result<Bytes, EncodeError> {
    let mut out = Encoder::new();
    message.encode(&mut out, version)?;
    let length = out.len();
    let bytes = out.into_bytes();
    assert_eq!(bytes.len(), length);
    Ok(bytes)
}

fn oracle_read<O: oracle::Decodable>(bytes: &Bytes, version: i16, name: &str) -> O {
    let mut input = bytes.clone();
    let message = O::decode(&mut input, version)
        .unwrap_or_else(|error| panic!("oracle, {name} {version}: {error}: {bytes:?}"));
    assert!(input.is_empty(), "oracle, {name} {version} leaves bytes");
    message
}

fn oracle_write<O: oracle::Encodable>(message: &O, version: i16) -> Option<Bytes> {
    let mut out = BytesMut::new();
    message.encode(&mut out, version).ok()?;
    Some(out.freeze())
}

/// Compares `M` with `O` and returns the versions of `M` that `O` has not.
fn compare<M, O>() -> BTreeSet<(&'static str, i16)>
where
    M: Message + PartialEq + std::fmt::Debug,
    O: oracle::Message + oracle::Decodable + oracle::Encodable + Default,
{
    let name = M::NAME;
    let mut newer = BTreeSet::new();
    for version in M::MIN_VERSION..=M::MAX_VERSION {
        let in_oracle = (O::VERSIONS.min..=O::VERSIONS.max).contains(&version);
        if !in_oracle {
            newer.insert((name, version));
        }
        for seed in 0..SEEDS {
            let raw = Bytes::from(generate::message::<M>(version, seed));
            let message: M = read(&raw, version);
            // Tagged fields that happen to have their default are dropped here.
            let bytes = write(&message, version).unwrap();
            assert_eq!(read::<M>(&bytes, version), message, "{name} {version}");
            if !in_oracle {
                continue;
            }
            let theirs: O = oracle_read(&raw, version, name);
            assert_eq!(
                oracle_write(&theirs, version).unwrap(),
                bytes,
                "{name} {version}"
            );
            // In another version, fields that the first lacks have their defaults.
            let other = M::MIN_VERSION + (seed as i16) % (M::MAX_VERSION - M::MIN_VERSION + 1);
            if let (Ok(ours), Some(theirs)) = (write(&message, other), oracle_write(&theirs, other))
            {
                assert_eq!(theirs, ours, "{name} {version} as {other}");
            }
        }
        if in_oracle {
            let ours = write(&M::default(), version);
            let theirs = oracle_write(&O::default(), version);
            assert_eq!(theirs, ours.ok(), "default of {name} {version}");
        }
    }
    newer
}

macro_rules! compared {
    ($($test:ident: $module:ident::$message:ident;)+) => {
        $(
            #[test]
            fn $test() {
                type Ours = messages::$module::$message;
                let newer = compare::<Ours, kafka_protocol::messages::$message>();
                let expected =
                    NEWER.into_iter().filter(|(name, _)| *name == Ours::NAME).collect();
                assert_eq!(newer, expected);
            }
        )+

        const COMPARED: &[&str] = &[$(stringify!($message)),+];
    };
}

compared! {
    add_offsets_to_txn_request: add_offsets_to_txn::AddOffsetsToTxnRequest;
    add_offsets_to_txn_response: add_offsets_to_txn::AddOffsetsToTxnResponse;
    add_partitions_to_txn_request: add_partitions_to_txn::AddPartitionsToTxnRequest;
    add_partitions_to_txn_response: add_partitions_to_txn::AddPartitionsToTxnResponse;
    alter_configs_request: alter_configs::AlterConfigsRequest;
    alter_configs_response: alter_configs::AlterConfigsResponse;
    alter_partition_reassignments_request: alter_partition_reassignments::AlterPartitionReassignmentsRequest;
    alter_partition_reassignments_response: alter_partition_reassignments::AlterPartitionReassignmentsResponse;
    alter_replica_log_dirs_request: alter_replica_log_dirs::AlterReplicaLogDirsRequest;
    alter_replica_log_dirs_response: alter_replica_log_dirs::AlterReplicaLogDirsResponse;
    api_versions_request: api_versions::ApiVersionsRequest;
    api_versions_response: api_versions::ApiVersionsResponse;
    consumer_group_describe_request: consumer_group_describe::ConsumerGroupDescribeRequest;
    consumer_group_describe_response: consumer_group_describe::ConsumerGroupDescribeResponse;
    consumer_group_heartbeat_request: consumer_group_heartbeat::ConsumerGroupHeartbeatRequest;
    consumer_group_heartbeat_response: consumer_group_heartbeat::ConsumerGroupHeartbeatResponse;
    create_partitions_request: create_partitions::CreatePartitionsRequest;
    create_partitions_response: create_partitions::CreatePartitionsResponse;
    create_topics_request: create_topics::CreateTopicsRequest;
    create_topics_response: create_topics::CreateTopicsResponse;
    delete_groups_request: delete_groups::DeleteGroupsRequest;
    delete_groups_response: delete_groups::DeleteGroupsResponse;
    delete_records_request: delete_records::DeleteRecordsRequest;
    delete_records_response: delete_records::DeleteRecordsResponse;
    delete_topics_request: delete_topics::DeleteTopicsRequest;
    delete_topics_response: delete_topics::DeleteTopicsResponse;
    describe_cluster_request: describe_cluster::DescribeClusterRequest;
    describe_cluster_response: describe_cluster::DescribeClusterResponse;
    describe_configs_request: describe_configs::DescribeConfigsRequest;
    describe_configs_response: describe_configs::DescribeConfigsResponse;
    describe_groups_request: describe_groups::DescribeGroupsRequest;
    describe_groups_response: describe_groups::DescribeGroupsResponse;
    describe_log_dirs_request: describe_log_dirs::DescribeLogDirsRequest;
    describe_log_dirs_response: describe_log_dirs::DescribeLogDirsResponse;
    describe_producers_request: describe_producers::DescribeProducersRequest;
    describe_producers_response: describe_producers::DescribeProducersResponse;
    describe_quorum_request: describe_quorum::DescribeQuorumRequest;
    describe_quorum_response: describe_quorum::DescribeQuorumResponse;
    describe_topic_partitions_request: describe_topic_partitions::DescribeTopicPartitionsRequest;
    describe_topic_partitions_response: describe_topic_partitions::DescribeTopicPartitionsResponse;
    describe_transactions_request: describe_transactions::DescribeTransactionsRequest;
    describe_transactions_response: describe_transactions::DescribeTransactionsResponse;
    elect_leaders_request: elect_leaders::ElectLeadersRequest;
    elect_leaders_response: elect_leaders::ElectLeadersResponse;
    end_txn_request: end_txn::EndTxnRequest;
    end_txn_response: end_txn::EndTxnResponse;
    fetch_request: fetch::FetchRequest;
    fetch_response: fetch::FetchResponse;
    find_coordinator_request: find_coordinator::FindCoordinatorRequest;
    find_coordinator_response: find_coordinator::FindCoordinatorResponse;
    heartbeat_request: heartbeat::HeartbeatRequest;
    heartbeat_response: heartbeat::HeartbeatResponse;
    incremental_alter_configs_request: incremental_alter_configs::IncrementalAlterConfigsRequest;
    incremental_alter_configs_response: incremental_alter_configs::IncrementalAlterConfigsResponse;
    init_producer_id_request: init_producer_id::InitProducerIdRequest;
    init_producer_id_response: init_producer_id::InitProducerIdResponse;
    join_group_request: join_group::JoinGroupRequest;
    join_group_response: join_group::JoinGroupResponse;
    leave_group_request: leave_group::LeaveGroupRequest;
    leave_group_response: leave_group::LeaveGroupResponse;
    list_config_resources_request: list_config_resources::ListConfigResourcesRequest;
    list_config_resources_response: list_config_resources::ListConfigResourcesResponse;
    list_groups_request: list_groups::ListGroupsRequest;
    list_groups_response: list_groups::ListGroupsResponse;
    list_offsets_request: list_offsets::ListOffsetsRequest;
    list_offsets_response: list_offsets::ListOffsetsResponse;
    list_partition_reassignments_request: list_partition_reassignments::ListPartitionReassignmentsRequest;
    list_partition_reassignments_response: list_partition_reassignments::ListPartitionReassignmentsResponse;
    list_transactions_request: list_transactions::ListTransactionsRequest;
    list_transactions_response: list_transactions::ListTransactionsResponse;
    metadata_request: metadata::MetadataRequest;
    metadata_response: metadata::MetadataResponse;
    offset_commit_request: offset_commit::OffsetCommitRequest;
    offset_commit_response: offset_commit::OffsetCommitResponse;
    offset_delete_request: offset_delete::OffsetDeleteRequest;
    offset_delete_response: offset_delete::OffsetDeleteResponse;
    offset_fetch_request: offset_fetch::OffsetFetchRequest;
    offset_fetch_response: offset_fetch::OffsetFetchResponse;
    offset_for_leader_epoch_request: offset_for_leader_epoch::OffsetForLeaderEpochRequest;
    offset_for_leader_epoch_response: offset_for_leader_epoch::OffsetForLeaderEpochResponse;
    produce_request: produce::ProduceRequest;
    produce_response: produce::ProduceResponse;
    sync_group_request: sync_group::SyncGroupRequest;
    sync_group_response: sync_group::SyncGroupResponse;
    txn_offset_commit_request: txn_offset_commit::TxnOffsetCommitRequest;
    txn_offset_commit_response: txn_offset_commit::TxnOffsetCommitResponse;
    update_features_request: update_features::UpdateFeaturesRequest;
    update_features_response: update_features::UpdateFeaturesResponse;
    write_txn_markers_request: write_txn_markers::WriteTxnMarkersRequest;
    write_txn_markers_response: write_txn_markers::WriteTxnMarkersResponse;
    consumer_protocol_subscription: consumer_protocol::ConsumerProtocolSubscription;
    consumer_protocol_assignment: consumer_protocol::ConsumerProtocolAssignment;
}

#[test]
fn nothing_of_the_catalog_is_left_out() {
    for api in catalog::APIS {
        for name in [
            format!("{}Request", api.name()),
            format!("{}Response", api.name()),
        ] {
            assert!(COMPARED.contains(&name.as_str()), "{name} is not compared");
        }
    }
}

//! The catalog against Apache Kafka's own list, and the table in the documentation against both.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests count as outside tests"
)]

use std::fmt::Write;

use headwater_wire::{ApiKey, catalog};

/// What an Apache Kafka 4.3.1 broker with default settings answers to ApiVersions: key, lowest and
/// highest version. Behind them, from its schemas, the first version in the flexible encoding.
const KAFKA: &[(ApiKey, i16, i16, i16)] = &[
    (ApiKey::Produce, 0, 13, 9),
    (ApiKey::Fetch, 4, 18, 12),
    (ApiKey::ListOffsets, 1, 11, 6),
    (ApiKey::Metadata, 0, 13, 9),
    (ApiKey::OffsetCommit, 2, 10, 8),
    (ApiKey::OffsetFetch, 1, 10, 6),
    (ApiKey::FindCoordinator, 0, 6, 3),
    (ApiKey::JoinGroup, 0, 9, 6),
    (ApiKey::Heartbeat, 0, 4, 4),
    (ApiKey::LeaveGroup, 0, 5, 4),
    (ApiKey::SyncGroup, 0, 5, 4),
    (ApiKey::DescribeGroups, 0, 6, 5),
    (ApiKey::ListGroups, 0, 5, 3),
    (ApiKey::SaslHandshake, 0, 1, i16::MAX),
    (ApiKey::ApiVersions, 0, 4, 3),
    (ApiKey::CreateTopics, 2, 7, 5),
    (ApiKey::DeleteTopics, 1, 6, 4),
    (ApiKey::DeleteRecords, 0, 2, 2),
    (ApiKey::InitProducerId, 0, 5, 2),
    (ApiKey::OffsetForLeaderEpoch, 2, 4, 4),
    (ApiKey::AddPartitionsToTxn, 0, 5, 3),
    (ApiKey::AddOffsetsToTxn, 0, 4, 3),
    (ApiKey::EndTxn, 0, 5, 3),
    (ApiKey::WriteTxnMarkers, 1, 2, 1),
    (ApiKey::TxnOffsetCommit, 0, 5, 3),
    (ApiKey::DescribeAcls, 1, 3, 2),
    (ApiKey::CreateAcls, 1, 3, 2),
    (ApiKey::DeleteAcls, 1, 3, 2),
    (ApiKey::DescribeConfigs, 1, 4, 4),
    (ApiKey::AlterConfigs, 0, 2, 2),
    (ApiKey::AlterReplicaLogDirs, 1, 2, 2),
    (ApiKey::DescribeLogDirs, 1, 5, 2),
    (ApiKey::SaslAuthenticate, 0, 2, 2),
    (ApiKey::CreatePartitions, 0, 3, 2),
    (ApiKey::CreateDelegationToken, 1, 3, 2),
    (ApiKey::RenewDelegationToken, 1, 2, 2),
    (ApiKey::ExpireDelegationToken, 1, 2, 2),
    (ApiKey::DescribeDelegationToken, 1, 3, 2),
    (ApiKey::DeleteGroups, 0, 2, 2),
    (ApiKey::ElectLeaders, 0, 2, 2),
    (ApiKey::IncrementalAlterConfigs, 0, 1, 1),
    (ApiKey::AlterPartitionReassignments, 0, 1, 0),
    (ApiKey::ListPartitionReassignments, 0, 0, 0),
    (ApiKey::OffsetDelete, 0, 0, i16::MAX),
    (ApiKey::DescribeClientQuotas, 0, 1, 1),
    (ApiKey::AlterClientQuotas, 0, 1, 1),
    (ApiKey::DescribeUserScramCredentials, 0, 0, 0),
    (ApiKey::AlterUserScramCredentials, 0, 0, 0),
    (ApiKey::DescribeQuorum, 0, 2, 0),
    (ApiKey::UpdateFeatures, 0, 2, 0),
    (ApiKey::DescribeCluster, 0, 2, 0),
    (ApiKey::DescribeProducers, 0, 0, 0),
    (ApiKey::UnregisterBroker, 0, 0, 0),
    (ApiKey::DescribeTransactions, 0, 0, 0),
    (ApiKey::ListTransactions, 0, 2, 0),
    (ApiKey::ConsumerGroupHeartbeat, 0, 1, 0),
    (ApiKey::ConsumerGroupDescribe, 0, 1, 0),
    (ApiKey::ListConfigResources, 0, 1, 0),
    (ApiKey::DescribeTopicPartitions, 0, 0, 0),
    (ApiKey::ShareGroupHeartbeat, 1, 1, 0),
    (ApiKey::ShareGroupDescribe, 1, 1, 0),
    (ApiKey::ShareFetch, 1, 2, 0),
    (ApiKey::ShareAcknowledge, 1, 2, 0),
    (ApiKey::AddRaftVoter, 0, 1, 0),
    (ApiKey::RemoveRaftVoter, 0, 0, 0),
    (ApiKey::InitializeShareGroupState, 0, 0, 0),
    (ApiKey::ReadShareGroupState, 0, 0, 0),
    (ApiKey::WriteShareGroupState, 0, 1, 0),
    (ApiKey::DeleteShareGroupState, 0, 0, 0),
    (ApiKey::ReadShareGroupStateSummary, 0, 1, 0),
    (ApiKey::StreamsGroupHeartbeat, 0, 0, 0),
    (ApiKey::StreamsGroupDescribe, 0, 0, 0),
    (ApiKey::DescribeShareGroupOffsets, 0, 1, 0),
    (ApiKey::AlterShareGroupOffsets, 0, 0, 0),
    (ApiKey::DeleteShareGroupOffsets, 0, 0, 0),
];

/// What Kafka advertises and the catalog lacks, each with its reason.
const ABSENT: &[(ApiKey, &str)] = &[
    (
        ApiKey::SaslHandshake,
        "security comes later, with listeners that ask who a client is",
    ),
    (
        ApiKey::DescribeAcls,
        "security comes later, with listeners that ask who a client is",
    ),
    (
        ApiKey::CreateAcls,
        "security comes later, with listeners that ask who a client is",
    ),
    (
        ApiKey::DeleteAcls,
        "security comes later, with listeners that ask who a client is",
    ),
    (
        ApiKey::SaslAuthenticate,
        "security comes later, with listeners that ask who a client is",
    ),
    (
        ApiKey::CreateDelegationToken,
        "security comes later, with listeners that ask who a client is",
    ),
    (
        ApiKey::RenewDelegationToken,
        "security comes later, with listeners that ask who a client is",
    ),
    (
        ApiKey::ExpireDelegationToken,
        "security comes later, with listeners that ask who a client is",
    ),
    (
        ApiKey::DescribeDelegationToken,
        "security comes later, with listeners that ask who a client is",
    ),
    (ApiKey::DescribeClientQuotas, "quotas come later"),
    (ApiKey::AlterClientQuotas, "quotas come later"),
    (
        ApiKey::DescribeUserScramCredentials,
        "security comes later, with listeners that ask who a client is",
    ),
    (
        ApiKey::AlterUserScramCredentials,
        "security comes later, with listeners that ask who a client is",
    ),
    (
        ApiKey::UnregisterBroker,
        "of use in a cluster only: a single node cannot be without itself",
    ),
    (ApiKey::ShareGroupHeartbeat, "share groups come later"),
    (ApiKey::ShareGroupDescribe, "share groups come later"),
    (ApiKey::ShareFetch, "share groups come later"),
    (ApiKey::ShareAcknowledge, "share groups come later"),
    (
        ApiKey::AddRaftVoter,
        "of use in a cluster only: the metadata quorum is this node",
    ),
    (
        ApiKey::RemoveRaftVoter,
        "of use in a cluster only: the metadata quorum is this node",
    ),
    (
        ApiKey::InitializeShareGroupState,
        "between brokers, for share groups, which come later",
    ),
    (
        ApiKey::ReadShareGroupState,
        "between brokers, for share groups, which come later",
    ),
    (
        ApiKey::WriteShareGroupState,
        "between brokers, for share groups, which come later",
    ),
    (
        ApiKey::DeleteShareGroupState,
        "between brokers, for share groups, which come later",
    ),
    (
        ApiKey::ReadShareGroupStateSummary,
        "between brokers, for share groups, which come later",
    ),
    (ApiKey::StreamsGroupHeartbeat, "streams groups come later"),
    (ApiKey::StreamsGroupDescribe, "streams groups come later"),
    (ApiKey::DescribeShareGroupOffsets, "share groups come later"),
    (ApiKey::AlterShareGroupOffsets, "share groups come later"),
    (ApiKey::DeleteShareGroupOffsets, "share groups come later"),
];

/// What Kafka does not advertise by itself, and why the catalog lacks it as well.
const UNADVERTISED: &[(&str, &str)] = &[
    (
        "GetTelemetrySubscriptions, PushTelemetry",
        "only with a receiver for the metrics of clients, as in Kafka",
    ),
    (
        "Vote, BeginQuorumEpoch, EndQuorumEpoch, UpdateRaftVoter, FetchSnapshot",
        "between the members of a KRaft quorum; the metadata quorum here speaks its own protocol",
    ),
    (
        "AlterPartition, BrokerRegistration, BrokerHeartbeat, AllocateProducerIds, \
         ControllerRegistration, AssignReplicasToDirs, Envelope",
        "from Kafka's brokers to its controllers; here a change goes through the metadata quorum",
    ),
];

const DOCS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/protocol.md");
const BEGIN: &str = "<!-- apis: begin -->\n";
const END: &str = "<!-- apis: end -->";
/// With this in the environment the table is written instead of compared.
const WRITE: &str = "HEADWATER_WRITE_DOCS";

#[test]
fn every_difference_from_kafka_has_its_reason() {
    for (key, min, max, flexible_from) in KAFKA {
        let reason = ABSENT.iter().find(|(absent, _)| absent == key);
        let Some(api) = catalog::find(*key) else {
            assert!(reason.is_some(), "{key} is missing without a reason");
            continue;
        };
        assert!(
            reason.is_none(),
            "{key} is there, with a reason why it is not"
        );
        let ours = (
            api.advertised_min_version(),
            api.max_version,
            api.flexible_from,
        );
        assert_eq!(ours, (*min, *max, *flexible_from), "{key}");
    }
    for (key, _) in ABSENT {
        assert!(
            KAFKA.iter().any(|(kafkas, ..)| kafkas == key),
            "Kafka lacks {key} too"
        );
    }
    for api in catalog::APIS {
        let kafkas = KAFKA.iter().any(|(key, ..)| *key == api.key);
        assert!(kafkas, "Kafka does not advertise {}", api.name());
    }
}

#[test]
fn every_key_of_kafka_is_accounted_for() {
    let unadvertised: Vec<_> = UNADVERTISED
        .iter()
        .flat_map(|(names, _)| names.split(", "))
        .collect();
    for key in ApiKey::ALL {
        let advertised = KAFKA.iter().any(|(kafkas, ..)| kafkas == key);
        assert!(
            advertised != unadvertised.contains(&key.name()),
            "{key} is in one of the two lists"
        );
    }
}

fn versions(min: i16, max: i16) -> String {
    if min == max {
        min.to_string()
    } else {
        format!("{min}-{max}")
    }
}

fn tables() -> String {
    let mut text =
        String::from("| key | API | versions | flexible from |\n| --: | --- | --- | --- |\n");
    for api in catalog::APIS {
        let flexible = match api.flexible_from {
            i16::MAX => "never".to_owned(),
            from => from.to_string(),
        };
        let versions = versions(api.advertised_min_version(), api.max_version);
        writeln!(
            text,
            "| {} | {} | {versions} | {flexible} |",
            api.key.code(),
            api.name()
        )
        .unwrap();
    }
    text.push_str("\nNot served:\n\n| API | why |\n| --- | --- |\n");
    for (key, reason) in ABSENT {
        writeln!(text, "| {key} ({}) | {reason} |", key.code()).unwrap();
    }
    for (names, reason) in UNADVERTISED {
        writeln!(text, "| {names} | {reason} |").unwrap();
    }
    text
}

#[test]
fn the_documentation_has_the_catalog() {
    let page = std::fs::read_to_string(DOCS).unwrap();
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (table, after) = rest.split_once(END).unwrap();
    let expected = tables();
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(DOCS, format!("{before}{BEGIN}{expected}{END}{after}")).unwrap();
        return;
    }
    assert!(
        table == expected,
        "the table in docs/protocol.md is not the catalog's; write it anew with \
         {WRITE}=1 cargo test -p headwater-wire --test catalog"
    );
}

//! What is asked of the cluster as a whole.

use headwater_wire::ApiKey::{
    AlterPartitionReassignments, AlterReplicaLogDirs, ApiVersions, DescribeCluster,
    DescribeLogDirs, DescribeQuorum, ElectLeaders, ListPartitionReassignments, UpdateFeatures,
};
use headwater_wire::codec::Tree;

use super::fetch::read_all;
use super::produce::Target;
use super::topics::create;
use crate::object::{NULL, ask, object};
use crate::run::Run;

/// Descriptions of the cluster, elections, reassignments, directories.
pub(crate) async fn administration(run: &mut Run) {
    let name = run.name("t");
    let nobody = run.name("nobody");
    let id = create(run, &name, 2, &[]).await;
    let target = Target {
        name: name.clone(),
        id,
    };
    let either = |run: &mut Run| run.one(&[name.clone(), name.clone(), nobody.clone()]);
    for _ in 0..10 {
        match run.below(9) {
            0 => {
                let version = run.version(ApiVersions);
                let (client, number) = run.one(&[
                    ("client", "1.0"),
                    ("", ""),
                    ("bad name!", "1"),
                    ("-x", "1.0"),
                ]);
                ask! { run, ApiVersions, version, {
                    client_software_name: client,
                    client_software_version: number,
                } };
            }
            1 => {
                let version = run.version(DescribeCluster);
                let endpoint = if version >= 1 {
                    run.one(&[1, 1, 2, 3])
                } else {
                    1
                };
                let operations = run.once_in(2);
                ask! { run, DescribeCluster, version, {
                    include_cluster_authorized_operations: operations,
                    endpoint_type: endpoint,
                    include_fenced_brokers: version >= 2,
                } };
            }
            2 => {
                let version = run.version(DescribeLogDirs);
                let topic = object! { topic: either(run), partitions: [0, 1, 6] };
                ask! { run, DescribeLogDirs, version, { topics: [topic] } };
            }
            3 => {
                let version = run.version(ElectLeaders);
                let kind = if version >= 1 { run.one(&[0, 1, 2]) } else { 0 };
                let topic = object! { topic: either(run), partitions: [0, 5] };
                ask! { run, ElectLeaders, version, {
                    election_type: kind,
                    topic_partitions: [topic],
                    timeout_ms: 5000,
                } };
            }
            4 => {
                let version = run.version(AlterPartitionReassignments);
                let replicas = run.one(&[
                    object! { r: NULL },
                    object! { r: [1] },
                    object! { r: [9] },
                    object! { r: [1, 1] },
                    object! { r: Vec::<Tree>::new() },
                ]);
                let partition = object! {
                    partition_index: run.one(&[0, 1, 8]),
                    replicas: crate::object::Look::look(&replicas, "r"),
                };
                let topic = object! { name: either(run), partitions: [partition] };
                ask! { run, AlterPartitionReassignments, version, {
                    timeout_ms: 5000,
                    allow_replication_factor_change: true,
                    topics: [topic],
                } };
            }
            5 => {
                let topic = object! { name: either(run), partition_indexes: [0, 7] };
                let topics = run.one(&[Tree::Array(vec![topic]), NULL]);
                ask! { run, ListPartitionReassignments, 0, { timeout_ms: 5000, topics: topics } };
            }
            6 => {
                let version = run.version(DescribeQuorum);
                let topic = object! {
                    topic_name: run.one(&["__cluster_metadata", "other"]),
                    partitions: [object! { partition_index: run.one(&[0, 0, 3]) }],
                };
                ask! { run, DescribeQuorum, version, { topics: [topic] } };
            }
            7 => {
                let version = run.version(UpdateFeatures);
                let feature = run.one(&[
                    ("no.such.feature", 1_i16),
                    ("transaction.version", 99),
                    ("group.version", -1),
                ]);
                let update = object! {
                    feature: feature.0,
                    max_version_level: feature.1,
                    allow_downgrade: false,
                    upgrade_type: run.one(&[1, 2, 3, 9]),
                };
                ask! { run, UpdateFeatures, version, {
                    timeout_ms: 5000,
                    feature_updates: [update],
                    validate_only: true,
                } };
            }
            _ => {
                let version = run.version(AlterReplicaLogDirs);
                let topic = object! { name: either(run), partitions: [0, 6] };
                let dir = object! { path: "/no/such/directory", topics: [topic] };
                ask! { run, AlterReplicaLogDirs, version, { dirs: [dir] } };
            }
        }
    }
    read_all(run, &target, 1).await;
}

use headwater_wire::ErrorCode;
use headwater_wire::messages::alter_replica_log_dirs::{
    AlterReplicaLogDir, AlterReplicaLogDirTopic, AlterReplicaLogDirsRequest,
};
use headwater_wire::messages::describe_log_dirs::{DescribableLogDirTopic, DescribeLogDirsRequest};

use super::client::{TestBroker, batch};

#[tokio::test]
async fn the_directory_is_described_with_the_sizes_of_its_logs() {
    let broker = TestBroker::start().await;
    let mut client = broker.client().await;
    client.create_topic("t", 2, &[]).await;
    let records = batch(&["one", "two"]);
    let size = records.len() as i64;
    let answer = client.produce("t", 0, records).await;
    assert_eq!(answer.error_code, 0);
    for version in 1..=5 {
        let request = DescribeLogDirsRequest { topics: None };
        let described = client.call(&request, version).await;
        let dir = &described.results[0];
        assert_eq!(dir.error_code, 0);
        assert_eq!(dir.log_dir, broker.dir.path().display().to_string());
        let partitions = &dir.topics[0].partitions;
        assert_eq!(partitions.len(), 2);
        assert_eq!(partitions[0].partition_size, size);
        assert_eq!(partitions[1].partition_size, 0);
        if version >= 4 {
            assert!(dir.usable_bytes > 0 && dir.usable_bytes <= dir.total_bytes);
        }
    }
    let one = |topic: &str, partition| DescribableLogDirTopic {
        topic: topic.to_owned(),
        partitions: vec![partition],
    };
    let request = DescribeLogDirsRequest {
        topics: Some(vec![one("t", 1), one("t", 9), one("absent", 0)]),
    };
    let described = client.call(&request, 4).await.results.remove(0);
    assert_eq!(described.topics.len(), 1);
    assert_eq!(described.topics[0].partitions.len(), 1);
    assert_eq!(described.topics[0].partitions[0].partition_index, 1);
}

#[tokio::test]
async fn a_replica_can_be_told_only_to_be_where_it_is() {
    let broker = TestBroker::start().await;
    let mut client = broker.client().await;
    client.create_topic("t", 1, &[]).await;
    let here = broker.dir.path().display().to_string();
    for (path, partition, code) in [
        (here.as_str(), 0, ErrorCode::None),
        (here.as_str(), 1, ErrorCode::UnknownTopicOrPartition),
        ("/elsewhere", 0, ErrorCode::LogDirNotFound),
    ] {
        let request = AlterReplicaLogDirsRequest {
            dirs: vec![AlterReplicaLogDir {
                path: path.to_owned(),
                topics: vec![AlterReplicaLogDirTopic {
                    name: "t".to_owned(),
                    partitions: vec![partition],
                }],
            }],
        };
        for version in 1..=2 {
            let answer = client.call(&request, version).await;
            let result = &answer.results[0].partitions[0];
            assert_eq!(result.error_code, code.code(), "{path} {partition}");
        }
    }
}

//! Fetch, with and without sessions, and the offsets of partitions.

use headwater_wire::ApiKey::{DeleteRecords, Fetch, ListOffsets, OffsetForLeaderEpoch, Produce};
use headwater_wire::codec::Tree;
use uuid::Uuid;

use super::batch::Shape;
use super::produce::{Target, one};
use super::topics::create;
use crate::object::{Look, ask, object};
use crate::run::Run;

/// A topic as it stands in a Fetch request.
pub(crate) fn topic(target: &Target, partitions: Vec<Tree>) -> Tree {
    object! { topic: &target.name, topic_id: &target.id, partitions: partitions }
}

/// A partition to read from an offset.
pub(crate) fn partition(index: i32, offset: i64) -> Tree {
    read(index, offset, 1_000_000, -1)
}

fn read(index: i32, offset: i64, max_bytes: i32, epoch: i32) -> Tree {
    object! {
        partition: index,
        current_leader_epoch: epoch,
        fetch_offset: offset,
        last_fetched_epoch: -1,
        log_start_offset: -1,
        partition_max_bytes: max_bytes,
    }
}

/// A request outside of sessions.
pub(crate) fn plain_body(topics: Vec<Tree>) -> Tree {
    object! {
        replica_id: -1,
        max_wait_ms: 50,
        min_bytes: 1,
        max_bytes: 10_000_000,
        isolation_level: 0,
        session_id: 0,
        session_epoch: -1,
        topics: topics,
        rack_id: "",
    }
}

/// Everything that is in a topic's partitions.
pub(crate) async fn read_all(run: &mut Run, target: &Target, partitions: i32) {
    let version = run.version(Fetch);
    let partitions = (0..partitions).map(|index| partition(index, 0)).collect();
    run.call(Fetch, version, plain_body(vec![topic(target, partitions)]))
        .await;
}

/// A topic with some batches in each of its two partitions.
async fn filled(run: &mut Run) -> Target {
    let name = run.name("f");
    let configs: &[(&str, &str)] = match run.below(3) {
        0 => &[("message.timestamp.type", "LogAppendTime")],
        1 => &[("segment.bytes", "1048576")],
        _ => &[],
    };
    let id = create(run, &name, 2, configs).await;
    let target = Target { name, id };
    for partition in 0..2 {
        for _ in 0..run.below(5) + 1 {
            let batch = Shape::any(run).batch(run);
            run.call(Produce, 9, one(&target, 1, partition, batch))
                .await;
        }
    }
    target
}

fn any_offset(run: &mut Run) -> i64 {
    let some = i64::try_from(run.below(30)).unwrap_or(0);
    run.one(&[0, 1, some, some, -1, -2, 1000, i64::MAX])
}

/// Reads of every kind, one by one.
pub(crate) async fn plain(run: &mut Run) {
    let target = filled(run).await;
    let nobody = Target {
        name: run.name("nobody"),
        id: Tree::Uuid(Uuid::from_u128(0xabcdef)),
    };
    for _ in 0..10 {
        let version = run.version(Fetch);
        let mut partitions = Vec::new();
        let indexes = run.one(&[vec![0], vec![1], vec![0, 1], vec![1, 5], vec![-1, 0]]);
        for index in indexes {
            let offset = any_offset(run);
            let max_bytes = run.one(&[1_000_000, 100, 1, 0, 400]);
            let epoch = run.one(&[-1, -1, 0, 0, 5]);
            partitions.push(read(index, offset, max_bytes, epoch));
        }
        let mut topics = vec![topic(&target, partitions)];
        if run.once_in(4) {
            topics.push(topic(&nobody, vec![partition(0, 0)]));
        }
        if run.once_in(10) {
            let nil = Target {
                name: String::new(),
                id: Tree::Uuid(Uuid::nil()),
            };
            topics.push(topic(&nil, vec![partition(0, 0)]));
        }
        let body = object! {
            replica_id: -1,
            max_wait_ms: run.one(&[0, 50]),
            min_bytes: run.one(&[0, 1, 100]),
            max_bytes: run.one(&[10_000_000, 10_000_000, 1, 0, 300]),
            isolation_level: run.one(&[0, 1]),
            session_id: 0,
            session_epoch: -1,
            topics: topics,
            rack_id: run.one(&["", "a"]),
        };
        run.call(Fetch, version, body).await;
    }
}

/// Fetch sessions: begun, continued, with partitions added and forgotten, and misused.
pub(crate) async fn session(run: &mut Run) {
    let target = filled(run).await;
    let version = run.version_from(Fetch, 7);
    let body = |id: i64, epoch: i32, topics: Vec<Tree>, forgotten: Vec<Tree>| {
        object! {
            replica_id: -1,
            max_wait_ms: 50,
            min_bytes: 1,
            max_bytes: 10_000_000,
            isolation_level: 0,
            session_id: id,
            session_epoch: epoch,
            topics: topics,
            forgotten_topics_data: forgotten,
            rack_id: "",
        }
    };
    let both = vec![topic(&target, vec![partition(0, 0), partition(1, 0)])];
    let begun = run
        .call_once(0, Fetch, version, body(0, 0, both, vec![]))
        .await;
    let id = begun.int("session_id");
    let mut epoch = 1;
    for _ in 0..8 {
        let (topics, forgotten) = match run.below(7) {
            0 => {
                let offset = any_offset(run);
                (vec![topic(&target, vec![partition(0, offset)])], vec![])
            }
            1 => {
                let gone = object! { topic: &target.name, topic_id: &target.id, partitions: [1] };
                (vec![], vec![gone])
            }
            2 => (
                vec![topic(&target, vec![partition(1, 0), partition(6, 0)])],
                vec![],
            ),
            3 => {
                let batch = Shape::any(run).batch(run);
                run.call(Produce, 9, one(&target, 1, 0, batch)).await;
                (vec![], vec![])
            }
            _ => (vec![], vec![]),
        };
        let (used_id, used_epoch) = match run.below(12) {
            0 => (id, epoch + 1),
            1 => (123_456_789, epoch),
            2 => (id, epoch - 1),
            _ => (id, epoch),
        };
        let answered = run
            .call_once(
                0,
                Fetch,
                version,
                body(used_id, used_epoch, topics, forgotten),
            )
            .await;
        if answered.int("error_code") == 0 && used_epoch == epoch {
            epoch += 1;
        }
    }
    // Closed, and used once more.
    run.call_once(0, Fetch, version, body(id, -1, vec![], vec![]))
        .await;
    run.call_once(0, Fetch, version, body(id, epoch, vec![], vec![]))
        .await;
}

/// ListOffsets, OffsetForLeaderEpoch and DeleteRecords.
pub(crate) async fn offsets(run: &mut Run) {
    let target = filled(run).await;
    let nobody = run.name("nobody");
    for _ in 0..12 {
        match run.below(6) {
            0..=2 => list(run, &target, &nobody).await,
            3 | 4 => {
                let version = run.version(OffsetForLeaderEpoch);
                let partitions: Vec<_> = [0, 1, 4]
                    .into_iter()
                    .map(|index| {
                        object! {
                            partition: index,
                            current_leader_epoch: run.one(&[-1, 0, 3]),
                            leader_epoch: run.one(&[0, 0, -1, 2, 9]),
                        }
                    })
                    .collect();
                let name = run.one(&[target.name.clone(), target.name.clone(), nobody.clone()]);
                let topic = object! { topic: name, partitions: partitions };
                ask! { run, OffsetForLeaderEpoch, version, { replica_id: -1, topics: [topic] } };
            }
            _ => {
                let version = run.version(DeleteRecords);
                let partitions: Vec<_> = [0, run.one(&[1, 8])]
                    .into_iter()
                    .map(|index| {
                        let offset = run.one(&[1, 2, 5, -1, -2, 10_000]);
                        object! { partition_index: index, offset: offset }
                    })
                    .collect();
                let name = run.one(&[target.name.clone(), target.name.clone(), nobody.clone()]);
                let topic = object! { name: name, partitions: partitions };
                ask! { run, DeleteRecords, version, { topics: [topic], timeout_ms: 5000 } };
            }
        }
    }
    read_all(run, &target, 2).await;
}

async fn list(run: &mut Run, target: &Target, nobody: &str) {
    let version = run.version(ListOffsets);
    let mut partitions = Vec::new();
    for index in [0, run.one(&[1, 7])] {
        let near = run.start + run.one(&[0, 5, 25, 60_000, -1000, 1_000_000]);
        let timestamp = run.one(&[
            -1,
            -2,
            -3,
            -4,
            -5,
            -6,
            -7,
            -8,
            0,
            near,
            near,
            near,
            i64::MAX,
        ]);
        partitions.push(object! {
            partition_index: index,
            current_leader_epoch: run.one(&[-1, -1, 0, 4]),
            timestamp: timestamp,
        });
    }
    if run.once_in(8) {
        partitions.push(partitions[0].clone());
    }
    let name = if run.once_in(6) { nobody } else { &target.name };
    let topic = object! { name: name, partitions: partitions };
    ask! { run, ListOffsets, version, {
        replica_id: run.one(&[-1, -1, -1, -2, 1]),
        isolation_level: run.one(&[0, 1]),
        topics: [topic],
        timeout_ms: 1000,
    } };
}

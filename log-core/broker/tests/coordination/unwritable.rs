//! Logs that can be read and not written.

use std::sync::Arc;
use std::time::Duration;

use futures::future::{join, join_all};
use headwater_broker::Environment;
use headwater_env::Timestamp;
use headwater_env::sim::{Fault, SimClock, SimDisk};
use headwater_wire::ErrorCode;

use crate::administration::{describe, offsets_place};
use crate::node::{Node, TOPIC, TRANSACTION, now};

/// Longer than a request waits for the end of a transaction.
const LONGER: Duration = Duration::from_secs(6);

#[tokio::test]
async fn writes_that_wait_for_the_same_end_share_their_time() {
    let dir = Arc::new(tempfile::tempdir().expect("a temporary directory"));
    let disk = SimDisk::new();
    let clock = Arc::new(SimClock::new(Timestamp::from_millis(now())));
    let environment = Environment {
        disk: Arc::new(disk.clone()),
        clock: clock.clone(),
        ..Environment::default()
    };
    let node = Node::start_in(&dir, environment).await;
    node.create_topic(TOPIC, &[]).await;
    let producer = node.init(60_000).await.expect("a producer");
    node.produce_in(12, producer, (0, 0), "a").await;
    // The marker is the next to be written there.
    let partition = format!("{}-0", node.topic_id(TOPIC).await);
    disk.inject(Fault::Write, &partition, 1);
    let next = node.end_v2(producer, true).await.expect("decided");

    let node = &node;
    let writes = (0..6).map(|sequence| node.produce_in(12, next, (1, sequence), "b"));
    let time = async {
        clock.advance(LONGER);
        // Time that was set by hand is looked at with the next request.
        describe(node, TRANSACTION).await
    };
    let (written, described) = join(join_all(writes), time).await;
    assert_eq!(described.transaction_state, "PrepareCommit");
    assert_eq!(written[0], ErrorCode::ConcurrentTransactions);
    assert!(written.iter().all(|code| *code != ErrorCode::None));
}

#[tokio::test]
async fn a_coordinator_that_cannot_write_is_not_loaded_without_a_pause() {
    let dir = Arc::new(tempfile::tempdir().expect("a temporary directory"));
    let disk = SimDisk::new();
    let environment = Environment {
        disk: Arc::new(disk.clone()),
        ..Environment::default()
    };
    let node = Node::start_in(&dir, environment).await;
    node.create_topic(TOPIC, &[]).await;
    assert_eq!(node.commit("", -1, (TOPIC, 0, 3)).await, ErrorCode::None);
    let (topic, index) = offsets_place();
    let partition = format!("{}-{index}", node.topic_id(topic).await);
    disk.inject(Fault::Write, &partition, 1);
    // The log takes no more appends from here on.
    let mut refused = Vec::new();
    while refused.last() != Some(&ErrorCode::CoordinatorLoadInProgress) {
        assert!(refused.len() < 4, "{refused:?}");
        refused.push(node.commit("", -1, (TOPIC, 0, 4)).await);
        assert_ne!(refused.last(), Some(&ErrorCode::None));
    }
    // It is loaded in the end, and tells what it has.
    node.becomes_committed(0, 3).await;
}

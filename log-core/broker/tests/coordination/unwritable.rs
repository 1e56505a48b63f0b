//! Logs that can be read and not written.

use std::sync::Arc;

use headwater_broker::Environment;
use headwater_env::sim::{Fault, SimDisk};
use headwater_wire::ErrorCode;

use crate::administration::offsets_place;
use crate::node::{Node, TOPIC};

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

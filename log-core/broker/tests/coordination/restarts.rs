//! A node that comes back goes on at once where it was.

use std::time::{Duration, Instant};

use bytes::Bytes;
use headwater_wire::ErrorCode;

use crate::node::{Node, TOPIC, error};

/// Far less than any session or transaction timeout.
const AT_ONCE: Duration = Duration::from_secs(5);

#[tokio::test]
async fn a_static_member_goes_on_in_its_generation() {
    let node = Node::start().await;
    let joined = node.join(Some("i"), "").await;
    assert_eq!((joined.error_code, joined.generation_id), (0, 1));
    node.sync(&joined.member_id, 1, true).await;
    assert_eq!(
        node.commit(&joined.member_id, 1, (TOPIC, 0, 5)).await,
        ErrorCode::None
    );

    let node = node.restart().await;
    let start = Instant::now();
    let back = node.join(Some("i"), "").await;
    assert_eq!(
        (error(back.error_code), back.generation_id),
        (ErrorCode::None, 1)
    );
    assert_eq!(
        node.sync(&back.member_id, 1, false).await,
        Bytes::from("all")
    );
    assert_eq!(node.committed(0).await, Ok(5));
    assert_eq!(
        node.commit(&back.member_id, 1, (TOPIC, 0, 6)).await,
        ErrorCode::None
    );
    assert!(start.elapsed() < AT_ONCE);
}

#[tokio::test]
async fn an_open_transaction_is_aborted_when_its_producer_comes_back() {
    let node = Node::start().await;
    let old = node.init(600_000).await.expect("a producer");
    node.add(old, 0).await;
    node.add_offsets(old).await;
    node.produce(old, (0, 0), "lost").await;
    node.txn_commit(old, 0, 9).await;

    let node = node.restart().await;
    let start = Instant::now();
    let new = node.init(600_000).await.expect("let in");
    assert_eq!((new.id, new.epoch), (old.id, old.epoch + 2));
    assert_eq!(node.committed(0).await, Ok(-1), "the abort is complete");
    assert!(node.visible(0).await.is_empty());
    assert!(start.elapsed() < AT_ONCE);
    node.add(new, 0).await;
    assert_eq!(node.produce(new, (0, 0), "kept").await, ErrorCode::None);
    assert_eq!(node.end(new, true).await, ErrorCode::None);

    let node = node.restart().await;
    assert_eq!(
        node.end(new, true).await,
        ErrorCode::None,
        "a retry after the restart"
    );
}

#[tokio::test]
async fn an_open_transaction_can_be_committed_after_a_restart() {
    let node = Node::start().await;
    let producer = node.init(600_000).await.expect("a producer");
    node.add(producer, 0).await;
    node.produce(producer, (0, 0), "a").await;
    node.add_offsets(producer).await;
    node.txn_commit(producer, 1, 4).await;
    let node = node.restart().await;
    assert_eq!(
        node.committed(1).await,
        Err(ErrorCode::UnstableOffsetCommit)
    );
    assert_eq!(node.produce(producer, (0, 1), "b").await, ErrorCode::None);
    assert_eq!(node.end(producer, true).await, ErrorCode::None);
    node.becomes_visible(0, &["a", "b"]).await;
    node.becomes_committed(1, 4).await;
    let node = node.restart().await;
    assert_eq!(node.visible(0).await, ["a", "b"]);
    assert_eq!(node.committed(1).await, Ok(4));
}

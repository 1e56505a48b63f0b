//! Transactional ids that are forgotten, and transactions that nobody will end.

use std::sync::Arc;
use std::time::Duration;

use headwater_broker::{BrokerConfig, Environment};
use headwater_env::Timestamp;
use headwater_env::sim::SimClock;
use headwater_wire::ErrorCode;
use headwater_wire::messages::describe_transactions::TransactionState as TransactionDescription;
use headwater_wire::messages::list_transactions::{ListTransactionsRequest, TransactionState};

use crate::administration::{describe, mark_as, producers};
use crate::node::{Node, Producer, TOPIC, TRANSACTION, error, now};

/// How long an id without transactions is remembered.
const EXPIRATION: Duration = Duration::from_secs(10);
/// Longer than any test lets pass.
const TIMEOUT_MS: i32 = 600_000;

fn forgetful(config: &mut BrokerConfig) {
    config.settings.transactional_id_expiration = EXPIRATION;
    config.settings.transactional_id_check_interval = Duration::from_secs(1);
}

fn trusting(config: &mut BrokerConfig) {
    forgetful(config);
    config.settings.transaction_partition_verification = false;
}

/// A broker with [`TOPIC`] whose clock stands.
async fn start(configure: fn(&mut BrokerConfig)) -> (Node, Arc<SimClock>) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let clock = Arc::new(SimClock::new(Timestamp::from_millis(now())));
    let environment = Environment {
        clock: clock.clone(),
        ..Environment::default()
    };
    let node = Node::configured(&Arc::new(dir), environment, configure).await;
    node.create_topic(TOPIC, &[]).await;
    (node, clock)
}

/// Waits until [`TRANSACTION`] is described so: each question wakes its coordinator.
async fn becomes(node: &Node, is_expected: impl Fn(&TransactionDescription) -> bool) {
    let mut described = describe(node, TRANSACTION).await;
    for _ in 0..4_000 {
        if is_expected(&described) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
        described = describe(node, TRANSACTION).await;
    }
    panic!("it is still {described:?}");
}

async fn is_forgotten(node: &Node) {
    becomes(node, |described| {
        error(described.error_code) == ErrorCode::TransactionalIdNotFound
    })
    .await;
}

/// The time until it is forgotten begins with the last marker.
async fn is_committed(node: &Node) {
    becomes(node, |described| {
        described.transaction_state == "CompleteCommit"
    })
    .await;
}

async fn list(node: &Node, producer: Producer, duration_ms: i64) -> Vec<TransactionState> {
    let request = ListTransactionsRequest {
        producer_id_filters: vec![producer.id],
        duration_filter: duration_ms,
        ..Default::default()
    };
    node.call(1, request).await.transaction_states
}

#[tokio::test]
async fn an_id_without_transactions_is_forgotten_and_one_with_is_not() {
    let (node, clock) = start(forgetful).await;
    let producer = node.init(TIMEOUT_MS).await.expect("a producer");
    node.produce_in(12, producer, (0, 0), "kept").await;
    for _ in 0..3 {
        clock.advance(EXPIRATION);
        let described = describe(&node, TRANSACTION).await;
        assert_eq!(described.transaction_state, "Ongoing");
    }
    let producer = node.end_v2(producer, true).await.expect("committed");
    is_committed(&node).await;
    assert_eq!(node.visible(0).await, ["kept"]);
    clock.advance(EXPIRATION);
    is_forgotten(&node).await;
    assert_eq!(
        node.produce_in(12, producer, (1, 0), "late").await,
        ErrorCode::InvalidProducerIdMapping
    );

    let node = node.restart().await;
    is_forgotten(&node).await;
    let new = node.init(TIMEOUT_MS).await.expect("let in");
    assert_ne!(new.id, producer.id, "nothing is known of the one it was");
    node.produce_in(12, new, (0, 0), "too").await;
    node.end_v2(new, true).await.expect("committed");
    node.becomes_visible(0, &["kept", "too"]).await;
}

/// A batch that comes after the end of its transaction opens another, where writes are not verified
/// (`transaction.partition.verification.enable`), as everywhere before KIP-890.
#[tokio::test]
async fn a_transaction_that_its_coordinator_does_not_know_of_is_found_and_ended() {
    let (node, clock) = start(trusting).await;
    let producer = node.init(TIMEOUT_MS).await.expect("a producer");
    node.add(producer, 0).await;
    node.produce(producer, (0, 0), "kept").await;
    assert_eq!(list(&node, producer, -1).await.len(), 1);
    assert!(list(&node, producer, 1_000).await.is_empty());
    clock.advance(Duration::from_secs(2));
    assert_eq!(list(&node, producer, 1_000).await.len(), 1, "it goes on");
    assert_eq!(node.end(producer, true).await, ErrorCode::None);
    is_committed(&node).await;

    assert_eq!(
        node.produce(producer, (0, 1), "late").await,
        ErrorCode::None
    );
    let hanging = producers(&node, TOPIC, 0).await.active_producers.remove(0);
    assert_eq!(hanging.current_txn_start_offset, 2);
    let known = list(&node, producer, -1).await;
    assert_eq!(known[0].transaction_state, "CompleteCommit");
    let described = describe(&node, TRANSACTION).await;
    assert!(described.topics.is_empty(), "the partition is in none");

    clock.advance(EXPIRATION);
    is_forgotten(&node).await;
    assert!(list(&node, producer, -1).await.is_empty());
    let other = node.init(TIMEOUT_MS).await.expect("another producer");
    node.add(other, 0).await;
    node.produce(other, (0, 0), "behind").await;
    node.end(other, true).await;
    let hanging = producers(&node, TOPIC, 0).await.active_producers;
    let open: Vec<_> = hanging
        .iter()
        .filter(|state| state.current_txn_start_offset == 2)
        .collect();
    assert_eq!(open.len(), 1, "nobody ends it");
    assert_eq!(open[0].producer_id, producer.id);
    assert_eq!(node.visible(0).await, ["kept"]);

    let epoch = open[0].coordinator_epoch;
    assert_eq!(
        mark_as(&node, epoch, producer, (TOPIC, 0)).await,
        ErrorCode::None
    );
    node.becomes_visible(0, &["kept", "behind"]).await;
}

//! What a consumer's fetches say, as the node sees them.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use headwater_client::{
    AutoOffsetReset, Client, ConsumerConfig, LocalNode, LocalNodeError, OffsetAndMetadata,
    ProducerConfig, TopicPartition,
};
use headwater_wire::messages::fetch::FetchRequest;
use headwater_wire::{ApiKey, RequestKind, ResponseKind};
use parking_lot::Mutex;

use crate::relay::Relay;
use crate::support::{cluster, read, unique, until};

/// Passes everything on and keeps the fetches, and which other calls there were.
struct Recorder {
    relay: Relay,
    fetches: Mutex<Vec<FetchRequest>>,
    calls: Mutex<Vec<ApiKey>>,
}

#[async_trait]
impl LocalNode for Recorder {
    async fn call(
        &self,
        client_id: &str,
        request: RequestKind,
        version: i16,
    ) -> Result<ResponseKind, LocalNodeError> {
        self.calls.lock().push(request.key());
        if let Ok(fetch) = FetchRequest::try_from(request.clone()) {
            self.fetches.lock().push(fetch);
        }
        self.relay.call(client_id, request, version).await
    }
}

fn recorder(bootstrap: &str) -> (Client, Arc<Recorder>) {
    let recorder = Arc::new(Recorder {
        relay: Relay::new(bootstrap, 0, 0),
        fetches: Mutex::default(),
        calls: Mutex::default(),
    });
    let client = Client::in_process(recorder.clone()).expect("a runtime");
    (client, recorder)
}

#[tokio::test]
async fn fetches_name_only_what_has_changed() {
    let cluster = cluster().await;
    let topic = cluster.topic("sessions", 40).await;
    let (client, recorder) = recorder(&cluster.bootstrap);
    let config = ConsumerConfig {
        auto_offset_reset: AutoOffsetReset::Earliest,
        fetch_max_wait: Duration::from_millis(50),
        ..ConsumerConfig::default()
    };
    let consumer = client.consumer(config).expect("a consumer");
    let all = (0..40).map(|partition| TopicPartition::new(topic.as_str(), partition));
    consumer.assign(all).expect("assigned");
    let producer = cluster
        .client
        .producer(ProducerConfig::default())
        .expect("a producer");
    let named = |fetch: &FetchRequest| -> usize {
        fetch
            .topics
            .iter()
            .map(|topic| topic.partitions.len())
            .sum()
    };
    until("a fetch that names nothing", || async {
        assert!(
            consumer
                .poll(Duration::from_millis(20))
                .await
                .expect("a poll")
                .is_empty()
        );
        let fetches = recorder.fetches.lock();
        fetches
            .iter()
            .any(|fetch| fetch.session_id != 0 && named(fetch) == 0)
    })
    .await;
    for round in 0..5 {
        producer
            .append(&topic, round, -1, None, Some(b"v"), &[])
            .expect("room");
        producer.flush().await.expect("written");
        assert_eq!(read(&consumer, 1).await.len(), 1);
    }
    let fetches = recorder.fetches.lock();
    let whole = fetches.iter().filter(|fetch| named(fetch) == 40).count();
    assert!(whole <= 2, "{whole} of {} fetches named all", fetches.len());
    assert!(fetches[0].session_epoch == 0 && named(&fetches[0]) > 0);
}

#[tokio::test]
async fn a_position_is_not_checked_with_the_leader_it_was_read_from() {
    let cluster = cluster().await;
    let topic = cluster.topic("checked", 1).await;
    let partition = TopicPartition::new(topic.as_str(), 0);
    let producer = cluster
        .client
        .producer(ProducerConfig::default())
        .expect("a producer");
    for _ in 0..10 {
        producer
            .append(&topic, 0, -1, None, Some(b"v"), &[])
            .expect("room");
    }
    producer.flush().await.expect("written");
    let (client, recorder) = recorder(&cluster.bootstrap);
    let consumer = client
        .consumer(ConsumerConfig::new(unique("checked")))
        .expect("a consumer");
    let offset = OffsetAndMetadata {
        leader_epoch: Some(0),
        ..OffsetAndMetadata::new(4)
    };
    let offsets = std::collections::HashMap::from([(partition.clone(), offset)]);
    consumer.commit_offsets(&offsets).await.expect("committed");
    consumer.assign([partition.clone()]).expect("assigned");
    assert_eq!(read(&consumer, 6).await[0].offset, 4);
    // The epoch of a new topic's first leader: there is no other to ask.
    let was_asked = recorder
        .calls
        .lock()
        .contains(&ApiKey::OffsetForLeaderEpoch);
    let committed = consumer.committed(std::slice::from_ref(&partition)).await;
    assert_eq!(committed.expect("read")[&partition].leader_epoch, Some(0));
    assert!(!was_asked);
}

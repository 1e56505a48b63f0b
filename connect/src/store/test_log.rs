//! A broker in the test's own process, whose answers can be kept from its clients.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use headwater_broker::{Broker, BrokerConfig, Environment, RequestContext};
use headwater_client::{Client, LocalNode, LocalNodeError};
use headwater_wire::{RequestKind, ResponseKind};

use super::{TopicRequest, ensure_topic};
use crate::config::Properties;

pub(super) struct TestLog {
    node: Arc<Node>,
    _dir: tempfile::TempDir,
}

struct Node {
    broker: Broker,
    /// How many of the next answers to EndTxn get lost.
    losing_ends: AtomicUsize,
}

impl TestLog {
    pub(super) async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let config = BrokerConfig::new(dir.path(), "127.0.0.1:0");
        let broker = Broker::start(config, Environment::default()).await.unwrap();
        let losing_ends = AtomicUsize::new(0);
        let node = Arc::new(Node {
            broker,
            losing_ends,
        });
        Self { node, _dir: dir }
    }

    pub(super) fn client(&self) -> Client {
        Client::in_process(self.node.clone()).unwrap()
    }

    pub(super) async fn create_topic(&self, name: &str) {
        let topic = TopicRequest {
            name: name.to_owned(),
            partitions: 1,
            replication_factor: 1,
            configs: Properties::new(),
        };
        ensure_topic(&self.client(), &topic).await.unwrap();
    }

    /// The next transactions that end do so without their producers being told.
    pub(super) fn lose_ends(&self, count: usize) {
        self.node.losing_ends.store(count, Ordering::SeqCst);
    }

    pub(super) async fn stop(self) {
        self.node.broker.shutdown().await;
    }
}

#[async_trait]
impl LocalNode for Node {
    async fn call(
        &self,
        client_id: &str,
        request: RequestKind,
        version: i16,
    ) -> Result<ResponseKind, LocalNodeError> {
        let is_end = matches!(request, RequestKind::EndTxn(_));
        let context = RequestContext {
            client_id: Some(client_id.into()),
            client_host: "in-process".into(),
            version,
        };
        let answer = self.broker.handle(&context, request).await;
        let fewer = |left: usize| left.checked_sub(1);
        let order = Ordering::SeqCst;
        if is_end && self.losing_ends.fetch_update(order, order, fewer).is_ok() {
            return std::future::pending().await;
        }
        answer.map_err(|refused| LocalNodeError::Unsupported {
            api: refused.key.name().to_owned(),
            version: refused.version,
        })
    }
}

/// Waits for a condition; fails if it does not come true.
pub(super) async fn until(what: &str, holds: impl Fn() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(30), waiting).await;
    assert!(waited.is_ok(), "{what} did not come true");
}

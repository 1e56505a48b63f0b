//! States of connectors and tasks, for those who watch the status topic.
//!
//! Within a process the states in memory count; the topic tells others, Kafka Connect's tools
//! among them.

use std::sync::Arc;

use headwater_client::{Client, ClientError, Producer, ProducerConfig, ProducerRecord};
use serde_json::json;

use crate::worker::status::ComponentStatus;

/// Writes the status topic.
#[derive(Clone)]
pub(crate) struct StatusStore {
    topic: Arc<str>,
    worker_id: Arc<str>,
    producer: Producer,
}

impl StatusStore {
    pub(crate) fn open(client: &Client, topic: &str, worker_id: &str) -> Result<Self, ClientError> {
        let producer = client.producer(ProducerConfig::default())?;
        Ok(Self {
            topic: topic.into(),
            worker_id: worker_id.into(),
            producer,
        })
    }

    /// Writes a connector's state; `None` removes it.
    pub(crate) async fn put_connector(&self, name: &str, status: Option<&ComponentStatus>) {
        self.put(format!("status-connector-{name}"), status).await;
    }

    /// Writes a task's state; `None` removes it.
    pub(crate) async fn put_task(&self, name: &str, task: usize, status: Option<&ComponentStatus>) {
        self.put(format!("status-task-{name}-{task}"), status).await;
    }

    /// Notes that a connector uses a topic (KIP-558).
    pub(crate) async fn put_topic(&self, topic: &str, name: &str, task: usize, now_ms: i64) {
        let value = json!({"topic": {
            "name": topic, "connector": name, "task": task, "discoverTimestamp": now_ms,
        }});
        self.send(
            format!("status-topic-{topic}:connector-{name}"),
            Some(value),
        )
        .await;
    }

    /// Forgets that a connector uses a topic.
    pub(crate) async fn remove_topic(&self, topic: &str, name: &str) {
        self.send(format!("status-topic-{topic}:connector-{name}"), None)
            .await;
    }

    async fn put(&self, key: String, status: Option<&ComponentStatus>) {
        let value = status.map(|status| {
            json!({
                "state": status.state.name(),
                "trace": status.trace,
                "worker_id": &*self.worker_id,
                "generation": status.generation,
            })
        });
        self.send(key, value).await;
    }

    /// A status that cannot be written is logged: the connector itself is not the worse for it.
    async fn send(&self, key: String, value: Option<serde_json::Value>) {
        let record = ProducerRecord {
            topic: self.topic.clone(),
            key: Some(key.clone().into()),
            value: value.map(|value| value.to_string().into()),
            ..ProducerRecord::default()
        };
        match self.producer.send(record).await {
            // Failures of what is on its way are told by the flush at the end.
            Ok(delivery) => drop(delivery),
            Err(error) => tracing::warn!(key, %error, "a status could not be written"),
        }
    }

    pub(crate) async fn close(&self) {
        if let Err(error) = self.producer.close().await {
            tracing::warn!(%error, "not all statuses could be written");
        }
    }
}

//! Configurations of connectors and tasks, and the states they are to be in.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use headwater_client::{
    Client, ClientError, IsolationLevel, Producer, ProducerConfig, ProducerRecord,
};
use serde_json::{Value as Json, json};

use super::topic_reader::TopicReader;
use crate::config::Properties;

/// What a connector is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum TargetState {
    /// Run.
    #[default]
    Started,
    /// Keep its tasks, but move nothing.
    Paused,
    /// Have no tasks (KIP-875).
    Stopped,
}

impl TargetState {
    fn name(self) -> &'static str {
        match self {
            Self::Started => "STARTED",
            Self::Paused => "PAUSED",
            Self::Stopped => "STOPPED",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        match name {
            "STARTED" => Some(Self::Started),
            "PAUSED" => Some(Self::Paused),
            "STOPPED" => Some(Self::Stopped),
            _ => None,
        }
    }
}

/// What the topic says of one connector.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct StoredConnector {
    /// `None` before its configuration is there: a target state may be all there is.
    pub(crate) properties: Option<Properties>,
    pub(crate) target: TargetState,
    /// Its tasks' configurations, if a whole set has been committed.
    pub(crate) tasks: Vec<Properties>,
}

/// Reads the config topic once and writes it from then on.
///
/// There is one writer: its transactional id is the cluster's, so that a second worker of the
/// same group fences the first (KIP-618), and a set of task configurations is written whole.
pub(crate) struct ConfigStore {
    topic: Arc<str>,
    producer: Producer,
    connectors: BTreeMap<String, StoredConnector>,
    is_stopping: Arc<AtomicBool>,
}

impl ConfigStore {
    /// Reads what is there. Once `is_stopping`, a write that times out is not tried again.
    pub(crate) async fn open(
        client: &Client,
        topic: &str,
        group_id: &str,
        is_stopping: Arc<AtomicBool>,
    ) -> Result<Self, ClientError> {
        let producer = client.producer(ProducerConfig::transactional(format!(
            "connect-cluster-{group_id}"
        )))?;
        producer.init_transactions().await?;
        let mut reader = TopicReader::open(client, topic, IsolationLevel::ReadCommitted).await?;
        let mut replay = Replay::default();
        reader
            .read_to_end(|record| {
                let key = record
                    .key
                    .as_deref()
                    .and_then(|key| std::str::from_utf8(key).ok());
                let Some(key) = key else { return };
                if !replay.apply(key, record.value.as_deref()) {
                    tracing::warn!(
                        key,
                        offset = record.offset,
                        "a record of the config topic is not understood"
                    );
                }
            })
            .await?;
        Ok(Self {
            topic: topic.into(),
            producer,
            connectors: replay.connectors,
            is_stopping,
        })
    }

    /// All connectors.
    pub(crate) fn connectors(&self) -> &BTreeMap<String, StoredConnector> {
        &self.connectors
    }

    /// Writes a connector's configuration and, if it is new, its target state.
    pub(crate) async fn put_connector(
        &mut self,
        name: &str,
        properties: &Properties,
        target: Option<TargetState>,
    ) -> Result<(), ClientError> {
        let mut records = Vec::new();
        // The state comes first, so that no reader starts a connector that is to be stopped.
        if let Some(target) = target {
            records.push((format!("target-state-{name}"), Some(target_json(target))));
        }
        records.push((
            format!("connector-{name}"),
            Some(json!({ "properties": properties })),
        ));
        self.write(records).await?;
        let stored = self.connectors.entry(name.to_owned()).or_default();
        stored.properties = Some(properties.clone());
        stored.target = target.unwrap_or(stored.target);
        Ok(())
    }

    /// Removes a connector and its target state. Records of its tasks are left, as in Kafka
    /// Connect: without the connector's they mean nothing.
    pub(crate) async fn remove_connector(&mut self, name: &str) -> Result<(), ClientError> {
        let keys = [format!("connector-{name}"), format!("target-state-{name}")];
        self.write(keys.into_iter().map(|key| (key, None)).collect())
            .await?;
        self.connectors.remove(name);
        Ok(())
    }

    /// Writes the whole set of a connector's task configurations.
    pub(crate) async fn put_tasks(
        &mut self,
        name: &str,
        tasks: &[Properties],
    ) -> Result<(), ClientError> {
        let mut records: Vec<(String, Option<Json>)> = tasks
            .iter()
            .enumerate()
            .map(|(index, task)| {
                (
                    format!("task-{name}-{index}"),
                    Some(json!({"properties": task})),
                )
            })
            .collect();
        records.push((
            format!("commit-{name}"),
            Some(json!({ "tasks": tasks.len() })),
        ));
        self.write(records).await?;
        self.connectors.entry(name.to_owned()).or_default().tasks = tasks.to_vec();
        Ok(())
    }

    /// Writes what a connector is to do.
    pub(crate) async fn put_target(
        &mut self,
        name: &str,
        target: TargetState,
    ) -> Result<(), ClientError> {
        self.write(vec![(
            format!("target-state-{name}"),
            Some(target_json(target)),
        )])
        .await?;
        self.connectors.entry(name.to_owned()).or_default().target = target;
        Ok(())
    }

    async fn write(&self, records: Vec<(String, Option<Json>)>) -> Result<(), ClientError> {
        self.producer.begin_transaction()?;
        let error = match self.send(records).await {
            Err(error) => error,
            Ok(()) => match self.end(true).await {
                // Given up because the worker ends; the next one finds out.
                Err(error @ ClientError::Timeout { .. }) => return Err(error),
                Err(error) => error,
                Ok(()) => return Ok(()),
            },
        };
        if let Err(error) = self.end(false).await {
            tracing::warn!(%error, "a transaction of the config topic could not be aborted");
        }
        Err(error)
    }

    /// Puts records on their way. The commit tells if they were not written.
    async fn send(&self, records: Vec<(String, Option<Json>)>) -> Result<(), ClientError> {
        for (key, value) in records {
            let record = ProducerRecord {
                topic: self.topic.clone(),
                partition: Some(0),
                key: Some(key.into()),
                value: value.map(|value| value.to_string().into()),
                ..ProducerRecord::default()
            };
            self.producer.send(record).await.map(drop)?;
        }
        Ok(())
    }

    /// Ends the transaction. One that timed out may have ended: only the answer tells what is in
    /// the topic now, and nothing else can be written before it has come.
    async fn end(&self, is_committed: bool) -> Result<(), ClientError> {
        loop {
            let ended = if is_committed {
                self.producer.commit_transaction().await
            } else {
                self.producer.abort_transaction().await
            };
            match ended {
                Err(error @ ClientError::Timeout { .. })
                    if !self.is_stopping.load(Ordering::Acquire) =>
                {
                    tracing::warn!(%error, "a change of the config topic is slow");
                }
                other => return other,
            }
        }
    }

    pub(crate) async fn close(&self) {
        if let Err(error) = self.producer.close().await {
            tracing::warn!(%error, "the producer of the config topic ended badly");
        }
    }
}

/// `state` falls back to PAUSED for STOPPED, so that workers older than KIP-875 stay safe.
fn target_json(target: TargetState) -> Json {
    let old = if target == TargetState::Stopped {
        TargetState::Paused
    } else {
        target
    };
    json!({ "state": old.name(), "state.v2": target.name() })
}

/// The topic's records, applied in order.
#[derive(Default)]
struct Replay {
    connectors: BTreeMap<String, StoredConnector>,
    /// Task configurations whose commit has not come yet, by connector and number.
    pending: BTreeMap<(String, usize), Properties>,
}

impl Replay {
    /// False if the record makes no sense. Records of other uses of the topic are let through.
    fn apply(&mut self, key: &str, value: Option<&[u8]>) -> bool {
        let json: Option<Json> = match value.map(serde_json::from_slice).transpose() {
            Ok(json) => json,
            Err(_) => return false,
        };
        if let Some(name) = key.strip_prefix("target-state-") {
            return self.apply_target(name, json);
        }
        if let Some(name) = key.strip_prefix("commit-") {
            return self.apply_commit(name, json);
        }
        if let Some(name) = key.strip_prefix("connector-") {
            let Some(json) = json else {
                // Its target state goes too: a new connector of the name starts afresh.
                self.connectors.remove(name);
                return true;
            };
            let Some(properties) = properties_of(&json) else {
                return false;
            };
            self.connectors
                .entry(name.to_owned())
                .or_default()
                .properties = Some(properties);
            return true;
        }
        if let Some(task) = key.strip_prefix("task-") {
            // Names may have dashes in them: the number is behind the last.
            let parts = task
                .rsplit_once('-')
                .and_then(|(name, n)| Some((name, n.parse().ok()?)));
            let Some((name, number)) = parts else {
                return false;
            };
            let Some(properties) = json.as_ref().and_then(properties_of) else {
                return json.is_none();
            };
            self.pending.insert((name.to_owned(), number), properties);
            return true;
        }
        true
    }

    fn apply_target(&mut self, name: &str, json: Option<Json>) -> bool {
        let Some(json) = json else {
            if let Some(stored) = self.connectors.get_mut(name) {
                stored.target = TargetState::Started;
            }
            return true;
        };
        let text = |key: &str| {
            json.get(key)
                .and_then(Json::as_str)
                .and_then(TargetState::parse)
        };
        let Some(target) = text("state.v2").or_else(|| text("state")) else {
            return false;
        };
        self.connectors.entry(name.to_owned()).or_default().target = target;
        true
    }

    fn apply_commit(&mut self, name: &str, json: Option<Json>) -> bool {
        let Some(json) = json else { return true };
        let count = json
            .get("tasks")
            .and_then(Json::as_u64)
            .and_then(|n| usize::try_from(n).ok());
        let Some(count) = count else { return false };
        let Some(stored) = self.connectors.get_mut(name) else {
            return true;
        };
        // After compaction a set may have lost members; the connector then makes a new one.
        let of = |n: usize| self.pending.get(&(name.to_owned(), n)).cloned();
        stored.tasks = (0..count).map_while(of).collect();
        if stored.tasks.len() < count {
            stored.tasks.clear();
        }
        true
    }
}

fn properties_of(json: &Json) -> Option<Properties> {
    let properties = json.get("properties")?.as_object()?;
    let text = |(key, value): (&String, &Json)| Some((key.clone(), value.as_str()?.to_owned()));
    properties.iter().map(text).collect()
}

#[cfg(test)]
mod tests;

//! How far sources have been read.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use headwater_client::{
    Client, ClientError, Consumer, ConsumerRecord, IsolationLevel, ProducerRecord,
};
use parking_lot::RwLock;
use serde_json::Value as Json;
use tokio::sync::Mutex;

use super::topic_reader::TopicReader;
use crate::data::{SourceOffset, SourcePartition};
use crate::spi::{ConnectError, SourceOffsets};

/// How long closing may take. It waits for nothing but the poll under way, which ends at once.
const CLOSE_LIMIT: Duration = Duration::from_secs(5);

/// A source partition with its keys in order, which is what makes two of them equal.
type Canonical = String;

struct Entry {
    /// The key as it stands in the topic. It is written the same way again, or compaction would
    /// keep both.
    key: Bytes,
    partition: SourcePartition,
    offset: SourceOffset,
}

type Offsets = HashMap<String, BTreeMap<Canonical, Entry>>;

/// Reads the offsets topic, read_committed, and makes the records that go into it.
#[derive(Clone)]
pub(crate) struct OffsetStore {
    topic: Arc<str>,
    /// The reader's, so that it can be closed while the reader is locked.
    consumer: Consumer,
    reader: Arc<Mutex<TopicReader>>,
    offsets: Arc<RwLock<Offsets>>,
}

impl OffsetStore {
    pub(crate) async fn open(client: &Client, topic: &str) -> Result<Self, ClientError> {
        let reader = TopicReader::open(client, topic, IsolationLevel::ReadCommitted).await?;
        Ok(Self {
            topic: topic.into(),
            consumer: reader.consumer(),
            reader: Arc::new(Mutex::new(reader)),
            offsets: Arc::default(),
        })
    }

    /// Takes in all that has been committed up to now.
    ///
    /// It may fail or be dropped midway: what the reader has passed by then has been taken in, so
    /// the next refresh goes on from there.
    pub(crate) async fn refresh(&self) -> Result<(), ClientError> {
        let mut reader = self.reader.lock().await;
        let take_in = |record: ConsumerRecord| {
            let key = record.key.unwrap_or_default();
            if !apply(&mut self.offsets.write(), &key, record.value.as_deref()) {
                let key = key.escape_ascii().to_string();
                tracing::warn!(key, "a record of the offsets topic is not understood");
            }
        };
        reader.read_to_end(take_in).await
    }

    /// The offsets of one connector, at least as of the last refresh.
    pub(crate) fn of_connector(&self, connector: &str) -> Vec<(SourcePartition, SourceOffset)> {
        let offsets = self.offsets.read();
        let entries = offsets
            .get(connector)
            .into_iter()
            .flat_map(BTreeMap::values);
        entries
            .map(|entry| (entry.partition.clone(), entry.offset.clone()))
            .collect()
    }

    /// The record that keeps an offset.
    pub(crate) fn record(
        &self,
        connector: &str,
        partition: &SourcePartition,
        offset: &SourceOffset,
    ) -> ProducerRecord {
        let known = self.offsets.read().get(connector).and_then(|entries| {
            entries
                .get(&canonical(partition))
                .map(|entry| entry.key.clone())
        });
        let key = known.unwrap_or_else(|| key_of(connector, partition));
        let value = Json::Object(offset.clone()).to_string();
        ProducerRecord {
            topic: self.topic.clone(),
            key: Some(key),
            value: Some(value.into()),
            ..ProducerRecord::default()
        }
    }

    /// Ends reading. A refresh under way ends with [`ClientError::Closed`], as do all others.
    pub(crate) async fn close(&self) {
        if tokio::time::timeout(CLOSE_LIMIT, self.consumer.close())
            .await
            .is_err()
        {
            tracing::warn!("the consumer of the offsets topic did not end in time");
        }
    }

    /// Where one connector's sources were read up to.
    pub(crate) fn reader_for(&self, connector: &str) -> Arc<dyn SourceOffsets> {
        Arc::new(ConnectorOffsets {
            store: self.clone(),
            connector: connector.to_owned(),
        })
    }
}

struct ConnectorOffsets {
    store: OffsetStore,
    connector: String,
}

#[async_trait]
impl SourceOffsets for ConnectorOffsets {
    async fn offset(
        &self,
        partition: &SourcePartition,
    ) -> Result<Option<SourceOffset>, ConnectError> {
        let offsets = self.store.offsets.read();
        let entry = offsets
            .get(&self.connector)
            .and_then(|all| all.get(&canonical(partition)));
        Ok(entry.map(|entry| entry.offset.clone()))
    }
}

fn key_of(connector: &str, partition: &SourcePartition) -> Bytes {
    Json::from(vec![Json::from(connector), Json::Object(partition.clone())])
        .to_string()
        .into()
}

fn canonical(partition: &SourcePartition) -> Canonical {
    let sorted: BTreeMap<&String, &Json> = partition.iter().collect();
    let parts = sorted
        .into_iter()
        .map(|(key, value)| format!("{}:{value}", Json::from(key.as_str())));
    parts.collect::<Vec<_>>().join(",")
}

fn apply(offsets: &mut Offsets, key: &[u8], value: Option<&[u8]>) -> bool {
    let Ok(Json::Array(parts)) = serde_json::from_slice::<Json>(key) else {
        return false;
    };
    let [Json::String(connector), Json::Object(partition)] = parts.as_slice() else {
        return false;
    };
    let entries = offsets.entry(connector.clone()).or_default();
    let offset = match value.map(serde_json::from_slice::<Json>) {
        None | Some(Ok(Json::Null)) => {
            entries.remove(&canonical(partition));
            return true;
        }
        Some(Ok(Json::Object(offset))) => offset,
        Some(_) => return false,
    };
    let partition = partition.clone();
    let key = Bytes::copy_from_slice(key);
    entries.insert(
        canonical(&partition),
        Entry {
            key,
            partition,
            offset,
        },
    );
    true
}

#[cfg(test)]
mod tests;

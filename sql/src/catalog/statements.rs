//! The statements that made the relations, kept in a compacted topic of one partition. A restart
//! reads them back; nothing else of the catalogue is stored.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use headwater_client::admin::NewTopic;
use headwater_client::{
    AutoOffsetReset, Client, ConsumerConfig, Producer, ProducerConfig, ProducerRecord,
    TopicPartition,
};
use serde::{Deserialize, Serialize};

use crate::SqlError;

/// The topic of the statements.
const STATEMENTS_TOPIC: &str = "_sql_statements";

/// Version of the record's JSON. Records of a later one are refused.
const VERSION: u32 = 1;

/// The name, which nothing can have, under which the last sequence number of what is gone is kept.
const RETIRED: &str = "";

/// A statement as it is stored, under the name of what it made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoredStatement {
    version: u32,
    /// Place in the order of statements; also tells apart things of the same name over time.
    pub(crate) sequence: u64,
    /// Name of what the statement made.
    pub(crate) name: String,
    /// The statement.
    pub(crate) sql: String,
    /// Set while what it made is being taken down: a restart completes that.
    pub(crate) dropping: bool,
}

impl StoredStatement {
    /// A statement that made `name`.
    pub(crate) fn new(sequence: u64, name: &str, sql: &str) -> Self {
        Self {
            version: VERSION,
            sequence,
            name: name.to_owned(),
            sql: sql.to_owned(),
            dropping: false,
        }
    }

    /// The same, marked as being taken down.
    pub(crate) fn being_dropped(self) -> Self {
        Self {
            dropping: true,
            ..self
        }
    }
}

/// The topic of statements, open for writing.
pub(crate) struct StatementLog {
    producer: Producer,
}

impl StatementLog {
    /// Creates the topic if it is missing and reads all statements, in their order, and the first
    /// sequence number that none has had.
    ///
    /// # Errors
    /// [`SqlError::Log`], or [`SqlError::Data`] for a record of a later version.
    pub(crate) async fn open(
        client: &Client,
    ) -> Result<(Self, Vec<StoredStatement>, u64), SqlError> {
        let topic = NewTopic::new(STATEMENTS_TOPIC, 1)
            .config("cleanup.policy", "compact")
            .config("retention.ms", "-1");
        super::ensure_topic(client, topic).await?;
        let mut statements = read_all(client).await?;
        let last = statements.iter().map(|statement| statement.sequence).max();
        statements.retain(|statement| statement.name != RETIRED);
        let producer = client.producer(ProducerConfig::default())?;
        let next = last.map_or(0, |last| last + 1);
        Ok((Self { producer }, statements, next))
    }

    /// Stores `statement`; done once the log has it.
    ///
    /// # Errors
    /// [`SqlError::Log`].
    pub(crate) async fn put(&self, statement: &StoredStatement) -> Result<(), SqlError> {
        let value = serde_json::to_vec(statement)
            .map_err(|e| SqlError::Application(format!("a statement cannot be stored: {e}")))?;
        self.send(&statement.name, Some(value.into())).await
    }

    /// Forgets the statement that made `name`, but not that sequence numbers up to `last` were
    /// given: what was made under one, the offsets of its group for instance, must never be taken
    /// for another's.
    ///
    /// # Errors
    /// [`SqlError::Log`].
    pub(crate) async fn remove(&self, name: &str, last: u64) -> Result<(), SqlError> {
        self.put(&StoredStatement::new(last, RETIRED, "")).await?;
        self.send(name, None).await
    }

    async fn send(&self, name: &str, value: Option<Bytes>) -> Result<(), SqlError> {
        let mut record = ProducerRecord::new(STATEMENTS_TOPIC, Bytes::new())
            .key(name.to_owned().into_bytes())
            .partition(0);
        record.value = value;
        self.producer.send(record).await?.await?;
        Ok(())
    }
}

async fn read_all(client: &Client) -> Result<Vec<StoredStatement>, SqlError> {
    let partition = TopicPartition::new(STATEMENTS_TOPIC, 0);
    let consumer = client.consumer(ConsumerConfig {
        enable_auto_commit: false,
        auto_offset_reset: AutoOffsetReset::Earliest,
        ..ConsumerConfig::default()
    })?;
    consumer.assign([partition.clone()])?;
    consumer.seek_to_beginning(std::slice::from_ref(&partition))?;
    let ends = consumer
        .end_offsets(std::slice::from_ref(&partition))
        .await?;
    let end = ends.get(&partition).copied().unwrap_or(0);
    let mut latest: BTreeMap<Bytes, Option<Bytes>> = BTreeMap::new();
    while end > 0 && consumer.position(&partition).unwrap_or(0) < end {
        for record in consumer.poll(Duration::from_millis(100)).await?.records()? {
            if let Some(key) = record.key {
                latest.insert(key, record.value);
            }
        }
    }
    consumer.close().await;
    let mut statements = Vec::with_capacity(latest.len());
    for (key, value) in latest {
        let Some(value) = value else { continue };
        let statement: StoredStatement = serde_json::from_slice(&value).map_err(|e| {
            SqlError::Data(format!(
                "the statement of {} in {STATEMENTS_TOPIC} cannot be read: {e}",
                String::from_utf8_lossy(&key)
            ))
        })?;
        if statement.version > VERSION {
            return Err(SqlError::Data(format!(
                "the statement of {} was written by a later release (version {}); start that",
                statement.name, statement.version
            )));
        }
        statements.push(statement);
    }
    statements.sort_by_key(|s| s.sequence);
    Ok(statements)
}

//! How a source's rows and offsets get into the log: in one transaction, or rows first.

use std::collections::BTreeMap;
use std::sync::Arc;

use headwater_client::{ClientError, Producer, ProducerConfig, ProducerRecord};

use super::Shared;
use crate::data::{SourceOffset, SourcePartition};

/// A batch is one partition's part of a poll; larger ones mean fewer requests per transaction.
const BATCH_BYTES: usize = 256 << 10;

/// Offsets that the next commit keeps: the last of each source partition.
pub(super) type Offsets = BTreeMap<String, (Arc<SourcePartition>, SourceOffset)>;

/// Writes for one task.
pub(super) struct SourceWriter {
    shared: Arc<Shared>,
    connector: Arc<str>,
    producer: Producer,
    is_transactional: bool,
    in_transaction: bool,
}

impl SourceWriter {
    /// Opens the task's producer. An exactly-once one ends the transaction that an earlier task
    /// of this name may have left open, and keeps that task from writing any more.
    pub(super) async fn open(
        shared: Arc<Shared>,
        connector: Arc<str>,
        task: usize,
        transaction_timeout: std::time::Duration,
    ) -> Result<Self, ClientError> {
        let is_transactional = shared.config.exactly_once_source;
        let group = &shared.config.group_id;
        let config = ProducerConfig {
            batch_size: BATCH_BYTES,
            transactional_id: is_transactional.then(|| format!("{group}-{connector}-{task}")),
            transaction_timeout,
            ..ProducerConfig::default()
        };
        let producer = shared.client.producer(config)?;
        if is_transactional {
            producer.init_transactions().await?;
        }
        Ok(Self {
            shared,
            connector,
            producer,
            is_transactional,
            in_transaction: false,
        })
    }

    /// Puts a record on its way.
    pub(super) async fn write(&mut self, record: ProducerRecord) -> Result<(), ClientError> {
        self.begin()?;
        // Failures of what is on its way are told by the commit.
        self.producer.send(record).await.map(drop)
    }

    fn begin(&mut self) -> Result<(), ClientError> {
        if self.is_transactional && !self.in_transaction {
            self.producer.begin_transaction()?;
            self.in_transaction = true;
        }
        Ok(())
    }

    /// Keeps everything written, then `offsets`; in a transaction both at once.
    pub(super) async fn commit(&mut self, offsets: &Offsets) -> Result<(), ClientError> {
        if !self.is_transactional {
            // An offset must never be kept before the rows it covers.
            self.producer.flush().await?;
        }
        if !offsets.is_empty() {
            self.begin()?;
        }
        for (partition, offset) in offsets.values() {
            let record = self
                .shared
                .offsets
                .record(&self.connector, partition, offset);
            self.producer.send(record).await.map(drop)?;
        }
        if !self.is_transactional {
            return self.producer.flush().await;
        }
        if self.in_transaction {
            self.commit_transaction().await?;
            self.in_transaction = false;
        }
        Ok(())
    }

    /// A commit that timed out may have happened: the answer must be awaited, or the rows would
    /// be read and written again.
    async fn commit_transaction(&self) -> Result<(), ClientError> {
        loop {
            match self.producer.commit_transaction().await {
                Err(error @ ClientError::Timeout { .. }) => {
                    tracing::warn!(%error, connector = &*self.connector, "a commit is slow");
                }
                other => return other,
            }
        }
    }

    /// Gives up what has not been committed.
    pub(super) async fn abort(&mut self) {
        if self.in_transaction {
            self.in_transaction = false;
            if let Err(error) = self.producer.abort_transaction().await {
                tracing::warn!(%error, connector = &*self.connector, "a transaction could not be aborted");
            }
        }
    }

    pub(super) async fn close(self) {
        if let Err(error) = self.producer.close().await {
            tracing::warn!(%error, connector = &*self.connector, "a producer ended badly");
        }
    }
}

//! Outputs and changelog records into the producer.

use std::collections::HashMap;
use std::sync::Arc;

use headwater_client::{
    AppendError, ClientError, Delivery, PartitionAppender, Producer, ProducerRecord,
    partition_for_key,
};
use headwater_wire::records::Header;

use crate::engine::{Output, RawChunk};
use crate::state::ChangelogRecord;

/// A producer with what is worth remembering between batches.
pub(super) struct Outlet {
    pub(super) producer: Producer,
    appenders: HashMap<(Arc<str>, i32), PartitionAppender>,
    sizes: HashMap<Arc<str>, i32>,
    /// Spreads records without a key over partitions, a batch at a time.
    keyless: u32,
}

impl Outlet {
    pub(super) fn new(producer: Producer) -> Self {
        Self {
            producer,
            appenders: HashMap::new(),
            sizes: HashMap::new(),
            keyless: 0,
        }
    }

    async fn partitions(&mut self, topic: &Arc<str>) -> Result<i32, ClientError> {
        if let Some(size) = self.sizes.get(topic) {
            return Ok(*size);
        }
        let size = self.producer.partitions_for(topic).await?;
        self.sizes.insert(topic.clone(), size);
        Ok(size)
    }

    fn appender(
        &mut self,
        topic: &Arc<str>,
        partition: i32,
    ) -> Result<PartitionAppender, ClientError> {
        let key = (topic.clone(), partition);
        if let Some(appender) = self.appenders.get(&key) {
            return Ok(appender.clone());
        }
        let appender = self.producer.appender(topic, partition)?;
        self.appenders.insert(key, appender.clone());
        Ok(appender)
    }

    /// Appends what a sink wrote. Returns when all of it is in the producer, not when it is
    /// acknowledged.
    pub(super) async fn produce(&mut self, output: Output) -> Result<(), ClientError> {
        let partitions = self.partitions(&output.topic).await?.max(1);
        let records = &output.records;
        self.keyless = self.keyless.wrapping_add(1);
        let keyless = i32::try_from(self.keyless % partitions.unsigned_abs()).unwrap_or(0);
        let mut rows: Vec<Vec<u32>> = vec![Vec::new(); partitions.unsigned_abs() as usize];
        for (row, key) in (0_u32..).zip(records.keys.iter()) {
            let partition = match (&output.partitioner, key) {
                (Some(choose), key) => choose(key, records.values.get(row as usize), partitions),
                (None, Some(key)) => partition_for_key(key, partitions),
                (None, None) => keyless,
            };
            let partition = partition.clamp(0, partitions - 1);
            if let Some(rows) = rows.get_mut(partition.unsigned_abs() as usize) {
                rows.push(row);
            }
        }
        for (partition, rows) in (0..).zip(rows) {
            if !rows.is_empty() {
                self.append_rows(&output.topic, partition, records, &rows)
                    .await?;
            }
        }
        Ok(())
    }

    async fn append_rows(
        &mut self,
        topic: &Arc<str>,
        partition: i32,
        records: &RawChunk,
        rows: &[u32],
    ) -> Result<(), ClientError> {
        let appender = self.appender(topic, partition)?;
        let mut next = 0;
        while next < rows.len() {
            match append_some(&appender, records, rows, &mut next) {
                Ok(()) => {}
                Err(AppendError::QueueFull(_)) => self.producer.has_room().await,
                Err(AppendError::Rejected(error)) => return Err(error),
            }
        }
        Ok(())
    }

    /// Appends changes of a store to its changelog. The delivery is that of the last record.
    pub(super) async fn log_changes(
        &mut self,
        topic: &Arc<str>,
        partition: i32,
        mut changes: Vec<ChangelogRecord>,
    ) -> Result<Option<Delivery>, ClientError> {
        let Some(last) = changes.pop() else {
            return Ok(None);
        };
        let appender = self.appender(topic, partition)?;
        let mut next = 0;
        while next < changes.len() {
            match append_changes(&appender, &changes, &mut next) {
                Ok(()) => {}
                Err(AppendError::QueueFull(_)) => self.producer.has_room().await,
                Err(AppendError::Rejected(error)) => return Err(error),
            }
        }
        let delivery = self
            .producer
            .send(ProducerRecord {
                topic: topic.clone(),
                partition: Some(partition),
                timestamp: Some(last.timestamp),
                key: Some(last.key),
                value: last.value,
                headers: Vec::new(),
            })
            .await?;
        Ok(Some(delivery))
    }
}

/// Appends under one lock for as long as there is room.
fn append_some(
    appender: &PartitionAppender,
    records: &RawChunk,
    rows: &[u32],
    next: &mut usize,
) -> Result<(), AppendError> {
    let mut guard = appender.lock().map_err(AppendError::Rejected)?;
    while let Some(row) = rows.get(*next).map(|row| *row as usize) {
        let timestamp = records.meta.timestamps.get(row).copied().unwrap_or(-1);
        let (key, value) = (records.keys.get(row), records.values.get(row));
        match records.meta.headers.as_ref().and_then(|all| all.get(row)) {
            Some(headers) if !headers.is_empty() => {
                let headers: Vec<Header<'_>> = headers
                    .iter()
                    .map(|header| Header {
                        key: &header.key,
                        value: header.value.as_deref(),
                    })
                    .collect();
                guard.append(timestamp, key, value, &headers)?;
            }
            _ => guard.append(timestamp, key, value, &[])?,
        }
        *next += 1;
    }
    Ok(())
}

fn append_changes(
    appender: &PartitionAppender,
    changes: &[ChangelogRecord],
    next: &mut usize,
) -> Result<(), AppendError> {
    let mut guard = appender.lock().map_err(AppendError::Rejected)?;
    while let Some(change) = changes.get(*next) {
        guard.append(
            change.timestamp,
            Some(&change.key),
            change.value.as_deref(),
            &[],
        )?;
        *next += 1;
    }
    Ok(())
}

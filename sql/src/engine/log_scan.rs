//! A stream as a batch table: its topic read from the start to where it ended when the query began.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::error::DataFusionError;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use futures::stream;
use headwater_client::{
    AutoOffsetReset, Client, Consumer, ConsumerConfig, IsolationLevel, TopicPartition,
};

use crate::SqlError;
use crate::ops::{Record, ScanPlan};

/// Longest wait of one poll.
const POLL: Duration = Duration::from_millis(500);

/// One partition of a stream, up to an offset.
pub(super) struct PartitionScan {
    pub(super) client: Client,
    pub(super) partition: TopicPartition,
    /// Where the scan ends, exclusive.
    pub(super) end: i64,
    pub(super) plan: Arc<ScanPlan>,
    pub(super) schema: SchemaRef,
}

impl std::fmt::Debug for PartitionScan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PartitionScan({} to {})", self.partition, self.end)
    }
}

struct Reading {
    consumer: Consumer,
    partition: TopicPartition,
    end: i64,
    plan: Arc<ScanPlan>,
}

impl PartitionStream for PartitionScan {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let reading = self
            .open()
            .map_err(|e| DataFusionError::External(Box::new(e)));
        let batches = stream::unfold(Some(reading), |state| async {
            match state? {
                Err(error) => Some((Err(error), None)),
                Ok(reading) => match reading.next().await {
                    Ok(None) => None,
                    Ok(Some(batch)) => Some((Ok(batch), Some(Ok(reading)))),
                    Err(error) => Some((Err(DataFusionError::External(Box::new(error))), None)),
                },
            }
        });
        Box::pin(RecordBatchStreamAdapter::new(
            Arc::clone(&self.schema),
            batches,
        ))
    }
}

impl PartitionScan {
    fn open(&self) -> Result<Reading, SqlError> {
        let consumer = self.client.consumer(ConsumerConfig {
            enable_auto_commit: false,
            auto_offset_reset: AutoOffsetReset::Earliest,
            isolation_level: IsolationLevel::ReadCommitted,
            allow_auto_create_topics: false,
            max_poll_records: 5_000,
            ..ConsumerConfig::default()
        })?;
        consumer.assign(vec![self.partition.clone()])?;
        consumer.seek_to_beginning(std::slice::from_ref(&self.partition))?;
        Ok(Reading {
            consumer,
            partition: self.partition.clone(),
            end: self.end,
            plan: Arc::clone(&self.plan),
        })
    }
}

impl Reading {
    async fn next(&self) -> Result<Option<RecordBatch>, SqlError> {
        while self.end > 0
            && self
                .consumer
                .position(&self.partition)
                .is_none_or(|p| p < self.end)
        {
            let records = match self.consumer.poll(POLL).await {
                Ok(batches) => batches.records()?,
                Err(error) if error.is_retriable() => continue,
                Err(error) => return Err(error.into()),
            };
            let records: Vec<Record<'_>> = records
                .iter()
                .filter(|r| r.offset < self.end)
                .map(|r| Record {
                    key: r.key.as_deref(),
                    value: r.value.as_deref(),
                    timestamp: r.timestamp,
                    partition: r.partition,
                    offset: r.offset,
                })
                .collect();
            if !records.is_empty() {
                return Ok(Some(self.plan.scan(&records)?.rows.batch));
            }
        }
        Ok(None)
    }
}

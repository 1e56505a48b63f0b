//! A node on a simulated disk, stepped by the test, and batches to append.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of several tests, which fail by panicking"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use headwater_env::sim::{SimClock, SimDisk};
use headwater_env::{Clock, Disk, Timestamp};
use headwater_storage::{
    Background, FailStop, JournalOptions, KnownPartition, LogConfig, PartitionLog, Recovery,
    Storage, StorageOptions, TopicPartitionId,
};
use headwater_wire::records::{
    BatchBuilder, BatchOptions, ControlMarker, RecordBatch, TransactionResult, control_batch,
};
use uuid::Uuid;

/// Notes that the storage would have ended the process.
#[derive(Debug, Default)]
pub struct Stops(pub AtomicUsize);

impl FailStop for Stops {
    fn fail_stop(&self, reason: &str) {
        println!("fail-stop: {reason}");
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Stops {
    pub fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

pub struct Node {
    pub disk: SimDisk,
    pub clock: Arc<SimClock>,
    pub stops: Arc<Stops>,
    pub storage: Storage,
    pub recovery: Recovery,
}

/// Small everything, so that a short test rolls, recycles and checkpoints often.
pub fn small_options(stops: &Arc<Stops>) -> StorageOptions {
    let mut options = StorageOptions::new("/data", "cluster", 1);
    options.journal = JournalOptions {
        file_bytes: 64 << 10,
        first_file_bytes: 32 << 10,
        files_max: 3,
        group_bytes: 16 << 10,
        ..JournalOptions::default()
    };
    options.background = Background::Stepped;
    options.sync_bytes = 2 << 10;
    options.relaxed_sync_bytes = 1 << 10;
    options.fail_stop = Arc::clone(stops) as Arc<dyn FailStop>;
    options
}

pub fn small_config() -> LogConfig {
    LogConfig {
        segment_bytes: 4096,
        index_interval_bytes: 256,
        ..LogConfig::default()
    }
}

pub fn id(topic: u128, partition: i32) -> TopicPartitionId {
    TopicPartitionId {
        topic: Uuid::from_u128(topic),
        partition,
    }
}

pub fn known(id: TopicPartitionId, config: &LogConfig) -> KnownPartition {
    KnownPartition {
        id,
        name: format!("topic-{}", id.topic.as_u128()),
        config: config.clone(),
    }
}

impl Node {
    pub fn start(disk: &SimDisk, known: &[KnownPartition]) -> Self {
        Self::try_start(disk, known).unwrap()
    }

    pub fn try_start(
        disk: &SimDisk,
        known: &[KnownPartition],
    ) -> Result<Self, headwater_storage::OpenError> {
        let stops = Arc::new(Stops::default());
        Self::start_with(disk, known, small_options(&stops), stops)
    }

    pub fn start_with(
        disk: &SimDisk,
        known: &[KnownPartition],
        options: StorageOptions,
        stops: Arc<Stops>,
    ) -> Result<Self, headwater_storage::OpenError> {
        let clock = Arc::new(SimClock::new(Timestamp::from_millis(1_000_000)));
        let storage = Storage::open(
            Arc::new(disk.clone()) as Arc<dyn Disk>,
            Arc::clone(&clock) as Arc<dyn Clock>,
            options,
        )?;
        let recovery = storage.recover(known)?;
        Ok(Self {
            disk: disk.clone(),
            clock,
            stops,
            storage,
            recovery,
        })
    }

    pub fn partition(&self, id: TopicPartitionId) -> Arc<PartitionLog> {
        self.storage.partition(&id).unwrap()
    }

    pub fn create(&self, id: TopicPartitionId, config: &LogConfig) -> Arc<PartitionLog> {
        self.storage
            .create_partition(id, "topic", config.clone())
            .unwrap()
    }

    pub fn commit(&self) {
        while self.storage.step_journal().unwrap() {}
    }
}

/// Values of one batch.
pub fn batch(values: &[&[u8]]) -> RecordBatch {
    let mut builder = BatchBuilder::new(BatchOptions::default());
    for (n, value) in values.iter().enumerate() {
        builder
            .append(1_000 + n as i64, None, Some(value), &[])
            .unwrap();
    }
    parse(builder.build().unwrap())
}

/// A batch of an idempotent or transactional producer.
pub fn producer_batch(
    producer_id: i64,
    epoch: i16,
    sequence: i32,
    values: &[&[u8]],
    is_transactional: bool,
) -> RecordBatch {
    let mut builder = BatchBuilder::new(BatchOptions {
        producer_id,
        producer_epoch: epoch,
        base_sequence: sequence,
        is_transactional,
        ..BatchOptions::default()
    });
    for value in values {
        builder.append(1_000, Some(b"k"), Some(value), &[]).unwrap();
    }
    parse(builder.build().unwrap())
}

/// A batch of keyed records; `None` is a tombstone.
pub fn keyed_batch(timestamp: i64, records: &[(&str, Option<&str>)]) -> RecordBatch {
    let mut builder = BatchBuilder::new(BatchOptions::default());
    for (key, value) in records {
        let value = value.map(str::as_bytes);
        builder
            .append(timestamp, Some(key.as_bytes()), value, &[])
            .unwrap();
    }
    parse(builder.build().unwrap())
}

pub fn marker(producer_id: i64, epoch: i16, result: TransactionResult) -> RecordBatch {
    let marker = ControlMarker {
        result,
        coordinator_epoch: 0,
    };
    parse(control_batch(marker, producer_id, epoch, 1_000).unwrap())
}

pub fn parse(bytes: Bytes) -> RecordBatch {
    let mut bytes = bytes;
    RecordBatch::split_from(&mut bytes).unwrap().unwrap()
}

/// All batches that can be read from `from` on, checksums verified.
pub fn read_all(log: &PartitionLog, from: i64) -> Vec<RecordBatch> {
    let mut batches: Vec<RecordBatch> = Vec::new();
    let end = log.durable_end_offset();
    let mut offset = from;
    while offset < end {
        let mut bytes = log.read(offset, 700, true, i64::MAX).unwrap();
        if bytes.is_empty() {
            break;
        }
        while let Some(batch) = RecordBatch::split_from(&mut bytes).unwrap() {
            batch.verify_crc().unwrap();
            offset = batch.header.next_offset();
            batches.push(batch);
        }
        assert!(bytes.is_empty(), "a read ends with a whole batch");
    }
    batches
}

/// Keys and values that can be read, in order.
pub fn contents(log: &PartitionLog) -> Vec<(i64, Option<String>, Option<String>)> {
    let text = |bytes: Option<&[u8]>| bytes.map(|b| String::from_utf8_lossy(b).into_owned());
    let mut found = Vec::new();
    for batch in read_all(log, log.log_start_offset()) {
        if batch.header.is_control() {
            continue;
        }
        let records = batch.records().unwrap();
        for record in records.iter() {
            let record = record.unwrap();
            found.push((record.offset, text(record.key), text(record.value)));
        }
    }
    found
}

//! The append path with group commit on this machine's disk: 12 partitions, every append waited for
//! until it is durable, 16 in flight.

#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a benchmark stops at the first error"
)]

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use headwater_env::{RealDisk, SystemClock};
use headwater_storage::{
    AppendOrigin, LogConfig, Lsn, PartitionLog, Storage, StorageOptions, TopicPartitionId,
};
use headwater_wire::records::{BatchBuilder, BatchOptions, RecordBatch};
use uuid::Uuid;

const PARTITIONS: i32 = 12;
const IN_FLIGHT: usize = 16;

fn batch(records: usize) -> RecordBatch {
    let mut builder = BatchBuilder::new(BatchOptions::default());
    for _ in 0..records {
        builder
            .append(1_000, None, Some(&[b'x'; 100]), &[])
            .unwrap();
    }
    RecordBatch::split_from(&mut builder.build().unwrap())
        .unwrap()
        .unwrap()
}

fn appends(criterion: &mut Criterion) {
    let dir = tempfile::tempdir().unwrap();
    let options = StorageOptions::new(dir.path(), "cluster", 1);
    let clock = Arc::new(SystemClock::new());
    let storage = Storage::open(Arc::new(RealDisk::new()), clock, options).unwrap();
    storage.recover(&[]).unwrap();
    let config = LogConfig {
        segment_bytes: 64 << 20,
        ..LogConfig::default()
    };
    let logs: Vec<Arc<PartitionLog>> = (0..PARTITIONS)
        .map(|partition| {
            let id = TopicPartitionId {
                topic: Uuid::from_u128(1),
                partition,
            };
            storage
                .create_partition(id, "bench", config.clone())
                .unwrap()
        })
        .collect();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let mut group = criterion.benchmark_group("durable_append");
    group.sample_size(10);
    for records in [1, 10, 1_000] {
        let batch = batch(records);
        group.throughput(Throughput::Elements((records * IN_FLIGHT) as u64));
        let mut next = 0;
        group.bench_with_input(
            BenchmarkId::from_parameter(records),
            &batch,
            |bencher, batch| {
                bencher.iter(|| {
                    let mut last = Lsn::ZERO;
                    for _ in 0..IN_FLIGHT {
                        next = (next + 1) % logs.len();
                        let log = &logs[next];
                        let batches = std::slice::from_ref(batch);
                        last = log
                            .append(black_box(batches), AppendOrigin::Client)
                            .unwrap()
                            .lsn;
                    }
                    runtime.block_on(storage.wait_durable(last)).unwrap();
                });
            },
        );
        for log in &logs {
            log.delete_records_before(log.durable_end_offset()).unwrap();
        }
    }
    group.finish();
    storage.shutdown().unwrap();
}

criterion_group!(benches, appends);
criterion_main!(benches);

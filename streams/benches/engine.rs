//! What a task does on one core, without a log: parse, look up, fold, commit.

#![allow(clippy::unwrap_used, missing_docs)] // A benchmark may panic; criterion makes the items.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Duration;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use headwater_streams::dsl::{KTable, StreamsBuilder, TimeWindows};
use headwater_streams::engine::{InputPosition, Task, TaskConfig, TaskId, Topology};
use headwater_streams::state::{ByteStore, MemoryBackend, StateBackend, Store, StoreId};
use headwater_wire::records::{BatchBuilder, BatchOptions, RecordBatch};

const BATCHES: usize = 250;
const BATCH: usize = 2_000;
const RECORDS: usize = BATCHES * BATCH;
const KEYS: u64 = 5_000;

/// Batches of records with keys like words and values of 20 bytes, a millisecond apart.
fn batches(keys: u64) -> Vec<RecordBatch> {
    let mut state = 1_u64;
    let mut at = 0_i64;
    (0..BATCHES)
        .map(|batch| {
            let base_offset = i64::try_from(batch * BATCH).unwrap();
            let mut builder = BatchBuilder::new(BatchOptions {
                base_offset,
                ..BatchOptions::default()
            });
            for _ in 0..BATCH {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                let key = format!("word{:06}", (state >> 33) % keys);
                at += 1;
                builder
                    .append(at, Some(key.as_bytes()), Some(b"12345678901234567890"), &[])
                    .unwrap();
            }
            let mut bytes: Bytes = builder.build().unwrap();
            RecordBatch::split_from(&mut bytes).unwrap().unwrap()
        })
        .collect()
}

fn task(topology: &Topology, topics: &[&str]) -> Task {
    let backend = MemoryBackend::new();
    let stores = topology.stores().iter().map(|spec| {
        let id = StoreId {
            store: spec.name.clone(),
            partition: 0,
        };
        let part = backend.open(&id).unwrap();
        Store::new(ByteStore::open(spec, 0, part, uuid::Uuid::nil()).unwrap())
    });
    let inputs: Vec<InputPosition> = topics
        .iter()
        .map(|topic| InputPosition {
            topic: (*topic).to_owned(),
            partition: 0,
            offset: 0,
            metadata: String::new(),
        })
        .collect();
    let id = TaskId {
        subtopology: 0,
        partition: 0,
    };
    Task::new(
        topology,
        id,
        stores.collect(),
        &inputs,
        &TaskConfig::new("bench"),
    )
    .unwrap()
}

/// Processes all batches with a commit every 100,000 records.
fn drive(task: &mut Task, batches: &[RecordBatch]) {
    let mut since_commit = 0;
    for batch in batches {
        task.add_batch("in", 0, batch).unwrap();
        since_commit += task.process(usize::MAX, 0).unwrap();
        if since_commit >= 100_000 {
            since_commit = 0;
            task.prepare_commit(0).unwrap();
            black_box(task.take_outputs());
            black_box(task.changes());
            task.committed(&BTreeMap::new());
        }
    }
}

fn engine(c: &mut Criterion) {
    let batches = batches(KEYS);
    let mut group = c.benchmark_group("engine");
    group.throughput(Throughput::Elements(RECORDS as u64));
    group
        .sample_size(10)
        .measurement_time(Duration::from_secs(4));

    let b = StreamsBuilder::new();
    b.stream::<String, String>("in")
        .group_by_key()
        .count("counts")
        .to_stream()
        .to("out");
    let count = b.build().unwrap();
    group.bench_function("count", |bench| {
        bench.iter(|| drive(&mut task(&count, &["in"]), &batches));
    });

    let b = StreamsBuilder::new();
    b.stream::<String, String>("in")
        .group_by_key()
        .windowed_by(TimeWindows::of(Duration::from_secs(10)))
        .count("windows")
        .to_stream()
        .to("out");
    let windowed = b.build().unwrap();
    group.bench_function("windowed count", |bench| {
        bench.iter(|| drive(&mut task(&windowed, &["in"]), &batches));
    });

    let b = StreamsBuilder::new();
    let table: KTable<String, String> = b.table("rows", "rows");
    b.stream::<String, String>("in")
        .join(&table, |v, _| v.len() as i64)
        .to("out");
    let join = b.build().unwrap();
    group.bench_function("stream-table join", |bench| {
        bench.iter(|| {
            let mut task = task(&join, &["in", "rows"]);
            task.add_batch("rows", 0, &batches[0]).unwrap();
            task.set_fetched("rows", 0, 0, Some(0)).unwrap();
            drive(&mut task, &batches);
        });
    });
    group.finish();
}

criterion_group!(benches, engine);
criterion_main!(benches);

//! What a broker does to the bytes of an uncompressed batch before it appends them: the checksum
//! alone, and with the walk over its records. Batches of 16 KiB.

#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a benchmark stops at the first error"
)]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use headwater_wire::records::{BatchBuilder, BatchOptions, Header, RecordBatch};

const BATCH_BYTES: usize = 16 * 1024;

/// A batch of as many records as fit, sent one by one in the course of some milliseconds.
fn batch(key: Option<&[u8]>, value: &[u8], headers: &[Header<'_>]) -> RecordBatch {
    let mut builder = BatchBuilder::new(BatchOptions::default());
    let record_bytes = value.len() + 16;
    for index in 0..BATCH_BYTES / record_bytes {
        let timestamp = 1_700_000_000_000 + index as i64 / 16;
        builder
            .append(timestamp, key, Some(value), headers)
            .unwrap();
    }
    RecordBatch::split_from(&mut builder.build().unwrap())
        .unwrap()
        .unwrap()
}

fn produced(criterion: &mut Criterion) {
    let headers = [
        Header {
            key: "traceparent",
            value: Some(&[b'0'; 55]),
        },
        Header {
            key: "source",
            value: Some(b"till-17"),
        },
    ];
    let batches = [
        ("100 B", batch(None, &[b'x'; 100], &[])),
        ("1 KiB", batch(None, &[b'x'; 1024], &[])),
        (
            "100 B, key and two headers",
            batch(Some(b"customer-4711"), &[b'x'; 100], &headers),
        ),
    ];
    for (name, batch) in &batches {
        let mut group = criterion.benchmark_group(*name);
        let records = u64::try_from(batch.header.record_count).unwrap();
        group.throughput(Throughput::Elements(records));
        group.bench_function("checksum", |bencher| {
            bencher.iter(|| black_box(batch).verify_crc().unwrap());
        });
        group.bench_function("checksum and walk", |bencher| {
            bencher.iter(|| {
                black_box(batch).verify_crc().unwrap();
                batch.records().unwrap().check().unwrap()
            });
        });
        group.finish();
    }
}

criterion_group!(benches, produced);
criterion_main!(benches);

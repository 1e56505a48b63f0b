//! How much memory decoding takes, counted.
//!
//! One test, since the counters are the process's.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests count as outside tests"
)]

#[path = "oracle/generate.rs"]
mod generate;

use std::alloc::System;

use bytes::Bytes;
use headwater_wire::messages::produce::*;
use headwater_wire::records::*;
use headwater_wire::{Decoder, Encoder, Message, RequestKind, ResponseKind, catalog, messages};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, Stats, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn counted<T>(run: impl FnOnce() -> T) -> (T, Stats) {
    let region = Region::new(ALLOCATOR);
    let result = run();
    let stats = region.change();
    (result, stats)
}

#[test]
fn memory_is_bounded_by_the_bytes_that_are_there() {
    records_are_walked_without_allocating();
    produce_allocates_by_partition_not_by_record();
    lying_counts_reserve_nothing();
    dense_input_stops_at_the_budget();
    bombs_stop_at_the_cap();
    any_input_stays_within_its_bound();
}

fn batch_of(records: usize) -> Bytes {
    let mut builder = BatchBuilder::new(BatchOptions::default());
    let headers = [Header {
        key: "trace",
        value: Some(b"1"),
    }];
    for _ in 0..records {
        builder
            .append(1, Some(b"key"), Some(&[7; 100]), &headers)
            .unwrap();
    }
    builder.build().unwrap()
}

fn records_are_walked_without_allocating() {
    let mut bytes = batch_of(10_000);
    let batch = RecordBatch::split_from(&mut bytes).unwrap().unwrap();
    let ((), stats) = counted(|| {
        batch.verify_crc().unwrap();
        let records = batch.records().unwrap();
        let headers: usize = records
            .iter()
            .map(|record| record.unwrap().headers.iter().flatten().count())
            .sum();
        assert_eq!(headers, 10_000);
    });
    assert_eq!(stats.allocations, 0, "{stats:?}");
}

fn produce_allocates_by_partition_not_by_record() {
    let encode = |records: usize| {
        let partition_data = (0..10)
            .map(|index| PartitionProduceData {
                index,
                records: Some(batch_of(records)),
            })
            .collect();
        let topic_data = vec![TopicProduceData {
            partition_data,
            ..Default::default()
        }];
        let request = ProduceRequest {
            topic_data,
            ..Default::default()
        };
        let mut out = Encoder::new();
        request.encode(&mut out, 9).unwrap();
        out.into_bytes()
    };
    for records in [1, 1_000] {
        let bytes = encode(records);
        let (request, stats) =
            counted(|| ProduceRequest::decode(&mut Decoder::new(bytes.clone()), 9).unwrap());
        assert_eq!(request.topic_data[0].partition_data.len(), 10);
        // The two arrays, and the reference count that the slices share.
        assert!(stats.allocations <= 3, "{stats:?}");
        assert!(stats.bytes_allocated < 2_000, "{stats:?}");
    }
}

fn lying_counts_reserve_nothing() {
    // 2^31 - 1 topics in a metadata request, 2^31 - 2 of them in the flexible encoding.
    for (version, bytes) in [(1, &b"\x7f\xff\xff\xff"[..]), (9, b"\xff\xff\xff\xff\x07")] {
        let bytes = Bytes::copy_from_slice(bytes);
        let (result, stats) = counted(|| {
            messages::metadata::MetadataRequest::decode(&mut Decoder::new(bytes), version)
        });
        assert!(result.is_err());
        assert!(stats.bytes_allocated < 512, "{stats:?}");
    }

    // A batch of a header alone that claims 2^31 - 1 records.
    let mut header = batch_of(1)[..BATCH_HEADER_LEN].to_vec();
    header[8..12].copy_from_slice(&49i32.to_be_bytes());
    header[23..27].copy_from_slice(&(i32::MAX - 1).to_be_bytes());
    header[57..61].copy_from_slice(&i32::MAX.to_be_bytes());
    let header = Bytes::from(header);
    let (result, stats) = counted(|| {
        let batch = RecordBatch::split_from(&mut header.clone())
            .unwrap()
            .unwrap();
        batch.records().map(drop)
    });
    assert!(result.is_err());
    assert!(stats.bytes_allocated < 512, "{stats:?}");

    // A raw snappy block, and a framed one, that claim 4 GiB.
    for bytes in [
        &b"\xff\xff\xff\xff\x0f"[..],
        b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01\x7f\xff\xff\xff",
    ] {
        let limits = DecompressionLimits::default();
        let (result, stats) = counted(|| Compression::Snappy.decompress(bytes, limits).map(drop));
        assert!(result.is_err());
        assert!(stats.bytes_allocated < 512, "{stats:?}");
    }
}

fn dense_input_stops_at_the_budget() {
    // One-byte names: each takes far more memory than bytes.
    let names = 1_000_000;
    let mut out = Encoder::new();
    out.set_flexible(true);
    out.put_array_len(Some(names)).unwrap();
    let mut bytes = out.into_bytes().to_vec();
    bytes.resize(bytes.len() + names, 1);
    let bytes = Bytes::from(bytes);
    let (result, stats) = counted(|| {
        messages::describe_groups::DescribeGroupsRequest::decode(&mut Decoder::new(bytes), 5)
    });
    assert!(result.is_err());
    assert!(stats.bytes_allocated < 1_024, "{stats:?}");
}

fn bombs_stop_at_the_cap() {
    let zeros = vec![0; 16 << 20];
    let limits = DecompressionLimits {
        max_bytes: 1 << 20,
        max_ratio: 100_000,
        ratio_floor: 0,
    };
    for codec in [
        Compression::Gzip,
        Compression::Snappy,
        Compression::Lz4,
        Compression::Zstd,
    ] {
        let bomb = codec.compress(&zeros, None, Vec::new()).unwrap();
        let (result, stats) = counted(|| codec.decompress(&bomb, limits).map(drop));
        assert_eq!(
            result,
            Err(BatchError::DecompressedTooLarge { limit: 1 << 20 }),
            "{codec}"
        );
        // The output as it doubled on its way to the cap.
        assert!(stats.bytes_allocated < 5 << 20, "{codec} {stats:?}");
    }
}

/// Memory for an input of `length` bytes: the decoder's budget, twice over for vectors that grow.
fn bound(length: usize) -> usize {
    2 * (length * 16 + 64 * 1024)
}

fn any_input_stays_within_its_bound() {
    let mut seed = 1u64;
    for round in 0..60 {
        let mut bytes = vec![0u8; 16 << (round % 8)];
        for byte in &mut bytes {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            // Mostly small bytes, which make believable lengths.
            let any = (seed >> 33) as u8;
            *byte = if any < 200 { any % 3 } else { any };
        }
        let bytes = Bytes::from(bytes);
        for api in catalog::APIS {
            let version = api.min_version + round % (api.max_version - api.min_version + 1);
            let (_, stats) = counted(|| {
                RequestKind::decode(api.key, version, &mut Decoder::new(bytes.clone())).is_ok()
            });
            assert!(
                stats.bytes_allocated <= bound(bytes.len()),
                "{} {stats:?}",
                api.name()
            );
            let (_, stats) = counted(|| {
                ResponseKind::decode(api.key, version, &mut Decoder::new(bytes.clone())).is_ok()
            });
            assert!(
                stats.bytes_allocated <= bound(bytes.len()),
                "{} {stats:?}",
                api.name()
            );
        }
    }
    // The budget is generous enough for what is real: 10,000 topics with names of three letters.
    let topics = (0..10_000)
        .map(|_| messages::metadata::MetadataRequestTopic {
            name: Some("abc".into()),
            ..Default::default()
        })
        .collect();
    let request = messages::metadata::MetadataRequest {
        topics: Some(topics),
        ..Default::default()
    };
    for version in 0..=13 {
        let mut out = Encoder::new();
        request.encode(&mut out, version).unwrap();
        let decoded = messages::metadata::MetadataRequest::decode(
            &mut Decoder::new(out.into_bytes()),
            version,
        );
        assert_eq!(decoded.as_ref(), Ok(&request));
    }
    for seed in 0..200 {
        for version in 0..=13 {
            let bytes = generate::message::<messages::metadata::MetadataResponse>(version, seed);
            let bytes = Bytes::from(bytes);
            let (message, stats) = counted(|| {
                messages::metadata::MetadataResponse::decode(
                    &mut Decoder::new(bytes.clone()),
                    version,
                )
            });
            message.unwrap();
            assert!(stats.bytes_allocated <= bound(bytes.len()));
        }
    }
}

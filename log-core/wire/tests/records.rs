//! Record batches: what is built comes back, and what is broken is refused.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests count as outside tests"
)]

use bytes::Bytes;
use headwater_wire::records::*;
use proptest::prelude::*;

type OwnedHeader = (String, Option<Vec<u8>>);
type OwnedRecord = (i64, Option<Vec<u8>>, Option<Vec<u8>>, Vec<OwnedHeader>);

fn build(options: BatchOptions, records: &[OwnedRecord]) -> Bytes {
    let mut builder = BatchBuilder::new(options);
    for (timestamp, key, value, headers) in records {
        let headers: Vec<_> = headers
            .iter()
            .map(|(key, value)| Header {
                key,
                value: value.as_deref(),
            })
            .collect();
        let before = builder.size_in_bytes();
        let bound = BatchBuilder::record_size_max(key.as_deref(), value.as_deref(), &headers);
        builder
            .append(*timestamp, key.as_deref(), value.as_deref(), &headers)
            .unwrap();
        assert!(builder.size_in_bytes() - before <= bound);
    }
    builder.build().unwrap()
}

fn only_batch(mut bytes: Bytes) -> RecordBatch {
    let batch = RecordBatch::split_from(&mut bytes).unwrap().unwrap();
    assert!(bytes.is_empty());
    batch
}

fn owned(records: &Records) -> Vec<OwnedRecord> {
    records
        .iter()
        .map(|record| {
            let record = record.unwrap();
            let body = records.body();
            assert_eq!(record.key, record.key_range().map(|range| &body[range]));
            assert_eq!(record.value, record.value_range().map(|range| &body[range]));
            let headers = record.headers.iter().map(|header| {
                let header = header.unwrap();
                (header.key.to_owned(), header.value.map(<[u8]>::to_vec))
            });
            (
                record.timestamp,
                record.key.map(<[u8]>::to_vec),
                record.value.map(<[u8]>::to_vec),
                headers.collect(),
            )
        })
        .collect()
}

fn any_bytes() -> impl Strategy<Value = Option<Vec<u8>>> {
    proptest::option::of(prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..40),
        (any::<u8>(), 0..5_000usize).prop_map(|(byte, len)| vec![byte; len]),
    ])
}

fn any_records() -> impl Strategy<Value = Vec<OwnedRecord>> {
    let headers = proptest::collection::vec((".{0,8}", any_bytes()), 0..4);
    proptest::collection::vec((any::<i64>(), any_bytes(), any_bytes(), headers), 1..20)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn records_come_back_through_every_codec(records in any_records()) {
        for compression in Compression::ALL {
            let options = BatchOptions { compression, base_offset: 70, ..Default::default() };
            let batch = only_batch(build(options, &records));
            batch.verify_crc().unwrap();
            prop_assert_eq!(batch.header.compression().unwrap(), compression);
            prop_assert_eq!(batch.header.next_offset(), 70 + records.len() as i64);
            prop_assert_eq!(&batch.header.to_bytes(), &batch.bytes[..BATCH_HEADER_LEN]);
            let read = batch.records().unwrap();
            let offsets: Vec<_> = read.iter().map(|record| record.unwrap().offset).collect();
            prop_assert_eq!(offsets, (70..70 + records.len() as i64).collect::<Vec<_>>());
            prop_assert_eq!(&owned(&read), &records);
        }
    }

    #[test]
    fn a_flipped_bit_is_noticed(records in any_records(), at in any::<prop::sample::Index>(), bit in 0..8u8) {
        let whole = build(BatchOptions::default(), &records);
        let mut bytes = whole.to_vec();
        let at = 21 + at.index(bytes.len() - 21);
        bytes[at] ^= 1u8 << bit;
        let mut bytes = Bytes::from(bytes);
        if let Ok(Some(batch)) = RecordBatch::split_from(&mut bytes) {
            let is_noticed = matches!(batch.verify_crc(), Err(BatchError::Crc { .. }));
            prop_assert!(is_noticed);
        }
    }

    #[test]
    fn damaged_batches_never_panic(
        records in any_records(),
        codec in 0..5usize,
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let compression = Compression::ALL[codec];
        let mut bytes = build(BatchOptions { compression, ..Default::default() }, &records).to_vec();
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(cut.index(bytes.len() + 1).max(bytes.len() / 2));
        let mut bytes = Bytes::from(bytes);
        if let Ok(Some(batch)) = RecordBatch::split_from(&mut bytes)
            && let Ok(records) = batch.records()
        {
            for record in records.iter().flatten() {
                record.headers.iter().for_each(drop);
            }
        }
    }
}

#[test]
fn batches_are_split_one_by_one_and_a_partial_one_is_left() {
    let one = build(
        BatchOptions::default(),
        &[(1, None, Some(b"a".to_vec()), vec![])],
    );
    let two = build(
        BatchOptions::default(),
        &[(2, None, Some(b"bb".to_vec()), vec![])],
    );
    let mut stream = [one.as_ref(), two.as_ref(), &one[..one.len() - 1]].concat();
    let mut bytes = Bytes::from(stream.clone());
    assert_eq!(
        RecordBatch::split_from(&mut bytes).unwrap().unwrap().bytes,
        one
    );
    assert_eq!(
        RecordBatch::split_from(&mut bytes).unwrap().unwrap().bytes,
        two
    );
    assert_eq!(RecordBatch::split_from(&mut bytes).unwrap(), None);
    assert_eq!(bytes.len(), one.len() - 1);

    for cut in 0..one.len() {
        assert_eq!(
            RecordBatch::split_from(&mut one.slice(..cut)).unwrap(),
            None
        );
    }

    stream[8..12].copy_from_slice(&48i32.to_be_bytes());
    let mut bytes = Bytes::from(stream.clone());
    assert_eq!(
        RecordBatch::split_from(&mut bytes),
        Err(BatchError::Length(48))
    );
    stream[8..12].copy_from_slice(&49i32.to_be_bytes());
    stream[16] = 1;
    assert_eq!(BatchHeader::parse(&stream), Err(BatchError::Magic(1)));
}

#[test]
fn an_append_patches_offset_and_epoch_outside_the_checksum() {
    let mut bytes = build(BatchOptions::default(), &[(5, None, None, vec![])]).to_vec();
    patch_assigned(&mut bytes, 1 << 40, 7).unwrap();
    let batch = only_batch(Bytes::from(bytes));
    batch.verify_crc().unwrap();
    assert_eq!(batch.header.base_offset, 1 << 40);
    assert_eq!(batch.header.partition_leader_epoch, 7);
    let first = batch
        .records()
        .unwrap()
        .iter()
        .next()
        .unwrap()
        .unwrap()
        .offset;
    assert_eq!(first, 1 << 40);
    assert!(matches!(
        patch_assigned(&mut [0; 60], 0, 0),
        Err(BatchError::Truncated { .. })
    ));
}

#[test]
fn log_append_time_overrides_the_records_timestamps() {
    let records = [(5, None, None, vec![]), (6, None, None, vec![])];
    let mut bytes = build(BatchOptions::default(), &records).to_vec();
    patch_log_append_time(&mut bytes, 99).unwrap();
    let batch = only_batch(Bytes::from(bytes));
    batch.verify_crc().unwrap();
    assert_eq!(batch.header.timestamp_type(), TimestampType::LogAppendTime);
    let stamps: Vec<_> = batch
        .records()
        .unwrap()
        .iter()
        .map(|record| record.unwrap().timestamp)
        .collect();
    assert_eq!(stamps, [99, 99]);
}

#[test]
fn a_producer_can_stamp_its_state_before_and_after_building() {
    let mut builder = BatchBuilder::new(BatchOptions::default());
    for timestamp in 0..3 {
        builder.append(timestamp, None, Some(b"v"), &[]).unwrap();
    }
    builder.set_producer_state(9, 1, i32::MAX - 1);
    let mut bytes = builder.build().unwrap().to_vec();
    let header = BatchHeader::parse(&bytes).unwrap();
    assert!(header.has_producer_id());
    assert_eq!((header.producer_id, header.producer_epoch), (9, 1));
    assert_eq!(header.last_sequence(), 0, "sequences wrap to 0");
    patch_producer_state(&mut bytes, 9, 2, 0).unwrap();
    let batch = only_batch(Bytes::from(bytes));
    batch.verify_crc().unwrap();
    assert_eq!(
        (batch.header.producer_epoch, batch.header.last_sequence()),
        (2, 2)
    );
}

#[test]
fn compaction_keeps_offsets_and_the_end_of_a_batch() {
    let options = BatchOptions {
        base_offset: 100,
        delete_horizon: Some(50),
        ..Default::default()
    };
    let mut builder = BatchBuilder::new(options);
    builder.append_at(103, 60, Some(b"k"), None, &[]).unwrap();
    assert!(builder.append_at(103, 60, None, None, &[]).is_err());
    builder.extend_to(109).unwrap();
    assert!(builder.extend_to(108).is_err());
    let batch = only_batch(builder.build().unwrap());
    assert_eq!(
        (batch.header.base_offset, batch.header.next_offset()),
        (100, 110)
    );
    assert_eq!(batch.header.delete_horizon(), Some(50));
    let records = batch.records().unwrap();
    let record = records.iter().next().unwrap().unwrap();
    assert_eq!((record.offset, record.timestamp), (103, 60));

    let mut empty = BatchBuilder::new(BatchOptions::default());
    empty.extend_to(4).unwrap();
    let batch = only_batch(empty.build().unwrap());
    assert_eq!(
        (batch.header.record_count, batch.header.next_offset()),
        (0, 5)
    );
    assert_eq!(batch.records().unwrap().iter().count(), 0);
    assert_eq!(
        BatchBuilder::new(BatchOptions::default()).build(),
        Err(BatchError::Empty)
    );
}

#[test]
fn markers_end_transactions() {
    for result in [TransactionResult::Commit, TransactionResult::Abort] {
        let marker = ControlMarker {
            result,
            coordinator_epoch: 12,
        };
        let batch = only_batch(control_batch(marker, 4, 1, 1_000).unwrap());
        batch.verify_crc().unwrap();
        assert!(batch.header.is_control() && batch.header.is_transactional());
        let records = batch.records().unwrap();
        let record = records.iter().next().unwrap().unwrap();
        assert_eq!(ControlMarker::parse(&record), Ok(Some(marker)));
    }
    let batch = only_batch(build(BatchOptions::default(), &[(0, None, None, vec![])]));
    let records = batch.records().unwrap();
    let record = records.iter().next().unwrap().unwrap();
    assert!(matches!(
        ControlMarker::parse(&record),
        Err(BatchError::Control(_))
    ));
}

#[test]
fn lying_counts_are_refused_before_the_records_are_read() {
    let whole = build(
        BatchOptions::default(),
        &[(0, None, Some(vec![7; 100]), vec![])],
    );
    let mut bytes = whole.to_vec();
    bytes[23..27].copy_from_slice(&(i32::MAX - 1).to_be_bytes());
    bytes[57..61].copy_from_slice(&i32::MAX.to_be_bytes());
    let batch = only_batch(Bytes::from(bytes));
    assert!(matches!(
        batch.records(),
        Err(BatchError::Field {
            field: "record count",
            ..
        })
    ));

    for (at, value) in [(57, 2), (57, -1), (23, -1)] {
        let mut bytes = whole.to_vec();
        bytes[at..at + 4].copy_from_slice(&i32::to_be_bytes(value));
        assert!(matches!(
            BatchHeader::parse(&bytes),
            Err(BatchError::Field { .. })
        ));
    }
    let mut bytes = whole.to_vec();
    bytes[0] = 0x80;
    assert!(matches!(
        BatchHeader::parse(&bytes),
        Err(BatchError::Field { .. })
    ));
    bytes[0] = 0;
    bytes[22] = 5;
    assert_eq!(
        BatchHeader::parse(&bytes),
        Err(BatchError::UnknownCompression(5))
    );
}

#[test]
fn plain_snappy_is_read_too() {
    let records = [(0, None, Some(vec![1; 5_000]), vec![])];
    let batch = only_batch(build(BatchOptions::default(), &records));
    let raw = snap::raw::Encoder::new()
        .compress_vec(&batch.bytes[BATCH_HEADER_LEN..])
        .unwrap();
    let plain = Compression::Snappy
        .decompress(&raw, DecompressionLimits::default())
        .unwrap();
    assert_eq!(plain, batch.bytes[BATCH_HEADER_LEN..]);
}

#[test]
fn decompression_stops_at_its_limit() {
    let zeros = vec![0; 4 << 20];
    for codec in [
        Compression::Gzip,
        Compression::Snappy,
        Compression::Lz4,
        Compression::Zstd,
    ] {
        let packed = codec.compress(&zeros, None, Vec::new()).unwrap();
        let exact = DecompressionLimits {
            max_bytes: zeros.len(),
            max_ratio: 1,
            ratio_floor: zeros.len(),
        };
        assert_eq!(
            codec.decompress(&packed, exact).unwrap().len(),
            zeros.len(),
            "{codec}"
        );
        let tight = DecompressionLimits {
            max_bytes: zeros.len() - 1,
            ..exact
        };
        let limit = zeros.len() - 1;
        assert_eq!(
            codec.decompress(&packed, tight),
            Err(BatchError::DecompressedTooLarge { limit }),
            "{codec}"
        );
        let ratio = DecompressionLimits {
            max_bytes: usize::MAX,
            max_ratio: 2,
            ratio_floor: 0,
        };
        let limit = packed.len() * 2;
        assert_eq!(
            codec.decompress(&packed, ratio),
            Err(BatchError::DecompressedTooLarge { limit })
        );
    }
}

#[test]
fn levels_are_honoured_or_refused() {
    let input: Vec<u8> = (0..200_000u32)
        .flat_map(|n| (n % 1_013).to_le_bytes())
        .collect();
    for (codec, low, high) in [
        (Compression::Gzip, 1, 9),
        (Compression::Lz4, 9, 17),
        (Compression::Zstd, 1, 19),
    ] {
        let low = codec.compress(&input, Some(low), Vec::new()).unwrap();
        let high = codec.compress(&input, Some(high), Vec::new()).unwrap();
        assert_ne!(low.len(), high.len(), "{codec}");
        let limits = DecompressionLimits::default();
        assert_eq!(codec.decompress(&high, limits).unwrap(), input);
    }
    for (codec, beyond) in [
        (Compression::Gzip, 10),
        (Compression::Lz4, 0),
        (Compression::Lz4, 18),
    ] {
        let refused = codec.compress(&input, Some(beyond), Vec::new());
        assert!(refused.is_err(), "{codec} {beyond}");
    }
}

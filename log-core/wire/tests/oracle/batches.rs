//! Record batches against the oracle's.

use bytes::{Bytes, BytesMut};
use headwater_wire::records::{BatchBuilder, BatchOptions, Compression, Header, RecordBatch};
use kafka_protocol::indexmap::IndexMap;
use kafka_protocol::protocol::StrBytes;
use kafka_protocol::records as oracle;
use proptest::prelude::*;

/// Timestamp, key, value, and header values under distinct names, all that the oracle can hold.
type Plain = (i64, Option<Vec<u8>>, Option<Vec<u8>>, Vec<Option<Vec<u8>>>);

fn any_bytes() -> impl Strategy<Value = Option<Vec<u8>>> {
    proptest::option::of(proptest::collection::vec(any::<u8>(), 0..300))
}

fn any_records() -> impl Strategy<Value = Vec<Plain>> {
    let timestamp = 0..4_000_000_000_000i64;
    let headers = proptest::collection::vec(any_bytes(), 0..3);
    proptest::collection::vec((timestamp, any_bytes(), any_bytes(), headers), 1..30)
}

fn theirs(codec: Compression) -> oracle::Compression {
    match codec {
        Compression::None => oracle::Compression::None,
        Compression::Gzip => oracle::Compression::Gzip,
        Compression::Snappy => oracle::Compression::Snappy,
        Compression::Lz4 => oracle::Compression::Lz4,
        Compression::Zstd => oracle::Compression::Zstd,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_oracle_reads_what_is_built(records in any_records()) {
        for codec in Compression::ALL {
            let mut builder = BatchBuilder::new(BatchOptions {
                compression: codec,
                base_offset: 9,
                producer_id: 3,
                producer_epoch: 1,
                base_sequence: 0,
                is_transactional: true,
                ..Default::default()
            });
            for (timestamp, key, value, headers) in &records {
                let names: Vec<_> = (0..headers.len()).map(|n| format!("h{n}")).collect();
                let headers: Vec<_> = names
                    .iter()
                    .zip(headers)
                    .map(|(key, value)| Header { key, value: value.as_deref() })
                    .collect();
                builder.append(*timestamp, key.as_deref(), value.as_deref(), &headers).unwrap();
            }
            let mut bytes = builder.build().unwrap();
            let read = oracle::RecordBatchDecoder::decode(&mut bytes).unwrap();
            prop_assert_eq!(read.records.len(), records.len());
            for ((record, expected), offset) in read.records.iter().zip(&records).zip(9..) {
                prop_assert_eq!(record.offset, offset);
                prop_assert_eq!(record.producer_id, 3);
                prop_assert!(record.transactional);
                prop_assert_eq!(record.timestamp, expected.0);
                prop_assert_eq!(record.key.as_deref(), expected.1.as_deref());
                prop_assert_eq!(record.value.as_deref(), expected.2.as_deref());
                let headers: Vec<_> =
                    record.headers.values().map(|value| value.as_ref().map(|v| v.to_vec())).collect();
                prop_assert_eq!(&headers, &expected.3);
            }
        }
    }

    #[test]
    fn what_the_oracle_builds_is_read(records in any_records()) {
        for codec in Compression::ALL {
            let written: Vec<_> = records
                .iter()
                .zip(0..)
                .map(|((timestamp, key, value, headers), offset)| oracle::Record {
                    transactional: false,
                    control: false,
                    delete_horizon: false,
                    partition_leader_epoch: 0,
                    producer_id: -1,
                    producer_epoch: -1,
                    timestamp_type: oracle::TimestampType::Creation,
                    offset,
                    sequence: offset as i32,
                    timestamp: *timestamp,
                    key: key.clone().map(Bytes::from),
                    value: value.clone().map(Bytes::from),
                    headers: headers
                        .iter()
                        .enumerate()
                        .map(|(n, value)| {
                            let name = StrBytes::from_string(format!("h{n}"));
                            (name, value.clone().map(Bytes::from))
                        })
                        .collect::<IndexMap<_, _>>(),
                })
                .collect();
            let options = oracle::RecordEncodeOptions { version: 2, compression: theirs(codec) };
            let mut bytes = BytesMut::new();
            oracle::RecordBatchEncoder::encode(&mut bytes, &written, &options).unwrap();

            let batch = RecordBatch::split_from(&mut bytes.freeze()).unwrap().unwrap();
            batch.verify_crc().unwrap();
            let read = batch.records().unwrap();
            prop_assert_eq!(read.iter().count(), records.len());
            for ((record, expected), offset) in read.iter().zip(&records).zip(0..) {
                let record = record.unwrap();
                prop_assert_eq!(record.offset, offset);
                prop_assert_eq!(record.timestamp, expected.0);
                prop_assert_eq!(record.key, expected.1.as_deref());
                prop_assert_eq!(record.value, expected.2.as_deref());
                let headers: Vec<_> = record
                    .headers
                    .iter()
                    .map(|header| header.unwrap().value.map(<[u8]>::to_vec))
                    .collect();
                prop_assert_eq!(&headers, &expected.3);
            }
        }
    }
}

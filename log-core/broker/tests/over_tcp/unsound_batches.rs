//! Batches that Kafka refuses, in the order in which it looks for what is wrong with them.

use bytes::{Bytes, BytesMut};
use headwater_wire::ErrorCode;
use headwater_wire::messages::produce::{PartitionProduceResponse, ProduceRequest};
use headwater_wire::records::{
    BATCH_HEADER_LEN, BatchBuilder, BatchHeader, BatchOptions, Compression, TimestampType,
    patch_max_timestamp, patch_producer_state,
};

use super::client::{Client, TestBroker, batch, batch_with, now, produce};

/// A batch whose bytes were changed, under a checksum that is right again.
fn forged(batch: &Bytes, change: impl FnOnce(&mut [u8])) -> Bytes {
    let mut bytes = BytesMut::from(batch.as_ref());
    change(&mut bytes);
    patch_producer_state(&mut bytes, -1, -1, -1).expect("a batch");
    bytes.freeze()
}

async fn answer(
    client: &mut Client,
    request: ProduceRequest,
    version: i16,
) -> PartitionProduceResponse {
    let mut response = client.call(&request, version).await;
    response.responses[0].partition_responses.remove(0)
}

fn code(answer: &PartitionProduceResponse) -> ErrorCode {
    ErrorCode::from_code(answer.error_code)
}

#[tokio::test]
async fn records_that_nobody_could_read_are_refused() {
    let broker = TestBroker::start().await;
    let mut client = broker.client().await;
    client.create_topic("t", 1, &[]).await;
    let good = batch(&["one", "two"]);
    let at = BATCH_HEADER_LEN;
    let cases = [
        ("a length beyond the batch", forged(&good, |b| b[at] = 0x7e)),
        ("an offset twice", forged(&good, |b| b[good.len() - 7] = 0)),
        (
            "more records than it counts",
            forged(&good, |b| {
                b[26] = 0;
                b[60] = 1;
            }),
        ),
        (
            "fewer records than it counts",
            forged(&good, |b| {
                b[26] = 2;
                b[60] = 3;
            }),
        ),
        ("no records", forged(&good, |b| b[60] = 0)),
        ("no last offset", forged(&good, |b| b[23..27].fill(0xff))),
    ];
    for (what, records) in cases {
        let answer = client.produce("t", 0, records).await;
        assert_eq!(code(&answer), ErrorCode::InvalidRecord, "{what}");
        assert_eq!(answer.log_start_offset, 0, "{what}: the log was asked");
    }
    let mut magic = good.to_vec();
    magic[16] = 3;
    let answer = client.produce("t", 0, magic.into()).await;
    assert_eq!(code(&answer), ErrorCode::CorruptMessage);
    let two = [good.clone(), good.clone()].concat();
    let answer = client.produce("t", 0, two.into()).await;
    assert_eq!(code(&answer), ErrorCode::InvalidRecord);
    assert_eq!(answer.log_start_offset, -1, "the log was not asked");
    let answer = client.produce("t", 0, good.clone()).await;
    assert_eq!((answer.error_code, answer.base_offset), (0, 0));
    let tail = [good.as_ref(), b"tail"].concat();
    let answer = client.produce("t", 0, tail.into()).await;
    assert_eq!((answer.error_code, answer.base_offset), (0, 2));
    let read = super::client::fetched(client.fetch("t", 0, 0).await);
    assert_eq!(read.len(), 4, "and what is no batch is dropped");
}

#[tokio::test]
async fn the_codec_counts_before_the_acks_and_the_records_before_the_log() {
    let broker = TestBroker::start().await;
    let mut client = broker.client().await;
    client.create_topic("t", 1, &[]).await;
    let zstd = BatchOptions {
        compression: Compression::Zstd,
        ..BatchOptions::default()
    };
    let request = |records| ProduceRequest {
        acks: 100,
        ..produce("t", 0, records)
    };
    let refused = answer(&mut client, request(batch_with(zstd, &["x"])), 6).await;
    assert_eq!(code(&refused), ErrorCode::UnsupportedCompressionType);
    let refused = answer(&mut client, request(batch(&["x"])), 6).await;
    assert_eq!(code(&refused), ErrorCode::InvalidRequiredAcks);

    let transactional = BatchOptions {
        is_transactional: true,
        ..BatchOptions::default()
    };
    let refused = answer(&mut client, request(batch_with(transactional, &["x"])), 9).await;
    let expected = ErrorCode::TransactionalIdAuthorizationFailed;
    assert_eq!(code(&refused), expected, "without a producer as well");
}

#[tokio::test]
async fn what_a_batch_says_of_its_times_is_put_right() {
    let broker = TestBroker::start().await;
    let mut client = broker.client().await;
    client.create_topic("t", 1, &[]).await;
    let time = now();
    for said in [-5, time + 86_400_000] {
        let mut builder = BatchBuilder::new(BatchOptions::default());
        for time in [time, time - 10] {
            builder
                .append(time, None, Some(b"v"), &[])
                .expect("a record");
        }
        let mut sent = BytesMut::from(builder.build().expect("a batch").as_ref());
        patch_max_timestamp(&mut sent, said).expect("a batch");
        let appended = client.produce("t", 0, sent.freeze()).await;
        assert_eq!(appended.error_code, 0, "its records are of today");
        let mut read = client.fetch("t", 0, appended.base_offset).await;
        let stored = read.responses[0].partitions[0].records.take();
        let header = BatchHeader::parse(&stored.expect("records")).expect("a header");
        assert_eq!(header.max_timestamp, time);
    }
}

/// The header that is stored at an offset.
async fn stored(client: &mut Client, topic: &str, offset: i64) -> BatchHeader {
    let mut read = client.fetch(topic, 0, offset).await;
    let records = read.responses[0].partitions[0].records.take();
    BatchHeader::parse(&records.expect("records")).expect("a header")
}

#[tokio::test]
async fn a_clients_claim_of_the_brokers_stamp_counts_for_the_times_of_its_records() {
    let broker = TestBroker::start().await;
    let mut client = broker.client().await;
    client.create_topic("theirs", 1, &[]).await;
    let gzip = [("compression.type", "gzip")];
    client.create_topic("packed", 1, &gzip).await;
    let stamped = [("message.timestamp.type", "LogAppendTime")];
    client.create_topic("ours", 1, &stamped).await;
    let claimed = |time| {
        let options = BatchOptions {
            log_append_time: Some(time),
            ..BatchOptions::default()
        };
        batch_with(options, &["one", "two"])
    };
    let time = now() - 5_000;
    for (topic, expected_base) in [("theirs", None), ("packed", Some(time))] {
        let answer = client.produce(topic, 0, claimed(time)).await;
        assert_eq!((answer.error_code, answer.log_append_time_ms), (0, -1));
        let header = stored(&mut client, topic, 0).await;
        assert_eq!(header.timestamp_type(), TimestampType::CreateTime);
        assert_eq!(header.max_timestamp, time, "{topic}");
        let base = expected_base.unwrap_or(header.base_timestamp);
        assert_eq!(header.base_timestamp, base, "{topic}");
    }
    for (topic, time) in [
        ("theirs", -1),
        ("ours", time),
        ("theirs", time + 86_400_000),
    ] {
        let answer = client.produce(topic, 0, claimed(time)).await;
        assert_eq!(code(&answer), ErrorCode::InvalidTimestamp, "{topic} {time}");
        assert_eq!(answer.record_errors.len(), 2, "{topic} {time}");
    }
}

#[tokio::test]
async fn times_of_before_1970_are_taken_unless_the_batch_is_packed_anew() {
    let broker = TestBroker::start().await;
    let mut client = broker.client().await;
    client.create_topic("t", 1, &[]).await;
    client
        .create_topic("packed", 1, &[("compression.type", "gzip")])
        .await;
    let early = forged(&batch(&["x"]), |b| {
        b[27..35].copy_from_slice(&(-1_000_i64).to_be_bytes());
    });
    let answer = client.produce("t", 0, early.clone()).await;
    assert_eq!(answer.error_code, 0);
    let header = stored(&mut client, "t", 0).await;
    assert_eq!((header.base_timestamp, header.max_timestamp), (-1_000, -1));
    let answer = client.produce("packed", 0, early).await;
    assert_eq!(code(&answer), ErrorCode::InvalidRecord);
}

#[tokio::test]
async fn compressed_records_that_cannot_be_there_are_refused() {
    let broker = TestBroker::start().await;
    let mut client = broker.client().await;
    client.create_topic("t", 1, &[]).await;
    client
        .create_topic("packed", 1, &[("compression.type", "gzip")])
        .await;
    let lz4 = BatchOptions {
        compression: Compression::Lz4,
        ..BatchOptions::default()
    };
    let whole = batch_with(lz4, &["x"]);
    let unknown = forged(&whole, |b| b[22] |= 7);
    let none = forged(&whole.slice(..BATCH_HEADER_LEN), |b| {
        b[8..12].copy_from_slice(&49_i32.to_be_bytes());
    });
    let garbage = forged(&whole, |b| b[BATCH_HEADER_LEN] ^= 0xff);
    for (topic, records, expected) in [
        ("t", unknown.clone(), ErrorCode::UnsupportedCompressionType),
        ("t", none, ErrorCode::InvalidRecord),
        ("packed", garbage, ErrorCode::InvalidRecord),
    ] {
        let answer = client.produce(topic, 0, records).await;
        assert_eq!((code(&answer), answer.log_start_offset), (expected, 0));
    }
    let request = produce("t", 0, unknown);
    let refused = answer(&mut client, request, 6).await;
    assert_eq!(code(&refused), ErrorCode::UnsupportedCompressionType);
    assert_eq!(refused.log_start_offset, -1, "looked at before the log");
}

#[tokio::test]
async fn a_batch_sent_again_is_answered_with_its_time() {
    let broker = TestBroker::start().await;
    let mut client = broker.client().await;
    let stamped = [("message.timestamp.type", "LogAppendTime")];
    client.create_topic("theirs", 1, &[]).await;
    client.create_topic("ours", 1, &stamped).await;
    let options = BatchOptions {
        producer_id: 9,
        producer_epoch: 0,
        base_sequence: 0,
        ..BatchOptions::default()
    };
    let sent = batch_with(options, &["x"]);
    let time = BatchHeader::parse(&sent).expect("a header").max_timestamp;
    let first = client.produce("theirs", 0, sent.clone()).await;
    assert_eq!(first.log_append_time_ms, -1);
    let again = client.produce("theirs", 0, sent.clone()).await;
    assert_eq!((again.error_code, again.base_offset), (0, 0));
    assert_eq!(again.log_append_time_ms, time);
    let first = client.produce("ours", 0, sent.clone()).await;
    let again = client.produce("ours", 0, sent).await;
    assert_eq!(again.log_append_time_ms, first.log_append_time_ms);
}

#[tokio::test]
async fn a_producer_without_an_epoch_is_fenced_only_where_it_is_known() {
    let broker = TestBroker::start().await;
    let mut client = broker.client().await;
    client.create_topic("t", 1, &[]).await;
    let sent = |epoch| {
        let mut bytes = BytesMut::from(batch(&["x"]).as_ref());
        patch_producer_state(&mut bytes, 9, epoch, 0).expect("a batch");
        bytes.freeze()
    };
    for (epoch, expected) in [
        (-2, ErrorCode::InvalidProducerEpoch),
        (-1, ErrorCode::None),
        (3, ErrorCode::None),
        (-1, ErrorCode::InvalidProducerEpoch),
    ] {
        let answer = client.produce("t", 0, sent(epoch)).await;
        assert_eq!(code(&answer), expected, "epoch {epoch}");
    }
}

#[tokio::test]
async fn an_error_with_acks_0_closes_the_connection_and_keeps_what_was_taken() {
    let broker = TestBroker::start().await;
    let mut client = broker.client().await;
    client.create_topic("t", 1, &[]).await;
    let mut silent = broker.client().await;
    for topic in ["t", "absent"] {
        let request = ProduceRequest {
            acks: 0,
            ..produce(topic, 0, batch(&["x"]))
        };
        silent.send(&request, 9).await;
    }
    assert!(silent.receive_frame().await.is_none(), "it is closed");
    let read = super::client::fetched(client.fetch("t", 0, 0).await);
    assert_eq!(read.len(), 1);
}

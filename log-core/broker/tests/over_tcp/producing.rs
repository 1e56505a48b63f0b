use headwater_wire::ErrorCode;
use headwater_wire::messages::metadata::{MetadataRequest, MetadataRequestTopic};
use headwater_wire::messages::produce::{PartitionProduceData, ProduceRequest, TopicProduceData};
use headwater_wire::records::{
    BatchBuilder, BatchOptions, Compression, ControlMarker, RecordBatch, TransactionResult,
    control_batch,
};

use super::client::{TestBroker, batch, batch_with, fetched, now, produce, values};

fn from_producer(id: i64, epoch: i16, sequence: i32) -> BatchOptions {
    BatchOptions {
        producer_id: id,
        producer_epoch: epoch,
        base_sequence: sequence,
        ..BatchOptions::default()
    }
}

#[tokio::test]
async fn every_version_appends_and_answers_with_the_offset() {
    let broker = TestBroker::start().await;
    let mut client = broker.client().await;
    client.create_topic("t", 1, &[]).await;
    let topic = MetadataRequestTopic {
        name: Some("t".into()),
        ..Default::default()
    };
    let request = MetadataRequest {
        topics: Some(vec![topic]),
        ..Default::default()
    };
    let id = client.call(&request, 12).await.topics[0].topic_id;
    for (expected, version) in (0..).zip(3..=13) {
        let mut request = produce("t", 0, batch(&["v"]));
        if version >= 13 {
            request.topic_data[0].name = String::new();
            request.topic_data[0].topic_id = id;
        }
        let response = client.call(&request, version).await.responses.remove(0);
        let partition = &response.partition_responses[0];
        assert_eq!((partition.error_code, partition.base_offset), (0, expected));
        assert_eq!(partition.log_append_time_ms, -1);
    }
    let mut request = produce("", 0, batch(&["v"]));
    request.topic_data[0].topic_id = uuid::Uuid::from_u128(5);
    let response = client.call(&request, 13).await;
    let code = response.responses[0].partition_responses[0].error_code;
    assert_eq!(code, ErrorCode::UnknownTopicId.code());
}

#[tokio::test]
async fn records_come_back_as_they_were_in_every_compression() {
    let broker = TestBroker::start().await;
    let mut client = broker.client().await;
    client.create_topic("t", 1, &[]).await;
    let codecs = [
        Compression::None,
        Compression::Gzip,
        Compression::Snappy,
        Compression::Lz4,
        Compression::Zstd,
    ];
    for compression in codecs {
        let options = BatchOptions {
            compression,
            ..BatchOptions::default()
        };
        let sent = batch_with(options, &["one", "two", "three"]);
        let appended = client.produce("t", 0, sent).await;
        assert_eq!(appended.error_code, 0);
        let read = fetched(client.fetch("t", 0, appended.base_offset).await);
        let texts: Vec<_> = read.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(texts, ["one", "two", "three"]);
        assert_eq!(read[2].0, appended.base_offset + 2);
    }
}

#[tokio::test]
async fn nothing_is_answered_with_acks_0() {
    let broker = TestBroker::start().await;
    let mut client = broker.client().await;
    client.create_topic("t", 1, &[]).await;
    let request = ProduceRequest {
        acks: 0,
        ..produce("t", 0, batch(&["silent"]))
    };
    client.send(&request, 9).await;
    // The next answer is that of the fetch: the client's correlation ids tell.
    client.send(&super::client::fetch("t", 0, 0), 12).await;
    let bytes = client.receive_frame().await.expect("the fetch is answered");
    assert_eq!(bytes[..4], 3_i32.to_be_bytes());
}

#[tokio::test]
async fn bad_batches_are_refused_each_with_its_code() {
    let broker = TestBroker::start().await;
    let mut client = broker.client().await;
    client
        .create_topic("t", 1, &[("max.message.bytes", "300")])
        .await;
    let good = batch(&["x"]);
    let mut corrupt = good.to_vec();
    *corrupt.last_mut().expect("a byte") ^= 1;
    let mut old_magic = good.to_vec();
    old_magic[16] = 1;
    let mut placed = good.to_vec();
    placed[..8].copy_from_slice(&7_i64.to_be_bytes());
    let two = [good.clone(), good.clone()].concat();
    let marker = ControlMarker {
        result: TransactionResult::Commit,
        coordinator_epoch: 0,
    };
    let control = control_batch(marker, 7, 0, now()).expect("a marker");
    let ahead = {
        let mut builder = BatchBuilder::new(BatchOptions::default());
        builder
            .append(now() + 7_200_000, None, Some(b"x"), &[])
            .expect("a record");
        builder.build().expect("a batch")
    };
    let cases = [
        (corrupt.into(), ErrorCode::CorruptMessage),
        (old_magic.into(), ErrorCode::InvalidRecord),
        (placed.into(), ErrorCode::InvalidRecord),
        (two.into(), ErrorCode::InvalidRecord),
        (good.slice(..good.len() - 1), ErrorCode::InvalidRecord),
        (bytes::Bytes::new(), ErrorCode::InvalidRecord),
        (
            batch(&["x".repeat(400).as_str()]),
            ErrorCode::MessageTooLarge,
        ),
        // Transactional, in a request without a transactional id.
        (control, ErrorCode::TransactionalIdAuthorizationFailed),
        (ahead, ErrorCode::InvalidTimestamp),
        (good, ErrorCode::None),
    ];
    const AHEAD: usize = 8;
    for (index, (records, expected)) in cases.into_iter().enumerate() {
        let answer = client.produce("t", 0, records).await;
        assert_eq!(
            ErrorCode::from_code(answer.error_code),
            expected,
            "case {index}"
        );
        if index == AHEAD {
            assert_eq!(answer.record_errors.len(), 1, "the record is named");
            assert_eq!(answer.log_start_offset, 0);
        }
        let offset = if expected == ErrorCode::None { 0 } else { -1 };
        assert_eq!(
            answer.base_offset, offset,
            "refused records take no offsets"
        );
    }
    let none = PartitionProduceData {
        index: 0,
        records: None,
    };
    let topic = TopicProduceData {
        name: "t".into(),
        partition_data: vec![none],
        ..Default::default()
    };
    let request = ProduceRequest {
        topic_data: vec![topic],
        ..produce("t", 0, batch(&["x"]))
    };
    let response = client.call(&request, 9).await;
    let code = response.responses[0].partition_responses[0].error_code;
    assert_eq!(code, ErrorCode::InvalidRecord.code());

    let request = ProduceRequest {
        acks: 2,
        ..produce("t", 0, batch(&["x"]))
    };
    let response = client.call(&request, 9).await;
    let code = response.responses[0].partition_responses[0].error_code;
    assert_eq!(code, ErrorCode::InvalidRequiredAcks.code());
    let zstd = BatchOptions {
        compression: Compression::Zstd,
        ..BatchOptions::default()
    };
    let response = client
        .call(&produce("t", 0, batch_with(zstd, &["x"])), 6)
        .await;
    let code = response.responses[0].partition_responses[0].error_code;
    assert_eq!(code, ErrorCode::UnsupportedCompressionType.code());
    let absent = client.produce("t", 1, batch(&["x"])).await;
    assert_eq!(absent.error_code, ErrorCode::UnknownTopicOrPartition.code());
}

#[tokio::test]
async fn a_compacted_topic_names_the_records_without_keys() {
    let broker = TestBroker::start().await;
    let mut client = broker.client().await;
    client
        .create_topic("t", 1, &[("cleanup.policy", "compact")])
        .await;
    let mut builder = BatchBuilder::new(BatchOptions {
        compression: Compression::Lz4,
        ..BatchOptions::default()
    });
    for key in [Some(&b"k"[..]), None, Some(b"k2"), None] {
        builder
            .append(now(), key, Some(b"v"), &[])
            .expect("a record");
    }
    let answer = client
        .produce("t", 0, builder.build().expect("a batch"))
        .await;
    assert_eq!(answer.error_code, ErrorCode::InvalidRecord.code());
    let blamed: Vec<i32> = answer
        .record_errors
        .iter()
        .map(|error| error.batch_index)
        .collect();
    assert_eq!(blamed, [1, 3]);
    assert!(answer.error_message.is_some());
}

#[tokio::test]
async fn the_broker_stamps_records_when_the_topic_says_so() {
    let broker = TestBroker::start().await;
    let mut client = broker.client().await;
    client
        .create_topic("t", 1, &[("message.timestamp.type", "LogAppendTime")])
        .await;
    let before = now();
    let mut builder = BatchBuilder::new(BatchOptions::default());
    builder.append(1, None, Some(b"v"), &[]).expect("a record");
    let answer = client
        .produce("t", 0, builder.build().expect("a batch"))
        .await;
    assert!((before..=now()).contains(&answer.log_append_time_ms));
    let mut response = client.fetch("t", 0, 0).await;
    let records = response.responses[0].partitions[0].records.take();
    let mut bytes = records.clone().expect("records");
    let stored = headwater_wire::records::RecordBatch::split_from(&mut bytes);
    let stored = stored.expect("a sound batch").expect("a whole batch");
    assert_eq!(stored.header.max_timestamp, answer.log_append_time_ms);
    assert_eq!(values(records).len(), 1);
}

#[tokio::test]
async fn a_producer_repeats_itself_without_effect_and_may_leave_nothing_out() {
    let broker = TestBroker::start().await;
    let mut client = broker.client().await;
    client.create_topic("t", 1, &[]).await;
    for sequence in 0..6 {
        let sent = batch_with(from_producer(9, 0, sequence), &["x"]);
        let answer = client.produce("t", 0, sent).await;
        assert_eq!(
            (answer.error_code, answer.base_offset),
            (0, i64::from(sequence))
        );
    }
    for sequence in 1..6 {
        let again = client
            .produce("t", 0, batch_with(from_producer(9, 0, sequence), &["x"]))
            .await;
        assert_eq!(
            (again.error_code, again.base_offset),
            (0, i64::from(sequence)),
            "a duplicate"
        );
    }
    let gap = client
        .produce("t", 0, batch_with(from_producer(9, 0, 9), &["x"]))
        .await;
    assert_eq!(gap.error_code, ErrorCode::OutOfOrderSequenceNumber.code());
    let newer = client
        .produce("t", 0, batch_with(from_producer(9, 1, 0), &["x"]))
        .await;
    assert_eq!((newer.error_code, newer.base_offset), (0, 6));
    let fenced = client
        .produce("t", 0, batch_with(from_producer(9, 0, 6), &["x"]))
        .await;
    assert_eq!(fenced.error_code, ErrorCode::InvalidProducerEpoch.code());
}

#[tokio::test]
async fn a_transactional_record_outside_a_transaction_is_refused() {
    let broker = TestBroker::start().await;
    let mut client = broker.client().await;
    client.create_topic("t", 1, &[]).await;
    let options = BatchOptions {
        is_transactional: true,
        ..from_producer(9, 0, 0)
    };
    let mut request = produce("t", 0, batch_with(options, &["x"]));
    request.transactional_id = Some("nobody".into());
    let response = client.call(&request, 9).await;
    let code = ErrorCode::from_code(response.responses[0].partition_responses[0].error_code);
    assert_ne!(code, ErrorCode::None);
    let end = client.fetch_now("t", 0, 0).await;
    assert_eq!(end.responses[0].partitions[0].high_watermark, 0);
}

#[tokio::test]
async fn too_few_replicas_in_sync_refuse_acks_all_only() {
    let broker = TestBroker::start().await;
    let mut client = broker.client().await;
    client
        .create_topic("t", 1, &[("min.insync.replicas", "2")])
        .await;
    let answer = client.produce("t", 0, batch(&["x"])).await;
    assert_eq!(answer.error_code, ErrorCode::NotEnoughReplicas.code());
    let request = ProduceRequest {
        acks: 1,
        ..produce("t", 0, batch(&["x"]))
    };
    let response = client.call(&request, 9).await;
    assert_eq!(response.responses[0].partition_responses[0].error_code, 0);
}

#[tokio::test]
async fn a_topic_stores_batches_in_its_own_compression() {
    let broker = TestBroker::start().await;
    let mut client = broker.client().await;
    let values = ["one", "one", "two", &"long ".repeat(200)];
    for (topic, stored) in [
        ("producer", Compression::Gzip),
        ("uncompressed", Compression::None),
        ("gzip", Compression::Gzip),
        ("snappy", Compression::Snappy),
        ("lz4", Compression::Lz4),
        ("zstd", Compression::Zstd),
    ] {
        let configs = [
            ("compression.type", topic),
            ("compression.lz4.level", "12"),
            ("compression.zstd.level", "19"),
        ];
        client.create_topic(topic, 1, &configs).await;
        let options = BatchOptions {
            compression: Compression::Gzip,
            ..BatchOptions::default()
        };
        let answer = client.produce(topic, 0, batch_with(options, &values)).await;
        assert_eq!(answer.error_code, 0, "{topic}");
        let mut response = client.fetch_now(topic, 0, 0).await;
        let records = response.responses[0].partitions[0].records.take();
        let mut bytes = records.clone().unwrap_or_default();
        let batch = RecordBatch::split_from(&mut bytes)
            .expect("sound")
            .expect("whole");
        assert_eq!(batch.header.compression(), Ok(stored), "{topic}");
        let expected: Vec<_> = (0..).zip(values.map(str::to_owned)).collect();
        assert_eq!(super::client::values(records), expected, "{topic}");
    }
    client
        .create_topic(
            "tight",
            1,
            &[
                ("compression.type", "uncompressed"),
                ("max.message.bytes", "500"),
            ],
        )
        .await;
    let options = BatchOptions {
        compression: Compression::Gzip,
        ..BatchOptions::default()
    };
    let answer = client
        .produce("tight", 0, batch_with(options, &values))
        .await;
    assert_eq!(answer.error_code, ErrorCode::MessageTooLarge.code());
}

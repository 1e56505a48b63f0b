use bytes::Bytes;
use headwater_wire::messages::fetch::FetchableTopicResponse;
use headwater_wire::records::{BatchBuilder, BatchOptions};

use super::*;

fn batch(base_offset: i64, records: usize) -> Bytes {
    let mut builder = BatchBuilder::new(BatchOptions {
        base_offset,
        ..BatchOptions::default()
    });
    for _ in 0..records {
        builder.append(0, None, Some(b"v"), &[]).expect("fits");
    }
    builder.build().expect("has records")
}

fn wanted(offset: i64) -> Wanted {
    Wanted {
        partition: TopicPartition::new("t", 0),
        id: 1,
        offset,
    }
}

fn data(parts: &[&[u8]]) -> PartitionData {
    PartitionData {
        records: Some(Bytes::from(parts.concat())),
        high_watermark: 50,
        last_stable_offset: 40,
        log_start_offset: 0,
        ..PartitionData::default()
    }
}

fn respond(topic: &str, data: PartitionData) -> FetchResponse {
    FetchResponse {
        responses: vec![FetchableTopicResponse {
            topic: topic.to_owned(),
            partitions: vec![data],
            ..FetchableTopicResponse::default()
        }],
        ..FetchResponse::default()
    }
}

fn only(wanted: Wanted, response: FetchResponse) -> Outcome {
    let config = ConsumerConfig::default();
    let answer = Answer {
        response,
        is_incremental: false,
    };
    let mut outcomes = outcomes(&config, &ClusterView::default(), &[wanted], answer);
    assert_eq!(outcomes.len(), 1);
    outcomes.remove(0)
}

#[test]
fn batches_are_split_and_a_cut_off_tail_is_left() {
    let (first, second) = (batch(0, 3), batch(3, 4));
    let data = data(&[&first, &second[..second.len() - 1]]);
    let Outcome::Read {
        fetched,
        watermarks,
    } = only(wanted(0), respond("t", data))
    else {
        panic!("not read");
    };
    assert_eq!(watermarks.high_watermark, 50);
    assert_eq!(watermarks.last_stable_offset, 40);
    assert_eq!(fetched.len(), 1);
    assert_eq!(fetched[0].next_offset, 3);
}

#[test]
fn what_is_before_the_offset_asked_for_is_passed_over() {
    let data = data(&[&batch(0, 3), &batch(3, 4)]);
    let Outcome::Read { fetched, .. } = only(wanted(5), respond("t", data)) else {
        panic!("not read");
    };
    assert_eq!(fetched.len(), 1);
    let batch = fetched[0].batch.as_ref().expect("visible");
    assert_eq!(batch.start_offset, 5);
    let offsets: Vec<i64> = batch
        .records()
        .expect("readable")
        .iter()
        .map(|record| record.offset)
        .collect();
    assert_eq!(offsets, [5, 6]);
}

#[test]
fn damage_is_named_with_its_place() {
    let mut damaged = batch(7, 3).to_vec();
    let last = damaged.len() - 1;
    damaged[last] ^= 1;
    let Outcome::Failed(error) = only(wanted(7), respond("t", data(&[&damaged]))) else {
        panic!("not refused");
    };
    assert!(
        matches!(error, ClientError::CorruptBatch { offset: 7, .. }),
        "{error}"
    );
}

#[test]
fn codes_are_sorted_into_what_to_do() {
    let with = |code: ErrorCode| {
        let data = PartitionData {
            error_code: code.code(),
            ..PartitionData::default()
        };
        only(wanted(0), respond("t", data))
    };
    assert!(matches!(
        with(ErrorCode::OffsetOutOfRange),
        Outcome::OutOfRange
    ));
    assert!(matches!(
        with(ErrorCode::NotLeaderOrFollower),
        Outcome::Elsewhere(_)
    ));
    assert!(matches!(
        with(ErrorCode::UnknownTopicId),
        Outcome::Elsewhere(_)
    ));
    assert!(matches!(
        with(ErrorCode::TopicAuthorizationFailed),
        Outcome::Failed(_)
    ));
    assert!(matches!(
        with(ErrorCode::CorruptMessage),
        Outcome::Failed(_)
    ));
    let elsewhere = only(wanted(0), respond("other", data(&[])));
    assert!(matches!(elsewhere, Outcome::Elsewhere(_)));
}

#[test]
fn an_incremental_answer_says_nothing_of_what_has_nothing_new() {
    let answer = Answer {
        response: respond("other", data(&[])),
        is_incremental: true,
    };
    let config = ConsumerConfig::default();
    let outcomes = outcomes(&config, &ClusterView::default(), &[wanted(0)], answer);
    assert!(matches!(outcomes[..], [Outcome::Nothing]));
}

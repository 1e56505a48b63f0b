use headwater_wire::ErrorCode;
use tokio::time::Instant;

use super::*;
use crate::TopicPartition;
use crate::error::ClientError;
use crate::producer::sequence::Identity;

const IDENTITY: Identity = Identity { id: 9, epoch: 0 };

fn whole(records: i32) -> Batch {
    let builder = BatchBuilder::new(BatchOptions::default());
    let partition = TopicPartition::new("t", 0);
    let mut batch = Batch::new(partition, builder, 1_000, 4, Instant::now());
    for index in 0..records {
        let value = [index as u8; 100];
        let headers = [Header {
            key: "h",
            value: None,
        }];
        let builder = batch.builder().expect("open");
        builder
            .append(i64::from(index), Some(b"k"), Some(&value), &headers)
            .expect("fits");
        batch.records += 1;
    }
    batch.sequence = Some(i32::MAX - 1);
    batch.build(Some(IDENTITY)).expect("builds");
    batch
}

fn appended(base_offset: i64) -> BatchResult {
    Ok(Appended {
        base_offset: Some(base_offset),
        log_append_time: None,
        parts: None,
    })
}

#[test]
fn parts_have_the_records_in_order_and_the_sequence_numbers_of_the_whole() {
    let parts = split(whole(10), &BatchOptions::default(), 400).map_err(|(_, error)| error);
    let mut parts = parts.expect("splits");
    let counts: Vec<i32> = parts.iter().map(|part| part.records).collect();
    assert_eq!(counts.iter().sum::<i32>(), 10);
    assert!(counts.len() >= 4, "{counts:?}");
    assert_eq!(parts[0].sequence, Some(i32::MAX - 1));
    assert_eq!(parts[1].sequence, Some(counts[0] - 2), "wraps to zero");
    assert_eq!((parts[0].reserved, parts[1].reserved), (1_000, 0));
    let mut next = 0;
    for part in &mut parts {
        let mut bytes = part.build(Some(IDENTITY)).expect("builds");
        let batch = RecordBatch::split_from(&mut bytes);
        let batch = batch.expect("valid").expect("whole");
        assert_eq!(Some(batch.header.base_sequence), part.sequence);
        for record in batch.records().expect("readable").iter() {
            let record = record.expect("readable");
            assert_eq!(record.timestamp, next);
            assert_eq!(record.value, Some(&[next as u8; 100][..]));
            assert_eq!(record.headers.len(), 1);
            next += 1;
        }
    }
    assert_eq!(next, 10);
}

#[test]
fn a_batch_under_the_size_still_becomes_two() {
    let parts = split(whole(2), &BatchOptions::default(), 100_000).map_err(|(_, error)| error);
    assert_eq!(parts.expect("splits").len(), 2);
}

#[tokio::test]
async fn the_whole_has_a_result_once_all_parts_have_even_parts_of_parts() {
    let batch = whole(4);
    let outcome = batch.outcome.clone();
    let options = BatchOptions::default();
    let parts = split(batch, &options, 250).map_err(|(_, error)| error);
    let mut parts = parts.expect("splits");
    assert_eq!(parts.len(), 4);
    let last = parts.pop().expect("four");
    assert!(!last.finish(appended(70)));
    let mut third = parts.pop().expect("three");
    third.build(Some(IDENTITY)).expect("builds");
    let too_large = ClientError::broker("producing", ErrorCode::MessageTooLarge);
    assert!(!third.finish(Err(too_large)));
    let second = parts.pop().expect("two");
    assert!(!second.finish(appended(30)));
    let first = parts.pop().expect("one");
    assert!(first.finish(appended(20)));
    let whole = outcome.await.expect("told").expect("in parts");
    let offset = |index| whole.at(index).map(|(offset, _)| offset);
    assert_eq!(offset(0).expect("there"), Some(20));
    assert_eq!(offset(1).expect("there"), Some(30));
    assert!(offset(2).is_err());
    assert_eq!(offset(3).expect("there"), Some(70));
}

//! Messages read and written by their schema are those read and written by their struct.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests count as outside tests"
)]

use bytes::Bytes;
use headwater_wire::codec::{EncodeError, Structure, Tree};
use headwater_wire::messages::describe_topic_partitions::*;
use headwater_wire::messages::fetch::*;
use headwater_wire::{Decoder, Encoder, Message};

fn bytes_of<M: Message>(message: &M, version: i16) -> Bytes {
    let mut out = Encoder::new();
    message.encode(&mut out, version).unwrap();
    out.into_bytes()
}

fn tree_of<M: Message + Structure>(bytes: &Bytes, version: i16) -> Tree {
    let mut input = Decoder::new(bytes.clone());
    input.set_flexible(version >= M::FLEXIBLE_FROM);
    let tree = Tree::take(M::FIELDS, &mut input, version).unwrap();
    assert_eq!(input.remaining(), 0);
    tree
}

fn put<M: Message + Structure>(tree: &Tree, version: i16) -> Result<Bytes, EncodeError> {
    let mut out = Encoder::new();
    out.set_flexible(version >= M::FLEXIBLE_FROM);
    tree.put(M::FIELDS, &mut out, version)?;
    Ok(out.into_bytes())
}

fn fetched(version: i16) -> FetchResponse {
    let mut partition = PartitionData {
        partition_index: 3,
        high_watermark: 9,
        last_stable_offset: 7,
        aborted_transactions: None,
        records: Some(Bytes::from_static(b"records")),
        ..Default::default()
    };
    if version >= 12 {
        partition.current_leader.leader_id = 4;
    }
    FetchResponse {
        responses: vec![FetchableTopicResponse {
            partitions: vec![partition, PartitionData::default()],
            ..Default::default()
        }],
        ..Default::default()
    }
}

#[test]
fn every_version_comes_out_as_it_went_in() {
    for version in FetchResponse::MIN_VERSION..=FetchResponse::MAX_VERSION {
        let bytes = bytes_of(&fetched(version), version);
        let tree = tree_of::<FetchResponse>(&bytes, version);
        assert_eq!(put::<FetchResponse>(&tree, version), Ok(bytes));
        let Some(Tree::Array(topics)) = tree.get("responses") else {
            panic!("no topics in {tree:?}");
        };
        let Some(Tree::Array(partitions)) = topics[0].get("partitions") else {
            panic!("no partitions in {tree:?}");
        };
        assert_eq!(partitions[0].get("aborted_transactions"), Some(&Tree::Null));
        assert_eq!(partitions[0].get("current_leader").is_some(), version >= 12);
    }
}

#[test]
fn a_nullable_structure_may_be_there_or_not() {
    for cursor in [None, Some(Cursor::default())] {
        let response = DescribeTopicPartitionsResponse {
            next_cursor: cursor,
            ..Default::default()
        };
        let bytes = bytes_of(&response, 0);
        let tree = tree_of::<DescribeTopicPartitionsResponse>(&bytes, 0);
        assert_eq!(put::<DescribeTopicPartitionsResponse>(&tree, 0), Ok(bytes));
    }
}

#[test]
fn what_is_left_out_is_null_or_zero() {
    let tree = Tree::Structure(vec![("session_id", Tree::Int(5))]);
    let bytes = put::<FetchResponse>(&tree, 7).unwrap();
    let response = FetchResponse::decode(&mut Decoder::new(bytes), 7).unwrap();
    assert_eq!(response.session_id, 5);
    assert!(response.responses.is_empty());
}

#[test]
fn values_of_another_type_are_refused() {
    for value in [Tree::String("five".into()), Tree::Int(i64::MAX)] {
        let tree = Tree::Structure(vec![("session_id", value)]);
        assert_eq!(
            put::<FetchResponse>(&tree, 7),
            Err(EncodeError::NotOfType {
                field: "session_id"
            })
        );
    }
}

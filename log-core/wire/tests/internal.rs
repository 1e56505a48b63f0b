//! Records of the internal topics, byte for byte as Kafka writes them.

use bytes::Bytes;
use headwater_wire::Message;
use headwater_wire::internal::consumer_group::*;
use headwater_wire::internal::consumer_offsets::*;
use headwater_wire::internal::transaction_state::*;
use headwater_wire::internal::{OffsetsKey, decode, encode};

#[test]
fn keys_of_consumer_offsets_say_what_they_are() {
    let offset = OffsetsKey::OffsetCommit(OffsetCommitKey {
        group: "g".into(),
        topic: "t".into(),
        partition: 7,
    });
    let bytes = offset.encode().unwrap();
    assert_eq!(bytes.as_ref(), b"\0\x01\0\x01g\0\x01t\0\0\0\x07");
    assert_eq!(OffsetsKey::decode(bytes).unwrap(), offset);

    let group = OffsetsKey::GroupMetadata(GroupMetadataKey { group: "g".into() });
    let bytes = group.encode().unwrap();
    assert_eq!(bytes.as_ref(), b"\0\x02\0\x01g");
    assert_eq!(OffsetsKey::decode(bytes).unwrap(), group);

    let other = OffsetsKey::decode(Bytes::from_static(b"\0\x09whatever")).unwrap();
    assert_eq!(other, OffsetsKey::Other(9));
    assert!(other.encode().is_err());
    assert!(OffsetsKey::decode(Bytes::from_static(b"\0\x02\0\x02g")).is_err());
}

#[test]
fn values_carry_their_version() {
    let value = OffsetCommitValue {
        offset: 3,
        leader_epoch: 4,
        metadata: "m".into(),
        commit_timestamp: 5,
        ..Default::default()
    };
    let bytes = encode(&value, 3).unwrap();
    let expected: &[u8] = b"\0\x03\0\0\0\0\0\0\0\x03\0\0\0\x04\0\x01m\0\0\0\0\0\0\0\x05";
    assert_eq!(bytes.as_ref(), expected);
    assert_eq!(decode::<OffsetCommitValue>(bytes).unwrap(), value);
    assert!(decode::<OffsetCommitValue>(Bytes::from_static(b"\0\x09")).is_err());

    for version in GroupMetadataValue::MIN_VERSION..=GroupMetadataValue::MAX_VERSION {
        let value = GroupMetadataValue {
            protocol_type: "consumer".into(),
            generation: 2,
            protocol: None,
            leader: Some("a".into()),
            members: vec![MemberMetadata {
                member_id: "a".into(),
                subscription: Bytes::from_static(b"s"),
                ..Default::default()
            }],
            ..Default::default()
        };
        let bytes = encode(&value, version).unwrap();
        assert_eq!(decode::<GroupMetadataValue>(bytes).unwrap(), value);
    }

    let state = TransactionLogValue {
        producer_id: 9,
        producer_epoch: 1,
        transaction_partitions: Some(vec![PartitionsSchema {
            topic: "t".into(),
            partition_ids: vec![0, 2],
        }]),
        ..Default::default()
    };
    for version in [0, 1] {
        let bytes = encode(&state, version).unwrap();
        assert_eq!(decode::<TransactionLogValue>(bytes).unwrap(), state);
    }
    let newer = TransactionLogValue {
        next_producer_id: 11,
        ..state
    };
    assert!(
        encode(&newer, 0).is_err(),
        "version 0 would lose the next producer id"
    );
    assert_eq!(
        decode::<TransactionLogValue>(encode(&newer, 1).unwrap()).unwrap(),
        newer
    );
}

#[test]
fn records_of_consumer_groups_are_those_of_kafka() {
    let key =
        OffsetsKey::ConsumerGroupCurrentMemberAssignment(ConsumerGroupCurrentMemberAssignmentKey {
            group_id: "g".into(),
            member_id: "m".into(),
        });
    let bytes = key.encode().unwrap();
    assert_eq!(bytes.as_ref(), b"\0\x08\0\x01g\0\x01m");
    assert_eq!(OffsetsKey::decode(bytes).unwrap(), key);

    let key = OffsetsKey::ConsumerGroupRegularExpression(ConsumerGroupRegularExpressionKey {
        group_id: "g".into(),
        regular_expression: "a.*".into(),
    });
    let bytes = key.encode().unwrap();
    assert_eq!(bytes.as_ref(), b"\0\x10\0\x01g\0\x03a.*");
    assert_eq!(OffsetsKey::decode(bytes).unwrap(), key);

    let value = ConsumerGroupCurrentMemberAssignmentValue {
        member_epoch: 2,
        previous_member_epoch: 1,
        assigned_partitions: vec![CurrentTopicPartitions {
            topic_id: uuid::Uuid::from_u128(1),
            partitions: vec![5],
            assignment_epochs: Some(vec![2]),
        }],
        ..Default::default()
    };
    let bytes = encode(&value, 0).unwrap();
    // Version, epochs, state; one topic with one partition; a tag of five bytes; nothing to revoke.
    let mut expected = b"\0\0\0\0\0\x02\0\0\0\x01\0\x02".to_vec();
    expected.extend(1_u128.to_be_bytes());
    expected.extend(b"\x02\0\0\0\x05\x01\0\x05\x02\0\0\0\x02\x01\0");
    assert_eq!(bytes.as_ref(), expected);
    assert_eq!(
        decode::<ConsumerGroupCurrentMemberAssignmentValue>(bytes).unwrap(),
        value
    );

    let value = ConsumerGroupMemberMetadataValue {
        instance_id: None,
        rack_id: None,
        client_id: "c".into(),
        subscribed_topic_regex: Some(String::new()),
        server_assignor: None,
        classic_member_metadata: Some(ClassicMemberMetadata {
            session_timeout_ms: 7,
            supported_protocols: vec![],
        }),
        ..Default::default()
    };
    let bytes = encode(&value, 0).unwrap();
    let consumer = ConsumerGroupMemberMetadataValue {
        classic_member_metadata: None,
        ..value.clone()
    };
    let consumer = encode(&consumer, 0).unwrap();
    assert!(consumer.ends_with(b"\x01\0\x01\xff"), "null is written");
    // A tagged structure that may be null begins with a byte that says it is not.
    assert_eq!(
        bytes.as_ref(),
        b"\0\0\0\0\x02c\x01\x01\x01\xff\xff\xff\xff\0\x01\0\x07\x01\0\0\0\x07\x01\0"
    );
    assert_eq!(
        decode::<ConsumerGroupMemberMetadataValue>(bytes).unwrap(),
        value
    );
}

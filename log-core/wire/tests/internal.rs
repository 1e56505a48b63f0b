//! Records of the internal topics, byte for byte as Kafka writes them.

use bytes::Bytes;
use headwater_wire::Message;
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

    let other = OffsetsKey::decode(Bytes::from_static(b"\0\x05whatever")).unwrap();
    assert_eq!(other, OffsetsKey::Other(5));
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

//! Bytes from the network may be anything. They give a message or an error, never a panic.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests count as outside tests"
)]

#[path = "oracle/generate.rs"]
mod generate;

use bytes::{Bytes, BytesMut};
use headwater_wire::records::{Compression, DecompressionLimits, RecordBatch};
use headwater_wire::{
    ApiKey, DecodeError, Decoder, Encoder, Message, RequestHeader, RequestKind, ResponseKind,
    catalog, frame, messages,
};
use proptest::prelude::*;

fn decode_as_everything(bytes: &Bytes) {
    for api in catalog::APIS {
        for version in api.min_version..=api.max_version {
            let _ = RequestKind::decode(api.key, version, &mut Decoder::new(bytes.clone()));
            let _ = ResponseKind::decode(api.key, version, &mut Decoder::new(bytes.clone()));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn random_bytes_are_no_danger_as_any_message(
        bytes in proptest::collection::vec(prop_oneof![Just(0u8), Just(1), Just(0xff), any::<u8>()], 0..200),
    ) {
        decode_as_everything(&Bytes::from(bytes));
    }

    #[test]
    fn damaged_messages_are_no_danger(
        seed in any::<u64>(),
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<prop::sample::Index>(),
    ) {
        fn damaged<M: Message>(
            seed: u64,
            damage: &[(prop::sample::Index, u8)],
            cut: prop::sample::Index,
        ) {
            for version in M::MIN_VERSION..=M::MAX_VERSION {
                let mut bytes = generate::message::<M>(version, seed);
                for (at, byte) in damage.iter().filter(|_| !bytes.is_empty()).collect::<Vec<_>>() {
                    let at = at.index(bytes.len());
                    bytes[at] = *byte;
                }
                let _ = M::decode(&mut Decoder::new(Bytes::from(bytes.clone())), version);
                bytes.truncate(cut.index(bytes.len() + 1));
                let _ = M::decode(&mut Decoder::new(Bytes::from(bytes)), version);
            }
        }
        damaged::<messages::fetch::FetchRequest>(seed, &damage, cut);
        damaged::<messages::fetch::FetchResponse>(seed, &damage, cut);
        damaged::<messages::produce::ProduceRequest>(seed, &damage, cut);
        damaged::<messages::metadata::MetadataResponse>(seed, &damage, cut);
        damaged::<messages::join_group::JoinGroupRequest>(seed, &damage, cut);
        damaged::<messages::create_topics::CreateTopicsRequest>(seed, &damage, cut);
        damaged::<messages::consumer_protocol::ConsumerProtocolSubscription>(seed, &damage, cut);
    }

    #[test]
    fn random_bytes_are_no_danger_as_frames_headers_batches_and_codecs(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        let whole = Bytes::from(bytes.clone());
        let _ = frame::split(&mut BytesMut::from(bytes.as_slice()), 1 << 20);
        let _ = RequestHeader::decode(&mut Decoder::new(whole.clone()));
        let _ = RecordBatch::split_from(&mut whole.clone());
        for codec in Compression::ALL {
            let _ = codec.decompress(&whole, DecompressionLimits::default());
        }
    }
}

#[test]
fn every_cut_of_a_message_is_an_error() {
    fn cut<M: Message>() {
        for version in M::MIN_VERSION..=M::MAX_VERSION {
            let whole = Bytes::from(generate::message::<M>(version, 4));
            for end in 0..whole.len() {
                let mut input = Decoder::new(whole.slice(..end));
                assert!(
                    M::decode(&mut input, version).is_err(),
                    "{} {version}: {end}",
                    M::NAME
                );
            }
        }
    }
    cut::<messages::produce::ProduceRequest>();
    cut::<messages::fetch::FetchRequest>();
    cut::<messages::fetch::FetchResponse>();
    cut::<messages::metadata::MetadataRequest>();
    cut::<messages::metadata::MetadataResponse>();
    cut::<messages::offset_commit::OffsetCommitRequest>();
    cut::<messages::describe_topic_partitions::DescribeTopicPartitionsResponse>();
}

#[test]
fn lying_lengths_and_counts_say_what_is_wrong() {
    fn fetch(bytes: &'static [u8], version: i16) -> DecodeError {
        let mut input = Decoder::new(Bytes::from_static(bytes));
        RequestKind::decode(ApiKey::Fetch, version, &mut input).unwrap_err()
    }
    // A fetch of 2^31 - 1 topics, in the plain and in the flexible encoding.
    let plain = b"\xff\xff\xff\xff\0\0\0\0\0\0\0\0\0\0\0\0\0\x7f\xff\xff\xff";
    let count = i32::MAX as usize;
    assert_eq!(
        fetch(plain, 4),
        DecodeError::InvalidCount {
            at: 21,
            count,
            remaining: 0
        }
    );
    let flexible = b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xff\xff\xff\xff\x07";
    assert!(matches!(
        fetch(flexible, 17),
        DecodeError::InvalidCount { .. }
    ));
    let overlong = b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xff\xff\xff\xff\xff";
    assert_eq!(fetch(overlong, 17), DecodeError::InvalidVarint { at: 21 });

    fn strings(bytes: &'static [u8]) -> DecodeError {
        Decoder::new(Bytes::from_static(bytes))
            .take_string()
            .unwrap_err()
    }
    assert_eq!(
        strings(b"\x7f\xffab"),
        DecodeError::UnexpectedEnd {
            at: 2,
            missing: 32_765
        }
    );
    assert_eq!(strings(b"\0\x01\xff"), DecodeError::InvalidUtf8 { at: 3 });
    assert_eq!(
        strings(b"\0"),
        DecodeError::UnexpectedEnd { at: 0, missing: 1 }
    );

    // A compact string could be as long as the message.
    let compact = |length: usize| {
        let mut bytes = BytesMut::new();
        bytes.extend_from_slice(if length == 32_767 {
            b"\x80\x80\x02"
        } else {
            b"\x81\x80\x02"
        });
        bytes.resize(3 + length, b'a');
        let mut input = Decoder::new(bytes.freeze());
        input.set_flexible(true);
        input.take_string().map(|string| string.map(|it| it.len()))
    };
    assert_eq!(compact(32_767), Ok(Some(32_767)));
    assert_eq!(
        compact(32_768),
        Err(DecodeError::InvalidLength {
            at: 3,
            length: 32_768
        })
    );

    // Any length below zero is null's, as Kafka reads it, in either encoding.
    let mut low = Decoder::new(Bytes::from_static(b"\x80\0\xff\xff\xff\xfe\x80\0\0\0"));
    assert_eq!(low.take_string(), Ok(None));
    assert_eq!(low.take_bytes(), Ok(None));
    assert_eq!(low.take_array_len::<u8>(), Ok(None));
    let mut compact = Decoder::new(Bytes::from_static(b"\xff\xff\xff\xff\x0f\0"));
    compact.set_flexible(true);
    assert_eq!(compact.take_string(), Ok(None));
    assert_eq!(compact.take_bytes(), Ok(None));

    let mut null = Decoder::new(Bytes::from_static(b"\xff\xff"));
    let error = messages::heartbeat::HeartbeatRequest::decode(&mut null, 0).unwrap_err();
    assert_eq!(error, DecodeError::UnexpectedNull { at: 2 });
    let error = messages::heartbeat::HeartbeatRequest::decode(&mut null, 5).unwrap_err();
    assert!(matches!(
        error,
        DecodeError::UnsupportedVersion { version: 5, .. }
    ));
}

#[test]
fn unknown_tags_are_skipped_up_to_a_number() {
    fn tags(count: usize) -> Result<(), DecodeError> {
        let mut out = Encoder::new();
        out.put_varint(count as u32);
        for tag in 0..count {
            out.put_tagged(1_000 + tag as u32, |out| {
                out.put_i16(7);
                Ok(())
            })
            .unwrap();
        }
        let mut input = Decoder::new(out.into_bytes());
        input.skip_tagged()?;
        assert_eq!(input.remaining(), 0);
        Ok(())
    }
    assert_eq!(tags(64), Ok(()));
    assert!(matches!(tags(65), Err(DecodeError::TooManyTags { .. })));
    let mut input = Decoder::new(Bytes::from_static(b"\x01\x07\x05ab"));
    assert_eq!(
        input.skip_tagged(),
        Err(DecodeError::UnexpectedEnd { at: 3, missing: 3 })
    );
    let mut input = Decoder::new(Bytes::from_static(b"\xff\xff\xff\xff\x0f\0"));
    assert!(input.skip_tagged().is_err());
}

#[test]
fn what_a_version_cannot_carry_is_not_lost_silently() {
    use messages::heartbeat::HeartbeatRequest;
    let request = HeartbeatRequest {
        group_instance_id: Some("i".into()),
        ..Default::default()
    };
    let error = request.encode(&mut Encoder::new(), 2).unwrap_err();
    assert_eq!(
        error.to_string(),
        "HeartbeatRequest version 2 has no field group_instance_id, which is set"
    );
    let request = messages::metadata::MetadataRequest {
        topics: None,
        ..Default::default()
    };
    let error = request.encode(&mut Encoder::new(), 0).unwrap_err();
    assert_eq!(
        error.to_string(),
        "MetadataRequest.topics must not be null in version 0"
    );
    let long = HeartbeatRequest {
        group_id: "x".repeat(40_000),
        ..Default::default()
    };
    for version in 0..=4 {
        assert!(long.encode(&mut Encoder::new(), version).is_err());
    }
}

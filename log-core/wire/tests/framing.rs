//! Frames and headers: what travels around the messages.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests count as outside tests"
)]

use bytes::{Bytes, BytesMut};
use headwater_wire::frame::{FrameError, split};
use headwater_wire::messages::api_versions::*;
use headwater_wire::messages::fetch::*;
use headwater_wire::messages::heartbeat::*;
use headwater_wire::{
    ApiKey, Decoder, Message, RequestHeader, RequestKind, ResponseHeader, ResponseKind, catalog,
    frame, header_version, response_header_version,
};

fn flat(chunks: &[Bytes]) -> BytesMut {
    BytesMut::from(chunks.concat().as_slice())
}

#[test]
fn frames_are_split_when_they_are_complete_and_within_the_limit() {
    let mut buffer = BytesMut::from(&b"\0\0\0\x02ab\0\0\0\0\0\0\0\x03c"[..]);
    assert_eq!(split(&mut buffer, 2).unwrap().unwrap(), "ab");
    assert_eq!(split(&mut buffer, 2).unwrap().unwrap(), "");
    assert_eq!(split(&mut buffer, 3), Ok(None));
    assert_eq!(
        split(&mut buffer, 2),
        Err(FrameError::TooLarge {
            length: 3,
            limit: 2
        })
    );
    let mut buffer = BytesMut::from(&b"\xff\xff\xff\xff"[..]);
    assert_eq!(split(&mut buffer, 2), Err(FrameError::NegativeLength(-1)));
    assert_eq!(split(&mut BytesMut::from(&b"\0\0\0"[..]), 2), Ok(None));
}

#[test]
fn headers_have_the_version_of_their_message() {
    assert_eq!(header_version(ApiKey::Heartbeat, 3), Some(1));
    assert_eq!(header_version(ApiKey::Heartbeat, 4), Some(2));
    assert_eq!(response_header_version(ApiKey::Heartbeat, 4), Some(1));
    assert_eq!(header_version(ApiKey::ApiVersions, 99), Some(2));
    assert_eq!(response_header_version(ApiKey::ApiVersions, 99), Some(0));
    assert_eq!(header_version(ApiKey::Vote, 0), None);

    let request = HeartbeatRequest {
        group_id: "g".into(),
        ..Default::default()
    };
    let chunks = frame::encode_request(&request, 4, 5, Some("me")).unwrap();
    let expected: &[u8] = b"\0\0\0\x16\0\x0c\0\x04\0\0\0\x05\0\x02me\0\x02g\0\0\0\0\x01\0\0";
    assert_eq!(
        flat(&chunks),
        expected,
        "the client id keeps its plain length in header 2"
    );
}

#[test]
fn unknown_apis_and_versions_still_have_a_header() {
    let mut input = Decoder::new(Bytes::from_static(b"\x7f\xff\0\x01\0\0\0\x09rest"));
    let header = RequestHeader::decode(&mut input).unwrap();
    assert_eq!(
        (header.api_key, header.correlation_id, header.key()),
        (0x7fff, 9, None)
    );

    let mut input = Decoder::new(Bytes::from_static(b"\0\x12\0\x63\0\0\0\x09\0\x02me\0body"));
    let header = RequestHeader::decode(&mut input).unwrap();
    assert_eq!(
        header,
        RequestHeader::new(ApiKey::ApiVersions, 99, 9, Some("me".into()))
    );
    assert_eq!(input.rest(), "body");

    for cut in 0..8 {
        let mut input = Decoder::new(Bytes::from_static(&[0; 8][..cut]));
        assert!(RequestHeader::decode(&mut input).is_err());
    }
}

#[test]
fn api_versions_is_answered_with_the_oldest_header() {
    let response = ApiVersionsResponse {
        api_keys: vec![ApiVersion {
            api_key: 18,
            min_version: 0,
            max_version: 4,
        }],
        ..Default::default()
    };
    let chunks = frame::encode_response::<ApiVersionsRequest>(&response, 3, 7).unwrap();
    let mut buffer = flat(&chunks);
    let mut input = Decoder::new(split(&mut buffer, 100).unwrap().unwrap());
    assert_eq!(input.take_i32().unwrap(), 7);
    assert_eq!(
        input.take_i16().unwrap(),
        0,
        "no tagged fields between header and body"
    );
}

#[test]
fn records_of_a_response_are_shared_not_copied() {
    let records = Bytes::from(vec![7; 100_000]);
    let partition = PartitionData {
        records: Some(records.clone()),
        ..Default::default()
    };
    let partitions = vec![partition.clone(), partition];
    let response = FetchResponse {
        responses: vec![FetchableTopicResponse {
            partitions,
            ..Default::default()
        }],
        ..Default::default()
    };
    for version in FetchRequest::MIN_VERSION..=FetchRequest::MAX_VERSION {
        let chunks = ResponseKind::from(response.clone())
            .to_frame(version, 1)
            .unwrap();
        let shared: Vec<_> = chunks
            .iter()
            .filter(|chunk| chunk.len() == records.len())
            .collect();
        assert_eq!(shared.len(), 2);
        assert!(
            shared
                .iter()
                .all(|chunk| chunk.as_ptr() == records.as_ptr())
        );

        let whole = split(&mut flat(&chunks), 1 << 20).unwrap().unwrap();
        let range = whole.as_ptr_range();
        let mut input = Decoder::new(whole.clone());
        let header = ResponseHeader::decode(&mut input, ApiKey::Fetch, version).unwrap();
        assert_eq!(header.correlation_id, 1);
        let kind = ResponseKind::decode(ApiKey::Fetch, version, &mut input).unwrap();
        assert_eq!(input.remaining(), 0);
        let decoded = FetchResponse::try_from(kind).unwrap();
        assert_eq!(decoded, response);
        let read = decoded.responses[0].partitions[1].records.as_ref().unwrap();
        assert!(
            range.contains(&read.as_ptr()),
            "records are a slice of the frame"
        );
    }
}

#[test]
fn kinds_lead_back_to_their_types() {
    let request = HeartbeatRequest::default();
    let kind = RequestKind::from(request.clone());
    assert_eq!(kind.key(), ApiKey::Heartbeat);
    assert_eq!(
        HeartbeatRequest::try_from(kind.clone()).as_ref(),
        Ok(&request)
    );
    let error = FetchRequest::try_from(kind).unwrap_err();
    assert_eq!(
        (error.expected, error.got),
        ("FetchRequest", ApiKey::Heartbeat)
    );
    assert!(RequestKind::decode(ApiKey::Vote, 0, &mut Decoder::new(Bytes::new())).is_err());
}

#[test]
fn the_catalog_is_sorted_and_finds_its_own() {
    assert!(catalog::APIS.is_sorted_by_key(|api| api.key));
    for api in catalog::APIS {
        assert_eq!(catalog::find(api.key), Some(*api));
        assert!(api.has_version(api.min_version) && !api.has_version(api.max_version + 1));
    }
    let produce = catalog::find(ApiKey::Produce).unwrap();
    assert_eq!(
        (produce.min_version, produce.advertised_min_version()),
        (3, 0)
    );
    assert_eq!(catalog::find(ApiKey::Vote), None);
}

//! Requests that are none: cut off, with lengths that cannot be, of keys and versions that nobody
//! knows.

use bytes::Bytes;
use headwater_wire::codec::DecodeError;
use headwater_wire::{ApiKey, Decoder, RequestHeader, catalog};

use crate::meant;
use crate::object::{NULL, object};
use crate::run::Run;
use headwater_wire::codec::Tree;

/// The correlation id of [`Run::frame`].
const CORRELATION_ID: i32 = 7;

/// A request that changes nothing, of some API.
fn harmless(run: &mut Run) -> (ApiKey, Tree) {
    let name = run.name("nobody");
    let all = [
        (
            ApiKey::Metadata,
            object! { topics: Vec::<Tree>::new(), allow_auto_topic_creation: false },
        ),
        (
            ApiKey::FindCoordinator,
            object! { key: &name, key_type: 0, coordinator_keys: [&name] },
        ),
        (ApiKey::ListGroups, object! {}),
        (ApiKey::DescribeGroups, object! { groups: [&name] }),
        (
            ApiKey::Heartbeat,
            object! { group_id: &name, generation_id: 1, member_id: "m" },
        ),
        (
            ApiKey::LeaveGroup,
            object! { group_id: &name, member_id: "m" },
        ),
        (
            ApiKey::ApiVersions,
            object! { client_software_name: "c", client_software_version: "1" },
        ),
        (ApiKey::DescribeCluster, object! { endpoint_type: 1 }),
        (
            ApiKey::DeleteTopics,
            object! { topic_names: [&name], timeout_ms: 100 },
        ),
        (
            ApiKey::DescribeConfigs,
            object! {
                resources: [object! { resource_type: 2, resource_name: &name, configuration_keys: NULL }],
            },
        ),
        (ApiKey::ListOffsets, object! { replica_id: -1 }),
        (
            ApiKey::OffsetFetch,
            object! { group_id: &name, topics: NULL },
        ),
        (ApiKey::Produce, object! { acks: 1, timeout_ms: 100 }),
        (
            ApiKey::Fetch,
            object! { replica_id: -1, session_epoch: -1, max_bytes: 100 },
        ),
    ];
    run.one(&all)
}

/// Frames of every wrong kind.
pub(crate) async fn frames(run: &mut Run) {
    for _ in 0..12 {
        let (key, body) = harmless(run);
        let version = run.version(key);
        let Some(frame) = run.frame(key, version, &body) else {
            continue;
        };
        let (what, bytes) = spoil(run, key, version, frame);
        if matches!(fault(&bytes), Some(DecodeError::InvalidUtf8 { .. })) {
            run.remark(meant::NOT_TEXT);
        }
        let what = format!("{key} v{version}, {what}");
        // What is refused because its key is not known is not read as an answer to another.
        let sent = ApiKey::from_code(i16::from_be_bytes([bytes[4], bytes[5]]));
        let sent = sent.unwrap_or(ApiKey::Metadata);
        let version = i16::from_be_bytes([bytes[6], bytes[7]]);
        run.send_raw(&what, sent, version, CORRELATION_ID, &bytes)
            .await;
    }
}

/// The first fault of a frame, if there is one: why we refuse it.
fn fault(frame: &[u8]) -> Option<DecodeError> {
    let mut input = Decoder::new(Bytes::copy_from_slice(frame.get(4..)?));
    let header = match RequestHeader::decode(&mut input) {
        Ok(header) => header,
        Err(error) => return Some(error),
    };
    let key = header.key()?;
    let (api, (fields, _)) = (catalog::find(key)?, catalog::schema(key)?);
    input.set_flexible(header.api_version >= api.flexible_from);
    Tree::take(fields, &mut input, header.api_version).err()
}

/// The frame, made wrong in some way, and in which.
fn spoil(run: &mut Run, key: ApiKey, version: i16, frame: Vec<u8>) -> (&'static str, Vec<u8>) {
    let mut payload = frame.get(4..).unwrap_or_default().to_vec();
    let header_len = (8 + 2 + 3).min(payload.len());
    let what = match run.below(12) {
        0 => {
            let at = run.below(payload.len().saturating_sub(header_len)) + header_len;
            payload.truncate(at);
            "the body cut off"
        }
        1 => {
            payload.extend_from_slice(b"more");
            "bytes behind the body"
        }
        2 => {
            let unknown = run.one(&[93_i16, 4, 5, 7, -1, 1000, i16::MAX, i16::MIN]);
            payload[0..2].copy_from_slice(&unknown.to_be_bytes());
            "an api key that nobody knows"
        }
        3 => {
            let api = catalog::find(key);
            let newer = api.map_or(version, |api| api.max_version) + 1;
            let newer = run.one(&[newer, newer + 5, i16::MAX]);
            payload[2..4].copy_from_slice(&newer.to_be_bytes());
            "a version too new"
        }
        4 => {
            payload[2..4].copy_from_slice(&(-1_i16).to_be_bytes());
            "version -1"
        }
        5 => {
            let length = run.one(&[-2_i16, i16::MAX, 300]);
            payload[8..10].copy_from_slice(&length.to_be_bytes());
            match length {
                ..0 => "a client id of length -2",
                _ => "a client id beyond the frame",
            }
        }
        6 => {
            for byte in payload.iter_mut().skip(header_len) {
                *byte = u8::try_from(run.below(256)).unwrap_or(0);
            }
            "a body of random bytes"
        }
        7 => {
            payload.truncate(run.below(8));
            "no whole header"
        }
        8 => {
            payload[8..10].copy_from_slice(&(-1_i16).to_be_bytes());
            payload.drain(10..10 + 3);
            "no client id"
        }
        9 => {
            // The last byte of a flexible request counts its tagged fields.
            if let Some(last) = payload.last_mut() {
                *last = 1;
            }
            payload.extend_from_slice(&[120, 2, 0xab, 0xcd]);
            "a tagged field that nobody knows"
        }
        10 => {
            if let Some(last) = payload.last_mut() {
                *last = 0xff;
            }
            "the last byte 0xff"
        }
        _ => {
            // The sequence's name, or where the request has none, the client id.
            let name = run.name("nobody");
            let found = payload
                .windows(name.len())
                .position(|bytes| bytes == name.as_bytes());
            if let Some(byte) = payload.get_mut(found.unwrap_or(10)) {
                *byte = 0xff;
            }
            "a string that is not UTF-8"
        }
    };
    let length = i32::try_from(payload.len()).unwrap_or(0);
    let mut bytes = length.to_be_bytes().to_vec();
    bytes.extend_from_slice(&payload);
    bytes.resize(bytes.len().max(8), 0);
    // A length that is not the payload's.
    if run.once_in(15) {
        let wrong = run.one(&[-1, 0, i32::MAX, i32::MIN, 200_000_000]);
        bytes[0..4].copy_from_slice(&wrong.to_be_bytes());
        return ("a frame of impossible length", bytes);
    }
    (what, bytes)
}

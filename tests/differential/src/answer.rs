//! What a server did with a request, as trees that can be compared.

use bytes::Bytes;
use headwater_wire::codec::Tree;
use headwater_wire::records::{HeaderRef, RecordBatch};
use headwater_wire::{ApiKey, Decoder, ResponseHeader, catalog};

use crate::connection::Reply;
use crate::object::{Look, object};

/// The error that says so.
const UNSUPPORTED_VERSION: i64 = 35;

/// How it shows that a server does not know a key or version.
pub(crate) const NOT_SERVED: &str = "unsupported version";

/// What a server did.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Outcome {
    /// It answered.
    Answered(Tree),
    /// It answered with something that is no answer to this request.
    Garbled(String),
    /// It refused a key or version that it does not know, in the form that every client can read.
    NotServed,
    /// It closed the connection.
    Closed,
    /// It said nothing.
    Silence,
}

impl Outcome {
    /// The reply to a request of `key` in `version`, which carried `correlation_id`.
    pub(crate) fn of(reply: Reply, key: ApiKey, version: i16, correlation_id: i32) -> Self {
        match reply {
            Reply::Frame(bytes) => match decode(&bytes, key, version, correlation_id) {
                Ok(tree) => Self::Answered(tree),
                Err(error) => Self::Garbled(error),
            },
            Reply::Closed => Self::Closed,
            Reply::Silence => Self::Silence,
        }
    }

    /// The reply to bytes that may be no request. A version that is not known is refused in the
    /// form of the nearest that is, if it has a place for an error, and all else in the form of an
    /// ApiVersions answer, the only one that every client can read.
    pub(crate) fn of_raw(reply: Reply, key: ApiKey, version: i16, correlation_id: i32) -> Self {
        if key != ApiKey::ApiVersions
            && let Reply::Frame(bytes) = &reply
            && let Ok(tree) = decode(bytes, ApiKey::ApiVersions, 0, correlation_id)
            && tree.int("error_code") == UNSUPPORTED_VERSION
        {
            return Self::NotServed;
        }
        if key != ApiKey::ApiVersions
            && catalog::find(key).is_some_and(|api| !api.has_version(version))
            && let Reply::Frame(bytes) = &reply
            && let Ok(tree) = decode(bytes, key, version, correlation_id)
            && tree.get("error_code").is_some()
            && tree.int("error_code") == UNSUPPORTED_VERSION
        {
            return Self::NotServed;
        }
        Self::of(reply, key, version, correlation_id)
    }

    /// In a word.
    pub(crate) fn kind(&self) -> String {
        match self {
            Self::Answered(_) => "an answer".to_owned(),
            Self::Garbled(why) => format!("no answer to this request: {why}"),
            Self::NotServed => NOT_SERVED.to_owned(),
            Self::Closed => "connection closed".to_owned(),
            Self::Silence => "silence".to_owned(),
        }
    }
}

fn decode(bytes: &Bytes, key: ApiKey, version: i16, correlation_id: i32) -> Result<Tree, String> {
    let api = catalog::find(key).ok_or("not in the catalog")?;
    let (_, fields) = catalog::schema(key).ok_or("not in the catalog")?;
    // A version that is not there is answered in the nearest that is, and for ApiVersions in that
    // which every client can read (KIP-511).
    let version = match key {
        ApiKey::ApiVersions if !api.has_version(version) => 0,
        _ => version.clamp(api.min_version, api.max_version),
    };
    let mut input = Decoder::new(bytes.clone());
    let header = ResponseHeader::decode(&mut input, key, version).map_err(|e| e.to_string())?;
    if header.correlation_id != correlation_id {
        return Err("another correlation id".to_owned());
    }
    input.set_flexible(version >= api.flexible_from);
    let tree = Tree::take(fields, &mut input, version)
        .map_err(|error| format!("{error} of {}", bytes.len()))?;
    match input.remaining() {
        0 => Ok(unfold(tree)),
        left => Err(format!("{left} bytes too many")),
    }
}

/// A topic that stands in several pieces, as Kafka answers a Fetch that failed for some of its
/// partitions, becomes one.
fn joined(topics: Vec<Tree>) -> Vec<Tree> {
    let mut whole: Vec<Tree> = Vec::new();
    for topic in topics {
        let same = |other: &&mut Tree| {
            let names = ["topic", "topic_id"];
            names.iter().all(|name| other.get(name) == topic.get(name))
        };
        match (whole.iter_mut().find(same), topic) {
            (Some(Tree::Structure(fields)), Tree::Structure(more)) => {
                for ((_, value), (_, more)) in fields.iter_mut().zip(more) {
                    if let (Tree::Array(elements), Tree::Array(more)) = (value, more) {
                        elements.extend(more);
                    }
                }
            }
            (_, topic) => whole.push(topic),
        }
    }
    whole
}

/// Record batches inside an answer become trees of their own.
fn unfold(tree: Tree) -> Tree {
    match tree {
        Tree::Array(elements) => Tree::Array(elements.into_iter().map(unfold).collect()),
        Tree::Structure(fields) => Tree::Structure(
            fields
                .into_iter()
                .map(|(name, value)| match value {
                    Tree::Bytes(bytes) if name == "records" => (name, batches(bytes)),
                    Tree::Array(topics) if name == "responses" && is_fetched(&topics) => {
                        let topics = joined(topics);
                        (name, Tree::Array(topics.into_iter().map(unfold).collect()))
                    }
                    value => (name, unfold(value)),
                })
                .collect(),
        ),
        other => other,
    }
}

fn is_fetched(topics: &[Tree]) -> bool {
    let partition = topics.first().map(|topic| topic.look("partitions.0"));
    partition.is_some_and(|partition| partition.get("high_watermark").is_some())
}

fn batches(mut bytes: Bytes) -> Tree {
    let mut found = Vec::new();
    loop {
        match RecordBatch::split_from(&mut bytes) {
            Ok(Some(batch)) => found.push(batch_tree(&batch)),
            Ok(None) => break,
            Err(error) => {
                found.push(object! { broken: error.to_string() });
                break;
            }
        }
    }
    Tree::Array(found)
}

fn batch_tree(batch: &RecordBatch) -> Tree {
    let header = &batch.header;
    let records = match batch.records() {
        Ok(records) => Tree::Array(
            records
                .iter()
                .map(|record| match record {
                    Ok(record) => object! {
                        offset: record.offset,
                        timestamp: record.timestamp,
                        key: record.key.map(Bytes::copy_from_slice),
                        value: record.value.map(Bytes::copy_from_slice),
                        headers: record.headers.iter().map(header_tree).collect::<Vec<_>>(),
                    },
                    Err(error) => object! { broken: error.to_string() },
                })
                .collect(),
        ),
        Err(error) => object! { broken: error.to_string() },
    };
    object! {
        base_offset: header.base_offset,
        partition_leader_epoch: header.partition_leader_epoch,
        crc_is_right: batch.verify_crc().is_ok(),
        attributes: header.attributes,
        last_offset_delta: header.last_offset_delta,
        base_timestamp: header.base_timestamp,
        max_timestamp: header.max_timestamp,
        producer_id: header.producer_id,
        producer_epoch: header.producer_epoch,
        base_sequence: header.base_sequence,
        record_count: header.record_count,
        contents: records,
    }
}

fn header_tree<E: ToString>(header: Result<HeaderRef<'_>, E>) -> Tree {
    match header {
        Ok(header) => object! {
            key: header.key.to_owned(),
            value: header.value.map(Bytes::copy_from_slice),
        },
        Err(error) => object! { broken: error.to_string() },
    }
}

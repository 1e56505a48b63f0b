//! Elements of arrays by their keys, for arrays whose order says nothing.
//!
//! Kafka answers topics, partitions, groups and members in the order of hash maps, which differs
//! from one process to the next.

use headwater_wire::codec::Tree;

use crate::names::Named;
use crate::object::shown;

/// Fields that tell elements of an array apart.
const KEYS: &[&str] = &[
    "name",
    "topic",
    "topic_name",
    "topic_id",
    "partition",
    "partition_index",
    "partition_id",
    "index",
    "batch_index",
    "resource_type",
    "resource_name",
    "config_name",
    "group_id",
    "group",
    "key",
    "member_id",
    "group_instance_id",
    "transactional_id",
    "producer_id",
    "transaction_state",
    "producer_epoch",
    "node_id",
    "broker_id",
    "replica_id",
    "api_key",
    "log_dir",
    "listener",
];

/// The key by which an element is found in the other server's array. `kafkas` gives Kafka's name
/// for one that a server chose, if it is known.
pub(crate) fn key(
    field: &str,
    nth: usize,
    element: &Tree,
    kafkas: impl Fn(Named, &Tree) -> Option<String>,
) -> String {
    // Records, and everything that is no structure, have their order.
    let Tree::Structure(fields) = element else {
        // Partitions are a set.
        return if matches!(field, "partitions" | "partition_indexes") {
            shown(element)
        } else {
            nth.to_string()
        };
    };
    if matches!(field, "records" | "contents" | "headers" | "synonyms") {
        return nth.to_string();
    }
    let parts: Vec<_> = KEYS
        .iter()
        .filter_map(|key| fields.iter().find(|(name, _)| name == key))
        .map(|(name, value)| match Named::of(name) {
            Some(named) => format!("{name}={}", kafkas(named, value).unwrap_or_default()),
            None => format!("{name}={}", shown(value)),
        })
        .collect();
    if parts.is_empty() {
        nth.to_string()
    } else {
        parts.join(" ")
    }
}

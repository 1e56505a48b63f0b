//! What the handlers of groups and transactions share.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use futures::future::{BoxFuture, join_all};
use headwater_coordination::groups::{Client, Request, Response};
use headwater_coordination::placement::group_partition;
use headwater_wire::ErrorCode;
use uuid::Uuid;

use crate::context::RequestContext;
use crate::coordinators::current_view;
use crate::node::Node;
use crate::topics::TopicMap;

/// Gives a request to the coordinator of `group_id`.
pub(super) fn to_group(
    node: &Arc<Node>,
    context: &RequestContext,
    group_id: &str,
    request: Request,
) -> BoxFuture<'static, Response> {
    let topics = current_view(node);
    node.coordinators
        .groups
        .submit(node, group_id, context.version, (topics, request))
}

/// Told to members and administrators where the consumer protocol is switched off.
pub(super) const NOT_SERVED: &str =
    "group.coordinator.rebalance.protocols of this broker does not have the consumer protocol";

/// Whether groups may use the consumer protocol (KIP-848).
pub(super) fn serves_consumer_protocol(node: &Node) -> bool {
    let protocols = &node.config.settings.group_protocols;
    protocols.iter().any(|protocol| protocol == "consumer")
}

/// Who a request comes from, as members of groups are described.
pub(super) fn client(context: &RequestContext) -> Client {
    Client {
        id: context.client_id.as_deref().unwrap_or_default().to_owned(),
        // Kafka shows an address as Java does: after the name of the host, which is not looked up.
        host: format!("/{}", context.client_host.trim_start_matches('/')),
    }
}

/// The partition of `__consumer_offsets` that is the group's, or will be if nobody makes the topic
/// with another number of partitions.
pub(super) fn offsets_partition(node: &Node, group_id: &str) -> i32 {
    let count = match node.coordinators.groups.partitions() {
        Some(partitions) => i32::try_from(partitions.len()).unwrap_or(i32::MAX),
        None => node.config.settings.offsets_topic_partitions,
    };
    group_partition(group_id, count)
}

/// The names, each once: clients key answers by them, and a name is shorter than its answer.
pub(super) fn each_once(names: Vec<String>) -> Vec<String> {
    let mut seen = HashSet::with_capacity(names.len());
    let mut names = names;
    names.retain(|name| seen.insert(name.clone()));
    names
}

/// Where in a list each name stands first.
pub(super) fn places<'a>(names: impl Iterator<Item = &'a String>) -> HashMap<String, usize> {
    let mut places = HashMap::new();
    for (place, name) in names.enumerate() {
        places.entry(name.clone()).or_insert(place);
    }
    places
}

/// Splits the groups of a request by the partition that answers for them.
pub(super) fn by_partition<T>(
    node: &Node,
    groups: Vec<T>,
    id: impl Fn(&T) -> &str,
) -> Vec<(String, Vec<T>)> {
    let mut parts: BTreeMap<i32, (String, Vec<T>)> = BTreeMap::new();
    for group in groups {
        let partition = offsets_partition(node, id(&group));
        let part = parts
            .entry(partition)
            .or_insert_with(|| (id(&group).to_owned(), Vec::new()));
        part.1.push(group);
    }
    parts.into_values().collect()
}

/// Waits for the answers of several coordinators and keeps what `part` finds in them.
pub(super) async fn collect<T, P: IntoIterator<Item = T>>(
    answers: Vec<BoxFuture<'static, Response>>,
    part: impl Fn(Response) -> Option<P>,
) -> Vec<T> {
    join_all(answers)
        .await
        .into_iter()
        .filter_map(part)
        .flatten()
        .collect()
}

/// The answer itself, out of the enum over all of them.
///
/// A machine answers every request in its own kind, so the other case is a fault in it; the
/// default is what the client then gets, and the log the complaint.
pub(super) fn own_kind<R: Default>(found: Option<R>) -> R {
    found.unwrap_or_else(|| {
        tracing::error!("a coordinator answered another request than the one it was asked");
        R::default()
    })
}

/// The name of a topic that a request names, by id if the id is set.
///
/// # Errors
/// `UNKNOWN_TOPIC_ID` or `UNKNOWN_TOPIC_OR_PARTITION`.
pub(super) fn topic_name(topics: &TopicMap, id: Uuid, name: &str) -> Result<String, ErrorCode> {
    topics.find(id, name).map(|topic| topic.image.name.clone())
}

/// Whether the topic has this partition.
pub(super) fn has_partition(topics: &TopicMap, name: &str, partition: i32) -> bool {
    topics
        .by_name(name)
        .is_some_and(|topic| topic.locate(partition).is_ok())
}

#[cfg(test)]
mod tests {
    use super::each_once;

    #[test]
    fn a_name_counts_once_and_the_order_stays() {
        let names = ["b", "a", "b", "c", "a"].map(str::to_owned);
        assert_eq!(each_once(names.to_vec()), ["b", "a", "c"]);
    }
}

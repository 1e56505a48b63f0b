//! What a consumer tells the leader it subscribes to.

use std::collections::BTreeSet;

use bytes::Bytes;
use headwater_wire::internal;
use headwater_wire::messages::consumer_protocol::ConsumerProtocolSubscription;

/// The protocol type of consumers, as against Connect's workers and others.
pub(super) const CONSUMER_PROTOCOL_TYPE: &str = "consumer";

/// The topics in a member's metadata under the protocol type `consumer`.
///
/// `None` if the metadata is not in Kafka's `ConsumerProtocolSubscription` format.
#[must_use]
pub fn subscribed_topics(metadata: &Bytes) -> Option<BTreeSet<String>> {
    let subscription: ConsumerProtocolSubscription = internal::decode(metadata.clone()).ok()?;
    Some(subscription.topics.into_iter().collect())
}

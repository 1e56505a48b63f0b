//! The topics that an application makes for itself.

use std::collections::{BTreeMap, HashMap};

use headwater_client::Admin;
use headwater_client::admin::{ConfigResource, NewTopic};
use headwater_wire::ErrorCode;
use uuid::Uuid;

use crate::StreamsError;
use crate::engine::{InternalTopic, NodeKind, Plan, Topology};

use super::StreamsConfig;

/// Partition counts of the topics outside that the topology reads.
pub(super) async fn source_sizes(
    admin: &Admin,
    topology: &Topology,
    application_id: &str,
) -> Result<HashMap<String, i32>, StreamsError> {
    let mut names: Vec<String> = Vec::new();
    for node in topology.nodes() {
        if let NodeKind::Source(source) = &node.kind {
            names.extend(
                source
                    .topics
                    .iter()
                    .map(|topic| topic.resolve(application_id)),
            );
        }
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let found = admin.describe_topics(&names).await?;
    let mut sizes = HashMap::new();
    for (name, topic) in found {
        match topic {
            Ok(view) => {
                sizes.insert(name, view.partition_count());
            }
            Err(error) if error.code() == Some(ErrorCode::UnknownTopicOrPartition) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(sizes)
}

/// What is known of a changelog topic.
#[derive(Clone, Copy, Debug)]
pub(super) struct Changelog {
    /// A topic of the same name made anew is another one.
    pub(super) id: Uuid,
    /// `delete.retention.ms`: how long deletions stay at least.
    pub(super) delete_retention_ms: i64,
}

/// Time for reading deletions before they go, and for clocks that differ.
const RETENTION_MARGIN_MS: i64 = 3_600_000;
/// Kafka's default of `delete.retention.ms`.
const DELETE_RETENTION_MS: i64 = 86_400_000;

impl Changelog {
    /// Whether state that was confirmed at `confirmed_at` may have missed deletions at `now` (both
    /// ms of the wall clock) that the changelog no longer holds.
    pub(super) fn has_outlived(&self, confirmed_at: i64, now: i64) -> bool {
        let margin = RETENTION_MARGIN_MS.min(self.delete_retention_ms / 4);
        now.saturating_sub(confirmed_at) > self.delete_retention_ms - margin
    }
}

/// `delete.retention.ms` of a topic.
pub(super) async fn delete_retention_ms(admin: &Admin, topic: &str) -> i64 {
    let resource = ConfigResource::Topic(topic.to_owned());
    let asked = admin
        .describe_configs(std::slice::from_ref(&resource), Default::default())
        .await;
    let answer = asked.map(|mut described| described.remove(&resource));
    let entries = match answer.and_then(|answer| answer.unwrap_or_else(|| Ok(Vec::new()))) {
        Ok(entries) => entries,
        Err(error) => {
            // Such as not being allowed to ask.
            tracing::warn!(topic, %error, "taking delete.retention.ms to be its default");
            Vec::new()
        }
    };
    entries
        .into_iter()
        .find(|entry| entry.name == "delete.retention.ms")
        .and_then(|entry| entry.value?.parse().ok())
        .unwrap_or(DELETE_RETENTION_MS)
}

/// Creates what is missing and checks what is there. Returns the changelogs.
pub(super) async fn ensure(
    admin: &Admin,
    plan: &Plan,
    config: &StreamsConfig,
) -> Result<HashMap<String, Changelog>, StreamsError> {
    let wanted: BTreeMap<&str, &InternalTopic> = plan
        .repartition_topics
        .iter()
        .chain(&plan.changelog_topics)
        .map(|topic| (topic.name.as_str(), topic))
        .collect();
    if wanted.is_empty() {
        return Ok(HashMap::new());
    }
    let new_topics = wanted.values().map(|topic| {
        let mut new = NewTopic::new(topic.name.clone(), topic.partitions);
        let mut configs = topic.config.clone();
        configs.extend(config.topic_config.clone());
        new.configs = configs.into_iter().collect();
        new.replication_factor = config.replication_factor;
        new
    });
    for (_, created) in admin.create_topics(new_topics.collect()).await? {
        match created {
            Ok(_) => {}
            // Another instance was faster, or this is not the first start.
            Err(error) if error.code() == Some(ErrorCode::TopicAlreadyExists) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let names: Vec<&str> = wanted.keys().copied().collect();
    let mut changelogs = HashMap::new();
    for (name, topic) in admin.describe_topics(&names).await? {
        let topic = topic?;
        let Some(wanted) = wanted.get(name.as_str()) else {
            continue;
        };
        if topic.partition_count() != wanted.partitions {
            return Err(StreamsError::InternalTopic {
                reason: format!(
                    "has {} partitions, but the topology needs {}; it belongs to another topology \
                     or its sources have grown: reset the application or give it another id",
                    topic.partition_count(),
                    wanted.partitions
                ),
                topic: name,
            });
        }
        if plan.changelog_topics.iter().any(|own| own.name == name) {
            let changelog = Changelog {
                id: topic.id,
                delete_retention_ms: delete_retention_ms(admin, &name).await,
            };
            changelogs.insert(name, changelog);
        }
    }
    Ok(changelogs)
}

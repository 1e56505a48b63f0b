//! Committed offsets of groups: listed, altered, deleted.

use std::collections::HashMap;

use headwater_wire::ErrorCode;
use headwater_wire::messages::offset_commit::{OffsetCommitRequest, OffsetCommitResponse};
use headwater_wire::messages::offset_delete::{
    OffsetDeleteRequest, OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
    OffsetDeleteResponse,
};
use headwater_wire::messages::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestTopics, OffsetFetchResponse,
};

use super::Admin;
use super::drive::{ByCoordinator, Results, by_topic, checked, unanswered};
use crate::consumer::ConsumerGroupMetadata;
use crate::coordinator::{CoordinatorKind, is_elsewhere};
use crate::error::ClientError;
use crate::group_offsets::{self, Offsets};
use crate::{ClusterView, OffsetAndMetadata, TopicPartition};

impl Admin {
    /// One group's committed offsets: of `partitions`, or all there are. Partitions without one are
    /// left out. With `require_stable`, waits for transactions that are about to change them.
    ///
    /// # Errors
    /// The coordinator's, or a timeout.
    pub async fn list_group_offsets(
        &self,
        group_id: &str,
        partitions: Option<&[TopicPartition]>,
        require_stable: bool,
    ) -> Result<HashMap<TopicPartition, OffsetAndMetadata>, ClientError> {
        let of_group = HashMap::from([(group_id.to_owned(), partitions.map(<[_]>::to_vec))]);
        let mut listed = self
            .list_consumer_group_offsets(&of_group, require_stable)
            .await?;
        listed
            .remove(group_id)
            .unwrap_or_else(|| Err(unanswered(listing(group_id))))
    }

    /// Committed offsets of many groups, asked for in one request per coordinator (KIP-709): of
    /// the named partitions of each, or all there are. Partitions without one are left out. With
    /// `require_stable`, waits for transactions that are about to change them (KIP-447).
    ///
    /// # Errors
    /// If nothing could be asked; each group has its own result.
    pub async fn list_consumer_group_offsets(
        &self,
        groups: &HashMap<String, Option<Vec<TopicPartition>>>,
        require_stable: bool,
    ) -> Result<HashMap<String, Result<Offsets, ClientError>>, ClientError> {
        let view = ClusterView::default();
        let request = |version: i16, group: &str| {
            let topics = topics_of(groups, group);
            let nobody = ConsumerGroupMetadata::new(group);
            group_offsets::fetch_request(version, &nobody, topics.as_deref(), require_stable)
        };
        let build = |version: i16, asked: &[String]| {
            if version < 8 {
                return request(version, asked.first().map_or("", String::as_str));
            }
            let requests = asked.iter().map(|group| request(version, group));
            OffsetFetchRequest {
                groups: requests.flat_map(|request| request.groups).collect(),
                require_stable,
                ..OffsetFetchRequest::default()
            }
        };
        let read = |_, asked: &[String], mut response: OffsetFetchResponse| {
            let answers = std::mem::take(&mut response.groups);
            if answers.is_empty() {
                let group = asked.first().cloned().unwrap_or_default();
                return vec![(group.clone(), offsets_of(&group, response, &view))];
            }
            let answers = answers.into_iter().map(|answer| {
                let group = answer.group_id.clone();
                let response = OffsetFetchResponse {
                    groups: vec![answer],
                    ..OffsetFetchResponse::default()
                };
                (group.clone(), offsets_of(&group, response, &view))
            });
            answers.collect()
        };
        let route =
            ByCoordinator::new(CoordinatorKind::Group).up_to(group_offsets::NAMED_VERSION_MAX);
        let ids = groups.keys().cloned();
        self.drive("reading offsets of groups", route, ids, build, read)
            .await
    }

    /// Sets committed offsets of a group that has no members now. Each partition has its own
    /// result.
    ///
    /// # Errors
    /// A timeout, or a coordinator that cannot be found.
    pub async fn alter_group_offsets(
        &self,
        group_id: &str,
        offsets: &HashMap<TopicPartition, OffsetAndMetadata>,
    ) -> Result<HashMap<TopicPartition, Result<(), ClientError>>, ClientError> {
        if offsets.is_empty() {
            return Ok(HashMap::new());
        }
        let operation = format!("altering offsets of group {group_id}");
        let view = ClusterView::default();
        let build = |_, _: &[String]| OffsetCommitRequest {
            group_id: group_id.to_owned(),
            generation_id_or_member_epoch: -1,
            topics: group_offsets::commit_topics(offsets, &view),
            ..OffsetCommitRequest::default()
        };
        let read = |_, asked: &[String], response: OffsetCommitResponse| {
            let (code, _) = group_offsets::first_failure(&response, &view);
            // What concerns the group as a whole stands at every partition, and may pass.
            let is_passing = is_elsewhere(code) || code == ErrorCode::CoordinatorLoadInProgress;
            let whole = match is_passing {
                true => checked(code.code(), None, || operation.clone()),
                false => Ok(()),
            };
            let answer = whole.map(|()| {
                let topics = response.topics.into_iter();
                let results = topics.flat_map(|topic| {
                    let name: std::sync::Arc<str> = topic.name.into();
                    topic.partitions.into_iter().map(move |answer| {
                        let at = TopicPartition::new(name.clone(), answer.partition_index);
                        (at, answer.error_code)
                    })
                });
                results.collect::<Vec<_>>()
            });
            only(asked, answer)
        };
        let answers = self.of_group(&operation, group_id, build, read).await?;
        let results = answers.into_iter().map(|(at, code)| {
            let altered = checked(code, None, || format!("{operation} at {at}"));
            (at, altered)
        });
        Ok(results.collect())
    }

    /// Deletes committed offsets of a group, of topics that none of its members subscribes to
    /// (KIP-496). Each partition has its own result.
    ///
    /// # Errors
    /// The coordinator's, such as [`ErrorCode::GroupIdNotFound`]; or a
    /// timeout.
    pub async fn delete_group_offsets(
        &self,
        group_id: &str,
        partitions: &[TopicPartition],
    ) -> Result<HashMap<TopicPartition, Result<(), ClientError>>, ClientError> {
        let operation = format!("deleting offsets of group {group_id}");
        let build = |_, _: &[String]| {
            let topics = by_topic(partitions).into_iter();
            let topics = topics.map(|(name, indexes)| OffsetDeleteRequestTopic {
                name,
                partitions: indexes
                    .into_iter()
                    .map(|partition_index| OffsetDeleteRequestPartition { partition_index })
                    .collect(),
            });
            OffsetDeleteRequest {
                group_id: group_id.to_owned(),
                topics: topics.collect(),
            }
        };
        let read = |_, asked: &[String], response: OffsetDeleteResponse| {
            let whole = checked(response.error_code, None, || operation.clone());
            only(asked, whole.map(|()| response.topics))
        };
        let answers = self.of_group(&operation, group_id, build, read).await?;
        let mut results = Results::new();
        for topic in answers {
            let name: std::sync::Arc<str> = topic.name.into();
            for answer in topic.partitions {
                let at = TopicPartition::new(name.clone(), answer.partition_index);
                let deleted = checked(answer.error_code, None, || format!("{operation} at {at}"));
                results.insert(at, deleted);
            }
        }
        Ok(results)
    }

    /// One request about one group, to its coordinator.
    async fn of_group<R, T>(
        &self,
        operation: &str,
        group_id: &str,
        build: impl Fn(i16, &[String]) -> R,
        read: impl Fn(i32, &[String], R::Response) -> Vec<(String, Result<T, ClientError>)>,
    ) -> Result<T, ClientError>
    where
        R: headwater_wire::Request + Into<headwater_wire::RequestKind>,
        R::Response: TryFrom<headwater_wire::ResponseKind>,
    {
        let route =
            ByCoordinator::new(CoordinatorKind::Group).up_to(group_offsets::NAMED_VERSION_MAX);
        let asked = [group_id.to_owned()];
        let mut answered = self.drive(operation, route, asked, build, read).await?;
        answered
            .remove(group_id)
            .unwrap_or_else(|| Err(unanswered(operation.to_owned())))
    }
}

/// The answer to a request about one key.
fn only<T>(
    asked: &[String],
    answer: Result<T, ClientError>,
) -> Vec<(String, Result<T, ClientError>)> {
    let key = asked.first().cloned().unwrap_or_default();
    vec![(key, answer)]
}

fn topics_of(
    groups: &HashMap<String, Option<Vec<TopicPartition>>>,
    group: &str,
) -> Option<Vec<OffsetFetchRequestTopics>> {
    let partitions = groups.get(group)?.as_ref()?;
    // Asked for by name, as no ids are known of topics that only their offsets may be left of.
    let nothing = ClusterView::default();
    Some(group_offsets::with_ids(&by_topic(partitions), &nothing))
}

fn offsets_of(
    group: &str,
    response: OffsetFetchResponse,
    view: &ClusterView,
) -> Result<Offsets, ClientError> {
    let code = group_offsets::fetch_code(&response);
    checked(code.code(), None, || listing(group))?;
    group_offsets::read(response, view)
        .map_err(|(at, code)| ClientError::broker(format!("{} at {at}", listing(group)), code))
}

fn listing(group: &str) -> String {
    format!("reading offsets of group {group}")
}

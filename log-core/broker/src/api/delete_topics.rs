//! DeleteTopics, by name or by id (KIP-516).

use std::collections::HashSet;
use std::sync::Arc;

use headwater_wire::ErrorCode;
use headwater_wire::messages::delete_topics::{
    DeletableTopicResult, DeleteTopicState, DeleteTopicsRequest, DeleteTopicsResponse,
};
use uuid::Uuid;

use super::{Handler, Reply};
use crate::context::RequestContext;
use crate::internal_topics;
use crate::metadata::Command;
use crate::node::Node;
use crate::topic_creation::TopicRefused;

pub(crate) struct DeleteTopics;

impl Handler for DeleteTopics {
    type Request = DeleteTopicsRequest;

    fn start(
        node: &Arc<Node>,
        context: &RequestContext,
        request: DeleteTopicsRequest,
    ) -> Reply<DeleteTopicsResponse> {
        let wanted = if context.version >= 6 {
            request.topics
        } else {
            let named = |name| DeleteTopicState {
                name: Some(name),
                ..Default::default()
            };
            request.topic_names.into_iter().map(named).collect()
        };
        let node = Arc::clone(node);
        Reply::later(async move {
            let mut seen = HashSet::new();
            let mut responses = Vec::with_capacity(wanted.len());
            for topic in wanted {
                let first = seen.insert((topic.name.clone(), topic.topic_id));
                responses.push(delete(&node, topic, first).await);
            }
            DeleteTopicsResponse {
                responses,
                ..Default::default()
            }
        })
    }
}

async fn delete(node: &Node, wanted: DeleteTopicState, first: bool) -> DeletableTopicResult {
    let mut result = DeletableTopicResult {
        name: wanted.name.clone(),
        topic_id: wanted.topic_id,
        ..Default::default()
    };
    let found = if !node.config.settings.delete_topics {
        let message = "topics are not deleted here: delete.topic.enable is false";
        Err(TopicRefused::new(ErrorCode::TopicDeletionDisabled, message))
    } else if first {
        find(node, &wanted)
    } else {
        let message = "the topic is named more than once in the request";
        Err(TopicRefused::new(ErrorCode::InvalidRequest, message))
    };
    let deleted = match found {
        Ok((id, name)) => {
            result.name = Some(name);
            result.topic_id = id;
            node.change_metadata(Command::DeleteTopic { id })
                .await
                .map(|_| node.coordinators.topics_deleted(result.name.as_slice()))
        }
        Err(refused) => Err(refused),
    };
    if let Err(refused) = deleted {
        result.error_code = refused.code.code();
        result.error_message = Some(refused.message);
    }
    result
}

fn find(node: &Node, wanted: &DeleteTopicState) -> Result<(Uuid, String), TopicRefused> {
    let topics = node.topics.load();
    let name = wanted.name.as_deref();
    if name.is_some() != wanted.topic_id.is_nil() {
        let message = "a topic is deleted by its name or by its id, not by both or neither";
        return Err(TopicRefused::new(ErrorCode::InvalidRequest, message));
    }
    let topic = topics
        .find(wanted.topic_id, name.unwrap_or_default())
        .map_err(|code| {
            let shown = name.map_or_else(|| wanted.topic_id.to_string(), str::to_owned);
            TopicRefused::new(code, format!("topic {shown} does not exist"))
        })?;
    if internal_topics::is_internal(&topic.image.name) {
        let message = format!(
            "topic {} is internal and cannot be deleted",
            topic.image.name
        );
        return Err(TopicRefused::new(ErrorCode::InvalidTopicException, message));
    }
    Ok((topic.image.id, topic.image.name.clone()))
}

//! DeleteTopics, by name or by id (KIP-516).

use std::collections::{BTreeMap, HashMap, HashSet};
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
use crate::topics::TopicMap;

pub(crate) struct DeleteTopics;

impl Handler for DeleteTopics {
    type Request = DeleteTopicsRequest;

    fn start(
        node: &Arc<Node>,
        context: &RequestContext,
        request: DeleteTopicsRequest,
    ) -> Reply<DeleteTopicsResponse> {
        let timed_out = request.timeout_ms <= 0;
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
            let mut responses = Vec::with_capacity(wanted.len());
            for (wanted, sound) in told_apart(&node.topics.load(), wanted) {
                let sound = sound.and_then(|()| {
                    if timed_out {
                        Err(TopicRefused::timed_out())
                    } else {
                        Ok(())
                    }
                });
                responses.push(delete(&node, wanted, sound).await);
            }
            DeleteTopicsResponse {
                responses,
                ..Default::default()
            }
        })
    }
}

/// Each wanted topic once, with what is wrong with how it is named. Who names a topic more than
/// once may not mean to.
fn told_apart(
    topics: &TopicMap,
    wanted: Vec<DeleteTopicState>,
) -> Vec<(DeleteTopicState, Result<(), TopicRefused>)> {
    let refuse = |reason: &str| Err(TopicRefused::new(ErrorCode::InvalidRequest, reason));
    let ids: HashSet<Uuid> = wanted
        .iter()
        .filter(|topic| topic.name.is_none())
        .map(|topic| topic.topic_id)
        .collect();
    let mut places: HashMap<(Option<String>, Uuid), usize> = HashMap::new();
    let mut apart: BTreeMap<usize, (DeleteTopicState, Result<(), TopicRefused>)> = BTreeMap::new();
    let mut covered = HashSet::new();
    for (place, mut topic) in wanted.into_iter().enumerate() {
        if topic.name.is_some() != topic.topic_id.is_nil() {
            let reason = "a topic is deleted by its name or by its id, not by both or neither";
            apart.insert(place, (topic, refuse(reason)));
            continue;
        }
        let key = (topic.name.clone(), topic.topic_id);
        if let Some((_, sound)) = places.get(&key).and_then(|first| apart.get_mut(first)) {
            *sound = refuse("the topic is named more than once in the request");
            continue;
        }
        places.insert(key, place);
        let named = topic.name.as_deref().and_then(|name| topics.by_name(name));
        let by_id = named
            .map(|found| found.image.id)
            .filter(|id| ids.contains(id));
        let sound = match by_id {
            Some(id) => {
                topic.topic_id = id;
                covered.insert(id);
                refuse("the topic is named by its id as well")
            }
            None => Ok(()),
        };
        apart.insert(place, (topic, sound));
    }
    let kept = apart.into_values().filter(|(topic, _)| {
        // Answered under its name already.
        topic.name.is_some() || !covered.contains(&topic.topic_id)
    });
    kept.collect()
}

async fn delete(
    node: &Node,
    wanted: DeleteTopicState,
    sound: Result<(), TopicRefused>,
) -> DeletableTopicResult {
    let mut result = DeletableTopicResult {
        name: wanted.name.clone(),
        topic_id: wanted.topic_id,
        ..Default::default()
    };
    let found = if node.config.settings.delete_topics {
        sound.and_then(|()| find(node, &wanted))
    } else {
        let message = "topics are not deleted here: delete.topic.enable is false";
        Err(TopicRefused::new(ErrorCode::TopicDeletionDisabled, message))
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

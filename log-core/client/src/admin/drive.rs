//! Calls about many keys that different nodes answer for: one request per node, and again for the
//! keys whose node has moved.

use std::collections::{HashMap, HashSet};
use std::fmt::Display;
use std::hash::Hash;
use std::sync::Arc;

use futures::future::join_all;
use headwater_wire::messages::find_coordinator::FindCoordinatorRequest;
use headwater_wire::{ErrorCode, Request, RequestKind, ResponseKind};

use super::Admin;
use crate::cluster::Topics;
use crate::coordinator::CoordinatorKind;
use crate::error::ClientError;
use crate::metadata::NodeView;
use crate::retry::Retry;
use crate::transport::Target;
use crate::{ClusterView, TopicPartition};

/// What became of each key.
pub(super) type Results<K, T> = HashMap<K, Result<T, ClientError>>;

/// Who answers for a key.
pub(super) trait Route {
    type Key: Clone + Eq + Hash + Display;

    /// The node of each of `keys`, or why there is none now.
    async fn locate(
        &mut self,
        admin: &Admin,
        keys: &[Self::Key],
        retry: &Retry,
    ) -> Results<Self::Key, i32>;

    /// Finds the key's node anew the next time.
    fn forget(&mut self, key: &Self::Key);

    /// The highest version to ask in.
    fn max_version(&self) -> i16 {
        i16::MAX
    }
}

/// Groups or transactional ids, answered for by their coordinators.
pub(super) struct ByCoordinator {
    kind: CoordinatorKind,
    known: HashMap<String, i32>,
    max_version: i16,
}

impl ByCoordinator {
    pub(super) fn new(kind: CoordinatorKind) -> Self {
        Self {
            kind,
            known: HashMap::new(),
            max_version: i16::MAX,
        }
    }

    /// Asks in no later version than this one.
    pub(super) fn up_to(mut self, max_version: i16) -> Self {
        self.max_version = max_version;
        self
    }

    /// Looks `keys` up: all at once, or only the first where the broker is older than KIP-699.
    async fn find(
        &self,
        admin: &Admin,
        keys: &[String],
        retry: &Retry,
    ) -> Result<Vec<(String, Result<NodeView, ClientError>)>, ClientError> {
        let limit = retry.remaining().min(admin.cluster.config.request_timeout);
        let call = admin.channel.call(Target::Any, limit, 4, |version| {
            let mut request = FindCoordinatorRequest {
                key_type: self.kind.code(),
                ..Default::default()
            };
            if version >= 4 {
                request.coordinator_keys = keys.to_vec();
            } else {
                request.key = keys.first().cloned().unwrap_or_default();
            }
            request
        });
        let response = call.await?;
        let read = |key: String, code, message: Option<String>, node: NodeView| {
            let operation = format!("finding the coordinator of {} {key}", self.kind.name());
            let code = ErrorCode::from_code(code);
            let message = message.filter(|message| !message.is_empty());
            let found = match code {
                ErrorCode::None => Ok(node),
                code => Err(ClientError::broker_says(operation, code, message)),
            };
            (key, found)
        };
        if response.coordinators.is_empty() {
            let key = keys.first().cloned().unwrap_or_default();
            let node = node(response.node_id, response.host, response.port);
            let message = response.error_message;
            return Ok(vec![read(key, response.error_code, message, node)]);
        }
        let found = response.coordinators.into_iter().map(|found| {
            let node = node(found.node_id, found.host, found.port);
            read(found.key, found.error_code, found.error_message, node)
        });
        Ok(found.collect())
    }
}

impl Route for ByCoordinator {
    type Key = String;

    async fn locate(
        &mut self,
        admin: &Admin,
        keys: &[String],
        retry: &Retry,
    ) -> Results<String, i32> {
        let mut results = Results::new();
        let mut missing = Vec::new();
        for key in keys {
            match self.known.get(key) {
                Some(node) => drop(results.insert(key.clone(), Ok(*node))),
                None => missing.push(key.clone()),
            }
        }
        while !missing.is_empty() {
            let found = match self.find(admin, &missing, retry).await {
                Ok(found) => found,
                Err(error) => {
                    results.extend(missing.drain(..).map(|key| (key, Err(error.clone()))));
                    break;
                }
            };
            let before = missing.len();
            for (key, found) in found {
                missing.retain(|missing| *missing != key);
                let found = found.map(|node| {
                    let id = node.id;
                    if !admin.cluster.view().nodes.contains_key(&id) {
                        admin.cluster.metadata.add_node(node);
                    }
                    self.known.insert(key.clone(), id);
                    id
                });
                results.insert(key, found);
            }
            if missing.len() == before {
                let unnamed = |key: String| {
                    let operation = format!("finding the coordinator of {key}");
                    (key, Err(unanswered(operation)))
                };
                results.extend(missing.drain(..).map(unnamed));
            }
        }
        results
    }

    fn forget(&mut self, key: &String) {
        self.known.remove(key);
    }

    fn max_version(&self) -> i16 {
        self.max_version
    }
}

fn node(id: i32, host: String, port: i32) -> NodeView {
    NodeView {
        id,
        host,
        port,
        rack: None,
    }
}

/// Partitions, answered for by their leaders.
#[derive(Default)]
pub(super) struct ByLeader {
    stale: HashSet<Arc<str>>,
}

impl Route for ByLeader {
    type Key = TopicPartition;

    async fn locate(
        &mut self,
        admin: &Admin,
        keys: &[TopicPartition],
        retry: &Retry,
    ) -> Results<TopicPartition, i32> {
        let view = admin.cluster.view();
        let unknown: HashSet<Arc<str>> = keys
            .iter()
            .filter(|key| self.stale.contains(&key.topic) || view.leader(key).is_none())
            .map(|key| key.topic.clone())
            .collect();
        if !unknown.is_empty() {
            let topics: Vec<Arc<str>> = unknown.into_iter().collect();
            let named = Topics::Named(&topics);
            let limit = retry.remaining();
            let asked = admin.cluster.refresh(&admin.channel, named, false, limit);
            if let Err(error) = asked.await {
                return keys
                    .iter()
                    .map(|key| (key.clone(), Err(error.clone())))
                    .collect();
            }
            self.stale.clear();
        }
        let view = admin.cluster.view();
        keys.iter()
            .map(|key| (key.clone(), leader(&view, key)))
            .collect()
    }

    fn forget(&mut self, key: &TopicPartition) {
        self.stale.insert(key.topic.clone());
    }
}

fn leader(view: &ClusterView, partition: &TopicPartition) -> Result<i32, ClientError> {
    view.leader(partition).ok_or_else(|| {
        let code = match view.partition(partition) {
            Some(_) => ErrorCode::LeaderNotAvailable,
            None => ErrorCode::UnknownTopicOrPartition,
        };
        ClientError::broker(format!("finding the leader of {partition}"), code)
    })
}

impl Admin {
    /// Asks for every key, one request per node, until each has an answer that will not change by
    /// asking again or the time is over. Fails as a whole only if no broker answered for any.
    ///
    /// `build` makes the request for some keys. `read` gets the node, the keys asked for and the
    /// answer. It may leave keys out that the request had no room for, such as all but the first
    /// where an old version takes one; they are asked for next.
    pub(super) async fn drive<P: Route, R, T>(
        &self,
        operation: &str,
        mut route: P,
        keys: impl IntoIterator<Item = P::Key>,
        build: impl Fn(i16, &[P::Key]) -> R,
        read: impl Fn(i32, &[P::Key], R::Response) -> Vec<(P::Key, Result<T, ClientError>)>,
    ) -> Result<Results<P::Key, T>, ClientError>
    where
        R: Request + Into<RequestKind>,
        R::Response: TryFrom<ResponseKind>,
    {
        let mut retry = self.retry(operation);
        let mut open: Vec<P::Key> = keys.into_iter().collect();
        let mut seen = HashSet::new();
        open.retain(|key| seen.insert(key.clone()));
        let mut done = Results::with_capacity(open.len());
        let max_version = route.max_version();
        while !open.is_empty() {
            let mut failures = Results::<P::Key, T>::new();
            let mut nodes: HashMap<i32, Vec<P::Key>> = HashMap::new();
            for (key, located) in route.locate(self, &open, &retry).await {
                match located {
                    Ok(node) => nodes.entry(node).or_default().push(key),
                    Err(error) => drop(failures.insert(key, Err(error))),
                }
            }
            let limit = retry.remaining().min(self.cluster.config.request_timeout);
            let calls = nodes.into_iter().map(|(node, keys)| {
                let build = &build;
                async move {
                    let build = |version| build(version, &keys);
                    let target = Target::Node(node);
                    let call = self.channel.call(target, limit, max_version, build);
                    let answer = call.await;
                    (node, keys, answer)
                }
            });
            for (node, keys, answer) in join_all(calls).await {
                let answers = match answer {
                    Ok(answer) => {
                        let answers = read(node, &keys, answer);
                        if answers.iter().any(|(key, _)| keys.contains(key)) {
                            answers
                        } else {
                            all_unanswered(operation, keys)
                        }
                    }
                    Err(error) => keys
                        .into_iter()
                        .map(|key| (key, Err(error.clone())))
                        .collect(),
                };
                for (key, answer) in answers {
                    match answer {
                        Ok(answer) => {
                            open.retain(|open| *open != key);
                            done.insert(key, Ok(answer));
                        }
                        Err(error) => drop(failures.insert(key, Err(error))),
                    }
                }
            }
            let mut passing = None;
            for (key, failure) in &failures {
                let Err(error) = failure else { continue };
                if error.is_retriable() {
                    route.forget(key);
                    passing = Some(error.clone());
                } else {
                    open.retain(|open| open != key);
                    done.insert(key.clone(), Err(error.clone()));
                }
            }
            let Some(error) = passing else { continue };
            if retry.pause(error).await.is_err() {
                for key in open.drain(..) {
                    let cause = failures.remove(&key).and_then(Result::err);
                    done.insert(key, Err(retry.timed_out(cause)));
                }
            }
        }
        settled(done)
    }
}

fn all_unanswered<K: Display, T>(
    operation: &str,
    keys: Vec<K>,
) -> Vec<(K, Result<T, ClientError>)> {
    keys.into_iter()
        .map(|key| {
            let error = unanswered(format!("{operation}: {key}"));
            (key, Err(error))
        })
        .collect()
}

/// The results, unless no broker said anything of any of them.
pub(super) fn settled<K, T>(results: Results<K, T>) -> Result<Results<K, T>, ClientError> {
    let is_silence = |result: &Result<T, ClientError>| match result {
        Ok(_) => false,
        Err(error) => error.code().is_none(),
    };
    if results.values().all(is_silence)
        && let Some(Err(error)) = results.values().next()
    {
        return Err(error.clone());
    }
    Ok(results)
}

/// The error for a response that does not name what was asked for.
pub(super) fn unanswered(operation: String) -> ClientError {
    ClientError::Protocol {
        operation,
        reason: "the response does not name it".to_owned(),
    }
}

/// The result that an error code stands for.
pub(super) fn checked(
    code: i16,
    message: Option<String>,
    operation: impl FnOnce() -> String,
) -> Result<(), ClientError> {
    match ErrorCode::from_code(code) {
        ErrorCode::None => Ok(()),
        code => {
            let message = message.filter(|message| !message.is_empty());
            Err(ClientError::broker_says(operation(), code, message))
        }
    }
}

/// Partitions by topic, in order.
pub(super) fn by_topic<'a>(
    partitions: impl IntoIterator<Item = &'a TopicPartition>,
) -> Vec<(String, Vec<i32>)> {
    let mut sorted: Vec<&TopicPartition> = partitions.into_iter().collect();
    sorted.sort();
    sorted.dedup();
    let mut topics: Vec<(String, Vec<i32>)> = Vec::new();
    for partition in sorted {
        match topics
            .last_mut()
            .filter(|(name, _)| **name == *partition.topic)
        {
            Some((_, indexes)) => indexes.push(partition.partition),
            None => topics.push((partition.topic.to_string(), vec![partition.partition])),
        }
    }
    topics
}

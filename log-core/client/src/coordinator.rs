//! The node that coordinates a group or a transactional id, found and found again.

use std::time::Duration;

use headwater_wire::messages::find_coordinator::FindCoordinatorRequest;
use headwater_wire::{ErrorCode, Request, RequestKind, ResponseKind};
use parking_lot::Mutex;

use crate::NodeView;
use crate::cluster::Cluster;
use crate::error::ClientError;
use crate::retry::Retry;
use crate::transport::{Channel, Target};

/// What is coordinated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CoordinatorKind {
    Group,
    Transaction,
}

impl CoordinatorKind {
    pub(crate) fn code(self) -> i8 {
        match self {
            Self::Group => 0,
            Self::Transaction => 1,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Group => "group",
            Self::Transaction => "transactional id",
        }
    }
}

/// The coordinator of one key, remembered until it turns out to have moved.
pub(crate) struct Coordinator {
    kind: CoordinatorKind,
    key: String,
    known: Mutex<Option<i32>>,
}

impl Coordinator {
    pub(crate) fn new(kind: CoordinatorKind, key: impl Into<String>) -> Self {
        Self {
            kind,
            key: key.into(),
            known: Mutex::new(None),
        }
    }

    /// Drops what is known, if it is still `node`.
    pub(crate) fn forget(&self, node: i32) {
        let mut known = self.known.lock();
        if *known == Some(node) {
            *known = None;
        }
    }

    /// The node's id, asked for once if it is not known.
    pub(crate) async fn find(
        &self,
        cluster: &Cluster,
        channel: &Channel,
        limit: Duration,
    ) -> Result<i32, ClientError> {
        if let Some(node) = *self.known.lock() {
            return Ok(node);
        }
        let limit = limit.min(cluster.config.request_timeout);
        let response = channel.call(Target::Any, limit, 4, |version| {
            let mut request = FindCoordinatorRequest {
                key_type: self.kind.code(),
                ..Default::default()
            };
            if version >= 4 {
                request.coordinator_keys = vec![self.key.clone()];
            } else {
                request.key.clone_from(&self.key);
            }
            request
        });
        let response = response.await?;
        let (code, message, node) = match response.coordinators.into_iter().next() {
            Some(found) => (
                found.error_code,
                found.error_message,
                NodeView {
                    id: found.node_id,
                    host: found.host,
                    port: found.port,
                    rack: None,
                },
            ),
            None => (
                response.error_code,
                response.error_message,
                NodeView {
                    id: response.node_id,
                    host: response.host,
                    port: response.port,
                    rack: None,
                },
            ),
        };
        let code = ErrorCode::from_code(code);
        if code != ErrorCode::None {
            let operation = format!(
                "finding the coordinator of {} {}",
                self.kind.name(),
                self.key
            );
            let message = message.filter(|message| !message.is_empty());
            return Err(ClientError::broker_says(operation, code, message));
        }
        let id = node.id;
        if !cluster.view().nodes.contains_key(&id) {
            cluster.metadata.add_node(node);
        }
        *self.known.lock() = Some(id);
        Ok(id)
    }

    /// Asks the coordinator, finding it anew whenever it has moved, until it gives an answer whose
    /// `code` is not one that only says "not here" or "not yet", or until `retry` is over.
    pub(crate) async fn call<R>(
        &self,
        cluster: &Cluster,
        channel: &Channel,
        retry: &mut Retry,
        max_version: i16,
        build: impl Fn(i16) -> R,
        code: impl Fn(&R::Response) -> ErrorCode,
    ) -> Result<R::Response, ClientError>
    where
        R: Request + Into<RequestKind>,
        R::Response: TryFrom<ResponseKind>,
    {
        loop {
            let failure = match self.find(cluster, channel, retry.remaining()).await {
                Ok(node) => {
                    let limit = retry.remaining().min(cluster.config.request_timeout);
                    let answer = channel
                        .call(Target::Node(node), limit, max_version, &build)
                        .await;
                    match answer {
                        Ok(answer) => {
                            let code = code(&answer);
                            if !is_elsewhere(code) && code != ErrorCode::CoordinatorLoadInProgress {
                                return Ok(answer);
                            }
                            if is_elsewhere(code) {
                                self.forget(node);
                            }
                            let operation = format!("{} of {}", R::KEY.name(), self.key);
                            ClientError::broker(operation, code)
                        }
                        Err(error) => {
                            self.forget(node);
                            error
                        }
                    }
                }
                Err(error) => error,
            };
            retry.pause(failure).await?;
        }
    }
}

/// Whether the code says that the coordinator is another node, or none yet.
pub(crate) fn is_elsewhere(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::NotCoordinator | ErrorCode::CoordinatorNotAvailable
    )
}

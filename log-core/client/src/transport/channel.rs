//! Connections to the nodes of a cluster, and calls over them.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use headwater_wire::messages::api_versions::{ApiVersionsRequest, ApiVersionsResponse};
use headwater_wire::{ErrorCode, Message, Request, RequestKind, ResponseKind};
use parking_lot::Mutex;
use tokio::time::Instant;

use super::connection::Connection;
use super::versions::ServedVersions;
use super::{LocalNode, LocalNodeError, frame};
use crate::cluster::{Cluster, Transport};
use crate::error::ClientError;
use crate::retry::Backoff;

/// Whom to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Target {
    /// Any node.
    Any,
    /// The node with this id.
    Node(i32),
}

/// Connections of one user of the cluster, one per node.
///
/// Kafka answers a connection's requests in order, so a call that waits (a fetch, a join) holds up
/// every call behind it: who waits has a channel of its own.
pub(crate) struct Channel {
    cluster: Arc<Cluster>,
    slots: Mutex<HashMap<Address, Arc<tokio::sync::Mutex<Slot>>>>,
    /// Where to begin when any node will do.
    turn: AtomicUsize,
}

/// What a connection was made to: a node may move, and bootstrap servers have no id yet.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Address(String);

struct Slot {
    open: Option<Arc<Open>>,
    backoff: Backoff,
    /// The last failure to connect, which stands until this time.
    failed_until: Option<(Instant, ClientError)>,
}

struct Open {
    connection: Connection,
    versions: ServedVersions,
}

impl Channel {
    pub(crate) fn new(cluster: Arc<Cluster>) -> Self {
        Self {
            cluster,
            slots: Mutex::new(HashMap::new()),
            turn: AtomicUsize::new(0),
        }
    }

    /// Asks `target` and waits for the answer, all within `limit`.
    ///
    /// `build` makes the request for the version it is given: the highest that both sides speak,
    /// but not above `max_version`.
    ///
    /// # Errors
    /// What the transport fails with. Error codes inside the response are the caller's to read.
    pub(crate) async fn call<R>(
        &self,
        target: Target,
        limit: Duration,
        max_version: i16,
        build: impl FnOnce(i16) -> R,
    ) -> Result<R::Response, ClientError>
    where
        R: Request + Into<RequestKind>,
        R::Response: TryFrom<ResponseKind>,
    {
        let operation = R::KEY.name();
        let exchange = async {
            match &self.cluster.transport {
                Transport::Local(node) => {
                    let version = self.local_version::<R>(node.as_ref(), max_version).await?;
                    self.call_local::<R>(node.as_ref(), build(version), version)
                        .await
                }
                Transport::Tcp => {
                    let open = self.open(target).await?;
                    let version = open.pick::<R>(max_version)?;
                    let request = build(version);
                    let client_id = &self.cluster.config.client_id;
                    // The outer deadline is the call's; the connection's own only has to be later.
                    let answer = open.connection.call(limit, operation, |correlation_id| {
                        frame::encode(&request, version, correlation_id, client_id)
                    });
                    frame::decode::<R>(answer.await?, version)
                }
            }
        };
        match tokio::time::timeout(limit + GRACE, exchange).await {
            Ok(result) => result,
            Err(_) => Err(ClientError::Timeout {
                operation: operation.to_owned(),
                after: limit,
                cause: None,
            }),
        }
    }

    /// Sends `target` a request that it will not answer.
    pub(crate) async fn cast<R>(
        &self,
        target: Target,
        max_version: i16,
        build: impl FnOnce(i16) -> R,
    ) -> Result<(), ClientError>
    where
        R: Request + Into<RequestKind>,
        R::Response: TryFrom<ResponseKind>,
    {
        match &self.cluster.transport {
            Transport::Local(node) => {
                let version = self.local_version::<R>(node.as_ref(), max_version).await?;
                self.call_local::<R>(node.as_ref(), build(version), version)
                    .await
                    .map(|_| ())
            }
            Transport::Tcp => {
                let open = self.open(target).await?;
                let version = open.pick::<R>(max_version)?;
                let request = build(version);
                let client_id = &self.cluster.config.client_id;
                let sent = open.connection.cast(|correlation_id| {
                    frame::encode(&request, version, correlation_id, client_id)
                });
                sent.await
            }
        }
    }

    /// The version to call the node of this process at.
    async fn local_version<R: Request>(
        &self,
        node: &dyn LocalNode,
        max_version: i16,
    ) -> Result<i16, ClientError> {
        let versions = match self.cluster.local_versions.get() {
            Some(versions) => versions,
            None => {
                let asking = self.ask_local_versions(node);
                let cell = &self.cluster.local_versions;
                cell.get_or_try_init(|| asking).await?
            }
        };
        versions
            .pick::<R>(max_version)
            .ok_or_else(|| unsupported::<R>("the node of this process", versions, max_version))
    }

    async fn ask_local_versions(
        &self,
        node: &dyn LocalNode,
    ) -> Result<ServedVersions, ClientError> {
        let version = ApiVersionsRequest::MAX_VERSION;
        let response = self.call_local(node, introduction(), version).await?;
        let code = ErrorCode::from_code(response.error_code);
        if code != ErrorCode::None {
            return Err(ClientError::broker(
                "ApiVersions of the node of this process",
                code,
            ));
        }
        let versions = ServedVersions::new(&response);
        self.cluster.heard_of_features(versions.features);
        Ok(versions)
    }

    async fn call_local<R>(
        &self,
        node: &dyn LocalNode,
        request: R,
        version: i16,
    ) -> Result<R::Response, ClientError>
    where
        R: Request + Into<RequestKind>,
        R::Response: TryFrom<ResponseKind>,
    {
        let address = || "the node of this process".to_owned();
        let answer = node
            .call(&self.cluster.config.client_id, request.into(), version)
            .await;
        let answer = answer.map_err(|error| match error {
            LocalNodeError::ShuttingDown => ClientError::Disconnected {
                address: address(),
                reason: error.to_string(),
            },
            LocalNodeError::Unsupported { api, version } => ClientError::UnsupportedVersion {
                address: address(),
                api,
                wanted: version.to_string(),
            },
            LocalNodeError::Failed(reason) => ClientError::Protocol {
                operation: R::KEY.name().to_owned(),
                reason,
            },
        })?;
        R::Response::try_from(answer).map_err(|_| ClientError::Protocol {
            operation: R::KEY.name().to_owned(),
            reason: "the node answered another request".to_owned(),
        })
    }

    async fn open(&self, target: Target) -> Result<Arc<Open>, ClientError> {
        let view = self.cluster.metadata.view();
        match target {
            Target::Node(id) => {
                let node = view.nodes.get(&id).ok_or(ClientError::UnknownNode(id))?;
                self.open_address(node.address()).await
            }
            Target::Any => {
                let mut addresses: Vec<String> =
                    view.nodes.values().map(crate::NodeView::address).collect();
                if addresses.is_empty() || self.cluster.rebootstraps() {
                    addresses.extend(self.cluster.config.bootstrap_servers.iter().cloned());
                }
                self.open_any(addresses).await
            }
        }
    }

    /// The first of `addresses` that is connected or can be; begins with the one that worked last.
    async fn open_any(&self, addresses: Vec<String>) -> Result<Arc<Open>, ClientError> {
        let mut failure = ClientError::Closed("the cluster");
        let turn = self.turn.load(Ordering::Relaxed);
        for step in 0..addresses.len() {
            let index = (turn + step) % addresses.len();
            let Some(address) = addresses.get(index) else {
                continue;
            };
            match self.open_address(address.clone()).await {
                Ok(open) => return Ok(open),
                Err(error) => {
                    failure = error;
                    self.turn.store(index + 1, Ordering::Relaxed);
                }
            }
        }
        let config = &self.cluster.config;
        match self.cluster.reach.failed() {
            Some(after) if after >= config.bootstrap_timeout => Err(ClientError::Unreachable {
                servers: config.bootstrap_servers.join(", "),
                after,
                source: Arc::new(failure),
            }),
            _ => Err(failure),
        }
    }

    /// The connection to `address`, made if need be. After a failed attempt that failure stands
    /// for a while, so that callers who try again do not all knock at once.
    async fn open_address(&self, address: String) -> Result<Arc<Open>, ClientError> {
        let config = &self.cluster.config;
        let slot = {
            let mut slots = self.slots.lock();
            let slot = slots.entry(Address(address.clone())).or_insert_with(|| {
                let backoff = Backoff::new(config.reconnect_backoff, config.reconnect_backoff_max);
                Arc::new(tokio::sync::Mutex::new(Slot {
                    open: None,
                    backoff,
                    failed_until: None,
                }))
            });
            slot.clone()
        };
        let mut slot = slot.lock().await;
        if let Some(open) = slot
            .open
            .as_ref()
            .filter(|open| !open.connection.is_closed())
        {
            return Ok(open.clone());
        }
        slot.open = None;
        if let Some((until, failure)) = &slot.failed_until
            && *until > Instant::now()
        {
            return Err(failure.clone());
        }
        match self.connect(&address).await {
            Ok(open) => {
                self.cluster.reach.reached();
                self.cluster.heard_of_features(open.versions.features);
                let open = Arc::new(open);
                slot.open = Some(open.clone());
                slot.backoff.reset();
                slot.failed_until = None;
                Ok(open)
            }
            Err(error) => {
                let until = Instant::now() + slot.backoff.advance();
                slot.failed_until = Some((until, error.clone()));
                Err(error)
            }
        }
    }

    async fn connect(&self, address: &str) -> Result<Open, ClientError> {
        let config = self.cluster.config.clone();
        let target = address.to_owned();
        // On the client's own runtime: the caller's may end before the connection does.
        let connecting = self.cluster.runtime.spawn(async move {
            let limit = config.socket_connection_setup_timeout;
            let connection = Connection::open(&target, limit, config.max_response_bytes).await?;
            let limit = config.request_timeout;
            let versions = ask_versions(&connection, &config.client_id, limit).await?;
            Ok(Open {
                connection,
                versions,
            })
        });
        connecting.await.unwrap_or_else(|error| {
            let reason = error.to_string();
            Err(ClientError::Disconnected {
                address: address.to_owned(),
                reason,
            })
        })
    }
}

/// What a call may take beyond its limit, so that the connection's own deadline, which says more,
/// comes first.
const GRACE: Duration = Duration::from_millis(50);

impl Open {
    fn pick<R: Request>(&self, max_version: i16) -> Result<i16, ClientError> {
        self.versions
            .pick::<R>(max_version)
            .ok_or_else(|| unsupported::<R>(self.connection.address(), &self.versions, max_version))
    }
}

fn unsupported<R: Request>(
    address: &str,
    versions: &ServedVersions,
    max_version: i16,
) -> ClientError {
    let served = match versions.range(R::KEY) {
        Some((min, max)) => format!("it serves {min} to {max}"),
        None => "it serves none".to_owned(),
    };
    ClientError::UnsupportedVersion {
        address: address.to_owned(),
        api: R::KEY.name().to_owned(),
        wanted: format!(
            "{} to {}; {served}",
            R::MIN_VERSION,
            R::MAX_VERSION.min(max_version)
        ),
    }
}

/// What this client says of itself when it asks what a node serves (KIP-511).
fn introduction() -> ApiVersionsRequest {
    ApiVersionsRequest {
        client_software_name: "headwater".to_owned(),
        client_software_version: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

/// Asks for the served versions at our highest, and again at version 0 if the peer is older: such
/// an answer is always written in version 0, whatever was asked.
async fn ask_versions(
    connection: &Connection,
    client_id: &str,
    limit: Duration,
) -> Result<ServedVersions, ClientError> {
    let request = introduction();
    let mut version = ApiVersionsRequest::MAX_VERSION;
    loop {
        let answer = connection.call(limit, "ApiVersions", |correlation_id| {
            frame::encode(&request, version, correlation_id, client_id)
        });
        let answer = answer.await?;
        // Behind the correlation id; the response header has no tagged fields here.
        let code = answer
            .get(4..6)
            .and_then(|code| code.try_into().ok())
            .map(i16::from_be_bytes);
        let is_unsupported = code == Some(ErrorCode::UnsupportedVersion.code());
        if is_unsupported && version > 0 {
            version = 0;
            continue;
        }
        let response: ApiVersionsResponse = frame::decode::<ApiVersionsRequest>(answer, version)?;
        let code = ErrorCode::from_code(response.error_code);
        if code != ErrorCode::None {
            return Err(ClientError::broker(
                format!("ApiVersions of {}", connection.address()),
                code,
            ));
        }
        return Ok(ServedVersions::new(&response));
    }
}

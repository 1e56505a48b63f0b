//! The client's way to a broker in the same process: requests pass as values.

use std::sync::Arc;

use async_trait::async_trait;
use headwater_broker::{Broker, RequestContext};
use headwater_client::{LocalNode, LocalNodeError};
use headwater_wire::{RequestKind, ResponseKind};
use tokio_util::sync::CancellationToken;

/// A broker as the client's in-process transport sees it.
pub(super) struct LocalBroker {
    broker: Arc<Broker>,
    host: Arc<str>,
    closed: CancellationToken,
}

impl LocalBroker {
    /// Answers until `closed`; then callers are told so, and pause, where a broker that has shut
    /// down would answer at once for ever.
    pub(super) fn new(broker: Arc<Broker>, closed: CancellationToken) -> Self {
        Self {
            broker,
            host: Arc::from("in-process"),
            closed,
        }
    }
}

#[async_trait]
impl LocalNode for LocalBroker {
    async fn call(
        &self,
        client_id: &str,
        request: RequestKind,
        version: i16,
    ) -> Result<ResponseKind, LocalNodeError> {
        if self.closed.is_cancelled() {
            return Err(LocalNodeError::ShuttingDown);
        }
        let context = RequestContext {
            client_id: Some(Arc::from(client_id)),
            client_host: self.host.clone(),
            version,
        };
        let answer = self.broker.handle(&context, request);
        let answer = tokio::select! {
            answer = answer => answer,
            () = self.closed.cancelled() => return Err(LocalNodeError::ShuttingDown),
        };
        answer.map_err(|not_served| LocalNodeError::Unsupported {
            api: not_served.key.name().to_owned(),
            version: not_served.version,
        })
    }
}

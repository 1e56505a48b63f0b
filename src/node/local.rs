//! The client's way to a broker in the same process: requests pass as values.

use std::sync::Arc;

use async_trait::async_trait;
use headwater_broker::{Broker, RequestContext};
use headwater_client::{LocalNode, LocalNodeError};
use headwater_wire::{RequestKind, ResponseKind};

/// A broker as the client's in-process transport sees it.
pub(super) struct LocalBroker {
    broker: Arc<Broker>,
    host: Arc<str>,
}

impl LocalBroker {
    pub(super) fn new(broker: Arc<Broker>) -> Self {
        Self {
            broker,
            host: Arc::from("in-process"),
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
        let context = RequestContext {
            client_id: Some(Arc::from(client_id)),
            client_host: self.host.clone(),
            version,
        };
        let answer = self.broker.handle(&context, request).await;
        answer.map_err(|not_served| LocalNodeError::Unsupported {
            api: not_served.key.name().to_owned(),
            version: not_served.version,
        })
    }
}

//! A node of this process that passes calls on to a cluster, holds some of them up, and answers
//! some otherwise than the cluster does.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use headwater_client::{Client, ClientConfig, LocalNode, LocalNodeError};
use headwater_wire::messages::metadata::MetadataResponse;
use headwater_wire::{ApiKey, ErrorCode, RequestKind, ResponseKind};
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::relay::Relay;

pub(crate) struct Gate {
    relay: Relay,
    seen: Mutex<Vec<RequestKind>>,
    held: watch::Sender<Vec<ApiKey>>,
    /// The highest versions that are told of.
    versions: Mutex<Vec<(ApiKey, i16)>>,
    /// What the next readings of committed offsets are answered.
    refusals: Mutex<VecDeque<ErrorCode>>,
    /// Topics that metadata know nothing of.
    hidden: Mutex<Vec<String>>,
}

impl Gate {
    pub(crate) fn new(bootstrap: &str) -> Arc<Self> {
        Arc::new(Self {
            relay: Relay::new(bootstrap, 0, 0),
            seen: Mutex::default(),
            held: watch::Sender::default(),
            versions: Mutex::default(),
            refusals: Mutex::default(),
            hidden: Mutex::default(),
        })
    }

    /// A client whose calls go through this gate.
    pub(crate) fn client(self: &Arc<Self>) -> Client {
        let config = ClientConfig {
            retry_backoff: Duration::from_millis(5),
            retry_backoff_max: Duration::from_millis(50),
            ..ClientConfig::default()
        };
        Client::in_process_with(config, self.clone()).expect("a runtime")
    }

    /// Holds up all calls of this kind until they are let go.
    pub(crate) fn hold(&self, key: ApiKey) {
        self.held.send_modify(|held| held.push(key));
    }

    pub(crate) fn let_go(&self, key: ApiKey) {
        self.held
            .send_modify(|held| held.retain(|other| *other != key));
    }

    /// Says that calls of this kind are known up to this version only.
    pub(crate) fn limit_version(&self, key: ApiKey, version: i16) {
        self.versions.lock().push((key, version));
    }

    /// Has metadata say of this topic that it is not there.
    pub(crate) fn hide(&self, topic: &str) {
        self.hidden.lock().push(topic.to_owned());
    }

    fn conceal(&self, metadata: &mut MetadataResponse) {
        let hidden = self.hidden.lock();
        for topic in &mut metadata.topics {
            if topic
                .name
                .as_ref()
                .is_some_and(|name| hidden.contains(name))
            {
                topic.error_code = ErrorCode::UnknownTopicOrPartition.code();
                topic.partitions.clear();
            }
        }
    }

    /// Answers the next readings of committed offsets with these.
    pub(crate) fn refuse_offsets(&self, codes: impl IntoIterator<Item = ErrorCode>) {
        self.refusals.lock().extend(codes);
    }

    /// How many of [`Gate::refuse_offsets`] are left.
    pub(crate) fn refusals_left(&self) -> usize {
        self.refusals.lock().len()
    }

    /// The calls of this kind that have come, held up or not.
    pub(crate) fn seen(&self, key: ApiKey) -> Vec<RequestKind> {
        let seen = self.seen.lock();
        let of_kind = seen.iter().filter(|request| request.key() == key);
        of_kind.cloned().collect()
    }
}

#[async_trait]
impl LocalNode for Gate {
    async fn call(
        &self,
        client_id: &str,
        request: RequestKind,
        version: i16,
    ) -> Result<ResponseKind, LocalNodeError> {
        let key = request.key();
        self.seen.lock().push(request.clone());
        let mut held = self.held.subscribe();
        let passes = held.wait_for(|held| !held.contains(&key)).await;
        drop(passes.map_err(|error| LocalNodeError::Failed(error.to_string()))?);
        let mut response = self.relay.call(client_id, request, version).await?;
        match &mut response {
            ResponseKind::ApiVersions(versions) => {
                for (key, version) in &*self.versions.lock() {
                    for api in &mut versions.api_keys {
                        if api.api_key == *key as i16 {
                            api.max_version = *version;
                        }
                    }
                }
            }
            ResponseKind::OffsetFetch(offsets) => {
                if let Some(code) = self.refusals.lock().pop_front() {
                    for group in &mut offsets.groups {
                        group.error_code = code.code();
                        group.topics.clear();
                    }
                }
            }
            ResponseKind::Metadata(metadata) => self.conceal(metadata),
            _ => {}
        }
        Ok(response)
    }
}

//! The way in.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::OnceCell;

use crate::admin::Admin;
use crate::cluster::{Cluster, Reach, Transport};
use crate::config::ClientConfig;
use crate::consumer::{Consumer, ConsumerConfig};
use crate::error::ClientError;
use crate::metadata::Metadata;
use crate::producer::{Producer, ProducerConfig};
use crate::transport::{Channel, LocalNode};

/// A cluster to work with. Cheap to clone; clones share connections and metadata.
///
/// Producers and consumers made from it have connections of their own, because a connection's
/// requests are answered in order.
#[derive(Clone)]
pub struct Client {
    cluster: Arc<Cluster>,
    channel: Arc<Channel>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("config", &self.cluster.config)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// A client over TCP. Connects when there is something to ask. Its tasks run on the tokio
    /// runtime that it is made in.
    ///
    /// # Errors
    /// [`ClientError::Config`] for a configuration that cannot work; [`ClientError::NoRuntime`]
    /// outside a tokio runtime.
    pub fn new(config: ClientConfig) -> Result<Self, ClientError> {
        config.validate()?;
        Self::with_transport(config, Transport::Tcp)
    }

    /// A client of a node in this process, with the default configuration.
    ///
    /// # Errors
    /// [`ClientError::NoRuntime`] outside a tokio runtime.
    pub fn in_process(node: Arc<dyn LocalNode>) -> Result<Self, ClientError> {
        Self::in_process_with(ClientConfig::default(), node)
    }

    /// A client of a node in this process. `config.bootstrap_servers` is not used.
    ///
    /// # Errors
    /// [`ClientError::NoRuntime`] outside a tokio runtime.
    pub fn in_process_with(
        config: ClientConfig,
        node: Arc<dyn LocalNode>,
    ) -> Result<Self, ClientError> {
        Self::with_transport(config, Transport::Local(node))
    }

    fn with_transport(config: ClientConfig, transport: Transport) -> Result<Self, ClientError> {
        let runtime = Handle::try_current().map_err(|_| ClientError::NoRuntime)?;
        let metadata = Metadata::default();
        let cluster = Arc::new(Cluster {
            config,
            transport,
            metadata,
            runtime,
            reach: Reach::default(),
            features: Mutex::default(),
            local_versions: OnceCell::new(),
        });
        let channel = Arc::new(Channel::new(cluster.clone()));
        Ok(Self { cluster, channel })
    }

    /// A producer.
    ///
    /// # Errors
    /// [`ClientError::Config`] for a configuration that cannot work.
    pub fn producer(&self, config: ProducerConfig) -> Result<Producer, ClientError> {
        Producer::new(self.cluster.clone(), config)
    }

    /// A consumer.
    ///
    /// # Errors
    /// [`ClientError::Config`] for a configuration that cannot work.
    pub fn consumer(&self, config: ConsumerConfig) -> Result<Consumer, ClientError> {
        Consumer::new(self.cluster.clone(), config)
    }

    /// An admin.
    pub fn admin(&self) -> Admin {
        Admin::new(self.cluster.clone(), self.channel.clone())
    }
}

//! What every client is configured with.

use std::time::Duration;

/// How to reach the cluster, and how patient to be. Names and defaults are Kafka's.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// `bootstrap.servers`: `host:port` of some nodes of the cluster; the rest is learned.
    pub bootstrap_servers: Vec<String>,
    /// `client.id`: told to the broker with every request.
    pub client_id: String,
    /// `request.timeout.ms`: the longest one request may take. 30 s.
    pub request_timeout: Duration,
    /// `default.api.timeout.ms`: the longest a call may take, retries included. 60 s.
    pub default_api_timeout: Duration,
    /// `retry.backoff.ms`: the first pause between tries; it doubles with each. 100 ms.
    pub retry_backoff: Duration,
    /// `retry.backoff.max.ms`: the longest pause between tries. 1 s.
    pub retry_backoff_max: Duration,
    /// `reconnect.backoff.ms`: the first pause before connecting again. 50 ms.
    pub reconnect_backoff: Duration,
    /// `reconnect.backoff.max.ms`: the longest pause before connecting again. 1 s.
    pub reconnect_backoff_max: Duration,
    /// `socket.connection.setup.timeout.ms`: the longest a connect may take. 10 s.
    pub socket_connection_setup_timeout: Duration,
    /// `metadata.max.age.ms`: metadata older than this is asked for again. 5 min.
    pub metadata_max_age: Duration,
    /// `metadata.recovery.strategy`: what to do when none of the known nodes answers. Rebootstrap.
    pub metadata_recovery_strategy: MetadataRecoveryStrategy,
    /// `metadata.recovery.rebootstrap.trigger.ms`: when metadata could not be had for this long, the
    /// known nodes are forgotten and the bootstrap servers asked (KIP-1102). 5 min.
    pub metadata_recovery_rebootstrap_trigger: Duration,
    /// How long bootstrap servers none of which was ever reached are tried before calls fail with
    /// [`ClientError::Unreachable`](crate::ClientError::Unreachable), if their own limit is later.
    /// Kafka's clients have no such limit. 5 s.
    pub bootstrap_timeout: Duration,
    /// The largest response accepted, in bytes. 128 MiB; must be above `fetch.max.bytes` by the
    /// size of the largest batch.
    pub max_response_bytes: usize,
}

/// What a client does when none of the nodes it knows answers (`metadata.recovery.strategy`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetadataRecoveryStrategy {
    /// `none`: tries them on and on.
    None,
    /// `rebootstrap`: asks the bootstrap servers as well (KIP-899).
    Rebootstrap,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            bootstrap_servers: Vec::new(),
            client_id: "headwater".to_owned(),
            request_timeout: Duration::from_secs(30),
            default_api_timeout: Duration::from_secs(60),
            retry_backoff: Duration::from_millis(100),
            retry_backoff_max: Duration::from_secs(1),
            reconnect_backoff: Duration::from_millis(50),
            reconnect_backoff_max: Duration::from_secs(1),
            socket_connection_setup_timeout: Duration::from_secs(10),
            metadata_max_age: Duration::from_secs(300),
            metadata_recovery_strategy: MetadataRecoveryStrategy::Rebootstrap,
            metadata_recovery_rebootstrap_trigger: Duration::from_secs(300),
            bootstrap_timeout: Duration::from_secs(5),
            max_response_bytes: 128 << 20,
        }
    }
}

impl ClientConfig {
    /// Defaults with these bootstrap servers, written `host:port` and separated by commas.
    pub fn new(bootstrap_servers: &str) -> Self {
        let bootstrap_servers = bootstrap_servers
            .split(',')
            .map(|server| server.trim().to_owned())
            .filter(|server| !server.is_empty())
            .collect();
        Self {
            bootstrap_servers,
            ..Self::default()
        }
    }

    /// Refuses what cannot work.
    pub(crate) fn validate(&self) -> Result<(), ConfigError> {
        if self.bootstrap_servers.is_empty() {
            return Err(ConfigError::new(
                "bootstrap.servers",
                "is empty; give host:port",
            ));
        }
        for server in &self.bootstrap_servers {
            let port = server.rsplit_once(':').map(|(_, port)| port.parse::<u16>());
            if !matches!(port, Some(Ok(_))) {
                let reason = format!("has {server:?}, which is not host:port");
                return Err(ConfigError::new("bootstrap.servers", reason));
            }
        }
        Ok(())
    }
}

/// A configuration value that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name} {reason}")]
pub struct ConfigError {
    /// The configuration's name, as Kafka spells it.
    pub name: String,
    /// What is wrong with its value.
    pub reason: String,
}

impl ConfigError {
    /// A configuration and what is wrong with it.
    pub(crate) fn new(name: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            reason: reason.into(),
        }
    }
}

//! The connection every command to a running cluster shares.

use std::time::Duration;

use anyhow::Context;
use clap::Args;

use headwater_client::{Admin, Client, ClientConfig};

/// How long a first answer may take before the address is told to be wrong.
const REACHED: Duration = Duration::from_secs(6);

/// How long a command may take in all to be answered.
const ANSWERED: Duration = Duration::from_secs(60);

/// Where the cluster is.
#[derive(Debug, Args)]
pub(super) struct Bootstrap {
    /// Some nodes of the cluster, HOST:PORT separated by commas
    #[arg(
        long,
        visible_alias = "bootstrap-server",
        value_name = "HOST:PORT",
        default_value = "127.0.0.1:9092",
        global = true
    )]
    bootstrap: String,
}

impl Bootstrap {
    /// A client of the cluster, which has answered.
    ///
    /// # Errors
    /// If no node answers within [`REACHED`], with what to do about it.
    pub(super) async fn client(&self) -> anyhow::Result<Client> {
        let config = ClientConfig {
            default_api_timeout: REACHED,
            socket_connection_setup_timeout: REACHED / 2,
            ..ClientConfig::new(&self.bootstrap)
        };
        let asked = Client::new(config.clone())?.admin();
        asked.describe_cluster().await.with_context(|| {
            format!(
                "no node answers at {}: start one with `headwater serve`, or name another with \
                 --bootstrap",
                self.bootstrap
            )
        })?;
        Ok(Client::new(ClientConfig {
            default_api_timeout: ANSWERED,
            ..config
        })?)
    }

    /// The administration of the cluster, which has answered.
    ///
    /// # Errors
    /// Those of [`Bootstrap::client`].
    pub(super) async fn admin(&self) -> anyhow::Result<Admin> {
        Ok(self.client().await?.admin())
    }
}

/// Splits `NAME=VALUE`.
pub(super) fn name_and_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(format!("{text:?} is not NAME=VALUE")),
    }
}

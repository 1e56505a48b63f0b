//! The connection every command to a running cluster shares.

use clap::Args;

use headwater_client::{Client, ClientConfig};

/// Where the cluster is.
#[derive(Debug, Args)]
pub(super) struct Bootstrap {
    /// Some nodes of the cluster, HOST:PORT separated by commas
    #[arg(
        long,
        value_name = "HOST:PORT",
        default_value = "127.0.0.1:9092",
        global = true
    )]
    bootstrap: String,
}

impl Bootstrap {
    pub(super) fn client(&self) -> anyhow::Result<Client> {
        Ok(Client::new(ClientConfig::new(&self.bootstrap))?)
    }
}

/// Splits `NAME=VALUE`.
pub(super) fn name_and_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(format!("{text:?} is not NAME=VALUE")),
    }
}

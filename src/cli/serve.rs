//! `headwater serve`: a node until it is told to stop.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use headwater_broker::loggers::Loggers;
use headwater_broker::parse_properties;

use super::stop::stopped;
use crate::node::{Node, NodeConfig};
use crate::stdout::tell;

/// Where Kafka's protocol is served unless somebody says otherwise.
const LISTEN: &str = "127.0.0.1:9092";

#[derive(Debug, Args)]
pub(super) struct Serve {
    /// Where the node keeps everything
    #[arg(long, value_name = "DIR", default_value = "./headwater-data")]
    data_dir: PathBuf,
    /// A file of Kafka's broker settings, as a Kafka broker's server.properties
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// One of Kafka's broker settings; counts for more than the same one in --config
    #[arg(long, value_name = "NAME=VALUE", value_parser = setting)]
    set: Vec<(String, String)>,
    #[command(flatten)]
    addresses: Addresses,
}

fn setting(text: &str) -> Result<(String, String), String> {
    let split = text.split_once('=');
    let (name, value) = split.ok_or("it does not read NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// Where a node listens.
#[derive(Debug, Args)]
pub(super) struct Addresses {
    /// Where Kafka's protocol is served; port 0 takes a free one [default: 127.0.0.1:9092]
    #[arg(long, value_name = "HOST:PORT")]
    listen: Option<String>,
    /// Where PostgreSQL's protocol is served
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:5433")]
    sql_listen: String,
    /// Where Kafka Connect's REST interface is served
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8083")]
    connect_listen: String,
}

impl Addresses {
    pub(super) fn config(
        self,
        data_dir: PathBuf,
        take_another_port: bool,
        loggers: Arc<dyn Loggers>,
    ) -> NodeConfig {
        NodeConfig {
            data_dir,
            listen: self.listen.unwrap_or_else(|| LISTEN.to_owned()),
            sql_listen: self.sql_listen,
            connect_listen: self.connect_listen,
            take_another_port,
            properties: Vec::new(),
            loggers,
        }
    }
}

impl Serve {
    pub(super) async fn run(self, loggers: Arc<dyn Loggers>) -> anyhow::Result<()> {
        let stop = stopped()?;
        let properties = properties(self.config.as_deref(), self.set)?;
        if self.addresses.listen.is_some() && properties.iter().any(|(name, _)| name == "listeners")
        {
            anyhow::bail!("both --listen and the setting listeners are given; leave one out");
        }
        let node = NodeConfig {
            properties,
            ..self.addresses.config(self.data_dir, false, loggers)
        };
        let node = Node::start(node).await?;
        tell(format_args!("Kafka   listens on {}", node.kafka_address()));
        tell(format_args!("SQL     listens on {}", node.sql_address()));
        tell(format_args!(
            "Connect listens on {}",
            node.connect_address()
        ));
        stop.await;
        node.shutdown().await
    }
}

/// The settings of the file, then the single ones.
fn properties(
    file: Option<&Path>,
    single: Vec<(String, String)>,
) -> anyhow::Result<Vec<(String, String)>> {
    let mut properties = match file {
        None => Vec::new(),
        Some(file) => {
            let shown = file.display();
            let text =
                std::fs::read_to_string(file).with_context(|| format!("cannot read {shown}"))?;
            parse_properties(&text).with_context(|| shown.to_string())?
        }
    };
    properties.extend(single);
    Ok(properties)
}

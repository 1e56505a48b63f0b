//! `headwater serve`: a node until it is told to stop.

use std::path::PathBuf;

use clap::Args;

use crate::node::{Node, NodeConfig};
use crate::stdout::tell;

#[derive(Debug, Args)]
pub(super) struct Serve {
    /// Where the node keeps everything
    #[arg(long, value_name = "DIR", default_value = "./headwater-data")]
    data_dir: PathBuf,
    #[command(flatten)]
    addresses: Addresses,
}

/// Where a node listens.
#[derive(Debug, Args)]
pub(super) struct Addresses {
    /// Where Kafka's protocol is served; port 0 takes a free one
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:9092")]
    listen: String,
    /// Where PostgreSQL's protocol is served
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:5433")]
    sql_listen: String,
    /// Where Kafka Connect's REST interface is served
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8083")]
    connect_listen: String,
}

impl Addresses {
    pub(super) fn config(self, data_dir: PathBuf, take_another_port: bool) -> NodeConfig {
        NodeConfig {
            data_dir,
            listen: self.listen,
            sql_listen: self.sql_listen,
            connect_listen: self.connect_listen,
            take_another_port,
        }
    }
}

impl Serve {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let stop = stopped()?;
        let node = Node::start(self.addresses.config(self.data_dir, false)).await?;
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

/// Resolves when the process is asked to end: Ctrl-C or SIGTERM. Asked twice, the process ends at
/// once, which is safe at any moment.
pub(super) fn stopped() -> anyhow::Result<impl Future<Output = ()> + Send + 'static> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let (told, tells) = tokio::sync::oneshot::channel();
    tokio::spawn(async move {
        let mut told = Some(told);
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            match told.take() {
                Some(told) => drop(told.send(())),
                None => std::process::exit(130),
            }
        }
    });
    Ok(async move {
        let _ = tells.await;
    })
}

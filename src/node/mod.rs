//! One process that is a whole node: the log, connectors and continuous SQL, embedded or served.

mod local;
mod loggers;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use headwater_broker::loggers::{Loggers, NoLoggers};
use headwater_broker::{Broker, BrokerConfig, Environment, StartError};
use headwater_client::{Client, ClientConfig};
use headwater_connect::rest;
use headwater_connect::worker::{Worker, WorkerConfig};
use headwater_sql::pg::PgServer;
use headwater_sql::{SqlConfig, SqlEngine};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use local::LocalBroker;

pub use loggers::LOGGERS;

/// What a node is started with.
#[derive(Debug, Clone)]
pub struct NodeConfig {
    /// Everything the node keeps; created if it is not there. One node at a time.
    pub data_dir: PathBuf,
    /// Where Kafka's protocol is served, `HOST:PORT`; port 0 takes a free one.
    pub listen: String,
    /// Where PostgreSQL's protocol is served.
    pub sql_listen: String,
    /// Where Kafka Connect's REST interface is served.
    pub connect_listen: String,
    /// Takes a free port where the one asked for is busy, instead of failing.
    pub take_another_port: bool,
    /// Settings of the log by Kafka's names, as they stand in a `server.properties`. They count
    /// for more than `listen`, and `log.dirs` for more than `data_dir`.
    pub properties: Vec<(String, String)>,
    /// What clients can see and change of what this process logs. None unless said otherwise: the
    /// loggers are the process's, and the node is only a part of it. A process with
    /// `tracing_subscriber` has [`ProcessLoggers`](headwater_broker::loggers::ProcessLoggers) for
    /// it, and [`LOGGERS`].
    pub loggers: Arc<dyn Loggers>,
}

impl NodeConfig {
    /// A node on `data_dir` with the usual addresses of the loopback interface.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            listen: "127.0.0.1:9092".to_owned(),
            sql_listen: "127.0.0.1:5433".to_owned(),
            connect_listen: "127.0.0.1:8083".to_owned(),
            take_another_port: false,
            properties: Vec::new(),
            loggers: Arc::new(NoLoggers),
        }
    }

    /// The same on free ports.
    #[must_use]
    pub fn on_free_ports(self) -> Self {
        let any = || "127.0.0.1:0".to_owned();
        Self {
            listen: any(),
            sql_listen: any(),
            connect_listen: any(),
            ..self
        }
    }
}

/// A running node. Dropping it stops it as a crash would, which loses nothing acknowledged.
pub struct Node {
    broker: Arc<Broker>,
    client: Client,
    worker: Worker,
    sql: SqlEngine,
    sql_address: SocketAddr,
    connect_address: SocketAddr,
    stop: CancellationToken,
    /// Ends the in-process clients, last of all.
    closed: CancellationToken,
    servers: Vec<JoinHandle<()>>,
    data_dir: PathBuf,
}

impl Node {
    /// Starts a node: recovers what a crash left, then serves. The log is reachable before the
    /// views and connectors that were there have resumed; on return all have been taken up.
    ///
    /// # Errors
    /// If an address is busy, the data directory is in use or damaged, or a part does not start.
    pub async fn start(config: NodeConfig) -> anyhow::Result<Self> {
        let sql_listener = bind(&config.sql_listen, config.take_another_port).await?;
        let connect_listener = bind(&config.connect_listen, config.take_another_port).await?;
        let sql_address = sql_listener.local_addr()?;
        let connect_address = connect_listener.local_addr()?;
        let broker = Arc::new(start_broker(&config).await?);
        let closed = CancellationToken::new();
        let client =
            Client::in_process(Arc::new(LocalBroker::new(broker.clone(), closed.clone())))?;
        let worker = WorkerConfig {
            worker_id: connect_address.to_string(),
            ..WorkerConfig::default()
        };
        let worker = Worker::start(worker, client.clone())
            .await
            .context("the connectors do not start")?;
        let sql = SqlEngine::start(SqlConfig::new(config.data_dir.join("sql")), client.clone());
        let sql = sql.await.context("the SQL engine does not start")?;
        let stop = CancellationToken::new();
        let servers = vec![
            tokio::spawn(PgServer::new(sql_listener, sql.clone()).run(stop.clone())),
            tokio::spawn(serve_rest(connect_listener, worker.clone(), stop.clone())),
        ];
        Ok(Self {
            broker,
            client,
            worker,
            sql,
            sql_address,
            connect_address,
            stop,
            closed,
            servers,
            data_dir: config.data_dir,
        })
    }

    /// Where Kafka's protocol is served.
    pub fn kafka_address(&self) -> SocketAddr {
        self.broker.address()
    }

    /// Where PostgreSQL's protocol is served.
    pub fn sql_address(&self) -> SocketAddr {
        self.sql_address
    }

    /// Where Kafka Connect's REST interface is served.
    pub fn connect_address(&self) -> SocketAddr {
        self.connect_address
    }

    /// A client of this node's log; nothing is encoded on the way.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The connectors.
    pub fn connect(&self) -> &Worker {
        &self.worker
    }

    /// Continuous SQL.
    pub fn sql(&self) -> &SqlEngine {
        &self.sql
    }

    /// Where streams applications of this process keep their state.
    pub fn streams_dir(&self) -> PathBuf {
        self.data_dir.join("streams")
    }

    /// Stops everything in order: views and connectors commit, then the log closes.
    ///
    /// # Errors
    /// The first part that did not stop in order; all are stopped nonetheless.
    pub async fn shutdown(self) -> anyhow::Result<()> {
        self.stop.cancel();
        for server in self.servers {
            server.await.context("a listener did not end in order")?;
        }
        self.worker.shutdown().await;
        let sql = self.sql.shutdown().await;
        self.closed.cancel();
        self.broker.shutdown().await;
        sql.context("the SQL engine did not end in order")
    }
}

async fn serve_rest(listener: TcpListener, worker: Worker, stop: CancellationToken) {
    let served = rest::serve(listener, worker, stop.cancelled_owned()).await;
    if let Err(error) = served {
        tracing::error!(%error, "the Connect interface ended");
    }
}

async fn start_broker(config: &NodeConfig) -> anyhow::Result<Broker> {
    let wanted = broker_config(config)?;
    let mut other = wanted.clone();
    other.listen = free_port(&wanted.listen);
    let world = Environment {
        loggers: Arc::clone(&config.loggers),
        ..Environment::default()
    };
    match Broker::start(wanted, world.clone()).await {
        Err(StartError::Listen { source, .. })
            if config.take_another_port && source.kind() == std::io::ErrorKind::AddrInUse =>
        {
            Ok(Broker::start(other, world).await?)
        }
        started => Ok(started?),
    }
}

/// A node of one is its own cluster: a group's first member need not wait for others to come.
fn broker_config(config: &NodeConfig) -> anyhow::Result<BrokerConfig> {
    let mut broker = BrokerConfig::new(config.data_dir.join("log"), &config.listen);
    broker.settings.group_initial_rebalance_delay = Duration::ZERO;
    broker.apply(config.properties.iter().cloned())?;
    Ok(broker)
}

async fn bind(address: &str, take_another_port: bool) -> anyhow::Result<TcpListener> {
    let bound = match TcpListener::bind(address).await {
        Err(error) if take_another_port && error.kind() == std::io::ErrorKind::AddrInUse => {
            TcpListener::bind(free_port(address)).await
        }
        bound => bound,
    };
    bound.with_context(|| {
        format!("cannot listen on {address}; choose another address, or stop what uses it")
    })
}

/// The same host with port 0.
fn free_port(address: &str) -> String {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    format!("{host}:0")
}

/// A client of the cluster at `bootstrap`, or of a node of this process on `data_dir`: the same
/// program runs on either.
///
/// # Errors
/// What [`Node::start`] or the client's configuration fails with.
pub async fn connect_or_embed(
    bootstrap: Option<&str>,
    data_dir: impl Into<PathBuf>,
) -> anyhow::Result<(Client, Option<Node>)> {
    match bootstrap {
        Some(bootstrap) => Ok((Client::new(ClientConfig::new(bootstrap))?, None)),
        None => {
            let node = Node::start(NodeConfig::new(data_dir).on_free_ports()).await?;
            Ok((node.client().clone(), Some(node)))
        }
    }
}

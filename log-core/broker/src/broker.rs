//! A broker from start to stop.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use headwater_env::{Clock, Disk, OsRandom, Random, RealDisk, SystemClock};
use headwater_storage::{KnownPartition, OpenError, Storage, StorageOptions};
use headwater_wire::{ApiKey, RequestKind, ResponseKind};
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::api::{self, FetchSessions, Reply};
use crate::config::{BrokerConfig, InvalidBrokerConfig};
use crate::context::RequestContext;
use crate::coordinators::Coordinators;
use crate::jobs::{self, Housekeeper};
use crate::labor::Labor;
use crate::listener;
use crate::live_config::LiveConfig;
use crate::loggers::{Loggers, NoLoggers};
use crate::memory::MemoryBudget;
use crate::metadata::{Command, Outcome};
use crate::node::Node;
use crate::quorum::{MetadataQuorum, OpenQuorumError, QuorumError, QuorumFiles, RaftQuorum};
use crate::topics::Topics;

/// What a broker takes from the world around it. The default is the real one.
#[derive(Debug, Clone)]
pub struct Environment {
    /// Where the data directory is.
    pub disk: Arc<dyn Disk>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Where ids come from.
    pub random: Arc<dyn Random>,
    /// What the process logs, and how much of it (KIP-412). The default has none to see or change.
    pub loggers: Arc<dyn Loggers>,
}

impl Default for Environment {
    fn default() -> Self {
        Self {
            disk: Arc::new(RealDisk::new()),
            clock: Arc::new(SystemClock::new()),
            random: Arc::new(OsRandom),
            loggers: Arc::new(NoLoggers),
        }
    }
}

/// Why a broker did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration contradicts itself.
    #[error(transparent)]
    Config(#[from] InvalidBrokerConfig),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}; choose another address, or stop what uses it")]
    Listen {
        /// The address.
        address: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The data directory does not open.
    #[error(transparent)]
    Storage(#[from] OpenError),
    /// The metadata quorum does not open.
    #[error(transparent)]
    Quorum(#[from] OpenQuorumError),
    /// The broker could not be registered.
    #[error("the broker could not be registered")]
    Register(#[from] QuorumError),
    /// The metadata belongs to another cluster than the data directory.
    #[error(
        "the metadata in {data_dir} belongs to cluster {found}, the directory to {expected}; restore both from the same copy"
    )]
    WrongCluster {
        /// The data directory.
        data_dir: String,
        /// Cluster of the metadata.
        found: String,
        /// Cluster of the directory.
        expected: String,
    },
    /// A thread could not be started.
    #[error("cannot start a thread")]
    Thread(#[source] std::io::Error),
}

/// A request that this broker does not serve, or not in this version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{} is not served in version {version}", key.name())]
pub struct NotServed {
    /// The API.
    pub key: ApiKey,
    /// The version asked in.
    pub version: i16,
}

/// A running broker. Dropping it without [`shutdown`](Self::shutdown) stops it as a crash would,
/// which loses nothing that was acknowledged.
pub struct Broker {
    node: Arc<Node>,
    address: SocketAddr,
    stop: watch::Sender<bool>,
    listening: Mutex<Option<JoinHandle<()>>>,
    jobs: Mutex<Vec<std::thread::JoinHandle<()>>>,
}

impl Broker {
    /// Starts a broker: opens its data directory, recovers what a crash left, joins the metadata
    /// quorum and listens. On return it serves.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn start(config: BrokerConfig, world: Environment) -> Result<Self, StartError> {
        config.settings.validate()?;
        config.check_topic_defaults()?;
        let (listener, address) = listener::bind(&config.listen, &config.settings)
            .await
            .map_err(|source| StartError::Listen {
                address: config.listen.clone(),
                source,
            })?;
        let (stop, shutdown) = watch::channel(false);
        let (housekeeper, calls) = jobs::channel();
        let node = Arc::new(open_node(config, world, address, shutdown, housekeeper).await?);
        node.coordinators.start(&node);
        let jobs = jobs::start(&node, calls).map_err(StartError::Thread)?;
        let listening = tokio::spawn(listener::accept(Arc::clone(&node), listener));
        Ok(Self {
            node,
            address,
            stop,
            listening: Mutex::new(Some(listening)),
            jobs: Mutex::new(jobs),
        })
    }

    /// The address listened on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Id of the cluster.
    pub fn cluster_id(&self) -> String {
        self.node.quorum.image().cluster_id.clone()
    }

    /// Answers a request without a network between: nothing is encoded. What must keep the order
    /// of the calls, such as appends, is done before this returns; the future is what has to wait.
    ///
    /// # Errors
    /// [`NotServed`], as for a client over the network.
    pub fn handle(
        &self,
        context: &RequestContext,
        request: RequestKind,
    ) -> BoxFuture<'static, Result<ResponseKind, NotServed>> {
        let not_served = NotServed {
            key: request.key(),
            version: context.version,
        };
        if !api::is_served_in(not_served.key, not_served.version) {
            return std::future::ready(Err(not_served)).boxed();
        }
        match api::start(&self.node, context, request) {
            None => std::future::ready(Err(not_served)).boxed(),
            Some(reply) => answered(reply).map(Ok).boxed(),
        }
    }

    /// Stops the broker: a crash that was announced. Recovery is the same after either.
    pub async fn shutdown(&self) {
        self.stop.send_replace(true);
        let listening = self.listening.lock().take();
        if let Some(listening) = listening
            && let Err(error) = listening.await
        {
            tracing::error!(%error, "the listener did not end in order");
        }
        let jobs = std::mem::take(&mut *self.jobs.lock());
        self.node.housekeeper.stop();
        let ended =
            tokio::task::spawn_blocking(move || jobs.into_iter().all(|job| job.join().is_ok()));
        if !ended.await.unwrap_or(false) {
            tracing::error!("housekeeping did not end in order");
        }
        self.node.quorum.shutdown().await;

        let storage = self.node.storage.clone();
        match tokio::task::spawn_blocking(move || storage.shutdown()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the storage did not stop in order"),
            Err(error) => tracing::error!(%error, "the storage did not stop in order"),
        }
    }
}

/// What a caller in the same process is answered.
fn answered(reply: Reply<ResponseKind>) -> BoxFuture<'static, ResponseKind> {
    match reply {
        Reply::Now(response) | Reply::Unwanted(response) | Reply::Unsaid(response) => {
            std::future::ready(response).boxed()
        }
        Reply::Unheard(future) => future,
        Reply::Later(future) => future.map(|answer| answer.response).boxed(),
        // The thread is the caller's own.
        Reply::Laborious(work) => answered(work()),
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        self.node.housekeeper.stop();
    }
}

/// Everything up to the listener: storage, then metadata, then what the metadata says is on disk.
async fn open_node(
    config: BrokerConfig,
    world: Environment,
    address: SocketAddr,
    shutdown: watch::Receiver<bool>,
    housekeeper: Housekeeper,
) -> Result<Node, StartError> {
    let Environment {
        disk,
        clock,
        random,
        loggers,
    } = world;
    let cluster_id = cluster_id_of(Arc::clone(&disk), &config, random.as_ref())?;
    let mut options = StorageOptions::new(&config.data_dir, cluster_id.clone(), config.node_id);
    options.producer_id_expiration = config.settings.producer_id_expiration;
    let storage = Storage::open(disk, Arc::clone(&clock), options)?;
    let files = QuorumFiles {
        log: storage.log("metadata")?,
        vote: storage.register("metadata-vote")?,
        snapshot: storage.register("metadata-snapshot")?,
    };
    let quorum = RaftQuorum::open(config.node_id, files).await?;
    let found = match quorum
        .submit(Command::FormatCluster {
            cluster_id: cluster_id.clone(),
        })
        .await?
    {
        Outcome::ClusterId(found) => found,
        _ => String::new(),
    };
    if found != cluster_id {
        let data_dir = config.data_dir.display().to_string();
        return Err(StartError::WrongCluster {
            data_dir,
            found,
            expected: cluster_id,
        });
    }
    let features = quorum.image().features.clone();
    if let Some(levels) = features.missing() {
        let expected = features.epoch;
        quorum
            .submit(Command::FinalizeFeatures { expected, levels })
            .await?;
    }
    let broker_epoch = register(&quorum, &config, address, random.as_ref()).await?;
    let live = Arc::new(LiveConfig::new(config.clone()));
    let topics = Topics::new(storage.clone(), Arc::clone(&live));
    let image = quorum.image();
    live.follow(&image.configs);
    recover(&storage, &topics.known(&image))?;
    topics.follow(&quorum).map_err(OpenError::from)?;
    Ok(Node {
        fetch_sessions: FetchSessions::new(config.settings.fetch_session_slots as usize),
        response_memory: MemoryBudget::new(config.settings.queued_max_response_bytes as usize),
        config,
        live,
        clock,
        random,
        loggers,
        storage,
        quorum: Arc::new(quorum),
        topics: Arc::new(topics),
        coordinators: Coordinators::new(),
        labor: Labor::new(Handle::current()),
        runtime: Handle::current(),
        broker_epoch,
        housekeeper,
        changing_configs: tokio::sync::Mutex::new(()),
        shutdown,
    })
}

fn recover(storage: &Storage, known: &[KnownPartition]) -> Result<(), OpenError> {
    let recovery = storage.recover(known)?;
    if recovery.frames > 0 {
        tracing::info!(frames = recovery.frames, "recovered from the journal");
    }
    for partition in recovery.quarantined {
        tracing::error!(%partition, "damaged on disk: it can be read as far as it is whole, and takes no appends");
    }
    for partition in recovery.strays {
        tracing::warn!(%partition, "the metadata does not know this partition; its directory was set aside");
    }
    Ok(())
}

/// The id of the cluster that the data directory belongs to; a new one for a new directory.
fn cluster_id_of(
    disk: Arc<dyn Disk>,
    config: &BrokerConfig,
    random: &dyn Random,
) -> Result<String, OpenError> {
    match Storage::owner(disk, &config.data_dir)? {
        Some(owner) => Ok(owner.cluster_id),
        None => Ok(new_cluster_id(random.bytes16())),
    }
}

/// Sixteen bytes in URL-safe base64, as Kafka writes a cluster id.
fn new_cluster_id(bytes: [u8; 16]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    // Without its first bit the id does not begin with a dash, which a command line would take
    // for an option.
    let number = u128::from_be_bytes(bytes) & (u128::MAX >> 1);
    // 22 digits of 6 bits are 4 bits more than there are.
    let digit = |place: u32| match 6 * place {
        low if low < 4 => (number << (4 - low)) & 63,
        low => (number >> (low - 4)) & 63,
    };
    let letter = |digit: u128| {
        ALPHABET
            .get(digit as usize)
            .copied()
            .map_or('A', char::from)
    };
    (0..22).rev().map(digit).map(letter).collect()
}

async fn register(
    quorum: &RaftQuorum,
    config: &BrokerConfig,
    address: SocketAddr,
    random: &dyn Random,
) -> Result<i64, QuorumError> {
    let advertised = config.advertised.as_ref();
    let mut listened = address.ip();
    if listened.is_unspecified() && advertised.is_none() {
        listened = Ipv4Addr::LOCALHOST.into();
        tracing::warn!(
            "listening on all addresses, clients are told {listened}; configure an advertised host for those on other machines"
        );
    }
    let command = Command::RegisterBroker {
        id: config.node_id,
        incarnation: uuid::Builder::from_random_bytes(random.bytes16()).into_uuid(),
        host: advertised.map_or(listened.to_string(), |advertised| advertised.host.clone()),
        port: advertised
            .and_then(|advertised| advertised.port)
            .unwrap_or(address.port()),
        rack: config.rack.clone(),
    };
    match quorum.submit(command).await? {
        Outcome::BrokerEpoch(epoch) => Ok(epoch),
        other => Err(QuorumError::Stopped {
            reason: format!("it answered {other:?}"),
        }),
    }
}

#[cfg(test)]
mod tests;

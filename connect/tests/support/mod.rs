//! A broker on loopback, workers that can be ended like a process, and plain HTTP.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test's helpers fail as its asserts do"
)]
#![allow(dead_code, reason = "each test program uses its own part")]

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use headwater_broker::{Broker, BrokerConfig, Environment};
use headwater_client::{Client, ClientConfig};
use headwater_connect::config::Properties;
use headwater_connect::worker::{Worker, WorkerConfig};
use tokio::runtime::Runtime;

/// How long a condition may take to come true. Far more than it needs, because the machine may be
/// busy with other tests.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A broker in a runtime of its own.
pub(crate) struct Log {
    runtime: Runtime,
    broker: Option<Broker>,
    pub(crate) address: SocketAddr,
    _dir: tempfile::TempDir,
}

impl Log {
    pub(crate) fn start() -> Self {
        let runtime = runtime();
        let dir = tempfile::tempdir().unwrap();
        let config = BrokerConfig::new(dir.path(), "127.0.0.1:0");
        let broker = runtime
            .block_on(Broker::start(config, Environment::default()))
            .unwrap();
        let address = broker.address();
        Self {
            runtime,
            broker: Some(broker),
            address,
            _dir: dir,
        }
    }

    /// A client of the broker, in the runtime that calls.
    pub(crate) fn client(&self) -> Client {
        Client::new(ClientConfig::new(&self.address.to_string())).unwrap()
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        if let Some(broker) = self.broker.take() {
            self.runtime.block_on(broker.shutdown());
        }
    }
}

pub(crate) fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}

/// Internal topics small enough to be read in a moment, and quick commits.
pub(crate) fn worker_config() -> WorkerConfig {
    WorkerConfig {
        offset_storage_partitions: 3,
        status_storage_partitions: 1,
        offset_flush_interval: Duration::from_millis(50),
        ..WorkerConfig::default()
    }
}

/// A worker in a runtime of its own, which can be dropped with all its tasks where they stand.
pub(crate) struct Process {
    runtime: Option<Runtime>,
    pub(crate) worker: Worker,
}

impl Process {
    pub(crate) fn start(log: &Log, config: WorkerConfig) -> Self {
        let runtime = runtime();
        let worker = runtime.block_on(async { Worker::start(config, log.client()).await.unwrap() });
        Self {
            runtime: Some(runtime),
            worker,
        }
    }

    pub(crate) fn run<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.as_ref().unwrap().block_on(future)
    }

    /// Ends everything as kill -9 would: no task gets another turn.
    pub(crate) fn kill(mut self) {
        // Files must be closed before a successor opens them, as the kernel would see to.
        self.runtime
            .take()
            .unwrap()
            .shutdown_timeout(Duration::from_secs(10));
    }

    /// Waits for a condition; fails with the connectors' status if it does not come true.
    pub(crate) fn until(&self, what: &str, mut holds: impl FnMut(&Worker) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !holds(&self.worker) {
            if Instant::now() >= deadline {
                let names = self.worker.connectors();
                let status: Vec<_> = names.iter().map(|name| self.worker.status(name)).collect();
                panic!("{what} did not come true: {status:#?}");
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.block_on(self.worker.shutdown());
        }
    }
}

pub(crate) fn properties(pairs: &[(&str, &str)]) -> Properties {
    pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

pub(crate) fn path_in(dir: &Path, name: &str) -> String {
    dir.join(name).to_str().unwrap().to_owned()
}

/// The lines of a file, none if it is not there yet.
pub(crate) fn lines(path: &str) -> Vec<String> {
    let content = std::fs::read_to_string(path).unwrap_or_default();
    content.lines().map(str::to_owned).collect()
}

/// An answer to a request.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The message of an error whose code is that of the status.
    pub(crate) fn message(&self) -> String {
        let json = self.json();
        assert_eq!(json["error_code"], self.status, "{self:?}");
        assert_eq!(json.as_object().unwrap().len(), 2, "{self:?}");
        json["message"].as_str().unwrap().to_owned()
    }
}

/// One HTTP request on a connection of its own.
pub(crate) fn request(address: SocketAddr, method: &str, path: &str, body: Option<&str>) -> Answer {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let body = body.unwrap_or_default();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (headers, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = headers.split(' ').nth(1).unwrap().parse().unwrap();
    Answer {
        status,
        headers: headers.to_ascii_lowercase(),
        body: body.to_owned(),
    }
}

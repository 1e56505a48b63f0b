//! Clusters to run commands against.

use std::io::Write;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use headwater_broker::loggers::ProcessLoggers;
use headwater_broker::{Broker, BrokerConfig, Environment};
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tracing::Dispatch;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;

/// How long anything may take before the test has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A cluster that commands are run against: a node of this process, or Apache Kafka.
pub(crate) struct Cluster {
    bootstrap: String,
    node: Option<(Runtime, Broker)>,
    /// What the levels of the node's loggers are in force in.
    _diagnostics: Option<Dispatch>,
    pub(crate) dir: TempDir,
}

impl Cluster {
    /// A node of this process, on a directory of its own.
    pub(crate) fn ours() -> Self {
        let (runtime, dir) = (Runtime::new().unwrap(), TempDir::new().unwrap());
        let mut config = BrokerConfig::new(dir.path().join("data"), "127.0.0.1:0");
        config.settings.offsets_topic_partitions = 4;
        config.settings.transaction_topic_partitions = 4;
        config.settings.group_initial_rebalance_delay = Duration::ZERO;
        let (loggers, filter) = ProcessLoggers::new(EnvFilter::new("warn"), ["headwater_broker"]);
        let diagnostics = Dispatch::new(tracing_subscriber::registry().with(filter));
        let world = Environment {
            loggers,
            ..Environment::default()
        };
        let broker = runtime.block_on(Broker::start(config, world)).unwrap();
        Self {
            bootstrap: broker.address().to_string(),
            node: Some((runtime, broker)),
            _diagnostics: Some(diagnostics),
            dir,
        }
    }

    /// Apache Kafka, where one is named.
    pub(crate) fn kafka() -> Option<Self> {
        let Ok(bootstrap) = std::env::var("HEADWATER_TEST_KAFKA") else {
            eprintln!("skipped: HEADWATER_TEST_KAFKA names no Apache Kafka");
            return None;
        };
        Some(Self {
            bootstrap,
            node: None,
            _diagnostics: None,
            dir: TempDir::new().unwrap(),
        })
    }

    pub(crate) fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// The command with `arguments`, ready to be run.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_headwater"));
        command
            .args(arguments)
            .args(["--bootstrap", &self.bootstrap]);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs a command with `input` on its standard input.
    pub(crate) fn run(&self, arguments: &[&str], input: &[u8]) -> Output {
        let mut child = self.command(arguments).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // A command that fails early closes its input.
        let _ = stdin.write_all(input);
        drop(stdin);
        child.wait_with_output().unwrap()
    }

    /// What a command prints that must succeed.
    pub(crate) fn ok(&self, arguments: &[&str]) -> String {
        self.ok_with(arguments, b"")
    }

    pub(crate) fn ok_with(&self, arguments: &[&str], input: &[u8]) -> String {
        let output = self.run(arguments, input);
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?} failed: {told}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// The lines of JSON that a command prints.
    pub(crate) fn json(&self, arguments: &[&str]) -> Vec<Value> {
        let mut arguments = arguments.to_vec();
        arguments.extend(["--format", "json"]);
        let printed = self.ok(&arguments);
        let read = |line| serde_json::from_str(line).unwrap();
        printed.lines().map(read).collect()
    }

    /// The one sentence that a command fails with.
    pub(crate) fn fails(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments, b"");
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {told}");
        let last = told.lines().last().unwrap_or_default().to_owned();
        assert!(last.starts_with("headwater: "), "{arguments:?}: {told}");
        last
    }

    /// Starts a command that ends by itself or is killed.
    pub(crate) fn start(&self, arguments: &[&str]) -> Running {
        Running(self.command(arguments).spawn().unwrap())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Some((runtime, broker)) = self.node.take() {
            runtime.block_on(broker.shutdown());
        }
    }
}

/// A command under way, killed at the end.
pub(crate) struct Running(pub(crate) Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A name that no other test and no other run has.
pub(crate) fn unique(name: &str) -> String {
    format!("cli-{name}-{:08x}", rand::random::<u32>())
}

/// Asks until there is something; `what` names it.
pub(crate) fn eventually<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = attempt() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited too long for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Runs each case against a node of ours, and against Apache Kafka.
macro_rules! on_both {
    ($($case:ident),+ $(,)?) => {
        mod ours {
            $(#[test]
            fn $case() {
                super::$case(&crate::cluster::Cluster::ours());
            })+
        }
        mod kafka {
            $(#[test]
            fn $case() {
                if let Some(kafka) = crate::cluster::Cluster::kafka() {
                    super::$case(&kafka);
                }
            })+
        }
    };
}
pub(crate) use on_both;

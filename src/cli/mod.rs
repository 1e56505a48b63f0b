//! The command line: one file per noun. Data goes to stdout, the rest to stderr; bad input ends
//! with one sentence and a non-zero exit.

mod bootstrap;
mod cluster;
mod config;
mod connect;
mod consume;
mod demo;
mod feature;
mod group;
mod log_dir;
mod names;
mod output;
mod partitions;
mod payload;
mod produce;
mod serve;
mod shell;
mod sql;
mod stop;
mod table;
mod times;
mod topic;
mod transaction;

use std::io::IsTerminal;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Parser, Subcommand};
use headwater_broker::loggers::{Loggers, ProcessLoggers};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use self::stop::Interrupted;
use crate::node::LOGGERS;
use crate::stdout::Closed;

/// One log that speaks Kafka's protocol, and streams, connectors and continuous SQL on it.
#[derive(Debug, Parser)]
#[command(name = "headwater", version, propagate_version = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a node: the log, continuous SQL and connectors, until SIGTERM or Ctrl-C
    Serve(serve::Serve),
    /// Run the main job on an embedded log and real data
    Demo(demo::Demo),
    /// Create, list, describe, enlarge and delete topics
    #[command(subcommand)]
    Topic(topic::Topic),
    /// Write lines, JSON objects or files to a topic
    Produce(produce::Produce),
    /// Print the records of topics
    Consume(consume::Consume),
    /// List and describe groups, reset their offsets, remove members and groups
    #[command(subcommand)]
    Group(group::Group),
    /// Look at and change configurations of topics, brokers and groups, and levels of loggers
    #[command(subcommand)]
    Config(config::Config),
    /// Look at transactions and producers, and end what hangs
    #[command(subcommand)]
    Transaction(transaction::Transaction),
    /// Look at the directories of logs
    #[command(subcommand)]
    LogDir(log_dir::LogDir),
    /// Look at nodes, quorum and reassignments, and elect leaders
    #[command(subcommand)]
    Cluster(cluster::Cluster),
    /// Look at and change levels of features
    #[command(subcommand)]
    Feature(feature::Feature),
    /// Create, inspect and steer connectors through the REST interface
    #[command(subcommand)]
    Connect(connect::Connect),
    /// Run a SQL statement, or open a shell
    Sql(sql::Sql),
}

/// Runs the command line of this process.
///
/// Exits with 0 on success, 1 when the command failed and 2 when its arguments are wrong.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let loggers = start_diagnostics();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return failed(&anyhow::anyhow!("cannot start the runtime: {error}")),
    };
    match runtime.block_on(run(arguments.command, loggers)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if Interrupted::caused(&error) {
                // A read of standard input that is under way may never come back.
                runtime.shutdown_background();
            }
            failed(&error)
        }
    }
}

async fn run(command: Command, loggers: Arc<dyn Loggers>) -> anyhow::Result<()> {
    match command {
        Command::Serve(serve) => serve.run(loggers).await,
        Command::Demo(demo) => demo.run(loggers).await,
        Command::Topic(topic) => topic.run().await,
        Command::Produce(produce) => produce.run().await,
        Command::Consume(consume) => consume.run().await,
        Command::Group(group) => group.run().await,
        Command::Config(config) => config.run().await,
        Command::Transaction(transaction) => transaction.run().await,
        Command::LogDir(log_dir) => log_dir.run().await,
        Command::Cluster(cluster) => cluster.run().await,
        Command::Feature(feature) => feature.run().await,
        Command::Connect(connect) => connect.run().await,
        Command::Sql(sql) => sql.run().await,
    }
}

fn failed(error: &anyhow::Error) -> ExitCode {
    // A reader that closed the pipe early (`| head`) has all it wanted.
    if Closed::caused(error) {
        return ExitCode::SUCCESS;
    }
    eprintln!("headwater: {}", output::told(error));
    ExitCode::FAILURE
}

/// Warnings and errors on stderr; `RUST_LOG` asks for more, and so may clients of a node.
fn start_diagnostics() -> Arc<dyn Loggers> {
    let filter =
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn,openraft=error"));
    let (loggers, filter) = ProcessLoggers::new(filter, LOGGERS.iter().copied());
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    tracing_subscriber::registry()
        .with(filter)
        .with(lines)
        .init();
    loggers
}

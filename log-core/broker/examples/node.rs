//! A node with nothing but the log: `node DIR HOST:PORT [NAME=VALUE...]`, until Ctrl-C. The names
//! are those of Kafka's `server.properties`.

use headwater_broker::loggers::ProcessLoggers;
use headwater_broker::{Broker, BrokerConfig, Environment};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

const LOGGERS: [&str; 3] = ["headwater_broker", "headwater_storage", "openraft"];

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(data_dir), Some(listen)) = (arguments.next(), arguments.next()) else {
        return Err("usage: node DIR HOST:PORT [NAME=VALUE...]".into());
    };
    let (loggers, filter) = ProcessLoggers::new(EnvFilter::new("info"), LOGGERS);
    tracing_subscriber::registry()
        .with(filter)
        .with(tracing_subscriber::fmt::layer().with_writer(std::io::stderr))
        .init();
    let mut config = BrokerConfig::new(data_dir, listen);
    let pairs = arguments.map(|argument| match argument.split_once('=') {
        Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
        None => Err(format!("{argument} does not read NAME=VALUE")),
    });
    config.apply(pairs.collect::<Result<Vec<_>, _>>()?)?;
    let world = Environment {
        loggers,
        ..Environment::default()
    };
    let broker = Broker::start(config, world).await?;
    println!("listening on {}", broker.address());
    tokio::signal::ctrl_c().await?;
    broker.shutdown().await;
    Ok(())
}

//! A node with nothing but the log: `node DIR HOST:PORT [NAME=VALUE...]`, until Ctrl-C. The names
//! are those of Kafka's `server.properties`.

use headwater_broker::{Broker, BrokerConfig, Environment};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(data_dir), Some(listen)) = (arguments.next(), arguments.next()) else {
        return Err("usage: node DIR HOST:PORT [NAME=VALUE...]".into());
    };
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .init();
    let mut config = BrokerConfig::new(data_dir, listen);
    let pairs = arguments.map(|argument| match argument.split_once('=') {
        Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
        None => Err(format!("{argument} does not read NAME=VALUE")),
    });
    config.apply(pairs.collect::<Result<Vec<_>, _>>()?)?;
    let broker = Broker::start(config, Environment::default()).await?;
    println!("listening on {}", broker.address());
    tokio::signal::ctrl_c().await?;
    broker.shutdown().await;
    Ok(())
}

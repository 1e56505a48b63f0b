//! A node with nothing but the log: `node DIR HOST:PORT`, until Ctrl-C.

use headwater_broker::{Broker, BrokerConfig, Environment};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(data_dir), Some(listen)) = (arguments.next(), arguments.next()) else {
        return Err("usage: node DIR HOST:PORT".into());
    };
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .init();
    let config = BrokerConfig::new(data_dir, listen);
    let broker = Broker::start(config, Environment::default()).await?;
    println!("listening on {}", broker.address());
    tokio::signal::ctrl_c().await?;
    broker.shutdown().await;
    Ok(())
}

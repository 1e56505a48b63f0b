//! Runs a broker: `cargo run -p headwater-broker --example serve -- DATA_DIR HOST:PORT`.
//!
//! Ends on Ctrl-C. `RUST_LOG` chooses what is logged, to stderr. The full node, with SQL and Connect on top, is the `headwater` binary.

use std::error::Error;

use headwater_broker::{Broker, BrokerConfig, Environment};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let filter = tracing_subscriber::EnvFilter::from_default_env();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    let mut arguments = std::env::args().skip(1);
    let (Some(data_dir), Some(listen)) = (arguments.next(), arguments.next()) else {
        return Err("usage: serve DATA_DIR HOST:PORT".into());
    };
    let broker = Broker::start(BrokerConfig::new(data_dir, listen), Environment::default()).await?;
    println!("listening on {}", broker.address());
    tokio::signal::ctrl_c().await?;
    broker.shutdown().await;
    Ok(())
}

//! `headwater demo`: the main job on an embedded log and real data.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use headwater_broker::loggers::Loggers;

use crate::demo;

use super::serve::Addresses;
use super::stop::stopped;

#[derive(Debug, Args)]
pub(super) struct Demo {
    /// Where planes.csv, airlines.csv, airports.csv, weather.csv and flights*.csv are, plain or .gz
    #[arg(long, value_name = "DIR", default_value = "examples/data")]
    input: PathBuf,
    /// Where delays_by_origin_hour.jsonl is written
    #[arg(long, value_name = "DIR", default_value = "./headwater-demo/out")]
    out: PathBuf,
    /// Where the node keeps everything
    #[arg(long, value_name = "DIR", default_value = "./headwater-demo/data")]
    data_dir: PathBuf,
    /// Ends once every row that was there at the start is committed in the results
    #[arg(long)]
    exit: bool,
    #[command(flatten)]
    addresses: Addresses,
}

impl Demo {
    pub(super) async fn run(self, loggers: Arc<dyn Loggers>) -> anyhow::Result<()> {
        let stop = stopped()?;
        let node = self.addresses.config(self.data_dir, true, loggers);
        demo::run(&self.input, &self.out, node, self.exit, stop).await
    }
}

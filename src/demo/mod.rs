//! The main job: flights with their planes, airlines, airports and weather through connectors,
//! a streams application, two views and a sink, on an embedded log, shown as it goes.

mod connectors;
mod delays;
mod input;
mod job;
mod position;
mod result_file;
mod screen;
mod views;

use std::future::Future;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use crate::node::{Node, NodeConfig};
use input::Input;
use job::Job;
use screen::Screen;

/// The result, one update a line.
const RESULT_FILE: &str = "delays_by_origin_hour.jsonl";

/// How often the job is looked at.
const LOOK: Duration = Duration::from_millis(200);

/// Runs the job on the node of `config` until `stop` resolves, or with `exit` until all that was
/// in `input` at the start is committed in the results.
pub(crate) async fn run(
    input: &Path,
    out: &Path,
    config: NodeConfig,
    exit: bool,
    stop: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let started = Instant::now();
    let input = Input::find(input)?;
    let cannot = |folder: &Path| format!("cannot make the directory {}", folder.display());
    std::fs::create_dir_all(&config.data_dir).with_context(|| cannot(&config.data_dir))?;
    std::fs::create_dir_all(out).with_context(|| cannot(out))?;
    let out = out.canonicalize().with_context(|| cannot(out))?;
    input.bind(&config.data_dir)?;
    let node = Node::start(config).await?;
    let mut stop = std::pin::pin!(stop);
    let ran = tokio::select! {
        ran = work(&node, &input, &out, started, exit) => ran.map(Some),
        () = &mut stop => Ok(None),
    };
    let serves_on = matches!(&ran, Ok(Some(_))) && !exit;
    if serves_on {
        stop.await;
    }
    if let Ok(Some(job)) = &ran {
        job.stop().await?;
    }
    let ended = node.shutdown().await;
    let finished = ran?.is_some();
    ended?;
    if exit && !finished {
        bail!("stopped before everything was committed; start it again, it goes on where it was");
    }
    Ok(())
}

/// Starts the job and shows it until all is committed.
async fn work(
    node: &Node,
    input: &Input,
    out: &Path,
    started: Instant,
    exit: bool,
) -> anyhow::Result<Job> {
    let mut screen = Screen::new(node);
    let job = Job::start(node, input, out, || screen.loading()).await?;
    loop {
        let progress = job.progress(node).await?;
        screen.show(&progress, job.ten_worst(node).await?);
        if progress.is_done {
            screen.summary(&progress, node, out, started.elapsed(), exit);
            return Ok(job);
        }
        tokio::time::sleep(LOOK).await;
    }
}

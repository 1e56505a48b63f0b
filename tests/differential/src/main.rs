//! Sends the same seeded sequences of requests, well-formed and not, to Headwater and to Apache
//! Kafka, and compares the answers field by field.
//!
//! What the servers choose themselves (ids, addresses, times) is paired as it is seen, see
//! [`names`]; differences that are meant have a rule each, see [`meant`]. Everything else is
//! printed with what is needed to see it again, and the exit code says whether there was any.

#![allow(
    clippy::unwrap_used,
    reason = "in tests; the rest of this program has none"
)]

mod answer;
mod compare;
mod connection;
mod foreign;
mod meant;
mod names;
mod object;
mod order;
mod report;
mod run;
mod sequences;
mod shrink;

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Parser;
use tokio::sync::Semaphore;

use crate::report::Report;
use crate::run::{Plan, Run};
use crate::sequences::{KINDS, Kind};

/// Sends the same seeded requests to Headwater and to Apache Kafka and compares the answers.
#[derive(Debug, Parser)]
#[command(name = "differential", args_override_self = true)]
struct Arguments {
    /// Address of Headwater.
    #[arg(long, value_name = "HOST:PORT")]
    headwater: String,
    /// Address of Apache Kafka.
    #[arg(long, value_name = "HOST:PORT")]
    kafka: String,
    /// Seed of everything that is drawn; the same seed sends the same requests.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many sequences to send.
    #[arg(long, default_value_t = 100)]
    sequences: u64,
    /// Only the sequence with this number.
    #[arg(long)]
    sequence: Option<u64>,
    /// Only sequences of this kind, or that are about this API.
    #[arg(long, value_name = "KIND|API")]
    only: Vec<String>,
    /// Sequences that run at the same time.
    #[arg(long, default_value_t = 4)]
    jobs: usize,
    /// For how many faults to look for the few requests that are enough to see them.
    #[arg(long, default_value_t = 0)]
    shrink: usize,
    /// Prints every request of the sequences.
    #[arg(long)]
    verbose: bool,
}

/// Gives every sequence names that no other has, in this run or an earlier one.
#[derive(Debug)]
struct Prefixes {
    run: u64,
    next: AtomicU64,
}

impl Prefixes {
    fn new() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            run: now.map_or(0, |now| now.as_secs() % 100_000_000),
            next: AtomicU64::new(0),
        }
    }

    fn next(&self) -> String {
        format!(
            "d{:x}-{}-",
            self.run,
            self.next.fetch_add(1, Ordering::Relaxed)
        )
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    let kinds: Vec<&'static Kind> = KINDS
        .iter()
        .filter(|kind| {
            arguments.only.is_empty() || arguments.only.iter().any(|only| kind.is_about(only))
        })
        .collect();
    anyhow::ensure!(!kinds.is_empty(), "no sequence is about that");
    let prefixes = Arc::new(Prefixes::new());
    let numbers = match arguments.sequence {
        Some(number) => number..number + 1,
        None => 0..arguments.sequences,
    };
    let mut first = Run::new(plan(&arguments, &prefixes, &KINDS[0], 0));
    first.wait_for_coordinators().await;
    let permits = Arc::new(Semaphore::new(arguments.jobs.max(1)));
    let mut running = Vec::new();
    for number in numbers {
        let kind = KINDS[usize::try_from(number)? % KINDS.len()].clone();
        if !kinds.iter().any(|wanted| wanted.name == kind.name) {
            continue;
        }
        let plan = plan(&arguments, &prefixes, &kind, number);
        let permit = Arc::clone(&permits).acquire_owned().await?;
        running.push(tokio::spawn(async move {
            let run = run(plan, &kind).await;
            drop(permit);
            run
        }));
    }
    let is_of_all = arguments.only.is_empty() && arguments.sequence.is_none();
    let mut report = Report {
        // A round of all kinds sends every version.
        is_whole: is_of_all && arguments.sequences >= u64::try_from(KINDS.len())?,
        ..Report::default()
    };
    for sequence in running {
        let done = sequence.await?;
        if arguments.verbose {
            done.sent.iter().for_each(|request| println!("{request}"));
        }
        report.add(done.report);
    }
    shrink::shrink(&mut report, arguments.shrink, |number| {
        let kind = KINDS[usize::try_from(number).unwrap_or(0) % KINDS.len()].clone();
        (plan(&arguments, &prefixes, &kind, number), kind)
    })
    .await;
    println!("seed                   {}", arguments.seed);
    println!("{report}");
    if report.requests == 0 {
        println!("no request was sent: nothing is compared");
    }
    Ok(if report.is_clean() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn plan(arguments: &Arguments, prefixes: &Prefixes, kind: &Kind, sequence: u64) -> Plan {
    Plan {
        ours: arguments.headwater.clone(),
        kafka: arguments.kafka.clone(),
        seed: arguments.seed,
        sequence,
        kind: kind.name,
        prefix: prefixes.next(),
        skip: BTreeSet::new(),
    }
}

async fn run(plan: Plan, kind: &Kind) -> Run {
    let mut run = Run::new(plan);
    (kind.run)(&mut run).await;
    run
}

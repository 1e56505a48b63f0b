//! The job on the terminal: a bar, rates and the ten worst, redrawn in place; without a terminal,
//! plain lines.

use std::io::IsTerminal;
use std::path::Path;
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, HumanCount, MultiProgress, ProgressBar, ProgressStyle};

use super::RESULT_FILE;
use super::job::Progress;
use crate::node::Node;
use crate::stdout::tell;

/// Without a terminal, a line is printed this often.
const LINE_EVERY: Duration = Duration::from_secs(2);

/// What is shown while the job works.
pub(super) struct Screen {
    live: Option<Live>,
    stages: Vec<Stage>,
    last_line: Option<Instant>,
}

/// A terminal's lines.
struct Live {
    lines: MultiProgress,
    bar: ProgressBar,
    rates: ProgressBar,
    worst: Vec<ProgressBar>,
}

/// How fast one part works, while it does.
struct Stage {
    name: &'static str,
    records: u64,
    /// When it was seen to begin, and when its count last changed.
    began: Instant,
    moved: Instant,
}

impl Stage {
    fn seconds(&self) -> f64 {
        self.moved
            .duration_since(self.began)
            .as_secs_f64()
            .max(0.001)
    }

    fn rate(&self) -> u64 {
        (self.records as f64 / self.seconds()) as u64
    }
}

impl Screen {
    pub(super) fn new(node: &Node) -> Self {
        let live = std::io::stdout().is_terminal().then(Live::new);
        let screen = Self {
            live,
            stages: Vec::new(),
            last_line: None,
        };
        screen.say(&format!(
            "Kafka on {}, SQL on {}, Connect on {}",
            node.kafka_address(),
            node.sql_address(),
            node.connect_address()
        ));
        screen
    }

    /// While the tables are read.
    pub(super) fn loading(&mut self) {
        let doing = "reading planes, airlines, airports and weather";
        if let Some(live) = &self.live {
            live.rates.set_message(doing);
        } else if self.is_time_for_a_line() {
            self.say(doing);
        }
    }

    /// Shows how far the job is, and the ten worst under their header.
    pub(super) fn show(&mut self, progress: &Progress, ten_worst: Vec<Vec<String>>) {
        self.count(progress);
        let rates: Vec<_> = self
            .stages
            .iter()
            .map(|stage| format!("{} {}/s", stage.name, HumanCount(stage.rate())))
            .collect();
        let rates = rates.join("  ");
        if progress.bytes_total == 0 {
            return;
        }
        if let Some(live) = &mut self.live {
            live.bar.set_length(progress.bytes_total);
            live.bar.set_position(progress.bytes);
            live.bar
                .set_message(format!("{} flights", HumanCount(progress.flights)));
            live.rates.set_message(rates);
            live.show_worst(&aligned(&ten_worst));
        } else if progress.is_done || self.is_time_for_a_line() {
            let worst = ten_worst
                .get(1)
                .map(|row| row.join(", "))
                .unwrap_or_default();
            self.say(&format!(
                "{} of {}, {} flights; {rates}; worst: {worst}",
                HumanBytes(progress.bytes),
                HumanBytes(progress.bytes_total),
                HumanCount(progress.flights)
            ));
            if progress.is_done {
                aligned(&ten_worst).iter().for_each(|line| self.say(line));
            }
        }
    }

    /// What was computed, how long it took, where it lies, and what to try.
    pub(super) fn summary(
        &self,
        progress: &Progress,
        node: &Node,
        out: &Path,
        took: Duration,
        exit: bool,
    ) {
        if let Some(live) = &self.live {
            live.bar.finish();
            live.rates.finish();
            live.worst.iter().for_each(ProgressBar::finish);
        }
        tell("");
        tell(format_args!(
            "All {} flights are committed in every result, {:.1} s after the start; {} came too late.",
            HumanCount(progress.flights),
            took.as_secs_f64(),
            progress.late
        ));
        for stage in self.stages.iter().filter(|stage| stage.records > 0) {
            tell(format_args!(
                "  {:<22} {:>9} records in {:>5.1} s, {:>9}/s",
                stage.name,
                HumanCount(stage.records).to_string(),
                stage.seconds(),
                HumanCount(stage.rate()).to_string()
            ));
        }
        tell("");
        tell(format_args!(
            "Delays by airport and hour: {}",
            out.join(RESULT_FILE).display()
        ));
        tell(
            "The same as a topic, delays_by_origin_hour; two views: worst_airline_hours, delays_by_visibility.",
        );
        if !exit {
            offers(node);
        }
    }

    fn count(&mut self, progress: &Progress) {
        let now = Instant::now();
        for (name, records) in &progress.stages {
            let stage = match self.stages.iter().position(|stage| stage.name == *name) {
                Some(at) => &mut self.stages[at],
                None => {
                    let stage = Stage {
                        name,
                        records: 0,
                        began: now,
                        moved: now,
                    };
                    self.stages.push(stage);
                    continue;
                }
            };
            if stage.records == 0 && *records == 0 {
                stage.began = now;
            }
            if *records > stage.records {
                stage.records = *records;
                stage.moved = now;
            }
        }
    }

    fn is_time_for_a_line(&mut self) -> bool {
        let is_time = self
            .last_line
            .is_none_or(|last| last.elapsed() >= LINE_EVERY);
        if is_time {
            self.last_line = Some(Instant::now());
        }
        is_time
    }

    fn say(&self, line: &str) {
        match &self.live {
            // A terminal that went away is no reason to stop.
            Some(live) => drop(live.lines.println(line)),
            None => tell(line),
        }
    }
}

impl Live {
    fn new() -> Self {
        let lines = MultiProgress::new();
        let bar = lines.add(ProgressBar::new(0));
        let drawn = "flights {wide_bar} {percent}% of {total_bytes}  {msg}";
        if let Ok(style) = ProgressStyle::with_template(drawn) {
            bar.set_style(style);
        }
        let rates = line(&lines);
        Self {
            lines,
            bar,
            rates,
            worst: Vec::new(),
        }
    }

    fn show_worst(&mut self, rows: &[String]) {
        while self.worst.len() < rows.len() {
            self.worst.push(line(&self.lines));
        }
        for (line, row) in self.worst.iter().zip(rows) {
            line.set_message(row.clone());
        }
    }
}

fn line(lines: &MultiProgress) -> ProgressBar {
    let line = lines.add(ProgressBar::new_spinner());
    if let Ok(style) = ProgressStyle::with_template("{msg}") {
        line.set_style(style);
    }
    line
}

fn aligned(rows: &[Vec<String>]) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<_> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

fn offers(node: &Node) {
    let (kafka, sql) = (node.kafka_address(), node.sql_address());
    tell("");
    tell("Three things to try:");
    tell(format_args!(
        "  consume it   kcat -b {kafka} -C -t delays_by_origin_hour -o -5 -e"
    ));
    tell(format_args!(
        "  query it     psql -h {} -p {} -U headwater headwater -c 'SELECT * FROM delays_by_visibility ORDER BY miles'",
        sql.ip(),
        sql.port()
    ));
    tell(format_args!(
        "               headwater sql --server {sql} -c 'SELECT * FROM worst_airline_hours WHERE flights >= 5 ORDER BY mean_dep_delay DESC NULLS LAST LIMIT 10'"
    ));
    tell(format_args!(
        "  kill it      kill -9 {} and start the demo again: it goes on where it was",
        std::process::id()
    ));
    tell("");
    tell("It serves until Ctrl-C.");
}

//! Tables, JSON and CSV on stdout; what failed on stderr.

use std::io::Write;

use anyhow::bail;
use clap::ValueEnum;
use serde_json::{Map, Value};

use crate::stdout::Stdout;

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(super) enum Format {
    /// Aligned columns
    #[default]
    Table,
    /// One JSON object a line
    Json,
    /// Comma-separated values with a header
    Csv,
}

/// Prints a line about the rows that follow: on stdout for people, where it would spoil what a
/// program reads on stderr.
pub(super) fn print_heading(format: Format, line: &str) -> anyhow::Result<()> {
    match format {
        Format::Table => writeln!(Stdout::lock(), "{line}")?,
        Format::Json | Format::Csv => eprintln!("{line}"),
    }
    Ok(())
}

/// Prints one JSON value as a line.
pub(super) fn print_json(value: &Value) -> anyhow::Result<()> {
    writeln!(Stdout::lock(), "{value}")?;
    Ok(())
}

/// Prints `rows` under `header`; a JSON row is an object with the header's names.
pub(super) fn print_rows(
    format: Format,
    header: &[&str],
    rows: &[Vec<Value>],
) -> anyhow::Result<()> {
    let mut out = Stdout::lock();
    match format {
        Format::Table => print_aligned(&mut out, header, rows)?,
        Format::Json => {
            for row in rows {
                writeln!(out, "{}", object(header, row))?;
            }
        }
        Format::Csv => {
            let mut writer = csv::Writer::from_writer(&mut out);
            writer.write_record(header)?;
            write_csv(&mut writer, rows)?;
        }
    }
    Ok(())
}

/// Prints rows that follow those of [`print_rows`]: what programs read has its header once.
pub(super) fn print_more_rows(
    format: Format,
    header: &[&str],
    rows: &[Vec<Value>],
) -> anyhow::Result<()> {
    match format {
        Format::Table | Format::Json => print_rows(format, header, rows),
        Format::Csv => write_csv(&mut csv::Writer::from_writer(Stdout::lock()), rows),
    }
}

fn write_csv<W: Write>(writer: &mut csv::Writer<W>, rows: &[Vec<Value>]) -> anyhow::Result<()> {
    for row in rows {
        writer.write_record(row.iter().map(|value| text(value, "")))?;
    }
    writer.flush()?;
    Ok(())
}

/// A row as a JSON object.
pub(super) fn object(header: &[&str], row: &[Value]) -> Value {
    let fields = header.iter().zip(row);
    let fields = fields.map(|(name, value)| ((*name).to_owned(), value.clone()));
    Value::Object(fields.collect::<Map<_, _>>())
}

fn print_aligned(
    out: &mut impl Write,
    header: &[&str],
    rows: &[Vec<Value>],
) -> std::io::Result<()> {
    let rows: Vec<Vec<String>> = rows
        .iter()
        .map(|row| row.iter().map(|value| text(value, "-")).collect())
        .collect();
    let mut widths: Vec<_> = header.iter().map(|name| name.len()).collect();
    for row in &rows {
        for (width, value) in widths.iter_mut().zip(row) {
            *width = (*width).max(value.chars().count());
        }
    }
    let mut line = |cells: &mut dyn Iterator<Item = &str>| {
        let cells: Vec<_> = cells
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        writeln!(out, "{}", cells.join("  ").trim_end())
    };
    line(&mut header.iter().copied())?;
    for row in &rows {
        line(&mut row.iter().map(String::as_str))?;
    }
    Ok(())
}

/// A value in a cell, with `nothing` for null.
fn text(value: &Value, nothing: &str) -> String {
    match value {
        Value::Null => nothing.to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(values) if values.is_empty() => nothing.to_owned(),
        Value::Array(values) => {
            let values: Vec<_> = values.iter().map(|value| text(value, nothing)).collect();
            values.join(",")
        }
        other => other.to_string(),
    }
}

/// An error with its causes, each told once: some errors name their causes themselves.
pub(super) fn told(error: &anyhow::Error) -> String {
    let mut told = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        if told.is_empty() {
            told = cause;
        } else if !told.contains(&cause) {
            told.push_str(": ");
            told.push_str(&cause);
        }
    }
    told
}

/// What failed of several things done in one command: each is told, the others are done.
#[derive(Debug, Default)]
pub(super) struct Failures {
    done: usize,
    failed: Vec<anyhow::Error>,
}

impl Failures {
    /// Notes how one thing ended.
    pub(super) fn take<T, E: Into<anyhow::Error>>(&mut self, result: Result<T, E>) -> Option<T> {
        match result {
            Ok(done) => {
                self.done += 1;
                Some(done)
            }
            Err(error) => {
                self.failed.push(error.into());
                None
            }
        }
    }

    /// How a command ends that did several things and then printed what it did: a failure is told
    /// though nobody reads what was printed.
    ///
    /// # Errors
    /// As [`into_result`](Self::into_result); else why nothing could be printed.
    pub(super) fn after(self, printed: anyhow::Result<()>) -> anyhow::Result<()> {
        self.into_result()?;
        printed
    }

    /// # Errors
    /// The one failure, or how many there were, each of which is told on stderr.
    pub(super) fn into_result(mut self) -> anyhow::Result<()> {
        if self.failed.len() > 1 {
            for error in &self.failed {
                eprintln!("headwater: {}", told(error));
            }
            let (failed, all) = (self.failed.len(), self.failed.len() + self.done);
            bail!("{failed} of {all} failed");
        }
        match self.failed.pop() {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_shows_a_value_as_people_write_it() {
        assert_eq!(text(&Value::Null, "-"), "-");
        assert_eq!(text(&"a b".into(), "-"), "a b");
        assert_eq!(text(&serde_json::json!([0, 1]), "-"), "0,1");
        assert_eq!(text(&7.into(), "-"), "7");
        assert_eq!(text(&serde_json::json!([]), "-"), "-");
    }

    #[test]
    fn a_cause_that_the_error_names_itself_is_told_once() {
        let cause = anyhow::anyhow!("refused");
        let named = cause
            .context("cannot connect: refused")
            .context("nobody answers");
        assert_eq!(told(&named), "nobody answers: cannot connect: refused");
    }

    #[test]
    fn one_failure_is_told_as_it_is_and_several_are_counted() {
        let mut failures = Failures::default();
        assert_eq!(failures.take::<_, anyhow::Error>(Ok(1)), Some(1));
        failures.take::<(), _>(Err(anyhow::anyhow!("one")));
        let error = failures.into_result().expect_err("failed");
        assert_eq!(error.to_string(), "one");

        let mut failures = Failures::default();
        failures.take::<_, anyhow::Error>(Ok(()));
        failures.take::<(), _>(Err(anyhow::anyhow!("one")));
        failures.take::<(), _>(Err(anyhow::anyhow!("two")));
        let error = failures.into_result().expect_err("failed");
        assert_eq!(error.to_string(), "2 of 3 failed");
        assert!(Failures::default().into_result().is_ok());
    }
}

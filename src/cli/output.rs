//! Tables, JSON and CSV on stdout.

use std::io::Write;

use clap::ValueEnum;

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

/// Prints `rows` under `header`; a JSON row is an object of strings.
pub(super) fn print_rows(
    format: Format,
    header: &[&str],
    rows: &[Vec<String>],
) -> anyhow::Result<()> {
    let mut out = Stdout::lock();
    match format {
        Format::Table => print_aligned(&mut out, header, rows)?,
        Format::Json => {
            for row in rows {
                let object: serde_json::Map<_, _> = header
                    .iter()
                    .zip(row)
                    .map(|(name, value)| ((*name).to_owned(), value.as_str().into()))
                    .collect();
                writeln!(out, "{}", serde_json::Value::Object(object))?;
            }
        }
        Format::Csv => {
            let mut writer = csv::Writer::from_writer(&mut out);
            writer.write_record(header)?;
            for row in rows {
                writer.write_record(row)?;
            }
            writer.flush()?;
        }
    }
    Ok(())
}

fn print_aligned(
    out: &mut impl Write,
    header: &[&str],
    rows: &[Vec<String>],
) -> std::io::Result<()> {
    let mut widths: Vec<_> = header.iter().map(|name| name.len()).collect();
    for row in rows {
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
    for row in rows {
        line(&mut row.iter().map(String::as_str))?;
    }
    Ok(())
}

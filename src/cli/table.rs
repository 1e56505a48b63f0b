//! Rows of a query, printed as they come.

use std::io::Write;

use serde_json::{Map, Number, Value};
use tokio_postgres::types::Type;

use super::output::Format;
use crate::stdout::Stdout;

/// So many rows are measured for the width of the columns before the first is printed.
const MEASURED_ROWS: usize = 1000;

type Row = Vec<Option<String>>;

/// Rows of one result under their column names.
pub(super) struct Table {
    format: Format,
    types: Vec<Type>,
    names: Vec<String>,
    held: Vec<Row>,
    widths: Vec<usize>,
    out: Stdout,
}

impl Table {
    pub(super) fn new(format: Format, types: Vec<Type>) -> Self {
        let out = Stdout::lock();
        Self {
            format,
            types,
            names: Vec::new(),
            held: Vec::new(),
            widths: Vec::new(),
            out,
        }
    }

    pub(super) fn begin(&mut self, names: Vec<String>) -> anyhow::Result<()> {
        self.end()?;
        self.names = names;
        self.widths.clear();
        if self.format == Format::Csv {
            let mut writer = csv::Writer::from_writer(&mut self.out);
            writer.write_record(&self.names)?;
            writer.flush()?;
        }
        Ok(())
    }

    pub(super) fn row(&mut self, row: Row) -> anyhow::Result<()> {
        match self.format {
            Format::Table if self.widths.is_empty() => {
                self.held.push(row);
                if self.held.len() == MEASURED_ROWS {
                    self.print_held()?;
                }
            }
            Format::Table => self.print_aligned(&row)?,
            Format::Json => {
                let object = self.names.iter().enumerate().map(|(at, name)| {
                    let text = row.get(at).and_then(Option::as_deref);
                    (name.clone(), json(text, self.types.get(at)))
                });
                let object: Map<_, _> = object.collect();
                writeln!(self.out, "{}", Value::Object(object))?;
            }
            Format::Csv => {
                let mut writer = csv::Writer::from_writer(&mut self.out);
                writer.write_record(row.iter().map(|value| value.as_deref().unwrap_or("")))?;
                writer.flush()?;
            }
        }
        Ok(())
    }

    /// Shows what was held back.
    pub(super) fn flush(&mut self) -> anyhow::Result<()> {
        if !self.held.is_empty() {
            self.print_held()?;
        }
        self.out.flush()?;
        Ok(())
    }

    pub(super) fn end(&mut self) -> anyhow::Result<()> {
        if self.format == Format::Table && self.widths.is_empty() && !self.names.is_empty() {
            self.print_held()?;
        }
        self.names.clear();
        self.out.flush()?;
        Ok(())
    }

    fn print_held(&mut self) -> anyhow::Result<()> {
        let held = std::mem::take(&mut self.held);
        self.widths = self.names.iter().map(|name| name.chars().count()).collect();
        for row in &held {
            for (width, value) in self.widths.iter_mut().zip(row) {
                *width = (*width).max(value.as_deref().map_or(0, |value| value.chars().count()));
            }
        }
        let names = self.names.iter().cloned().map(Some).collect::<Row>();
        self.print_aligned(&names)?;
        let rules: Vec<_> = self.widths.iter().map(|width| "-".repeat(*width)).collect();
        writeln!(self.out, "{}", rules.join("  "))?;
        for row in &held {
            self.print_aligned(row)?;
        }
        Ok(())
    }

    fn print_aligned(&mut self, row: &Row) -> anyhow::Result<()> {
        let cells = row.iter().zip(&self.widths);
        let cells =
            cells.map(|(value, width)| format!("{:<width$}", value.as_deref().unwrap_or("")));
        let line = cells.collect::<Vec<_>>().join("  ");
        writeln!(self.out, "{}", line.trim_end())?;
        Ok(())
    }
}

/// The JSON value of a column's text.
fn json(text: Option<&str>, of: Option<&Type>) -> Value {
    let Some(text) = text else { return Value::Null };
    let is = |types: &[Type]| of.is_some_and(|of| types.contains(of));
    if is(&[Type::INT2, Type::INT4, Type::INT8]) {
        if let Ok(number) = text.parse::<i64>() {
            return number.into();
        }
    } else if is(&[Type::FLOAT4, Type::FLOAT8]) {
        if let Some(number) = text.parse().ok().and_then(Number::from_f64) {
            return Value::Number(number);
        }
    } else if is(&[Type::BOOL]) {
        return Value::Bool(text.starts_with('t'));
    }
    text.into()
}

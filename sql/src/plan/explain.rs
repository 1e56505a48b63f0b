//! What `EXPLAIN` prints of a continuous query.

use std::fmt::Write;
use std::sync::Arc;

use datafusion::physical_expr::PhysicalExpr;

use super::continuous::{ContinuousQuery, Node};
use crate::ops::{Calc, EventTime, JoinKind, ShuffleKey};

/// The operators, one a line, what feeds an operator indented below it.
pub(crate) fn explain(query: &ContinuousQuery) -> String {
    let mut out = String::new();
    let columns: Vec<&str> = query
        .schema
        .fields()
        .iter()
        .map(|f| f.name().as_str())
        .collect();
    let mode = match &query.key {
        None => "append".to_owned(),
        Some(key) => format!("upsert by ({})", key.names.join(", ")),
    };
    line(
        &mut out,
        0,
        &format!("Sink: {mode}, columns ({})", columns.join(", ")),
    );
    node(&mut out, 1, &query.node);
    out
}

fn node(out: &mut String, depth: usize, current: &Node) {
    match current {
        Node::Scan { relation, plan } => {
            let names: Vec<&str> = plan
                .schema
                .fields()
                .iter()
                .map(|f| f.name().as_str())
                .collect();
            let time = match plan.event_time {
                EventTime::Record => "_timestamp",
                EventTime::Column(i) => plan.reader.schema().field(i).name(),
            };
            let watermark = relation.watermark.as_ref().map_or_else(String::new, |w| {
                format!(", watermark {time} - {} ms", w.delay)
            });
            line(
                out,
                depth,
                &format!(
                    "Scan: {} (topic {}), columns ({}), event time {time}{watermark}",
                    relation.name,
                    relation.topic,
                    names.join(", ")
                ),
            );
        }
        Node::Calc { input, calc } => {
            line(out, depth, &describe_calc(calc));
            node(out, depth + 1, input);
        }
        Node::Join {
            input,
            shuffle,
            table,
            plan,
        } => {
            let kind = match plan.kind {
                JoinKind::Inner => "inner",
                JoinKind::Left => "left",
            };
            let residual = plan
                .residual
                .as_ref()
                .map_or_else(String::new, |r| format!(", and {r}"));
            line(
                out,
                depth,
                &format!(
                    "StreamTableJoin: {kind}, ({}) = {} ({}){residual}",
                    list(&plan.stream_key),
                    table.name,
                    table.key.join(", ")
                ),
            );
            let form = match &shuffle.key_form {
                ShuffleKey::Table(_) => "as the table is partitioned",
                ShuffleKey::Encoded => "to the table's one partition",
            };
            line(
                out,
                depth + 1,
                &format!("Repartition: by ({}), {form}", list(&shuffle.key)),
            );
            node(out, depth + 2, input);
            line(
                out,
                depth + 1,
                &format!(
                    "Table: {} (topic {}), columns ({})",
                    table.name,
                    table.topic,
                    plan.table
                        .scan
                        .schema
                        .fields()
                        .iter()
                        .map(|f| f.name().as_str())
                        .collect::<Vec<_>>()
                        .join(", ")
                ),
            );
        }
        Node::Aggregate {
            input,
            shuffle,
            plan,
        } => {
            let aggregates: Vec<String> = plan
                .aggregates
                .iter()
                .zip(&plan.filters)
                .map(|(a, f)| match f {
                    Some(_) if a.name().contains("FILTER") => a.name().to_owned(),
                    Some(filter) => format!("{} FILTER ({filter})", a.name()),
                    None => a.name().to_owned(),
                })
                .collect();
            let window = plan.window.as_ref().map_or_else(String::new, |w| {
                format!(
                    ", late once the watermark ({} ms behind) has passed the window",
                    w.delay
                )
            });
            line(
                out,
                depth,
                &format!(
                    "Aggregate: by ({}), [{}]{window}",
                    list(&plan.group),
                    aggregates.join(", ")
                ),
            );
            line(
                out,
                depth + 1,
                &format!("Repartition: by ({})", list(&shuffle.key)),
            );
            node(out, depth + 2, input);
        }
    }
}

fn describe_calc(calc: &Calc) -> String {
    let columns = calc.columns.as_ref().map(|columns| {
        let named: Vec<String> = columns
            .iter()
            .zip(calc.schema.fields())
            .map(|(c, f)| format!("{c} AS {}", f.name()))
            .collect();
        format!("Project: {}", named.join(", "))
    });
    match (&calc.predicate, columns) {
        (Some(predicate), Some(columns)) => format!("{columns} where {predicate}"),
        (Some(predicate), None) => format!("Filter: {predicate}"),
        (None, Some(columns)) => columns,
        (None, None) => "Pass".to_owned(),
    }
}

fn list(exprs: &[Arc<dyn PhysicalExpr>]) -> String {
    exprs
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(", ")
}

fn line(out: &mut String, depth: usize, text: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{}{text}", "  ".repeat(depth));
}

//! `SHOW` and `DESCRIBE`.

use arrow::array::RecordBatch;

use super::SqlEngine;
use super::result::text_rows;
use crate::SqlError;
use crate::catalog::{PSEUDO_COLUMNS, Relation, RelationKind, type_name};
use crate::dialect::ShowKind;

pub(super) const DESCRIBE_COLUMNS: [&str; 4] = ["column", "type", "key", "note"];

/// Columns of `SHOW`.
pub(super) fn columns(kind: ShowKind) -> &'static [&'static str] {
    match kind {
        ShowKind::Streams | ShowKind::Tables | ShowKind::Views => {
            &["name", "topic", "key", "columns"]
        }
        ShowKind::Queries => &[
            "view",
            "state",
            "application_id",
            "lag",
            "rows",
            "results",
            "late",
            "bad",
            "problem",
        ],
        ShowKind::Topics => &["topic", "partitions"],
    }
}

pub(super) async fn show(engine: &SqlEngine, kind: ShowKind) -> Result<RecordBatch, SqlError> {
    let rows = match kind {
        ShowKind::Streams => relations(engine, |k| k == RelationKind::Stream),
        ShowKind::Tables => relations(engine, |k| k == RelationKind::Table),
        ShowKind::Views => relations(engine, SqlEngine::is_view),
        ShowKind::Queries => queries(engine).await?,
        ShowKind::Topics => topics(engine).await?,
    };
    text_rows(columns(kind), &rows)
}

fn relations(
    engine: &SqlEngine,
    wanted: impl Fn(RelationKind) -> bool,
) -> Vec<Vec<Option<String>>> {
    engine
        .catalog()
        .iter()
        .filter(|r| wanted(r.kind))
        .map(|r| {
            let columns: Vec<String> = r
                .columns
                .iter()
                .map(|c| format!("{} {}", c.name, type_name(&c.data_type)))
                .collect();
            vec![
                Some(r.name.clone()),
                Some(r.topic.clone()),
                Some(r.key.join(", ")),
                Some(columns.join(", ")),
            ]
        })
        .collect()
}

async fn queries(engine: &SqlEngine) -> Result<Vec<Vec<Option<String>>>, SqlError> {
    let mut rows = Vec::new();
    for status in engine.view_statuses().await? {
        rows.push(vec![
            Some(status.name),
            Some(status.state.to_string()),
            Some(status.application_id),
            Some(status.lag.to_string()),
            Some(status.rows.to_string()),
            Some(status.results.to_string()),
            Some(status.late.to_string()),
            Some(status.bad.to_string()),
            status.problem,
        ]);
    }
    Ok(rows)
}

async fn topics(engine: &SqlEngine) -> Result<Vec<Vec<Option<String>>>, SqlError> {
    let mut rows: Vec<Vec<Option<String>>> = engine
        .inner
        .client
        .admin()
        .list_topics()
        .await?
        .into_iter()
        .map(|t| {
            vec![
                Some(t.name.to_string()),
                Some(t.partitions.len().to_string()),
            ]
        })
        .collect();
    rows.sort();
    Ok(rows)
}

pub(super) fn describe(relation: &Relation) -> Result<RecordBatch, SqlError> {
    let mut rows: Vec<Vec<Option<String>>> = Vec::new();
    for column in &relation.columns {
        let is_key = relation.key.contains(&column.name);
        let watermark = relation
            .watermark
            .as_ref()
            .filter(|w| w.column == column.name);
        rows.push(vec![
            Some(column.name.clone()),
            Some(type_name(&column.data_type)),
            is_key.then(|| "key".to_owned()),
            watermark.map(|w| format!("event time, watermark {} ms behind", w.delay)),
        ]);
    }
    for (name, kind) in PSEUDO_COLUMNS
        .iter()
        .zip(["TIMESTAMP", "VARCHAR", "INTEGER", "BIGINT"])
    {
        let watermark = relation.watermark.as_ref().filter(|w| w.column == *name);
        let note = watermark.map_or_else(
            || "of the record".to_owned(),
            |w| format!("of the record; event time, watermark {} ms behind", w.delay),
        );
        rows.push(vec![
            Some((*name).to_owned()),
            Some(kind.to_owned()),
            None,
            Some(note),
        ]);
    }
    text_rows(&DESCRIBE_COLUMNS, &rows)
}

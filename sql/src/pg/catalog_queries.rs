//! What clients ask of PostgreSQL's own catalogue. psql's listing commands (`\d`, `\dt`, `\dv`,
//! `\d name`) are told by the shape of the queries they send and answered from our catalogue;
//! information_schema is DataFusion's.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use futures::StreamExt;

use crate::catalog::{Relation, RelationKind, type_name};
use crate::engine::SqlResult;
use crate::{SqlEngine, SqlError};

/// The answer to a query on `pg_catalog`, if `text` is one that is known.
///
/// # Errors
/// [`SqlError::Unsupported`] for other queries on `pg_catalog`.
pub(super) fn answer(engine: &SqlEngine, text: &str) -> Result<Option<SqlResult>, SqlError> {
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if !flat.contains("pg_catalog.") {
        return Ok(simple_function(&flat));
    }
    if flat.contains("FROM pg_catalog.pg_class c") && flat.contains("n.nspname as \"Schema\"") {
        return listing(engine, &flat).map(Some);
    }
    if flat.starts_with("SELECT c.oid, n.nspname, c.relname FROM pg_catalog.pg_class c") {
        return identify(engine, &flat).map(Some);
    }
    if let Some(oid) = quoted_after(&flat, "WHERE c.oid = ")
        && flat.contains("FROM pg_catalog.pg_class c")
    {
        return relation_flags(engine, &oid, &flat).map(Some);
    }
    if let Some(oid) = quoted_after(&flat, "WHERE a.attrelid = ")
        && flat.contains("FROM pg_catalog.pg_attribute a")
    {
        return attributes(engine, &oid).map(Some);
    }
    // The further questions of \d name: policies, publications, statistics, parents, children.
    let is_absent = [
        "pg_catalog.pg_policy",
        "pg_catalog.pg_statistic_ext",
        "pg_catalog.pg_publication",
        "pg_catalog.pg_inherits",
        "pg_catalog.pg_index",
        "pg_catalog.pg_constraint",
        "pg_catalog.pg_trigger",
    ];
    if is_absent.iter().any(|name| flat.contains(name)) {
        return Ok(Some(rows(&["none"], &[])?));
    }
    Err(SqlError::Unsupported(
        "this query on pg_catalog; there are SHOW STREAMS, SHOW TABLES, SHOW VIEWS, DESCRIBE and \
         information_schema"
            .to_owned(),
    ))
}

fn simple_function(flat: &str) -> Option<SqlResult> {
    let question = flat.trim_end_matches(';').to_lowercase();
    let (name, value) = match question.as_str() {
        "select version()" => (
            "version",
            format!("Headwater {}", env!("CARGO_PKG_VERSION")),
        ),
        "select current_schema()" | "select current_schema" => {
            ("current_schema", "public".to_owned())
        }
        "select current_database()" => ("current_database", "headwater".to_owned()),
        "select current_user" => ("current_user", "headwater".to_owned()),
        _ => return None,
    };
    rows(&[name], &[vec![Some(value)]]).ok()
}

/// psql's `\d`, `\dt`, `\dv`, `\dm`.
fn listing(engine: &SqlEngine, flat: &str) -> Result<SqlResult, SqlError> {
    let kinds = flat
        .split("c.relkind IN (")
        .nth(1)
        .and_then(|s| s.split(')').next());
    let kinds = kinds.unwrap_or_default();
    let pattern = quoted_after(flat, "c.relname OPERATOR(pg_catalog.~) ");
    let found = matching(engine, pattern.as_deref())
        .into_iter()
        .filter(|relation| {
            let wanted: &[&str] = match relation.kind {
                RelationKind::Stream | RelationKind::Table => &["'r'"],
                RelationKind::View | RelationKind::AppendView => &["'m'", "'v'"],
            };
            wanted.iter().any(|k| kinds.contains(k))
        })
        .map(|relation| {
            vec![
                Some("public".to_owned()),
                Some(relation.name.clone()),
                Some(match relation.kind {
                    RelationKind::View | RelationKind::AppendView => "materialized view".to_owned(),
                    other => other.to_string(),
                }),
                Some("headwater".to_owned()),
            ]
        })
        .collect::<Vec<_>>();
    rows(&["Schema", "Name", "Type", "Owner"], &found)
}

/// The first question of `\d name`.
fn identify(engine: &SqlEngine, flat: &str) -> Result<SqlResult, SqlError> {
    let pattern = quoted_after(flat, "c.relname OPERATOR(pg_catalog.~) ");
    let found = matching(engine, pattern.as_deref())
        .into_iter()
        .map(|r| {
            vec![
                Some(oid(engine, &r)),
                Some("public".to_owned()),
                Some(r.name.clone()),
            ]
        })
        .collect::<Vec<_>>();
    rows(&["oid", "nspname", "relname"], &found)
}

/// The second question of `\d name`: what kind of thing it is.
fn relation_flags(engine: &SqlEngine, wanted: &str, flat: &str) -> Result<SqlResult, SqlError> {
    let head = flat.split(" FROM ").next().unwrap_or_default();
    let names = column_names(head.trim_start_matches("SELECT "));
    let found: Vec<Vec<Option<String>>> = matching(engine, None)
        .into_iter()
        .filter(|r| oid(engine, r) == wanted)
        .map(|relation| {
            let is_view = SqlEngine::is_view(relation.kind);
            names
                .iter()
                .map(|name| {
                    Some(
                        match name.as_str() {
                            "relchecks" | "reltablespace" => "0",
                            "relkind" if is_view => "m",
                            "relkind" => "r",
                            "relpersistence" => "p",
                            "relreplident" => "d",
                            "amname" | "reloftype" | "array_to_string" => "",
                            name if name.starts_with("rel") || name.starts_with("has") => "f",
                            _ => "",
                        }
                        .to_owned(),
                    )
                })
                .collect()
        })
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    rows(&names, &found)
}

/// The third question of `\d name`: the columns.
fn attributes(engine: &SqlEngine, wanted: &str) -> Result<SqlResult, SqlError> {
    let names = [
        "attname",
        "format_type",
        "pg_get_expr",
        "attnotnull",
        "attcollation",
        "attidentity",
        "attgenerated",
    ];
    let found: Vec<Vec<Option<String>>> = matching(engine, None)
        .into_iter()
        .filter(|r| oid(engine, r) == wanted)
        .flat_map(|relation| {
            relation
                .columns
                .iter()
                .map(|c| {
                    let not_null = if c.not_null { "t" } else { "f" };
                    vec![
                        Some(c.name.clone()),
                        Some(type_name(&c.data_type).to_lowercase()),
                        None,
                        Some(not_null.to_owned()),
                        None,
                        Some(String::new()),
                        Some(String::new()),
                    ]
                })
                .collect::<Vec<_>>()
        })
        .collect();
    rows(&names, &found)
}

/// psql writes a pattern as an anchored regular expression; `*` and `?` come as `.*` and `.`.
fn matching(engine: &SqlEngine, pattern: Option<&str>) -> Vec<Arc<Relation>> {
    let catalog = engine.catalog();
    let pattern = pattern.map(|p| p.trim_start_matches("^(").trim_end_matches(")$").to_owned());
    catalog
        .iter()
        .filter(|r| pattern.as_deref().is_none_or(|p| glob(p, &r.name)))
        .map(Arc::clone)
        .collect()
}

fn glob(pattern: &str, name: &str) -> bool {
    match pattern.split_once(".*") {
        None => pattern == name,
        Some((prefix, rest)) => name.strip_prefix(prefix).is_some_and(|tail| {
            tail.char_indices()
                .map(|(i, _)| i)
                .chain([tail.len()])
                .any(|i| tail.get(i..).is_some_and(|t| glob(rest, t)))
        }),
    }
}

/// A number for a relation that psql can hand back: its place in the catalogue.
fn oid(engine: &SqlEngine, relation: &Relation) -> String {
    let place = engine
        .catalog()
        .iter()
        .position(|r| r.name == relation.name)
        .unwrap_or(0);
    (16_384 + place).to_string()
}

fn quoted_after(text: &str, marker: &str) -> Option<String> {
    let rest = text.split(marker).nth(1)?.strip_prefix('\'')?;
    rest.split('\'').next().map(str::to_owned)
}

/// The names of the columns of a select list: what follows `AS`, else the last part of a name.
fn column_names(list: &str) -> Vec<String> {
    let mut depth = 0;
    let mut parts = vec![String::new()];
    for c in list.chars() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        if let Some(last) = parts.last_mut() {
            last.push(c);
        }
    }
    parts
        .iter()
        .map(|p| {
            let p = p.trim();
            let name = p.rsplit(" AS ").next().unwrap_or(p);
            let name = name.split('(').next().unwrap_or(name);
            name.rsplit('.')
                .next()
                .unwrap_or(name)
                .trim_matches('"')
                .to_owned()
        })
        .collect()
}

/// The column of `SHOW name`.
pub(super) fn variable_schema(name: &str) -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new(name, DataType::Utf8, true)]))
}

/// The result of `SHOW name`.
pub(super) fn variable(name: &str, value: String) -> Result<SqlResult, SqlError> {
    let mut result = rows(&[name], &[vec![Some(value)]])?;
    result.tag = "SHOW".to_owned();
    Ok(result)
}

fn rows(names: &[&str], rows: &[Vec<Option<String>>]) -> Result<SqlResult, SqlError> {
    let fields: Vec<Field> = names
        .iter()
        .map(|n| Field::new(*n, DataType::Utf8, true))
        .collect();
    let schema = Arc::new(Schema::new(fields));
    let columns = (0..names.len())
        .map(|i| {
            let column: StringArray = rows.iter().map(|r| r.get(i).cloned().flatten()).collect();
            Arc::new(column) as ArrayRef
        })
        .collect();
    let batch = RecordBatch::try_new(Arc::clone(&schema), columns)?;
    Ok(SqlResult {
        tag: "SELECT".to_owned(),
        schema,
        rows: futures::stream::iter([Ok(batch)]).boxed(),
        is_unbounded: false,
    })
}

//! A stream, a table or a view.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

use crate::SqlError;
use crate::dialect::RelationDefinition;
use crate::format::JsonReader;
use crate::format::KeyFormat;
use crate::ops::{EventTime, ScanColumn, ScanPlan};

/// The record's timestamp as a column: TIMESTAMP, UTC.
pub const TIMESTAMP: &str = "_timestamp";
/// The record's key as text.
pub const KEY: &str = "_key";
/// The partition the record is in.
pub const PARTITION: &str = "_partition";
/// The record's offset.
pub const OFFSET: &str = "_offset";
/// The fields of the record that queries may name beside the declared columns.
pub const PSEUDO_COLUMNS: [&str; 4] = [TIMESTAMP, KEY, PARTITION, OFFSET];

/// What a relation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RelationKind {
    /// Every record is a row.
    Stream,
    /// The latest record of a key is its row.
    Table,
    /// A materialized view with one row a key.
    View,
    /// A materialized view that only grows.
    AppendView,
}

impl RelationKind {
    /// Whether rows are only ever added.
    pub fn is_append_only(self) -> bool {
        matches!(self, RelationKind::Stream | RelationKind::AppendView)
    }
}

impl std::fmt::Display for RelationKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            RelationKind::Stream => "stream",
            RelationKind::Table => "table",
            RelationKind::View | RelationKind::AppendView => "view",
        })
    }
}

/// A declared column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Name.
    pub name: String,
    /// Type of its values.
    pub data_type: DataType,
    /// Whether a null makes a record bad.
    pub not_null: bool,
}

/// A declared watermark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watermark {
    /// The column with the event time: a declared TIMESTAMP or [`TIMESTAMP`].
    pub column: String,
    /// How far the watermark stays behind the greatest event time seen, ms.
    pub delay: i64,
}

/// A stream, a table or a view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relation {
    /// Name.
    pub name: String,
    /// What it is.
    pub kind: RelationKind,
    /// Topic that holds its records.
    pub topic: String,
    /// Declared columns.
    pub columns: Vec<Column>,
    /// Names of the key's columns.
    pub key: Vec<String>,
    /// How the records' keys follow from the key columns, if that is known.
    pub key_format: Option<KeyFormat>,
    /// Declared watermark.
    pub watermark: Option<Watermark>,
}

impl Relation {
    /// A relation from its declaration; `delay` is the watermark's, in ms.
    ///
    /// # Errors
    /// [`SqlError::InvalidDefinition`] for missing, unknown or contradicting options.
    pub fn from_definition(
        definition: &RelationDefinition,
        delay: Option<i64>,
    ) -> Result<Self, SqlError> {
        let mut topic = None;
        let mut format = None;
        let mut key_format = None;
        for (name, value) in &definition.options {
            match name.as_str() {
                "topic" => topic = Some(value.clone()),
                "format" | "value_format" => format = Some(value.to_lowercase()),
                "key_format" => key_format = Some(value.parse()?),
                other => {
                    return Err(SqlError::InvalidDefinition(format!(
                        "unknown option {other}; there are topic, format and key_format"
                    )));
                }
            }
        }
        let topic = topic.ok_or_else(|| {
            SqlError::InvalidDefinition(
                "name the topic: WITH (topic = '…', format = 'json')".into(),
            )
        })?;
        match format.as_deref() {
            Some("json") => {}
            None => {
                return Err(SqlError::InvalidDefinition(
                    "name the format: format = 'json'".into(),
                ));
            }
            Some(other) => {
                return Err(SqlError::Unsupported(format!(
                    "format {other}; there is json"
                )));
            }
        }
        if key_format == Some(KeyFormat::String) && definition.key.len() != 1 {
            return Err(SqlError::InvalidDefinition(
                "key_format string needs a key of exactly one column".into(),
            ));
        }
        let columns = definition.columns.iter().map(|c| Column {
            name: c.name.clone(),
            data_type: c.data_type.clone(),
            not_null: c.not_null,
        });
        Ok(Self {
            name: definition.name.clone(),
            kind: if definition.is_table {
                RelationKind::Table
            } else {
                RelationKind::Stream
            },
            topic,
            columns: columns.collect(),
            key: definition.key.clone(),
            key_format,
            watermark: definition
                .watermark
                .as_ref()
                .zip(delay)
                .map(|(w, delay)| Watermark {
                    column: w.column.clone(),
                    delay,
                }),
        })
    }

    /// The columns a query sees: the declared ones, then those of `pseudo` in a fixed order.
    pub fn schema(&self, pseudo: &BTreeSet<&'static str>) -> SchemaRef {
        let declared = self
            .columns
            .iter()
            .map(|c| Field::new(&c.name, c.data_type.clone(), !c.not_null));
        let pseudo = PSEUDO_COLUMNS
            .iter()
            .filter(|p| pseudo.contains(**p))
            .map(|p| pseudo_field(p));
        Arc::new(Schema::new(declared.chain(pseudo).collect::<Vec<_>>()))
    }

    /// How records become rows with the columns `wanted` of [`Relation::schema`]. Other members of
    /// the JSON objects are skipped.
    pub(crate) fn scan(&self, pseudo: &BTreeSet<&'static str>, wanted: &[usize]) -> ScanPlan {
        let schema = self.schema(pseudo);
        let mut read: Vec<Field> = Vec::new();
        let mut columns = Vec::with_capacity(wanted.len());
        let mut fields = Vec::with_capacity(wanted.len());
        for field in wanted.iter().filter_map(|i| schema.fields().get(*i)) {
            columns.push(match field.name().as_str() {
                TIMESTAMP => ScanColumn::Timestamp,
                KEY => ScanColumn::Key,
                PARTITION => ScanColumn::Partition,
                OFFSET => ScanColumn::Offset,
                _ => {
                    read.push(field.as_ref().clone());
                    ScanColumn::Value(read.len() - 1)
                }
            });
            fields.push(Arc::clone(field));
        }
        let event_time = match &self.watermark {
            Some(watermark) if watermark.column != TIMESTAMP => {
                let known = read.iter().position(|f| *f.name() == watermark.column);
                let at = known.unwrap_or_else(|| {
                    read.push(Field::new(
                        &watermark.column,
                        DataType::Timestamp(TimeUnit::Millisecond, None),
                        true,
                    ));
                    read.len() - 1
                });
                EventTime::Column(at)
            }
            _ => EventTime::Record,
        };
        ScanPlan {
            reader: JsonReader::new(Arc::new(Schema::new(read))),
            columns,
            schema: Arc::new(Schema::new(fields)),
            event_time,
        }
    }
}

fn pseudo_field(name: &str) -> Field {
    match name {
        TIMESTAMP => Field::new(
            name,
            DataType::Timestamp(TimeUnit::Millisecond, None),
            false,
        ),
        PARTITION => Field::new(name, DataType::Int32, false),
        OFFSET => Field::new(name, DataType::Int64, false),
        _ => Field::new(name, DataType::Utf8, true),
    }
}

/// The SQL name of a type, as `DESCRIBE` prints it.
pub(crate) fn type_name(data_type: &DataType) -> String {
    match data_type {
        DataType::Boolean => "BOOLEAN".into(),
        DataType::Int16 => "SMALLINT".into(),
        DataType::Int32 => "INTEGER".into(),
        DataType::Int64 => "BIGINT".into(),
        DataType::Float32 => "REAL".into(),
        DataType::Float64 => "DOUBLE".into(),
        DataType::Utf8 | DataType::Utf8View => "VARCHAR".into(),
        DataType::Date32 => "DATE".into(),
        DataType::Timestamp(..) => "TIMESTAMP".into(),
        other => other.to_string().to_uppercase(),
    }
}

//! Rows to records: values by column, key and timestamp.

use std::sync::Arc;

use super::columns::ColumnType;
use super::source_config::{FileSourceConfig, Format, TimestampRule};
use super::timestamps::{minutes_of, time_of};
use crate::converter::schemaless;
use crate::data::{Field, Schema, SchemaAndValue, Struct, Value};

/// A row as a record has it.
pub(super) struct Row {
    pub(super) key: SchemaAndValue,
    pub(super) value: SchemaAndValue,
    pub(super) timestamp: Option<i64>,
}

/// How rows of a table become records: the columns, in order, and which of them make the key and
/// the timestamp.
pub(super) struct Layout {
    names: Vec<String>,
    types: Vec<ColumnType>,
    schema: Arc<Schema>,
    key: Vec<usize>,
    key_schema: Option<Arc<Schema>>,
    time: Option<usize>,
    add_minutes: Option<usize>,
    fixed: Option<i64>,
    null_values: Vec<String>,
}

impl Layout {
    /// The layout of a table with these columns. The error names a column of the configuration
    /// that the table does not have.
    pub(super) fn new(
        names: Vec<String>,
        types: Vec<ColumnType>,
        config: &FileSourceConfig,
    ) -> Result<Self, String> {
        let columns = names.iter().zip(&types);
        let fields: Vec<Field> = columns
            .map(|(name, kind)| Field::new(name.as_str(), kind.schema()))
            .collect();
        let index = |key: &str, name: &str| {
            let found = names.iter().position(|known| known == name);
            found.ok_or_else(|| {
                format!(
                    "{key} names {name}, but the columns are {}",
                    names.join(", ")
                )
            })
        };
        for (name, _) in &config.types {
            index("types", name)?;
        }
        let key: Vec<usize> = config
            .key_fields
            .iter()
            .map(|name| index("key.fields", name))
            .collect::<Result<_, _>>()?;
        let key_fields: Vec<Field> = key
            .iter()
            .filter_map(|&index| fields.get(index).cloned())
            .collect();
        let key_schema = match key_fields.as_slice() {
            [] => None,
            [field] => Some(field.schema.clone()),
            _ => Some(Arc::new(Schema::structure(key_fields))),
        };
        let (mut time, mut add_minutes, mut fixed) = (None, None, None);
        match &config.timestamp {
            TimestampRule::Produced => {}
            TimestampRule::Fixed(at) => fixed = Some(*at),
            TimestampRule::Column {
                time: column,
                add_minutes: minutes,
            } => {
                time = Some(index("timestamp.column", column)?);
                if let Some(minutes) = minutes {
                    add_minutes = Some(index("timestamp.add.minutes.column", minutes)?);
                }
            }
        }
        let schema = Arc::new(Schema::structure(fields));
        let null_values = config.null_values.clone();
        Ok(Self {
            names,
            types,
            schema,
            key,
            key_schema,
            time,
            add_minutes,
            fixed,
            null_values,
        })
    }

    /// The columns' names.
    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    /// The record of a row. The error names the column at fault.
    pub(super) fn row<'a>(&self, fields: impl Iterator<Item = &'a str>) -> Result<Row, String> {
        let mut values = Vec::with_capacity(self.types.len());
        for (index, text) in fields.enumerate() {
            let Some(kind) = self.types.get(index) else {
                values.push(Value::Null);
                continue;
            };
            if is_null(text, &self.null_values) {
                values.push(Value::Null);
                continue;
            }
            values.push(kind.value(text).ok_or_else(|| {
                let name = self.names.get(index).map_or("", String::as_str);
                format!("column {name} has {text:?}, which is no {}", kind.name())
            })?);
        }
        if values.len() != self.types.len() {
            let (has, wanted) = (values.len(), self.types.len());
            return Err(format!(
                "it has {has} fields, but there are {wanted} columns"
            ));
        }
        let at = |index: Option<usize>| index.and_then(|index| values.get(index));
        let timestamp = timestamp(at(self.time), at(self.add_minutes))?.or(self.fixed);
        let key = self.key_of(&values)?;
        let row = Struct::from_values(self.schema.clone(), values).map_err(|e| e.to_string())?;
        let value = SchemaAndValue::new(self.schema.clone(), Value::Struct(Box::new(row)));
        Ok(Row {
            key,
            value,
            timestamp,
        })
    }

    fn key_of(&self, values: &[Value]) -> Result<SchemaAndValue, String> {
        let mut parts: Vec<Value> = self
            .key
            .iter()
            .filter_map(|&index| values.get(index).cloned())
            .collect();
        let Some(schema) = &self.key_schema else {
            return Ok(SchemaAndValue::NULL);
        };
        let value = if parts.len() == 1 {
            parts.swap_remove(0)
        } else {
            let key = Struct::from_values(schema.clone(), parts).map_err(|e| e.to_string())?;
            Value::Struct(Box::new(key))
        };
        // A missing key is a null key, whatever converter writes it.
        if value.is_null() {
            return Ok(SchemaAndValue::NULL);
        }
        Ok(SchemaAndValue {
            schema: Some(schema.clone()),
            value,
        })
    }
}

/// Whether a field is null: empty, or one of the configured words.
pub(super) fn is_null(text: &str, null_values: &[String]) -> bool {
    text.is_empty() || null_values.iter().any(|null| null == text)
}

fn timestamp(time: Option<&Value>, minutes: Option<&Value>) -> Result<Option<i64>, String> {
    let Some(time) = time else { return Ok(None) };
    let time = time_of(time)?;
    let minutes = minutes.map(minutes_of).transpose()?.unwrap_or(0);
    time.checked_add(minutes)
        .map(Some)
        .ok_or_else(|| "the timestamp overflows".to_owned())
}

/// The record of a line of text or JSON. `None` for a blank line of JSON.
pub(super) fn line(
    bytes: &[u8],
    config: &FileSourceConfig,
    text_schema: &Arc<Schema>,
) -> Result<Option<Row>, String> {
    let fixed = match &config.timestamp {
        TimestampRule::Fixed(at) => Some(*at),
        _ => None,
    };
    if config.format == Format::Text {
        let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
        let value = SchemaAndValue::new(text_schema.clone(), text);
        return Ok(Some(Row {
            key: SchemaAndValue::NULL,
            value,
            timestamp: fixed,
        }));
    }
    if bytes.trim_ascii().is_empty() {
        return Ok(None);
    }
    let json: serde_json::Value =
        serde_json::from_slice(bytes).map_err(|error| format!("it is not JSON: {error}"))?;
    let value = schemaless(&json)?;
    let field = |name: &String| {
        value
            .field(name)
            .cloned()
            .ok_or_else(|| format!("it has no field {name}"))
    };
    let key = match config.key_fields.as_slice() {
        [] => Value::Null,
        [name] => field(name)?,
        names => Value::Map(
            names
                .iter()
                .map(|name| Ok((Value::from(name.as_str()), field(name)?)))
                .collect::<Result<_, String>>()?,
        ),
    };
    let timestamp = match &config.timestamp {
        TimestampRule::Column { time, add_minutes } => {
            let time = field(time)?;
            let minutes = add_minutes.as_ref().map(field).transpose()?;
            timestamp(Some(&time), minutes.as_ref())?
        }
        _ => fixed,
    };
    let value = SchemaAndValue::schemaless(value);
    Ok(Some(Row {
        key: SchemaAndValue::schemaless(key),
        value,
        timestamp,
    }))
}

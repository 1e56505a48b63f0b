//! JSON to schemas and values.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::Value as Json;

use crate::data::logical::{self, Decimal};
use crate::data::{Field, Schema, SchemaType, Struct, Value};

/// The most levels of nesting in a schema. Deeper ones would exhaust the stack; serde_json's own
/// limit of 128 levels of JSON keeps real ones below it.
const DEPTH_MAX: usize = 64;

/// Reads the schema of an envelope. Errors are texts for a malformed record.
pub(super) fn read_schema(json: &Json) -> Result<Schema, String> {
    schema_at(json, 0)
}

fn schema_at(json: &Json, depth: usize) -> Result<Schema, String> {
    if depth > DEPTH_MAX {
        return Err(format!("the schema is nested more than {DEPTH_MAX} deep"));
    }
    let nested = |name: &str| {
        let inner = json
            .get(name)
            .ok_or_else(|| format!("the schema lacks {name:?}"))?;
        schema_at(inner, depth + 1).map(Arc::new)
    };
    let text = |name: &str| json.get(name).and_then(Json::as_str);
    let kind = match text("type").ok_or("the schema has no \"type\"")? {
        "int8" => SchemaType::Int8,
        "int16" => SchemaType::Int16,
        "int32" => SchemaType::Int32,
        "int64" => SchemaType::Int64,
        "float" => SchemaType::Float32,
        "double" => SchemaType::Float64,
        "boolean" => SchemaType::Boolean,
        "string" => SchemaType::String,
        "bytes" => SchemaType::Bytes,
        "array" => SchemaType::Array(nested("items")?),
        "map" => SchemaType::Map {
            keys: nested("keys")?,
            values: nested("values")?,
        },
        "struct" => {
            let fields = json.get("fields").and_then(Json::as_array);
            let fields = fields.ok_or("a struct schema has no \"fields\"")?;
            let fields: Result<Vec<Field>, String> = fields
                .iter()
                .map(|field| {
                    let name = field.get("field").and_then(Json::as_str);
                    let name = name.ok_or("a field of a struct schema has no \"field\" name")?;
                    Ok(Field::new(name, schema_at(field, depth + 1)?))
                })
                .collect();
            SchemaType::Struct(fields?)
        }
        other => return Err(format!("unknown schema type: {other}")),
    };
    let mut schema = Schema::new(kind);
    if json.get("optional").and_then(Json::as_bool) == Some(true) {
        schema = schema.optional();
    }
    if let Some(name) = text("name") {
        schema = schema.named(name);
    }
    if let Some(version) = json.get("version").and_then(Json::as_i64) {
        schema = schema.with_version(i32::try_from(version).map_err(|error| error.to_string())?);
    }
    if let Some(doc) = text("doc") {
        schema = schema.with_doc(doc);
    }
    if let Some(parameters) = json.get("parameters").and_then(Json::as_object) {
        for (name, value) in parameters {
            let value = value.as_str().ok_or("a schema parameter is not a string")?;
            schema = schema.with_parameter(name, value);
        }
    }
    match json.get("default") {
        None | Some(Json::Null) => Ok(schema),
        Some(default) => {
            let default = read_value(&Arc::new(schema.clone()), default, true)?;
            schema
                .with_default(default)
                .map_err(|error| error.to_string())
        }
    }
}

/// Reads a value under its schema.
pub(super) fn read_value(
    schema: &Arc<Schema>,
    json: &Json,
    replace_null_with_default: bool,
) -> Result<Value, String> {
    if json.is_null() {
        return match schema.default_value().filter(|_| replace_null_with_default) {
            Some(default) => Ok(default.clone()),
            None if schema.is_optional() => Ok(Value::Null),
            None => Err(format!("null for a required {}", schema.describe())),
        };
    }
    let mismatch = || format!("{json} where {} is wanted", schema.describe());
    let int = || json.as_i64().ok_or_else(mismatch);
    let read =
        |schema: &Arc<Schema>, json: &Json| read_value(schema, json, replace_null_with_default);
    Ok(match schema.kind() {
        SchemaType::Int8 => Value::Int8(int()?.try_into().map_err(|_| mismatch())?),
        SchemaType::Int16 => Value::Int16(int()?.try_into().map_err(|_| mismatch())?),
        SchemaType::Int32 => {
            let number = int()?.try_into().map_err(|_| mismatch())?;
            match schema.name() {
                Some(logical::DATE) => Value::Date(number),
                Some(logical::TIME) => Value::Time(number),
                _ => Value::Int32(number),
            }
        }
        SchemaType::Int64 => match schema.name() {
            Some(logical::TIMESTAMP) => Value::Timestamp(int()?),
            _ => Value::Int64(int()?),
        },
        #[expect(
            clippy::cast_possible_truncation,
            reason = "float32 is what the schema says"
        )]
        SchemaType::Float32 => Value::Float32(float(json).ok_or_else(mismatch)? as f32),
        SchemaType::Float64 => Value::Float64(float(json).ok_or_else(mismatch)?),
        SchemaType::Boolean => Value::Boolean(json.as_bool().ok_or_else(mismatch)?),
        SchemaType::String => Value::String(json.as_str().ok_or_else(mismatch)?.to_owned()),
        SchemaType::Bytes => read_bytes(schema, json).ok_or_else(mismatch)?,
        SchemaType::Array(items) => {
            let values = json.as_array().ok_or_else(mismatch)?;
            Value::Array(
                values
                    .iter()
                    .map(|json| read(items, json))
                    .collect::<Result<_, _>>()?,
            )
        }
        SchemaType::Map { keys, values } => {
            let entries = match json {
                Json::Object(entries) if matches!(keys.kind(), SchemaType::String) => entries
                    .iter()
                    .map(|(key, value)| Ok((Value::String(key.clone()), read(values, value)?)))
                    .collect::<Result<Vec<_>, String>>()?,
                Json::Array(pairs) => pairs
                    .iter()
                    .map(|pair| match pair.as_array().map(Vec::as_slice) {
                        Some([key, value]) => Ok((read(keys, key)?, read(values, value)?)),
                        _ => Err(mismatch()),
                    })
                    .collect::<Result<Vec<_>, String>>()?,
                _ => return Err(mismatch()),
            };
            Value::Map(entries)
        }
        SchemaType::Struct(fields) => {
            let object = json.as_object().ok_or_else(mismatch)?;
            let values: Result<Vec<Value>, String> = fields
                .iter()
                .map(|field| {
                    let json = object.get(&*field.name).unwrap_or(&Json::Null);
                    read(&field.schema, json)
                        .map_err(|reason| format!("field {}: {reason}", field.name))
                })
                .collect();
            let row = Struct::from_values(schema.clone(), values?);
            Value::Struct(Box::new(row.map_err(|error| error.to_string())?))
        }
    })
}

fn float(json: &Json) -> Option<f64> {
    match json {
        Json::String(text) => match text.as_str() {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            _ => None,
        },
        other => other.as_f64(),
    }
}

fn read_bytes(schema: &Schema, json: &Json) -> Option<Value> {
    if schema.name() != Some(logical::DECIMAL) {
        return Some(Value::Bytes(Bytes::from(
            STANDARD.decode(json.as_str()?).ok()?,
        )));
    }
    let scale = schema.parameter(logical::SCALE)?.parse().ok()?;
    let decimal = match json {
        Json::String(text) => Decimal::from_bytes(&STANDARD.decode(text).ok()?, scale),
        Json::Number(number) => Decimal::parse(&number.to_string(), scale),
        _ => None,
    };
    decimal.map(Value::Decimal)
}

/// Reads JSON without a schema: integers are int64, other numbers float64, objects maps.
pub(crate) fn schemaless(json: &Json) -> Result<Value, String> {
    Ok(match json {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Boolean(*value),
        Json::Number(number) => match (number.as_i64(), number.is_u64(), number.as_f64()) {
            (Some(value), _, _) => Value::Int64(value),
            (None, false, Some(value)) => Value::Float64(value),
            _ => return Err(format!("{number} does not fit 64 bits")),
        },
        Json::String(text) => Value::String(text.clone()),
        Json::Array(values) => {
            Value::Array(values.iter().map(schemaless).collect::<Result<_, _>>()?)
        }
        Json::Object(entries) => Value::Map(
            entries
                .iter()
                .map(|(key, value)| Ok((Value::String(key.clone()), schemaless(value)?)))
                .collect::<Result<_, String>>()?,
        ),
    })
}

//! Schemas and values to JSON, with the fields in Kafka's order.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::ConvertError;
use super::json::{DecimalFormat, JsonSettings};
use crate::data::logical::Decimal;
use crate::data::{DataError, Schema, SchemaType, Struct, Value};

/// Appends a schema's JSON; `field` is its name inside a struct.
pub(super) fn write_schema(
    out: &mut Vec<u8>,
    schema: &Schema,
    field: Option<&str>,
    settings: &JsonSettings,
) -> Result<(), ConvertError> {
    out.extend_from_slice(b"{\"type\":");
    write_string(out, type_name(schema.kind()));
    match schema.kind() {
        SchemaType::Array(items) => {
            out.extend_from_slice(b",\"items\":");
            write_schema(out, items, None, settings)?;
        }
        SchemaType::Map { keys, values } => {
            out.extend_from_slice(b",\"keys\":");
            write_schema(out, keys, None, settings)?;
            out.extend_from_slice(b",\"values\":");
            write_schema(out, values, None, settings)?;
        }
        SchemaType::Struct(fields) => {
            out.extend_from_slice(b",\"fields\":[");
            for (index, field) in fields.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_schema(out, &field.schema, Some(&field.name), settings)?;
            }
            out.push(b']');
        }
        _ => {}
    }
    out.extend_from_slice(b",\"optional\":");
    out.extend_from_slice(if schema.is_optional() {
        b"true"
    } else {
        b"false"
    });
    if let Some(name) = schema.name() {
        out.extend_from_slice(b",\"name\":");
        write_string(out, name);
    }
    if let Some(version) = schema.version() {
        write_display(out, format_args!(",\"version\":{version}"));
    }
    if let Some(doc) = schema.doc() {
        out.extend_from_slice(b",\"doc\":");
        write_string(out, doc);
    }
    if !schema.parameters().is_empty() {
        out.extend_from_slice(b",\"parameters\":{");
        for (index, (name, value)) in schema.parameters().iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            write_string(out, name);
            out.push(b':');
            write_string(out, value);
        }
        out.push(b'}');
    }
    if let Some(default) = schema.default_value() {
        out.extend_from_slice(b",\"default\":");
        write_value(out, Some(schema), default, settings)?;
    }
    if let Some(field) = field {
        out.extend_from_slice(b",\"field\":");
        write_string(out, field);
    }
    out.push(b'}');
    Ok(())
}

/// Appends a value's JSON.
pub(super) fn write_value(
    out: &mut Vec<u8>,
    schema: Option<&Schema>,
    value: &Value,
    settings: &JsonSettings,
) -> Result<(), ConvertError> {
    if value.is_null() {
        return write_null(out, schema, settings);
    }
    if let Some(schema) = schema {
        check_type(schema, value)?;
    }
    match value {
        Value::Null => {}
        Value::Boolean(value) => write_display(out, format_args!("{value}")),
        Value::Float32(number) if !number.is_finite() => write_string(out, &value.to_string()),
        Value::Float64(number) if !number.is_finite() => write_string(out, &value.to_string()),
        Value::Int8(_)
        | Value::Int16(_)
        | Value::Int32(_)
        | Value::Int64(_)
        | Value::Float32(_)
        | Value::Float64(_)
        | Value::Date(_)
        | Value::Time(_)
        | Value::Timestamp(_) => write_display(out, format_args!("{value}")),
        Value::String(text) => write_string(out, text),
        Value::Bytes(bytes) => write_base64(out, bytes),
        Value::Decimal(decimal) => write_decimal(out, schema, *decimal, settings)?,
        Value::Array(values) => {
            let items = match schema.map(Schema::kind) {
                Some(SchemaType::Array(items)) => Some(items.as_ref()),
                _ => None,
            };
            write_array(out, items, values, settings)?;
        }
        Value::Map(entries) => write_map(out, schema, entries, settings)?,
        Value::Struct(row) => write_struct(out, row, settings)?,
    }
    Ok(())
}

fn write_null(
    out: &mut Vec<u8>,
    schema: Option<&Schema>,
    settings: &JsonSettings,
) -> Result<(), ConvertError> {
    if let Some(schema) = schema {
        if let Some(default) = schema
            .default_value()
            .filter(|_| settings.replace_null_with_default)
        {
            return write_value(out, Some(schema), default, settings);
        }
        if !schema.is_optional() {
            let source = DataError::NullValue {
                schema: schema.describe(),
            };
            return Err(ConvertError::Data {
                path: "value".to_owned(),
                source,
            });
        }
    }
    out.extend_from_slice(b"null");
    Ok(())
}

/// Checks one level; what is inside is checked on the way down.
fn check_type(schema: &Schema, value: &Value) -> Result<(), ConvertError> {
    match (schema.kind(), value) {
        (SchemaType::Array(_), Value::Array(_)) | (SchemaType::Map { .. }, Value::Map(_)) => Ok(()),
        _ => schema
            .validate(value)
            .map_err(|source| data_error("value", source)),
    }
}

fn data_error(path: &str, source: DataError) -> ConvertError {
    ConvertError::Data {
        path: path.to_owned(),
        source,
    }
}

fn write_array(
    out: &mut Vec<u8>,
    items: Option<&Schema>,
    values: &[Value],
    settings: &JsonSettings,
) -> Result<(), ConvertError> {
    out.push(b'[');
    for (index, value) in values.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_value(out, items, value, settings)?;
    }
    out.push(b']');
    Ok(())
}

/// An object if the keys are strings, else an array of pairs.
fn write_map(
    out: &mut Vec<u8>,
    schema: Option<&Schema>,
    entries: &[(Value, Value)],
    settings: &JsonSettings,
) -> Result<(), ConvertError> {
    let (keys, values) = match schema.map(Schema::kind) {
        Some(SchemaType::Map { keys, values }) => (Some(keys.as_ref()), Some(values.as_ref())),
        _ => (None, None),
    };
    let as_object = match keys {
        Some(keys) => matches!(keys.kind(), SchemaType::String),
        None => entries
            .iter()
            .all(|(key, _)| matches!(key, Value::String(_))),
    };
    out.push(if as_object { b'{' } else { b'[' });
    for (index, (key, value)) in entries.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        if !as_object {
            out.push(b'[');
        }
        write_value(out, keys, key, settings)?;
        out.push(if as_object { b':' } else { b',' });
        write_value(out, values, value, settings)?;
        if !as_object {
            out.push(b']');
        }
    }
    out.push(if as_object { b'}' } else { b']' });
    Ok(())
}

fn write_struct(
    out: &mut Vec<u8>,
    row: &Struct,
    settings: &JsonSettings,
) -> Result<(), ConvertError> {
    out.push(b'{');
    for (index, (field, value)) in row.schema().fields().iter().zip(row.values()).enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_string(out, &field.name);
        out.push(b':');
        write_value(out, Some(&field.schema), value, settings).map_err(|error| match error {
            ConvertError::Data { path, source } if path == "value" => {
                data_error(&format!("field {}", field.name), source)
            }
            ConvertError::Data { path, source } => data_error(
                &format!(
                    "field {} of {}",
                    path.trim_start_matches("field "),
                    field.name
                ),
                source,
            ),
            other => other,
        })?;
    }
    out.push(b'}');
    Ok(())
}

fn write_decimal(
    out: &mut Vec<u8>,
    schema: Option<&Schema>,
    decimal: Decimal,
    settings: &JsonSettings,
) -> Result<(), ConvertError> {
    let scale = schema.and_then(|schema| schema.parameter(crate::data::logical::SCALE));
    if scale.is_some_and(|scale| scale.parse() != Ok(decimal.scale)) {
        return Err(ConvertError::Unsupported {
            converter: "JsonConverter",
            what: format!(
                "a decimal of scale {} under a schema of another scale",
                decimal.scale
            ),
        });
    }
    match settings.decimal_format {
        DecimalFormat::Base64 => write_base64(out, &decimal.to_bytes()),
        DecimalFormat::Numeric => write_display(out, format_args!("{decimal}")),
    }
    Ok(())
}

fn write_base64(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'"');
    out.extend_from_slice(STANDARD.encode(bytes).as_bytes());
    out.push(b'"');
}

/// Appends a JSON string. Escapes are Jackson's: the short ones, else `\u00XX` in upper case.
fn write_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let mut written = 0;
    for (index, byte) in text.bytes().enumerate() {
        let short: &[u8] = match byte {
            b'"' => b"\\\"",
            b'\\' => b"\\\\",
            b'\n' => b"\\n",
            b'\r' => b"\\r",
            b'\t' => b"\\t",
            0x08 => b"\\b",
            0x0c => b"\\f",
            0..=0x1f => b"",
            _ => continue,
        };
        out.extend_from_slice(text.as_bytes().get(written..index).unwrap_or_default());
        if short.is_empty() {
            write_display(out, format_args!("\\u{byte:04X}"));
        } else {
            out.extend_from_slice(short);
        }
        written = index + 1;
    }
    out.extend_from_slice(text.as_bytes().get(written..).unwrap_or_default());
    out.push(b'"');
}

fn write_display(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    // Writing into a vector cannot fail.
    let _ = out.write_fmt(text);
}

fn type_name(kind: &SchemaType) -> &'static str {
    match kind {
        SchemaType::Int8 => "int8",
        SchemaType::Int16 => "int16",
        SchemaType::Int32 => "int32",
        SchemaType::Int64 => "int64",
        SchemaType::Float32 => "float",
        SchemaType::Float64 => "double",
        SchemaType::Boolean => "boolean",
        SchemaType::String => "string",
        SchemaType::Bytes => "bytes",
        SchemaType::Array(_) => "array",
        SchemaType::Map { .. } => "map",
        SchemaType::Struct(_) => "struct",
    }
}

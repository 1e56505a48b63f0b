//! JSON, with or without a schema in every message.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

use super::json_read::{read_schema, read_value, schemaless};
use super::json_write::{write_schema, write_value};
use super::{ConvertError, Converter, ConverterFactory, ConverterRole};
use crate::config::{ConfigDef, ConfigErrors, ConfigKey, Importance, Properties};
use crate::data::{Schema, SchemaAndValue, Value};

/// How decimals are written (`decimal.format`). Both are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum DecimalFormat {
    /// The unscaled value's bytes in base64.
    #[default]
    Base64,
    /// A JSON number.
    Numeric,
}

/// What a JSON converter is set to. Names and defaults are Kafka's.
#[derive(Clone, Debug)]
pub struct JsonSettings {
    /// `schemas.enable`: every message is `{"schema":…,"payload":…}`. On.
    pub schemas_enable: bool,
    /// `schemas.cache.size`: how many schemas' JSON is kept. 1000.
    pub schemas_cache_size: usize,
    /// `decimal.format`. Base64.
    pub decimal_format: DecimalFormat,
    /// `replace.null.with.default`: a null whose schema has a default becomes it. On.
    pub replace_null_with_default: bool,
}

impl Default for JsonSettings {
    fn default() -> Self {
        Self {
            schemas_enable: true,
            schemas_cache_size: 1000,
            decimal_format: DecimalFormat::default(),
            replace_null_with_default: true,
        }
    }
}

/// JSON as `org.apache.kafka.connect.json.JsonConverter` writes and reads it, byte for byte.
///
/// Where Kafka's reader changes data silently (an integer beyond 64 bits, text where a number
/// should be), this one gives an error.
#[derive(Debug, Default)]
pub struct JsonConverter {
    settings: JsonSettings,
    schemas: Mutex<SchemaCache>,
}

/// Schemas and their JSON, recognised by identity: the sources of a task share their `Arc`s, and
/// an `Arc` that is kept here cannot be another schema's later.
#[derive(Debug, Default)]
struct SchemaCache {
    written: HashMap<usize, (Arc<Schema>, Bytes)>,
    read: HashMap<serde_json::Value, Arc<Schema>>,
}

impl JsonConverter {
    /// A converter with these settings.
    pub fn new(settings: JsonSettings) -> Self {
        Self {
            settings,
            schemas: Mutex::default(),
        }
    }

    fn schema_json(&self, schema: &Arc<Schema>) -> Result<Bytes, ConvertError> {
        let address = Arc::as_ptr(schema).addr();
        if let Some((_, json)) = self.schemas.lock().written.get(&address) {
            return Ok(json.clone());
        }
        let mut json = Vec::new();
        write_schema(&mut json, schema, None, &self.settings)?;
        let json = Bytes::from(json);
        let mut schemas = self.schemas.lock();
        if schemas.written.len() >= self.settings.schemas_cache_size {
            schemas.written.clear();
        }
        if self.settings.schemas_cache_size > 0 {
            schemas
                .written
                .insert(address, (schema.clone(), json.clone()));
        }
        Ok(json)
    }

    fn read_schema(&self, json: &serde_json::Value) -> Result<Arc<Schema>, String> {
        if let Some(schema) = self.schemas.lock().read.get(json) {
            return Ok(schema.clone());
        }
        let schema = Arc::new(read_schema(json)?);
        let mut schemas = self.schemas.lock();
        if schemas.read.len() >= self.settings.schemas_cache_size {
            schemas.read.clear();
        }
        if self.settings.schemas_cache_size > 0 {
            schemas.read.insert(json.clone(), schema.clone());
        }
        Ok(schema)
    }

    fn read_envelope(
        &self,
        bytes: &Bytes,
        json: &serde_json::Value,
    ) -> Result<SchemaAndValue, ConvertError> {
        let malformed = |reason: String| ConvertError::malformed("enveloped JSON", reason, bytes);
        let object = json.as_object().filter(|object| object.len() == 2);
        let parts = object.and_then(|object| Some((object.get("schema")?, object.get("payload")?)));
        let Some((schema, payload)) = parts else {
            return Err(malformed(
                "schemas.enable=true requires the fields \"schema\" and \"payload\" and no others; \
                 for plain JSON set schemas.enable=false on this converter"
                    .to_owned(),
            ));
        };
        if schema.is_null() {
            return Ok(SchemaAndValue {
                schema: None,
                value: schemaless(payload).map_err(malformed)?,
            });
        }
        let schema = self.read_schema(schema).map_err(malformed)?;
        let value = read_value(&schema, payload, self.settings.replace_null_with_default);
        Ok(SchemaAndValue {
            value: value.map_err(malformed)?,
            schema: Some(schema),
        })
    }
}

impl Converter for JsonConverter {
    fn to_bytes(
        &self,
        _topic: &str,
        schema: Option<&Arc<Schema>>,
        value: &Value,
    ) -> Result<Option<Bytes>, ConvertError> {
        if schema.is_none() && value.is_null() {
            return Ok(None);
        }
        let mut out = Vec::with_capacity(256);
        if self.settings.schemas_enable {
            out.extend_from_slice(b"{\"schema\":");
            match schema {
                Some(schema) => out.extend_from_slice(&self.schema_json(schema)?),
                None => out.extend_from_slice(b"null"),
            }
            out.extend_from_slice(b",\"payload\":");
        }
        write_value(&mut out, schema.map(AsRef::as_ref), value, &self.settings)?;
        if self.settings.schemas_enable {
            out.push(b'}');
        }
        Ok(Some(Bytes::from(out)))
    }

    fn to_data(&self, _topic: &str, bytes: Option<&Bytes>) -> Result<SchemaAndValue, ConvertError> {
        // Kafka's JsonDeserializer takes an empty message for a null.
        let Some(bytes) = bytes.filter(|bytes| !bytes.is_empty()) else {
            return Ok(SchemaAndValue::NULL);
        };
        let json: serde_json::Value = serde_json::from_slice(bytes)
            .map_err(|error| ConvertError::malformed("JSON", error.to_string(), bytes))?;
        if self.settings.schemas_enable {
            return self.read_envelope(bytes, &json);
        }
        let value = schemaless(&json);
        let value = value.map_err(|reason| ConvertError::malformed("JSON", reason, bytes))?;
        Ok(SchemaAndValue {
            schema: None,
            value,
        })
    }
}

/// Registers [`JsonConverter`].
#[derive(Debug)]
pub(crate) struct JsonFactory;

impl ConverterFactory for JsonFactory {
    fn config_def(&self) -> ConfigDef {
        ConfigDef::new([
            ConfigKey::boolean("schemas.enable", Some(true))
                .importance(Importance::High)
                .doc("Put the schema into every message, beside the payload."),
            ConfigKey::int("schemas.cache.size", Some(1000))
                .at_least(0)
                .doc("How many schemas are kept in encoded form."),
            ConfigKey::string("decimal.format", Some("BASE64"))
                .one_of(&["BASE64", "NUMERIC"])
                .doc("How decimals are written. Both forms are read."),
            ConfigKey::boolean("replace.null.with.default", Some(true))
                .doc("Write and read a null field that has a default as the default."),
        ])
    }

    fn create(
        &self,
        _role: ConverterRole,
        settings: &Properties,
    ) -> Result<Arc<dyn Converter>, ConfigErrors> {
        let config = self.config_def().parse(settings)?;
        let decimal_format = match config.string("decimal.format") {
            Some("NUMERIC") => DecimalFormat::Numeric,
            _ => DecimalFormat::Base64,
        };
        Ok(Arc::new(JsonConverter::new(JsonSettings {
            schemas_enable: config.boolean("schemas.enable"),
            schemas_cache_size: config.count("schemas.cache.size"),
            decimal_format,
            replace_null_with_default: config.boolean("replace.null.with.default"),
        })))
    }
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
